"""Cells that are skipped, tried again, stopped: by their tags, a time limit, a deadline or what they print."""

from __future__ import annotations

import os
import tempfile
import time

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import NotebookFileError, RunFailedError
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.records import RunStore

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

FAILS_TWICE = (
    "import pathlib\ncounted = pathlib.Path('tries')\n"
    "tries = int(counted.read_text() or 0) if counted.exists() else 0\n"
    "counted.write_text(str(tries + 1))\nprint('try', tries + 1)\nassert tries >= 2, 'not yet'"
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs cells (source, or source and tags), and returns the error, the run and its record."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = RunStore(tmp_path / "runs")

    def run(*cells, **limits):
        made = [
            new_code_cell(cell) if isinstance(cell, str) else new_code_cell(cell[0], metadata={"tags": list(cell[1:])})
            for cell in cells
        ]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        (tmp_path / "prices.ipynb").write_text(nbformat.writes(new_notebook(cells=made, metadata=metadata)))
        request = RunRequest(str(tmp_path / "prices.ipynb"), str(tmp_path / "out.ipynb"), **limits)
        error = None
        try:
            services.run(services.Session(runs_folder=str(store.path)), request, lambda _event: None)
        except RunFailedError as raised:
            error = raised
        info = store.find("last")
        return error, info, store.folder(info.id)

    return run


def events(folder):
    import json

    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_cells_tagged_skip_are_left_out(run):
    error, info, folder = run("print('one')", ("print('two')", "skip"), ("1 / 0", "skip-execution"), "print('four')")

    assert error is None
    assert info.state == "succeeded"
    log = (folder / "log.txt").read_text()
    assert "one" in log
    assert "two" not in log
    assert [e["cell"] for e in events(folder) if e["kind"] == "cell-started"] == [1, 4]


def test_cell_that_may_be_tried_again_succeeds_in_the_end_and_leaves_no_error(run):
    error, info, folder = run((FAILS_TWICE, "retry-3"), "print('after')")

    assert error is None
    assert info.state == "succeeded"
    assert [e["kind"] for e in events(folder) if e.get("cell") == 1 and e["kind"] != "output"] == [
        "cell-started",
        "cell-retried",
        "cell-retried",
        "cell-finished",
    ]
    notebook = nbformat.read(folder / "executed.ipynb", as_version=4)
    assert [output.output_type for output in notebook.cells[0].outputs] == ["stream"]
    assert notebook.cells[0].outputs[0].text == "try 3\n"


def test_cell_that_has_no_try_left_fails_the_run(run):
    error, info, folder = run((FAILS_TWICE, "retry-1"), "print('never')")

    assert "not yet" in error.message
    assert (info.state, info.error["cell"]) == ("failed", 1)
    assert sum(e["kind"] == "cell-retried" for e in events(folder)) == 1
    assert "never" not in (folder / "log.txt").read_text().replace("print('never')", "")


@pytest.mark.parametrize("tag", ["retry", "retry-0", "retry-101", "retry=3", "Retry-3", "retries-3", "retry-3x"])
def test_tag_that_only_looks_like_a_retry_is_refused_before_a_kernel_starts(run, tag):
    began = time.monotonic()
    with pytest.raises(NotebookFileError, match="does not say how often") as refused:
        run(("print('never')", tag))

    assert "retry-3" in refused.value.hint
    assert time.monotonic() - began < 5


def test_deadline_stops_a_cell_and_is_the_reason(run):
    error, info, folder = run("print('kept')", "import time\ntime.sleep(100)", deadline=4.0)

    assert error.code == "deadline"
    assert (info.state, info.error["code"], info.error["cell"]) == ("failed", "deadline", 2)
    assert info.duration < 15
    assert "kept" in (folder / "executed.ipynb").read_text()
    assert events(folder)[-1]["kind"] == "run-failed"


def test_deadline_ends_a_cell_that_swallows_the_interrupt(run):
    cell = (
        "import time\nwhile True:\n    try:\n        time.sleep(100)\n"
        "    except KeyboardInterrupt:\n        print('no!')"
    )
    error, info, _ = run(cell, deadline=4.0)

    assert error.code == "deadline"
    assert info.duration < 15


def test_deadline_ends_a_cell_that_hangs_outside_of_python(run):
    cell = (
        "import ctypes, os, signal, time\nprint('pid', os.getpid(), flush=True)\n"
        # Another thread of the kernel sends what was printed, and needs the lock that is kept from here on.
        "time.sleep(0.5)\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])\nctypes.PyDLL(None).sleep(100)"
    )
    error, info, folder = run(cell, deadline=5.0)

    assert error.code == "deadline"
    assert info.duration < 20
    (pid,) = [int(e["text"].split()[1]) for e in events(folder) if e["kind"] == "output"]
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_time_limit_of_a_cell_is_the_reason(run):
    error, info, _ = run("print('first')", "import time\ntime.sleep(100)", cell_timeout=2.0)

    assert error.code == "cell-timeout"
    assert "longer than 2 s" in info.error["message"]
    assert info.error["cell"] == 2
    assert info.duration < 30


@pytest.mark.parametrize(
    "cell",
    [
        "print('x' * 100_000_000)",
        "for _ in range(100):\n    print('x' * 1_000_000)",
        "from IPython.display import display\ndisplay({'text/html': 'x' * 100_000_000}, raw=True)",
        "raise ValueError('x' * 100_000_000)",
    ],
)
def test_cell_that_prints_100_mb_is_stopped_and_recorded_small(run, cell):
    before = psutil.Process().memory_info().rss
    error, info, folder = run("print('kept')", cell)

    assert error.code == "output-limit"
    assert "--output-limit" in error.hint
    assert (info.state, info.error["cell"]) == ("failed", 2)
    assert (folder / "status.json").stat().st_size < 100_000
    assert sum(path.stat().st_size for path in folder.iterdir()) < 150_000_000
    assert psutil.Process().memory_info().rss - before < 1_200_000_000
    began = time.monotonic()
    RunStore(folder.parent).list()
    assert time.monotonic() - began < 0.5


def test_figure_that_is_drawn_anew_many_times_is_not_too_much(run):
    cell = (
        "from IPython.display import display\nshown = display({'text/plain': '0', 'x/y': 'x' * 50_000}, raw=True, "
        "display_id=True)\nfor number in range(300):\n"
        "    shown.update({'text/plain': str(number), 'x/y': 'x' * 50_000}, raw=True)"
    )
    error, info, folder = run(cell, output_limit=1_000_000)

    assert error is None
    assert info.state == "succeeded"
    assert (folder / "executed.ipynb").stat().st_size < 200_000


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "signal 9"), ("import os\nos._exit(3)", "status 3")],
)
def test_kernel_that_vanishes_is_the_reason(run, cell, reason):
    error, info, _ = run("print('first')", cell, "print('never')")

    assert error.code == "kernel-died"
    assert reason in info.error["message"]
    assert (info.state, info.error["cell"]) == ("failed", 2)


def test_odd_reports_of_a_notebook_are_kept_or_passed_over(run):
    cell = (
        "from IPython.display import display\nfrom fairing_az_jupyter import report\n"
        "mime = 'application/vnd.fairing-az-jupyter.metric+json'\n"
        "for found in ([], {'name': 3}, {'name': 'a', 'value': [1]}, {'name': 'x' * 999, 'value': 1}):\n"
        "    display({mime: found, 'text/plain': 'odd'}, raw=True)\n"
        "report('nan', float('nan'))\nreport('rmse', 1)\nreport('rmse', 0.5)"
    )
    error, info, _ = run(cell)

    assert error is None
    assert info.metrics == {"nan": "nan", "rmse": 0.5}


def test_text_in_odd_bytes_is_recorded(run):
    cell = (
        "import os, sys\nprint('half \\udc80 letter')\nprint('\\x1b[31mred\\x1b[0m')\nprint('1%\\r2%\\r', end='')\n"
        "sys.stdout.flush()\nos.write(1, b'\\xff\\xfe raw bytes\\n')\nprint('end')"
    )
    error, _, folder = run(cell)

    assert error is None
    log = (folder / "log.txt").read_text()
    assert "red" in log
    assert "\x1b" not in log
    assert "end\n" in log
    assert any("letter" in e.get("text", "") for e in events(folder) if e["kind"] == "output")


def test_notebook_is_saved_after_each_cell(run, tmp_path):
    cell = (
        "import glob, pathlib\nfound = glob.glob('runs/*/executed.ipynb')\n"
        "assert 'first' in pathlib.Path(found[0]).read_text()\nassert 'first' in pathlib.Path('out.ipynb').read_text()"
    )
    error, _, _ = run("print('fir' + 'st')", cell)

    assert error is None
    assert os.access(tmp_path / "out.ipynb", os.R_OK)
