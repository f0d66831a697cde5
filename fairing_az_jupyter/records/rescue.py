"""Where the end of a run is noted if its record's own disk does not take it."""

from __future__ import annotations

import contextlib
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
    base.mkdir(mode=0o700, exist_ok=True)
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        # Somebody else's folder, or a link that somebody else has put there.
        raise PermissionError(None, "the folder for temporary files holds another user's", str(base))
    place = base / folder.name
    place.mkdir(mode=0o700, exist_ok=True)
    if request is None:
        with contextlib.suppress(OSError, ValueError):
            request = json.loads((folder / layout.REQUEST).read_bytes())
    for name, content in ((layout.REQUEST, request or {}), (layout.STATUS, status)):
        replace_file(place / name, json.dumps(content, indent=1, default=str).encode() + b"\n", mode=0o600)
    replace_file(place / _FOLDER, os.fsencode(folder), mode=0o600)
    return place


def kept(store: Path) -> dict[str, Path]:
    """Return what is noted of a store's runs, by their identifiers."""
    found: dict[str, Path] = {}
    with contextlib.suppress(OSError):
        for place in rescue_folder().iterdir():
            with contextlib.suppress(OSError):
                if Path(os.fsdecode((place / _FOLDER).read_bytes())).parent == store:
                    found[place.name] = place
    return found
