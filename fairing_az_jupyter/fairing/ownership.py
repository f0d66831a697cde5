"""Who has launched what, and whether that process still looks after it.

A notebook's kernel may be restarted, or its cell interrupted, while its job runs on in the cluster. The same launch,
made again, has to find that job; a job that another process still follows has to be left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

import psutil

from fairing_az_jupyter.fairing.pod_objects import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["PROCESS", "TASK", "caring_for", "digest_of_task", "is_abandoned", "mark"]

PROCESS = f"{PREFIX}process"
"""The annotation that tells which process has launched an object."""

TASK = f"{PREFIX}task"
"""The label that is the same for two launches of the same thing."""

_LABEL_LENGTH = 40

_cared_for: dict[str, int] = {}
_lock = threading.Lock()


def mark() -> dict[str, str]:
    """Return the annotation that names this process."""
    return {PROCESS: _identity(os.getpid())}


def digest_of_task(spec: Mapping[str, Any]) -> str:
    """Return a label's value that tells what is run: the same specification gives the same.

    Args:
        spec: The pod's specification.

    """
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_LABEL_LENGTH]


@contextlib.contextmanager
def caring_for(name: str) -> Iterator[None]:
    """Note that this process looks after an object as long as the context lasts.

    Args:
        name: The object's name.

    """
    with _lock:
        _cared_for[name] = _cared_for.get(name, 0) + 1
    try:
        yield
    finally:
        with _lock:
            _cared_for[name] -= 1
            if not _cared_for[name]:
                del _cared_for[name]


def is_abandoned(name: str, annotations: Mapping[str, Any]) -> bool:
    """Tell whether nobody looks after an object any more.

    Args:
        name: Its name.
        annotations: Its annotations.

    Returns:
        True if the process that has launched it was one of this machine's and is gone, or is this one and no longer
        follows it. False if it may still be looked after, as by a process on another machine.

    """
    launched_by = str(annotations.get(PROCESS) or "")
    host, _, rest = launched_by.partition(" ")
    number = rest.partition(" ")[0]
    if host != socket.gethostname() or not number.isdigit():
        return False
    with _lock:
        if name in _cared_for:
            return False
    return int(number) == os.getpid() or _identity(int(number)) != launched_by


def _identity(pid: int) -> str:
    """Return what tells a process from all others: numbers are given again, but not at the same time."""
    try:
        started = psutil.Process(pid).create_time()
    except psutil.Error:
        return ""
    return f"{socket.gethostname()} {pid} {started:.2f}"
