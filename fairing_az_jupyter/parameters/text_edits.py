"""Edits of a text as plain data: replacements by offset, and a text that remembers what is new in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True)
class Splice:
    """One replacement in a text: the characters from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


class EditedSource:
    """A text under edit that remembers which of its characters are the original's.

    Args:
        original: The text before all edits.

    """

    def __init__(self, original: str) -> None:
        self.original = original
        # A pair is a stretch of the original, a string is new.
        self._pieces: list[tuple[int, int] | str] = [(0, len(original))]

    @property
    def text(self) -> str:
        """The text after all edits so far."""
        return "".join(
            piece if isinstance(piece, str) else self.original[piece[0] : piece[1]] for piece in self._pieces
        )

    @property
    def splices(self) -> list[Splice]:
        """All edits so far, in the original's offsets and order."""
        found: list[Splice] = []
        at, new = 0, ""
        for piece in [*self._pieces, (len(self.original), len(self.original))]:
            if isinstance(piece, str):
                new += piece
                continue
            start, end = piece
            if new or start > at:
                found.append(Splice(at, start, new))
            at, new = end, ""
        return found

    def apply(self, edits: Collection[Splice]) -> None:
        """Apply edits that don't overlap; their offsets count characters of the text as it is now."""
        for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
            self._pieces = self._after(edit)

    def behind_insertion(self, offset: int) -> int:
        """Return the end of what earlier edits inserted at an offset, so that what comes next follows it."""
        at = 0
        for piece in self._pieces:
            length = _length(piece)
            if at == offset and isinstance(piece, str):
                offset += length
            at += length
        return offset

    def _after(self, edit: Splice) -> list[tuple[int, int] | str]:
        before: list[tuple[int, int] | str] = []
        after: list[tuple[int, int] | str] = []
        at = 0
        for piece in self._pieces:
            length = _length(piece)
            keep = max(0, min(length, edit.start - at))
            drop = max(0, min(length, edit.end - at))
            if keep:
                before.append(piece[:keep] if isinstance(piece, str) else (piece[0], piece[0] + keep))
            if drop < length:
                after.append(piece[drop:] if isinstance(piece, str) else (piece[0] + drop, piece[1]))
            at += length
        return [*before, edit.text, *after]


def apply_splices(text: str, splices: Collection[Splice]) -> str:
    """Return a text with replacements that don't overlap; of several at one offset, the first comes first."""
    parts: list[str] = []
    at = 0
    for splice in sorted(splices, key=lambda splice: splice.start):
        parts += [text[at : splice.start], splice.text]
        at = splice.end
    return "".join([*parts, text[at:]])


def _length(piece: tuple[int, int] | str) -> int:
    return len(piece) if isinstance(piece, str) else piece[1] - piece[0]
