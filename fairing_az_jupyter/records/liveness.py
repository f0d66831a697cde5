"""Whether the process that executes a run is still there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import machine
from fairing_az_jupyter.records import layout

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RELEASED = "released"
"""What a claim says whose process has left the run to itself."""

SILENCE_SECONDS = 120.0
"""So long may a run on another machine show nothing before it is lost: eight heartbeats, or clocks that differ."""


def is_lost(folder: Path, status: Mapping[str, Any]) -> bool:
    """Tell whether a run that has not ended will never continue.

    Args:
        folder: The record.
        status: Its state.

    """
    state = status.get("state")
    if state == "lost":
        return True
    if status.get("place") == "cluster" or status.get("unattended"):
        return False
    # That of a run that waits is the one that has made the record, and has not yet begun to execute it.
    return state in {"waiting", "running"} and _is_left(str(status.get("process") or ""), folder)


def is_free(claim: Path) -> bool:
    """Tell whether a claim's process is gone, so that another may take the run.

    Args:
        claim: The file of the claim.

    """
    try:
        process = claim.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    if process.strip() == RELEASED:
        return True
    # An empty claim is being written right now, or its process died just then.
    return _is_left(process, claim.parent) if process.strip() else _is_silent(claim)


def _is_left(process: str, folder: Path) -> bool:
    if machine.is_local(process):
        return machine.is_gone(process)
    return _is_silent(folder / layout.STATUS)


def _is_silent(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > SILENCE_SECONDS
    except OSError:
        return False
