"""The images that a launch starts from, at real registries: who may read them from where."""

from __future__ import annotations

import json

import pytest

from fairing_az_jupyter.clients.oci.images import ImageStore
from fairing_az_jupyter.exceptions import NotAllowedError, NotFoundError, UnreachableError
from fairing_az_jupyter.preflight.checks.image_checks import checks
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.image_copies import copied
from fairing_az_jupyter.preflight.runner import Finding
from fairing_az_jupyter.settings import Settings

from .faults.registry import by_tasks
from .scene import Scene

_FINE = {"pass", "warn", "skipped"}
_PINNED = f"docker.io/library/python@sha256:{'d' * 64}"
_KANIKO = "^/v2/osscontainertools/"


@pytest.fixture
def scene(stand, namespace):
    return Scene.of(stand, stand.correct_setup(namespace))


def told(results):
    return {name: (result.status, result.code) for name, result in results.items() if result.status not in _FINE}


def from_outside(scene):
    """Let a machine outside of the cluster ask, by a kubeconfig."""
    scene.environ.pop("KUBERNETES_SERVICE_HOST")
    scene.environ["KUBECONFIG"] = str(scene.setup.kubeconfig)


def test_images_are_looked_up_by_head_and_official_ones_are_never_pulled(scene):
    scene.check()

    assert scene.stand.public_front.count("library/python/manifests", "HEAD") == 1
    assert scene.stand.public_front.count("library/python/manifests", "GET") == 0
    assert scene.stand.public_front.count("kaniko/manifests", "HEAD") == 1


def test_azure_builds_without_an_image_of_a_builder(scene):
    by_tasks(scene)
    scene.settings["FAIRING_BUILDER_IMAGE"] = "ghcr.io/osscontainertools/kaniko:v0"

    results = scene.check()

    assert told(results) == {}
    assert "image.builder" not in results


def test_a_builders_image_that_this_machine_does_not_reach_may_be_reached_by_the_nodes(scene):
    from_outside(scene)
    scene.stand.public_front.drop(path=_KANIKO)

    results = scene.check()

    assert told(results) == {}
    found = results["image.builder"]
    assert (found.status, found.code) == ("warn", "image-unreachable-here")


def test_a_base_image_that_this_machine_does_not_reach_fails_since_a_launch_reads_it_from_here(scene):
    from_outside(scene)
    scene.stand.public_front.drop(path="^/v2/library/")

    assert told(scene.check()) == {"image.base": ("fail", "image-unreachable")}


def test_a_base_image_whose_registry_is_only_slow_is_unknown_since_a_launch_has_more_time(scene):
    scene.stand.public_front.hang(path="^/v2/library/")

    results = scene.check()

    assert told(results) == {"image.base": ("unknown", "timeout")}
    assert results["image.base"].fixes[0].command.startswith("az acr import --name")


@pytest.mark.parametrize(
    ("code", "status"),
    [("timeout", "unknown"), ("dns", "unknown"), ("dns-unknown", "fail"), ("refused", "fail"), ("tls", "fail")],
)
def test_what_does_not_answer_yet_is_told_from_what_refuses(monkeypatch, code, status):
    assert base_with(monkeypatch, unreachable(code), base_image="python:3.11").status == status


@pytest.mark.parametrize(
    ("builder", "image", "status"),
    [
        ("layered", _PINNED, "fail"),
        ("kaniko", _PINNED, "warn"),
        ("acr-tasks", _PINNED, "warn"),
        ("kaniko", "python:3.11", "fail"),
        ("acr-tasks", "python:3.11", "fail"),
    ],
)
@pytest.mark.parametrize("error", ["refused", "denied"])
def test_a_base_image_that_only_the_build_asks_for_is_a_warning_at_most(monkeypatch, builder, image, status, error):
    denied = NotAllowedError("It may not be read.", service="registry")

    found = base_with(
        monkeypatch, denied if error == "denied" else unreachable(error), base_image=image, builder=builder
    )

    assert found.status == status
    assert ("Only the build pulls this image" in found.message) is (status == "warn")


@pytest.mark.parametrize(
    ("image", "asked"),
    [
        ("python:3.11-slim", False),
        (_PINNED, True),
        ("python:3.11-windowsservercore-ltsc2022", True),
        ("docker.io/library/golang:1.23-nanoserver", True),
        ("contoso/python:3.11", True),
    ],
)
def test_platforms_are_asked_for_unless_an_official_tag_is_known_to_have_them(monkeypatch, image, asked):
    none = NotFoundError("It has no linux/amd64.", service="registry", code="platform")

    found = base_with(monkeypatch, None, none, base_image=image)

    assert (found.status, found.code) == (("fail", "image-platform") if asked else ("pass", ""))


def unreachable(code):
    return UnreachableError("Registry 'index.docker.io' did not answer.", service="registry", code=code)


def base_with(monkeypatch, error, of_platforms=None, **settings):
    """Return what is found of a base image whose registry answers so: no real one gives all these answers."""

    def has(store, repository, reference):
        return raised(error) or f"sha256:{'c' * 64}"

    monkeypatch.setattr(ImageStore, "has", has)
    monkeypatch.setattr(ImageStore, "resolve", lambda store, reference, platform: raised(of_platforms))
    fine = dict.fromkeys(("cluster", "cluster.service-account", "registry.secret"), Finding("pass", "x", "fine"))
    context = CheckContext(Settings(docker_registry="contoso.azurecr.io", **settings))
    return next(check for check in checks(context) if check.id == "image.base").run(fine)


def raised(error):
    if error is not None:
        raise error


def test_a_builders_image_in_another_acr_may_be_pulled_by_the_nodes_own_identity(scene, stand, namespace):
    other = stand.correct_setup(f"{namespace}-b")
    scene.settings["FAIRING_BUILDER_IMAGE"] = f"{other.login_server}/kaniko:1"

    results = scene.check()

    assert told(results) == {}
    assert (results["image.builder"].status, results["image.builder"].code) == ("warn", "image-by-node")
    assert "--attach-acr" in results["image.builder"].message


def test_a_builders_image_is_read_with_a_login_of_the_service_accounts_other_secret(scene, stand, namespace):
    other = stand.correct_setup(f"{namespace}-b")
    scene.settings["FAIRING_BUILDER_IMAGE"] = f"{other.login_server}/kaniko:1"
    data = {".dockerconfigjson": json.dumps(other.dockerconfig)}
    body = {"metadata": {"name": "other"}, "type": "kubernetes.io/dockerconfigjson", "stringData": data}
    scene.api("POST", "secrets", body)
    scene.api("PATCH", "serviceaccounts/default-editor", {"imagePullSecrets": [{"name": "other"}]})

    results = scene.check()

    # It may be read, and so it is known that it is not there.
    assert told(results) == {"image.builder": ("fail", "image-absent")}


def test_an_image_in_the_own_registry_is_read_with_its_login(scene):
    scene.settings["FAIRING_BASE_IMAGE"] = f"{scene.setup.login_server}/python:3.11-slim"

    results = scene.check()

    assert told(results) == {"image.base": ("fail", "image-absent")}
    name = scene.setup.login_server.partition(".")[0]
    imported = f"az acr import --name {name} --source docker.io/library/python:3.11-slim"
    assert any(fix.command.startswith(imported) for fix in results["image.base"].fixes)


def test_a_registry_that_lets_nobody_in_is_told_once(scene):
    scene.settings["FAIRING_BASE_IMAGE"] = f"{scene.setup.login_server}/python:3.11-slim"
    scene.login("last-years")

    results = scene.check()

    assert set(told(results)) == {"registry.pull"}
    assert results["image.base"].status == "skipped"


def test_who_may_not_read_the_secret_can_not_say_that_an_image_is_not_given(scene):
    scene.stand.kubernetes_front.refuse(403, path="/secrets/acrcreds$")
    scene.stand.public_front.refuse(403, path="^/v2/library/")

    results = scene.check()

    assert {name: status for name, (status, _) in told(results).items()} == {
        "registry.secret": "unknown",
        "image.base": "unknown",
    }


def test_a_registry_of_others_that_throttles_tells_nothing(scene):
    scene.stand.public_front.refuse(429)

    assert {status for status, _ in told(scene.check()).values()} == {"unknown"}


def test_without_a_requirements_txt_a_builders_image_that_is_not_there_is_a_warning(scene):
    scene.installs = False
    scene.settings["FAIRING_BUILDER_IMAGE"] = "ghcr.io/osscontainertools/kaniko:v0"

    results = scene.check()

    assert told(results) == {}
    assert results["image.builder"].status == "warn"


@pytest.mark.parametrize(
    ("image", "source", "kept"),
    [
        ("python:3.11-slim", "docker.io/library/python:3.11-slim", "library/python:3.11-slim"),
        ("ghcr.io/a/b:1", "ghcr.io/a/b:1", "a/b:1"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest", "a/b:latest"),
        (f"ghcr.io/a/b@sha256:{'0' * 64}", f"ghcr.io/a/b@sha256:{'0' * 64}", "a/b:imported"),
    ],
)
def test_an_image_is_copied_into_the_own_registry_and_named_there(image, source, kept):
    context = CheckContext(Settings(docker_registry="contoso-abc.azurecr.io/team"), notebook="train.ipynb")

    copy, name = copied(context, "base_image", image)

    assert copy.command == f"az acr import --name contoso --source {source} --image {kept}"
    assert name.command == f"fairing-azure fill train.ipynb --base-image contoso-abc.azurecr.io/{kept}"


def test_what_is_in_the_own_registry_is_not_copied_there():
    context = CheckContext(Settings(docker_registry="contoso.azurecr.io"))

    assert copied(context, "base_image", "contoso.azurecr.io/python:3.11") == ()
