"""The main job: the example notebook from its first cell to its last."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import nbformat
import psutil
import pytest

from fairing_az_jupyter.outputs.manifest import Manifest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.provenance.files import read_provenance
from tests.conftest import REPOSITORY

NOTEBOOK = "xgboost-high-level-apis.ipynb"
FILES = (NOTEBOOK, "requirements.txt", "ames_dataset")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    copy = tmp_path_factory.mktemp("notebooks")
    for name in FILES:
        source = REPOSITORY / "notebooks" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
    return copy


def run(*command, cwd):
    environment = {**os.environ, "FAIRING_AZURE_HOME": str(cwd / "home")}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture(scope="module")
def executed(folder):
    command = [sys.executable, "-m", "fairing_az_jupyter", "run", NOTEBOOK, "--backend", "LocalBackend"]
    done = run(*command, "-o", "out.ipynb", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, nbformat.read(folder / "out.ipynb", as_version=4)


def texts(notebook):
    return "\n".join(
        output.get("text", "") or output.get("data", {}).get("text/plain", "")
        for cell in notebook.cells
        for output in cell.get("outputs", ())
    )


def test_the_error_is_the_same_in_the_notebook_the_job_and_the_endpoint(executed):
    _, notebook = executed

    errors = re.findall(r"^(notebook|job|endpoint) +([\d.]+)$", texts(notebook), re.MULTILINE)
    assert [place for place, _ in errors] == ["notebook", "job", "endpoint"]
    assert len({error for _, error in errors}) == 1
    assert 5_000 < float(errors[0][1]) < 25_000


def test_the_endpoint_serves_the_model_of_the_job_and_no_file_of_the_notebook(executed, folder):
    _, notebook = executed
    store = RunStore(folder / "home" / "runs")
    runs = {info.kind: info for info in store.list()}
    made = read_provenance(store.folder(runs["deploy"].id))
    kept = Manifest.parse((store.folder(runs["train"].id) / "outputs" / "manifest.json").read_bytes(), where="record")

    assert made.from_job == runs["train"].id
    model = kept.by_path["trained_ames_model.dat"]
    assert [(file.path, file.sha256) for file in made.from_files] == [(model.path, model.sha256)]
    assert [file.path for file in made.inputs] == ["requirements.txt"]
    # What reads the file is `predict` of an instance that has not been trained: an endpoint's.
    sources = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert sources.count("joblib.load(") == sources.count("def predict(") == 1
    assert "HousingServe().predict" not in sources


def test_the_terminal_shows_what_the_job_and_the_endpoint_said(executed):
    out, _ = executed

    assert "Model export success: trained_ames_model.dat" in out
    assert "Deploying the endpoint." in out
    assert "Prediction endpoint: http" in out
    assert "Deleting the endpoint." in out
    assert "Mean absolute error of the model of the job: " in out
    assert "Mean absolute error of the answers of the endpoint: " in out
    assert re.search(r"^Executed notebook: /.*out\.ipynb$", out, re.MULTILINE)


def test_the_plot_of_predicted_against_actual_prices_is_in_the_executed_notebook(executed):
    _, notebook = executed

    images = [
        o.data["image/png"] for c in notebook.cells for o in c.get("outputs", ()) if "image/png" in o.get("data", {})
    ]
    assert len(images) == 1
    assert len(images[0]) > 10_000


def test_nothing_goes_on_after_the_run(executed, folder):
    left = [_words(process) for process in psutil.process_iter() if str(folder) in " ".join(_words(process))]

    assert left == []


def test_the_notebook_is_committed_without_outputs_and_is_valid():
    notebook = nbformat.read(REPOSITORY / "notebooks" / NOTEBOOK, as_version=4)

    nbformat.validate(notebook)
    assert all(not cell.get("outputs") for cell in notebook.cells)


def test_the_parameters_cell_has_the_five_names():
    from fairing_az_jupyter.parameters import read_parameters

    assert read_parameters(REPOSITORY / "notebooks" / NOTEBOOK).names == (
        "FAIRING_BACKEND",
        "DOCKER_REGISTRY",
        "AZURE_REGION",
        "AZURE_RESOURCE_GROUP",
        "AZURE_STORAGE_ACCOUNT",
    )


def test_plain_papermill_runs_the_same_notebook(folder):
    command = [sys.executable, "-m", "papermill", NOTEBOOK, "plain.ipynb", "--no-progress-bar", "--cwd", "."]
    command += ["-p", "FAIRING_BACKEND", "LocalBackend"]

    done = run(*command, cwd=folder)

    assert done.returncode == 0, done.stderr
    assert "endpoint" in texts(nbformat.read(folder / "plain.ipynb", as_version=4))


def _words(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []
