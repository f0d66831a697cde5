"""Where the end of a run is noted if its record's own disk does not take it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.records import layout

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER = "of"
"""The file that names the record that belongs there."""


def rescue_folder() -> Path:
    """Return the folder, which need not be there; each user has one."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"fairing-az-jupyter-runs-{user}"


def keep(folder: Path, status: Mapping[str, Any], request: Mapping[str, Any] | None = None) -> Path:
    """Note how a run has ended.

    Args:
        folder: Its record, or where that was to be made.
        status: Its last state.
        request: What was asked for; None to take it from the record.

    Returns:
        Where it is noted.

    Raises:
        OSError: It can't be noted there either.

    """
    base = rescue_folder()
    with contextlib.suppress(FileExistsError):
        base.mkdir(mode=0o700)
    if not _is_ours(base):
        raise PermissionError(errno.EACCES, "the folder for temporary files holds another user's", str(base))
    place = base / folder.name
    place.mkdir(mode=0o700, exist_ok=True)
    if request is None:
        with contextlib.suppress(OSError, ValueError):
            request = json.loads((folder / layout.REQUEST).read_bytes())
    for name, content in ((layout.REQUEST, request or {}), (layout.STATUS, status)):
        replace_file(place / name, json.dumps(content, indent=1, default=str).encode() + b"\n", mode=0o600)
    replace_file(place / _FOLDER, os.fsencode(os.path.realpath(folder)), mode=0o600)
    return place


def kept(store: Path) -> dict[str, Path]:
    """Return what is noted of a store's runs, by their identifiers."""
    found: dict[str, Path] = {}
    with contextlib.suppress(OSError):
        base = rescue_folder()
        places = [place for place in base.iterdir() if layout.is_run_id(place.name)] if _is_ours(base) else []
        real = os.path.realpath(store)
        for place in places:
            with contextlib.suppress(OSError):
                if _store_of(place) == real:
                    found[place.name] = place
    return found


def _store_of(place: Path) -> str:
    return os.path.dirname(os.fsdecode((place / _FOLDER).read_bytes()))  # noqa: PTH120 - a text as it was noted


def _is_ours(base: Path) -> bool:
    """Tell whether the folder is this user's own: no other's, no link that another has put there, closed to others."""
    found = base.lstat()
    owned = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)
    return stat.S_ISDIR(found.st_mode) and owned
