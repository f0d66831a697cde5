"""A build that waits for its node, whose pods are replaced, or that another launch has made; no stand."""

from __future__ import annotations

import contextlib
import itertools
import logging
from types import SimpleNamespace

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.clients.kube.watching.events import (
    Disrupted,
    LogLine,
    Notice,
    Problem,
    Retried,
    Started,
    Terminated,
)
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    BuildFailedError,
    ConflictError,
    JobFailedError,
    NotFoundError,
    UnreachableError,
)
from fairing_az_jupyter.fairing.cluster.manifests import Placement, Target
from fairing_az_jupyter.fairing.images import build_access, kaniko_job
from fairing_az_jupyter.fairing.images.build_pods import BuildOrder, build_name, build_object
from fairing_az_jupyter.fairing.images.kaniko_job import build_in_cluster
from fairing_az_jupyter.settings import Settings

IMAGE = "contosoml.azurecr.io/team/fairing-dependencies:0123"
ORDER = BuildOrder(image=IMAGE, tag="0123", base="docker.io/library/python@sha256:" + "0" * 64)
NAME = build_name(IMAGE)
DIGEST = "sha256:" + "ab" * 32
NO_NODE = Problem(Diagnosis("unschedulable", "No node.", "Add one.", "unschedulable", pod="p-1"), 7200.0)
SCHEDULED = Notice("Pod", "p-1", "Scheduled", "to n")
DONE = Terminated("p-1", "kaniko", 0, "Completed", DIGEST)


def theirs(uid, *, suspend=True):
    """The Job of the same build that another launch has made, as the cluster gives it."""
    job = build_object(ORDER, Settings(), Target("team-a", "default-editor"), Placement())
    return {**job, "metadata": {**job["metadata"], "uid": uid}, "spec": {**job["spec"], "suspend": suspend}}


class Workloads:
    """The cluster: one Job, whose events come at their times; an exception among them ends it."""

    def __init__(self, clock, script=()):
        self.clock, self.script = clock, script
        self.job = None
        self.uids = itertools.count(1)
        self.secrets, self.calls = [], []
        self.before_apply = lambda body: None

    def create(self, body):
        self.job = {**body, "metadata": {**body["metadata"], "uid": f"uid-{next(self.uids)}"}}
        return self.job

    def get(self, kind, name):
        if self.job is None:
            raise NotFoundError("None.", hint="", service="kubernetes")
        return self.job

    def apply(self, body):
        self.before_apply(body)
        if body["kind"] == "Secret":
            self.secrets.append((self.clock[0], body["metadata"]["ownerReferences"][0]["uid"], body["stringData"]))
            return
        if self.job is None or body["metadata"]["uid"] != self.job["metadata"]["uid"]:
            raise ConflictError("Another uid.", hint="", service="kubernetes", code="conflict")
        self.job = {**self.job, "spec": {**self.job["spec"], **body["spec"]}}

    def delete(self, kind, name, **_):
        self.job = None
        return True

    def follow(self, kind, name, *, waits):
        for at, event in self.script:
            self.clock[0] = at
            if isinstance(event, Exception):
                raise event
            yield event


@pytest.fixture
def scene(monkeypatch):
    clock, made = [0.0], {"links": 0, "logins": 0}
    monkeypatch.setattr(build_access, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(kaniko_job.ownership, "caring_for", lambda *_: contextlib.nullcontext())

    def count(what):
        made[what] += 1
        return SecretValue(f"{what} {made[what]}")

    monkeypatch.setattr(kaniko_job, "build_login", lambda *_: count("logins"))

    def build(script, **settings):
        workloads = scene.workloads
        workloads.script = script
        launcher = SimpleNamespace(
            workloads=workloads,
            settings=Settings(**settings),
            target=Target("team-a", "default-editor"),
            placement=Placement(),
            waits=Waits(),
        )
        return build_in_cluster(launcher, ORDER, scene.link)

    scene = SimpleNamespace(
        clock=clock, made=made, build=build, workloads=Workloads(clock), link=lambda: count("links")
    )
    return scene


@pytest.mark.parametrize(("wait", "seconds"), [("30m", 5400), ("3h", 3600 * 4), ("0", 3600)])
def test_the_wait_for_a_node_takes_nothing_from_the_time_of_a_build(wait, seconds):
    body = build_object(ORDER, Settings(node_wait=wait), Target("team-a", "default-editor"), Placement())

    assert body["spec"]["activeDeadlineSeconds"] == seconds


def test_a_build_that_gets_its_node_at_once_keeps_what_it_was_given(scene):
    script = [(1, SCHEDULED), (2, Started("p-1", "context")), (400, NO_NODE), (500, DONE)]

    assert scene.build(script) == DIGEST
    assert [at for at, *_ in scene.workloads.secrets] == [0]


def test_a_build_that_waits_for_long_gets_a_fresh_login_while_it_waits_and_the_same_link(scene):
    waits = [(at, NO_NODE) for at in (0, 30, 60, 120, 300, 600, 900)]
    script = [*waits, (930, SCHEDULED), (931, Started("p-1", "context")), (2000, NO_NODE), (2500, DONE)]

    scene.build(script)

    assert [at for at, *_ in scene.workloads.secrets] == [0, 300, 600, 900]
    assert {uid for _, uid, _ in scene.workloads.secrets} == {"uid-1"}
    given = [data for *_, data in scene.workloads.secrets]
    assert [each["config.json"] for each in given] == ["logins 1", "logins 2", "logins 3", "logins 4"]
    assert {each["link"] for each in given} == {"links 1"}


def test_a_build_whose_pod_is_taken_away_after_long_has_a_fresh_login_for_the_next_one(scene):
    taken = Disrupted("Job", NAME, "p-1", "EvictionByEvictionAPI", "", 1)
    script = [(1, SCHEDULED), (2, Started("p-1", "context")), (1800, taken), (1900, DONE)]

    scene.build(script)

    assert [at for at, *_ in scene.workloads.secrets] == [0, 1800]


def test_who_follows_another_launch_s_build_renews_link_and_login_while_it_waits(scene):
    scene.workloads.job = theirs("theirs", suspend=False)

    scene.build([(10, NO_NODE), (60, NO_NODE), (300, NO_NODE), (310, SCHEDULED), (400, DONE)])

    assert [(at, uid) for at, uid, _ in scene.workloads.secrets] == [(10, "theirs"), (300, "theirs")]
    assert scene.made == {"links": 1, "logins": 2}


def test_a_login_that_can_t_be_renewed_ends_no_build_and_is_tried_again(scene, monkeypatch):
    calls = []

    def login(*_):
        calls.append(scene.clock[0])
        if scene.clock[0] == 300:
            raise UnreachableError("No answer.", hint="", service="registry")
        return SecretValue("l")

    monkeypatch.setattr(kaniko_job, "build_login", login)

    assert scene.build([(300, NO_NODE), (600, NO_NODE), (700, DONE)]) == DIGEST
    assert calls == [0, 300, 600]
    assert [at for at, *_ in scene.workloads.secrets] == [0, 600]


OVER = JobFailedError("Job was stopped at its deadline of 5400 s.", hint="Give it a longer one.", code="deadline")


@pytest.mark.parametrize(
    ("script", "waited"),
    [
        ([(300, NO_NODE), (4000, SCHEDULED), (5400, OVER)], "It waited 1 h 6 min for a node"),
        ([(300, NO_NODE), (5400, OVER)], "It waited 1 h 30 min for a node"),
        ([(5, SCHEDULED), (5400, OVER)], ""),
    ],
)
def test_a_build_whose_time_is_up_says_how_long_it_waited_and_which_settings_there_are(scene, script, waited):
    with pytest.raises(BuildFailedError) as caught:
        scene.build(script)

    assert caught.value.code == "deadline"
    assert caught.value.hint.startswith(waited or "A build may take up to 1 h.")
    assert "BUILD_CPU" in caught.value.hint
    assert "BUILDER = 'acr-tasks'" in caught.value.hint
    assert "longer deadline" not in str(caught.value)


def line(pod, text, container="kaniko"):
    return LogLine(pod, container, text)


FAILED = JobFailedError("Container 'kaniko' ended with 1.", hint="Look.", code="container-failed", returncode=1)
TAKEN = Disrupted("Job", NAME, "p-1", "EvictionByEvictionAPI", "", 1)
AGAIN = Retried(NAME, Diagnosis("container-failed", "It failed.", "", pod="p-1"), 1, 2)


@pytest.mark.parametrize("word", [TAKEN, AGAIN])
def test_a_late_word_about_a_pod_before_takes_no_line_of_the_new_one(scene, word):
    script = [line("p-1", "old"), line("p-2", "why it failed"), Terminated("p-2", "kaniko", 1, "Error"), word, FAILED]

    with pytest.raises(BuildFailedError) as caught:
        scene.build(list(enumerate(script)))

    assert caught.value.last_lines == ("why it failed",)


def test_what_a_pod_before_has_printed_is_not_told_of_the_new_one(scene):
    script = [line("p-1", "old"), Terminated("p-1", "kaniko", 137, "Error"), TAKEN, line("p-2", "new"), FAILED]

    with pytest.raises(BuildFailedError) as caught:
        scene.build(list(enumerate(script)))

    assert caught.value.last_lines == ("new",)


@pytest.mark.parametrize("when", ["packing", "secret", "job"])
@pytest.mark.parametrize("then", ["gone", "another"])
def test_a_build_of_another_launch_that_ends_while_this_one_packs_is_built_or_followed_anew(scene, when, then, caplog):
    caplog.set_level(logging.WARNING, "kubeflow.fairing")
    workloads = scene.workloads
    workloads.job = theirs("theirs")

    def over():
        if workloads.job and workloads.job["metadata"]["uid"] == "theirs":
            workloads.job = None if then == "gone" else theirs("next", suspend=False)

    if when == "packing":
        link = scene.link
        scene.link = lambda: over() or link()
    else:
        workloads.before_apply = lambda body: over() if body["kind"].lower() == when else None

    assert scene.build([(1, DONE)]) == DIGEST
    if then == "gone":
        assert workloads.secrets[-1][1] == "uid-1", "made anew, with its own Secret"
    if when == "packing":
        assert "theirs" not in {uid for _, uid, _ in workloads.secrets}


def test_a_cluster_that_never_lets_a_build_start_is_an_error_and_no_endless_loop(scene):
    scene.workloads.job = theirs("theirs")

    def refuse(body):
        raise ConflictError("No.", hint="", service="kubernetes", code="invalid")

    scene.workloads.before_apply = refuse

    with pytest.raises(ConflictError, match="No"):
        scene.build([])
    assert scene.made["links"] == 1


@pytest.mark.parametrize("message", ["", "digest unknown", DIGEST + "\n"])
def test_only_a_digest_is_taken_for_one(scene, message):
    done = Terminated("p-1", "kaniko", 0, "Completed", message)

    assert scene.build([(1, done)]) == (DIGEST if "sha256" in message else "")
