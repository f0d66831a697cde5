"""Runs a command and ends it, with all that it started, when whoever asked for it is gone.

    python supervisor.py [--fd N] -- COMMAND [ARG ...]

Stand-alone and quick to start. Standard input is a pipe that the parent holds open: its end, or a new parent, means
that the parent has gone, however it went. The exit code is the command's; 128 + N if signal N has ended it.

On Linux this process adopts what its descendants leave behind (PR_SET_CHILD_SUBREAPER of prctl(2)), so that daemons end
too, and the command dies with it (PR_SET_PDEATHSIG). Elsewhere the command's process group is all that is ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 5.0
POLL_SECONDS = 0.5
REAP_SECONDS = 3.0
SET_PDEATHSIG = 1
SET_CHILD_SUBREAPER = 36

prctl = None
if sys.platform == "linux":
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        prctl = ctypes.CDLL(None).prctl


def main(arguments: list[str]) -> int:
    """Run the command to its end, or to ours; return the exit code."""
    separator = arguments.index("--")
    descriptors = [int(number) for number in arguments[:separator] if number != "--fd"]
    parent = os.getppid()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda *_: stop.set())
    if prctl is not None:
        prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        child = subprocess.Popen(
            arguments[separator + 1 :],
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread runs yet, and it calls nothing but prctl
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
    _end_descendants()
    return 128 - code if code < 0 else code


def _die_with_parent() -> None:
    if prctl is not None:
        prctl(SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


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
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _end_descendants() -> None:
    """Kill what has left the command's process group, again and again until nothing new appears."""
    end = time.monotonic() + REAP_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        left = _descendants(os.getpid())
        if not left:
            return
        for process in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def _descendants(process: int) -> list[int]:
    """Return the descendants of a process as /proc tells them; none where there is no /proc."""
    parents: dict[int, int] = {}
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes longer to load than all of this
            if name.isdigit():
                stat = f"/proc/{name}/stat"
                with contextlib.suppress(OSError, ValueError), open(stat, "rb") as file:  # noqa: PTH123 - as above
                    # The name of the program stands in parentheses and may hold anything.
                    parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found: list[int] = []
    level = [process]
    while level:
        level = [child for child, parent in parents.items() if parent in level]
        found += level
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
