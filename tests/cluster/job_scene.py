"""A namespace of the stand in which jobs are deployed, and what is left in it."""

from __future__ import annotations

import dataclasses
import os
import textwrap
import time

import pytest
from kubernetes.client import V1Container, V1PodSpec

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.clients.kube.workloads import Workloads
from fairing_az_jupyter.fairing.cluster.manifests import Placement, Target
from fairing_az_jupyter.fairing.jobs.training_job import ClusterJob
from fairing_az_jupyter.settings import Settings

BATCH = "/apis/batch/v1/namespaces"


SMALL = Placement(cpu="100m", memory="64Mi")


@dataclasses.dataclass
class Launch:
    """What a deployer takes of a launcher."""

    workloads: Workloads
    target: Target
    in_cluster: bool = True
    placement: Placement = SMALL
    waits: Waits = dataclasses.field(default_factory=Waits)
    settings: Settings = dataclasses.field(default_factory=Settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.workloads.close()


def launched_from(environ, folder, namespace):
    cluster = Cluster.connect(environ=environ, service_account_folder=folder)
    return Launch(Workloads(cluster), Target(namespace, "default-editor", "acrcreds", "tester"))


class Place:
    """A namespace with a launcher, and what is in it."""

    def __init__(self, stand, setup, image):
        self.setup, self.image, self.namespace = setup, image, setup.namespace
        self.admin = stand.control_plane.admin
        self.launcher = launched_from({**os.environ, **setup.environment}, setup.service_account, setup.namespace)

    def spec(self, code, **more):
        command = ["python", "-c", textwrap.dedent(code)]
        return V1PodSpec(containers=[V1Container(name="model", image=more.pop("image", self.image), command=command)])

    def run(self, code, *, mutators=None, deadline=None, **more):
        return ClusterJob(self.launcher, mutators, deadline=deadline).deploy(self.spec(code, **more))

    def left(self):
        paths = [f"{BATCH}/{self.namespace}/jobs", f"/api/v1/namespaces/{self.namespace}/pods"]
        return [item["metadata"]["name"] for path in paths for item in self.admin.get(path)["items"]]

    def nothing_left(self, seconds=20):
        end = time.monotonic() + seconds
        while left := self.left():
            assert time.monotonic() < end, left
            time.sleep(0.1)
        return True


@pytest.fixture
def job_place(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    found = Place(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))
    with found.launcher:
        yield found
