"""Which machine and which process this is, and whether the process of a name is still there."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import socket
from pathlib import Path

import psutil

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has its service account's token, certificates and namespace."""

# Longer than any system's process numbers.
_LONGEST_NUMBER = 12
_MACHINE_ID = Path("/etc/machine-id")
_SALT = b"fairing-az-jupyter/"
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def image_platform(*, of_this_machine: bool) -> str:
    """Return what images are made for, such as `linux/amd64`.

    Args:
        of_this_machine: Whether it is this machine's kind, as in a pod of the cluster; else it is most nodes' kind.

    """
    machine = platform.machine().lower() if of_this_machine else ""
    return f"linux/{_ARCHITECTURES.get(machine, 'amd64')}"


@functools.cache
def this_place() -> str:
    """Return what tells the machine from others: pods of two namespaces may have one name, and so may computers.

    A pod that takes the place of another, as of a notebook server that is started again, is the same machine.
    """
    host = "".join(socket.gethostname().split())
    try:
        space = (SERVICE_ACCOUNT_FOLDER / "namespace").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        space = ""
    if space:
        return f"{host}.{space}"
    try:
        number = _MACHINE_ID.read_bytes().strip()
    except OSError:
        number = b""
    # Not as it is: https://www.freedesktop.org/software/systemd/man/latest/machine-id.html asks to keep it private.
    return f"{host}.{hashlib.sha256(_SALT + number).hexdigest()[:8]}" if number else host


def process_name(pid: int | None = None) -> str:
    """Return what tells a process from all others: numbers are given again, but not at the same time.

    Args:
        pid: The process; None for this one.

    """
    pid = os.getpid() if pid is None else pid
    return f"{this_place()} {pid} {_started(pid) or 'unknown'}"


def is_local(name: str) -> bool:
    """Tell whether a process is, or was, one of this machine's.

    Args:
        name: The process, as `process_name` has named it.

    """
    place, number, _ = _parts(name)
    return place == this_place() and number is not None


def is_this(name: str) -> bool:
    """Tell whether a name is that of this process, as far as its number says."""
    return is_local(name) and _parts(name)[1] == os.getpid()


def is_gone(name: str) -> bool:
    """Tell whether a process was one of this machine's and has ended.

    Args:
        name: The process, as `process_name` has named it. What names none is not gone.

    """
    if not is_local(name):
        return False
    _, number, started = _parts(name)
    now = _started(number or 0)
    return now is None or now not in {"", started}


def _parts(name: str) -> tuple[str, int | None, str]:
    place, _, rest = name.partition(" ")
    number, _, started = rest.partition(" ")
    # Names can be edited: what is not a number of a process names nobody.
    sound = number.isascii() and number.isdigit() and len(number) < _LONGEST_NUMBER
    return place, int(number) if sound else None, started


def _started(pid: int) -> str | None:
    """Return when a process was started; empty where it is there and that may not be seen, None if it is gone."""
    try:
        # Before the process: on Linux its time is counted from the start of the machine, and so it stays the same
        # when the clock is set.
        began = psutil.boot_time() if psutil.LINUX else 0.0
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time() - began:.2f}"
    except psutil.NoSuchProcess:
        return "" if _is_hidden(pid) else None
    except (psutil.Error, OSError, OverflowError):
        return ""


def _is_hidden(pid: int) -> bool:
    """Tell whether a process is another user's, whom the system does not show (Linux: hidepid)."""
    if psutil.POSIX:
        try:
            os.kill(pid, 0)
        except PermissionError:
            return True
        except (OSError, OverflowError):
            return False
    return False
