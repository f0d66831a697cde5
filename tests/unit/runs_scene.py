"""A notebook to run, its run in this process, and what it has written."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from fairing_az_jupyter.models import RunEvent, RunRequest
from fairing_az_jupyter.runs.execution.execute import execute

if TYPE_CHECKING:
    from pathlib import Path

KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}


def write_notebook(path: Path, *cells: str, parameters: str | None = None) -> Path:
    tagged = [new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters is not None else []
    notebook = new_notebook(
        cells=[new_markdown_cell("# A notebook"), *tagged, *(new_code_cell(source) for source in cells)],
        metadata={"kernelspec": KERNELSPEC, "language_info": {"name": "python"}},
    )
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path


def run(path: Path, **changes: object) -> tuple[list[RunEvent], Path, object]:
    """Return the events, the output's path and what the run returned or raised."""
    output = path.with_name("out.ipynb")
    request = dataclasses.replace(RunRequest(str(path), str(output)), **changes)
    events: list[RunEvent] = []
    try:
        outcome: object = execute(request, events.append)
    except Exception as error:  # noqa: BLE001 - the tests look at it
        outcome = error
    return events, output, outcome


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook
