"""The stand's node runs pods as a kubelet does: what the API server says of them is what a cluster would say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.cluster.team_scene import BATCH, SERVER, Team

APPS = "/apis/apps/v1/namespaces"
FORWARD = """
import sys, time
from kubernetes import client, config, stream
config.load_kube_config(sys.argv[1])
get = client.CoreV1Api().connect_get_namespaced_pod_portforward
answer = b""
while not answer:
    made = stream.portforward(get, "served", sys.argv[2], ports="8080").socket(8080)
    made.settimeout(10)
    made.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
    while part := made.recv(4096):
        answer += part
    time.sleep(0.1)
print(answer.decode())
"""
KILLED = """
import sys, time
from tests.stand import shared
stand = shared()
setup = stand.correct_setup("team-killed")
image = stand.node.push_base(setup.login_server, setup.dockerconfig)
admin, pods = stand.control_plane.admin, "/api/v1/namespaces/team-killed/pods"
container = {"name": "main", "image": image, "command": ["sleep", sys.argv[1]]}
spec = {"serviceAccountName": "default-editor", "containers": [container]}
admin.post(pods, {"metadata": {"name": "x"}, "spec": spec})
while admin.get(f"{pods}/x")["status"]["phase"] != "Running":
    time.sleep(0.05)
print(stand.folder, flush=True)
time.sleep(60)
"""


def commands(argument):
    """Return the processes on this machine that were started to sleep that long."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", argument.encode()]:
            found.append(path.parent.name)
    return found


@pytest.fixture
def team(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    return Team(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))


def test_a_job_runs_to_its_end_and_its_log_is_followed_from_the_api_server(team):
    script = "import time\nfor i in range(5): print('line', i); time.sleep(0.2)"
    team.job("train", script)
    [pod] = team.until(lambda: team.pods("job-name=train"), "the Job's pod")
    name = pod["metadata"]["name"]
    team.until(lambda: team.status(name).get("phase") != "Pending", "the start")
    lines, times = [], []
    url = f"{team.stand.control_plane.url}{team.core}/pods/{name}/log?follow=true"
    headers = {"Authorization": f"Bearer {team.setup.profile.editor}"}
    with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
        for line in answer.iter_lines(chunk_size=1):
            lines.append(line.decode())
            times.append(time.monotonic())
    assert lines == [f"line {i}" for i in range(5)]
    assert times[-1] - times[0] > 0.5
    job = f"{BATCH}/{team.namespace}/jobs/train"
    team.until(lambda: team.admin.get(job)["status"].get("succeeded") == 1, "the Job's completion")
    reasons = [reason for reason, _ in team.events(name)]
    assert {"Scheduled", "Pulling", "Pulled", "Created", "Started"} <= set(reasons)


def test_an_exit_code_fails_the_job_with_the_code_told(team):
    team.job("train", "raise SystemExit(3)")
    [pod] = team.until(lambda: team.pods("job-name=train"), "the Job's pod")
    ended = team.last_end(pod["metadata"]["name"])
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    job = f"{BATCH}/{team.namespace}/jobs/train"

    def failed():
        return [
            entry["reason"]
            for entry in team.admin.get(job)["status"].get("conditions", [])
            if entry["type"] == "Failed"
        ]

    assert team.until(failed, "the Job's failure") == ["BackoffLimitExceeded"]


def test_too_much_memory_ends_as_137_oomkilled(team):
    limits = {"resources": {"limits": {"memory": "64Mi"}}}
    team.pod("greedy", "print('before'); x = bytearray(256 << 20); print('after')", container=limits)
    ended = team.last_end("greedy")
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")
    assert team.log("greedy") == "before\n"


def test_a_missing_image_is_told_as_errimagepull_and_then_imagepullbackoff(team):
    missing = f"{team.setup.login_server}/team/nothing:1"
    team.pod("lost", "", container={"image": missing})
    said = team.waits("lost", "ErrImagePull")
    assert said["message"].endswith(f"{missing}: not found")
    assert team.waits("lost", "ImagePullBackOff")["message"].startswith(f'Back-off pulling image "{missing}"')
    assert ("Failed", "Error: ErrImagePull") in team.events("lost")
    assert "trying and failing to pull image" in team.log("lost")


def test_an_image_needs_the_pull_secret_of_the_service_account(team):
    team.pod("stranger", "", serviceAccountName="default-viewer")
    assert "401 Unauthorized" in team.waits("stranger", "ErrImagePull")["message"]


def test_a_registry_that_does_not_exist_is_told_by_its_name(team):
    team.pod("lost", "", container={"image": "nobodys.azurecr.io/x:1"})
    assert "lookup nobodys.azurecr.io: no such host" in team.waits("lost", "ErrImagePull")["message"]


def test_an_init_container_hands_on_through_an_emptydir(team):
    mount = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    first = team.container("open('/shared/context', 'w').write('from init')", name="fetch", **mount)
    team.pod(
        "pair",
        "print(open('/shared/context').read())",
        container={**mount, "securityContext": {"runAsUser": 1000}},
        initContainers=[first],
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    assert team.ended("pair")["phase"] == "Succeeded"
    assert team.log("pair") == "from init\n"


def test_an_init_container_that_fails_fails_the_pod(team):
    team.pod("pair", "print('never')", initContainers=[team.container("raise SystemExit(4)", name="fetch")])
    status = team.ended("pair")
    assert status["phase"] == "Failed"
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 4
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"


def test_secrets_are_found_as_files_and_as_variables(team):
    held = {"metadata": {"name": "held"}, "stringData": {"user": "me", "word": "two\nlines"}}
    team.admin.post(f"{team.core}/secrets", held)
    script = (
        "import os; path = '/etc/held/it'; print(oct(os.stat(path).st_mode), open(path).read());"
        "print(repr(os.environ['WORD']), os.environ['P_user'], os.environ['POD'], os.environ['BOTH'])"
    )
    variables = [
        {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "held", "key": "word"}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "BOTH", "value": "$(POD)-$(P_user)-$(NONE)-$$(POD)"},
    ]
    volume = {"secretName": "held", "defaultMode": 0o400, "items": [{"key": "user", "path": "it"}]}
    container = {
        "env": variables,
        "envFrom": [{"secretRef": {"name": "held"}, "prefix": "P_"}],
        "volumeMounts": [{"name": "held", "mountPath": "/etc/held"}],
    }
    team.pod("reader", script, container=container, volumes=[{"name": "held", "secret": volume}])
    team.ended("reader")
    assert team.log("reader").splitlines() == [
        "0o100400 me",
        r"'two\nlines' me reader reader-me-$(NONE)-$(POD)",
    ]


def test_a_missing_secret_is_told_and_the_pod_runs_once_it_is_there(team):
    source = {"secretKeyRef": {"name": "azcreds2", "key": "ID"}}
    team.pod("early", "import os; print(os.environ['ID'])", container={"env": [{"name": "ID", "valueFrom": source}]})
    assert team.waits("early", "CreateContainerConfigError")["message"] == 'secret "azcreds2" not found'
    team.admin.post(f"{team.core}/secrets", {"metadata": {"name": "azcreds2"}, "stringData": {"ID": "here"}})
    assert team.ended("early")["phase"] == "Succeeded"
    assert team.log("early") == "here\n"


def test_a_pod_reaches_the_api_server_and_azure_by_their_own_names(team):
    script = f"""
import json, os, ssl, urllib.error, urllib.request
base = "/var/run/secrets/kubernetes.io/serviceaccount"
address = "https://{{KUBERNETES_SERVICE_HOST}}:{{KUBERNETES_SERVICE_PORT}}".format(**os.environ)
request = urllib.request.Request(address + "/api/v1/namespaces/" + open(base + "/namespace").read() + "/pods",
                                 headers={{"Authorization": "Bearer " + open(base + "/token").read()}})
context = ssl.create_default_context(cafile=base + "/ca.crt")
print(len(json.load(urllib.request.urlopen(request, context=context))["items"]))
for url in ("https://{team.setup.account}.blob.core.windows.net/", "https://{team.setup.login_server}/v2/",
            "https://login.microsoftonline.com/none"):
    try:
        print(urllib.request.urlopen(url).status)
    except urllib.error.HTTPError as error:
        print(error.code)
try:
    urllib.request.urlopen("https://elsewhere.example/")
except urllib.error.URLError as error:
    print(type(error.reason).__name__)
"""
    team.pod("inside", script)
    team.ended("inside")
    pods, *codes, unknown = team.log("inside").splitlines()
    assert (pods, unknown) == ("1", "gaierror")
    assert len(codes) == 3
    assert all(400 <= int(code) < 500 for code in codes)


def test_a_pod_that_is_too_large_is_unschedulable_with_the_event_that_says_why(team):
    team.pod("large", "", container={"resources": {"requests": {"cpu": "64"}}})

    def told():
        return [message for reason, message in team.events("large") if reason == "FailedScheduling"]

    [message] = team.until(told, "the event")
    assert message.startswith("0/")
    assert "1 Insufficient cpu" in message

    def decided():
        found = team.status("large").get("conditions", [])
        return [entry for entry in found if entry["type"] == "PodScheduled"]

    [condition] = team.until(decided, "the scheduler's word")
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert team.status("large")["phase"] == "Pending"


def test_a_deployment_becomes_available_and_a_deleted_pod_is_replaced(node, team):
    probe = {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}
    ports = [{"name": "http", "containerPort": 8080}]
    spec = team.spec(SERVER, container={"ports": ports, "readinessProbe": probe}, restartPolicy="Always")
    labels = {"app": "served"}
    template = {"metadata": {"labels": labels}, "spec": {**spec, "terminationGracePeriodSeconds": 1}}
    body = {
        "metadata": {"name": "served"},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }
    team.admin.post(f"{APPS}/{team.namespace}/deployments", body)
    service = {
        "metadata": {"name": "served"},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]},
    }
    team.admin.post(f"{team.core}/services", service)
    path = f"{APPS}/{team.namespace}/deployments/served"

    def available():
        return team.admin.get(path)["status"].get("availableReplicas") == 2

    team.until(available, "the Deployment")
    names = {pod["metadata"]["name"] for pod in team.pods("app=served")}
    # Both listen on port 8080, each in its own network; the service's name leads to them in turn.
    url = f"http://served.{team.namespace}.svc.cluster.local/"
    assert {requests.get(url, timeout=10).text for _ in range(4)} == names
    assert requests.get(node.service_url(team.namespace, "served"), timeout=10).text in names
    gone = names.pop()
    team.admin.delete(f"{team.core}/pods/{gone}")
    team.until(lambda: gone not in {pod["metadata"]["name"] for pod in team.pods("app=served")}, "the deletion")
    team.until(available, "the replacement")
    assert {requests.get(url, timeout=10).text for _ in range(4)} == {
        pod["metadata"]["name"] for pod in team.pods("app=served")
    }


def test_a_port_is_forwarded_by_the_kubernetes_client(team, run_python):
    team.pod("served", SERVER)
    team.until(lambda: "running" in str(team.status("served").get("containerStatuses")), "the start")
    # In a process of its own: the client leaves its connection to the garbage collector.
    done = run_python(FORWARD, str(team.setup.kubeconfig), team.namespace)
    assert done.stdout.strip().endswith("served")


def test_a_deleted_pod_gets_its_grace_to_end_in_order(team):
    script = """
import signal, sys, time
def end(*_): print("ending in order", flush=True); time.sleep(0.5); sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("running", flush=True)
time.sleep(60)
"""
    team.pod("polite", script, terminationGracePeriodSeconds=20)
    team.until(lambda: "running" in team.log("polite"), "the start")
    lines = []
    url = f"{team.stand.control_plane.url}{team.core}/pods/polite/log?follow=true"
    headers = {"Authorization": f"Bearer {team.setup.profile.editor}"}

    def follow():
        with requests.get(url, headers=headers, stream=True, timeout=30) as answer:
            lines.extend(answer.iter_lines(chunk_size=1))

    follower = threading.Thread(target=follow)
    follower.start()
    began = time.monotonic()
    team.admin.delete(f"{team.core}/pods/polite")
    team.until(lambda: not team.admin.call("GET", f"{team.core}/pods/polite").ok, "the deletion")
    assert 0.5 < time.monotonic() - began < 10
    follower.join(10)
    assert lines == [b"running", b"ending in order"]
    assert ("Killing", "Stopping container main") in team.events("polite")


def test_a_deleted_pod_that_does_not_listen_is_killed_after_its_grace(team):
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('no ears'); time.sleep(60)"
    team.pod("deaf", script, terminationGracePeriodSeconds=1)
    team.until(lambda: "no ears" in team.log("deaf"), "the start", 60)
    began = time.monotonic()
    team.admin.delete(f"{team.core}/pods/deaf")
    team.until(lambda: not team.admin.call("GET", f"{team.core}/pods/deaf").ok, "the deletion")
    assert 1 <= time.monotonic() - began < 8


def test_a_container_that_keeps_failing_is_restarted_and_then_backed_off(team):
    team.pod("crash", "print('boom'); raise SystemExit(1)", restartPolicy="Always")
    said = team.waits("crash", "CrashLoopBackOff")
    assert said["message"].startswith("back-off 10s restarting failed container=main")
    entry = team.status("crash")["containerStatuses"][0]
    assert (entry["restartCount"], entry["lastState"]["terminated"]["exitCode"]) == (1, 1)
    assert team.log("crash", previous="true") == "boom\n"


def test_a_deadline_ends_a_pod(team):
    team.pod("slow", "import time; time.sleep(60)", activeDeadlineSeconds=2, terminationGracePeriodSeconds=0)
    status = team.ended("slow")
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


def test_a_command_that_does_not_exist_is_told(team):
    team.pod("wrong", "", container={"command": ["no-such-program"]})
    ended = team.last_end("wrong")
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "no-such-program" in ended["message"]


def test_last_words_are_told_in_the_state(team):
    team.pod("told", "open('/dev/termination-log', 'w').write('no space'); raise SystemExit(1)")
    policy = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    team.pod("logged", "print('no time'); raise SystemExit(1)", container=policy)
    assert team.last_end("told")["message"] == "no space"
    assert team.last_end("logged")["message"] == "no time\n"


def test_logs_are_cut_as_asked_and_long_lines_stay_whole(team):
    team.pod("lines", "print('x' * 100_000)\nfor i in range(1000): print(i)")
    team.ended("lines")
    assert team.log("lines", tailLines="3") == "997\n998\n999\n"
    assert team.log("lines", limitBytes="10") == "x" * 10
    first = team.log("lines").splitlines()[0]
    assert first == "x" * 100_000
    stamped = team.log("lines", timestamps="true", tailLines="1")
    moment, line = stamped.split()
    assert line == "999"
    assert team.log("lines", sinceTime=moment[:19] + "Z").endswith("999\n")
    assert team.log("lines", tailLines="1001").startswith("xxx")


def test_killed_tests_leave_no_container_no_mount_and_no_file(node):
    repository = Path(__file__).resolve().parents[2]
    marked = str(70_000 + os.getpid() % 10_000)
    child = subprocess.Popen([sys.executable, "-c", KILLED, marked], cwd=repository, stdout=subprocess.PIPE, text=True)
    with child:
        folder = child.stdout.readline().strip()
        assert commands(marked)
        child.send_signal(signal.SIGKILL)
        child.wait(20)
    end = time.monotonic() + 20
    while time.monotonic() < end and (Path(folder).exists() or commands(marked)):
        time.sleep(0.1)
    assert commands(marked) == []
    assert not Path(folder).exists()
    assert folder not in Path("/proc/self/mounts").read_text()
