"""One MLflow server for all tests that need one."""

from __future__ import annotations

import os

import pytest

from tests.tracking.mlflow_scene import Gate, serving


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(scope="session")
def gate(mlflow):
    with Gate(mlflow.url).open() as opened:
        yield opened


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    """Work in a folder of the test's own, with records of its own, and no server but the test's."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
