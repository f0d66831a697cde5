"""A sweep of a small notebook: two jobs against one, and one job against a loop of plain nbclient.

Each is a whole process, with all that it imports and plans. The loop keeps no record, and saves no partial notebook;
that is what the overhead is about. FAIRING_AZURE_BENCH_RUNS gives another number of runs than 200.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from table import Row

RUNS = int(os.environ.get("FAIRING_AZURE_BENCH_RUNS", "200"))
ROUNDS = 2
SPEEDUP = 1.7
OVERHEAD = 1.1

LOOP = """
import sys
import nbformat
from nbclient import NotebookClient
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    notebook = nbformat.read(sys.argv[1], as_version=4)
    notebook.cells[1].source = f"number = {number}"
    NotebookClient(notebook).execute()
    nbformat.write(notebook, f"{sys.argv[1]}.{number}.ipynb")
"""


def rows(runs: int = RUNS) -> list[Row]:
    """Measure all three in rounds, by turns, so that they see the same machine.

    Args:
        runs: How many runs each of them makes, in all rounds.

    Returns:
        A row for two jobs against one, and a row for one job against nbclient.

    """
    each = max(2, runs // ROUNDS)
    seconds = {"one": 0.0, "two": 0.0, "loop": 0.0}
    with tempfile.TemporaryDirectory(prefix="bench-sweep-") as folder:
        notebook = _notebook(Path(folder))
        _loop(notebook, range(1))  # warms the file cache
        for turn in range(ROUNDS):
            numbers = range(turn * each, (turn + 1) * each)
            seconds["one"] += _sweep(notebook, folder, numbers, jobs=1)
            seconds["loop"] += _loop(notebook, numbers)
            seconds["two"] += _sweep(notebook, folder, numbers, jobs=2)
    name = f"a sweep of {each * ROUNDS} runs"
    return [
        Row(f"{name}, -j 2", seconds["two"], seconds["one"], "-j 1", "s", SPEEDUP, "speedup"),
        Row(f"{name}, -j 1", seconds["one"], seconds["loop"], "a loop of nbclient", "s", OVERHEAD),
    ]


def _notebook(folder: Path) -> str:
    cells = [
        new_markdown_cell("# A small notebook"),
        new_code_cell("number = 0", metadata={"tags": ["parameters"]}),
        new_code_cell("squares = [each * each for each in range(number + 1)]\nprint(sum(squares))"),
        new_code_cell("squares[-1]"),
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": spec, "language_info": {"name": "python"}}
    path = folder / "small.ipynb"
    path.write_text(nbformat.writes(new_notebook(cells=cells, metadata=metadata)), encoding="utf-8")
    return str(path)


def _sweep(notebook: str, folder: str, numbers: range, *, jobs: int) -> float:
    """Return how long a sweep takes."""
    grid = ["--grid", "number", *map(str, numbers)]
    options = ["-j", str(jobs), "--runs-folder", str(Path(folder, f"runs-{jobs}"))]
    told, seconds = _timed([sys.executable, "-m", "fairing_az_jupyter", "sweep", "run", notebook, *grid, *options])
    if f"{len(numbers)} succeeded" not in told:
        message = f"the sweep has not run all of its points: {told}"
        raise RuntimeError(message)
    return seconds


def _loop(notebook: str, numbers: range) -> float:
    """Return how long plain nbclient takes, one run after the other in one process."""
    return _timed([sys.executable, "-c", LOOP, notebook, str(numbers.start), str(numbers.stop)])[1]


def _timed(command: list[str]) -> tuple[str, float]:
    begin = time.monotonic()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout, time.monotonic() - begin


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.1f} {row.unit}, {row.against} {row.theirs:.1f} {row.unit}, {row.figure:.2f}")
