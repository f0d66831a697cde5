"""One notebook run as a whole process: `fairing-azure run` against plain papermill.

Both do the same work for the notebook. Ours may take at most a tenth longer; it should take less, as its kernel
starts while papermill is imported, and as it does not import IPython to find the kernel.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from table import Row

PAIRS = 5
CELLS = 30
PROMISE = 1.1


def rows(pairs: int = PAIRS) -> list[Row]:
    """Measure both on a notebook of 30 cells, by turns, so that both see the same machine.

    Args:
        pairs: How many times to run each; the first, uncounted pair warms the file cache.

    Returns:
        One row with the medians.

    """
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="bench-run-") as folder:
        notebook = _notebook(Path(folder))
        output = str(Path(folder, "out.ipynb"))
        run = [sys.executable, "-m", "fairing_az_jupyter", "run", notebook, "--output", output]
        papermill = [sys.executable, "-m", "papermill", notebook, output]
        for pair in range(pairs + 1):
            figures = _seconds(run, output), _seconds(papermill, output)
            if pair:
                ours.append(figures[0])
                theirs.append(figures[1])
    return [
        Row(
            name=f"run a notebook of {CELLS} cells",
            ours=statistics.median(ours),
            theirs=statistics.median(theirs),
            against="papermill",
            unit="s",
            promise=PROMISE,
        )
    ]


def _notebook(folder: Path) -> str:
    """Write a notebook of half text and half code, and return its path."""
    cells = [
        cell
        for part in range(CELLS // 2)
        for cell in (
            new_markdown_cell(f"# Part {part}"),
            new_code_cell(f"x = list(range({part + 1}))\nprint('part', x)\nsum(x)"),
        )
    ]
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    path = folder / "notebook.ipynb"
    path.write_text(nbformat.writes(new_notebook(cells=cells, metadata=metadata)), encoding="utf-8")
    return str(path)


def _seconds(command: list[str], output: str) -> float:
    """Return how long a command takes to write the executed notebook."""
    Path(output).unlink(missing_ok=True)
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300)
    seconds = time.monotonic() - begin
    executed = nbformat.read(output, as_version=4)
    if executed.cells[-1].outputs[-1].data["text/plain"] != str(sum(range(CELLS // 2))):
        message = f"{command[2]} did not execute the notebook"
        raise RuntimeError(message)
    return seconds


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name}: {row.ours:.2f} {row.unit} against {row.theirs:.2f} {row.unit} by {row.against}", end=" ")
        print(f"(ratio {row.figure:.2f}, promised at most {row.promise})")
