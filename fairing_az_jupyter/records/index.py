"""What has ended does not change any more: it stands in one file, so that a list does not open thousands."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.records import layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def read_index(store: Path) -> dict[str, dict[str, Any]]:
    """Return what is noted of runs that have ended, by their identifiers; nothing if the file is missing or broken.

    Args:
        store: The folder with all records.

    """
    try:
        lines = (store / layout.INDEX).read_bytes().splitlines()
    except OSError:
        return {}
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return {found["id"]: found for found in map(json.loads, lines)}
    return {}


def write_index(store: Path, runs: Iterable[Mapping[str, Any]]) -> None:
    """Replace the file; where that is not possible, the next list takes longer.

    Args:
        store: The folder with all records.
        runs: Runs that have ended.

    """
    text = "".join(json.dumps(run, ensure_ascii=False, separators=(",", ":")) + "\n" for run in runs)
    with contextlib.suppress(OSError):
        replace_file(store / layout.INDEX, text.encode("utf-8", "backslashreplace"), mode=0o600, durable=False)
