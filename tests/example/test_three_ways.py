"""The example by the command line, by papermill and from Python: the same record, and the same result."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.timeout(600)

NOTEBOOK = "xgboost-high-level-apis.ipynb"
BACKEND = ["-p", "FAIRING_BACKEND", "LocalBackend"]
PYTHON = (
    "from fairing_az_jupyter.services import Session, run_notebook\n"
    f"run_notebook(Session(), '{NOTEBOOK}', {{'FAIRING_BACKEND': 'LocalBackend'}}, output='out.ipynb')"
)
WAYS = {
    "command": ["-m", "fairing_az_jupyter", "run", NOTEBOOK, "-o", "out.ipynb", *BACKEND],
    "papermill": ["-m", "papermill", NOTEBOOK, "out.ipynb", "--engine", "fairing_azure", "--no-progress-bar", *BACKEND],
    "python": ["-c", PYTHON],
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Run the example in the three ways; return for each the folder that it has run in, and that of its record."""
    found = {}
    for way, words in WAYS.items():
        folder = tmp_path_factory.mktemp("notebooks")
        for name in (NOTEBOOK, "requirements.txt", "ames_dataset"):
            source = REPOSITORY / "notebooks" / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        environment = {"FAIRING_AZURE_HOME": str(folder / "home"), "FAIRING_AZURE_RUNS": str(folder / "runs")}
        command = [sys.executable, *words]
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        # What the notebook has launched has a record of its own.
        (record,) = (path.parent for path in (folder / "runs").glob("*/executed.ipynb"))
        found[way] = folder, record
    return found


def all_the_same(values):
    first, *others = values
    for other in others:
        assert other == first
    return first


def test_each_record_has_the_same_files(records):
    names = all_the_same([sorted(path.name for path in record.iterdir()) for _, record in records.values()])

    assert {"request.json", "status.json", "events.jsonl", "log.txt", "notebook.ipynb", "executed.ipynb"} <= set(names)


def test_request_is_the_same(records):
    requests = [json.loads((record / "request.json").read_bytes()) for _, record in records.values()]

    request = all_the_same([{**found["request"], "kernel_name": None} for found in requests])
    assert request["notebook"] == NOTEBOOK
    assert request["parameters"] == {"FAIRING_BACKEND": "LocalBackend"}
    all_the_same([sorted(found) for found in requests])


def test_end_is_the_same(records):
    ends = [json.loads((record / "status.json").read_bytes()) for _, record in records.values()]

    all_the_same([sorted(end) for end in ends])
    end = all_the_same(
        [{key: end.get(key) for key in ("state", "attempt", "cell", "cells", "metrics")} for end in ends]
    )
    assert end["state"] == "succeeded"


def test_notebook_is_kept_byte_for_byte(records):
    original = (REPOSITORY / "notebooks" / NOTEBOOK).read_bytes()

    assert all((record / "notebook.ipynb").read_bytes() == original for _, record in records.values())


def test_cells_and_their_outputs_are_the_same_in_the_record_and_where_they_were_wanted(records):
    seen = []
    for folder, record in records.values():
        for path in (folder / "out.ipynb", record / "executed.ipynb"):
            notebook = nbformat.read(path, as_version=4)
            nbformat.validate(notebook)
            seen.append([(cell.source, _outputs(cell, folder)) for cell in notebook.cells])

    cells = all_the_same(seen)
    assert any("endpoint" in text for _, outputs in cells for text in outputs)


def test_same_cells_are_told_in_the_events(records):
    told = []
    for _, record in records.values():
        events = [json.loads(line) for line in (record / "events.jsonl").read_text().splitlines()]
        told.append(
            [(event["kind"], event.get("cell"), event.get("cells")) for event in events if event["kind"] != "output"]
        )

    kinds = [kind for kind, *_ in all_the_same(told)]
    assert (kinds[0], kinds[-1]) == ("run-started", "run-finished")


def _outputs(cell, folder):
    """Return what a cell shows, without what is another each time: folders, ports, names, times."""
    texts = []
    streams = {}
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            # Where the text of a stream is cut is a matter of time.
            streams[output.name] = streams.get(output.name, "") + output.text
        else:
            texts.append(output.data.get("text/plain", "") + " ".join(sorted(output.data)))
    return [_plain(text, folder) for text in (*streams.values(), *texts)]


def _plain(text, folder):
    text = text.replace(str(folder), "FOLDER")
    text = re.sub(r"\b[a-z-]+-[0-9a-z]{4,}\b", "NAME", text)
    text = re.sub(r"0x[0-9a-f]+", "ADDRESS", text)
    text = re.sub(r"127\.0\.0\.1:\d+|localhost:\d+", "HOST", text)
    text = re.sub(r"\b\d+(\.\d+)? (s|seconds|ms)\b", "TIME", text)
    return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*|\d\d:\d\d:\d\d\S*", "TIME", text)
