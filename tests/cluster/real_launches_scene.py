"""A training, a build and an endpoint of one namespace, launched at once for real, and what was said when."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time

import pytest

from fairing_az_jupyter.exceptions import FairingAzureError
from tests.cluster.job_scene import Place as JobPlace
from tests.cluster.serving_scene import Place as EndpointPlace
from tests.cluster.serving_scene import ask
from tests.cluster.yard_scene import Yard

LOGGER = "kubeflow.fairing"


@dataclasses.dataclass
class Outcome:
    """How one launch ended.

    Args:
        value: What it returned.
        error: What it raised.
        said: What was said meanwhile, each with its time (`time.time`).

    """

    value: object = None
    error: BaseException | None = None
    said: list[tuple[float, str]] = dataclasses.field(default_factory=list)

    def when(self, *words):
        """Return the time at which something was said first."""
        return next(at for at, text in self.said if any(word in text for word in words))

    def texts(self):
        return [text for _, text in self.said]


class _Heard(logging.Handler):
    def __init__(self):
        super().__init__(logging.DEBUG)
        self.by_thread = {}

    def emit(self, record):
        self.by_thread.setdefault(record.threadName, []).append((record.created, record.getMessage()))


def at_once(**launches):
    """Launch in threads what the arguments name, and return the outcomes by the same names."""
    heard, outcomes = _Heard(), {name: Outcome() for name in launches}
    logger = logging.getLogger(LOGGER)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(heard)

    def run(name):
        try:
            outcomes[name].value = launches[name]()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            outcomes[name].error = error

    threads = [threading.Thread(target=run, args=(name,), name=f"{name} launch") for name in launches]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(400)
            assert not thread.is_alive(), (thread.name, heard.by_thread.get(thread.name))
    finally:
        logger.removeHandler(heard)
        logger.setLevel(level)
    for name, outcome in outcomes.items():
        outcome.said = heard.by_thread.get(f"{name} launch", [])
    return outcomes


class Launches:
    """What can be launched here; `at_once` does several of it in threads."""

    def __init__(self, workshop, node):
        setup = workshop.setup
        image = node.push_base(setup.login_server, setup.dockerconfig)
        self.workshop, self.namespace, self.admin = workshop, workshop.namespace, workshop.admin
        self.jobs, self.endpoints = (place(workshop.stand, setup, image) for place in (JobPlace, EndpointPlace))

    def train(self, code="print('trained')", **more):
        return self.jobs.run(code, **more)

    def build(self, package="greeter"):
        self.workshop.index.add(package, "1.0", {f"{package}.py": "greeting = 'one'\n"})
        task = Yard(self.workshop).task(f"{package}==1.0\n")
        task.builder.build()
        return task

    def serve(self, **more):
        deployer, spec = self.endpoints.serving(**more)
        url = deployer.deploy(spec)
        return ask(url)

    def pod_running(self, label, other=(), seconds=60):
        """Wait for a pod with a label that runs, and return its name and its node's."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for pod in self.admin.get(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=label)["items"]:
                name, states = pod["metadata"]["name"], pod["status"].get("containerStatuses", [])
                running = states and all("running" in state["state"] for state in states)
                if running and name not in other and "deletionTimestamp" not in pod["metadata"]:
                    return name, pod["spec"]["nodeName"]
            time.sleep(0.05)
        raise AssertionError(f"no pod of {label} runs in {seconds} s")

    def close(self):
        for deployer in self.endpoints.deployers:
            with contextlib.suppress(FairingAzureError):
                deployer.delete()
        for place in (self.jobs, self.endpoints):
            place.launcher.workloads.close()


@pytest.fixture
def launches(workshop, node):
    made = Launches(workshop, node)
    yield made
    made.close()
