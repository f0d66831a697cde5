"""The real Kaniko builds images as a pod of the stand's node; skopeo judges them, and the node runs them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import time
from contextlib import closing

import pytest
import requests

from fairing_az_jupyter.clients.azure.blob.contexts import ContextStore
from fairing_az_jupyter.clients.secret_values import SecretValue
from tests.clients.image_parts import files_in

FETCH = "import os, urllib.request as r; r.urlretrieve(os.environ['LINK'], '/workspace/context.tar.gz')"
DOCKERFILE = """\
FROM {base}
ARG GREETING=none
RUN echo "$GREETING" > /greeting && touch /owned && chown 1000:1001 /owned
COPY app /app
WORKDIR /app
CMD ["python3", "main.py"]
"""
MAIN = "import os; s = os.stat('/owned'); print(open('/greeting').read().strip(), s.st_uid, s.st_gid, os.getcwd())"
INSTALL = """\
FROM {base}
ARG PIP_INDEX_URL
ARG PIP_CERT
COPY requirements.txt /requirements.txt
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check -r /requirements.txt
CMD ["python3", "-c", "import greeter; print(greeter.greeting)"]
"""


class Yard:
    """A namespace in which images are built, from contexts that are links into its Storage account."""

    def __init__(self, stand, setup, base, builder, folder):
        self.stand, self.setup, self.base, self.builder, self.folder = stand, setup, base, builder, folder
        self.admin = stand.control_plane.admin
        self.pods = f"/api/v1/namespaces/{setup.namespace}/pods"

    def name(self, repository):
        return f"{self.setup.login_server}/{repository}"

    def link(self, files):
        path = self.folder / f"{time.monotonic_ns()}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, text in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        with closing(ContextStore(self.setup.account, SecretValue(self.setup.account_key))) as store:
            return store.link(store.keep(path, hashlib.sha256(path.read_bytes()).hexdigest())).reveal()

    def run(self, pod, spec, seconds=120):
        base = {"serviceAccountName": "default-editor", "restartPolicy": "Never"}
        self.admin.post(self.pods, {"metadata": {"name": pod}, "spec": {**base, **spec}})
        end = time.monotonic() + seconds
        while (status := self.admin.get(f"{self.pods}/{pod}")["status"]).get("phase") not in {"Succeeded", "Failed"}:
            assert time.monotonic() < end, f"{pod} has not ended within {seconds} s: {status}"
            time.sleep(0.1)
        return status["containerStatuses"][0]["state"]["terminated"], self.log(pod)

    def log(self, pod, container="main"):
        return self.admin.call("GET", f"{self.pods}/{pod}/log", query={"container": container}).text

    def build(self, pod, repository, files, *options):
        space = {"name": "space", "mountPath": "/workspace"}
        access = {"name": "access", "mountPath": "/kaniko/.docker", "readOnly": True}
        item = {"key": ".dockerconfigjson", "path": "config.json"}
        fetch = {
            "name": "fetch",
            "image": self.base,
            "command": ["python3", "-c", FETCH],
            "env": [{"name": "LINK", "value": self.link(files)}],
            "volumeMounts": [space],
        }
        arguments = [
            "--context=tar:///workspace/context.tar.gz",
            "--dockerfile=Dockerfile",
            f"--destination={self.name(repository)}",
            "--digest-file=/dev/termination-log",
            "--log-format=text",
            *options,
        ]
        build = {"name": "main", "image": self.builder, "args": arguments, "volumeMounts": [space, access]}
        volumes = [
            {"name": "space", "emptyDir": {}},
            {"name": "access", "secret": {"secretName": "acrcreds", "items": [item]}},
        ]
        return self.run(pod, {"initContainers": [fetch], "containers": [build], "volumes": volumes})

    def skopeo(self, verb, repository, *arguments):
        port = self.stand.registry_front.port
        certificates = self.folder / "certificates"
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

    def added(self, repository):
        """Return the files of each layer above the base image's."""
        target = self.folder / f"copy-{time.monotonic_ns()}"
        self.skopeo("copy", repository, f"dir:{target}")
        layers = json.loads((target / "manifest.json").read_text())["layers"]
        return [files_in((target / layer["digest"].removeprefix("sha256:")).read_bytes()) for layer in layers[1:]]


@pytest.fixture
def yard(kaniko, node, stand, namespace, tmp_path):
    setup = stand.correct_setup(namespace)
    base = node.push_base(setup.login_server, setup.dockerconfig)
    return Yard(stand, setup, base, kaniko(setup.login_server, setup.dockerconfig), tmp_path)


def test_an_image_is_built_from_a_context_in_blob_storage_and_runs(yard):
    repository = f"{yard.setup.namespace}/built:1"
    files = {"Dockerfile": DOCKERFILE.format(base=yard.base), "app/main.py": MAIN}
    ended, log = yard.build("build", repository, files, "--build-arg=GREETING=hello", "--label=made-by=fairing")
    assert ended["exitCode"] == 0, log
    told = yard.skopeo("inspect", repository)
    assert told["Digest"] == ended["message"]
    assert told["Labels"] == {"made-by": "fairing"}
    assert len(told["Layers"]) == 3
    ran, said = yard.run("run", {"containers": [{"name": "main", "image": yard.name(repository)}]})
    assert (ran["exitCode"], said) == (0, "hello 1000 1001 /app\n")


def test_neither_the_builder_nor_its_secrets_nor_the_context_get_into_the_image(yard):
    repository = f"{yard.setup.namespace}/clean:1"
    files = {"Dockerfile": DOCKERFILE.format(base=yard.base), "app/main.py": MAIN, "private.txt": "not copied"}
    ended, log = yard.build("build", repository, files)
    assert ended["exitCode"] == 0, log
    ran, copied = yard.added(repository)
    assert set(ran) == {"greeting", "owned"}
    assert copied == {"app/main.py": MAIN.encode()}
    assert not [mark for mark in yard.setup.marks if mark in log]


def test_a_second_build_takes_what_it_ran_from_the_cache(yard):
    place = yard.setup.namespace
    options = ["--cache=true", f"--cache-repo={yard.name(f'{place}/cache')}", "--snapshot-mode=redo", "--use-new-run"]
    files = {"Dockerfile": DOCKERFILE.format(base=yard.base), "app/main.py": MAIN}
    first, log = yard.build("first", f"{place}/cached:1", files, *options)
    assert first["exitCode"] == 0, log
    files["app/main.py"] = "print('changed')"
    second, log = yard.build("second", f"{place}/cached:2", files, *options)
    assert second["exitCode"] == 0, log
    assert "Found cached layer" in log
    assert "Running: [/bin/sh" not in log
    ran, said = yard.run("run", {"containers": [{"name": "main", "image": yard.name(f"{place}/cached:2")}]})
    assert (ran["exitCode"], said) == (0, "changed\n")


def test_a_failed_line_fails_the_build_and_pushes_nothing(yard):
    repository = f"{yard.setup.namespace}/broken"
    files = {"Dockerfile": f"FROM {yard.base}\nRUN echo before && exit 7\n"}
    ended, log = yard.build("build", f"{repository}:1", files)
    assert ended["exitCode"] == 7  # Kaniko ends with the line's own code.
    assert "before\n" in log
    assert "waiting for process to exit: exit status 7" in log
    url = f"https://{yard.setup.login_server}/v2/{repository}/tags/list"
    assert requests.get(url, auth=(yard.setup.client, yard.setup.secret), timeout=10).status_code == 404


def test_who_may_only_pull_is_told_before_anything_is_built(yard):
    yard.stand.arm.revoke(yard.setup.oid, "AcrPush")
    yard.stand.arm.assign(yard.setup.oid, "AcrPull", yard.setup.registry)
    files = {"Dockerfile": f"FROM {yard.base}\nRUN echo built\n"}
    ended, log = yard.build("build", f"{yard.setup.namespace}/refused:1", files)
    assert ended["exitCode"] == 1
    assert "error checking push permissions" in log
    assert "built\n" not in log


def test_requirements_are_installed_from_an_index_of_the_stand(yard, package_index):
    package_index.add("Greeter", "1.2", {"greeter.py": "from texts import greeting\n"}, requires=["stand.texts>=1"])
    package_index.add("stand.texts", "1.0", {"texts.py": "greeting = 'from the index'\n"})
    repository = f"{yard.setup.namespace}/installed:1"
    files = {"Dockerfile": INSTALL.format(base=yard.base), "requirements.txt": "greeter==1.2\n"}
    arguments = [f"--build-arg=PIP_INDEX_URL={package_index.url}", "--build-arg=PIP_CERT=/run/stand-ca.pem"]
    ended, log = yard.build("build", repository, files, *arguments)
    assert ended["exitCode"] == 0, log
    assert package_index.front.count("/files/greeter-1.2-py3-none-any.whl", "GET") == 1
    ran, said = yard.run("run", {"containers": [{"name": "main", "image": yard.name(repository)}]})
    assert (ran["exitCode"], said) == (0, "from the index\n")
    history = yard.skopeo("inspect", repository, "--config")["history"]
    assert any("pip install" in entry["created_by"] for entry in history if "created_by" in entry)


def test_pip_finds_files_by_the_index_and_nothing_else(stand, package_index):
    wheel = package_index.add("Some_Thing.more", "2", {"thing.py": "x = 1\n"})
    (package_index.folder.parent / "secret.whl").write_text("no")
    assert wheel.name == "some_thing_more-2-py3-none-any.whl"
    page = requests.get(f"{package_index.url}Some_Thing.more", timeout=10)
    assert page.url == f"{package_index.url}some-thing-more/"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert f"/files/{wheel.name}#sha256={digest}" in page.text
    host = f"https://{package_index.host}"
    assert requests.get(f"{host}/files/{wheel.name}", timeout=10).content == wheel.read_bytes()
    for missing in ("/simple/nothing/", "/files/../secret.whl", "/files/%2e%2e/secret.whl", "/", "/files/"):
        assert requests.get(f"{host}{missing}", timeout=10).status_code == 404
    assert requests.put(f"{host}/files/{wheel.name}", data=b"x", timeout=10).status_code == 405


def test_the_same_files_make_the_same_wheel(stand, package_index):
    first = package_index.add("twice", "1", {"twice.py": ""}).read_bytes()
    os.utime(package_index.folder)
    assert package_index.add("twice", "1", {"twice.py": ""}).read_bytes() == first
