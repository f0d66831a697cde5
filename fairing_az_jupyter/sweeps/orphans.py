"""Kernels whose process was killed: they continue until they notice it, and a run must not be executed by two."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import psutil

from fairing_az_jupyter import machine
from fairing_az_jupyter.records import layout

if TYPE_CHECKING:
    from pathlib import Path

_PARENT = "JPY_PARENT_PID"
"""Where jupyter_client tells a kernel the process that has started it."""
_SESSION = "JPY_SESSION_NAME"
_END_SECONDS = 3.0


def end_kernels(folder: Path) -> None:
    """End the kernels that the process of a lost run has left on this machine.

    Args:
        folder: The run's record.

    """
    process, session = _executed_by(folder)
    if not process or not session or not machine.is_gone(process):
        return
    number = process.partition(" ")[2].partition(" ")[0]
    kernels = [each for each in psutil.process_iter() if _is_kernel_of(each, number, session)]
    for kernel in kernels:
        with contextlib.suppress(psutil.Error):
            kernel.kill()
    psutil.wait_procs(kernels, timeout=_END_SECONDS)


def _executed_by(folder: Path) -> tuple[str, str]:
    """Return the process that executed a run, and what its kernel calls the notebook."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        status = json.loads((folder / layout.STATUS).read_bytes())
        notebook = json.loads((folder / layout.REQUEST).read_bytes())["request"]["notebook"]
        return str(status.get("process") or ""), str(notebook)
    return "", ""


def _is_kernel_of(process: psutil.Process, number: str, session: str) -> bool:
    try:
        environment = process.environ()
    except (psutil.Error, OSError):
        return False
    return environment.get(_PARENT) == number and environment.get(_SESSION) == session
