"""What a live view adds to the saved notebook: 10,000 lines of a training."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from table import Row

LINES = 10_000
DEFINE = f"""
%load_ext fairing_az_jupyter
FAIRING_BACKEND = 'LocalBackend'
def trains():
    for number in range({LINES}):
        print(f'[{{number}}]\\tvalidation_0-rmse:{{1 / (number + 1)}}\\tvalidation_1-rmse:{{1.2 / (number + 1)}}')
"""


def rows() -> list[Row]:
    """Execute the same notebook with and without the training, and compare the files."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (_saved(folder, *cells) for cells in ((DEFINE, "%fairing_azure train trains"), (DEFINE, "")))
    return [
        Row(f"a live view of {LINES:,} lines in the saved notebook", ours, theirs, "without", "MB", 1.0, "difference")
    ]


def _saved(folder: str, *cells: str) -> float:
    """Return the size of an executed notebook in MB."""
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}}).execute()
    path = Path(folder) / "saved.ipynb"
    nbformat.write(notebook, path)
    return path.stat().st_size / 1e6
