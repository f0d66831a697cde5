"""A namespace of the stand in which endpoints are deployed, and the server that runs there."""

from __future__ import annotations

import base64
import contextlib
import os
import time

import pytest
import requests
from kubernetes.client import V1Container, V1PodSpec, V1SecretVolumeSource, V1Volume, V1VolumeMount

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.fairing.endpoints.deployment import ClusterServing
from tests.cluster.job_scene import launched_from

SERVER = """
import argparse, http.server, json, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
parser = argparse.ArgumentParser()
parser.add_argument("name")
parser.add_argument("--host")
parser.add_argument("--port", type=int)
given = parser.parse_args()
class Model(http.server.BaseHTTPRequestHandler):
    def answer(self, status, content):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())
    def do_GET(self):
        self.answer(200 if self.path == f"/v2/models/{given.name}/ready" else 404, {})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, {"pod": os.environ["HOSTNAME"], "path": self.path})
print("serving", given.name)
http.server.ThreadingHTTPServer((given.host, given.port), Model).serve_forever()
"""


class Place:
    """A namespace with a launcher, a server to run there, and what is in it."""

    def __init__(self, stand, setup, image, kind=ClusterServing):
        self.setup, self.image, self.namespace, self.kind = setup, image, setup.namespace, kind
        self.admin = stand.control_plane.admin
        self.core = f"/api/v1/namespaces/{setup.namespace}"
        self.launcher = launched_from({**os.environ, **setup.environment}, setup.service_account, setup.namespace)
        self.deployers = []

    def serving(self, server=SERVER, *, in_cluster=False, image=None, secret=None, **more):
        self.launcher.in_cluster = in_cluster
        if secret is None:
            data = {"fairing_serving.py": base64.b64encode(server.encode()).decode()}
            secret = f"app-{len(self.deployers)}{len(server)}"
            self.admin.post(f"{self.core}/secrets", {"metadata": {"name": secret}, "data": data})
        self.secret = secret

        def with_server(kube_manager, pod_spec, namespace):
            pod_spec.containers[0].volume_mounts = [V1VolumeMount(name="app", mount_path="/app")]
            pod_spec.volumes = [V1Volume(name="app", secret=V1SecretVolumeSource(secret_name=secret))]

        deployer = self.kind(self.launcher, "Model", pod_spec_mutators=[with_server], **more)
        self.deployers.append(deployer)
        container = V1Container(name="model", image=image or self.image, command=["python", "x.py"])
        return deployer, V1PodSpec(containers=[container])

    def left(self):
        paths = [f"/apis/apps/v1/namespaces/{self.namespace}/{kind}" for kind in ("deployments", "replicasets")]
        paths += [f"{self.core}/{kind}" for kind in ("pods", "services")]
        paths += [f"/apis/serving.kserve.io/v1beta1/namespaces/{self.namespace}/inferenceservices"]
        return [item["metadata"]["name"] for path in paths for item in self.admin.get(path)["items"]]

    def nothing_left(self, seconds=60):
        """Wait until everything is gone: what a failed launch has told to go may take its time on a busy machine."""
        end = time.monotonic() + seconds
        while left := self.left():
            assert time.monotonic() < end, left
            time.sleep(0.2)
        return True

    def pods(self):
        items = self.admin.get(f"{self.core}/pods")["items"]
        return [pod["metadata"]["name"] for pod in items if "deletionTimestamp" not in pod["metadata"]]


@pytest.fixture
def endpoint_place(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    found = Place(stand, setup, node.push_base(setup.login_server, setup.dockerconfig))
    with found.launcher:
        yield found
        for deployer in found.deployers:
            with contextlib.suppress(FairingAzureError):
                deployer.delete()


def ask(url):
    with requests.Session() as session:
        session.trust_env = False
        return session.post(url, data=b"{}", timeout=10).json()
