"""What the files of a record say, as `RunInfo`, and which of many runs is intended."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.models import RunInfo
from fairing_az_jupyter.records import layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_FIELDS = frozenset(RunInfo.__dataclass_fields__)
_ASKED = ("notebook", "output", "parameters", "kind", "task", "name")
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("id", "state", "notebook", "sweep", "retry_of", "job", "namespace"), str),
    **dict.fromkeys(("kind", "task", "endpoint", "url", "name", "parent", "server"), str),
    **dict.fromkeys(("created", "started", "ended", "duration"), (int, float)),
    **dict.fromkeys(("cell", "cells", "point", "attempt"), int),
    **dict.fromkeys(("parameters", "metrics", "error"), dict),
    "unattended": bool,
}


def read_request(folder: Path) -> dict[str, Any]:
    """Return what a record's request says; empty if it is missing or broken.

    Args:
        folder: The record.

    """
    # Thousands are read for a list, and `Path` takes longer for its part than the file itself.
    with contextlib.suppress(OSError, ValueError), open(f"{folder}/{layout.REQUEST}", "rb") as file:  # noqa: PTH123
        found = json.loads(file.read())
        return found if isinstance(found, dict) else {}
    return {}


def fields_of(name: str, folder: Path, document: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """Return what there is to know of a run, by the names of `RunInfo`.

    Args:
        name: Its identifier.
        folder: Its record.
        document: What its request says.
        status: What its state says.

    Returns:
        The fields; empty if the files are none of a record.

    """
    request = document.get("request")
    if not isinstance(request, dict) or not status:
        return {}
    found = {key: value for key, value in {**document, **status}.items() if key in _FIELDS}
    found |= {key: request[key] for key in _ASKED if key in request}
    return {**found, "id": name, "folder": str(folder)}


def matches(info: RunInfo, key: str, value: str) -> bool:
    """Tell whether a run is one that is wanted.

    Args:
        info: The run.
        key: The name of what it should have, as in `RunInfo`.
        value: What it should have there.

    """
    found = str(getattr(info, key) or "")
    if key != "notebook" or "://" in found or "://" in value:
        return found == value
    # The run may have been asked for in another folder, or on Windows: the end that both have counts.
    ours, theirs = (PureWindowsPath(os.path.normpath(path)).parts for path in (found, value))
    length = min(len(ours), len(theirs))
    return ours[-length:] == theirs[-length:]


def named(name: str, names: Sequence[str]) -> Sequence[str]:
    """Return the identifiers that a text may stand for; what says most counts.

    Args:
        name: The whole identifier, or a part.
        names: All identifiers.

    """
    if name in names or not name:
        return [name] if name else []
    ways = (
        [each for each in names if each.startswith(name)],
        [each for each in names if each.endswith(f"-{name}")],
        [each for each in names if name in each],
    )
    return next((way for way in ways if way), [])


def at_a_glance(found: dict[str, Any]) -> dict[str, Any]:
    """Return a run's fields as a list has them: the tracebacks of thousands would take all the time.

    Args:
        found: Its fields.

    """
    error = found.get("error")
    if not isinstance(error, dict) or not {"source", "traceback"} & error.keys():
        return found
    return {**found, "error": {key: value for key, value in error.items() if key not in {"source", "traceback"}}}


def sound(found: Mapping[str, Any]) -> RunInfo | None:
    """Return what a record says, None if that is not a run: files can be edited, or come from elsewhere.

    Args:
        found: Its fields.

    """
    if not all(isinstance(found.get(name), str) for name in ("id", "state", "notebook")):
        return None
    usable: dict[str, Any] = {key: value for key, value in found.items() if isinstance(value, _TYPES.get(key, object))}
    return RunInfo(**usable)
