"""10,000 records of runs: how long a list takes, the first without an index and the next ones with it.

Held against what a list costs that opens every record: all folders, both JSON files of each.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from table import Row

from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.records.status import read_status, write_status

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 10_000
TIMES = 3
SECONDS = 1.0
"""What a list of 10,000 runs may take."""
FIRST = 2.0


def rows(runs: int = RUNS) -> list[Row]:
    """Measure the lists, and the plain reading of all records.

    Args:
        runs: How many records to make.

    Returns:
        One row for the first list, and two for those with the index.

    """
    with tempfile.TemporaryDirectory(prefix="bench-runs-") as name:
        store = RunStore(Path(name, "runs"))
        _make(store, runs)
        plain = _seconds(lambda: _read_all(store.path), runs)
        firsts = []
        for _ in range(TIMES):
            (store.path / "index.jsonl").unlink(missing_ok=True)
            firsts.append(_timed(store.list, runs))
        listed = _seconds(store.list, runs)
        newest = _seconds(lambda: store.list(limit=21), 21)
    first = statistics.median(firsts)
    shown = f"{runs:,} runs"
    every = "opening every record"
    return [
        Row(f"list {shown}, the first time", first, plain, every, "s", FIRST),
        Row(f"list {shown}", listed, plain, every, "s", SECONDS / plain),
        Row(f"list the newest 20 of {shown}", newest, plain, every, "s", SECONDS / plain),
    ]


def _make(store: RunStore, runs: int) -> None:
    """Make records of runs that have ended, as `Recorder` leaves them."""
    for number in range(runs):
        request = RunRequest("prices.ipynb", "prices.executed.ipynb", {"rate": number / runs, "depth": number % 12})
        folder = store.create(request, None)
        metrics = {"rmse": 1 / (number + 1), "mae": 0.5}
        ended = {"state": "succeeded", "started": time.time(), "ended": time.time(), "duration": 1.5, "attempt": 1}
        write_status(folder, {**read_status(folder), **ended, "metrics": metrics, "cell": 9, "cells": 9}, final=True)


def _read_all(folder: Path) -> list[object]:
    return [
        [json.loads(Path(entry.path, name).read_bytes()) for name in ("request.json", "status.json")]
        for entry in os.scandir(folder)
        if entry.is_dir()
    ]


def _seconds(work: Callable[[], list[object]] | Callable[[], object], expected: int) -> float:
    return statistics.median(_timed(work, expected) for _ in range(TIMES))


def _timed(work: Callable[[], object], expected: int) -> float:
    begin = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - begin
    if not isinstance(found, list) or len(found) != expected:
        message = f"not {expected} runs were listed"
        raise RuntimeError(message)
    return seconds


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.3f} {row.unit} against {row.theirs:.3f} {row.unit} by {row.against}", end=" ")
        print(f"(ratio {row.figure:.2f}, promised at most {row.promise:.2f})")
