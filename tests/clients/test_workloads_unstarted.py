"""Pods that no scheduler, node or controller takes: told apart by what the cluster has."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.clients.kube.diagnosis.workloads import diagnose
from fairing_az_jupyter.clients.kube.watching.startup import not_looked_at
from tests.clients.workloads_objects import deployment, event, job, pod, unschedulable, waiting


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("0/2 nodes are available: 2 Insufficient cpu.", "unschedulable-cpu"),
        ("0/2 nodes are available: 2 Insufficient memory.", "unschedulable-memory"),
        ("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", "unschedulable-gpu"),
        ("0/2 nodes are available: 1 node(s) had untolerated taint {spot: true}.", "unschedulable-taint"),
        ("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", "unschedulable-affinity"),
        ("0/2 nodes are available: 2 node(s) had volume node affinity conflict.", "unschedulable-volume"),
        ('persistentvolumeclaim "data" not found', "unschedulable-volume"),
        ("0/2 nodes are available: 2 Too many pods.", "unschedulable-pods"),
        ("no nodes available to schedule pods", "unschedulable"),
    ],
)
@pytest.mark.parametrize("by_event", [True, False])
def test_pods_that_no_node_takes_are_told_apart_and_may_heal(said, code, by_event):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    one = pod() if by_event else pod(status={"conditions": [condition]})
    found = diagnose(job(), [one], [event("FailedScheduling", said)] if by_event else [])
    assert (found.code, found.heals) == (code, True)
    assert said.rstrip(".") in found.message


@pytest.mark.parametrize(
    ("condition", "events", "over"),
    [
        ({"reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}, [], True),
        ({"reason": "SchedulerError", "message": "binding rejected: timeout"}, [], False),
        ({"reason": "SchedulingGated", "message": "gates"}, [], False),
        (
            {},
            [event("FailedScheduling", 'running PreBind plugin "VolumeBinding": the object has been modified')],
            False,
        ),
        ({}, [event("FailedScheduling", "0/1 nodes are available: 1 Insufficient cpu.")], False),
    ],
)
def test_without_a_wait_for_nodes_only_the_schedulers_verdict_on_the_pod_ends_it_at_once(condition, events, over):
    conditions = [{"type": "PodScheduled", "status": "False", **condition}] if condition else []
    found = diagnose(job(), [pod(status={"conditions": conditions})], events)
    assert (found.rule.seconds(Waits(node=0)) == 0) is over
    assert found.heals


def test_a_pod_that_no_scheduler_has_looked_at_is_reported_with_the_schedulers_name():
    found = not_looked_at(pod(spec={"schedulerName": "volcano"}), "team-a")
    assert "scheduler 'volcano' has not looked at it yet" in found.message
    assert (found.condition, found.rule.first) == ("overlooked", 10.0)
    assert "'default-scheduler'" in not_looked_at(pod(), "team-a").message


@pytest.mark.parametrize(
    "one",
    [unschedulable("0/1 nodes"), pod(spec={"nodeName": "n"}), pod("Running"), pod(deletionTimestamp="2026-11-29")],
)
def test_a_pod_that_a_scheduler_has_looked_at_or_that_goes_is_not_said_to_be_overlooked(one):
    assert not_looked_at(one, "team-a") is None


def rejected(number, reason="UnexpectedAdmissionError"):
    status = {"reason": reason, "message": "Allocate failed due to no healthy devices present"}
    return [pod("Failed", name=f"r{each}", status=status) for each in range(number)]


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        (rejected(1), "rejected 1 pod of"),
        (rejected(7, "OutOfnvidia.com/gpu"), "at least 5 pods of Deployment 'serve'"),
        ([*rejected(60), pod(spec={"nodeName": "n"})], "at least 50 pods of"),
    ],
)
def test_an_endpoints_pods_that_nodes_reject_again_and_again_are_counted_and_waited_for(pods, said):
    found = diagnose(deployment(), pods)
    assert said in found.message
    assert "no healthy devices" in found.message
    assert (found.condition, found.rule.seconds(Waits())) == ("rejected", 300)


def test_rejected_pods_are_past_when_a_node_has_accepted_one_and_a_jobs_own_affair():
    accepted = pod("Pending", waiting("ContainerCreating"), spec={"nodeName": "n"})
    assert diagnose(deployment(), [*rejected(3), accepted]) is None
    assert diagnose(job(), rejected(3)) is None


def test_a_suspended_job_is_queued_and_waited_for():
    held = {**job(), "spec": {"suspend": True}}
    found = diagnose(held, [])
    assert (found.code, found.rule.seconds(Waits())) == ("queued", float("inf"))
    assert diagnose(held, [pod("Running")]) is None
    assert diagnose(job(), []) is None


@pytest.mark.parametrize("owner", [job(), deployment()])
@pytest.mark.parametrize("status", [waiting("InvalidImageName"), waiting("ErrImagePull", "i/o timeout")])
def test_a_pod_that_is_being_deleted_is_no_trouble_of_its_owner(owner, status):
    going = pod("Pending", status, deletionTimestamp="2026-11-29T10:00:00Z")
    assert diagnose(owner, [going, pod("Running")]) is None
    assert diagnose(None, [going]) is not None


@pytest.mark.parametrize("reason", ["PostStartHookError", "PreStartHookError", "SomethingNew"])
def test_a_waiting_reason_without_a_rule_is_waited_for_like_other_errors_of_the_runtime(reason):
    found = diagnose(deployment(), [pod("Pending", waiting(reason, "boom"), spec={"nodeName": "n"})])
    assert (found.condition, reason in found.message, "boom" in found.message) == ("container-passing", True, True)


def test_what_the_scheduler_said_before_is_no_trouble_once_there_is_a_node():
    said = event("FailedScheduling", "0/2 nodes are available: 2 Insufficient cpu.")
    assert diagnose(job(), [pod(spec={"nodeName": "n"})], [said]) is None
