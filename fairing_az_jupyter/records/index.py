"""What has ended does not change any more: it stands in one file, so that a list does not open thousands."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.records import layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def read_index(store: Path) -> dict[str, dict[str, Any]]:
    """Return what is noted of runs that have ended, by their identifiers; nothing if the file is missing.

    Args:
        store: The folder with all records.

    """
    try:
        lines = (store / layout.INDEX).read_bytes().splitlines()
    except OSError:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        # Two machines may have written at the same time; of what can't be read the record itself is read.
        with contextlib.suppress(ValueError, TypeError, KeyError):
            run = json.loads(line)
            found[run["id"]] = run
    return found


def write_index(store: Path, runs: Iterable[Mapping[str, Any]]) -> None:
    """Replace the file; where that is not possible, the next list takes longer.

    Args:
        store: The folder with all records.
        runs: Runs that have ended.

    """
    text = "".join(map(_line, runs))
    with contextlib.suppress(OSError):
        replace_file(store / layout.INDEX, text.encode("utf-8", "backslashreplace"), mode=0o600, durable=False)


def add_to_index(store: Path, run: Mapping[str, Any]) -> None:
    """Note that a run has ended; where that is not possible, the next list takes longer.

    Args:
        store: The folder with all records.
        run: The run.

    """
    data = f"\n{_line(run)}".encode("utf-8", "backslashreplace")
    with contextlib.suppress(OSError):
        handle = os.open(
            store / layout.INDEX, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600
        )
        try:
            # In one piece: other processes append as well.
            os.write(handle, data)
        finally:
            os.close(handle)


def _line(run: Mapping[str, Any]) -> str:
    return json.dumps(run, ensure_ascii=False, separators=(",", ":")) + "\n"
