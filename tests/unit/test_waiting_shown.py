"""What is waited for is shown while a launch is followed, and by `status`: what, for how long, and how to stop it."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
from fairing_az_jupyter.clients.kube.watching.events import Disrupted, Notice, Problem, Retried
from fairing_az_jupyter.exceptions import JobFailedError
from fairing_az_jupyter.fairing.cluster.event_log import Shown, reported_after_deletion
from fairing_az_jupyter.fairing.inventory.states import endpoint_launch, job_launch
from fairing_az_jupyter.launch_events import listening
from tests.heard_events import into

NAME = "fairing-job-12345678"
LABELS = {
    "app.kubernetes.io/managed-by": "fairing-az-jupyter",
    "fairing-az-jupyter/launch": NAME,
    "fairing-az-jupyter/kind": "job",
}
NO_NODE = Diagnosis("unschedulable-cpu", "No node takes pod 'p'.", "See", condition="unschedulable", pod="p")
FULL = Diagnosis("quota", "Job 'j' has no pod yet.", "See", condition="quota")
FAILED = Diagnosis("container-failed", "It ended with exit code 1.", "See", pod="p")


def ago(seconds):
    return f"{datetime.fromtimestamp(time.time() - seconds, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def told(caplog):
    """Show events, and return what is logged, what listeners hear and how often a new pod began."""
    caplog.set_level(logging.DEBUG)
    heard, began = [], []
    shown = Shown("model", printed=False, replaced=lambda: began.append(1), launch=NAME)

    def show(*events):
        with listening(into(heard)):
            for event in events:
                shown.show(event)
        return caplog.messages, heard, began

    return show


def test_what_is_waited_for_is_logged_with_the_time_and_how_to_stop(told):
    messages, heard, _ = told(Problem(NO_NODE, 1800), Problem(NO_NODE, 1800, 60))

    assert messages == [
        f"No node takes pod 'p'. Waiting for up to 30 min. To stop it: fairing-azure delete {NAME}",
        f"No node takes pod 'p'. Waiting for 1 min so far, at most 30 min. To stop it: fairing-azure delete {NAME}",
    ]
    assert [event[:3] for event in heard] == [("pod-event", "p", "unschedulable-cpu")] * 2
    assert heard[1][3].endswith("Waiting for 1 min so far, at most 30 min.")


def test_what_keeps_a_pod_from_being_made_is_told_in_the_name_of_its_owner(told):
    _, heard, _ = told(Problem(FULL, 600, 0, NAME))

    assert heard == [("pod-event", NAME, "quota", "Job 'j' has no pod yet. Waiting for up to 10 min.")]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Disrupted("Job", NAME, "p", "EvictionByEvictionAPI", "evicting", 1), "Disrupted"),
        (Retried(NAME, FAILED, 1, 3), "Retried"),
    ],
)
def test_a_pod_that_is_replaced_is_told_and_begins_the_schedule_again(told, event, reason):
    messages, heard, began = told(event)

    assert messages == [str(event)]
    assert heard == [("pod-event", "p", reason, str(event))]
    assert began == [1]


def test_what_is_waited_for_is_told_also_after_very_many_other_events(told):
    notices = [Notice("Pod", "p", "FailedScheduling", f"0/{number} nodes", warning=True) for number in range(300)]
    replaced = Disrupted("Job", NAME, "p", "EvictionByEvictionAPI", "", 1)
    _, heard, _ = told(*notices, Problem(NO_NODE, 1800), Problem(NO_NODE, 1800), replaced, replaced)

    assert len(heard) == 200 + 1 + 2


def test_reports_of_a_wait_take_no_room_from_other_events(told):
    reports = [Problem(NO_NODE, 1800, seconds) for seconds in range(1, 400)]
    _, heard, _ = told(*reports, Notice("Pod", "p", "Failed", "Failed to pull image", warning=True))

    assert heard[-1][3] == "Failed to pull image"


@pytest.mark.parametrize(
    ("hint", "after"),
    [
        ("Ask who runs the webhook w, or see: kubectl -n n describe job j", "Ask who runs the webhook w."),
        ("Ask for less; see the quota: kubectl -n n describe quota q", "Ask for less."),
        ("Launch again; see the node's state: kubectl -n n describe pod p", "Launch again."),
        ("kubectl -n n describe pod p", "See the cluster's message above."),
    ],
)
def test_a_hint_at_what_was_deleted_leaves_whole_sentences(hint, after):
    error = JobFailedError("m", hint=hint, code="quota")
    assert reported_after_deletion(error, "Model", ()).hint == after


def pod(**status):
    labels = {"job-name": NAME}
    metadata = {"name": "p", "namespace": "team-a", "labels": labels, "creationTimestamp": ago(130)}
    return {"metadata": metadata, "spec": {}, "status": {"phase": "Pending", **status}}


def job(**status):
    template = {"spec": {"containers": [{"name": "model", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"job-name": NAME}}, "template": template, "backoffLimit": 2}
    metadata = {"name": NAME, "namespace": "team-a", "labels": LABELS, "creationTimestamp": ago(131)}
    return {"metadata": metadata, "spec": spec, "status": status}


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/2 nodes are available: 2 Insufficient cpu.",
}


def test_status_says_what_a_job_waits_for_how_long_and_how_to_stop_it():
    event = {
        "reason": "Nominated",
        "message": "Pod should schedule on: nodeclaim/gpu-1",
        "involvedObject": {"name": "p"},
    }
    found = job_launch(job(), [pod(conditions=[UNSCHEDULABLE])], [event]).info

    assert found.state == "pending"
    assert found.detail == (
        "No node can run pod 'p' in namespace 'team-a': 0/2 nodes are available: 2 Insufficient cpu. Karpenter "
        f"provisions a node: nodeclaim/gpu-1. Waiting for 2 min so far. To stop it: fairing-azure delete {NAME}"
    )


def test_status_says_that_a_container_is_being_made():
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(70)}
    waits = {"name": "model", "image": "team.azurecr.io/m:1", "state": {"waiting": {"reason": "ContainerCreating"}}}
    one = pod(conditions=[scheduled], containerStatuses=[waits])
    one["spec"]["nodeName"] = "n"
    found = job_launch(job(), [one]).info

    assert found.state == "pending"
    assert "pulling image 'team.azurecr.io/m:1'. Waiting for 70 s so far." in found.detail


def test_status_says_which_attempt_of_several_is_running():
    runs = pod(phase="Running", containerStatuses=[{"name": "model", "state": {"running": {}}}])

    assert job_launch(job(failed=1), [runs]).info.detail == "Attempt 2 of 3."
    assert job_launch(job(), [runs]).info.detail == ""


def test_status_says_of_what_can_not_pass_only_what_it_is():
    waits = {"name": "model", "image": "i", "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
    name = "fairing-endpoint-12345678"
    labels = {**LABELS, "fairing-az-jupyter/kind": "endpoint", "fairing-az-jupyter/launch": name}
    selector = {"fairing-az-jupyter/launch": name}
    metadata = {"name": name, "namespace": "team-a", "labels": labels}
    one = pod(containerStatuses=[waits])
    one["metadata"]["labels"] = selector
    deployment = {"metadata": metadata, "spec": {"replicas": 1, "selector": {"matchLabels": selector}}, "status": {}}
    service = {"metadata": metadata, "spec": {"selector": selector}}
    found = endpoint_launch(deployment, service, [one]).info

    assert found.state == "failed"
    assert "it is not in the registry" in found.detail
    assert "To stop it" not in found.detail
