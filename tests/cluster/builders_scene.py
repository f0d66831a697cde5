"""A set-up in which tasks are built and run: Kaniko, a notebook's folder, a base image with the stand's index."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from fairing_az_jupyter.clients.oci.images import ConfigChanges, ImageReference, ImageStore, Layer
from fairing_az_jupyter.clients.oci.registry import Registry
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.settings import Settings, from_notebook
from tests.clients.image_parts import tar_of

SMALL = {"cpu": "100m", "memory": "512Mi", "build_cpu": "100m", "build_memory": "1Gi"}


class Workshop:
    """A namespace with all that a task needs, and what was done there."""

    def __init__(self, stand, setup, base, builder_image, index):
        self.stand, self.setup, self.base, self.builder_image, self.index = stand, setup, base, builder_image, index
        self.namespace, self.admin = setup.namespace, stand.control_plane.admin
        self._opened = []

    def settings(self, **more):
        given = {**from_notebook(self.setup.settings), "namespace": self.namespace, **SMALL}
        return Settings(**{**given, "base_image": self.base, "builder_image": self.builder_image, **more})

    def backend(self, *, checkpoints=None, **more):
        from kubeflow.fairing.backends import KubeflowAzureBackend

        return KubeflowAzureBackend(settings=self.settings(**more), checkpoints=checkpoints)

    @property
    def images(self):
        if not self._opened:
            self._opened.append(
                Registry(self.setup.login_server, username=self.setup.client, password=SecretValue(self.setup.secret))
            )
        return ImageStore(self._opened[0])

    def left(self):
        places = ["/apis/batch/v1", "/apis/apps/v1", "/api/v1"]
        kinds = [["jobs"], ["deployments", "replicasets"], ["pods", "services", "secrets"]]
        return sorted(
            item["metadata"]["name"]
            for place, names in zip(places, kinds, strict=True)
            for kind in names
            for item in self.admin.get(f"{place}/namespaces/{self.namespace}/{kind}")["items"]
            if item["metadata"]["name"] not in {"azcreds", "acrcreds"}
        )

    def nothing_left(self, seconds=20):
        end = time.monotonic() + seconds
        while left := self.left():
            assert time.monotonic() < end, left
            time.sleep(0.1)
        return True

    def skopeo(self, folder, verb, repository, *arguments):
        port = self.stand.registry_front.port
        certificates = folder / "certificates"
        certificates.mkdir(exist_ok=True)
        (certificates / "ca.crt").write_bytes(self.stand.authority.bundle.read_bytes())
        # skopeo asks by number: it knows nothing of the stand's names.
        self.stand.registry.also_at(f"127.0.0.1:{port}", self.setup.login_server)
        source = "--src-" if verb == "copy" else "--"
        access = [f"{source}cert-dir", str(certificates), f"{source}creds", f"{self.setup.client}:{self.setup.secret}"]
        command = ["skopeo", verb, *access, f"docker://127.0.0.1:{port}/{repository}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if verb == "inspect" else done.stdout

    def close(self):
        for registry in self._opened:
            registry.close()


@pytest.fixture
def workshop(kaniko, node, stand, namespace, package_index, tmp_path, monkeypatch):
    setup = stand.correct_setup(namespace)
    plain = node.push_base(setup.login_server, setup.dockerconfig)
    for name, value in {**setup.environment, "KUBECONFIG": str(setup.kubeconfig)}.items():
        if not name.startswith("KUBERNETES_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("FAIRING_AZURE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "notebook"
    folder.mkdir()
    monkeypatch.chdir(folder)
    found = Workshop(stand, setup, "", kaniko(setup.login_server, setup.dockerconfig), package_index)
    found.base = with_index(found.images, plain, package_index.url)
    yield found
    found.close()


def with_index(images, base, url):
    """Push a base image whose pip asks the stand's index, as an organisation's own base image does."""
    resolved = images.resolve(ImageReference.parse(base))
    env = {"PIP_INDEX_URL": url, "PIP_CERT": "/run/stand-ca.pem"}
    layer = Layer.from_bytes(tar_of({"etc/pip.txt": url.encode()}))
    pushed = images.append(
        resolved,
        images,
        layer,
        repository="with-index/python",
        tag="3.11",
        created_by="pip",
        changes=ConfigChanges(env=env),
    )
    return pushed.name.partition("@")[0] + ":3.11"
