"""Jobs and endpoints are followed from their creation to their end, and every trouble is told."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.clients.kube.watching.events import Finished, Problem, Started
from fairing_az_jupyter.exceptions import (
    EndpointError,
    JobFailedError,
    NotFoundError,
)
from tests.cluster.workloads_kubelet import deployment, ended, job, running, terminated, waiting
from tests.cluster.workloads_scene import *  # noqa: F403 - fixtures are found by their names
from tests.cluster.workloads_scene import cut, cuts_connections, finish, pod_of


def unschedulable(said):
    return {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}


def quota_of_pods(control_plane, namespace, pods):
    quota = {"metadata": {"name": "team"}, "spec": {"hard": {"pods": str(pods)}}}
    control_plane.admin.post(f"/api/v1/namespaces/{namespace}/resourcequotas", quota)
    # Until the API server and the controller have heard of it, and have counted.
    time.sleep(2)


def test_a_job_is_followed_from_its_creation_to_its_end(workloads, kubelet, namespace, follow):
    workloads.create(job())
    seen = follow("Job", "train")
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.event(namespace, pod, "Scheduled", f"Successfully assigned {namespace}/{pod} to {kubelet.name}")
    kubelet.bind(namespace, pod)
    kubelet.event(namespace, pod, "Pulling", 'Pulling image "team.azurecr.io/train:1"')
    kubelet.say(namespace, pod, "Pending", waiting("ContainerCreating"))
    output = kubelet.output(pod, "main")
    kubelet.say(namespace, pod, "Running", running())
    output.print("first", b"not \xff UTF-8", "  0%|\r 50%|\r100%| done", "windows\r")
    seen.wait(lambda event: getattr(event, "text", "") == "windows")
    output.print("last")
    output.end()
    kubelet.say(namespace, pod, "Succeeded", terminated(0))
    seen.end()

    assert seen.error is None
    assert seen.texts == ["first", "not \ufffd UTF-8", "100%| done", "windows", "last"]
    texts = [str(event) for event in seen.events]
    told = ["Job train: created", f"{pod}: scheduled to node {kubelet.name}", f"{pod}/main waits: ContainerCreating"]
    told += [f'{pod}: pulling image "team.azurecr.io/train:1"', f"{pod}/main started", "first", "last"]
    told += [f"{pod}/main ended: Completed (exit code 0)", "Job train is complete"]
    for text in told:
        assert text in texts, texts
    assert texts.index("last") < texts.index(f"{pod}/main ended: Completed (exit code 0)")
    assert isinstance(seen.events[-1], Finished)


def test_a_failed_job_raises_with_its_exit_code_and_last_lines(workloads, kubelet, namespace, follow):
    workloads.create(job())
    seen = follow("Job", "train")
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    output = kubelet.output(pod, "main")
    output.print(*(f"line {number}" for number in range(50)), "ValueError: no such column")
    output.end()
    kubelet.say(namespace, pod, "Failed", terminated(1))
    began = time.monotonic()
    seen.end()
    assert isinstance(seen.error, JobFailedError)
    assert (seen.error.code, seen.error.returncode) == ("container-failed", 1)
    assert seen.error.last_lines[-1] == "ValueError: no such column"
    assert len(seen.texts) == 51
    assert seen.ended_at - began < 10


def test_memory_that_ran_out_is_told_as_such(workloads, kubelet, namespace, follow):
    limits = {"limits": {"memory": "1Gi"}}
    workloads.create(job(containers=[{"name": "main", "image": "i", "resources": limits}]))
    seen = follow("Job", "train")
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    kubelet.output(pod, "main").end()
    kubelet.say(namespace, pod, "Failed", terminated(137, "OOMKilled"))
    seen.end()
    assert (seen.error.code, seen.error.returncode) == ("oom-killed", 137)
    assert "limit of 1Gi" in seen.error.message


def test_a_job_whose_time_is_up_is_told_as_such(workloads, follow):
    workloads.create(job(activeDeadlineSeconds=1))
    seen = follow("Job", "train")
    seen.end()
    assert seen.error.code == "deadline"


def test_a_full_quota_is_waited_for_and_raises_when_its_wait_is_over(
    workloads, control_plane, kubelet, namespace, follow
):
    workloads.create(job("other"))
    pod_of(workloads, {"job-name": "other"})
    quota_of_pods(control_plane, namespace, 1)
    workloads.create(job())
    seen = follow("Job", "train", waits=Waits(quota=1))
    problem = seen.wait(lambda event: isinstance(event, Problem))
    assert problem.diagnosis.heals
    seen.end()
    assert (type(seen.error), seen.error.code) == (JobFailedError, "quota")
    assert "exceeded quota: team" in seen.error.message
    assert any(str(event).startswith("train: no pod yet:") for event in seen.events)


def test_a_quota_that_is_too_small_for_the_pod_alone_raises_at_once(workloads, control_plane, namespace, follow):
    quota_of_pods(control_plane, namespace, 0)
    workloads.create(job())
    began = time.monotonic()
    seen = follow("Job", "train")
    seen.end()
    assert (type(seen.error), seen.error.code) == (JobFailedError, "quota")
    assert seen.ended_at - began < 10


def test_a_deployment_without_a_right_to_pods_is_told_by_its_replica_set(workloads, control_plane, namespace):
    quota_of_pods(control_plane, namespace, 0)
    workloads.create(deployment())
    with pytest.raises(EndpointError, match="exceeded quota: team") as caught:
        workloads.wait_ready("Deployment", "serve", seconds=20)
    assert caught.value.code == "quota"


def test_a_pod_that_no_node_takes_is_waited_for_and_may_find_one(workloads, kubelet, namespace, follow):
    workloads.create(job())
    seen = follow("Job", "train", waits=Waits(node=2))
    pod = pod_of(workloads, {"job-name": "train"})
    said = "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    kubelet.event(namespace, pod, "FailedScheduling", said, type="Warning")
    kubelet.say(namespace, pod, "Pending", conditions=[condition])
    assert "Insufficient cpu" in str(seen.wait(lambda event: getattr(event, "reason", "") == "FailedScheduling"))
    seen.wait(lambda event: isinstance(event, Problem))
    kubelet.bind(namespace, pod)
    kubelet.say(namespace, pod, "Running", running(), conditions=[{**condition, "status": "True", "reason": ""}])
    time.sleep(2.5)
    kubelet.output(pod, "main").end()
    kubelet.say(namespace, pod, "Succeeded", terminated(0))
    seen.end()
    assert seen.error is None


def test_a_pod_that_no_node_takes_raises_when_the_wait_is_over_with_what_the_autoscaler_said(
    workloads, kubelet, namespace, follow
):
    workloads.create(job())
    seen = follow("Job", "train", waits=Waits(node=3))
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.event(namespace, pod, "NotTriggerScaleUp", "pod didn't trigger scale-up: 2 max node group size reached")
    kubelet.say(
        namespace, pod, "Pending", conditions=[unschedulable("0/2 nodes are available: 2 Insufficient memory.")]
    )
    told = seen.wait(lambda event: isinstance(event, Problem))
    assert "Insufficient memory" in str(told)
    seen.end()
    assert seen.error.code == "unschedulable-memory"
    assert "The cluster autoscaler adds no node: 2 max node group size reached." in seen.error.message
    assert "It lasted 3 s." in seen.error.message
    assert "FAIRING_NODE_WAIT" in seen.error.hint


def test_a_wait_of_none_for_a_node_raises_as_soon_as_the_scheduler_has_said_so(workloads, kubelet, namespace, follow):
    workloads.create(job())
    seen = follow("Job", "train", waits=Waits(node=0))
    pod = pod_of(workloads, {"job-name": "train"})
    began = time.monotonic()
    kubelet.say(namespace, pod, "Pending", conditions=[unschedulable("0/2 nodes are available: 2 Insufficient cpu.")])
    seen.end()
    assert seen.error.code == "unschedulable-cpu"
    assert seen.ended_at - began < 3


@pytest.mark.parametrize(
    ("reason", "message", "told"),
    [
        ("TriggeredScaleUp", "pod triggered scale-up: [{aks-pool 1->2 (max: 5)}]", "adds a node: [{aks-pool 1->2"),
        ("Nominated", "Pod should schedule on: nodeclaim/default-2hfk8", "nodeclaim/default-2hfk8"),
    ],
)
def test_a_node_that_comes_late_takes_the_pod(workloads, kubelet, namespace, follow, reason, message, told):
    workloads.create(job())
    seen = follow("Job", "train")
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.say(namespace, pod, "Pending", conditions=[unschedulable("0/2 nodes are available: 2 Insufficient cpu.")])
    seen.wait(lambda event: isinstance(event, Problem))
    kubelet.event(namespace, pod, reason, message)
    assert seen.wait(lambda event: getattr(event, "reason", "") == reason)
    # Longer than any launch used to wait.
    time.sleep(9)
    kubelet.bind(namespace, pod)
    kubelet.say(namespace, pod, "Running", running())
    finish(kubelet, namespace, pod, kubelet.output(pod, "main"))
    seen.end()
    assert seen.error is None
    assert told in " ".join(str(event) for event in seen.events)


def test_a_taint_that_the_scheduler_does_not_name_is_read_from_the_nodes_where_that_is_allowed(
    workloads, control_plane, kubelet, profile, namespace, follow
):
    taint = {"key": "team", "value": "research", "effect": "NoSchedule"}
    merge = "application/merge-patch+json"
    control_plane.admin.patch(f"/api/v1/nodes/{kubelet.name}", {"spec": {"taints": [taint]}}, merge)
    control_plane.let_read_nodes(namespace)
    workloads.create(job())
    seen = follow("Job", "train")
    pod = pod_of(workloads, {"job-name": "train"})
    said = "0/1 nodes are available: 1 node(s) had untolerated taint(s)."
    kubelet.event(namespace, pod, "FailedScheduling", said, type="Warning")
    kubelet.say(namespace, pod, "Pending", conditions=[unschedulable(said)])
    told = "set FAIRING_TOLERATIONS = 'team=research:NoSchedule'"
    assert seen.wait(lambda event: isinstance(event, Problem) and told in str(event), seconds=20)


def test_a_wait_for_a_node_does_not_count_against_the_time_to_be_ready(workloads, kubelet, namespace):
    workloads.create(deployment())
    pod = pod_of(workloads, {"app": "serve"})
    kubelet.say(namespace, pod, "Pending", conditions=[unschedulable("0/2 nodes are available: 2 Insufficient cpu.")])
    ready = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T10:00:00Z"}]

    def later():
        time.sleep(3)
        kubelet.bind(namespace, pod)
        kubelet.say(namespace, pod, "Pending", waiting("ContainerCreating"))
        time.sleep(3)
        kubelet.say(namespace, pod, "Running", running(), conditions=ready)

    thread = threading.Thread(target=later)
    thread.start()
    found = workloads.wait_ready("Deployment", "serve", seconds=2)
    thread.join()
    assert found["status"]["availableReplicas"] == 1


def test_a_pull_that_fails_for_a_while_goes_on(workloads, kubelet, namespace, follow):
    workloads.create(job())
    seen = follow("Job", "train", waits=Waits(image=20))
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    for reason in ("ErrImagePull", "ImagePullBackOff", "ErrImagePull", "ImagePullBackOff"):
        kubelet.say(namespace, pod, "Pending", waiting(reason, "dial tcp 20.0.0.1:443: i/o timeout"))
        time.sleep(0.7)
    kubelet.say(namespace, pod, "Running", running())
    finish(kubelet, namespace, pod, kubelet.output(pod, "main"))
    seen.end()
    assert seen.error is None
    assert [event.diagnosis.code for event in seen.events if isinstance(event, Problem)] == ["image-unreachable"]


def test_a_pull_that_fails_in_turns_has_one_clock(workloads, kubelet, namespace, follow):
    workloads.create(job())
    seen = follow("Job", "train", waits=Waits(image=3))
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    began = time.monotonic()
    while seen.thread.is_alive() and time.monotonic() - began < 15:
        for reason in ("ErrImagePull", "ImagePullBackOff"):
            kubelet.say(namespace, pod, "Pending", waiting(reason, "unexpected status: 503 Service Unavailable"))
            time.sleep(0.5)
    seen.end()
    assert seen.error.code == "image-unavailable"
    assert 3 <= seen.ended_at - began < 8


def test_a_mount_that_fails_once_is_no_trouble_once_the_pod_goes_on(workloads, kubelet, namespace, follow):
    workloads.create(job())
    seen = follow("Job", "train", waits=Waits(volume=2))
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    said = 'MountVolume.SetUp failed for volume "x" : failed to sync configmap cache: timed out waiting'
    kubelet.event(namespace, pod, "FailedMount", said, type="Warning")
    seen.wait(lambda event: isinstance(event, Problem))
    kubelet.event(namespace, pod, "Pulling", 'Pulling image "team.azurecr.io/train:1"')
    kubelet.say(namespace, pod, "Pending", waiting("ContainerCreating"))
    time.sleep(3)
    kubelet.say(namespace, pod, "Running", running())
    finish(kubelet, namespace, pod, kubelet.output(pod, "main"))
    seen.end()
    assert seen.error is None


def test_an_image_that_is_not_there_raises_at_once(workloads, kubelet, namespace, follow):
    workloads.create(job())
    seen = follow("Job", "train")
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    said = 'failed to resolve reference "team.azurecr.io/train:1": team.azurecr.io/train:1: not found'
    began = time.monotonic()
    kubelet.say(namespace, pod, "Pending", waiting("ErrImagePull", said, image="team.azurecr.io/train:1"))
    seen.end()
    assert seen.error.code == "image-not-found"
    assert seen.ended_at - began < 3


def test_a_crash_loop_raises_with_the_last_lines_also_where_no_log_was_followed(workloads, kubelet, namespace):
    workloads.create(deployment())
    pod = pod_of(workloads, {"app": "serve"})
    kubelet.bind(namespace, pod)
    output = kubelet.output(pod, "main")
    output.print("ImportError: No module named 'xgboost'")
    output.previous = list(output.lines)
    output.end()
    last = {"lastState": {"terminated": ended(1)}, "restartCount": 1}
    kubelet.say(namespace, pod, "Running", waiting("CrashLoopBackOff", "back-off 10s", **last))
    with pytest.raises(EndpointError, match="No module named 'xgboost'") as caught:
        workloads.wait_ready("Deployment", "serve", seconds=20)
    assert (caught.value.code, caught.value.returncode) == ("crash-loop", 1)


def test_a_deployment_is_ready_when_its_pods_are(workloads, kubelet, namespace):
    workloads.create(deployment())
    pod = pod_of(workloads, {"app": "serve"})
    kubelet.bind(namespace, pod)
    ready = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T10:00:00Z"}]

    def later():
        time.sleep(0.7)
        kubelet.say(namespace, pod, "Running", running(), conditions=ready)

    thread = threading.Thread(target=later)
    thread.start()
    found = workloads.wait_ready("Deployment", "serve", seconds=20)
    thread.join()
    assert found["status"]["availableReplicas"] == 1


def test_a_deployment_that_takes_too_long_is_told(workloads, kubelet, namespace):
    workloads.create(deployment())
    pod = pod_of(workloads, {"app": "serve"})
    kubelet.bind(namespace, pod)
    kubelet.say(namespace, pod, "Running", running(ready=False))
    began = time.monotonic()
    with pytest.raises(EndpointError, match="was not ready within 1 s") as caught:
        workloads.wait_ready("Deployment", "serve", seconds=1)
    assert caught.value.code == "not-ready"
    assert time.monotonic() - began < 5


def test_waiting_can_be_cancelled(workloads):
    workloads.create(deployment())
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    with pytest.raises(EndpointError) as caught:
        workloads.wait_ready("Deployment", "serve", seconds=60, cancel=cancel)
    assert caught.value.code == "cancelled"


def test_following_ends_at_once_when_cancelled(workloads, follow):
    workloads.create(job())
    seen = follow("Job", "train")
    time.sleep(0.5)
    began = time.monotonic()
    seen.cancel.set()
    seen.end(5)
    assert seen.error is None
    assert seen.ended_at - began < 1.5


def test_a_job_that_is_deleted_meanwhile_is_told(workloads, follow):
    workloads.create(job())
    seen = follow("Job", "train")
    pod_of(workloads, {"job-name": "train"})
    workloads.delete("Job", "train")
    seen.end()
    assert seen.error.code == "deleted"


def test_a_pod_is_followed_by_itself_and_its_failure_raises(workloads, kubelet, namespace, follow):
    containers = [{"name": "main", "image": "i"}]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "build", "labels": {"a": "b"}}}
    workloads.create({**body, "spec": {"containers": containers, "restartPolicy": "Never"}})
    seen = follow("Pod", "build")
    kubelet.bind(namespace, "build")
    kubelet.output("build", "main").print("building")
    kubelet.output("build", "main").end()
    kubelet.say(namespace, "build", "Failed", terminated(2))
    seen.end()
    assert seen.texts == ["building"]
    assert (seen.error.code, seen.error.returncode, seen.error.last_lines) == ("container-failed", 2, ("building",))
    assert workloads.log("build", tail=1) == tuple(
        f"{at} {text.decode()}" for at, text in kubelet.output("build", "main").lines
    )
    with pytest.raises(JobFailedError, match="exit code 2"):
        list(workloads.follow_pods({"a": "b"}))


def test_a_thing_that_is_not_there_is_not_followed(workloads):
    with pytest.raises(NotFoundError, match="Job 'train'"):
        workloads.follow("Job", "train")


def test_an_interrupt_ends_the_waiting_for_a_silent_container_at_once(
    printing, control_plane, profile, namespace, tmp_path
):
    script = """
import sys
from pathlib import Path
from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.workloads import Workloads
folder, host, port = sys.argv[1:]
environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
with Cluster.connect(environ, Path(folder)) as cluster, Workloads(cluster) as workloads:
    try:
        for event in workloads.follow("Job", "train"):
            print(event, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""
    environ = control_plane.in_cluster(tmp_path / "pod", profile.editor, namespace)
    command = [sys.executable, "-c", script, str(tmp_path / "pod"), *environ.values()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            for line in child.stdout:
                if "main started" in line:
                    break
            time.sleep(0.5)
            began = time.monotonic()
            child.send_signal(signal.SIGINT)
            assert child.wait(10) == 0
            assert time.monotonic() - began < 3
            assert child.stdout.read().endswith("interrupted\n")
        finally:
            child.kill()


@cuts_connections
def test_following_goes_on_over_every_fault_of_the_way(fronted, kubernetes, workloads, kubelet, namespace, follow):
    workloads.create(job())
    front = kubernetes.kubernetes_front
    front.refuse(500, path="watch=true", times=3)
    front.throttle(1, path="/pods", times=1)
    seen = follow("Job", "train", by=fronted)
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    front.refuse(410, path="watch=true", times=3)
    cut(front)
    kubelet.say(namespace, pod, "Running", running())
    seen.wait(lambda event: isinstance(event, Started))
    front.drop(path="watch=true", times=3)
    cut(front)
    finish(kubelet, namespace, pod, kubelet.output(pod, "main"))
    seen.end(30)
    assert seen.error is None


@cuts_connections
def test_where_watching_is_not_allowed_it_lists(fronted, kubernetes, workloads, kubelet, namespace, follow):
    workloads.create(job())
    kubernetes.kubernetes_front.refuse(403, path="watch=true")
    seen = follow("Job", "train", by=fronted)
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    kubelet.output(pod, "main").print("heard")
    kubelet.say(namespace, pod, "Running", running())
    seen.wait(lambda event: getattr(event, "text", "") == "heard")
    finish(kubelet, namespace, pod, kubelet.output(pod, "main"))
    seen.end()
    assert seen.error is None


@cuts_connections
def test_where_events_may_not_be_read_the_rest_goes_on(fronted, kubernetes, workloads, kubelet, namespace, follow):
    workloads.create(job())
    kubernetes.kubernetes_front.refuse(403, path="/events")
    seen = follow("Job", "train", by=fronted)
    pod = pod_of(workloads, {"job-name": "train"})
    kubelet.bind(namespace, pod)
    kubelet.output(pod, "main").print("heard")
    kubelet.say(namespace, pod, "Running", running())
    seen.wait(lambda event: getattr(event, "text", "") == "heard")
    finish(kubelet, namespace, pod, kubelet.output(pod, "main"))
    seen.end()
    assert seen.error is None
    assert any(getattr(event, "reason", "") == "EventsMissing" for event in seen.events)
