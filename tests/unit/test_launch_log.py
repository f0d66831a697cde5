"""The log of a launch lies beside its notebook, or wherever it can, and is never what ends a launch."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from fairing_az_jupyter.frontends.views.launch import LaunchView
from fairing_az_jupyter.frontends.views.launch_log import LaunchLog
from fairing_az_jupyter.launch_events import Output

FOLDER = "fairing-azure-logs"


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Be in a notebook's folder, and return the folder for its logs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / FOLDER


def written(what, text="a line\n"):
    log = LaunchLog(what)
    log.write(text)
    log.close()
    return log


def test_a_log_lies_beside_the_notebook_and_holds_the_text(beside):
    log = written("HousingServe", "one\ntwo\n")

    assert log.path.parent == beside
    assert re.fullmatch(r"HousingServe-\d{8}-\d{6}\.log", log.path.name)
    assert log.path.read_text() == "one\ntwo\n"


def test_nothing_is_made_before_there_is_a_text(beside):
    log = LaunchLog("HousingServe")
    log.close()

    assert not beside.exists()
    assert log.path is None


@pytest.mark.parametrize("what", ["train.py:Häuser und 'Gärten' #1?", "../../etc/passwd", "a%20b", "<b>&", "数据"])
def test_a_link_leads_to_the_log_whatever_the_launch_is_called(beside, what):
    log = written(what)

    assert log.path.parent == beside
    assert re.fullmatch(r"[A-Za-z0-9_.~/%-]+", log.link)
    assert Path(unquote(log.link)).read_text() == "a line\n"


@pytest.mark.parametrize("what", ["", "///", "x" * 5000])
def test_a_name_that_is_none_or_too_long_still_gets_a_log(beside, what):
    assert written(what).path.read_text() == "a line\n"


def test_characters_that_no_file_can_have_are_escaped(beside):
    assert written("Model", "lone \ud800 surrogate\n").path.read_bytes() == b"lone \\ud800 surrogate\n"


def test_where_nothing_can_be_written_beside_the_notebook_the_log_is_in_the_data_folder(beside, own_folders):
    beside.write_text("a file where the folder would be")

    log = written("Model")

    assert log.path.parent == own_folders / "fairing-home" / "logs"
    assert log.path.read_text() == "a line\n"
    assert log.link == ""


def test_a_log_that_can_not_be_linked_to_is_named_by_its_whole_path(beside):
    beside.write_text("a file where the folder would be")
    view = LaunchView("Training Model", backend="LocalBackend", log=LaunchLog("Model"))
    view.take(Output("a line\n"))
    view.end("succeeded")

    assert f"<div>Log: {view.log.path}</div>" in view.html()
    assert "<a " not in view.html()


def test_a_working_directory_that_is_gone_is_no_hindrance(beside, own_folders):
    beside.parent.rmdir()
    view = LaunchView("Training Model", backend="LocalBackend", log=LaunchLog("Model"))

    view.take(Output("a line\n"))
    view.end("succeeded")

    assert "| a line" in view.plain()
    assert view.log.path.parent == own_folders / "fairing-home" / "logs"


def test_where_nothing_can_be_written_at_all_the_launch_is_shown_without_a_log(beside, own_folders):
    beside.write_text("a file where the folder would be")
    (own_folders / "fairing-home").write_text("another one")
    view = LaunchView("Training Model", backend="LocalBackend", log=LaunchLog("Model"))

    view.take(Output("a line\nanother\n"))
    view.end("succeeded")

    assert "| another" in view.plain()
    assert "Log:" not in view.plain() + view.html()


# The system refuses each byte beyond the limit, as it does on a full disk.
FULL_DISK = """
import resource, signal
from fairing_az_jupyter.frontends.views.launch_log import LaunchLog
from fairing_az_jupyter.frontends.views.launch import LaunchView
from fairing_az_jupyter.launch_events import Output
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
view = LaunchView("Training Model", backend="LocalBackend", log=LaunchLog("Model"))
for number in range(2000):
    view.take(Output(f"line {number}\\n"))
view.end("succeeded")
print(view.plain())
"""


def test_a_full_disk_takes_what_fits_and_the_launch_goes_on(run_python, tmp_path):
    done = run_python(FULL_DISK)

    assert "| line 1999" in done.stdout
    assert done.stderr == ""
    (log,) = (tmp_path / FOLDER).glob("*.log")
    assert log.read_text().startswith("line 0\nline 1\n")
    assert log.stat().st_size <= 4096


def test_the_newest_twenty_logs_stay(beside):
    beside.mkdir()
    for age in range(30):
        old = beside / f"Old-{age:02}.log"
        old.write_text("old")
        os.utime(old, (1_000_000 - age, 1_000_000 - age))
    (beside / "notes.txt").write_text("the user's own")

    log = written("Model")

    assert sorted(path.name for path in beside.iterdir()) == [
        log.path.name,
        *(f"Old-{age:02}.log" for age in range(19)),
        "notes.txt",
    ]


def test_a_log_that_leads_nowhere_is_no_hindrance(beside):
    beside.mkdir()
    (beside / "gone.log").symlink_to(beside / "nothing")

    log = written("Model")

    assert log.path.parent == beside
    assert log.link


def test_two_launches_of_one_second_have_a_log_each(beside):
    logs = [LaunchLog("Model") for _ in range(5)]
    for number, log in enumerate(logs):
        log.write(f"launch {number}\n")
    for log in logs:
        log.close()

    assert [log.path.read_text() for log in logs] == [f"launch {number}\n" for number in range(5)]


def test_a_log_that_has_ended_is_written_to_no_more(beside):
    log = written("Model")
    log.write("too late\n")
    log.close()

    assert log.path.read_text() == "a line\n"
    assert len(list(beside.iterdir())) == 1


AT_ONCE = """
import sys
from fairing_az_jupyter.frontends.views.launch_log import LaunchLog
sys.stdin.read(1)
for number in range(8):
    log = LaunchLog("Model")
    log.write(f"{sys.argv[1]} {number}\\n")
    assert log.link, log.path
    log.write("end\\n")
    log.close()
    assert log.path.parent.name == "fairing-azure-logs"
"""


def test_kernels_that_launch_at_once_have_logs_of_their_own_and_remove_the_old_ones(tmp_path):
    (tmp_path / FOLDER).mkdir()
    for number in range(40):
        (tmp_path / FOLDER / f"Old-{number}.log").write_text("old")
        os.utime(tmp_path / FOLDER / f"Old-{number}.log", (1_000_000, 1_000_000))
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    kernels = [
        subprocess.Popen([sys.executable, "-c", AT_ONCE, name], cwd=tmp_path, **pipes) for name in ("one", "two")
    ]

    for kernel in kernels:
        kernel.stdin.write("x")
        kernel.stdin.flush()
    ends = [kernel.communicate(timeout=60)[1] for kernel in kernels]

    assert ends == ["", ""]
    found = sorted(path.read_text() for path in (tmp_path / FOLDER).glob("Model-*.log"))
    assert found == sorted(f"{name} {number}\nend\n" for name in ("one", "two") for number in range(8))
    assert len(list((tmp_path / FOLDER).iterdir())) == 20
