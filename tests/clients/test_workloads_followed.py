"""What of several pods counts while something is followed: replacements, their order, and what is told of them."""

# ruff: noqa: SLF001 - a follower takes changes from threads; here they come one by one

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.clients.kube.watching.events import Disrupted, Retried
from fairing_az_jupyter.clients.kube.watching.replacements import Replacements
from fairing_az_jupyter.clients.kube.watching.targets import Target
from fairing_az_jupyter.clients.kube.watching.watch import Change, _differences
from fairing_az_jupyter.clients.kube.watching.watcher import Watcher

IGNORED = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
NO_CPU = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
LOW_MEMORY = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 60Mi."


def job(failed=0, **spec):
    spec = {"backoffLimit": 2, "podFailurePolicy": {"rules": IGNORED}, **spec}
    metadata = {"namespace": "team-a", "name": "train", "uid": "j"}
    return {"kind": "Job", "metadata": metadata, "spec": spec, "status": {"failed": failed}}


def deployment():
    metadata = {"namespace": "team-a", "name": "serve", "uid": "d"}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1}, "status": {}}


def pod(name, phase="Pending", second=0, node="", **status):
    metadata = {"namespace": "team-a", "name": name, "uid": name}
    metadata["creationTimestamp"] = f"2026-11-29T10:00:{second:02}Z"
    return {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": phase, **status}}


def running(name, second=0):
    return pod(name, "Running", second, "n", containerStatuses=[{"name": "main", "state": {"running": {}}}])


def failed(name, **status):
    return pod(name, "Failed", containerStatuses=[{"name": "main", "state": {"terminated": {"exitCode": 1}}}], **status)


def evicted(name, message=LOW_MEMORY, reason="Evicted"):
    taken = {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}
    return pod(name, "Failed", reason=reason, message=message, conditions=[taken])


def drained(name):
    return pod(
        name, "Failed", conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]
    )


@pytest.fixture
def watcher(monkeypatch):
    """Make a follower that has no API server and starts no threads."""
    monkeypatch.setattr(Watcher, "_start", lambda _, thread: None)

    def made(owner, **more):
        return Watcher(None, Target("team-a", owner=owner), waits=Waits(), logs=False, **more)

    return made


def take(watcher, *pods, what="ADDED"):
    return [event for each in pods for event in watcher._pod(Change(what, each))]


@pytest.mark.parametrize("owner", [job(), deployment()])
@pytest.mark.parametrize(
    "gone",
    [
        pod("old", conditions=[NO_CPU]),
        pod("old", containerStatuses=[{"name": "main", "state": {"waiting": {"reason": "InvalidImageName"}}}]),
    ],
)
def test_what_was_in_the_way_of_a_pod_that_has_gone_is_past(watcher, owner, gone):
    followed = watcher(owner)
    take(followed, gone)
    assert followed.problem is not None
    take(followed, gone, what="DELETED")
    take(followed, running("new", 5))
    assert followed.problem is None


def test_how_a_pod_ended_is_told_also_when_it_has_gone(watcher):
    followed = watcher(job())
    take(followed, failed("a"), what="DELETED")
    followed._owner = {**job(), "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    assert (followed.problem.code, followed.problem.returncode) == ("container-failed", 1)


def test_an_old_word_about_a_quota_is_past_when_the_pod_that_was_made_after_it_has_gone(watcher):
    followed = watcher(deployment())
    about = {"kind": "ReplicaSet", "name": "serve-1", "uid": "r"}
    said = {"reason": "FailedCreate", "message": "exceeded quota: q", "involvedObject": about, "metadata": {"uid": "e"}}
    list(followed._event(Change("ADDED", {**said, "lastTimestamp": "2026-11-29T10:00:01Z"})))
    assert followed.problem.code == "quota"
    take(followed, pod("a", second=5), what="ADDED")
    take(followed, pod("a", second=5), what="DELETED")
    assert followed.problem is None


def test_a_pod_that_no_scheduler_looks_at_and_a_job_without_a_pod_are_reported(watcher):
    followed = watcher(job())
    assert (followed.problem, followed._quiet().condition) == (None, "no-pod-yet")
    take(followed, pod("a"))
    assert (followed.problem, followed._quiet().condition) == (None, "overlooked")
    take(followed, running("a"), what="MODIFIED")
    assert (followed.problem, followed._quiet()) == (None, None)


def test_an_endpoint_that_was_scaled_to_none_waits_for_no_pod(watcher):
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    service = {"kind": "InferenceService", "metadata": {"namespace": "team-a", "name": "serve", "uid": "i"}}
    assert watcher({**service, **ready})._quiet() is None
    assert watcher(service)._quiet().condition == "no-pod-yet"
    refused = pod("a", "Failed", reason="UnexpectedAdmissionError")
    for owner, code in (({**service, **ready}, None), (service, "node-refused")):
        followed = watcher(owner)
        take(followed, refused)
        assert (followed.problem and followed.problem.code) == code


def test_an_endpoint_that_never_gets_a_node_is_waited_for_no_longer_than_the_longest_wait_and_its_own(watcher):
    followed = watcher(deployment(), until_ready=True, seconds=600)
    take(followed, pod("a"))

    def pass_by(seconds):
        followed._counted -= seconds
        return followed._stopped()

    assert not pass_by(3000)
    assert not pass_by(700)
    assert not pass_by(500)
    assert pass_by(200)


def test_the_older_pods_log_comes_first_whatever_the_names_are(watcher):
    items = [running("a-new", 9), failed("b-old"), running("c-newest", 20)]
    followed = watcher(job())
    for change in _differences({}, items):
        list(followed._pod(change))
    before = {name: [each.pod for each in reader.before] for (name, _), reader in followed._readers.items()}
    assert before == {"b-old": [], "a-new": ["b-old"], "c-newest": ["b-old"]}


def test_readers_that_have_ended_take_no_room(watcher):
    followed = watcher(job())
    for number in range(100):
        followed._read_log(running(f"p{number}"), "main")
    assert len(followed._readers) == 100


def see(*steps):
    found = Replacements()
    for owner, each, gone in steps:
        found.see(owner, each, 0.0, gone=gone, over=False)
    return found


def test_a_pod_that_has_vanished_is_a_failed_attempt_only_when_the_job_counts_it():
    found = see((job(), running("a"), False), (job(), running("a"), True))
    assert list(found.reported((), 0.0)) == []
    found.count(job(failed=0), 1.0)
    assert list(found.reported((), 1.0)) == []
    found.count(job(failed=1), 2.0)
    (event,) = found.reported((), 2.0)
    assert isinstance(event, Retried)
    assert event.attempt == 1


@pytest.mark.parametrize("uncounted", [True, False])
def test_a_pod_that_has_vanished_after_the_job_counted_it_is_a_failed_attempt(uncounted):
    counts = {"uncountedTerminatedPods": {"failed": ["a"]}} if uncounted else {"failed": 1}
    found = see((job(), running("a"), False), ({**job(), "status": counts}, running("a"), True))
    assert len(list(found.reported((), 0.0))) == 1


def test_failures_before_a_pod_do_not_make_it_a_failed_attempt():
    found = see((job(failed=2), pod("a"), False), (job(failed=2), pod("a"), True))
    assert list(found.reported((), 0.0)) == []


def test_the_third_eviction_in_a_row_for_want_of_memory_ends_it_with_what_to_ask_for():
    found = see(*[(job(), evicted(name), False) for name in "ab"])
    assert found.pressure is None
    assert [type(event) for event in found.reported((), 0.0)] == [Disrupted, Disrupted]
    found.see(job(), evicted("c"), 0.0, gone=False, over=False)
    assert found.pressure.code == "node-pressure"
    assert "3 times in a row" in found.pressure.message
    assert "out of memory" in found.pressure.message
    assert "FAIRING_MEMORY" in found.pressure.hint
    assert not found.pressure.heals
    assert list(found.reported((), 0.0)) == []


@pytest.mark.parametrize(
    ("message", "resource", "hint"),
    [
        ("The node was low on resource: ephemeral-storage. Container main was using 9Gi", "ephemeral-storage", "disk"),
        ("The node was low on resource: inodes.", "inodes", "disk"),
        ("The node was low on resource: pids. Threshold quantity: 10, available: 4.", "pids", "as the program needs"),
    ],
)
def test_a_program_that_fills_the_disk_is_told_so(message, resource, hint):
    found = see(*[(job(), evicted(name, message), False) for name in "abc"])
    assert f"out of {resource}" in found.pressure.message
    assert hint in found.pressure.hint


@pytest.mark.parametrize(
    "pods",
    [
        [evicted("a"), evicted("b"), drained("c"), evicted("d")],
        [evicted("a"), evicted("b"), failed("c"), evicted("d")],
        [drained(name) for name in "abcd"],
        [evicted(name, "Pod was terminated in response to imminent node shutdown.", "Terminated") for name in "abcd"],
    ],
)
def test_other_disruptions_do_not_end_a_job(pods):
    assert see(*[(job(backoffLimit=9), each, False) for each in pods]).pressure is None


def test_a_job_of_many_pods_and_one_that_counts_disruptions_end_by_themselves():
    for owner in (job(completions=5), job(podFailurePolicy={})):
        assert see(*[(owner, evicted(name), False) for name in "abcd"]).pressure is None


def test_a_job_whose_pods_are_evicted_again_and_again_is_over_for_who_follows_it(watcher):
    followed = watcher(job())
    take(followed, *[evicted(name) for name in "abc"])
    with pytest.raises(Exception, match="evicted 3 times in a row") as caught:
        list(followed._problems())
    assert (type(caught.value).__name__, caught.value.code) == ("JobFailedError", "node-pressure")
