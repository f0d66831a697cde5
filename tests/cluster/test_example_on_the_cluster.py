"""The main job on the cluster: the same notebook, trained in a Job's container and served from a Deployment's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import nbformat
import pytest

from tests.conftest import REPOSITORY

NOTEBOOK = "xgboost-high-level-apis.ipynb"
FILES = (NOTEBOOK, "requirements.txt", "ames_dataset")


def texts(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.fixture
def ready(example_wheels, workshop, tmp_path):
    """The example's folder, and an index that has all that it asks for."""
    for name in FILES:
        source = REPOSITORY / "notebooks" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / "notebook" / name)
    for wheel in example_wheels.glob("*.whl"):
        (workshop.index.folder / wheel.name).symlink_to(wheel)
    return tmp_path / "notebook"


def parameters(workshop):
    return [word for name, value in workshop.setup.settings.items() for word in ("-p", name, str(value))]


def settings(workshop):
    own = {"BASE_IMAGE": workshop.base, "BUILDER_IMAGE": workshop.builder_image, "BUILD_CPU": "100m", "CPU": "100m"}
    return {f"FAIRING_{name}": value for name, value in own.items()}


def errors_in(folder):
    notebook = nbformat.read(folder / "out.ipynb", as_version=4)
    found = re.findall(r"^(notebook|job|endpoint) +([\d.]+)$", texts(notebook), re.MULTILINE)
    assert [place for place, _ in found] == ["notebook", "job", "endpoint"]
    return {error for _, error in found}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_notebook_runs_to_its_end_on_the_cluster_with_the_same_error_whatever_the_weather(
    ready,
    workshop,
    node,
    seed,
):
    weather = node.weather(seed=seed, namespace=workshop.namespace)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    command = [sys.executable, "-m", "fairing_az_jupyter", "run", NOTEBOOK, *parameters(workshop), "-o", "out.ipynb"]

    done = subprocess.run(
        command,
        env={**environment, **settings(workshop)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )

    assert done.returncode == 0, (weather.given, done.stdout + done.stderr)
    assert len(weather.given) >= 2
    assert len(errors_in(ready)) == 1
    for said in ("Model export success: trained_ames_model.dat", "Deploying the endpoint.", "Deleting the endpoint."):
        assert said in done.stdout
    assert "Prediction endpoint: http://127.0.0.1:" in done.stdout
    assert not [mark for mark in workshop.setup.marks if mark in done.stdout + (ready / "out.ipynb").read_text()]
    assert workshop.nothing_left()


def test_in_a_notebook_server_of_the_cluster_it_runs_by_the_service_account_alone(ready, workshop, node):
    weather = node.weather(seed=3, namespace=workshop.namespace)
    here = {"repository": REPOSITORY, "packages": Path(sysconfig.get_paths()["purelib"]), "notebook": ready}
    mounts = [{"name": name, "mountPath": f"/mnt/{name}"} for name in here]
    variables = {
        "PYTHONPATH": "/mnt/repository:/mnt/packages",
        "PYTHONDONTWRITEBYTECODE": "1",
        "REQUESTS_CA_BUNDLE": "/run/stand-ca.pem",
        "HOME": "/tmp/home",  # noqa: S108 - in the container
        "NB_PREFIX": f"/notebook/{workshop.namespace}/mine",
        **settings(workshop),
    }
    command = ["python", "-m", "fairing_az_jupyter", "run", NOTEBOOK, *parameters(workshop), "-o", "out.ipynb"]
    server = {
        "name": "notebook",
        "image": workshop.base,
        "command": command,
        "workingDir": "/mnt/notebook",
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "volumeMounts": mounts,
    }
    volumes = [{"name": name, "hostPath": {"path": str(path)}} for name, path in here.items()]
    pods = f"/api/v1/namespaces/{workshop.namespace}/pods"
    # Only for the folders of this machine that the notebook server has in place of packages of its own.
    allowed = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    workshop.admin.patch(f"/api/v1/namespaces/{workshop.namespace}", allowed, "application/merge-patch+json")
    spec = {
        "serviceAccountName": "default-editor",
        "restartPolicy": "Never",
        "containers": [server],
        "volumes": volumes,
    }
    workshop.admin.post(pods, {"metadata": {"name": "mine-0"}, "spec": spec})

    end = time.monotonic() + 280
    while workshop.admin.get(f"{pods}/mine-0")["status"].get("phase") not in {"Succeeded", "Failed"}:
        assert time.monotonic() < end, workshop.admin.call("GET", f"{pods}/mine-0/log").text
        time.sleep(0.5)

    said = workshop.admin.call("GET", f"{pods}/mine-0/log").text
    assert workshop.admin.get(f"{pods}/mine-0")["status"]["phase"] == "Succeeded", (weather.given, said)
    assert len(weather.given) >= 3
    assert len(errors_in(ready)) == 1
    assert re.search(rf"Prediction endpoint: http://fairing-endpoint-\w+\.{workshop.namespace}\.svc\.", said)
    workshop.admin.call("DELETE", f"{pods}/mine-0")
    assert workshop.nothing_left()
