"""Images of tasks: built in the cluster, by Azure, or appended through the registry; and what is sent for that."""

from __future__ import annotations

import base64
import contextlib
import json
import tarfile
import threading
import time
from datetime import datetime, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
from kubeflow.fairing import TrainJob
from kubernetes.client import V1Toleration

from fairing_az_jupyter.clients.azure.acr_tasks import ROLE
from fairing_az_jupyter.clients.oci.auth.challenges import claims
from fairing_az_jupyter.clients.oci.images import ImageReference, Layer
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    BuildFailedError,
    ContextError,
    InputError,
    NotAllowedError,
    UnreachableError,
)
from fairing_az_jupyter.fairing.images import build_pods, kaniko_job, layered
from fairing_az_jupyter.fairing.images.dockerfiles import LABEL
from fairing_az_jupyter.outputs.sources import FileSource
from fairing_az_jupyter.outputs.stored import LocalOutputs
from tests.clients.image_parts import tar_of
from tests.cluster import yard_scene
from tests.cluster.yard_scene import Counter, as_in_a_notebook  # noqa: F401 - a fixture
from tests.outputs.outputs_scene import local


def test_what_is_there_is_neither_built_nor_sent_again(yard, monkeypatch):
    _, first = yard.counted(yard.task().builder.build)
    assert (first["builds"], first["blobs"] > 0, first["layers"] > 0) == (1, True, True)

    # A new task, as after a kernel's restart: the same code, the same files.
    again = yard.task()
    _, unchanged = yard.counted(again.builder.build)
    assert unchanged == {"builds": 0, "blobs": 0, "layers": 0}

    monkeypatch.setattr(yard_scene, "START", 4)
    task = yard.task()
    _, changed = yard.counted(task.builder.build)
    assert (changed["builds"], changed["blobs"]) == (0, 0)
    assert task.submit().lines == ("one 4",)

    task = yard.task("greeter==2.0\n")
    _, asked = yard.counted(task.builder.build)
    assert asked["builds"] == 1
    assert task.submit().lines == ("two 4",)
    assert yard.workshop.nothing_left()


def test_skopeo_inspects_and_copies_every_image_and_tells_what_was_installed(yard, tmp_path, caplog):
    yard.task().builder.build()

    [installed] = [text for text in caplog.messages if "are installed into an image" in text]
    dependencies = installed.rpartition(f"{yard.workshop.setup.login_server}/")[2].partition(":")[0]
    assert dependencies.startswith(f"{yard.path}/fairing-dependencies-")
    for repository in (dependencies, f"{yard.path}/fairing-job"):
        [tag] = yard.workshop.images.tags(repository)
        told = yard.workshop.skopeo(tmp_path, "inspect", f"{repository}:{tag}")
        assert told["Labels"][LABEL] == "greeter==1.0"
        config = yard.workshop.skopeo(tmp_path, "inspect", f"{repository}:{tag}", "--config")
        history = [entry.get("created_by", "") for entry in config["history"]]
        assert any("pip install" in line for line in history)
        assert any("greeter==1.0" in line for line in history), history
        target = tmp_path / repository.rpartition("/")[2]
        yard.workshop.skopeo(tmp_path, "copy", f"{repository}:{tag}", f"dir:{target}")
        assert json.loads((target / "manifest.json").read_text())["layers"]
    assert "files of the task, sha256:" in history[-1]


def test_a_build_gets_a_link_to_its_context_and_a_token_for_its_repositories_and_no_key(yard):
    made = []
    front, namespace = yard.stand.kubernetes_front, yard.workshop.namespace
    admin, over = yard.workshop.admin, threading.Event()

    def look():
        while not over.is_set():
            secrets = admin.get(f"/api/v1/namespaces/{namespace}/secrets")["items"]
            pods = admin.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
            made.extend([item for item in secrets if item["metadata"]["name"] not in {"azcreds", "acrcreds"}] + pods)
            time.sleep(0.2)

    watcher = threading.Thread(target=look)
    watcher.start()
    yard.task().builder.build()
    over.set()
    watcher.join()

    assert front
    assert {item["metadata"]["labels"]["fairing-az-jupyter/kind"] for item in made} == {"build"}
    links = [item["data"] for item in made if "data" in item]
    assert links
    assert {key for data in links for key in data} == {"link", "config.json"}
    [[host, login]] = json.loads(base64.b64decode(links[-1]["config.json"]))["auths"].items()
    assert (host, list(login)) == (yard.workshop.setup.login_server, ["registrytoken"])
    told = claims(SecretValue(login["registrytoken"]))
    allowed = {entry["name"]: entry["actions"] for entry in told["access"]}
    assert allowed.pop("with-index/python") == ["pull"]
    # The image's own repository, in which there is no other image.
    [(repository, actions)] = allowed.items()
    assert (repository.partition("-dependencies-")[0], actions) == (f"{yard.path}/fairing", ["pull", "push"])
    [tag] = yard.workshop.images.tags(repository)
    assert repository.endswith(tag[:16])
    assert told["exp"] - time.time() > build_pods.LONGEST_SECONDS
    signed = parse_qs(urlsplit(base64.b64decode(links[-1]["link"]).decode()).query)["se"][0]
    left = datetime.fromisoformat(signed.replace("Z", "+00:00")) - datetime.now(timezone.utc)
    assert left.total_seconds() > build_pods.LONGEST_SECONDS
    assert any(item["metadata"].get("ownerReferences", [{}])[0].get("kind") == "Job" for item in made if "data" in item)
    values = [base64.b64decode(value).decode() for data in links for value in data.values()]
    assert not [mark for mark in yard.workshop.setup.marks if mark in json.dumps([*made, *values])]


def test_a_requirement_that_nobody_has_fails_the_build_with_its_name(yard):
    with pytest.raises(BuildFailedError, match="No matching distribution found for greeter==9") as caught:
        yard.task("greeter==9\n").builder.build()

    assert caught.value.code == "requirement"
    assert "Correct 'greeter==9' in requirements.txt" in caught.value.hint
    assert caught.value.last_lines
    assert yard.workshop.nothing_left()


def test_too_little_memory_for_a_build_is_told_with_the_setting(yard):
    with pytest.raises(BuildFailedError) as caught:
        yard.task(build_memory="16Mi").builder.build()

    assert caught.value.code == "oom-killed"
    assert "build_memory" in caught.value.hint


def test_a_builder_image_that_is_not_there_is_told(yard):
    missing = f"{yard.workshop.setup.login_server}/tools/nothing:1"

    with pytest.raises(BuildFailedError, match="tools/nothing:1") as caught:
        yard.task(builder_image=missing).builder.build()

    assert caught.value.code == "image-not-found"
    assert "FAIRING_BUILDER_IMAGE (builder_image)" in caught.value.hint
    assert yard.workshop.nothing_left()


def test_a_base_image_that_is_not_there_is_told_before_anything_is_built(yard):
    with pytest.raises(ContextError, match="no image 'base/none:1'") as caught:
        yard.task(base=f"{yard.workshop.setup.login_server}/base/none:1").builder.build()

    assert "base_image" in caught.value.hint
    assert yard.builds == []

    with pytest.raises(UnreachableError) as caught:
        yard.task(base="registry.nowhere.test/python:1").builder.build()
    assert "base_image" in caught.value.hint


def test_an_interrupted_build_is_followed_by_the_next_launch(yard, monkeypatch, caplog):
    def interrupted(line):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kaniko_job, "_said", interrupted)
        with pytest.raises(KeyboardInterrupt):
            yard.task().builder.build()
    assert "the build is still running" in caplog.text
    assert len(yard.builds) == 1

    task = yard.task()
    task.builder.build()

    assert len(yard.builds) == 1
    assert "is already running: waiting for" in caplog.text
    assert task.submit().lines == ("one 3",)
    assert yard.workshop.nothing_left()


def test_a_tag_that_is_given_to_another_image_meanwhile_changes_nothing(yard, monkeypatch):
    required = layered.require_pushed

    def overwritten(images, repository, tag):
        required(images, repository, tag)
        base = yard.workshop.images.resolve(ImageReference.parse(yard.workshop.base))
        layer = Layer.from_bytes(tar_of({"etc/other.txt": b"without what was asked for"}))
        images.append(base, yard.workshop.images, layer, repository=repository, tag=tag, created_by="somebody else")

    monkeypatch.setattr(layered, "require_pushed", overwritten)

    assert yard.task().submit().lines == ("one 3",)


def test_a_task_without_requirements_needs_no_build_at_all(yard, monkeypatch):
    with open("notes.txt", "w") as file:
        file.write("x")

    yard.task(None, files=["notes.txt"]).builder.build()

    assert yard.builds == []


def test_requirements_that_name_files_get_them(yard):
    with open("more.txt", "w") as file:
        file.write("greeter==2.0\n")

    assert yard.task("-r more.txt\n", files=["more.txt"]).submit().lines == ("two 3",)


def test_kaniko_builds_the_whole_image(yard, tmp_path):
    task = yard.task(builder="kaniko")

    assert task.submit().lines == ("one 3",)
    assert len(yard.builds) == 2
    _, again = yard.counted(yard.task(builder="kaniko").builder.build)
    assert again == {"builds": 0, "blobs": 0, "layers": 0}
    [tag] = yard.workshop.images.tags(f"{yard.path}/fairing-job")
    told = yard.workshop.skopeo(tmp_path, "inspect", f"{yard.path}/fairing-job:{tag}")
    assert told["Labels"][LABEL] == "greeter==1.0"
    assert_gets_the_files_of_a_job(yard, tmp_path, "kaniko")
    assert yard.workshop.nothing_left()


def assert_gets_the_files_of_a_job(yard, folder, builder):
    """Build an image that is there already with what a job of this machine has written."""
    outputs = local(folder / "outputs", {"model.dat": b"model" * 1000})
    task = yard.task(builder=builder)
    task.builder.source = FileSource("run-1", lambda: contextlib.nullcontext(LocalOutputs(outputs)))

    _, sent = yard.counted(task.builder.build)

    assert (sent["builds"], sent["blobs"], sent["layers"] > 0) == (0, 0, True)
    tag, target = task.builder.image_tag.rpartition(":")[2], folder / "image"
    yard.workshop.skopeo(folder, "copy", f"{yard.path}/fairing-job:{tag}", f"dir:{target}")
    layer = json.loads((target / "manifest.json").read_text())["layers"][-1]
    with tarfile.open(target / layer["digest"].partition(":")[2]) as tar:
        assert tar.extractfile("app/model.dat").read() == b"model" * 1000


def test_azure_builds_the_whole_image_without_any_pod(yard, tasks, tmp_path):
    yard.stand.arm.assign(yard.workshop.setup.oid, ROLE, yard.workshop.setup.registry)

    task = yard.task(builder="acr-tasks")
    task.builder.build()

    assert yard.builds == []
    assert task.submit().lines == ("one 3",)
    _, again = yard.counted(yard.task(builder="acr-tasks").builder.build)
    assert again == {"builds": 0, "blobs": 0, "layers": 0}
    assert_gets_the_files_of_a_job(yard, tmp_path, "acr-tasks")
    with pytest.raises(BuildFailedError) as caught:
        yard.task("greeter==9\n", builder="acr-tasks").builder.build()
    assert (caught.value.code, "Correct 'greeter==9'" in caught.value.hint) == ("requirement", True)


def test_without_the_role_for_tasks_the_cure_is_told(yard, tasks):
    with pytest.raises(NotAllowedError) as caught:
        yard.task(builder="acr-tasks").builder.build()

    assert ROLE in caught.value.hint


def test_mutators_place_the_build_too_and_the_callers_list_stays(yard):
    def placed(kube_manager, pod_spec, namespace):
        pod_spec.node_selector = {"pool": "nowhere"}
        pod_spec.tolerations = [V1Toleration(key="gpu", operator="Exists")]

    mutators = [placed]
    with pytest.raises(BuildFailedError) as caught:
        yard.task(mutators=mutators, node_wait="0").builder.build()

    assert caught.value.code == "unschedulable-affinity"
    assert mutators == [placed]


def test_a_placeholder_for_a_registry_is_refused_before_anything_is_sent(yard):
    with pytest.raises(InputError):
        TrainJob(Counter, docker_registry="<acr-name>.azurecr.io", backend=yard.workshop.backend())
