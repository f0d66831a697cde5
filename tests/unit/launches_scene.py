"""A notebook to launch, and waiting for the end of a process."""

from __future__ import annotations

import time

import nbformat
import psutil


def notebook_in(folder, *sources, backend="'LocalBackend'"):
    cell = f"FAIRING_BACKEND = {backend}\nDOCKER_REGISTRY = None\nROUNDS = 3\n"
    cells = [nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = folder / "example.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def gone(pid, seconds=15):
    end = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
