"""`fairing-azure runs ...`: what a user types and sees."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from fairing_az_jupyter.frontends.cli import main
from fairing_az_jupyter.models import RunEvent, RunRequest
from fairing_az_jupyter.records import Recorder, RunStore
from fairing_az_jupyter.records.status import write_status

pytestmark = pytest.mark.timeout(120)

PROGRAM = [sys.executable, "-m", "fairing_az_jupyter"]
ERROR = {
    "code": "run-failed",
    "message": "Cell 2 of 3 failed: ValueError: no.",
    "hint": "See the notebook.",
    "cell": 2,
    "source": "raise ValueError('no')",
    "traceback": ["Traceback (most recent call last)", "ValueError: no"],
}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return RunStore(tmp_path / "runs")


def ended(
    store, run, state="succeeded", *, metrics=None, error=None, printed="", notebook="prices.ipynb", **parameters
):
    folder = store.create(RunRequest(notebook, None, parameters), b"{}", run=run)
    with Recorder(folder) as recorder:
        recorder(RunEvent("cell-started", time.time(), cell=1, cells=3, text="train()"))
        if printed:
            recorder(RunEvent("output", time.time(), cell=1, cells=3, stream="stdout", text=printed))
        for name, value in (metrics or {}).items():
            recorder(RunEvent("metric", time.time(), cell=1, cells=3, name=name, value=value))
        recorder.finish(state, duration=1.5, error=error)
    return folder


def typed(capsys, *words):
    """Return the exit code, what was printed, and what was complained of."""
    code = main(["runs", *words])
    out, err = capsys.readouterr()
    return code, out, err


def write_notebook(path, *cells):
    tagged = new_code_cell("rate = 0.1", metadata={"tags": ["parameters"]})
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = new_notebook(cells=[tagged, *(new_code_cell(cell) for cell in cells)], metadata=metadata)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")


def test_list_says_so_when_there_is_none(capsys):
    assert typed(capsys, "list") == (0, "No run is recorded.\n", "")
    assert typed(capsys, "list", "--state", "failed") == (0, "No run like that is recorded.\n", "")


def test_list_shows_each_run_in_a_line(capsys, store):
    ended(store, "r1", metrics={"rmse": 0.25})
    ended(store, "r2", "failed", error=ERROR)

    code, out, _ = typed(capsys, "list")

    assert code == 0
    title, second, first = out.splitlines()
    assert title.split() == ["RUN", "NAME", "STATE", "WHEN", "TOOK", "RESULT"]
    assert second.startswith("r2")
    assert "Cell 2 of 3 failed: ValueError: no." in second
    assert "rmse=0.25" in first


def test_list_says_how_to_see_more(capsys, store):
    for number in range(3):
        ended(store, f"r{number}")

    _, out, _ = typed(capsys, "list", "-n", "2")

    assert "r0" not in out
    assert "runs list --limit 20" in out
    assert "There are older ones" not in typed(capsys, "list", "-n", "3")[1]
    assert "r0" in typed(capsys, "list", "-n", "0")[1]


def test_names_with_control_characters_change_no_terminal(capsys, store):
    ended(
        store,
        "r1",
        "failed",
        notebook="a\n\x1b[2Jb.ipynb",
        error={**ERROR, "message": "\x1b[31mno\nway"},
        text="\x1b[2J\nfake: line",
    )

    for words in (["list"], ["show", "r1"], ["compare", "r1", "r1"]):
        code, out, _ = typed(capsys, *words)
        assert code == 0
        assert "\x1b" not in out
        assert "\nfake" not in out


def test_show_tells_all_of_a_failed_run(capsys, store):
    ended(store, "r1", "failed", error=ERROR, rate=0.25, kind="ridge")

    code, out, _ = typed(capsys, "show", "r1")

    assert code == 0
    for told in (
        "failed",
        "prices.ipynb",
        "rate = 0.25",
        "raise ValueError('no')",
        "ValueError: no",
        "See the notebook.",
    ):
        assert told in out


def test_show_of_a_lost_run_says_how_to_go_on(capsys, store):
    folder = store.create(RunRequest("prices.ipynb", None), b"{}", run="r1")
    write_status(folder, {"state": "running", "process": "elsewhere 1 2"}, final=False)
    os.utime(folder / "status.json", (1, 1))

    _, out, _ = typed(capsys, "show", "last")

    assert "lost" in out
    assert "fairing-azure runs retry r1" in out


def test_json_forms_are_json(capsys, store):
    ended(store, "r1", metrics={"rmse": float("nan")}, printed="hello\n", rate=1)
    ended(store, "r2", "failed", error=ERROR, rate=2)

    def strict(text):
        return json.loads(text, parse_constant=pytest.fail)

    assert [run["id"] for run in strict(typed(capsys, "list", "--json")[1])["runs"]] == ["r2", "r1"]
    assert strict(typed(capsys, "show", "r2", "--json")[1])["run"]["error"]["traceback"] == ERROR["traceback"]
    assert strict(typed(capsys, "compare", "r1", "r2", "--json")[1])["parameters"] == ["rate"]
    lines = [strict(line) for line in typed(capsys, "logs", "r1", "--json")[1].splitlines()]
    assert [line["event"]["kind"] for line in lines] == ["cell-started", "output", "metric"]
    assert [line["offset"] for line in lines] == sorted(line["offset"] for line in lines)
    told = strict(typed(capsys, "prune", "--keep", "1", "--json")[1])
    assert told == {"deleted": ["r1"], "failed": [], "environments": [], "freed": 0, "dry_run": False}


@pytest.mark.parametrize("action", ["show", "logs", "cancel", "retry"])
def test_run_that_is_not_there_is_refused_with_a_cure(capsys, store, action):
    ended(store, "r1")

    code, out, err = typed(capsys, action, "nothing")
    assert (code, out) == (3, "")
    assert "Run 'nothing' not found" in err
    assert "fairing-azure runs list" in err
    code, out, _ = typed(capsys, action, "nothing", "--json")
    assert (code, json.loads(out)["error"]["code"]) == (3, "run-unknown")


def test_broken_record_is_told_as_such(capsys, store):
    folder = ended(store, "r1")
    (folder / "status.json").write_text("{")

    code, _, err = typed(capsys, "show", "r1")

    assert code == 3
    assert "is broken" in err
    assert f"rm -r '{folder}'" in err


@pytest.mark.parametrize("words", [["--tail", "-1"], ["--tail", "x"]])
def test_tail_that_is_no_number_is_refused(capsys, store, words):
    ended(store, "r1")

    code, _, err = typed(capsys, "logs", "r1", *words)

    assert code == 2
    assert "--tail" in err


def test_logs_show_the_last_lines(capsys, store):
    ended(store, "r1", printed="one\ntwo\nthree\n")

    assert typed(capsys, "logs", "r1", "--tail", "2")[1] == "two\nthree\n"
    assert typed(capsys, "logs", "last")[1] == "[1/3] train()\none\ntwo\nthree\n"


def test_prune_needs_to_be_told_what(capsys, store):
    ended(store, "r1")

    code, _, err = typed(capsys, "prune")

    assert code == 3
    assert "--keep N" in err
    assert len(store.list()) == 1


def test_prune_deletes_what_it_shows_in_a_dry_run(capsys, store):
    for number in range(3):
        ended(store, f"r{number}")

    _, out, _ = typed(capsys, "prune", "--keep", "1", "--dry-run")
    assert "2 records would be deleted; this was a dry run." in out
    assert "r0" in out
    _, out, _ = typed(capsys, "prune", "--keep", "1")
    assert out == "2 records deleted.\n"
    assert [info.id for info in store.list()] == ["r2"]


@pytest.mark.parametrize("age", ["30", "d", "-3d", "3y", "", "1e3d"])
def test_age_that_says_nothing_is_refused(capsys, age):
    code, _, err = typed(capsys, "prune", f"--older-than={age}")

    assert code == 2
    assert "--older-than takes a time such as 30d, 12h or 45m" in err
    assert "runs prune --help" in err


def test_compare_puts_runs_beside_each_other(capsys, store):
    ended(store, "r1", metrics={"rmse": 0.5}, rate=0.1, depth=3)
    ended(store, "r2", metrics={"rmse": 0.4}, rate=0.2, depth=3)

    _, out, _ = typed(capsys, "compare", "r1", "r2")

    assert [line.split()[:3] for line in out.splitlines()[:3]] == [
        ["RUN", "rate", "rmse"],
        ["r1", "0.1", "0.5"],
        ["r2", "0.2", "0.4"],
    ]
    assert "r1 does not tell what it was made of." in out


@pytest.mark.parametrize("kind", ["file", "loop"])
def test_folder_that_is_none_is_refused(capsys, tmp_path, kind):
    path = tmp_path / "odd"
    path.write_text("mine") if kind == "file" else path.symlink_to(path)

    code, _, err = typed(capsys, "list", "--runs-folder", str(path))

    assert code == 3
    assert str(path) in err
    assert "--runs-folder" in err


def test_retry_of_a_run_that_goes_on_is_refused(capsys, store):
    store.create(RunRequest("prices.ipynb", None), b"{}", run="r1")

    code, _, err = typed(capsys, "retry", "r1")

    assert code == 3
    assert "runs cancel r1" in err


def test_retry_of_a_notebook_that_has_gone_offers_the_copy(capsys, store):
    ended(store, "r1", "failed", error=ERROR)

    code, _, err = typed(capsys, "retry", "r1")

    assert code == 3
    assert "no longer exists" in err
    assert "fairing-azure runs retry r1 --as-it-was" in err


@pytest.mark.kernel
def test_run_is_repeated_from_another_folder_and_as_it_was(capsys, store, tmp_path, monkeypatch):
    (tmp_path / "a b").mkdir()
    monkeypatch.chdir(tmp_path / "a b")
    write_notebook(tmp_path / "a b" / "prices.ipynb", "print('rate', rate)\nopen('beside', 'w').close()")
    assert main(["run", "prices.ipynb", "-p", "rate", "0.25"]) == 0
    first = store.find("last").id
    monkeypatch.chdir("/")

    code, out, err = typed(capsys, "retry", first)
    assert code == 0, err
    assert "rate 0.25" in out
    assert (store.find("last").retry_of, store.find("last").parameters) == (first, {"rate": 0.25})

    (tmp_path / "a b" / "prices.ipynb").unlink()
    (tmp_path / "a b" / "beside").unlink()
    code, out, err = typed(capsys, "retry", first, "--as-it-was")
    assert code == 0, err
    assert "rate 0.25" in out
    assert (tmp_path / "a b" / "beside").exists()


@pytest.mark.kernel
def test_failed_run_shows_cell_traceback_and_parameters(capsys, store, tmp_path):
    write_notebook(tmp_path / "prices.ipynb", "def train():\n    raise ValueError(f'rate {rate}')\ntrain()")

    code = main(["run", "prices.ipynb", "-p", "rate", "0.75"])

    out, err = capsys.readouterr()
    assert code == 4
    assert "Parameters: rate=0.75" in err
    assert "Cell 3 of 3" in err
    assert "ValueError: rate 0.75" in err
    assert "in train()" in err
    assert "failed" in out
    shown = typed(capsys, "show", "last")[1]
    assert "def train():" in shown
    assert "rate = 0.75" in shown


def test_secret_parameter_is_refused_and_recorded_nowhere(capsys, store, tmp_path):
    write_notebook(tmp_path / "prices.ipynb", "print('hello')")

    code = main(["run", "prices.ipynb", "-p", "api_token", "marked-value-0815"])

    out, err = capsys.readouterr()
    assert code == 3
    assert "marked-value-0815" not in out + err
    assert store.list() == []


def start(*words, **more):
    return subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def test_followed_log_ends_with_the_run_that_another_process_cancels(store, tmp_path):
    write_notebook(tmp_path / "prices.ipynb", "import time\nprint('begun', flush=True)\ntime.sleep(100)")
    running = start("run", "prices.ipynb")
    following = None
    try:
        wait_until(lambda: any("begun" in path.read_text() for path in store.path.glob("*/log.txt")))
        following = start("runs", "logs", "-f", "last")
        time.sleep(1)
        assert subprocess.run([*PROGRAM, "runs", "cancel", "last"], check=False).returncode == 0
        # Once more does no harm, whether it has ended by then (3) or not.
        assert subprocess.run([*PROGRAM, "runs", "cancel", "last"], check=False).returncode in {0, 3}
        _, complaint = running.communicate(timeout=30)
        log, _ = following.communicate(timeout=30)
    finally:
        for process in (running, following):
            if process is not None:
                process.kill()
                process.communicate()

    assert running.returncode == 130
    assert "was cancelled in cell 2 of 2" in complaint
    assert following.returncode == 0
    assert "begun" in log
    assert "was cancelled" in log
    assert store.find("last").state == "cancelled"


def test_ctrl_c_ends_only_the_following(store):
    store.create(RunRequest("prices.ipynb", None), b"{}", run="r1")
    process = start("runs", "logs", "-f", "r1")
    try:
        time.sleep(2.5)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 130
    assert "Traceback" not in complaint
    assert store.find("r1").state == "waiting"


def test_reader_who_has_seen_enough_gets_no_complaint(store):
    ended(store, "r1", printed="x" * 1_000 + "\n" + "y\n" * 100_000)
    process = start("runs", "logs", "r1")
    process.stdout.readline()
    process.stdout.close()

    complaint = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 0
    assert complaint == ""


def test_terminal_of_the_past_shows_any_log(store):
    ended(store, "r1", printed="Größe ☃ \udc80\n")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}

    done = subprocess.run([*PROGRAM, "runs", "logs", "r1"], env=environment, capture_output=True, check=False)

    assert done.returncode == 0
    assert b"Gr" in done.stdout
    assert done.stderr == b""


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
