"""The first process of a job's container: runs the job's command, and sends the files that it has written.

This file and those beside it are copied beside the user's files (see `CONTAINER_FILES`) and started there on their own,
where this package is not installed: they need Python 3.9 or newer and its standard library only.

    python /app/fairing_az_job.py [--outputs GLOB ... | --no-outputs] [--limit BYTES] [--checkpoints FOLDER]
        [--links FOLDER] -- COMMAND ...

The command has the same standard output and standard error, gets the signals SIGTERM, SIGINT, SIGHUP, SIGUSR1 and
SIGUSR2 that this process gets, and its exit code is this program's: 128 + N if signal N has ended it. What it has
started and left behind ends with it where this is the container's first process, as it would without this program.

Files are looked for below the working folder: what is new or changed since the command was started, but no caches. They
are sent by the two links in the folder that `--links` names, `files.tar` and `manifest.json`; without that option,
nothing is sent. What the command has written before it failed or was killed is sent, too. After SIGTERM the command has
a third of the grace period, and the rest of it is for sending.

The folder of `--checkpoints` is also saved for the next start of the same job, by a link of its own, and restored
before the command is started (see `checkpoints.py`). Among the other files its files are sent at the end only.

Where the kernel ends all processes of a container that needs too much memory (`memory.oom.group`, which kubelets set on
cgroup v2 since Kubernetes 1.28), nothing can be sent at the end: what was sent while the command ran is kept.

| exit code | what |
|---|---|
| the command's | it has ended, whatever became of its files if that is not 0 |
| 75 | it has ended with 0, but not all of its files could be sent (EX_TEMPFAIL of sysexits.h) |
| 126, 127 | it can't be started |
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or __package__:
    from fairing_az_jupyter.fairing.job_program.blob_writer import Limits, SendError, StoppedError
    from fairing_az_jupyter.fairing.job_program.checkpoints import Checkpoints
    from fairing_az_jupyter.fairing.job_program.collecting import OWN_FOLDER, FoundFile, Snapshot
    from fairing_az_jupyter.fairing.job_program.sending import (
        LIMIT_BYTES,
        Outcome,
        Sender,
        Wanted,
        describe,
        not_kept,
        say,
    )
else:  # beside the user's files
    from fairing_az_blob_writer import Limits, SendError, StoppedError
    from fairing_az_checkpoints import Checkpoints
    from fairing_az_collecting import OWN_FOLDER, FoundFile, Snapshot
    from fairing_az_sending import LIMIT_BYTES, Outcome, Sender, Wanted, describe, not_kept, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

CONTAINER_FILES = {
    f"{name}.py": f"fairing_az_{name}.py"
    for name in (
        *("job", "task", "collecting", "sending", "blob_writer", "tar_parts"),
        *("result_files", "pandas_results", "checkpoints", "restoring", "open_files"),
    )
}
"""The files beside this one that run in the container, and their names there."""

NOT_SENT = 75
"""The exit code where the command has succeeded, and its files could not be sent."""

OUTCOME_VARIABLE = "FAIRING_AZ_OUTCOME"
"""The variable that tells the task runner in which folder it notes what the task has returned or raised."""

KEY_VARIABLE = "FAIRING_AZ_RESULT_KEY"
"""The variable that tells the task runner which file has the key that signs pickles."""

KEY = "key"
"""The file of the key beside the links."""

GRACE_SECONDS = 30.0
INTERVAL_SECONDS = 60.0
RETRY_SECONDS = 300.0
_FORWARDED = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2")
_ENDING = frozenset(("SIGTERM", "SIGINT", "SIGHUP"))
_SIGNAL_BASE = 128
# Kept of the grace period for the end of this process itself.
_MARGIN_SECONDS = 1.5
_ABORT_SECONDS = 2.0
_REAP_SECONDS = 5.0
_LOOK_SECONDS = 0.01
_LARGEST_OUTCOME = 1024 * 1024


def main(arguments: Sequence[str]) -> int:
    """Run the command, send its files, and return the exit code."""
    options, command = _parsed(arguments)
    program = _Program(command, options)
    return program.run()


class _Program:
    """One run of a command.

    Args:
        command: The command.
        options: The command line's options.

    """

    def __init__(self, command: Sequence[str], options: argparse.Namespace) -> None:
        self._command, self._options = list(command), options
        self._child: subprocess.Popen[bytes] | None = None
        self._pending: list[int] = []
        self._ended_by = 0.0
        self._limits = Limits(options.retry)
        self._ended = threading.Event()
        self._sender: Sender | None = None
        self._checkpoints: Checkpoints | None = None
        self._outcome_folder = ""

    def run(self) -> int:
        """Run the command to its end and send its files; return the exit code."""
        for name in _FORWARDED:
            signal.signal(getattr(signal, name), self._forward)
        self._sender = self._prepared()
        if self._sender is not None and self._options.checkpoints and not self._restored():
            return _SIGNAL_BASE + signal.SIGTERM
        environment = dict(os.environ)
        if self._outcome_folder:
            environment[OUTCOME_VARIABLE] = self._outcome_folder
            environment[KEY_VARIABLE] = os.path.join(self._options.links, KEY)  # noqa: PTH118 - pathlib is not loaded
        try:
            self._child = subprocess.Popen(self._command, env=environment)
        except OSError as error:
            say(f"{self._command[0]} can't be started: {error.strerror}")
            return 126 if isinstance(error, PermissionError) else 127
        for number in self._pending:
            self._signal_child(number)
        thread = threading.Thread(target=self._send_rested, daemon=True)
        if self._sender is not None:
            thread.start()
        code = self._waited(self._child)
        died = time.time()
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._sender is not None:
            self._join(thread)
            if self._checkpoints is not None and (code or self._ended_by):
                self._send_checkpoint(self._checkpoints, died if self._child.returncode < 0 else None)
            sent = self._send_all(self._sender)
            shutil.rmtree(os.path.dirname(self._outcome_folder), ignore_errors=True)  # noqa: PTH120 - as above
            code = code if sent or code else NOT_SENT
        return code

    def _prepared(self) -> Sender | None:
        """Note which files are there; nothing that goes wrong with that keeps the command from running."""
        if not self._options.links:
            return None
        try:
            # In a folder that is never looked into, should the working folder be above that of temporary files.
            own = os.path.join(tempfile.mkdtemp(prefix="fairing-az-"), OWN_FOLDER)  # noqa: PTH118 - as above
            os.mkdir(own, 0o700)  # noqa: PTH102 - as above
            self._outcome_folder = own
            snapshot = Snapshot(os.getcwd())  # noqa: PTH109 - as above
        except OSError as error:
            say(f"The files that this job writes will not be kept: {error.strerror}")
            return None
        patterns = [] if self._options.no_outputs else self._options.outputs
        wanted = Wanted(patterns, self._options.limit, self._options.checkpoints.rstrip("/"))
        return Sender(snapshot, self._options.links, wanted, self._limits)

    def _restored(self) -> bool:
        """Restore what was saved before; return whether the command is to be started."""
        options = self._options
        try:
            self._checkpoints = Checkpoints(options.checkpoints, options.links, self._limits, options.interval)
            self._checkpoints.restore()
        except OSError as error:
            say(f"The checkpoints in {options.checkpoints} will not be saved: {error.strerror}")
        except StoppedError:
            return False
        # The command would begin without the checkpoint, and what it saves take the place of that.
        return not self._ended_by

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM and not self._ended_by:
            self._ended_by = time.monotonic()
            self._limits.end = self._ended_by + self._options.grace - _MARGIN_SECONDS
            # A command that does not heed it would take all the time that its files need.
            signal.signal(signal.SIGALRM, self._kill)
            signal.setitimer(signal.ITIMER_REAL, self._options.grace / 3)
        if self._child is None:
            self._pending.append(number)
            if self._checkpoints is not None and self._ended_by:
                # It is being restored.
                self._limits.stopped.set()
                self._checkpoints.abort()
        elif signal.Signals(number).name in _ENDING:
            self._end_child(self._child, number)
        else:
            self._signal_child(number)

    def _kill(self, _number: int, _frame: FrameType | None) -> None:
        if self._child is not None:
            self._end_child(self._child, signal.SIGKILL)

    def _end_child(self, child: subprocess.Popen[bytes], number: int) -> None:
        """Send a signal that may end the command, and note before what it is writing; it stands still meanwhile."""

        def runs() -> bool:
            with contextlib.suppress(ChildProcessError):
                return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
            return False

        if self._checkpoints is None:
            self._signal_child(number)
            return
        self._signal_child(signal.SIGSTOP)
        try:
            self._checkpoints.look(runs)
        finally:
            self._signal_child(number)
            self._signal_child(signal.SIGCONT)

    def _signal_child(self, number: int) -> None:
        if self._child is not None and self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._child.pid, number)

    def _waited(self, child: subprocess.Popen[bytes]) -> int:
        """Wait for the command and for all that it leaves behind; return its exit code."""
        first = os.getpid() == 1
        while True:
            pid, status = os.waitpid(-1 if first else child.pid, 0)
            if pid == child.pid:
                break
        child.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        if first:
            if self._checkpoints is not None:
                self._checkpoints.look_at_the_rest()
            # As the kernel does at the end of a container's first process.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(-1, signal.SIGKILL)
            end = time.monotonic() + _REAP_SECONDS
            with contextlib.suppress(ChildProcessError):
                while time.monotonic() < end:
                    if os.waitpid(-1, os.WNOHANG)[0] == 0:
                        time.sleep(_LOOK_SECONDS)
        return _SIGNAL_BASE - child.returncode if child.returncode < 0 else child.returncode

    def _send_rested(self) -> None:
        """Send files while the command runs, every so often; what fails is tried again the next time."""
        sent: list[tuple[str, Callable[[], None]]] = []
        if self._checkpoints is not None:
            # Before the others: the next start of the command needs them.
            sent.append(("Checkpoints could not be saved yet", self._checkpoints.send_rested))
        if self._sender is not None:
            sent.append(("Files could not be sent yet", self._sender.send_rested))
        failed: set[str] = set()
        while not self._ended.wait(self._options.interval):
            for what, send in sent:
                try:
                    send()
                    failed.discard(what)
                except StoppedError:  # noqa: PERF203 - two at most
                    return
                except Exception as error:  # noqa: BLE001 - the command runs on; its text could hold a link
                    if what not in failed and not self._ended.is_set():
                        say(f"{what} ({_why(error)}); trying again.")
                    failed.add(what)

    def _join(self, thread: threading.Thread) -> None:
        """Let what is being sent come to its end, and not try again what fails."""
        self._ended.set()
        self._limits.stopped.set()
        while thread.is_alive():
            thread.join(_ABORT_SECONDS)
            if thread.is_alive() and self._ended_by and self._sender is not None:
                self._sender.abort()
                if self._checkpoints is not None:
                    self._checkpoints.abort()
        self._limits.stopped.clear()

    def _send_checkpoint(self, checkpoints: Checkpoints, killed: float | None) -> None:
        """Save what the command has left for the next one."""
        try:
            checkpoints.send_last(killed)
        except Exception as error:  # noqa: BLE001 - as above
            say(f"The last checkpoint could not be saved: {_why(error)}. The one before it stays.")

    def _send_all(self, sender: Sender) -> bool:
        """Send everything, and tell what was not kept; return whether all of it was sent."""
        outcome, hurried = _outcome(self._outcome_folder), bool(self._ended_by and self._checkpoints)
        try:
            sender.send_all(outcome, complete=not self._ended_by, last=not hurried)
            if hurried:
                # They may be large, and the time not enough for them: the others are kept then.
                try:
                    sender.send_all(outcome, complete=False)
                except SendError as error:
                    say(f"The files in {self._options.checkpoints} are not among the outputs: {error}.")
        except Exception as error:  # noqa: BLE001 - as above
            files = f" Not kept: {describe(sender.not_sent)}" if sender.not_sent else ""
            say(f"The files of this job could not be sent: {_why(error)}.{files}")
            return False
        for line in not_kept(sender.left_out, self._options.limit):
            say(line)
        return True


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, SendError) else type(error).__name__


def _outcome(folder: str) -> Outcome:
    """Return what the task runner has noted; nothing where another command ran, or it was killed."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
        path = os.path.join(folder, "outcome.json")  # noqa: PTH118 - as above
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as above
            noted = json.loads(file.read(_LARGEST_OUTCOME))
        result, files = noted.get("result"), []
        if result is not None:
            name = result["path"].rpartition("/")[2]
            source = os.path.join(folder, name)  # noqa: PTH118 - as above
            status = os.stat(source)  # noqa: PTH116 - as above
            files = [
                FoundFile(f"{OWN_FOLDER}/{name}", status.st_size, status.st_mtime_ns, status.st_ino, source=source)
            ]
        return Outcome(result, noted.get("error"), tuple(files))
    return Outcome()


def _parsed(arguments: Sequence[str]) -> tuple[argparse.Namespace, Sequence[str]]:
    given = list(arguments)
    at = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(prog="fairing_az_job.py", usage="%(prog)s [options] -- COMMAND ...")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--outputs", nargs="+", action="extend", metavar="GLOB", help="which files are kept")
    group.add_argument("--no-outputs", action="store_true", help="keep no files")
    parser.add_argument("--checkpoints", default="", metavar="FOLDER", help="the folder that is restored")
    parser.add_argument("--links", default="", metavar="FOLDER", help="the folder with the links and the key")
    parser.add_argument("--limit", type=int, default=LIMIT_BYTES, metavar="BYTES", help="how much is kept")
    parser.add_argument("--interval", type=float, default=INTERVAL_SECONDS, metavar="SECONDS", help="between two looks")
    parser.add_argument("--retry", type=float, default=RETRY_SECONDS, metavar="SECONDS", help="how long is tried again")
    parser.add_argument("--grace", type=float, default=GRACE_SECONDS, metavar="SECONDS", help="after SIGTERM")
    options = parser.parse_args(given[:at])
    command: Any = given[at + 1 :]
    if not command:
        parser.error("the command is missing")
    return options, command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
