"""The JUnit report of a run, as a CI system reads it: whatever happens, it is valid and says what happened."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from datetime import datetime

import nbformat
import pytest

from fairing_az_jupyter.exceptions import InputError, RunCancelledError, RunFailedError
from fairing_az_jupyter.frontends import cli
from fairing_az_jupyter.frontends.views.junit import JUnitReport
from fairing_az_jupyter.models import RunEvent, RunRequest
from tests.junit_rules import read_report

LIMIT = 100_000


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRING_AZURE_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, *sources, tags=()):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for cell, its in zip(cells, tags, strict=False):
        cell.metadata["tags"] = list(its)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def run(*arguments):
    return cli.main(["run", "prices.ipynb", "--junit", "report.xml", *arguments])


def noted(*events, error=None):
    """Return the report of a run in which this happens."""
    with contextlib.suppress(*([type(error)] if error else [])), JUnitReport("report.xml", "prices.ipynb") as report:
        tell = report.listening(lambda _event: None)
        for each in events:
            tell(each)
        if error is not None:
            raise error
    return read_report("report.xml")


def event(kind, cell=1, **more):
    return RunEvent(kind, time.time(), cell=cell, cells=9, **more)


@pytest.mark.kernel
def test_a_good_run_has_a_passed_test_case_for_each_cell_that_was_executed():
    write("prices.ipynb", "rate = 1", "", "print('sold')", "1 / 0", tags=[["parameters"], [], [], ["skip"]])

    assert run("-p", "rate", "2") == 0

    report = read_report("report.xml")
    assert (report.tests, report.failures) == (3, 0)
    assert [case.get("name") for case in report.cases] == ["[1] rate = 1", "[2] rate = 2", "[4] print('sold')"]
    assert {case.get("classname") for case in report.cases} == {"prices"}
    assert report.output(2) == "sold\n"
    assert report.properties == {"rate": "2"}


@pytest.mark.kernel
def test_a_failing_cell_is_the_one_failed_test_case_with_its_traceback():
    write("prices.ipynb", "print('before')\ndef sell():\n    raise ValueError('no houses')\nsell()", "print('never')")

    assert run() == 4

    report = read_report("report.xml")
    assert (report.tests, report.failures) == (1, 1)
    failure = report.cases[0].find("failure")
    assert "ValueError: no houses" in failure.get("message")
    assert "in sell()" in failure.text
    assert "\x1b" not in failure.text
    assert report.output(0) == "before\n"


@pytest.mark.kernel
def test_a_run_that_is_refused_before_its_first_cell_is_one_failed_test_case(capsys):
    write("prices.ipynb", "rate = 1", tags=[["parameters"]])

    assert run("-p", "rat", "2") == 3

    report = read_report("report.xml")
    assert (report.tests, report.failures) == (1, 1)
    failure = report.cases[0].find("failure")
    assert "Unknown parameter 'rat'" in failure.get("message")
    assert "Did you mean 'rate'?" in failure.text
    assert failure.get("type") == "parameter-unknown"


def test_a_notebook_that_is_not_there_is_one_failed_test_case():
    assert run() == 3
    assert "prices.ipynb" in read_report("report.xml").cases[0].find("failure").get("message")


@pytest.mark.kernel
def test_a_second_run_that_is_refused_leaves_no_green_report_behind():
    write("prices.ipynb", "rate = 1", tags=[["parameters"]])
    assert run() == 0
    assert read_report("report.xml").failures == 0

    assert run("-p", "rat", "2") == 3

    assert read_report("report.xml").failures == 1


@pytest.mark.kernel
def test_a_second_run_replaces_the_report_and_its_longer_text():
    write("prices.ipynb", "print('x' * 50_000)")
    assert run() == 0
    write("prices.ipynb", "print('short')")

    assert run() == 0

    assert read_report("report.xml").output(0) == "short\n"


@pytest.mark.kernel
def test_a_launch_that_a_check_stops_is_one_failed_test_case():
    write("prices.ipynb", "FAIRING_BACKEND = 'LocalBackend'", tags=[["parameters"]])
    nb = nbformat.read("prices.ipynb", as_version=4)
    nb.metadata["kernelspec"] = {"name": "no-such-kernel", "display_name": "none", "language": "python"}
    nbformat.write(nb, "prices.ipynb")

    code = cli.main(["launch", "prices.ipynb", "--junit", "report.xml"])

    report = read_report("report.xml")
    assert code != 0
    assert (report.tests, report.failures) == (1, 1)


@pytest.mark.kernel
def test_a_cell_that_is_tried_again_is_one_test_case_with_all_that_it_printed():
    source = """
import pathlib
tries = pathlib.Path('tries')
tries.write_text(tries.read_text() + 'x' if tries.exists() else 'x')
print('try', len(tries.read_text()))
assert len(tries.read_text()) == 3, 'not yet'
"""
    write("prices.ipynb", source, tags=[["retry-2"]])
    code = run()
    report = read_report("report.xml")
    if code != 0:
        pytest.fail(report.cases[0].find("failure").text)

    assert (report.tests, report.failures) == (1, 0)
    printed = report.output(0)
    assert printed.index("try 1") < printed.index("is being retried: AssertionError: not yet") < printed.index("try 3")


def test_the_tries_of_a_cell_count_together():
    report = noted(
        event("cell-started", text="train()"),
        event("cell-retried", duration=1.5, message="no"),
        event("cell-finished", duration=2.0),
    )
    assert report.cases[0].get("time") == "3.500"


@pytest.mark.kernel
def test_control_characters_and_colours_leave_valid_xml():
    source = r"print('\x00\x01\x08\x0b\x1b[31mred\x1b[0m\x7f \ufffe ]]> <&\"' + chr(0x1F600))"
    write("prices.ipynb", source)

    assert run() == 0

    printed = read_report("report.xml").output(0)
    assert "red" in printed
    assert "\x1b" not in printed
    assert ']]> <&"\U0001f600' in printed


def test_lone_surrogates_leave_valid_xml():
    report = noted(
        event("cell-started", text="print('\ud800')"),
        event("output", text="\udfff"),
        event("cell-failed", message="\ud800", duration=0.1),
        error=RunFailedError("\udc80", traceback=("\udcff",)),
    )
    assert "\ufffd" in report.cases[0].get("name")
    assert report.output(0) == "\ufffd"


@pytest.mark.kernel
def test_an_error_of_control_characters_leaves_valid_xml():
    write("prices.ipynb", r"raise ValueError('\x00 <bad> \x1b[1m' + '\n' + 'second line')")

    assert run() == 4

    failure = read_report("report.xml").cases[0].find("failure")
    assert "<bad>" in failure.get("message")


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["a & b <c>.ipynb", "prix élevé.ipynb", "two\nlines.ipynb"])
def test_any_name_of_a_notebook_can_stand_in_a_report(name):
    write(name, "print(1)")

    assert cli.main(["run", name, "--junit", "report.xml"]) == 0

    assert read_report("report.xml").cases[0].get("classname") == name.removesuffix(".ipynb")


def test_of_a_huge_output_the_end_is_kept_and_the_rest_is_counted():
    parts = [event("output", text=f"{number:>9}\n" * 1000) for number in range(200)]

    report = noted(event("cell-started", text="train()"), *parts, event("cell-finished", duration=1.0))

    first, _, rest = report.output(0).partition("\n")
    assert first == f"[The first {200 * 10_000 - LIMIT} characters are omitted.]"
    assert len(rest) == LIMIT
    assert rest.endswith("      199\n")


def test_ten_million_lines_are_noted_in_bounded_time():
    parts = [event("output", text="x\n" * 10_000)] * 1000
    begin = time.monotonic()

    noted(event("cell-started", text="train()"), *parts, event("cell-finished", duration=1.0))

    assert time.monotonic() - begin < 10


def test_a_very_long_first_line_is_cut():
    report = noted(event("cell-started", text="x" * 10_000), event("cell-finished", duration=0.0))
    assert len(report.cases[0].get("name")) == 200


def test_a_cancelled_run_has_the_cell_that_was_interrupted_failed():
    error = RunCancelledError("The run was cancelled in cell 2.")

    report = noted(
        event("cell-started", text="a"),
        event("cell-finished", duration=1.0),
        event("cell-started", cell=2, text="b"),
        event("output", cell=2, text="so far\n"),
        error=error,
    )

    assert [case.find("failure") is None for case in report.cases] == [True, False]
    assert report.cases[1].find("failure").get("message") == "The run was cancelled in cell 2."
    assert report.output(1) == "so far\n"


def test_an_error_between_two_cells_fails_none_of_them():
    error = RunFailedError("The disk is full.", code="record")

    report = noted(event("cell-started", text="a"), event("cell-finished", duration=1.0), error=error)

    assert [(case.get("name"), case.find("failure") is None) for case in report.cases] == [
        ("[1] a", True),
        ("run", False),
    ]
    assert report.cases[1].find("failure").get("type") == "record"


def test_an_unexpected_error_is_told_by_its_type():
    report = noted(event("cell-started", text="a"), error=KeyError("house"))
    assert report.cases[0].find("failure").get("message") == "KeyError: 'house'"


@pytest.mark.kernel
def test_a_run_without_a_cell_is_one_passed_test_case():
    write("prices.ipynb")

    assert run() == 0

    report = read_report("report.xml")
    assert (report.tests, report.failures) == (1, 0)


def test_an_interrupted_run_says_so_in_its_report(here):
    write("prices.ipynb", "print('begun', flush=True)\nimport time\ntime.sleep(60)")
    command = [sys.executable, "-m", "fairing_az_jupyter", "run", "prices.ipynb", "--junit", "report.xml"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    for line in process.stdout:
        if "| begun" in line:
            break

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode == 130
    report = read_report("report.xml")
    assert (report.tests, report.failures) == (1, 1)
    assert "cancelled" in report.cases[0].find("failure").get("message")
    assert report.output(0) == "begun\n"


def test_a_run_that_is_killed_leaves_a_report_of_a_run_that_has_not_ended(here):
    write("prices.ipynb", "print('begun', flush=True)\nimport time\ntime.sleep(60)")
    (here / "report.xml").write_text("<testsuites/>")
    command = [sys.executable, "-m", "fairing_az_jupyter", "run", "prices.ipynb", "--junit", "report.xml"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    for line in process.stdout:
        if "| begun" in line:
            break

    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)

    report = read_report("report.xml")
    assert (report.tests, report.failures) == (1, 1)
    assert "did not finish" in report.cases[0].find("failure").get("message")


@pytest.mark.kernel
@pytest.mark.parametrize("path", ["no-such-folder/report.xml", "folder", "file/report.xml"])
def test_a_report_that_can_not_be_written_stops_the_run_before_it_starts(path, here, capsys):
    write("prices.ipynb", "open('was-run', 'w')")
    (here / "folder").mkdir()
    (here / "file").write_text("")

    code = cli.main(["run", "prices.ipynb", "--junit", path])

    said = capsys.readouterr().err
    assert code == 3
    assert "The JUnit report" in said
    assert "--junit FILE" in said
    assert not (here / "was-run").exists()
    assert not (here / "runs").exists()
    assert not list(here.glob("*.tmp"))


@pytest.mark.kernel
def test_a_report_that_can_no_longer_be_written_is_told_after_a_good_run(here, capsys):
    (here / "reports").mkdir()
    write("prices.ipynb", "import shutil\nshutil.rmtree('reports')")

    assert cli.main(["run", "prices.ipynb", "--junit", "reports/report.xml"]) == 3
    assert "The JUnit report 'reports/report.xml' can't be written" in capsys.readouterr().err


@pytest.mark.kernel
def test_a_report_that_can_no_longer_be_written_does_not_hide_why_the_run_failed(here, capsys):
    (here / "reports").mkdir()
    write("prices.ipynb", "import shutil\nshutil.rmtree('reports')\nraise ValueError('no houses')")

    assert cli.main(["run", "prices.ipynb", "--junit", "reports/report.xml"]) == 4
    said = capsys.readouterr().err
    assert "The JUnit report 'reports/report.xml' can't be written" in said
    assert "ValueError: no houses" in said


@pytest.mark.kernel
def test_a_report_at_a_link_is_written_to_where_it_leads(here):
    (here / "kept").mkdir()
    (here / "report.xml").symlink_to("kept/real.xml")
    write("prices.ipynb", "print(1)")

    assert run() == 0

    assert (here / "report.xml").is_symlink()
    assert read_report(here / "kept" / "real.xml").tests == 1


@pytest.mark.kernel
def test_a_pipe_gets_one_report_and_stays_a_pipe(here):
    os.mkfifo(here / "report.xml")
    write("prices.ipynb", "print(1)")
    got = []
    reader = threading.Thread(target=lambda: got.append((here / "report.xml").read_bytes()), daemon=True)
    reader.start()

    assert run() == 0

    reader.join(timeout=20)
    assert b'tests="1"' in got[0]
    assert stat.S_ISFIFO((here / "report.xml").stat().st_mode)


def test_two_runs_at_once_leave_one_whole_report(here):
    write("prices.ipynb", "print('x' * 50_000)")
    command = [sys.executable, "-m", "fairing_az_jupyter", "run", "prices.ipynb", "--junit", "report.xml", "-o"]
    both = [subprocess.Popen([*command, f"{n}.ipynb"], stdout=subprocess.DEVNULL) for n in range(2)]

    assert [process.wait(timeout=100) for process in both] == [0, 0]
    assert read_report("report.xml").failures == 0


def test_without_a_path_nothing_is_written(here):
    with JUnitReport(None, "prices.ipynb") as report:
        report.of(RunRequest("prices.ipynb", None, {"rate": 1}))
        report.not_started("no")
        report.listening(lambda _event: None)(event("cell-started", text="a"))
    assert list(here.iterdir()) == []


@pytest.mark.kernel
def test_the_time_of_the_report_is_utc_and_now():
    stamp = noted(event("cell-started", text="a")).suite.get("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", stamp)
    assert abs(datetime.fromisoformat(f"{stamp}+00:00").timestamp() - time.time()) < 60


def test_an_unwritable_report_is_an_input_error():
    with pytest.raises(InputError) as told, JUnitReport("none/report.xml", "prices.ipynb"):
        pass
    assert told.value.code == "junit"
