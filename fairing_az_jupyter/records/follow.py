"""What a run has printed and what happened in it, also while it continues."""

from __future__ import annotations

import codecs
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.events_file import read_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.records.store import RunStore

_BLOCK = 1 << 16
_LOOK_SECONDS = 0.3
_TAIL_BLOCK = 1 << 14


def log_text(store: RunStore, name: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
    """Read what a run has printed.

    Args:
        store: The runs.
        name: The run's whole identifier.
        follow: Whether to continue as it prints more, until it has ended.
        tail: The last lines only, so many; None for all.

    Yields:
        Text, as it comes.

    Raises:
        InputError: The run does not exist, or its record was deleted meanwhile.

    """
    path = _place(store, name) / layout.LOG
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    offset = _start_of_tail(path, tail)
    while True:
        # Looked at first: what was printed before the end is then read for certain.
        over = not follow or _is_over(store, name)
        try:
            with path.open("rb") as file:
                file.seek(offset)
                while block := file.read(_BLOCK):
                    offset += len(block)
                    yield decoder.decode(block)
        except FileNotFoundError:
            pass
        if over:
            yield decoder.decode(b"", final=True)
            return
        time.sleep(_LOOK_SECONDS)


def events(
    store: RunStore, name: str, *, offset: int = 0, follow: bool = False
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read what happened in a run.

    Args:
        store: The runs.
        name: The run's whole identifier.
        offset: Where to begin, as an earlier event has given it.
        follow: Whether to continue as more happens, until it has ended.

    Yields:
        The offset behind the event, and the event.

    Raises:
        InputError: The run does not exist, or its record was deleted meanwhile.

    """
    path = _place(store, name) / layout.EVENTS
    while True:
        over = not follow or _is_over(store, name)
        for behind, event in read_events(path, offset):
            offset = behind
            yield behind, event
        if over:
            return
        time.sleep(_LOOK_SECONDS)


def _place(store: RunStore, name: str) -> Path:
    """Return where a run's files are: of one whose end is noted elsewhere, what came before is in the record."""
    kept = Path(store.find(name).folder)
    return store.folder(name) if store.folder(name).is_dir() else kept


def _is_over(store: RunStore, name: str) -> bool:
    info = store.get(name)
    if info is None:
        raise InputError(
            f"The record of the run '{name}' was deleted while it was being read.",
            hint="List the runs: fairing-azure runs list",
            code="run-unknown",
        )
    return info.has_ended or info.state == "lost"


def _start_of_tail(path: Path, tail: int | None) -> int:
    if tail is None or not path.exists():
        return 0
    with path.open("rb") as file:
        end = at = file.seek(0, 2)
        if tail == 0 or end == 0:
            return end
        # The last line's own end is none between lines.
        file.seek(end - 1)
        wanted = tail + (file.read(1) == b"\n")
        while at > 0:
            step = min(_TAIL_BLOCK, at)
            at -= step
            file.seek(at)
            block = file.read(step)
            found = block.count(b"\n")
            if found >= wanted:
                place = len(block)
                for _ in range(wanted):
                    place = block.rindex(b"\n", 0, place)
                return at + place + 1
            wanted -= found
    return 0
