"""Ends the stand's servers and removes its folders as soon as the process that started them is gone, however it went.

It reads what to guard from its standard input, one line each: `+PID` (the leader of a process group), `-PID` (it has
ended) or `rm FOLDER`. End of input means that the other side has closed it, or has died.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

TIMEOUT = 1.0


def end_groups(leaders: list[int]) -> None:
    """End process groups, the youngest first: first asked, then killed."""
    for leader in reversed(leaders):
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGTERM)
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end and any(_lives(leader) for leader in leaders):
        time.sleep(0.05)
    for leader in leaders:
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)


def _lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers so for a group that has only a zombie left.
        return False
    return True


def main() -> None:
    """Read what to guard until the input ends, then clear it away."""
    leaders: list[int] = []
    folders: list[str] = []
    for line in sys.stdin:
        word = line.rstrip("\n")
        if word.startswith("rm "):
            folders.append(word.removeprefix("rm "))
        elif word.startswith("+"):
            leaders.append(int(word[1:]))
        elif int(word[1:]) in leaders:
            leaders.remove(int(word[1:]))
    end_groups(leaders)
    for folder in folders:
        shutil.rmtree(Path(folder), ignore_errors=True)


if __name__ == "__main__":
    main()
