"""A notebook's tasks that need images, and what counts what their builds send."""

from __future__ import annotations

import logging
import sys

import cloudpickle
import pytest
from kubeflow.fairing import TrainJob

START = 3


class Counter:
    def train(self):
        import greeter

        print(greeter.greeting, START)


@pytest.fixture(autouse=True)
def as_in_a_notebook(request):
    """Pickle what the test's module and this one define by value, as what a notebook's cells define."""
    modules = {sys.modules[__name__], request.module}
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    yield
    for module in modules:
        cloudpickle.unregister_pickle_by_value(module)


class Yard:
    """Tasks of one notebook, and what it takes to launch them."""

    def __init__(self, workshop):
        self.workshop, self.stand, self.path = workshop, workshop.stand, f"{workshop.namespace}/ml"

    def task(self, requirements="greeter==1.0\n", files=(), **more):
        if requirements is not None:
            with open("requirements.txt", "w") as file:
                file.write(requirements)
        named = [*files, *(["requirements.txt"] if requirements is not None else [])]
        # The stand's registries share what they keep; below a path of its own nothing is there yet.
        registry = f"{self.workshop.setup.login_server}/{self.path}"
        base = more.pop("base", self.workshop.base)
        mutators = more.pop("mutators", None)
        backend = self.workshop.backend(**more)
        return TrainJob(
            Counter,
            input_files=named,
            docker_registry=registry,
            base_docker_image=base,
            backend=backend,
            pod_spec_mutators=mutators,
        )

    def counted(self, run):
        """Run something; return what it sent: pods made, blobs written, layers and manifests sent to the registry."""
        pods = f"/api/v1/namespaces/{self.workshop.namespace}/pods"
        before = {"builds": len(self.builds), "blobs": self.stand.blob_front.count(".*", "PUT")}
        before["layers"] = self.stand.registry_front.count("/v2/.*/blobs/uploads/.*", "POST")
        value = run()
        after = {"builds": len(self.builds), "blobs": self.stand.blob_front.count(".*", "PUT")}
        after["layers"] = self.stand.registry_front.count("/v2/.*/blobs/uploads/.*", "POST")
        assert pods
        return value, {name: after[name] - before[name] for name in before}

    @property
    def builds(self):
        path = f"/apis/batch/v1/namespaces/{self.workshop.namespace}/jobs"
        return [call for call in self.stand.kubernetes_front.calls if (call.method, call.path) == ("POST", path)]


@pytest.fixture
def yard(workshop, caplog):
    caplog.set_level(logging.INFO, "kubeflow.fairing")
    workshop.index.add("greeter", "1.0", {"greeter.py": "greeting = 'one'\n"})
    workshop.index.add("greeter", "2.0", {"greeter.py": "greeting = 'two'\n"})
    return Yard(workshop)
