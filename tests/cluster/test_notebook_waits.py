"""What the pods of a Job of notebooks wait for, as one who looks again and again is told; no stand."""

from __future__ import annotations

import contextlib
import time
from types import SimpleNamespace

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.fairing.jobs.notebook_jobs import view, view_of
from fairing_az_jupyter.fairing.jobs.notebook_waits import Looks
from fairing_az_jupyter.services.cluster_runs import follow as cluster_runs

NOW = 1_800_000_000.0
MINUTE, HOUR = 60, 3600
NO_ROOM = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1: Insufficient cpu."}
NOT_FOUND = {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}
UNAUTHORIZED = {"waiting": {"reason": "ErrImagePull", "message": "401 Unauthorized"}}
CREATING = {"waiting": {"reason": "ContainerCreating"}}
RUNNING = {"running": {}}
QUOTA = 'Error creating: pods "j-b" is forbidden: exceeded quota: q, requested: pods=1, used: pods=4, limited: pods=4'


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW + seconds))


def job(**more):
    metadata = {"name": "j", "namespace": "team-a", "creationTimestamp": stamp(-40 * HOUR)}
    ignored = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    return {"kind": "Job", "metadata": metadata, "spec": {"podFailurePolicy": {"rules": [ignored]}}, "status": more}


def pod(index, state=None, *, made=-MINUTE, phase="Pending", conditions=(), name="", **metadata):
    annotations = {"batch.kubernetes.io/job-completion-index": str(index)}
    given = {"name": name or f"pod-{index}", "namespace": "team-a", "annotations": annotations, **metadata}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(made)}
    return {
        "kind": "Pod",
        "metadata": {**given, "creationTimestamp": stamp(made)},
        "spec": {"nodeName": "n"} if NO_ROOM not in conditions else {},
        "status": {
            "phase": phase,
            "conditions": [*conditions, *([] if NO_ROOM in conditions else [scheduled])],
            "containerStatuses": [{"name": "model", "state": state, "restartCount": 0}] if state else [],
        },
    }


def ended(index, code, *, at, **more):
    done = {"terminated": {"exitCode": code, "finishedAt": stamp(at)}}
    return pod(index, done, phase="Failed" if code else "Succeeded", **{"made": at - HOUR, **more})


def evicted(index, *, at, **more):
    taken = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    return ended(index, 137, at=at, conditions=[{**taken, "lastTransitionTime": stamp(at)}], **more)


def runs(index, **more):
    return pod(index, RUNNING, phase="Running", **more)


def failed_create(first, last=None):
    return {
        "reason": "FailedCreate",
        "message": QUOTA,
        "involvedObject": {"kind": "Job", "name": "j"},
        "firstTimestamp": stamp(first),
        "lastTimestamp": stamp(first if last is None else last),
    }


class Follower:
    """Who looks at a Job again and again, on a machine whose clock may be wrong."""

    def __init__(self, waits=None, *, ahead=0.0):
        self.time, self.ahead, self.waits = 0.0, ahead, waits
        self.looks = Looks(lambda: self.time)

    def look(self, *pods, after=0.0, events=(), found=None):
        self.time += after
        now = NOW + self.time + self.ahead
        return view_of(found or job(), pods, events, now=now, waits=self.waits, looks=self.looks)

    def looks_for(self, seconds, *pods, events=()):
        """Look every ten seconds; return what was seen last, or first gave up."""
        for _ in range(int(seconds // 10)):
            seen = self.look(*pods, after=10, events=events)
            if seen.problem is not None:
                break
        return seen


WAITS = pod(1, conditions=[NO_ROOM])


def test_a_pod_that_no_node_takes_is_waited_for_as_long_as_the_setting_says():
    follower = Follower(Waits(node=90))

    seen = follower.looks_for(90, WAITS)
    assert seen.problem is None
    assert "Insufficient cpu. Waiting for 2 min so far, at most 90 s." in seen.waiting
    assert seen.reason == "unschedulable/unschedulable-cpu"
    seen = follower.looks_for(30, WAITS)
    assert seen.problem.code == "unschedulable-cpu"
    assert (seen.waiting, seen.reason) == ("", "")
    assert Follower().looks_for(29 * MINUTE, WAITS).problem is None, "30 minutes where nothing is set"


@pytest.mark.parametrize("ahead", [-600, 130, 600])
def test_a_clock_that_is_wrong_makes_nobody_give_up_early_or_wait_for_ever(ahead):
    follower, waits = Follower(ahead=ahead), pod(1, UNAUTHORIZED, made=-5)

    assert follower.look(waits).problem is None
    assert follower.looks_for(110, waits).problem is None
    assert follower.looks_for(20, waits).problem.code == "image-unauthorized"


def test_what_has_lasted_for_hours_is_given_up_by_who_begins_to_follow_and_not_by_a_single_look():
    follower, waits = Follower(), pod(1, conditions=[NO_ROOM], made=-27 * HOUR)

    single = follower.look(waits)
    assert single.problem is None
    assert "Waiting for 27 h so far, at most 30 min." in single.waiting
    assert follower.look(waits, after=1).problem.code == "unschedulable-cpu"
    assert view_of(job(), [waits], [], now=NOW).problem is None


@pytest.mark.parametrize(("state", "code"), [(NOT_FOUND, "image-not-found"), (UNAUTHORIZED, "image-unauthorized")])
def test_a_pod_that_takes_the_place_of_an_evicted_one_is_watched_as_the_first_one_was(state, code):
    gone = evicted(0, at=-MINUTE, name="pod-a")

    assert Follower().looks_for(150, gone, pod(0, state, name="pod-b")).problem.code == code


def test_a_new_pod_that_no_node_takes_is_given_up_after_the_same_time():
    gone, waits = evicted(0, at=-MINUTE, name="pod-a"), pod(0, conditions=[NO_ROOM], name="pod-b")

    follower = Follower(Waits(node=300))
    assert follower.looks_for(290, gone, waits).problem is None
    assert follower.looks_for(20, gone, waits).problem.code == "unschedulable-cpu"


@pytest.mark.parametrize(
    ("stuck", "told"),
    [
        (pod(1, NOT_FOUND), "manifest unknown"),
        (WAITS, "No node can run pod"),
        (pod(1, UNAUTHORIZED), "401 Unauthorized"),
    ],
)
def test_a_run_that_can_t_start_beside_one_that_runs_is_told_and_takes_nothing_from_it(stuck, told):
    seen = Follower(Waits(node=60)).looks_for(400, runs(0), stuck)

    assert seen.problem is None
    assert told in seen.waiting
    assert seen.started == {0}


def test_a_sweep_is_given_up_once_no_run_of_it_runs_or_may_start():
    follower = Follower(Waits(node=600))
    assert follower.looks_for(700, runs(0), pod(1, NOT_FOUND)).problem is None

    assert follower.look(ended(0, 0, at=700), pod(1, NOT_FOUND)).problem.code == "image-not-found"
    other = pod(2, conditions=[NO_ROOM], made=600)
    assert follower.look(ended(0, 0, at=700), pod(1, NOT_FOUND), other, after=10).problem is None, "it may still start"


def test_a_pod_that_waits_for_a_place_gets_the_time_to_take_the_one_of_a_run_that_has_ended():
    follower = Follower(Waits(node=600))
    waits = pod(1, conditions=[NO_ROOM])
    assert follower.looks_for(2000, runs(0), waits).problem is None

    done = ended(0, 0, at=2000)
    assert follower.looks_for(580, done, waits).problem is None
    assert follower.looks_for(60, done, waits).problem.code == "unschedulable-cpu"


@pytest.mark.stand
def test_a_container_that_is_being_made_is_told_after_half_a_minute_and_given_up_after_its_time():
    follower, waits = Follower(Waits(start=600)), pod(0, CREATING, made=0)

    assert follower.looks_for(20, waits).waiting == ""
    seen = follower.looks_for(20, waits)
    assert "is being created (ContainerCreating). Waiting for 40 s so far, at most 10 min." in seen.waiting
    assert follower.looks_for(600, waits).problem.code == "not-started"


def test_what_the_autoscaler_says_is_part_of_what_a_run_waits_for():
    event = {"reason": "TriggeredScaleUp", "involvedObject": {"name": "pod-1"}, "message": "pod triggered: [a]"}

    assert "The cluster autoscaler adds a node: [a]." in Follower().look(WAITS, events=[event]).waiting


def test_an_image_that_is_not_there_ends_a_run_at_once():
    assert view_of(job(), [pod(1, NOT_FOUND)], [], now=NOW - 60).problem.code == "image-not-found"


@pytest.mark.parametrize("gone", [evicted(0, at=-10), ended(0, 1, at=-10), evicted(0, at=-10, made=-2000)])
@pytest.mark.parametrize("events", [(failed_create(-1495), failed_create(-1)), (failed_create(-1495, -1),)])
def test_what_kept_the_pod_before_from_being_made_counts_not_for_the_next_one(gone, events):
    follower = Follower(Waits(quota=600))

    assert "Waiting for 10 s so far, at most 10 min." in follower.look(gone, events=events).waiting
    assert follower.looks_for(590, gone, events=events).problem is None
    assert follower.looks_for(40, gone, events=events).problem.code == "quota"


def test_a_quota_that_keeps_the_very_first_pod_away_counts_from_its_first_event():
    assert "Waiting for 5 min so far" in Follower().look(events=[failed_create(-300), failed_create(-1)]).waiting


@pytest.mark.parametrize(
    ("pods", "told"),
    [
        ((runs(0), pod(1, CREATING)), "MountVolume.SetUp failed"),
        ((evicted(0, at=-60), pod(1, CREATING)), "MountVolume.SetUp failed"),
        ((runs(0), runs(1)), ""),
    ],
)
def test_events_of_pods_that_wait_are_read_whatever_other_pods_do(pods, told):
    mount = {"reason": "FailedMount", "message": "MountVolume.SetUp failed for volume d: timed out"}
    event = {**mount, "involvedObject": {"name": "pod-1"}, "firstTimestamp": stamp(-30), "lastTimestamp": stamp(-30)}
    workloads = SimpleNamespace(get=lambda *_: job(), list=lambda kind, *_: {"Pod": pods, "Event": [event]}[kind])

    seen = view(SimpleNamespace(workloads=workloads, waits=Waits()), "j")
    assert seen.waiting.startswith("A volume of pod 'pod-1'") if told else not seen.waiting
    assert told in seen.waiting


def test_the_newest_pod_of_a_run_says_why_it_has_failed_whatever_the_pods_are_called():
    given_up = job(conditions=[{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}])
    old, new = ended(0, 1, at=-60, name="pod-z"), ended(0, 137, at=-30, name="pod-a", made=-50)

    for pods in ([old, new], [new, old]):
        assert Follower().look(*pods, found=given_up).problems[0].returncode == 137


def test_a_pod_that_the_cluster_took_away_is_no_reason_of_a_failure():
    given_up = job(conditions=[{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}])

    seen = Follower().look(ended(0, 1, at=-60), evicted(0, at=-30, made=-50, name="pod-b"), found=given_up)
    assert seen.problems[0].returncode == 1


def test_a_run_that_has_succeeded_at_last_is_not_among_those_that_have_failed():
    given_up = job(
        conditions=[{"type": "Failed", "status": "True", "reason": "MaxFailedIndexesExceeded"}],
        failedIndexes="1",
        completedIndexes="0",
    )

    seen = Follower().look(ended(0, 1, at=-60), ended(1, 1, at=-50), ended(2, 1, at=-40), found=given_up)
    assert seen.failed == {1, 2}


NODE, IMAGE = ("unschedulable/cpu", "No node takes pod 'a'."), ("image-access/401", "Image 'i' can't be pulled: 401.")
NOTHING = ("", "")


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (
            [(200, NODE), (80, IMAGE)],
            [(0, NODE), (30, NODE), (60, NODE), (120, NODE), *[(200 + each, IMAGE) for each in (0, 30, 60)]],
        ),
        ([(40, NODE), (10, NOTHING), (20, NODE)], [(0, NODE), (30, NODE), (60, NODE)]),
        ([(40, NODE), (60, NOTHING), (20, NODE)], [(0, NODE), (30, NODE), (100, NODE)]),
        ([(5, NODE), (5, IMAGE), (5, NODE), (5, IMAGE)], [(0, NODE), (5, IMAGE)]),
    ],
)
def test_a_new_reason_is_told_at_once_and_an_old_one_less_and_less_often(monkeypatch, seen, told):
    now, said = [0.0], []
    script = [each for seconds, each in seen for _ in range(seconds)]

    class Records:
        job, notes = "fairing-job-1", ()

        def refresh(self, left):
            self.reason, self.waiting = script[int(now[0])] if now[0] < len(script) else NOTHING
            return left if now[0] < len(script) else []

    def sleep(_seconds):
        now[0] += 1

    monkeypatch.setattr(cluster_runs, "time", SimpleNamespace(monotonic=lambda: 1e6 + now[0], sleep=sleep))
    monkeypatch.setattr(cluster_runs, "opened", lambda *_: contextlib.nullcontext(Records()))
    follow = cluster_runs._follow  # noqa: SLF001 - what both ways to follow share

    follow(None, [SimpleNamespace(id="r", has_ended=True)], lambda: None, lambda text: said.append((now[0], text)))

    stop = "To stop it: fairing-azure delete fairing-job-1"
    assert said == [(at, f"{words} {stop}") for at, (_, words) in told]
