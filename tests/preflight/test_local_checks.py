"""Fairing's version, and the Python that a base image's name tells."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.fairing.upstream.installation import VERSION
from fairing_az_jupyter.preflight.checks.local_checks import FAIRING_VERSION, checks, python_of_image
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.runner import run_checks
from fairing_az_jupyter.settings import Settings

DIGEST = "sha256:" + "3b10" * 16


def found(**more):
    settings = Settings(base_image=more.pop("base_image", None))
    context = CheckContext(settings, environ={}, **{"fairing": FAIRING_VERSION, "python": (3, 11), **more})
    return {result.check: result for result in run_checks(checks(context))}


def commands(result):
    return [fix.command for fix in result.fixes]


def test_the_version_that_is_checked_is_the_one_that_is_installed():
    assert FAIRING_VERSION == VERSION


def test_a_machine_as_it_should_be_has_no_findings():
    assert {result.status for result in found().values()} == {"pass"}


@pytest.mark.parametrize(
    ("version", "code"),
    [
        (None, "fairing-not-installed"),
        ("0.7.1", "fairing-version"),
        ("1.0.2rc1", "fairing-version"),
        ("", "fairing-version"),
    ],
)
def test_any_other_fairing_fails_with_the_command_that_installs_it(version, code):
    result = found(fairing=version)["fairing"]
    assert (result.status, result.code, commands(result)) == ("fail", code, ["fairing-azure install-fairing"])
    assert result.fixes[0].magic == "%fairing_azure install-fairing"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("python:3.9-slim", (3, 9)),
        ("python:3.10", (3, 10)),
        ("python:3.11.4-alpine3.18", (3, 11)),
        ("python:3.14-rc-slim", (3, 14)),
        ("python:3.14.0a1", (3, 14)),
        ("python:2.7", (2, 7)),
        ("docker.io/library/python:3.11-slim", (3, 11)),
        ("registry.hub.docker.com/library/python:3.7.3", (3, 7)),
        (f"docker.io/library/python:3.11-slim@{DIGEST}", (3, 11)),
        ("localhost:5000/python:3.9", (3, 9)),
        ("127.0.0.1:3100/team/python:3.9", (3, 9)),
        ("bitnami/python:3.11.4-debian-11-r0", (3, 11)),
        ("mcr.microsoft.com/devcontainers/python:1.2.0-3.12-bookworm", (3, 12)),
        ("mcr.microsoft.com/devcontainers/python:2.1.3-3.12", (3, 12)),
        ("ghcr.io/x/python-3.11", (3, 11)),
        (f"ghcr.io/x/python-3-11@{DIGEST}", (3, 11)),
        ("ghcr.io/x/python_3_11:v1.28.3", (3, 11)),
        ("ghcr.io/x/python/3.11:latest", (3, 11)),
        ("registry.access.redhat.com/ubi9/python-311:1-72", (3, 11)),
        ("registry.access.redhat.com/ubi8/python-39", (3, 9)),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", (3, 12)),
        ("quay.io/jupyter/scipy-notebook:python-3.11.9", (3, 11)),
        ("kubeflownotebookswg/jupyter-scipy:v1.8.0-python-3.11", (3, 11)),
        ("mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04-py38-cpu-inference:20230101.v3", (3, 8)),
        ("contosoml.azurecr.io/train:py310", (3, 10)),
        ("contosoml.azurecr.io/train:PY3.10", (3, 10)),
        ("contosoml.azurecr.io/train:torch-2.1-py3.10-cuda11.8", (3, 10)),
        ("continuumio/miniconda3:py39_4.12.0", (3, 9)),
        ("contosoml.azurecr.io/python-3.9:py311", (3, 11)),
    ],
)
def test_the_python_is_told_from_the_tag_or_the_repository(image, version):
    assert python_of_image(image) == version


@pytest.mark.parametrize(
    "image",
    [
        "python",
        "python:3",
        "python:3-slim",
        "python:latest",
        "python:slim-bookworm",
        f"python@{DIGEST}",
        f"contosoml.azurecr.io/train@{DIGEST}",
        "localhost:3110/train",
        "python39.azurecr.io/train:v1",
        "python3.example:5000/train",
        "ghcr.io/osscontainertools/kaniko:v1.28.3",
        "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy:v1.10.0",
        "contosoml.azurecr.io/train:3.11",
        "contosoml.azurecr.io/train:v3.11.0",
        "contosoml.azurecr.io/python/app:3.11",
        "contosoml.azurecr.io/python-base:3.11",
        "nvcr.io/nvidia/pytorch:23.10-py3",
        "nvcr.io/nvidia/tritonserver:23.10-py3-8.5",
        "tensorflow/tensorflow:2.4.1-py3-jupyter",
        "gcr.io/distroless/python3-debian12",
        "continuumio/miniconda3:23.10.0-1",
        "pypy:3.10",
        "pypy:pypy3.10",
        "contosoml.azurecr.io/numpy310:1",
        "contosoml.azurecr.io/train:py39-py310",
        "contosoml.azurecr.io/train:python-3-20240101",
        "contosoml.azurecr.io/train:py3114",
        "contosoml.azurecr.io/train:python3.99",
        "python:1.28.3",
        "python:3.1",
    ],
)
def test_what_does_not_tell_a_python_is_not_guessed(image):
    assert python_of_image(image) is None


def test_an_image_with_another_minor_version_fails_with_one_that_fits():
    result = found(base_image="python:3.9-slim", notebook="my work/train.ipynb")["python"]

    assert (result.status, result.code, result.fixable) == ("fail", "python-differs", False)
    assert "has Python 3.9, this notebook has Python 3.11" in result.message
    assert result.looked_at == "base image python:3.9-slim"
    assert commands(result) == [
        "fairing-azure fill 'my work/train.ipynb' --base-image docker.io/library/python:3.11-slim",
        "fairing-azure profile set NAME --base-image docker.io/library/python:3.11-slim",
    ]


def test_three_point_one_is_not_three_point_eleven():
    assert found(base_image="python:3.11", python=(3, 1))["python"].status == "fail"
    assert found(base_image="python:3.11", python=(3, 11))["python"].status == "pass"


def test_an_image_that_does_not_tell_warns_and_names_the_version_that_is_needed():
    result = found(base_image=f"contosoml.azurecr.io/train@{DIGEST}", python=(3, 13))["python"]

    assert (result.status, result.code) == ("warn", "python-untold")
    assert "Python 3.13" in commands(result)[0]


def test_a_broken_base_image_is_left_to_the_check_of_the_settings():
    result = found(broken={"base_image": "FAIRING_BASE_IMAGE is no image."})["python"]

    assert result.status == "skipped"
    assert "FAIRING_BASE_IMAGE" in result.message
