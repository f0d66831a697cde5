"""How long each condition is waited for, the page that says so, and how a wait is put into words."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
from fairing_az_jupyter.clients.kube.diagnosis.waits import CONDITIONS, Waits, condition, duration, page, reports_after
from fairing_az_jupyter.clients.kube.watching.clocks import Clocks
from fairing_az_jupyter.clients.kube.watching.durations import lasted
from fairing_az_jupyter.clients.kube.watching.events import Disrupted, Problem, Retried
from fairing_az_jupyter.settings import Settings, notebook_names
from fairing_az_jupyter.settings.scheduling import seconds_in

NOW = 1_796_000_000.0


def at(seconds):
    from datetime import datetime, timezone

    return f"{datetime.fromtimestamp(NOW + seconds, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def test_the_committed_page_is_the_one_that_the_table_gives():
    committed = Path(__file__).parents[2] / "docs" / "waiting.md"
    command = "python -m fairing_az_jupyter.clients.kube.diagnosis.waits > docs/waiting.md"
    assert committed.read_text(encoding="utf-8") == page(), f"write it again: {command}"


def test_the_page_names_only_settings_that_there_are():
    import re

    assert set(re.findall(r"FAIRING_[A-Z_]+", page())) <= set(notebook_names().values())


def test_every_condition_has_a_source_and_one_name_and_every_wait_is_used():
    assert len({each.name for each in CONDITIONS}) == len(CONDITIONS)
    assert all(source.startswith("https://") for each in CONDITIONS for source in each.sources)
    assert all(each.sources for each in CONDITIONS)
    assert {each.wait for each in CONDITIONS if each.wait} == {each.name for each in fields(Waits)}


def test_a_node_is_waited_for_as_long_as_the_setting_says_by_default():
    assert Waits().node == seconds_in(Settings().node_wait)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("unschedulable", 1800),
        ("quota", 900),
        ("webhook-unreachable", 420),
        ("volume", 480),
        ("object-missing", 180),
        ("service-account-missing", 180),
        ("not-scheduled", 1800),
        ("overlooked", 1800),
        ("rejected", 300),
        ("no-pod-yet", 3600),
        ("queued", float("inf")),
        ("image-passing", 360),
        ("image-access", 120),
        ("image-definite", 0),
        ("admission", 0),
        ("quota-unset", 0),
        ("quota-too-small", 0),
        ("container-definite", 0),
        ("program", 0),
        ("nothing of the kind", 0),
        ("disrupted", float("inf")),
    ],
)
def test_each_condition_has_its_time(name, seconds):
    assert condition(name).seconds(Waits()) == seconds
    assert condition(name).seconds(Waits(node=7)) == (
        7 if name == "unschedulable" else 60 if name in {"not-scheduled", "overlooked"} else seconds
    )


def test_the_kubelets_fifth_retry_of_a_pull_comes_within_the_wait_for_it():
    assert sum((10, 20, 40, 80, 160)) < Waits().image


# Source: pkg/util/goroutinemap/exponentialbackoff of Kubernetes: 0.5 s, doubled up to 2 min 2 s.
MOUNTS = [sum(0.5 * 2**number for number in range(count)) for count in range(1, 9)]
# Source: pkg/controller/job/job_controller.go: 1 s, doubled up to 1 min.
JOBS = [sum(min(2**number, 60) for number in range(count)) for count in range(1, 12)]
# Source: client-go's DefaultControllerRateLimiter: 5 ms, doubled up to 1000 s.
REPLICA_SETS = [0.005 * 2**count for count in range(1, 18)]


@pytest.mark.parametrize(
    ("retries", "name"),
    [(MOUNTS, "object"), (JOBS, "object"), (JOBS, "webhook"), (REPLICA_SETS, "webhook"), (REPLICA_SETS, "quota")],
)
def test_what_is_put_right_within_half_of_a_wait_is_met_by_another_try_of_the_cluster(retries, name):
    wait = getattr(Waits(), name)
    assert any(wait / 2 <= each < wait for each in retries), retries


def test_a_wait_is_reported_at_once_then_more_and_more_rarely():
    due, times = 0.0, []
    while due < 1300:
        times.append(due)
        due = reports_after(due)
    assert times == [0, 30, 60, 120, 300, 600, 900, 1200]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (3.4, "3 s"), (60, "1 min"), (90, "90 s"), (150, "2 min"), (3600, "1 h"), (5400, "1 h 30 min")],
)
def test_durations_are_put_into_words(seconds, text):
    assert duration(seconds) == text


NO_NODE = Diagnosis("unschedulable", "No node takes pod 'p'.", "See", condition="unschedulable", pod="p")


def test_a_wait_says_how_long_it_has_lasted_and_how_long_it_may():
    assert str(Problem(NO_NODE, 1800)) == "No node takes pod 'p'. Waiting for up to 30 min."
    assert str(Problem(NO_NODE, 1800, 130)) == "No node takes pod 'p'. Waiting for 2 min so far, at most 30 min."
    assert str(Problem(NO_NODE, float("inf"), 130)) == "No node takes pod 'p'. Waiting for 2 min so far."


def test_a_wait_for_a_node_that_is_over_says_how_to_wait_longer():
    ended = NO_NODE.after(1800)
    assert ended.message == "No node takes pod 'p'. It lasted 30 min."
    assert "FAIRING_NODE_WAIT" in ended.hint
    assert "FAIRING_NODE_WAIT" not in Diagnosis("volume", "m", "h", condition="volume").after(480).hint


PULL = Diagnosis("image-unreachable", "", "", condition="image-passing", pod="p", container="main")
DENIED = Diagnosis("image-unauthorized", "", "", condition="image-access", pod="p", container="main")


def test_a_pull_that_fails_in_different_ways_has_one_clock():
    clocks = Clocks(Waits(image=300, access=120), "j")
    assert clocks.see(PULL, 0.0)[0] is not None
    assert clocks.see(DENIED, 20.0) == (None, None)
    assert clocks.see(PULL, 40.0)[0].waited == 40
    for seconds in (60.0, 80.0, 100.0):
        assert clocks.see(PULL, seconds)[1] is None
    assert clocks.see(DENIED, 121.0) == (Problem(DENIED, 140, 121, "j"), None)
    report, over = clocks.see(DENIED, 140.0)
    assert report is None
    assert over.code == "image-unauthorized"


QUOTA = Diagnosis("quota", "", "", condition="quota")
WEBHOOK = Diagnosis("webhook-unreachable", "", "", condition="webhook-unreachable")


@pytest.mark.parametrize(
    ("first", "then", "limit"), [(PULL, DENIED, 120), (QUOTA, WEBHOOK, 420), (WEBHOOK, QUOTA, 900)]
)
def test_a_condition_that_comes_late_has_its_whole_time_and_another_one_does_not_renew_it(first, then, limit):
    clocks = Clocks(Waits(), "j")
    for seconds in range(0, 300, 10):
        assert clocks.see(first, float(seconds))[1] is None
    for seconds in range(300, 300 + limit, 10):
        # It is seen in between as well, but not after its own time.
        other = first if seconds == 310 else then
        assert clocks.see(other, float(seconds))[1] is None
    assert clocks.see(then, 300.0 + limit)[1].code == then.code


AGAIN = Diagnosis("pulling", "", "", condition="starting", pod="p", container="main")


@pytest.mark.parametrize("pull", [25, 40, 200])
def test_the_time_of_an_attempt_to_pull_is_not_counted_and_the_failures_before_it_are_not_forgotten(pull):
    clocks, now, failing = Clocks(Waits(image=100), "j"), 0.0, 0.0
    while failing < 100:
        for _ in range(10):
            assert clocks.see(PULL, now)[1] is None
            now, failing = now + 1, failing + 1
        for _ in range(pull):
            assert clocks.see(AGAIN, now)[1] is None
            now += 1
    assert failing == 100
    assert clocks.see(PULL, now + 11)[1].code == "image-unreachable"


def test_another_container_or_another_pod_has_a_clock_of_its_own():
    clocks = Clocks(Waits(image=10), "j")
    clocks.see(PULL, 0.0)
    for other in (replace(PULL, container="second"), replace(PULL, pod="q"), NO_NODE):
        report, over = clocks.see(other, 11.0)
        assert over is None
        assert report.waited == 0


def test_a_condition_that_is_gone_for_a_moment_goes_on_and_one_that_is_gone_for_longer_begins_anew():
    clocks = Clocks(Waits(image=60), "j")
    clocks.see(PULL, 0.0)
    assert clocks.see(None, 5.0) == (None, None)
    clocks.see(PULL, 25.0)
    assert clocks.see(PULL, 50.0)[0].waited == 50
    assert clocks.see(None, 90.0) == (None, None)
    assert clocks.see(PULL, 91.0)[0].waited == 0


def test_news_is_reported_before_its_time_but_not_each_second():
    clocks = Clocks(Waits(), "j")
    clocks.see(NO_NODE, 0.0)
    news = replace(NO_NODE, message="No node takes pod 'p'. Karpenter gets it a node.")
    assert clocks.see(news, 1.0) == (None, None)
    assert clocks.see(news, 6.0)[0].diagnosis is news
    assert clocks.see(news, 12.0) == (None, None)
    assert clocks.see(NO_NODE, 12.0)[0].diagnosis is NO_NODE


def test_what_is_only_being_made_is_reported_after_30_s_and_ends_after_its_own_time():
    made = Diagnosis("not-started", "", "", condition="starting", pod="p")
    clocks = Clocks(Waits(start=100), "j")
    assert clocks.see(made, 0.0) == (None, None)
    assert clocks.see(made, 29.0) == (None, None)
    assert clocks.see(made, 31.0)[0].waited == 31
    assert clocks.see(made, 50.0) == (None, None)
    assert clocks.see(made, 70.0)[1] is None
    assert clocks.see(made, 99.0)[1] is None
    assert clocks.see(made, 100.0)[1].code == "not-started"


def test_what_is_to_be_reported_at_once_does_not_wait_for_what_is_reported_late():
    clocks = Clocks(Waits(), "j")
    assert clocks.see(replace(NO_NODE, condition="overlooked"), 0.0) == (None, None)
    assert clocks.see(NO_NODE, 1.0)[0].diagnosis is NO_NODE
    assert clocks.see(NO_NODE, 2.0) == (None, None)


def test_what_can_not_pass_is_over_at_once():
    clocks = Clocks(Waits(), "j")
    definite = Diagnosis("image-not-found", "", "", condition="image-definite", pod="p")
    assert clocks.see(definite, 0.0) == (None, definite)


def test_a_disruption_says_why_and_how_many_it_were():
    said = str(Disrupted("Job", "fairing-job-1", "p", "EvictionByEvictionAPI", "Eviction API: evicting", 2))
    assert said == (
        "Pod 'p' was removed (its node is drained, or removed by the autoscaler: Eviction API: evicting). A new pod "
        "starts; disruption 2 of Job 'fairing-job-1'."
    )


def test_a_retry_says_which_attempt_failed_and_which_comes():
    why = Diagnosis("container-failed", "Container 'm' of pod 'p' ended with exit code 1.", "")
    said = str(Retried("fairing-job-1", why, 1, 3))
    assert said == "Attempt 1 of 3 failed. Container 'm' of pod 'p' ended with exit code 1. Attempt 2 of 3 starts."


def pod(**more):
    return {"metadata": {"name": "p", "creationTimestamp": at(-500)}, **more}


def test_a_wait_for_a_node_lasts_since_the_pod_was_made():
    assert lasted(NO_NODE, None, [pod()], [], now=NOW) == 500


def test_a_pull_that_fails_lasts_since_its_first_failure_and_not_since_the_pod_was_made():
    pull = Diagnosis("image-unreachable", "", "", condition="image-passing", pod="p")
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(-400)}
    one = pod(status={"conditions": [scheduled]})
    assert lasted(pull, None, [one], [], now=NOW) == 400
    about = {"involvedObject": {"name": "p"}, "firstTimestamp": at(-20)}
    other = {"reason": "Failed", "message": "Error: something else", **about, "firstTimestamp": at(-300)}
    failed = {"reason": "Failed", "message": 'Failed to pull image "x": i/o timeout', **about}
    assert lasted(pull, None, [one], [other, failed], now=NOW) == 20


def test_what_keeps_a_job_from_its_pod_lasts_since_the_controller_first_said_so():
    quota = Diagnosis("quota", "", "", condition="quota")
    owner = {"metadata": {"creationTimestamp": at(-90)}}
    assert lasted(quota, owner, [], [], now=NOW) == 90
    said = {"reason": "FailedCreate", "involvedObject": {"name": "train"}, "firstTimestamp": at(-80)}
    assert lasted(quota, owner, [], [said], now=NOW) == 80
    assert lasted(quota, None, [], [], now=NOW) == 0


SECRET = Diagnosis("secret-missing", "", "", condition="object-missing", pod="p")
VOLUME = Diagnosis("volume", "", "", condition="volume", pod="p")
CONTAINER = Diagnosis("container-config", "", "", condition="container-passing", pod="p")


@pytest.mark.parametrize(
    ("diagnosis", "reason", "before", "own"),
    [
        (PULL, "Failed", "Failed to pull image: 401 Unauthorized", "Failed to pull image: i/o timeout"),
        (DENIED, "Failed", "Failed to pull image: i/o timeout", "Failed to pull image: 401 Unauthorized"),
        (QUOTA, "FailedCreate", 'failed calling webhook "w": context deadline exceeded', "exceeded quota: q"),
        (SECRET, "FailedMount", "timed out waiting for the condition", 'secret "s" not found'),
        (VOLUME, "FailedMount", 'configmap "c" not found', "Multi-Attach error for volume"),
        (CONTAINER, "Failed", "Failed to pull image: i/o timeout", "Error: failed to reserve container name"),
        (CONTAINER, "Failed", "Error: ImagePullBackOff", "Error: failed to reserve container name"),
    ],
)
def test_a_condition_lasts_since_its_own_first_event_and_not_since_another_one_of_its_kind(
    diagnosis, reason, before, own
):
    about = {"reason": reason, "involvedObject": {"name": diagnosis.pod or "train"}}
    events = [{**about, "message": before, "firstTimestamp": at(-300)}]
    events += [{**about, "message": own, "firstTimestamp": at(-20)}]
    assert lasted(diagnosis, None, [pod()], events, now=NOW) == 20
    assert lasted(diagnosis, None, [pod()], events[:1], now=NOW) == 300
