"""`fairing-azure` when its output goes nowhere, or its terminal is of the past."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

PROGRAM = f"{shlex.quote(sys.executable)} -m fairing_az_jupyter"
ASCII = {"PYTHONIOENCODING": "ascii"}
FULL = "/dev/full"
needs_full_disk = pytest.mark.skipif(not Path(FULL).exists(), reason="there is no /dev/full here")


@pytest.fixture
def bash(tmp_path):
    """Return a function that runs a line of bash with `$fa` as the program."""

    def run(line, **environment):
        script = f'set -o pipefail; fa="{PROGRAM}"; {line}'
        environment = {**os.environ, **environment}
        return subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def write(tmp_path):
    """Return a function that writes `nb.ipynb` from the sources of its code cells."""

    def written(*sources):
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "nb.ipynb")

    return written


@pytest.fixture
def executed(tmp_path):
    """Return a function that returns what the last cell of the executed notebook printed."""

    def printed():
        outputs = nbformat.read(tmp_path / "nb.executed.ipynb", as_version=4).cells[-1].outputs
        return "".join(output.text for output in outputs)

    return printed


SLOW = "import time\nfor i in range(20):\n    print('x' * 9000, flush=True)\n    time.sleep(0.02)"


@pytest.mark.parametrize("options", ["", "--json"])
def test_a_run_goes_on_to_its_end_when_its_reader_goes_away(bash, write, executed, options):
    write("print('first')", SLOW, "print('end')")

    done = bash(f"$fa run nb.ipynb {options} | head -1")

    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert executed() == "end\n"


@pytest.mark.parametrize("options", ["", "--json"])
def test_the_exit_code_tells_how_a_run_without_a_reader_ended(bash, write, options):
    write("print('first')", SLOW, "1 / 0")

    assert bash(f"$fa run nb.ipynb {options} | head -1").returncode == 4


def test_printing_to_a_reader_that_goes_away_is_no_error(bash):
    done = bash("$fa settings --schema | head -1")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "target", [">&-", pytest.param(f">{FULL}", marks=needs_full_disk)], ids=["closed", "full disk"]
)
@pytest.mark.parametrize("command", ["settings", "settings --json", "--help", "--version", "completion bash"])
def test_output_that_can_not_be_written_is_an_error_of_one_line(bash, command, target):
    done = bash(f"$fa {command} {target}")

    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "Standard output can't be written" in done.stderr


@pytest.mark.parametrize(
    "target", [">&-", pytest.param(f">{FULL}", marks=needs_full_disk)], ids=["closed", "full disk"]
)
@pytest.mark.parametrize("options", ["", "--json"])
def test_a_run_is_not_lost_with_its_output(bash, write, executed, target, options):
    write("print('end')")

    done = bash(f"$fa run nb.ipynb {options} {target}")

    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "Standard output can't be written" in done.stderr
    assert executed() == "end\n"


def test_an_error_keeps_its_exit_code_when_its_output_is_lost(bash):
    assert bash("$fa run missing.ipynb --json | true; exit ${PIPESTATUS[0]}").returncode == 3
    done = bash("$fa run missing.ipynb --json >&-")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_every_standard_stream_may_be_closed(bash, write, executed):
    write("print('end')")

    done = bash("$fa run nb.ipynb <&- >&- 2>&-; echo code $?")

    assert done.stdout == "code 0\n"
    assert executed() == "end\n"


def test_characters_that_a_terminal_does_not_have_are_escaped(bash, write, executed):
    write("print('\N{GREEK SMALL LETTER ALPHA}')")

    done = bash("$fa run nb.ipynb", **ASCII)

    assert (done.returncode, done.stderr) == (0, "")
    assert "  | \\u03b1\n" in done.stdout
    assert executed() == "\N{GREEK SMALL LETTER ALPHA}\n"


def test_an_error_with_characters_that_a_terminal_does_not_have_is_told(bash):
    done = bash("$fa run \N{GREEK SMALL LETTER ALPHA}.ipynb", **ASCII)

    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert ".ipynb" in done.stderr


def test_the_error_of_a_run_is_one_line_of_its_stream(bash, write):
    write("1 / 0")

    done = bash("$fa run nb.ipynb --json")

    assert done.returncode == 4
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert documents[-1]["error"]["code"] == "run-failed"
    assert "ZeroDivisionError" in documents[-1]["error"]["message"]


def test_an_interrupt_while_the_program_is_loaded_is_a_cancellation(tmp_path):
    # The interrupt comes when the first module of the command line is looked for: as early as Python hears of it.
    early = (
        "import os, signal, sys\n"
        "class Early:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'fairing_az_jupyter.frontends':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Early())\n"
        "from fairing_az_jupyter.__main__ import entry\n"
        "sys.exit(entry())\n"
    )

    done = subprocess.run([sys.executable, "-c", early], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "fairing-azure: cancelled\n")


@pytest.mark.parametrize("delay", [0.15, 0.3])
def test_an_early_interrupt_leaves_no_traceback_of_this_program(tmp_path, write, delay):
    write("import time\ntime.sleep(60)")
    command = [sys.executable, "-m", "fairing_az_jupyter", "run", "nb.ipynb"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        time.sleep(delay)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)

    assert "frontends" not in err
