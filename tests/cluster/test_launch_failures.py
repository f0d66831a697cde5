"""What can go wrong with a launch, provoked for real: each is raised within 10 s of the cluster knowing it."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.exceptions import BuildFailedError, EndpointError, JobFailedError
from fairing_az_jupyter.fairing.cluster.manifests import Placement
from tests.cluster.job_scene import Place as JobPlace
from tests.cluster.serving_scene import Place as EndpointPlace
from tests.cluster.yard_scene import Yard, as_in_a_notebook  # noqa: F401 - a fixture

LIMIT = 10.0


class Knowing:
    """Looks what the API server knows, and remembers when it was first so."""

    def __init__(self, admin, namespace, knows):
        self._admin, self._namespace, self._knows = admin, namespace, knows
        self._over, self.since = threading.Event(), None
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
        # It may have been raised before this one has looked, and a list may be a moment behind a watch.
        end = time.monotonic() + 5
        while self.since is None and time.monotonic() < end:
            if self._knows(self) or given_up(self):
                self.since = time.monotonic()
            time.sleep(0.1)

    def items(self, group, kind):
        return self._admin.get(f"{group}/namespaces/{self._namespace}/{kind}")["items"]

    def _look(self):
        while not self._over.wait(0.1) and self.since is None:
            if self._knows(self):
                self.since = time.monotonic()


def containers(known):
    pods = known.items("/api/v1", "pods")
    return [state for pod in pods for state in pod["status"].get("containerStatuses", ())]


def waiting(*reasons):
    return lambda known: any(state["state"].get("waiting", {}).get("reason") in reasons for state in containers(known))


def ended(known):
    return any(state["state"].get("terminated", {}).get("exitCode") for state in containers(known))


def unscheduled(known):
    # The event stays where a launch that waits for no node has taken its pod away already.
    pods, events = known.items("/api/v1", "pods"), known.items("/api/v1", "events")
    decided = (c.get("reason") == "Unschedulable" for pod in pods for c in pod["status"].get("conditions", ()))
    return any(decided) or any(event["reason"] == "FailedScheduling" for event in events)


def not_created(known):
    return any(event["reason"] == "FailedCreate" for event in known.items("/api/v1", "events"))


def given_up(known):
    jobs = known.items("/apis/batch/v1", "jobs")
    return any(c["type"] in {"FailureTarget", "Failed"} for job in jobs for c in job["status"].get("conditions", ()))


@pytest.fixture
def job(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    found = JobPlace(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))
    with found.launcher:
        yield found


def raised(place, kind, knows, launch):
    with Knowing(place.admin, place.namespace, knows) as known:
        with pytest.raises(kind) as caught:
            launch()
        now = time.monotonic()
    assert known.since is not None, f"nobody knew: {caught.value}"
    assert now - known.since < LIMIT
    assert caught.value.hint
    return caught.value


def quota(place, hard):
    body = {"metadata": {"name": "team"}, "spec": {"hard": hard}}
    place.admin.post(f"/api/v1/namespaces/{place.namespace}/resourcequotas", body)
    time.sleep(1)  # until the API server has heard of it


@pytest.mark.parametrize(
    ("code", "knows", "script", "options"),
    [
        ("container-failed", ended, "raise SystemExit(3)", {}),
        ("oom-killed", ended, "x = bytearray(512 << 20)", {}),
        ("image-not-found", waiting("ErrImagePull", "ImagePullBackOff"), "", {"image": "{}/team/nothing:1"}),
        ("deadline", given_up, "import time; time.sleep(60)", {"deadline": 2}),
    ],
    ids=lambda value: value if isinstance(value, str) and "-" in value else "",
)
def test_a_job_that_fails_is_told_in_time(job, code, knows, script, options):
    if "image" in options:
        options = {"image": options["image"].format(job.setup.login_server)}

    assert raised(job, JobFailedError, knows, lambda: job.run(script, **options)).code == code


def test_a_job_that_no_node_takes_is_told_in_time_where_no_node_is_waited_for(job):
    job.launcher.placement, job.launcher.waits = Placement(cpu="64", memory="64Mi"), Waits(node=0)

    assert raised(job, JobFailedError, unscheduled, lambda: job.run("")).code == "unschedulable-cpu"


def test_a_job_that_no_node_takes_is_reported_in_time_also_while_it_is_waited_for(job):
    job.launcher.placement, job.launcher.waits = Placement(cpu="64", memory="64Mi"), Waits(node=20)
    reported = []
    handler = logging.Handler()
    handler.emit = lambda record: reported.append((time.monotonic(), record.getMessage()))
    logging.getLogger("kubeflow.fairing").addHandler(handler)

    with Knowing(job.admin, job.namespace, unscheduled) as known, pytest.raises(JobFailedError):
        job.run("")

    logging.getLogger("kubeflow.fairing").removeHandler(handler)
    first = next(at for at, message in reported if message.startswith("No node can run pod"))
    assert first - known.since < LIMIT


def test_a_job_beyond_the_quota_is_told_in_time(job):
    quota(job, {"pods": "0"})

    assert raised(job, JobFailedError, not_created, lambda: job.run("")).code == "quota"


def test_a_job_that_an_admission_rule_forbids_is_told_in_time(job):
    enforce = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    job.admin.patch(f"/api/v1/namespaces/{job.namespace}", enforce)

    assert raised(job, JobFailedError, not_created, lambda: job.run("")).code == "pod-security"


def test_an_endpoint_that_crashes_again_and_again_is_told_in_time(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    place = EndpointPlace(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))
    with place.launcher:
        deployer, spec = place.serving("raise SystemExit('no model')")

        error = raised(place, EndpointError, waiting("CrashLoopBackOff"), lambda: deployer.deploy(spec))

    assert error.code == "crash-loop"
    assert "no model" in str(error)
    assert place.left() == []


def test_a_build_that_fails_is_told_in_time(workshop):
    yard = Yard(workshop)

    error = raised(workshop, BuildFailedError, ended, yard.task("nobody-has-this==1\n").builder.build)

    assert error.code == "requirement"
