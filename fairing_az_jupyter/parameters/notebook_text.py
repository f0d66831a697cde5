"""A notebook as the text it is stored as: where in the JSON each cell and each cell's source stands."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from fairing_az_jupyter.exceptions import NotebookFileError

if TYPE_CHECKING:
    from collections.abc import Callable

NBFORMAT_3 = 3
NBFORMAT_4 = 4

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_UNICODE_ESCAPE = re.compile(r"(\\+)u(?!00[0-7])")
_NOT_A_NOTEBOOK = "Give the path of a Jupyter notebook (*.ipynb)."
_BROKEN = "Open it in JupyterLab and save it again, or restore it from a checkpoint or from git."


class CellText(NamedTuple):
    """One cell and where it stands; a tuple, because a notebook may have very many.

    Args:
        position: Its index in the notebook, from 0; nbformat 3 counts on through all worksheets.
        start: The offset of its `{` in the notebook's text.
        end: The offset behind its `}`.
        content: The decoded cell.

    """

    position: int
    start: int
    end: int
    content: dict[str, Any]

    @property
    def id(self) -> str | None:
        """The cell's id; None before nbformat 4.5."""
        found = self.content.get("id")
        return found if isinstance(found, str) else None

    @property
    def is_code(self) -> bool:
        """Whether the cell holds Python code (nbformat 3 names a language in each cell)."""
        return self.content.get("cell_type") == "code" and self.content.get("language", "python") == "python"

    @property
    def tags(self) -> list[Any]:
        """The cell's tags."""
        metadata = self.content.get("metadata")
        if not metadata or not isinstance(metadata, dict):
            return []
        tags = metadata.get("tags")
        return tags if isinstance(tags, list) else []

    def __str__(self) -> str:
        """Name the cell for a person, who counts from 1."""
        return f"cell {self.position + 1}" + (f" (id {self.id})" if self.id else "")


@dataclass(frozen=True)
class CellList:
    """One array of cells: nbformat 4 has one, nbformat 3 one in each worksheet.

    Args:
        start: The offset of its `[`.
        end: The offset behind its `]`.
        cells: Its cells.

    """

    start: int
    end: int
    cells: tuple[CellText, ...]


@dataclass(frozen=True)
class NotebookText:
    """A notebook's text, taken apart.

    Args:
        text: The whole text, byte order mark included.
        start: The offset of the notebook's `{`.
        major: The notebook format's major version, 3 or 4.
        minor: Its minor version.
        lists: The arrays of cells.
        worksheets: The span of nbformat 3's array of worksheets.

    """

    text: str
    start: int
    major: int
    minor: int
    lists: tuple[CellList, ...]
    worksheets: tuple[int, int] | None = None

    @cached_property
    def cells(self) -> tuple[CellText, ...]:
        """All cells, in order."""
        return tuple(itertools.chain.from_iterable(cells.cells for cells in self.lists))

    @property
    def source_key(self) -> str:
        """The member of a code cell that holds its source."""
        return "source" if self.major == NBFORMAT_4 else "input"

    @property
    def has_cell_ids(self) -> bool:
        """Whether each cell needs an id: since nbformat 4.5."""
        return (self.major, self.minor) >= (4, 5)

    @cached_property
    def escapes_unicode(self) -> bool:
        r"""Whether the file writes characters beyond ASCII as `\\u` escapes; nbformat itself does not."""
        if not self.text.isascii():
            return False
        # After an even number of backslashes the u is a plain letter.
        return any(len(found[1]) % 2 for found in _UNICODE_ESCAPE.finditer(self.text))

    def source_of(self, cell: CellText) -> str:
        """Return a code cell's source.

        Raises:
            NotebookFileError: The cell has none, or it is not text.

        """
        found = cell.content.get(self.source_key)
        parts: list[Any] = found if isinstance(found, list) else [found]
        if all(isinstance(part, str) for part in parts):
            return "".join(parts)
        raise NotebookFileError(
            f"The source of {cell} is damaged: its {self.source_key!r} is neither a text nor a list of texts.",
            hint=_BROKEN,
        )


def read_notebook(text: str, where: str) -> NotebookText:
    """Take a notebook's text apart.

    Args:
        text: The text of the file.
        where: What errors call it, such as `notebook 'train.ipynb'`.

    Returns:
        The notebook, with the span of each cell.

    Raises:
        NotebookFileError: The text is neither valid JSON nor a notebook, its format is not nbformat 3 or 4, or it is
            not in Python.

    """
    try:
        start, top, spans = _scan_top(text)
    except json.JSONDecodeError as error:
        raise NotebookFileError(
            f"The {where} is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}.", hint=_BROKEN
        ) from None
    except (RecursionError, ValueError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise NotebookFileError(f"The {where} can't be read as JSON: {reason}.", hint=_BROKEN) from None
    major = _checked_major(top, where)
    minor = top.get("nbformat_minor")
    minor = minor if isinstance(minor, int) else 0
    _check_language(top, where)
    found = top.get("cells" if major == NBFORMAT_4 else "worksheets")
    lists = (found,) if isinstance(found, CellList) else found
    if not isinstance(lists, tuple):
        raise NotebookFileError(
            f"The {where} is not a notebook: it says nbformat {major} but has no list of cells.", hint=_NOT_A_NOTEBOOK
        )
    return NotebookText(text, start, major, minor, _checked_lists(lists, where), spans.get("worksheets"))


def scan_object(text: str, start: int, visit: Callable[[str, int], int]) -> int:
    """Walk over the members of the JSON object at an offset.

    Args:
        text: The whole text.
        start: The offset of the object's `{`.
        visit: Called with each key and the offset of its value; returns the offset behind the value.

    Returns:
        The offset behind the object's `}`.

    Raises:
        json.JSONDecodeError: The text is not valid JSON there.

    """
    at = _skip(text, start + 1)
    if text[at : at + 1] == "}":
        return at + 1
    while True:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
        at = _skip(text, visit(key, _skip(text, at + 1)))
        if text[at : at + 1] == "}":
            return at + 1
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _skip(text, at + 1)


def scan_array(text: str, start: int, visit: Callable[[int], int]) -> int:
    """Walk over the elements of the JSON array at an offset; see `scan_object`."""
    at = _skip(text, start + 1)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        at = _skip(text, visit(at))
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _skip(text, at + 1)


def member_spans(text: str, start: int) -> dict[str, tuple[int, int]]:
    """Return the span of each member's value in a JSON object; of a repeated key the last, as json does."""
    spans: dict[str, tuple[int, int]] = {}

    def visit(key: str, at: int) -> int:
        end = _DECODER.raw_decode(text, at)[1]
        spans[key] = (at, end)
        return end

    scan_object(text, start, visit)
    return spans


def element_spans(text: str, start: int) -> list[tuple[int, int]]:
    """Return the span of each element of the JSON array at an offset."""
    spans: list[tuple[int, int]] = []

    def visit(at: int) -> int:
        end = _DECODER.raw_decode(text, at)[1]
        spans.append((at, end))
        return end

    scan_array(text, start, visit)
    return spans


def space_at(text: str, start: int) -> str:
    """Return the JSON white space that begins at an offset."""
    return text[start : _skip(text, start)]


def space_before(text: str, end: int) -> str:
    """Return the JSON white space that ends at an offset."""
    start = end
    while start and text[start - 1] in " \t\n\r":
        start -= 1
    return text[start:end]


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _scan_top(text: str) -> tuple[int, dict[str, Any], dict[str, tuple[int, int]]]:
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    top: dict[str, Any] = {}
    spans: dict[str, tuple[int, int]] = {}
    if text[start : start + 1] != "{":
        end = _DECODER.raw_decode(text, start)[1]
    else:

        def visit(key: str, at: int) -> int:
            is_array = text[at : at + 1] == "["
            if key == "cells" and is_array:
                cells = top[key] = _scan_cells(text, at, 0)
                end = cells.end
            elif key == "worksheets" and is_array:
                top[key], end = _scan_worksheets(text, at)
            else:
                top[key], end = _DECODER.raw_decode(text, at)
            spans[key] = (at, end)
            return end

        end = scan_object(text, start, visit)
    end = _skip(text, end)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return start, top, spans


def _scan_cells(text: str, start: int, first: int) -> CellList:
    """Scan an array of cells, numbered from `first` on."""
    cells: list[CellText] = []

    def visit(at: int) -> int:
        content, end = _DECODER.raw_decode(text, at)
        cells.append(CellText(first + len(cells), at, end, content))
        return end

    end = scan_array(text, start, visit)
    return CellList(start, end, tuple(cells))


def _scan_worksheets(text: str, start: int) -> tuple[tuple[CellList | None, ...], int]:
    sheets: list[CellList | None] = []

    def visit(at: int) -> int:
        if text[at : at + 1] != "{":
            sheets.append(None)
            return _DECODER.raw_decode(text, at)[1]
        found: dict[str, CellList] = {}

        def visit_member(key: str, at: int) -> int:
            if key != "cells" or text[at : at + 1] != "[":
                found.pop(key, None)
                return _DECODER.raw_decode(text, at)[1]
            found[key] = _scan_cells(text, at, sum(len(sheet.cells) for sheet in sheets if sheet))
            return found[key].end

        end = scan_object(text, at, visit_member)
        sheets.append(found.get("cells"))
        return end

    end = scan_array(text, start, visit)
    return tuple(sheets), end


def _checked_major(top: dict[str, Any], where: str) -> int:
    major = top.get("nbformat")
    if not isinstance(major, int) or isinstance(major, bool):
        raise NotebookFileError(
            f"The {where} is JSON but not a notebook: it has no 'nbformat' number.", hint=_NOT_A_NOTEBOOK
        )
    if major not in {NBFORMAT_3, NBFORMAT_4}:
        raise NotebookFileError(
            f"The {where} is in nbformat {major}; only nbformat 3 and 4 can be filled.",
            hint="Open it in JupyterLab and save it, which writes nbformat 4.",
        )
    return major


def _check_language(top: dict[str, Any], where: str) -> None:
    metadata = top.get("metadata")
    for key, member in (("kernelspec", "language"), ("language_info", "name")):
        part = metadata.get(key) if isinstance(metadata, dict) else None
        language = part.get(member) if isinstance(part, dict) else None
        if isinstance(language, str) and language:
            if not language.lower().startswith(("python", "ipython")):
                raise NotebookFileError(
                    f"The {where} is in {language} (metadata.{key}.{member}); parameters are written as Python.",
                    hint="Choose a Python kernel for the notebook, save it, and run this again.",
                )
            return


def _checked_lists(lists: tuple[CellList | None, ...], where: str) -> tuple[CellList, ...]:
    found = tuple(cells for cells in lists if cells is not None)
    if len(found) < len(lists) or not all(isinstance(cell.content, dict) for cells in found for cell in cells.cells):
        raise NotebookFileError(
            f"The {where} is not a notebook: its cells are not a list of JSON objects.", hint=_NOT_A_NOTEBOOK
        )
    return found
