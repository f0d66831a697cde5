"""Signals to a process that runs a notebook: the kernel goes within seconds, what has run is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

SCRIPT = """
import sys
from fairing_az_jupyter.exceptions import RunCancelledError
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.runs.execution.execute import execute

def show(event):
    print(event.kind, (event.text or "").strip(), flush=True)

try:
    execute(RunRequest(*sys.argv[1:]), show)
except RunCancelledError as error:
    print(error.message)
    sys.exit(error.exit_code)
"""
OBEYS = "import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(100)"
SWALLOWS = (
    "import os, time\nprint('pid', os.getpid(), flush=True)\n"
    "while True:\n    try:\n        time.sleep(100)\n    except KeyboardInterrupt:\n        print('no!', flush=True)"
)
WITH_CHILD = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)'], start_new_session=True)\n"
    "print('pid', child.pid, flush=True)\n"
    "while True:\n    try:\n        time.sleep(100)\n    except KeyboardInterrupt:\n        pass"
)


@pytest.fixture
def start(tmp_path):
    """Start a run of the given cells; end whatever is left of it."""
    processes = []

    def start(*cells: str) -> subprocess.Popen[str]:
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = new_notebook(cells=[new_code_cell(source) for source in cells], metadata=metadata)
        path = tmp_path / "nb.ipynb"
        path.write_text(nbformat.writes(notebook), encoding="utf-8")
        command = [sys.executable, "-c", SCRIPT, str(path), str(tmp_path / "out.ipynb")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for_pid(process: subprocess.Popen[str]) -> int:
    """Read the child's lines until a cell has printed a process id."""
    for line in process.stdout:
        if line.startswith("output pid"):
            return int(line.split()[-1])
    raise AssertionError(process.stderr.read())


def gone(pid: int, seconds: float = 3.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def executed(tmp_path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


def statuses(notebook: nbformat.NotebookNode) -> list[str]:
    return [cell.metadata.papermill.status for cell in notebook.cells if "papermill" in cell.metadata]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_cancels_the_run_and_keeps_what_has_run(start, tmp_path, number):
    process = start("print('kept')", OBEYS, "print('never')")
    kernel = wait_for_pid(process)
    begin = time.monotonic()

    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    assert time.monotonic() - begin < 10
    assert process.returncode == 130
    assert "was cancelled in cell 2 of 3" in out
    assert "run-cancelled" in out
    assert "never" not in out
    assert err == ""
    assert gone(kernel)
    notebook = executed(tmp_path)
    assert statuses(notebook) == ["completed", "failed", "pending"]
    assert any("kept" in output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))


def test_kernel_that_swallows_the_interrupt_is_killed(start, tmp_path):
    process = start(SWALLOWS, "print('never')")
    kernel = wait_for_pid(process)
    begin = time.monotonic()

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert time.monotonic() - begin < 15
    assert process.returncode == 130
    assert "no!" in out
    assert err == ""
    assert gone(kernel)
    assert statuses(executed(tmp_path)) == ["failed", "pending"]


def test_second_signal_kills_at_once(start):
    process = start(SWALLOWS)
    kernel = wait_for_pid(process)

    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)

    # The first signal alone leaves the cell 3 seconds.
    assert gone(kernel, seconds=2)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_killed_kernel_takes_its_children_with_it(start):
    process = start(WITH_CHILD)
    grandchild = wait_for_pid(process)

    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    assert process.returncode == 130
    assert gone(grandchild)


def test_cell_that_ends_well_on_the_interrupt_is_the_last_one(start, tmp_path):
    cell = (
        "import os, time\nprint('pid', os.getpid(), flush=True)\n"
        "try:\n    time.sleep(100)\nexcept KeyboardInterrupt:\n    print('saved', flush=True)"
    )
    process = start(cell, "print('never')")
    wait_for_pid(process)

    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "saved" in out
    assert "never" not in out
    assert statuses(executed(tmp_path))[0] == "completed"


def test_signal_while_the_kernel_starts_leaves_no_kernel(start, tmp_path):
    process = start("print('never')")
    assert process.stdout.readline().startswith("run-started")
    deadline = time.monotonic() + 20
    children: list[psutil.Process] = []
    while not children and time.monotonic() < deadline:
        children = psutil.Process(process.pid).children()
        time.sleep(0.05)
    assert children

    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=40)

    assert process.returncode == 130
    assert "cancelled before its first cell" in out
    assert err == ""
    assert all(gone(child.pid) for child in children)
    assert not (tmp_path / "out.ipynb").exists()


def test_signal_that_is_ignored_stays_ignored(tmp_path, start):
    process = start("import os, time\nprint('pid', os.getppid(), flush=True)\ntime.sleep(1.5)\nprint('done')")
    process.kill()
    process.communicate()
    command = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *process.args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ignoring:
        runner = wait_for_pid(ignoring)

        os.kill(runner, signal.SIGINT)
        out, _ = ignoring.communicate(timeout=60)

    assert ignoring.returncode == 0
    assert "output done" in out
    assert statuses(executed(tmp_path)) == ["completed"]


def test_death_of_the_process_itself_takes_the_kernel_along(start):
    process = start(OBEYS)
    kernel = wait_for_pid(process)

    process.kill()
    process.communicate(timeout=10)

    assert gone(kernel, seconds=15)
