"""What the tests of records share: a folder of them, and one for what is noted beside."""

from __future__ import annotations

import tempfile

import pytest

from fairing_az_jupyter.records import RunStore


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    """Keep what is noted beside the records below the test's folder."""
    folder = tmp_path / "noted-beside"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")
