"""The time line of a launch in a real cluster: phases in their order, and what the cluster says about pods."""

from __future__ import annotations

import time

import pytest

from fairing_az_jupyter.clients.azure.acr_tasks import ROLE
from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.exceptions import BuildFailedError, EndpointError, JobFailedError
from fairing_az_jupyter.launch_events import Phase, listening
from tests.cluster.job_scene import Place as JobPlace
from tests.cluster.serving_scene import Place as EndpointPlace
from tests.cluster.yard_scene import as_in_a_notebook  # noqa: F401 - fixtures
from tests.heard_events import into


class Heard(list):
    """What was told: kind, name, value and message of each."""

    @property
    def steps(self):
        return [(name, value) for kind, name, value, _ in self if kind == "phase"]

    @property
    def reasons(self):
        return {value for kind, _, value, _ in self if kind == "pod-event"}

    def message(self, name, value):
        (message,) = [each[3] for each in self if each[:3] == ("phase", name, value)]
        return message


@pytest.fixture
def heard():
    found = Heard()
    with listening(into(found)):
        yield found


def pairs(*names):
    return [(name, value) for name in names for value in ("started", "finished")]


def place_of(kind, node, stand, namespace):
    setup = stand.correct_setup(namespace)
    return kind(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))


def test_a_launch_goes_through_all_phases_and_the_second_builds_nothing(yard, heard):
    assert yard.task().submit().lines == ("one 3",)

    assert heard.steps == pairs("context", "build", "push", "schedule", "run")
    assert yard.workshop.setup.account in heard.message("context", "finished")
    assert "fairing-dependencies" in heard.message("build", "finished")
    assert {"Scheduled", "Pulled", "Started"} <= heard.reasons
    events = [each for each in heard if each[0] == "pod-event"]
    assert len(events) == len(set(events)) < 60
    assert {each[1].rpartition("-")[0].rpartition("-")[0] for each in events} <= {"fairing-build", "fairing-job"}
    assert not [mark for mark in yard.workshop.setup.marks if mark in repr(heard)]

    heard.clear()
    yard.task().submit()

    skipped = [("build", "skipped"), ("push", "skipped")]
    assert heard.steps == [*pairs("context"), *skipped, *pairs("schedule", "run")]
    assert "already exists" in heard.message("build", "skipped")


def test_a_task_without_requirements_skips_the_build_and_pushes(yard, heard):
    yard.task(None).builder.build()

    assert heard.steps == [*pairs("context"), ("build", "skipped"), *pairs("push")]


@pytest.mark.parametrize("builder", ["kaniko", "acr-tasks"])
def test_each_builder_that_builds_the_whole_image_has_the_same_phases(yard, heard, tasks, builder):
    yard.stand.arm.assign(yard.workshop.setup.oid, ROLE, yard.workshop.setup.registry)

    yard.task(builder=builder).builder.build()

    assert heard.steps == pairs("context", "build", "push")


def test_a_build_that_fails_is_marked_and_nothing_is_pushed(yard, heard):
    with pytest.raises(BuildFailedError):
        yard.task("no-such-package==1.0\n").submit()

    assert heard.steps == [*pairs("context"), ("build", "started"), ("build", "failed")]
    said = heard.message("build", "failed")
    assert "could not be built" in said
    assert said.endswith(".")


def test_a_base_image_that_is_not_there_marks_the_context(yard, heard):
    with pytest.raises(Exception, match="has no image"):
        yard.task(base=f"{yard.workshop.setup.login_server}/no/such:1").submit()

    assert heard.steps == [("context", "started"), ("context", "failed")]


def test_a_job_that_fails_marks_its_run(node, stand, namespace, heard):
    place = place_of(JobPlace, node, stand, namespace)
    with place.launcher, pytest.raises(JobFailedError):
        place.run("raise SystemExit(3)")

    assert heard.steps == [*pairs("schedule"), ("run", "started"), ("run", "failed")]
    assert place.nothing_left()


def test_an_image_that_is_not_there_marks_the_schedule_with_the_reasons(node, stand, namespace, heard):
    place = place_of(JobPlace, node, stand, namespace)
    image = f"{place.setup.login_server}/no/such:1"
    with place.launcher, pytest.raises(JobFailedError):
        place.run("pass", image=image)

    assert heard.steps == [("schedule", "started"), ("schedule", "failed")]
    assert "Pulling" in heard.reasons
    assert heard.reasons & {"ErrImagePull", "ImagePullBackOff", "Failed"}
    assert image in heard.message("schedule", "failed")


def test_a_pod_that_no_node_takes_tells_why_it_waits(node, stand, namespace, heard):
    place = place_of(JobPlace, node, stand, namespace)

    def elsewhere(_manager, pod_spec, _namespace):
        pod_spec.node_selector = {"no-such": "label"}

    place.launcher.waits = Waits(node=3)
    begin = time.monotonic()
    with place.launcher, pytest.raises(JobFailedError):
        place.run("pass", mutators=[elsewhere])

    assert heard.steps == [("schedule", "started"), ("schedule", "failed")]
    assert any("unschedulable" in value.lower() or value == "FailedScheduling" for value in heard.reasons)
    assert any("Waiting for up to 3 s." in message for _, _, _, message in heard)
    assert time.monotonic() - begin < 60


def test_an_interrupted_job_that_is_picked_up_has_its_own_schedule_and_run(node, stand, namespace, heard):
    place = place_of(JobPlace, node, stand, namespace)
    interrupted = False

    def interrupt(event):
        nonlocal interrupted
        if event == Phase("run", "started") and not interrupted:
            interrupted = True
            raise KeyboardInterrupt

    code = "import time; time.sleep(4); print('done')"
    with place.launcher:
        with pytest.raises(KeyboardInterrupt), listening(interrupt):
            place.run(code)
        assert heard.steps == [*pairs("schedule"), ("run", "started"), ("run", "failed")]
        heard.clear()
        assert place.run(code).lines == ("done",)

    assert heard.steps == pairs("schedule", "run")
    assert place.nothing_left()


def test_an_endpoint_is_scheduled_and_then_served(node, stand, namespace, heard):
    place = place_of(EndpointPlace, node, stand, namespace)
    with place.launcher:
        deployer, spec = place.serving()
        url = deployer.deploy(spec)
        deployer.delete()

    assert heard.steps == pairs("schedule", "serve")
    assert url in heard.message("serve", "finished")
    assert "Started" in heard.reasons


def test_an_endpoint_that_crashes_marks_its_serving(node, stand, namespace, heard):
    place = place_of(EndpointPlace, node, stand, namespace)
    with place.launcher:
        deployer, spec = place.serving("raise SystemExit(9)")
        with pytest.raises(EndpointError):
            deployer.deploy(spec)

    assert heard.steps == [*pairs("schedule"), ("serve", "started"), ("serve", "failed")]
    assert place.left() == []
