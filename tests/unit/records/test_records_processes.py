"""Several processes that write, list and delete records in one folder at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.pruning import prune

pytestmark = pytest.mark.timeout(280)

RUNS = 1_000
WRITER = """
import sys, time
from pathlib import Path
from fairing_az_jupyter.models import RunEvent, RunRequest
from fairing_az_jupyter.records import Recorder, RunStore

folder, name, state, number = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
store = RunStore(Path(folder))
for each in range(number):
    with Recorder(store.create(RunRequest(f"{name}.ipynb", None, {"n": each}), b"{}")) as recorder:
        recorder(RunEvent("cell-started", time.time(), cell=1, cells=1, text="train()"))
        recorder(RunEvent("output", time.time(), cell=1, cells=1, stream="stdout", text=f"{name} {each}\\n"))
        recorder(RunEvent("metric", time.time(), cell=1, cells=1, name="n", value=each))
        recorder.finish(state, duration=0.0)
"""
LISTER = """
import sys, json
from pathlib import Path
from fairing_az_jupyter.records import RunStore

store, most = RunStore(Path(sys.argv[1])), 0
while not Path(sys.argv[2]).exists():
    runs = store.list()
    assert len({info.id for info in runs}) == len(runs)
    for info in runs:
        # Of a run that ends while it is looked at either the state before or the one after is seen.
        assert info.state in {"waiting", "running", "succeeded", "cancelled"}, info
        assert info.state != "succeeded" or info.metrics == {"n": info.parameters["n"]}, info
    most = max(most, len(runs))
print(most)
"""
PRUNER = """
import sys
from pathlib import Path
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.pruning import prune

store, deleted = RunStore(Path(sys.argv[1])), 0
while not Path(sys.argv[2]).exists():
    done = prune(store, keep=0, state="cancelled")
    assert done.failed == (), done.failed
    deleted += len(done.deleted)
print(deleted)
"""


def start(script, *arguments):
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_nothing_is_lost_while_two_write_a_thousand_runs_each_and_others_list_and_prune(tmp_path):
    folder, over = tmp_path / "runs", tmp_path / "over"
    writers = [start(WRITER, folder, name, "succeeded", RUNS) for name in ("left", "right")]
    others = [
        start(WRITER, folder, "scrap", "cancelled", 300),
        start(LISTER, folder, over),
        start(PRUNER, folder, over),
    ]
    try:
        for process in (*writers, others[0]):
            _, errors = process.communicate(timeout=200)
            assert process.returncode == 0, errors
        over.touch()
        answers = [process.communicate(timeout=60) for process in others[1:]]
    finally:
        for process in (*writers, *others):
            process.kill()
            process.communicate()

    assert [errors for _, errors in answers] == ["", ""]
    store = RunStore(folder)
    prune(store, keep=0, state="cancelled")
    runs = store.list()
    assert Counter((info.notebook, info.state) for info in runs) == {
        ("left.ipynb", "succeeded"): RUNS,
        ("right.ipynb", "succeeded"): RUNS,
    }
    for name in ("left.ipynb", "right.ipynb"):
        assert {info.parameters["n"] for info in runs if info.notebook == name} == set(range(RUNS))
    for info in runs:
        assert json.loads((folder / info.id / "request.json").read_bytes())["request"]["parameters"] == info.parameters
        events = (folder / info.id / "events.jsonl").read_text().splitlines()
        assert [json.loads(line)["kind"] for line in events] == ["cell-started", "output", "metric"]
    assert {path.name for path in folder.iterdir()} - {info.id for info in runs} <= {"index.jsonl"}


def test_killed_writers_leave_only_whole_records(tmp_path):
    folder = tmp_path / "runs"
    for _ in range(5):
        with start(WRITER, folder, "left", "succeeded", 100_000) as process:
            try:
                process.communicate(timeout=1.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    store = RunStore(folder)
    runs = store.list()
    records = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    assert len(records) == len(runs) > 0
    assert all(info.state in {"succeeded", "lost"} for info in runs)
    assert sum(info.state == "lost" for info in runs) <= 5
