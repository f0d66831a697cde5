"""Training jobs on the test stand, by real containers: what their user sees, and that nothing is left of them."""

from __future__ import annotations

import copy
import io
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from kubernetes.client import V1Container, V1EnvVar, V1PodSpec, V1ResourceRequirements

from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.exceptions import (
    ContextError,
    FairingAzureError,
    InputError,
    JobFailedError,
    NotAllowedError,
    UnreachableError,
)
from fairing_az_jupyter.fairing.cluster.manifests import Placement
from fairing_az_jupyter.fairing.cluster.pod_spec import plain_spec
from fairing_az_jupyter.fairing.jobs.training_job import ClusterJob
from fairing_az_jupyter.launch_events import listening
from tests.cluster.job_scene import BATCH
from tests.heard_events import into

INTERRUPTED = """
import os, sys
from pathlib import Path
from kubernetes.client import V1Container, V1PodSpec
from tests.heard_events import into
from tests.cluster.job_scene import launched_from
from fairing_az_jupyter.fairing.jobs.training_job import ClusterJob
folder, namespace, image, code = sys.argv[1:]
with launched_from(os.environ, Path(folder), namespace) as launcher:
    command = ["python", "-c", code]
    ClusterJob(launcher).deploy(V1PodSpec(containers=[V1Container(name="model", image=image, command=command)]))
"""


@pytest.fixture
def place(job_place):
    return job_place


def test_a_job_prints_its_output_in_order_and_leaves_nothing(place, capfd, caplog):
    caplog.set_level(logging.INFO, "kubeflow.fairing")

    job = place.run("for i in range(2000): print('line', i)")

    expected = [f"line {i}" for i in range(2000)]
    assert capfd.readouterr().out.splitlines() == expected
    assert (list(job.lines), job[:12]) == (expected[-1000:], "fairing-job-")
    assert f"The job {job} launched." in caplog.messages
    assert any("scheduled to node" in message for message in caplog.messages)
    assert place.left() == []


def test_lines_are_seen_while_the_job_runs(place, monkeypatch):
    class Screen(io.StringIO):
        times = ()

        def write(self, text):
            self.times = (*self.times, time.monotonic())
            return super().write(text)

    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)

    place.run("import time\nfor i in range(3): print(i); time.sleep(1)")

    assert screen.getvalue() == "0\n1\n2\n"
    assert screen.times[-1] - screen.times[0] > 1.5


def test_a_failed_command_raises_with_its_exit_code_last_lines_and_a_cure_that_holds(place, capfd):
    with pytest.raises(JobFailedError, match="exit code 3") as caught:
        place.run("print('before'); raise SystemExit(3)")

    assert (caught.value.returncode, caught.value.code) == (3, "container-failed")
    assert caught.value.last_lines == ("before",)
    assert "kubectl" not in caught.value.hint
    assert "above" in caught.value.hint
    assert capfd.readouterr().out == "before\n"
    assert place.nothing_left()


def test_a_missing_package_is_told_with_where_to_name_it(place):
    with pytest.raises(JobFailedError) as caught:
        place.run("import xgboost")

    assert "Add the package that has 'xgboost' to requirements.txt" in caught.value.hint


def test_too_little_memory_is_told_as_such(place):
    with pytest.raises(JobFailedError, match="limit of 64Mi") as caught:
        place.run("print('loading'); x = bytearray(512 << 20)")

    assert (caught.value.code, caught.value.returncode) == ("oom-killed", 137)
    assert place.nothing_left()


def test_an_image_that_is_not_there_is_told_within_seconds(place):
    began = time.monotonic()
    with pytest.raises(JobFailedError, match="team/nothing:1") as caught:
        place.run("", image=f"{place.setup.login_server}/team/nothing:1")

    assert caught.value.code == "image-not-found"
    assert time.monotonic() - began < 15
    assert place.nothing_left()


def test_a_job_that_is_too_large_for_all_nodes_is_told_and_given_up_when_the_wait_is_over(place, caplog):
    place.launcher.placement, place.launcher.waits = Placement(cpu="64", memory="64Mi"), Waits(node=10)

    began = time.monotonic()
    with pytest.raises(JobFailedError, match="Insufficient cpu") as caught:
        place.run("")

    assert caught.value.code == "unschedulable-cpu"
    assert 10 <= time.monotonic() - began < 30
    assert any("unschedulable: 0/" in message for message in caplog.messages)
    (told,) = [message for message in caplog.messages if message.startswith("No node can run pod")]
    assert "Waiting for up to 10 s. To stop it: fairing-azure delete fairing-job-" in told
    assert place.nothing_left()


def test_a_job_whose_pod_is_evicted_goes_on_in_a_new_one(place, capfd, caplog):
    path = f"/api/v1/namespaces/{place.namespace}/pods"
    evicted = []

    def evict():
        end = time.monotonic() + 60
        while time.monotonic() < end and not evicted:
            time.sleep(0.2)
            for pod in place.admin.get(path)["items"]:
                if pod["status"].get("phase") == "Running":
                    time.sleep(1)
                    evicted.append(pod["metadata"]["name"])
                    metadata = {"name": evicted[0], "namespace": place.namespace}
                    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
                    place.admin.post(f"{path}/{evicted[0]}/eviction", body)

    heard, thread = [], threading.Thread(target=evict)
    thread.start()
    with listening(into(heard)):
        place.run(
            "import signal, sys, time\n"
            "def end(*_): print('interrupted'); sys.exit(1)\n"
            "signal.signal(signal.SIGTERM, end)\n"
            "print('begun'); time.sleep(8); print('done')"
        )
    thread.join()

    assert capfd.readouterr().out.splitlines() == ["begun", "interrupted", "begun", "done"]
    (told,) = [message for message in caplog.messages if "was removed" in message]
    assert evicted[0] in told
    assert "A new pod starts; disruption 1 of Job" in told
    steps = [(name, value) for kind, name, value, _ in heard if kind == "phase"]
    assert steps == [(name, value) for name in ("schedule", "run") * 2 for value in ("started", "finished")]
    assert any(value == "Disrupted" for _, _, value, _ in heard)
    assert place.nothing_left()


def test_a_quota_that_is_used_up_is_told(place):
    body = {"metadata": {"name": "team"}, "spec": {"hard": {"pods": "0"}}}
    place.admin.post(f"/api/v1/namespaces/{place.namespace}/resourcequotas", body)
    time.sleep(1)

    with pytest.raises(JobFailedError, match="exceeded quota: team") as caught:
        place.run("")

    assert caught.value.code == "quota"
    assert place.nothing_left()


def test_a_deadline_ends_the_job_and_is_told_with_what_was_printed(place):
    with pytest.raises(JobFailedError, match="its deadline of 3 s") as caught:
        place.run("import time; print('slow'); time.sleep(60)", deadline=3)

    assert caught.value.code == "deadline"
    assert caught.value.last_lines == ("slow",)
    # Python as a container's first process hears no SIGTERM: it gets its grace.
    assert place.nothing_left(60)


def test_mutators_change_what_runs_and_not_the_callers_objects(place):
    def named(kube_manager, pod_spec, namespace):
        pod_spec.containers[0].env = [V1EnvVar(name="TEAM", value=namespace)]

    spec, mutators = place.spec("import os; print(os.environ['TEAM'])"), [named]
    before = copy.deepcopy(spec.to_dict())
    deployer = ClusterJob(place.launcher, mutators)

    assert deployer.deploy(spec).lines == (place.namespace,)
    assert deployer.deploy(spec).lines == (place.namespace,)
    assert (spec.to_dict(), mutators) == (before, [named])


def test_two_jobs_at_once_print_and_fail_each_for_itself(place, capfd):
    ended = {}

    def run(name, code):
        try:
            ended[name] = place.run(f"import time\nfor i in range(20): print('{name}', i); time.sleep(0.05)\n{code}")
        except JobFailedError as error:
            ended[name] = error

    threads = [threading.Thread(target=run, args=each) for each in [("one", ""), ("two", "raise SystemExit(5)")]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert ended["one"].lines == tuple(f"one {i}" for i in range(20))
    assert ended["two"].returncode == 5
    printed = capfd.readouterr().out.splitlines()
    assert sorted(printed) == sorted(f"{name} {i}" for name in ("one", "two") for i in range(20))
    assert place.nothing_left()


def test_an_interrupt_tells_what_still_runs_how_to_follow_and_how_to_delete_it(place):
    code = "import time\nfor i in range(300): print('going', i); time.sleep(0.1)"
    arguments = [str(place.setup.service_account), place.namespace, place.image, code]
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        env={**os.environ, **place.setup.environment, "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout.readline() == "going 0\n"
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=20)
    finally:
        child.kill()
        child.wait()

    [name] = [item["metadata"]["name"] for item in place.admin.get(f"{BATCH}/{place.namespace}/jobs")["items"]]
    assert child.returncode != 0
    assert "KeyboardInterrupt" in said
    assert "still running" in said
    assert f"kubectl -n {place.namespace} logs -f job/{name}" in said
    assert f"fairing-azure delete {name}" in said
    assert place.launcher.workloads.list("Job")[0]["status"]["active"] == 1


def test_an_interrupted_job_is_taken_up_again_and_cleaned_up(place, capfd, monkeypatch):
    from fairing_az_jupyter.fairing.cluster import event_log

    def interrupted(text, **_more):
        raise KeyboardInterrupt

    deployer = ClusterJob(place.launcher)
    with monkeypatch.context() as patch:
        patch.setattr(event_log, "print_line", interrupted)
        with pytest.raises(KeyboardInterrupt):
            deployer.deploy(place.spec("import time\nfor i in range(20): print(i); time.sleep(0.1)"))

    deployer.get_logs()

    assert capfd.readouterr().out.splitlines() == [str(i) for i in range(20)]
    assert place.left() == []
    deployer.get_logs()
    assert capfd.readouterr().out.splitlines() == [str(i) for i in range(20)]


SLOW = "import time\nfor i in range(30): print('going', i); time.sleep(0.2)"


def child_of(place, code):
    arguments = [str(place.setup.service_account), place.namespace, place.image, code]
    return subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        env={**os.environ, **place.setup.environment, "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_the_job_of_a_killed_kernel_is_picked_up_by_the_same_launch_and_by_no_other(place, capfd, caplog):
    child = child_of(place, SLOW)
    try:
        assert child.stdout.readline() == "going 0\n"
        # It is followed: whoever launches the same gets a job of their own.
        with pytest.raises(JobFailedError):
            place.run("raise SystemExit(1)")
        launched = place.launcher.workloads.list("Job")
        mine = place.run("print('another')")
        assert mine not in [job["metadata"]["name"] for job in launched]
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    capfd.readouterr()

    job = ClusterJob(place.launcher).deploy(
        V1PodSpec(containers=[V1Container(name="model", image=place.image, command=["python", "-c", SLOW])])
    )

    assert [item["metadata"]["name"] for item in launched if item["metadata"]["name"] == job] == [job]
    assert capfd.readouterr().out.splitlines() == [f"going {i}" for i in range(30)]
    assert any("is still running: waiting for it" in message for message in caplog.messages)
    assert place.nothing_left()


def test_a_job_that_another_process_follows_is_left_alone(place):
    child = child_of(place, SLOW)
    try:
        assert child.stdout.readline() == "going 0\n"
        spec = V1PodSpec(containers=[V1Container(name="model", image=place.image, command=["python", "-c", SLOW])])
        deployer = ClusterJob(place.launcher)
        thread = threading.Thread(target=deployer.deploy, args=(spec,))
        thread.start()
        end = time.monotonic() + 10
        while len(place.launcher.workloads.list("Job")) < 2:
            assert time.monotonic() < end
            time.sleep(0.1)
        thread.join(60)
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert place.nothing_left()


def test_a_job_that_has_failed_unseen_is_replaced(place, monkeypatch, caplog):
    from fairing_az_jupyter.fairing.cluster import event_log

    def interrupted(text, **_more):
        raise KeyboardInterrupt

    code = "print('x', flush=True); import time; time.sleep(1); raise SystemExit(7)"
    with monkeypatch.context() as patch:
        patch.setattr(event_log, "print_line", interrupted)
        with pytest.raises(KeyboardInterrupt):
            place.run(code)
    end = time.monotonic() + 20
    while not place.launcher.workloads.list("Job")[0]["status"].get("conditions"):
        assert time.monotonic() < end
        time.sleep(0.1)

    with pytest.raises(JobFailedError, match="exit code 7"):
        place.run(code)

    assert any("it is replaced" in message for message in caplog.messages)
    assert place.nothing_left()


def test_a_lost_connection_tells_that_the_job_still_runs(place, monkeypatch, caplog):
    def lost(*_, **__):
        raise UnreachableError("The cluster does not answer.", hint="Look at the network.")
        yield

    monkeypatch.setattr(place.launcher.workloads, "follow", lost)
    with pytest.raises(UnreachableError):
        place.run("import time; time.sleep(30)")

    [name] = [job["metadata"]["name"] for job in place.launcher.workloads.list("Job")]
    [said] = [message for message in caplog.messages if "still running" in message]
    assert f"kubectl -n {place.namespace} logs -f job/{name}" in said


def test_a_job_that_ended_well_counts_where_it_can_not_be_deleted(place, monkeypatch, caplog):
    def refused(*_, **__):
        raise NotAllowedError("You may not delete Jobs.", hint="Ask the profile's owner.")

    monkeypatch.setattr(place.launcher.workloads, "delete", refused)

    job = place.run("print('done')")

    assert job.lines == ("done",)
    assert any("You may not delete Jobs." in message and job in message for message in caplog.messages)


def test_a_job_that_somebody_deletes_is_told(place, monkeypatch):
    class Watching(io.StringIO):
        def write(self, text):
            [job] = place.launcher.workloads.list("Job")
            place.launcher.workloads.delete("Job", job["metadata"]["name"])
            return len(text)

    monkeypatch.setattr(sys, "stdout", Watching())
    with pytest.raises(JobFailedError, match="was deleted before it had ended"):
        place.run("import signal, sys, time; signal.signal(15, lambda *_: sys.exit()); print('on'); time.sleep(60)")


def test_logs_of_nothing_are_an_error_with_what_to_call():
    with pytest.raises(FairingAzureError, match=r"Call deploy\(\) first"):
        ClusterJob(None).get_logs()


def test_a_pod_without_an_image_is_refused_with_what_to_call():
    with pytest.raises(ContextError, match=r"build\(\)"):
        plain_spec(V1PodSpec(containers=[V1Container(name="model")]), [], "team-a")


def test_limits_of_the_user_below_our_defaults_are_what_is_asked_for():
    resources = V1ResourceRequirements(limits={"memory": "1Gi"})
    spec = V1PodSpec(containers=[V1Container(name="model", image="i", resources=resources)])

    assert plain_spec(spec, [], "team-a")["containers"][0]["resources"]["requests"] == {"memory": "1Gi"}


def test_what_a_builder_hangs_on_the_specification_need_not_be_copyable():
    spec = V1PodSpec(containers=[V1Container(name="model", image="i")])
    spec.built_by = threading.Lock()

    assert plain_spec(spec, [], "team-a")["containers"][0]["name"] == "model"


def test_a_mutator_that_asks_a_cluster_without_a_kubeconfig_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    spec = V1PodSpec(containers=[V1Container(name="model", image="i")])

    def asks(kube_manager, pod_spec, namespace):
        kube_manager.secret_exists("acrcreds", namespace)

    with pytest.raises(InputError, match="KubeManager, which can't reach the cluster"):
        plain_spec(spec, [asks], "team-a")


def test_a_stdout_that_lacks_a_character_shows_its_number(monkeypatch):
    from fairing_az_jupyter.fairing.cluster.event_log import print_line

    seen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(seen, encoding="ascii", newline=""))
    print_line("Grüße \N{BRAIN}")

    assert seen.getvalue() == rb"Gr\xfc\xdfe \U0001f9e0" + b"\n"
