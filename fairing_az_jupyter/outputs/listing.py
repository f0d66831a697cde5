"""The files of a job as a notebook and a terminal show them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from fairing_az_jupyter.outputs.manifest import OutputFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

    from fairing_az_jupyter.outputs.manifest import LeftOut, Manifest

__all__ = ["NOT_ENDED", "OutputFiles", "kept_sizes", "left_out_note", "printable", "readable_size"]

NOT_ENDED = "The job had not ended when these files were kept: some may be missing or unfinished."

_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000
_MOST_ROWS = 1000
_REASONS = {
    "limit": "beyond the size limit",
    "pattern": "not among the files to keep",
    "unreadable": "not readable",
    "changed": "changed while being read",
}
_CELL = "text-align:left;padding:0.3em 1.2em 0.3em 0"


class OutputFiles(tuple[OutputFile, ...]):  # noqa: SLOT001 - a tuple has no room for slots
    """The files that a job has written, which a notebook shows as a table and a terminal as lines.

    Args:
        files: The files.
        note: What else there is to say; empty for nothing.

    """

    note: str

    def __new__(cls, files: Iterable[OutputFile] = (), note: str = "") -> Self:
        """Return the files, knowing the note."""
        found = super().__new__(cls, files)
        found.note = note
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names."""
        return tuple(file.name for file in self)

    def __repr__(self) -> str:
        rows = [(readable_size(file.size), printable(file.name)) for file in self[:_MOST_ROWS]]
        width = max((len(size) for size, _ in rows), default=0)
        return "\n".join([*(f"{size.rjust(width)}  {name}" for size, name in rows), *self._notes()])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="{_CELL};font-weight:inherit">{escape(printable(file.name))}</th>'
            f'<td style="{_CELL};text-align:right">{readable_size(file.size)}</td></tr>'
            for file in self[:_MOST_ROWS]
        )
        heads = "".join(f'<th scope="col" style="{_CELL};font-weight:bold">{head}</th>' for head in ("FILE", "SIZE"))
        table = f'<table style="border-collapse:collapse;margin-left:0"><thead><tr>{heads}</tr></thead>'
        notes = "".join(f"<div>{escape(note)}</div>" for note in self._notes())
        shown = f"{table}<tbody>{rows}</tbody></table>" if rows else ""
        return f'<div class="fairing-az-table">{shown}{notes}</div>'

    def _notes(self) -> list[str]:
        more = len(self) - _MOST_ROWS
        empty = "" if self else "No files."
        return [note for note in (empty, f"{more} more files" if more > 0 else "", self.note) if note]


def kept_sizes(manifest: Manifest) -> str:
    """Return how much a job has kept, as a sentence; empty where that is nothing.

    Args:
        manifest: The list of its files.

    """
    files = manifest.written
    if not files:
        return ""
    number = f"{len(files)} file{'' if len(files) == 1 else 's'}"
    return f"Kept {number} ({readable_size(sum(file.size for file in files))})."


def readable_size(size: int) -> str:
    """Return a number of bytes for people, such as `12.3 MB`.

    Args:
        size: Bytes.

    """
    number, unit = float(size), 0
    while round(number, 1) >= _STEP and unit < len(_UNITS) - 1:
        number /= _STEP
        unit += 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{size} B"


def printable(name: str) -> str:
    """Return a file's name without characters that would break a line or move a terminal's cursor.

    Args:
        name: The name, as the job's system has it.

    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)


def left_out_note(left_out: Iterable[LeftOut]) -> str:
    """Return a sentence about the files that were not kept; empty where there are none.

    Args:
        left_out: The files.

    """
    found = sorted(left_out, key=lambda each: -each.size)
    # What was not asked for is not missed.
    missed = [each for each in found if each.reason != "pattern"]
    if not missed:
        return ""
    first = missed[0]
    more = f" and {len(missed) - 1} more" if len(missed) > 1 else ""
    what = f"{printable(first.path)} ({readable_size(first.size)}, {_REASONS.get(first.reason, first.reason)})"
    return f"Not kept: {what}{more}."
