"""How runs of sweeps have ended whose records were deleted: each sweep keeps that, or it would look unfinished."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.models import RunInfo
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.events_file import append_event, read_events
from fairing_az_jupyter.records.infos import at_a_glance, sound

if TYPE_CHECKING:
    from fairing_az_jupyter.records import RunStore

ENDED = "ended.jsonl"
_MARKS = "ended"


def keep_end(store: RunStore, info: RunInfo) -> None:
    """Keep how a run of a sweep has ended, before its record is deleted; nothing of any other run.

    Args:
        store: The records.
        info: The run.

    Raises:
        OSError: It can't be kept.

    """
    folder = _folder(store, info.sweep)
    if not info.sweep or info.point is None or not info.has_ended or not folder.is_dir():
        return
    marks = folder / _MARKS / info.id
    if (Path(info.folder) / layout.CANCEL).exists():
        # What somebody has cancelled is not run again with the rest of the sweep.
        marks.mkdir(parents=True, exist_ok=True, mode=0o700)
        (marks / layout.CANCEL).touch(mode=0o600)
    append_event(folder / ENDED, at_a_glance({**info.to_dict(), "folder": str(marks)}))


def kept_ends(store: RunStore, sweep: str) -> list[RunInfo]:
    """Return how the runs of a sweep have ended whose records were deleted.

    Args:
        store: The records.
        sweep: The sweep's identifier.

    """
    known = RunInfo.__dataclass_fields__
    lines = (event for _, event in read_events(_folder(store, sweep) / ENDED))
    found = (sound({name: value for name, value in event.items() if name in known}) for event in lines)
    return [info for info in found if info is not None and info.has_ended and info.sweep == sweep]


def _folder(store: RunStore, sweep: str) -> Path:
    return store.path / layout.SWEEPS / sweep
