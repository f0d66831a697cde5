"""Tells which files are being written at the moment: by what the kernel says of all processes of the container.

Stand-alone (see `CONTAINER_FILES` of `job.py`). Source: https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html
"""

from __future__ import annotations

import contextlib
import os

_READ_ONLY = 0


def written_below(folder: str) -> set[str] | None:
    """Return the files below a folder that another process has open for writing.

    Args:
        folder: The folder's real path.

    Returns:
        Their relative paths; None where that can't be read of any process.

    """
    prefix, found, readable = f"{folder.rstrip('/')}/", set(), False
    try:
        processes = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]  # noqa: PTH208 - pathlib is not loaded
    except OSError:
        return None
    for process in processes:
        try:
            files = os.listdir(f"/proc/{process}/fd")  # noqa: PTH208 - as above
        except OSError:
            # It has ended, or is another user's.
            continue
        readable = True
        for number in files:
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{process}/fd/{number}")  # noqa: PTH115 - as above
                # What is deleted already has a name of its own there.
                if target.startswith(prefix) and not target.endswith(" (deleted)") and _is_written(process, number):
                    found.add(target[len(prefix) :])
    return found if readable or not processes else None


def _is_written(process: str, number: str) -> bool:
    with open(f"/proc/{process}/fdinfo/{number}", encoding="ascii") as file:  # noqa: PTH123 - as above
        for line in file:
            if line.startswith("flags:"):
                return int(line.split()[1], 8) & os.O_ACCMODE != _READ_ONLY
    return False
