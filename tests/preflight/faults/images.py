"""What can be wrong with the images that a launch starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fault import Make, fault, having

if TYPE_CHECKING:
    from tests.preflight.scene import Scene

_PYTHON = "^/v2/library/python/"
_KANIKO = "^/v2/osscontainertools/"


def _dropped(path: str) -> Make:
    return lambda scene: scene.stand.public_front.drop(path=path)


def _for_arm_only(scene: Scene) -> None:
    scene.stand.public_registry.push("contoso/python", "3.11", "linux/arm64")
    scene.settings["FAIRING_BASE_IMAGE"] = "ghcr.io/contoso/python:3.11"


FAULTS = [
    fault(
        "image.base",
        "the base image does not exist",
        "there is no such base image",
        "fairing-azure fill train.ipynb --base-image docker.io/library/python:3.11-slim",
        having(FAIRING_BASE_IMAGE="docker.io/library/python:3.11-slimmest"),
        code="image-absent",
    ),
    fault(
        "image.base",
        "the base image can't be reached",
        "the base image's registry can't be reached from here",
        "az acr import --name {registry} --source docker.io/library/python:3.11-slim --image library/python:3.11-slim",
        _dropped(_PYTHON),
        code="image-unreachable",
    ),
    fault(
        "image.base",
        "the base image may not be read",
        "the base image's registry wants a login that nobody has",
        "add a login for 'index.docker.io'",
        lambda scene: scene.stand.public_front.refuse(403, path=_PYTHON),
        code="image-not-given",
    ),
    fault(
        "image.base",
        "the base image is for other processors",
        "the base image is for other processors than the nodes have",
        "fairing-azure fill train.ipynb --base-image docker.io/library/python:3.11-slim",
        _for_arm_only,
        code="image-platform",
    ),
    fault(
        "image.builder",
        "the builder's image does not exist",
        "there is no such image as FAIRING_BUILDER_IMAGE names",
        "fairing-azure fill train.ipynb --builder-image ghcr.io/osscontainertools/kaniko:v1.28.3",
        having(FAIRING_BUILDER_IMAGE="ghcr.io/osscontainertools/kaniko:v0"),
        code="image-absent",
    ),
    fault(
        "image.builder",
        "the builder's image can't be reached",
        "the cluster does not reach the registry of the builder's image",
        "fairing-azure fill train.ipynb --builder-image {host}/osscontainertools/kaniko:v1.28.3",
        _dropped(_KANIKO),
        code="image-unreachable",
    ),
]
