"""What the tags of a cell say about how it is executed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import NotebookFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

SKIP_TAGS = frozenset({"skip", "skip-execution"})
"""Cells with one of these are not executed; the second is nbclient's own."""

MOST_RETRIES = 100

_RETRY = re.compile(r"retry-(\d{1,3})")
_RETRY_TAG = re.compile(r"(?i)(?:retry|retries)(?:[-_:= ]?.*)?")


def is_skipped(tags: Iterable[object]) -> bool:
    """Return whether a cell with these tags is left out."""
    return not SKIP_TAGS.isdisjoint(str(tag) for tag in tags)


def retries_of(tags: Iterable[object]) -> int:
    """Return how often a cell with these tags is tried again if it raises; 0 if no tag says so."""
    found = (_RETRY.fullmatch(str(tag)) for tag in tags)
    return max((int(match[1]) for match in found if match), default=0)


def check_tags(cells: Iterable[Mapping[str, Any]], notebook: str) -> None:
    """Reject a tag that is supposed to have a cell tried again and does not.

    Args:
        cells: The notebook's cells.
        notebook: The notebook, for the message.

    Raises:
        NotebookFileError: A tag begins like one, and is none, or asks for too much.

    """
    for position, cell in enumerate(cells, start=1):
        for tag in cell.get("metadata", {}).get("tags", []):
            match = _RETRY.fullmatch(str(tag))
            if (match and 0 < int(match[1]) <= MOST_RETRIES) or not _RETRY_TAG.fullmatch(str(tag)):
                continue
            raise NotebookFileError(
                f"The tag {str(tag)[:60]!r} of cell {position} of '{notebook}' does not say how often to retry the "
                "cell if it raises.",
                hint=f"Write retry-3, or any number up to {MOST_RETRIES} in its place.",
                code="retry-tag",
            )
