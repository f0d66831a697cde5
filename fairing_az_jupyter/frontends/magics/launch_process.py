"""`%fairing_azure launch`: the command line's own `launch` as a child process, its output streamed into the cell."""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fairing_az_jupyter.exceptions import ExecutionError
from fairing_az_jupyter.fairing.processes import child as processes
from fairing_az_jupyter.frontends.command_line.usage_errors import CommandLineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["launch"]

# It ends the command when this kernel is gone, however it went.
_SUPERVISOR = Path(processes.__file__).with_name("supervisor.py")
_PART = 1 << 16
_TIMEOUT_SECONDS = 30.0
_FAILING = 7
# Of this kernel alone: the child has neither its notebook nor its way to draw.
_OWN = ("JPY_SESSION_NAME", "JPY_PARENT_PID", "MPLBACKEND")


def launch(words: Sequence[str]) -> None:
    """Run the command line in a child process to its end, and print what it prints as it comes.

    Args:
        words: The command line without the program.

    Raises:
        ExecutionError: It has ended with another exit code than 0; what it has printed says why.
        CommandLineError: It could not be understood.
        KeyboardInterrupt: The user has interrupted it; the child has ended.

    """
    # A kernel's interrupt goes to its whole group; so that the child gets exactly one, it has a group of its own.
    child = subprocess.Popen(
        [sys.executable, "-S", "-E", str(_SUPERVISOR), "--", sys.executable, "-m", "fairing_az_jupyter", *words],
        env=_environment(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    copy = _copier(child)
    try:
        copy()
    except KeyboardInterrupt:
        _interrupt(child)
        # What it says at its end is seen as well; a second Ctrl-C ends it at once.
        timer = threading.Timer(_TIMEOUT_SECONDS, child.terminate)
        timer.start()
        try:
            copy()
        finally:
            timer.cancel()
        raise
    finally:
        _end(child)
    if child.returncode == CommandLineError.exit_code:
        raise CommandLineError("The launch can't be understood; see above.", hint="See: %fairing_azure launch --help")
    if child.returncode:
        raise ExecutionError(
            "The launch would fail. The problems are shown above, each with its fix."
            if child.returncode == _FAILING
            else "The launch has failed. See its error above.",
            code="launch",
            returncode=child.returncode,
        )


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {**{name: value for name, value in environ.items() if name not in _OWN}, "PYTHONUNBUFFERED": "1"}


def _copier(child: subprocess.Popen[bytes]) -> Callable[[], None]:
    """Return what prints a child's output until its end, and continues where it was interrupted."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def copy() -> None:
        if child.stdout is None:
            return
        while data := os.read(child.stdout.fileno(), _PART):
            sys.stdout.write(decoder.decode(data))
            sys.stdout.flush()
        sys.stdout.write(decoder.decode(b"", final=True))
        child.wait()

    return copy


def _interrupt(child: subprocess.Popen[bytes]) -> None:
    """Let the command end as by Ctrl-C: it interrupts its own kernel, and reports what remains."""
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(child.pid).children():
            process.send_signal(signal.SIGINT)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End what still runs; the supervisor ends all that the command has started."""
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdout is not None:
        child.stdout.close()
