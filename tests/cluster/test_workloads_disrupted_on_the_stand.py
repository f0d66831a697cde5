"""Jobs whose pods the cluster takes away, or whose program fails, are followed to the Job's own end."""

from __future__ import annotations

import threading
import time

import pytest

from fairing_az_jupyter.clients.kube.watching.events import Disrupted, Finished, Problem, Retried, Started, Terminated
from tests.cluster.workloads_kubelet import deployment, job, running, terminated
from tests.cluster.workloads_scene import *  # noqa: F403 - fixtures are found by their names
from tests.cluster.workloads_scene import finish, pod_of

IGNORES = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}
FORCED = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}


@pytest.fixture
def admin(control_plane):
    return control_plane.admin


@pytest.fixture
def begun(workloads, kubelet, namespace, follow):
    """Return how a Job that ignores disruptions is followed, and its first pod, which runs and has printed a line."""
    workloads.create(job(podFailurePolicy=IGNORES))
    seen = follow("Job", "train")
    pod = run(workloads, kubelet, namespace)
    kubelet.output(pod, "main").print("first: epoch 1")
    seen.wait(lambda event: getattr(event, "text", "") == "first: epoch 1")
    return seen, pod


def run(workloads, kubelet, namespace, seen=()):
    pod = pod_of(workloads, {"job-name": "train"}, seconds=30, seen=seen)
    kubelet.bind(namespace, pod)
    kubelet.say(namespace, pod, "Running", running())
    return pod


def evict(admin, namespace, pod):
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    admin.post(f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", body)


def taken(admin, namespace, pod, reason):
    """Say what a controller says before it deletes a pod."""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}"
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": f"{reason} says so"}
    before = admin.get(path)["status"].get("conditions", [])
    merge = "application/merge-patch+json"
    admin.patch(f"{path}/status", {"status": {"conditions": [*before, condition]}}, merge)


def forget(admin, namespace, pod):
    """Delete a pod for good, as a kubelet does when its containers have ended."""
    admin.call("DELETE", f"/api/v1/namespaces/{namespace}/pods/{pod}", FORCED)


def ends_well(seen, workloads, kubelet, namespace, *before):
    pod = run(workloads, kubelet, namespace, seen=before)
    kubelet.output(pod, "main").print("second: epoch 1")
    finish(kubelet, namespace, pod, kubelet.output(pod, "main"))
    seen.end(40)
    assert seen.error is None
    assert seen.events[-1] == Finished("Job", "train", succeeded=True)
    return pod


def test_a_job_whose_pod_is_evicted_goes_on_in_a_new_pod(begun, workloads, kubelet, admin, namespace):
    seen, first = begun
    evict(admin, namespace, first)
    output = kubelet.output(first, "main")
    output.print("first: interrupted")
    output.end()
    kubelet.say(namespace, first, "Failed", terminated(143), conditions=[disrupted("EvictionByEvictionAPI")])
    forget(admin, namespace, first)
    ends_well(seen, workloads, kubelet, namespace, first)

    (told,) = [event for event in seen.events if isinstance(event, Disrupted)]
    assert (told.pod, told.reason, told.count) == (first, "EvictionByEvictionAPI", 1)
    assert "A new pod starts" in str(told)
    assert seen.texts == ["first: epoch 1", "first: interrupted", "second: epoch 1"]


def disrupted(reason):
    return {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "evicting"}


def test_every_pod_that_is_taken_away_is_counted(begun, workloads, kubelet, admin, namespace):
    seen, pod = begun
    before = []
    for _ in range(2):
        before.append(pod)
        kubelet.output(pod, "main").end()
        kubelet.say(namespace, pod, "Failed", terminated(143), conditions=[disrupted("PreemptionByScheduler")])
        forget(admin, namespace, pod)
        pod = run(workloads, kubelet, namespace, seen=before)
    finish(kubelet, namespace, pod, kubelet.output(pod, "main"))
    seen.end(40)
    assert seen.error is None
    assert [event.count for event in seen.events if isinstance(event, Disrupted)] == [1, 2]


def test_a_program_that_its_nodes_evict_three_times_in_a_row_ends_with_what_to_ask_for(
    begun, workloads, kubelet, admin, namespace
):
    seen, pod = begun
    before = []
    said = {"reason": "Evicted", "message": "The node was low on resource: memory. Threshold quantity: 100Mi."}
    for number in range(3):
        before.append(pod)
        kubelet.output(pod, "main").end()
        pressed = disrupted("TerminationByKubelet")
        kubelet.say(namespace, pod, "Failed", terminated(137), conditions=[pressed], **said)
        forget(admin, namespace, pod)
        if number < 2:
            pod = run(workloads, kubelet, namespace, seen=before)
    seen.end(40)
    assert (seen.error.code, "FAIRING_MEMORY" in seen.error.hint) == ("node-pressure", True)
    assert "evicted 3 times in a row" in seen.error.message
    assert len([event for event in seen.events if isinstance(event, Disrupted)]) == 2


def test_a_suspended_job_is_told_to_be_queued_and_followed_when_it_is_let_go(
    workloads, kubelet, admin, namespace, follow
):
    workloads.create(job(suspend=True))
    seen = follow("Job", "train")
    told = seen.wait(lambda event: isinstance(event, Problem))
    assert "is suspended" in str(told)
    assert "at most" not in str(told)
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/train"
    admin.patch(path, {"spec": {"suspend": False}}, "application/merge-patch+json")
    ends_well(seen, workloads, kubelet, namespace)


def test_the_log_of_a_pod_that_vanished_with_its_node_holds_nothing_up(begun, workloads, kubelet, admin, namespace):
    seen, first = begun
    # Its log never ends: nobody is there to end it.
    taken(admin, namespace, first, "DeletionByPodGC")
    kubelet.say(namespace, first, "Failed", running(), conditions=[disrupted("DeletionByPodGC")])
    forget(admin, namespace, first)
    began = time.monotonic()
    second = ends_well(seen, workloads, kubelet, namespace, first)

    assert seen.texts == ["first: epoch 1", "second: epoch 1"]
    assert time.monotonic() - began < 35
    assert any(isinstance(event, Started) and event.pod == second for event in seen.events)


def test_the_lines_of_the_first_pod_come_before_those_of_the_second(begun, workloads, kubelet, admin, namespace):
    seen, first = begun
    over, output = threading.Event(), kubelet.output(first, "main")

    def late():
        # What was printed at last comes slowly over the network.
        while not over.wait(1):
            output.print("first: interrupted")
        output.end()

    thread = threading.Thread(target=late)
    thread.start()
    kubelet.say(namespace, first, "Failed", terminated(143), conditions=[disrupted("EvictionByEvictionAPI")])
    second = run(workloads, kubelet, namespace, seen=[first])
    kubelet.output(second, "main").print("second: epoch 1")
    time.sleep(2)
    over.set()
    thread.join()
    finish(kubelet, namespace, second, kubelet.output(second, "main"))
    seen.end(40)
    assert seen.error is None
    assert seen.texts.count("first: interrupted") > 1
    assert seen.texts[-2:] == ["first: interrupted", "second: epoch 1"]


def test_a_job_that_does_not_ignore_disruptions_fails_by_one(workloads, kubelet, admin, namespace, follow):
    workloads.create(job())
    seen = follow("Job", "train")
    pod = run(workloads, kubelet, namespace)
    kubelet.output(pod, "main").end()
    kubelet.say(namespace, pod, "Failed", terminated(143), conditions=[disrupted("EvictionByEvictionAPI")])
    seen.end()
    assert seen.error.code == "preempted"
    assert not any(isinstance(event, Disrupted) for event in seen.events)


def test_an_endpoint_whose_pod_is_taken_away_while_it_starts_becomes_ready_in_a_new_one(workloads, kubelet, namespace):
    workloads.create(deployment())
    events, names = [], []

    def restart():
        for ready in (False, True):
            names.append(pod_of(workloads, {"app": "serve"}, seen=names))
            kubelet.bind(namespace, names[-1])
            status = [{"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-11-22T10:00:00Z"}]
            kubelet.say(namespace, names[-1], "Running", running(ready=ready), conditions=status)
            time.sleep(0.5)
            if not ready:
                gone = [disrupted("EvictionByEvictionAPI")]
                kubelet.say(namespace, names[-1], "Failed", terminated(143), conditions=gone)

    thread = threading.Thread(target=restart)
    thread.start()
    workloads.wait_ready("Deployment", "serve", seconds=20, report=events.append)
    thread.join()
    (told,) = [event for event in events if isinstance(event, Disrupted)]
    assert (told.kind, told.pod, told.count) == ("Deployment", names[0], 1)


def test_a_program_that_fails_is_tried_again_and_each_attempt_is_told(workloads, kubelet, admin, namespace, follow):
    workloads.create(job(backoffLimit=2))
    seen = follow("Job", "train")
    first = run(workloads, kubelet, namespace)
    kubelet.output(first, "main").print("no data yet")
    finish(kubelet, namespace, first, kubelet.output(first, "main"), code=1)
    told = seen.wait(lambda event: isinstance(event, Retried))
    assert (told.attempt, told.attempts, told.diagnosis.returncode) == (1, 3, 1)
    ends_well(seen, workloads, kubelet, namespace, first)
    assert seen.texts == ["no data yet", "second: epoch 1"]
    assert [event.exit_code for event in seen.events if isinstance(event, Terminated)] == [1, 0]


def test_the_last_attempt_that_fails_ends_the_job_with_its_own_lines(workloads, kubelet, namespace, follow):
    workloads.create(job(backoffLimit=1))
    seen = follow("Job", "train")
    first = run(workloads, kubelet, namespace)
    finish(kubelet, namespace, first, kubelet.output(first, "main"), code=1)
    second = run(workloads, kubelet, namespace, seen=[first])
    kubelet.output(second, "main").print("still no data")
    finish(kubelet, namespace, second, kubelet.output(second, "main"), code=4)
    seen.end(40)
    assert (seen.error.code, seen.error.returncode) == ("container-failed", 4)
    assert seen.error.last_lines == ("still no data",)
    assert len([event for event in seen.events if isinstance(event, Retried)]) == 1


def test_a_node_that_does_not_answer_is_told_and_waited_for(begun, workloads, kubelet, namespace):
    seen, pod = begun
    # As the node's controller says it: https://kubernetes.io/docs/concepts/architecture/nodes/#condition
    kubelet.say(namespace, pod, "Running", running(), conditions=[{"type": "Ready", "status": "False"}])
    told = seen.wait(lambda event: getattr(getattr(event, "diagnosis", None), "code", "") == "node-not-ready")
    assert kubelet.name in str(told)
    kubelet.say(namespace, pod, "Running", running(), conditions=[{"type": "Ready", "status": "True"}])
    finish(kubelet, namespace, pod, kubelet.output(pod, "main"))
    seen.end()
    assert seen.error is None
