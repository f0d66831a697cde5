"""The main job on the cluster: the same notebook, trained in a Job's container and served from a Deployment's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from tests.cluster.builders_scene import Workshop, workshop  # noqa: F401 - fixtures
from tests.conftest import REPOSITORY
from tests.stand.fixtures import all_there
from tests.stand.wheels import wheels_for

NOTEBOOK = "xgboost-high-level-apis.ipynb"
FILES = (NOTEBOOK, "requirements.txt", "ames_dataset")


def texts(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.fixture(scope="session")
def wheels():
    """The wheels that the example asks for, fetched before the stand's names are the only ones there are."""
    with all_there():
        return wheels_for(REPOSITORY / "notebooks" / "requirements.txt")


def test_the_notebook_runs_to_its_end_on_the_cluster_with_the_same_error(wheels, workshop, tmp_path):  # noqa: F811
    for name in FILES:
        source = REPOSITORY / "notebooks" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / "notebook" / name)
    for wheel in wheels.glob("*.whl"):
        (workshop.index.folder / wheel.name).symlink_to(wheel)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    own = {"BASE_IMAGE": workshop.base, "BUILDER_IMAGE": workshop.builder_image, "BUILD_CPU": "100m", "CPU": "100m"}
    environment |= {f"FAIRING_{name}": value for name, value in own.items()}
    parameters = [word for name, value in workshop.setup.settings.items() for word in ("-p", name, str(value))]
    command = [sys.executable, "-m", "fairing_az_jupyter", "run", NOTEBOOK, *parameters, "-o", "out.ipynb"]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280, check=False)

    print(done.stdout, done.stderr)
    assert done.returncode == 0
    notebook = nbformat.read("out.ipynb", as_version=4)
    errors = re.findall(r"^(notebook|job|endpoint) +([\d.]+)$", texts(notebook), re.MULTILINE)
    assert [place for place, _ in errors] == ["notebook", "job", "endpoint"]
    assert len({error for _, error in errors}) == 1
    assert workshop.left() == []
