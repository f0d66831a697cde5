"""A cluster of some configuration, what `check` says of it, what a launch meets there, and whether the two agree."""

from __future__ import annotations

import base64
import dataclasses
import pathlib
import re
import sys

import cloudpickle
import pytest
from kubeflow.fairing import TrainJob
from kubernetes.client import V1Container, V1PodSpec, V1SecretVolumeSource, V1Volume, V1VolumeMount

from fairing_az_jupyter.fairing.cluster.connections import Launcher
from fairing_az_jupyter.settings import to_notebook
from tests.cluster.real_launches_scene import at_once
from tests.cluster.serving_scene import SERVER
from tests.preflight.scene import Scene

# Why a launch fails, by the code of its error, and the checks with their codes that say the same.
REASONS = {
    "admission-denied": r"launch\.\w+:policy",
    "base-image|reset|unreachable": r"image\.base:.*",
    "image-unauthorized|image-not-found|credential|not-allowed(-push)?|denied|docker-config.*|not-found|forbidden": (
        r"(image|registry|azure|storage|permissions)\..*|cluster\.(pull-secret|service-account):.*"
    ),
    "image-.*": r"image\..*",
    "invalid|limit-range": r"launch\.\w+:(limit-range|invalid)",
    "not-allowed-by-rule": r"launch\.\w+:(policy|limit-range|not-allowed-by-rule)",
    "pod-security": r"launch\.\w+:pod-security",
    "quota.*": r"(launch\.\w+|cluster\.quota):quota.*",
    "service-account-missing": r"cluster\.service-account:.*",
    "unschedulable.*": r"cluster\.nodes:.*",
}


class Counter:
    def train(self):
        print(sum(range(4)))


@pytest.fixture(autouse=True)
def as_in_a_notebook():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


class Cluster:
    """A namespace in which somebody launches, and what its administrator can do to it."""

    def __init__(self, workshop, policies, pools):
        self.workshop, self.stand, self.setup = workshop, workshop.stand, workshop.setup
        self.policies, self.pools, self.admin = policies, pools, workshop.admin
        self.namespace, self.host = workshop.namespace, workshop.setup.login_server
        self.core = f"/api/v1/namespaces/{self.namespace}"
        self.settings = {}
        self.builds = False

    def label(self, labels):
        kind = "application/merge-patch+json"
        self.admin.patch(self.core, {"metadata": {"labels": labels}}, kind)

    def take(self, configuration):
        given = {
            field: value.replace("{host}", self.host) if isinstance(value, str) else value
            for field, value in configuration.settings.items()
        }
        self.settings |= given
        self.builds = self.builds or configuration.builds
        configuration.make(self)

    def check(self):
        scene = Scene.of(self.stand, self.setup)
        scene.settings |= to_notebook(self.workshop.settings(**self.settings))
        scene.installs = self.builds
        return {name: result for name, result in scene.check().items() if result.status not in {"pass", "skipped"}}

    def launch(self):
        """Launch a training, an endpoint, and a build where one is wanted; return their outcomes."""
        builds = {"build": self._build} if self.builds else {}
        return at_once(job=self._train, endpoint=self._serve, **builds)

    def _train(self):
        return self._task().submit()

    def _build(self):
        self.workshop.index.add("greeter", "1.0", {"greeter.py": "greeting = 'one'\n"})
        pathlib.Path("requirements.txt").write_text("greeter==1.0\n")
        self._task("requirements.txt").builder.build()

    def _task(self, *files):
        settings = self.workshop.settings(**self.settings)
        return TrainJob(
            Counter,
            input_files=[*files],
            # The stand's registries share what they keep; below a path of its own nothing is there yet.
            docker_registry=f"{self.host}/{self.namespace}",
            base_docker_image=settings.base_image,
            backend=self.workshop.backend(**self.settings),
        )

    def _serve(self):
        data = {"fairing_serving.py": base64.b64encode(SERVER.encode()).decode()}
        self.admin.call("POST", f"{self.core}/secrets", {"metadata": {"name": "server"}, "data": data})

        def with_server(kube_manager, pod_spec, namespace):
            pod_spec.containers[0].volume_mounts = [V1VolumeMount(name="app", mount_path="/app")]
            pod_spec.volumes = [V1Volume(name="app", secret=V1SecretVolumeSource(secret_name="server"))]

        backend = self.workshop.backend(**self.settings)
        deployer = backend.get_serving_deployer("Model", pod_spec_mutators=[with_server])
        container = V1Container(name="model", image=self.workshop.base, command=["python", "x.py"])
        try:
            return deployer.deploy(V1PodSpec(containers=[container]))
        finally:
            deployer.delete()


@pytest.fixture
def cluster(workshop, policies, pools, monkeypatch):
    # What does not pass here never will: minutes would tell no more than seconds.
    wanted = Launcher.waits.fget
    short = dict.fromkeys(["quota", "webhook", "volume", "object", "image", "access", "container"], 8.0)
    monkeypatch.setattr(Launcher, "waits", property(lambda self: dataclasses.replace(wanted(self), **short)))
    made = Cluster(workshop, policies, pools)
    yield made
    made.stand.names.open_all()


def same_reason(error, found):
    """Tell whether what a launch failed of is what a check has found."""
    code = str(getattr(error, "code", ""))
    wanted = next((words for each, words in REASONS.items() if re.fullmatch(each, code)), "nothing")
    return any(re.fullmatch(wanted, f"{name}:{result.code}") for name, result in found.items())


def judged(cluster):
    found = cluster.check()
    outcomes = cluster.launch()
    errors = {name: outcome.error for name, outcome in outcomes.items() if outcome.error is not None}
    return found, errors, {name: (one.status, one.code, one.message) for name, one in found.items()}


def holds(cluster):
    found, errors, told = judged(cluster)
    failed = {name for name, one in found.items() if one.status == "fail"}
    if errors:
        assert found, errors
        unnamed = {name: (error.code, str(error)) for name, error in errors.items() if not same_reason(error, found)}
        assert not unnamed, (unnamed, told)
    else:
        assert not failed, told
        assert all(one.status == "warn" for one in found.values()), told
    return found, errors
