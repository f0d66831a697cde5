"""Sweeps with real kernels: each point runs exactly once, whatever is killed, cancelled or resumed in between."""

from __future__ import annotations

import collections
import contextlib
import csv
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import fairing_az_jupyter
from fairing_az_jupyter.exceptions import ExecutionError, InputError
from fairing_az_jupyter.records import RunStore
from fairing_az_jupyter.services import (
    describe_sweep,
    keep_sweep,
    list_runs,
    plan_sweep,
    prune_runs,
    resume_sweep,
    sweep_points,
)
from fairing_az_jupyter.services.session import Session

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(240)]

WRITES = """
import os, sys, time
from fairing_az_jupyter import report
handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(handle, f"{number} {os.getpid()}\\n".encode())
time.sleep(pause)
report("square", number * number)
"""
POINTS = 12


class Place:
    """A folder with a notebook, its sweeps, and the processes that a test has started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = str(folder / "runs")
        self.log = folder / "log.txt"
        self.notebook = str(folder / "small.ipynb")
        self.processes: list[subprocess.Popen[str]] = []
        self.write(WRITES)

    def write(self, source: str) -> None:
        cells = [
            new_code_cell(f"number = 0\npause = 0.0\nlog = {str(self.log)!r}", metadata={"tags": ["parameters"]}),
            new_code_cell(source),
        ]
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        text = nbformat.writes(new_notebook(cells=cells, metadata={"kernelspec": spec}))
        Path(self.notebook).write_text(text, encoding="utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "fairing_az_jupyter", "sweep", *words, "--runs-folder", self.runs],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def start_grid(self, *words: str, points: int = POINTS) -> subprocess.Popen[str]:
        numbers = [str(number) for number in range(1, points + 1)]
        return self.start("run", self.notebook, "--grid", "number", *numbers, *words)

    def until_ended(self, process: subprocess.Popen[str], runs: int) -> None:
        for line in process.stdout:
            if line.startswith(f"[{runs:>{len(str(POINTS))}}/"):
                return
        raise AssertionError(process.stderr.read())

    def resume(self, *words: str, code: int = 0) -> str:
        process = self.start("resume", "last", *words)
        out, err = process.communicate(timeout=200)
        assert process.returncode == code, out + err
        return out + err

    def table(self) -> dict[str, object]:
        return describe_sweep(Session(runs_folder=self.runs), "last").to_dict()

    def states(self) -> dict[str, int]:
        return describe_sweep(Session(runs_folder=self.runs), "last").counts

    def executions(self) -> collections.Counter[int]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return collections.Counter(int(line.split()[0]) for line in lines)

    def wait_until(self, condition, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def no_process_is_left(self) -> bool:
        return not [each for each in psutil.process_iter() if self.runs in " ".join(_command(each))]

    def no_kernel_is_left(self) -> bool:
        return not [
            each for each in psutil.process_iter() if _environment(each).get("JPY_SESSION_NAME") == self.notebook
        ]


def _command(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def _environment(process: psutil.Process) -> dict[str, str]:
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ()
    return {}


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    for process in place.processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def each_point_has_one_record_that_succeeded(place: Place, points: int = POINTS) -> None:
    runs = list_runs(Session(runs_folder=place.runs))
    assert len(runs) == points
    assert {run.state for run in runs} == {"succeeded"}
    assert {run.point for run in runs} == set(range(1, points + 1))
    for run in runs:
        assert run.metrics == {"square": run.parameters["number"] ** 2}
        nbformat.validate(nbformat.read(Path(run.folder) / "executed.ipynb", as_version=4))
        for line in (Path(run.folder) / "events.jsonl").read_text().splitlines():
            assert not line or json.loads(line)["kind"]


def test_sweep_tells_each_run_and_the_best_and_keeps_the_notebooks(place, tmp_path):
    process = place.start_grid("--output-folder", str(tmp_path / "out"), "-j", "2", points=4)

    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert err == ""
    assert "[4/4] number=" in out
    assert "4 points: 4 succeeded." in out
    assert "The lowest square:" in out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"000{n}.ipynb" for n in range(1, 5)]
    each_point_has_one_record_that_succeeded(place, 4)
    assert all(
        run.id == f"{place.table()['sweep']}-{run.point:04d}" for run in list_runs(Session(runs_folder=place.runs))
    )
    rows = list(csv.DictReader(io.StringIO(describe_sweep(Session(runs_folder=place.runs), "last").csv())))
    assert [(row["number"], row["square"], row["state"]) for row in rows] == [
        (str(n), str(n * n), "succeeded") for n in range(1, 5)
    ]


def test_runs_at_the_same_time_share_nothing(place):
    place.write("import os\nassert 'seen' not in os.environ\nos.environ['seen'] = '1'\n" + WRITES)

    table = fairing_az_jupyter.sweep(
        place.notebook, {"pause": 1.0}, grid={"number": [1, 2, 3, 4]}, jobs=2, runs_folder=place.runs
    )

    assert table.counts == {"succeeded": 4}
    pids = {line.split()[1] for line in place.log.read_text().splitlines()}
    assert len(pids) == 4
    runs = sorted(list_runs(Session(runs_folder=place.runs)), key=lambda run: run.started)
    assert any(later.started < earlier.ended for earlier, later in itertools.pairwise(runs))


def test_killed_coordinator_leaves_runs_that_are_finished_once(place):
    process = place.start_grid("-j", "2", "-p", "pause", "0.3")
    place.until_ended(process, 6)

    process.kill()
    process.wait()
    place.wait_until(place.no_process_is_left)

    assert set(place.states()) == {"succeeded", "missing"}
    assert place.states()["missing"] >= POINTS - 10
    place.resume("-j", "2")
    each_point_has_one_record_that_succeeded(place)
    assert place.executions() == dict.fromkeys(range(1, POINTS + 1), 1)


def test_resume_waits_for_the_runs_of_workers_that_are_left(place):
    process = place.start_grid("-j", "2", "-p", "pause", "1.5", points=6)
    place.wait_until(lambda: sum(place.executions().values()) >= 2)

    process.kill()
    process.wait()
    place.resume("-j", "2")

    each_point_has_one_record_that_succeeded(place, 6)
    assert place.executions() == dict.fromkeys(range(1, 7), 1)


def test_killed_process_group_is_resumed_where_it_was(place):
    process = place.start_grid("-j", "2", "-p", "pause", "0.3")
    place.until_ended(process, 6)

    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ended = {run.point: run.ended for run in list_runs(Session(runs_folder=place.runs)) if run.has_ended}
    place.resume("-j", "2")

    each_point_has_one_record_that_succeeded(place)
    executions = place.executions()
    assert all(executions[number] == 1 for number in ended)
    assert sum(executions.values()) <= POINTS + 2
    assert {run.point: run.ended for run in list_runs(Session(runs_folder=place.runs)) if run.point in ended} == ended
    place.wait_until(place.no_kernel_is_left)


def test_two_resumes_at_once_run_nothing_twice(place):
    process = place.start_grid("-j", "1")
    place.until_ended(process, 2)
    process.kill()
    process.wait()
    place.wait_until(place.no_process_is_left)

    resumes = [place.start("resume", "last", "-j", "1") for _ in range(2)]

    for each in resumes:
        out, err = each.communicate(timeout=200)
        assert each.returncode == 0, err
        assert f"{POINTS} points: {POINTS} succeeded." in out
    each_point_has_one_record_that_succeeded(place)
    assert place.executions() == dict.fromkeys(range(1, POINTS + 1), 1)


def test_killed_worker_costs_one_more_attempt(place):
    process = place.start_grid("-j", "1", "-p", "pause", "1.0", points=3)
    place.wait_until(lambda: place.executions()[2] == 1)

    worker = next(child for child in psutil.Process(process.pid).children())
    worker.kill()
    out, err = process.communicate(timeout=120)

    assert process.returncode == 0, err
    assert "point 2: The process that executed it ended: it was killed by signal 9" in out
    each_point_has_one_record_that_succeeded(place, 3)
    assert {run.point: run.attempt for run in list_runs(Session(runs_folder=place.runs))} == {1: 1, 2: 2, 3: 1}


def test_run_that_kills_its_worker_again_and_again_fails_with_the_reason(place):
    place.write(WRITES + "\nif number == 2:\n    os.kill(os.getppid(), 9)\n    time.sleep(60)")
    process = place.start_grid("-j", "1", points=3)

    _, err = process.communicate(timeout=120)

    assert process.returncode == 4
    assert "Point 2: The process that executed the run ended for the second time: it was killed by signal 9" in err
    assert place.states() == {"succeeded": 2, "failed": 1}
    assert place.executions() == {1: 1, 2: 2, 3: 1}
    place.wait_until(place.no_kernel_is_left)


def test_ctrl_c_cancels_what_runs_and_leaves_the_rest_for_resume(place):
    process = place.start_grid("-j", "2", "-p", "pause", "0.5", points=6)
    place.wait_until(lambda: sum(place.executions().values()) >= 3)

    begin = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert time.monotonic() - begin < 15
    assert process.returncode == 130
    assert "was cancelled" in err
    assert "sweep resume" in err
    assert "Traceback" not in out + err
    assert place.states().get("running", 0) == place.states().get("lost", 0) == 0
    cancelled = place.states().get("cancelled", 0)
    assert cancelled
    place.resume("-j", "2")
    assert place.states() == {"succeeded": 6}
    assert len([run for run in list_runs(Session(runs_folder=place.runs)) if run.state == "cancelled"]) == cancelled


def test_cancel_from_another_process_stops_the_sweep(place):
    process = place.start_grid("-j", "1", "-p", "pause", "30", points=3)
    place.wait_until(lambda: place.executions()[1] == 1)

    told = place.start("cancel", "last").communicate(timeout=60)[0]
    _, err = process.communicate(timeout=60)

    assert "is asked to stop" in told
    assert process.returncode == 130, err
    assert place.states() == {"cancelled": 1, "missing": 2}
    again = place.start("cancel", "last")
    assert "no process executes it" in again.communicate(timeout=60)[1]
    assert again.returncode == 3


def test_failing_points_are_left_alone_until_they_are_to_be_tried_again(place, tmp_path):
    place.write(WRITES + f"\nassert number != 2 or os.path.exists({str(tmp_path / 'corrected')!r}), 'not yet'")
    process = place.start_grid("-j", "1", points=3)

    _, err = process.communicate(timeout=120)

    assert process.returncode == 4
    assert "1 of 3 points" in err
    assert "AssertionError: not yet" in err
    (tmp_path / "corrected").touch()
    place.resume(code=4)
    assert place.executions() == {1: 1, 2: 1, 3: 1}
    place.resume("--retry-failed")
    assert place.states() == {"succeeded": 3}
    assert place.executions() == {1: 1, 2: 2, 3: 1}
    sweep = place.table()["sweep"]
    again = next(run for run in list_runs(Session(runs_folder=place.runs)) if run.retry_of)
    assert (again.id, again.retry_of, again.point) == (f"{sweep}-0002-r2", f"{sweep}-0002", 2)
    assert {run.id: run.state for run in list_runs(Session(runs_folder=place.runs))}[f"{sweep}-0002"] == "failed"


def test_stop_after_failures_begins_no_run_any_more(place):
    place.write("raise ValueError(number)")
    process = place.start_grid("-j", "1", "--stop-after", "2", points=6)

    _, err = process.communicate(timeout=120)

    assert process.returncode == 4
    assert "2 runs failed, which is the limit of --stop-after. 4 of 6 points have not run" in err
    assert place.states() == {"failed": 2, "missing": 4}


def test_resume_runs_the_notebook_as_it_was_at_the_start(place):
    process = place.start_grid("-j", "1", points=4)
    place.wait_until(lambda: place.executions()[1] == 1)
    process.kill()
    process.wait()
    place.wait_until(place.no_process_is_left)

    place.write("raise RuntimeError('changed')")
    place.resume()

    each_point_has_one_record_that_succeeded(place, 4)


def test_resume_of_a_finished_sweep_runs_nothing(place):
    process = place.start_grid(points=2)
    process.communicate(timeout=120)
    before = place.executions()

    out = place.resume()

    assert "2 of them ended before" in out
    assert place.executions() == before


def test_a_finished_sweep_whose_runs_were_pruned_stays_finished_with_all_that_they_reported(place):
    place.write(WRITES + "if number == 2:\n    raise ValueError('two')\n")
    place.start_grid(points=3).communicate(timeout=120)
    session, before, executed = Session(runs_folder=place.runs), place.table(), place.executions()

    done = prune_runs(session, keep=0)

    assert (len(done.deleted), done.failed, list_runs(session)) == (3, (), [])
    after = place.table()
    assert (before["state"], after["state"]) == ("done", "done")
    assert after["counts"] == {"succeeded": 2, "failed": 1}
    assert after["rows"] == before["rows"]
    assert "3 of them ended before" in place.resume(code=ExecutionError.exit_code)
    assert place.executions() == executed

    place.resume("--retry-failed", code=ExecutionError.exit_code)
    assert place.executions() == executed + collections.Counter([2])
    assert [run.id.rpartition("-")[2] for run in list_runs(session)] == ["r2"]


def test_a_half_pruned_sweep_resumes_what_is_missing_and_nothing_else(place):
    process = place.start_grid(points=3)
    session = Session(runs_folder=place.runs)
    place.wait_until(lambda: "succeeded" in {run.state for run in list_runs(session)})
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    ended = {run.point for run in list_runs(session) if run.state == "succeeded"}

    prune_runs(session, keep=0)

    assert place.table()["state"] == ("done" if len(ended) == 3 else "incomplete")
    place.resume()
    assert place.states() == {"succeeded": 3}
    assert {run.point for run in list_runs(session)} == {1, 2, 3} - ended


def test_a_point_that_somebody_has_cancelled_is_left_alone_also_when_its_run_was_pruned(place):
    planned = plan_sweep(Session(), place.notebook, sweep_points(grid=[["number", "1", "2"]]))
    session = Session(runs_folder=place.runs)
    sweep = keep_sweep(session, planned)
    (run, request), _ = planned.plan.runs()
    folder = session.store.create(request, b"{}", run=run, sweep=sweep, point=1)
    session.store.cancel(run)
    session.store.note(run, {"state": "cancelled", "ended": time.time()}, final=True)
    assert folder.is_dir()

    prune_runs(session, keep=0)

    assert "1 of them ended before" in place.resume()
    assert place.states() == {"cancelled": 1, "succeeded": 1}


def test_json_is_one_document_a_line_to_the_end(place):
    process = place.start_grid("--json", points=2)

    out, _ = process.communicate(timeout=120)

    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"]["kind"] for line in lines[:-1]] == [
        "sweep-started",
        "run-started",
        "run-ended",
        "run-started",
        "run-ended",
        "sweep-ended",
    ]
    assert lines[-1]["result"]["counts"] == {"succeeded": 2}


def test_unknown_sweep_and_senseless_numbers_are_refused(place):
    with pytest.raises(InputError, match="Sweep 'nothing' not found"):
        resume_sweep(Session(runs_folder=place.runs), "nothing")
    with pytest.raises(InputError, match="0 jobs"):
        resume_sweep(Session(runs_folder=place.runs), "nothing", jobs=0)


def test_a_sweep_whose_runs_go_on_in_the_cluster_is_not_waited_for_here(place):
    planned = plan_sweep(Session(), place.notebook, sweep_points(grid=[["number", "1", "2"]]))
    sweep = keep_sweep(Session(runs_folder=place.runs), planned)
    (run, request), _ = planned.plan.runs()
    there = {"state": "running", "place": "cluster", "job": "small-1", "namespace": "team-a"}
    RunStore.open(place.runs).create(request, b"{}", run=run, status=there, sweep=sweep, point=1)

    with pytest.raises(InputError, match=r"are still running in the cluster \(Job 'small-1'\)") as refused:
        resume_sweep(Session(runs_folder=place.runs), sweep)

    assert "--on-cluster" in refused.value.hint
