"""`%fairing_azure` in IPython in a real terminal: what is typed with keys, and what stands on the screen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

WAIT_SECONDS = 60
CLASSES = """class HousingServe:
    def train(self):
        import os, pathlib, time
        print("training in process", os.getpid())
        while not pathlib.Path(GO).exists():
            time.sleep(0.1)
        print("\\033[1mtrained\\033[0m")

class Broken:
    def train(self):
        raise ValueError("no data here")
"""


class Terminal:
    """A terminal of 200 columns and 50 lines with IPython in it; tmux presses its keys and reads its screen."""

    def __init__(self, folder):
        self.folder, self._socket, self.number = folder, f"fairing-az-{uuid.uuid4().hex}", 1
        places = {
            "HOME": "home",
            "IPYTHONDIR": "ipython",
            "FAIRING_AZURE_HOME": "data",
            "FAIRING_AZURE_CONFIG_DIR": "settings",
            "KUBECONFIG": "no-kubeconfig",
        }
        left_out = ("AZ_", "AZURE_", "DOCKER_", "FAIRING_", "JPY_", "KUBE", "LC_", "TMUX", "XDG_", "COLUMNS", "LINES")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        environ |= {name: str(folder / place) for name, place in places.items()}
        (folder / "home").mkdir()
        # What it suggests of the lines before, in grey, can't be told from what was typed.
        ipython = [sys.executable, "-m", "IPython", "--TerminalInteractiveShell.autosuggestions_provider=None"]
        terminal = ["env", "TERM=xterm-256color", "LC_ALL=C.UTF-8", *ipython]
        options = ["-f", os.devnull, "new-session", "-d", "-x", "200", "-y", "50"]
        self._tmux(*options, *terminal, env=environ, cwd=folder)

    def _tmux(self, *words, **options):
        command = ["tmux", "-L", self._socket, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=False, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def end(self):
        """Close the terminal with all that runs in it."""
        socket = Path(self._tmux("display-message", "-p", "#{socket_path}").strip())
        self._tmux("kill-server")
        socket.unlink(missing_ok=True)

    def screen(self):
        """Return what stands on the screen since the test's own prompt, without the empty lines below."""
        screen = self._tmux("capture-pane", "-p", "-J", "-S", "-").rstrip()
        return screen[max(screen.rfind(f"\n{self._prompt}") + 1, 0) :]

    def wait(self, shown, seconds=WAIT_SECONDS):
        """Wait until a text, or what a pattern describes, is on the screen; return the screen."""
        pattern, end = re.compile(re.escape(shown) if isinstance(shown, str) else shown), time.monotonic() + seconds
        while not pattern.search(screen := self.screen()):
            assert time.monotonic() < end, f"{pattern.pattern} does not come:\n{screen}"
            time.sleep(0.1)
        return screen

    def begin(self):
        """Begin at an empty prompt: the first Ctrl-C leaves a menu of completions, the second what is typed."""
        self.press("C-c", "C-c")
        self.number = int(re.search(r"\d+", self.wait(re.compile(r"In \[\d+\]:\Z")).rpartition("In [")[2])[0])

    @property
    def _prompt(self):
        return f"In [{self.number}]:"

    def press(self, *keys):
        """Press keys by their names, such as `Tab`."""
        self._tmux("send-keys", *keys)

    def type(self, text):
        """Type a text, and wait until it is there."""
        self._tmux("send-keys", "-l", "--", text)
        self.wait(text.rstrip())

    def start(self, line):
        """Type a line and Return."""
        self.type(line)
        self.press("Enter")

    def result(self, seconds=WAIT_SECONDS):
        """Wait for the next prompt; return what stands below the line before it."""
        following = f"\nIn [{self.number + 1}]:"
        screen = self.wait(re.compile(rf"{re.escape(following)}\Z"), seconds)
        return screen.partition("\n")[2].removesuffix(following[1:]).strip("\n")

    def run(self, line):
        """Type a line and Return, and return what comes of it."""
        self.start(line)
        return self.result()

    def paste(self, text):
        """Paste lines, as from a browser, and run them."""
        self._tmux("set-buffer", "--", text)
        self._tmux("paste-buffer", "-p")
        self.wait(text.splitlines()[-1])
        self.press("Escape", "Enter")
        self.result()


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    if shutil.which("tmux") is None:
        pytest.fail(
            "tmux is the terminal of these tests, and is not installed. Get it: apt-get install tmux (Debian, Ubuntu), "
            "or brew install tmux (macOS)"
        )
    terminal = Terminal(tmp_path_factory.mktemp("terminal"))
    try:
        terminal.wait("In [1]:")
        for line in (
            "%load_ext fairing_az_jupyter",
            "FAIRING_BACKEND = 'LocalBackend'",
            f"GO = {str(terminal.folder / 'go')!r}",
        ):
            terminal.begin()
            assert terminal.run(line) == ""
        terminal.begin()
        terminal.paste(CLASSES)
        yield terminal
    finally:
        terminal.end()


@pytest.fixture
def terminal(opened):
    opened.begin()
    (opened.folder / "go").unlink(missing_ok=True)
    return opened


def is_gone(pid):
    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < end:
        time.sleep(0.1)
    return not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("typed", "became"),
    [
        ("%fairing_azure tr", "train"),
        ("%fairing_azure secrets at", "attach"),
        ("%fairing_azure help tr", "train"),
        ("%fairing_azure train --dead", "--deadline"),
        ("%fairing_azure train Hou", "HousingServe"),
        ("job = %fairing_azure train Hou", "HousingServe"),
        ("%fairing_azure train HousingServe --backend Local", "LocalBackend"),
        ("%fairing_azure train HousingServe --input-files row", "rows.csv"),
    ],
)
def test_tab_completes_a_command_an_option_a_class_a_value_and_a_file(terminal, typed, became):
    (terminal.folder / "rows.csv").write_text("1,2\n")

    terminal.type(typed)
    terminal.press("Tab")

    whole = f"{typed.rpartition(' ')[0]} {became}"
    assert terminal.wait(re.compile(f"{re.escape(whole)}\\Z")).endswith(f"]: {whole}")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("%fairing_azure s", ["secrets", "settings", "status"]),
        ("%fairing_azure train HousingServe --", ["--input-files", "--deadline", "--backend", "--docker-registry"]),
        ("%fairing_azure train ", ["HousingServe", "Broken"]),
    ],
)
def test_tab_offers_all_that_can_follow(terminal, typed, offered):
    terminal.type(typed)
    terminal.press("Tab")

    menu = terminal.wait(re.compile("\n.*" + re.escape(offered[0]))).partition("\n")[2]

    assert set(offered) <= set(menu.split())


def test_a_question_mark_shows_what_there_is_with_lines_to_type(terminal):
    shown = terminal.run("%fairing_azure?")

    assert "Check, train, serve and run on Kubeflow on Azure, or on this machine." in shown
    assert "job = %fairing_azure train HousingServe --input-files ames_dataset/train.csv requirements.txt" in shown


def test_help_of_a_command_ends_with_examples_that_can_be_typed(terminal):
    shown = terminal.run("%fairing_azure help train")
    text, _, examples = shown.partition("\nexamples:\n")
    terminal.begin()

    assert text.startswith("usage: %fairing_azure train ")
    assert "  job = %fairing_azure train HousingServe --input-files " in examples
    for example in examples.splitlines():
        assert re.fullmatch(r"  (job = )?%fairing_azure train HousingServe --.*", example)


def test_checks_are_a_table_of_plain_rows(terminal):
    shown = terminal.run("found = %fairing_azure check")

    assert re.search(r"^✓ pass     Settings  +All \d+ settings are valid", shown, re.MULTILINE)
    assert re.search(
        r"^- skipped  The cluster, its Secrets, and Azure  +Skipped: with FAIRING_BACKEND", shown, re.MULTILINE
    )
    assert shown.endswith("Ready to launch.")
    assert "<table" not in shown


def test_a_class_is_trained_to_its_end_with_its_lines_as_they_come(terminal):
    terminal.start("job = %fairing_azure train HousingServe")
    while_it_runs = terminal.wait(re.compile(r"^training in process \d+$", re.MULTILINE))
    (terminal.folder / "go").touch()
    shown = terminal.result()
    terminal.begin()

    assert "\ntrained" not in while_it_runs
    assert "\ntrained\n" in shown
    job = re.search(r"^Job (fairing-job-[0-9a-f]{8}) succeeded\.", shown, re.MULTILINE)[1]
    assert terminal.run("print(job, job.state)") == f"{job} succeeded"
    terminal.begin()
    assert "  | trained\n" in terminal.run("job")


def test_ctrl_c_stops_a_training_in_seconds_with_one_line_and_all_that_it_started(terminal):
    terminal.start("%fairing_azure train HousingServe")
    shown = terminal.wait(re.compile(r"^training in process \d+$", re.MULTILINE))
    pid = int(re.search(r"in process (\d+)", shown)[1])
    assert psutil.pid_exists(pid)

    terminal.press("C-c")
    shown = terminal.result(seconds=10)
    terminal.begin()

    job = re.search("fairing-job-[0-9a-f]{8}", shown)[0]
    assert shown.splitlines()[-1] == f"%fairing_azure: cancelled. Interrupted: job {job} is stopped."
    assert "Traceback" not in shown
    assert "KeyboardInterrupt" not in shown
    assert is_gone(pid)
    assert terminal.run("1 + 1") == f"Out[{terminal.number}]: 2"


def test_a_training_that_fails_shows_its_own_traceback_and_none_of_the_magic(terminal):
    shown = terminal.run("%fairing_azure train Broken")

    assert re.search(r"^%fairing_azure: Job 'fairing-job-\w+' failed with exit code 1", shown, re.MULTILINE)
    assert "\nValueError: no data here\n" in shown
    assert "fairing_az_jupyter/frontends" not in shown


NO_PANEL = (
    "The panel needs a notebook's widgets. The same in a terminal: "
    "%fairing_azure settings, %fairing_azure check, %fairing_azure train, %fairing_azure status"
)
NO_NOTEBOOK = (
    "%fairing_azure: Only a notebook has a parameters cell, and this line is not in one. "
    "In a terminal: fairing-azure fill NOTEBOOK --docker-registry contoso.azurecr.io"
)
NO_CLASS = "%fairing_azure: 'Nothing' not found in this notebook. Run the cell that defines it first."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("panel", NO_PANEL),
        ("fill --docker-registry contoso.azurecr.io", NO_NOTEBOOK),
        ("train Nothing", NO_CLASS),
    ],
    ids=["panel", "fill", "no class"],
)
def test_what_a_terminal_lacks_is_told_in_one_message_with_what_to_use_instead(terminal, words, said):
    assert terminal.run(f"%fairing_azure {words}") == said
