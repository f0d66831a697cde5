"""What a launch has written, and what was fetched of it, as tables and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.views.runs import when
from fairing_az_jupyter.frontends.views.tables import Table
from fairing_az_jupyter.outputs.listing import NOT_ENDED, left_out_note, printable, readable_size

if TYPE_CHECKING:
    from fairing_az_jupyter.outputs.fetching import Fetched
    from fairing_az_jupyter.services.outputs.launch_outputs import LaunchOutputs

__all__ = ["document_of_fetched", "of_fetched", "of_outputs"]

_SHOWN_ROWS = 100


def of_outputs(found: LaunchOutputs) -> Table:
    """Return what a launch has written.

    Args:
        found: The files.

    """
    rows = [(printable(file.name), readable_size(file.size), when(file.modified)) for file in found.files]
    notes = (left_out_note(found.left_out), "" if found.complete else NOT_ENDED)
    empty = f"Launch {found.launch} wrote no files in its working folder."
    return Table(("FILE", "SIZE", "MODIFIED"), rows, [note for note in notes if note], empty)


def of_fetched(found: Fetched) -> Table:
    """Return what was fetched.

    Args:
        found: What became of each file.

    """
    rows = [(printable(str(file.path)), readable_size(file.size), _OUTCOMES[file.outcome]) for file in found.files]
    shown = rows[:_SHOWN_ROWS]
    notes = [f"{len(rows) - len(shown)} more files"] if len(shown) < len(rows) else []
    notes += [_summary(found), *([] if found.complete else [NOT_ENDED])]
    return Table(("FILE", "SIZE", "OUTCOME"), shown, notes, "The launch wrote no files in its working folder.")


def document_of_fetched(found: Fetched) -> dict[str, Any]:
    """Return what was fetched, as JSON has it.

    Args:
        found: What became of each file.

    """
    files = [
        {"name": file.name, "path": str(file.path), "size": file.size, "outcome": file.outcome, "reason": file.reason}
        for file in found.files
    ]
    return {"to": str(found.to), "complete": found.complete, "files": files}


def _summary(found: Fetched) -> str:
    if not found.files:
        return ""
    now = [file for file in found.files if file.outcome == "fetched"]
    there = sum(file.outcome == "there" for file in found.files)
    rejected = len(found.rejected)
    said = f"{len(now)} file{'' if len(now) == 1 else 's'} ({readable_size(sum(file.size for file in now))}) fetched"
    more = [f"{there} already there" if there else "", f"{rejected} not fetched" if rejected else ""]
    return f"{', '.join([f'{said} to {found.to.absolute()}', *filter(None, more)])}."


_OUTCOMES = {"fetched": "fetched", "there": "already there", "rejected": "not fetched"}
