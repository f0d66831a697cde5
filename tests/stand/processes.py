"""Starts the stand's real servers, waits until they answer, and ends them whatever happens to this process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LOG_LINES = 25
# Images and logs of a whole session, on a machine that has other work.
_REMOVED_SECONDS = 120
_GUARD = Path(__file__).with_name("guard.py")


class StartError(RuntimeError):
    """A server of the stand did not start."""


class PortTakenError(StartError):
    """Another process took the port between choosing and using it; another try with another port helps."""


class Guard:
    """A child process that outlives this one and ends what is left of it.

    Args:
        folder: Removed with everything in it at the end.

    """

    def __init__(self, folder: Path) -> None:
        # A session of its own: Ctrl-C in the terminal reaches this process only, which then ends in order.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._say(f"rm {folder}")

    def watch(self, pid: int) -> None:
        """Have a process group ended at the end."""
        self._say(f"+{pid}")

    def forget(self, pid: int) -> None:
        """Say that a process group has ended."""
        self._say(f"-{pid}")

    def close(self) -> None:
        """End and remove everything that is left, and wait until that is done."""
        if self._process.stdin and not self._process.stdin.closed:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_REMOVED_SECONDS)

    def _say(self, line: str) -> None:
        if self._process.stdin is None or self._process.stdin.closed:
            return
        with suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()


class Server:
    """One server process, started and ready.

    Args:
        name: What it is called in errors.
        command: Program and arguments.
        log: File for all its output.
        ready: Tells whether it answers; called until it does.
        guard: Ends it if this process can't.
        environment: Its whole environment; this process's own if None.
        timeout: Seconds until it has to answer.

    Raises:
        StartError: It ended or did not answer in time; the text has its last log lines.

    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        ready: Callable[[], bool],
        guard: Guard,
        environment: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> None:
        self.name = name
        self.log = log
        self._guard = guard
        began = time.monotonic()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=log.parent,
                start_new_session=True,
            )
        self.pid = self._process.pid
        guard.watch(self.pid)
        try:
            self._wait(ready, began + timeout, timeout)
        except BaseException:
            self.end()
            raise
        self.seconds = time.monotonic() - began

    def _wait(self, ready: Callable[[], bool], end: float, timeout: float) -> None:
        while True:
            status = self._process.poll()
            if status is not None:
                text = f"{self.name} ended with status {status} before it was ready.\n{self.tail()}"
                raise (PortTakenError if "address already in use" in text.lower() else StartError)(text)
            if ready():
                return
            if time.monotonic() > end:
                msg = f"{self.name} did not answer within {timeout:g} s.\n{self.tail()}"
                raise StartError(msg)
            time.sleep(0.05)

    def tail(self) -> str:
        """Return the last lines of the log, as an error shows them."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join([f"The last lines of {self.log.name}:", *(f"  {line}" for line in lines)])

    def memory(self) -> int:
        """Return the resident memory of the process, in bytes (Linux only; 0 elsewhere)."""
        status = Path(f"/proc/{self.pid}/statm")
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0

    def end(self) -> None:
        """End the process and its children; safe to repeat."""
        # Their data goes away with them: nothing is lost by not waiting for an orderly end.
        for number, patience in ((signal.SIGTERM, 0.5), (signal.SIGKILL, 5)):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                break
        self._guard.forget(self.pid)


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_free_port(start: Callable[[int], Server], tries: int = 3) -> tuple[Server, int]:
    """Start a server on a free port, again on another one if somebody was faster.

    Args:
        start: Starts the server on the port that it is given.
        tries: How often to try.

    Returns:
        The server and its port.

    """
    for _ in range(tries - 1):
        port = free_port()
        with suppress(PortTakenError):
            return start(port), port
    port = free_port()
    return start(port), port
