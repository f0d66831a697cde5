"""Runs a command and ends it, with all that it started, when whoever asked for it is gone.

    python supervisor.py [--fd N] -- COMMAND [ARG ...]

Stand-alone and quick to start. Standard input is a pipe that the parent holds open: its end, or a new parent, means
that the parent has gone, however it went. The exit code is the command's; 128 + N if signal N has ended it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 5.0
POLL_SECONDS = 0.5


def main(arguments: list[str]) -> int:
    """Run the command to its end, or to ours; return the exit code."""
    separator = arguments.index("--")
    descriptors = [int(number) for number in arguments[:separator] if number != "--fd"]
    parent = os.getppid()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda *_: stop.set())
    try:
        child = subprocess.Popen(
            arguments[separator + 1 :],
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,
        )
    except OSError as error:
        sys.stderr.write(f"{arguments[separator + 1]} can't be started: {error.strerror}\n")
        return 127
    for number in descriptors:
        os.close(number)
    threading.Thread(target=_watch, args=(parent, stop), daemon=True).start()
    threading.Thread(target=_end_on, args=(stop, child), daemon=True).start()
    code = child.wait()
    _signal_group(child.pid, signal.SIGKILL)
    return 128 - code if code < 0 else code


def _watch(parent: int, stop: threading.Event) -> None:
    """Set `stop` when standard input ends or this process has been given to another parent."""
    while not stop.is_set():
        ready, _, _ = select.select([0], [], [], POLL_SECONDS)
        if os.getppid() != parent or (ready and not os.read(0, 4096)):
            stop.set()


def _end_on(stop: threading.Event, child: subprocess.Popen[bytes]) -> None:
    stop.wait()
    _signal_group(child.pid, signal.SIGTERM)
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal_group(child.pid, signal.SIGKILL)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
