"""The file that says what state a run is in: replaced as a whole, and also written where the disk is full."""

from __future__ import annotations

import errno
import json
import os
import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.records import layout

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_RESERVED = 16_384
"""Bytes that the file has as long as the run may still fail, so that the reason finds room on a full disk."""
_READ_TRIES = 5
_READ_AGAIN_SECONDS = 0.02
_FRESH_SECONDS = 5.0
_SHORTEST_TRACEBACK = 5


def write_status(folder: Path, status: Mapping[str, Any], *, final: bool) -> None:
    """Write the state of a run.

    Where the disk is full, the old file's own room is written over.

    Args:
        folder: The record.
        status: The state.
        final: Whether it is the last one. The others are filled up with spaces, which JSON allows.

    Raises:
        OSError: It can't be written.

    """
    data = _text(status)
    if not final and len(data) < _RESERVED:
        data = data.rstrip(b"\n") + b" " * (_RESERVED - len(data)) + b"\n"
    target = folder / layout.STATUS
    try:
        replace_file(target, data, mode=0o600, durable=final)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT} or not target.exists():
            raise
        _write_over(target, status)


def read_status(folder: Path) -> dict[str, Any]:
    """Read the state of a run.

    Args:
        folder: The record.

    Returns:
        The state; empty if the file is missing or broken.

    """
    # Thousands are read for a list, and `Path` takes longer for its part than the file itself.
    path = f"{folder}/{layout.STATUS}"
    for _ in range(_READ_TRIES):
        found = _read(path)
        if found is not None:
            return found
        if not _is_fresh(path):
            break
        # On Windows' shares a file can't be read in the moment in which it is replaced.
        time.sleep(_READ_AGAIN_SECONDS)
    return {}


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - see above
            found = json.loads(file.read())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else {}


def _is_fresh(path: str) -> bool:
    """Tell whether a file may be being written right now; what was broken long ago stays so."""
    try:
        return abs(time.time() - os.path.getmtime(path)) < _FRESH_SECONDS  # noqa: PTH204 - see above
    except OSError:
        return True


def _text(status: Mapping[str, Any]) -> bytes:
    return (json.dumps(status, indent=1, ensure_ascii=False, default=str) + "\n").encode("utf-8", "backslashreplace")


def _write_over(target: Path, status: Mapping[str, Any]) -> None:
    room = target.stat().st_size
    data = _text(_shortened(status, room))
    if len(data) > room:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
    handle = os.open(target, os.O_WRONLY)
    try:
        os.pwrite(handle, data.ljust(room), 0) if hasattr(os, "pwrite") else os.write(handle, data.ljust(room))
        os.fsync(handle)
    finally:
        os.close(handle)


def _shortened(status: Mapping[str, Any], room: int) -> Mapping[str, Any]:
    """Return a state that fits into some bytes: the traceback first, then what was reported, can be done without."""
    error = dict(status.get("error") or {})
    lines = list(error.get("traceback") or [])
    while len(_text(status)) > room and len(lines) > _SHORTEST_TRACEBACK:
        lines = lines[len(lines) // 2 :]
        status = {**status, "error": {**error, "traceback": lines}}
    if len(_text(status)) > room:
        status = {**status, "metrics": {}, "error": {key: error[key] for key in ("code", "message") if key in error}}
    return status
