"""Child processes that never outlive the kernel that started them."""

from __future__ import annotations

import codecs
import collections
import contextlib
import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LAST_LINES = 20
STOP_SECONDS = 10.0
SIGNAL_BASE = 128
_READ_BYTES = 65536
_LOOK_SECONDS = 0.2
_LONGEST_LINE = 65536


class Child:
    """A command under `supervisor.py`, in a session of its own.

    Args:
        command: The program and its arguments.
        cwd: The folder that it runs in.
        env: Its whole environment.
        log: File that keeps its output (standard error included).
        descriptor: An open file descriptor that it gets under the same number.
        stream: Whether `pieces()` hands out its output as it comes; otherwise it goes to the log alone.

    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        descriptor: int | None = None,
        stream: bool = False,
    ) -> None:
        self.log = log
        supervisor = str(Path(__file__).with_name("supervisor.py"))
        passed = [] if descriptor is None else ["--fd", str(descriptor)]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-E", supervisor, *passed, "--", *command],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if stream else output,
                stderr=subprocess.STDOUT,
                pass_fds=() if descriptor is None else (descriptor,),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The command's exit code, 128 + N if signal N has ended it; None while it runs."""
        return self._process.poll()

    def pieces(self) -> Iterator[str]:
        """Yield the output as it comes, lines and parts of lines, and keep it in the log; ends with the command."""
        output: IO[bytes] | None = self._process.stdout
        if output is None:
            return
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with self.log.open("ab", buffering=0) as log, output:
            while data := _read(output.fileno()):
                log.write(data)
                yield decoder.decode(data)
        self._process.wait()
        yield decoder.decode(b"", final=True)

    def last_lines(self, count: int = LAST_LINES) -> tuple[str, ...]:
        """Return the last lines that it printed, oldest first, without line ends."""
        with contextlib.suppress(OSError), self.log.open(errors="replace", newline="\n") as log:
            return tuple(line.rstrip() for line in collections.deque(log, maxlen=count) if line.strip())
        return ()

    def stop(self) -> None:
        """End the command and everything that it started; returns when nothing of it runs. Safe to call again."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _read(descriptor: int) -> bytes:
    """Read what there is; an interrupt that another thread raises in this one comes between two looks."""
    with selectors.DefaultSelector() as ready:
        ready.register(descriptor, selectors.EVENT_READ)
        while not ready.select(_LOOK_SECONDS):
            pass
    return os.read(descriptor, _READ_BYTES)


def describe_exit(returncode: int | None) -> str:
    """Return how a command has ended, for people: `exit code 1`, `signal SIGKILL (exit code 137)`."""
    if returncode is not None and returncode > SIGNAL_BASE:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(returncode - SIGNAL_BASE).name} (exit code {returncode})"
    return f"exit code {returncode}"


class LastLines:
    """Keeps the last lines of an output that comes in pieces, as a terminal would show them.

    Args:
        count: How many lines.

    """

    def __init__(self, count: int) -> None:
        self._lines: collections.deque[str] = collections.deque(maxlen=count)
        self._open = ""

    def add(self, piece: str) -> None:
        """Take the next piece; a carriage return writes its line anew."""
        # A piece may end between the two letters of a line's end.
        *whole, self._open = (self._open + piece).replace("\r\n", "\n").split("\n")
        self._lines += [line.rpartition("\r")[2] for line in whole]
        self._open = self._open[-_LONGEST_LINE:]

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends, the last one also if it is not finished."""
        return (*self._lines, *([self._open.rpartition("\r")[2]] if self._open else []))
