"""Edits of a notebook's JSON text: change one cell's source or add a cell, and leave every other character alone."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.parameters.cell_code import split_lines
from fairing_az_jupyter.parameters.notebook_text import (
    NBFORMAT_3,
    CellList,
    CellText,
    NotebookText,
    element_spans,
    member_spans,
    scan_object,
    space_at,
    space_before,
)
from fairing_az_jupyter.parameters.text_edits import EditedSource, Splice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.")
_LINE_BREAK = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Layout:
    """How the JSON around a place is laid out.

    Args:
        newline: The line break between members, or an empty text where they stand on one line.
        base: The indentation of the line that closes the object.
        unit: What each level of nesting adds to it.
        comma: The white space behind a comma, on one line.
        colon: The colon with the white space around it.

    """

    newline: str
    base: str
    unit: str
    comma: str
    colon: str

    def at(self, depth: int) -> str:
        """Return what separates elements that stand `depth` levels deeper than the object's closing line."""
        return self.newline + self.base + self.unit * depth if self.newline else ""

    def dumps(self, value: object, *, depth: int, ensure_ascii: bool) -> str:
        """Write a value whose closing line stands `depth` levels deeper than the object's."""
        if not self.newline:
            return json.dumps(value, ensure_ascii=ensure_ascii, separators=(f",{self.comma}", self.colon))
        text = json.dumps(value, ensure_ascii=ensure_ascii, indent=self.unit, separators=(",", self.colon))
        # JSON's strings hold no raw line break, so each one here is layout.
        return text.replace("\n", self.at(depth))


_PLAIN = Layout("", "", "", " ", ": ")


def layout_of(text: str, start: int) -> Layout | None:
    """Return the layout of the JSON object at an offset; None where it has no members."""
    members: list[int] = []

    def visit(_key: str, at: int) -> int:
        members.append(at)
        return json.JSONDecoder().raw_decode(text, at)[1]

    end = scan_object(text, start, visit)
    if not members:
        return None
    behind_first = json.JSONDecoder().raw_decode(text, members[0])[1]
    behind_first += len(space_at(text, behind_first))
    gap = space_at(text, start + 1)
    gap_behind_colon = space_before(text, members[0])
    at_colon = members[0] - len(gap_behind_colon) - 1
    colon = f"{space_before(text, at_colon)}:{gap_behind_colon}"
    found = _LINE_BREAK.search(gap)
    if found is None:
        comma = space_at(text, behind_first + 1) if len(members) > 1 else gap_behind_colon
        return Layout("", "", "", comma, colon)
    indentation = _last_line(gap)
    base = _last_line(space_before(text, end - 1))
    unit = indentation.removeprefix(base) if indentation != base else ""
    return Layout(found[0], base, unit, " ", colon)


def source_splices(notebook: NotebookText, cell: CellText, edited: EditedSource) -> list[Splice]:
    """Turn the edits of a cell's source into edits of the notebook's text.

    Args:
        notebook: The notebook.
        cell: One of its code cells.
        edited: That cell's source under edit.

    Returns:
        The edits, in order. Of a source that is one JSON string, only the edited characters change; of one that is a
        list of strings, only the elements that an edit touches, and those become one element a line.

    """
    start, end = member_spans(notebook.text, cell.start)[notebook.source_key]
    if notebook.text[start] == "[":
        return _list_splices(notebook, cell, (start, end), edited)
    offsets = _raw_offsets(notebook.text, start, end)
    return [
        Splice(offsets(edit.start), offsets(edit.end), _dumps(notebook, edit.text)[1:-1]) for edit in edited.splices
    ]


def new_cell_splice(notebook: NotebookText, position: int, source: str, cell_id: str) -> Splice:
    """Return the edit that adds a code cell tagged `parameters`.

    Args:
        notebook: The notebook.
        position: The index that the new cell gets.
        source: Its source.
        cell_id: Its id, which nbformat 4.5 and later want.

    """
    sources = [cell.content.get(notebook.source_key) for cell in notebook.cells]
    as_text = any(isinstance(found, str) for found in sources) and not any(isinstance(found, list) for found in sources)
    content: dict[str, Any] = {"cell_type": "code"}
    metadata = {"tags": ["parameters"]}
    written = source if as_text else split_lines(source)
    if notebook.major == NBFORMAT_3:
        content |= {"collapsed": False, "input": written, "language": "python", "metadata": metadata, "outputs": []}
    else:
        content["execution_count"] = None
        if notebook.has_cell_ids:
            content["id"] = cell_id
        content |= {"metadata": metadata, "outputs": [], "source": written}
    if not notebook.lists and notebook.worksheets is not None:
        start, end = notebook.worksheets
        return _only_element(notebook, start, end, {"cells": [content], "metadata": {}})
    cells = _list_for(notebook.lists, position)
    if not cells.cells:
        return _only_element(notebook, cells.start, cells.end, content)
    return _beside(notebook, cells, position - cells.cells[0].position, content)


def _list_for(lists: Sequence[CellList], position: int) -> CellList:
    """Return the array that gets a cell at a position: the first one that reaches so far."""
    filled = [cells for cells in lists if cells.cells]
    for cells in filled:
        if position <= cells.cells[-1].position + 1:
            return cells
    return filled[-1] if filled else lists[0]


def _only_element(notebook: NotebookText, start: int, end: int, content: dict[str, Any]) -> Splice:
    """Fill an empty array, in the layout of the file's top level."""
    layout = layout_of(notebook.text, notebook.start)
    if layout is None or not layout.newline:
        layout = layout or _PLAIN
        return Splice(start, end, f"[{layout.dumps(content, depth=0, ensure_ascii=notebook.escapes_unicode)}]")
    line_start = max(notebook.text.rfind("\n", 0, start), notebook.text.rfind("\r", 0, start)) + 1
    inner = Layout(layout.newline, space_at(notebook.text, line_start), layout.unit, layout.comma, layout.colon)
    written = inner.dumps(content, depth=1, ensure_ascii=notebook.escapes_unicode)
    return Splice(start, end, f"[{inner.at(1)}{written}{inner.at(0)}]")


def _beside(notebook: NotebookText, cells: CellList, place: int, content: dict[str, Any]) -> Splice:
    """Add an element to an array that has some, in the layout of its neighbour."""
    text = notebook.text
    neighbour = cells.cells[min(place, len(cells.cells) - 1)]
    layout = layout_of(text, neighbour.start) or _PLAIN
    written = layout.dumps(content, depth=0, ensure_ascii=notebook.escapes_unicode)
    starts = [cell.start for cell in cells.cells]
    gap = _gap(text, starts, layout.comma)
    if place == len(starts):
        return Splice(cells.cells[-1].end, cells.cells[-1].end, f",{gap}{written}")
    return Splice(starts[place], starts[place], f"{written},{gap}")


def _gap(text: str, starts: Sequence[int], on_one_line: str) -> str:
    """Return the white space behind the commas of an array: what stands before its second element."""
    gap = space_before(text, starts[1] if len(starts) > 1 else starts[0])
    return gap if len(starts) > 1 or _LINE_BREAK.search(gap) else on_one_line


def _list_splices(notebook: NotebookText, cell: CellText, array: tuple[int, int], edited: EditedSource) -> list[Splice]:
    text = notebook.text
    spans = element_spans(text, array[0])
    elements: list[str] = [json.loads(text[start:end]) for start, end in spans]
    ends = list(accumulate(map(len, elements), initial=0))
    runs: list[tuple[int, int, list[Splice]]] = []
    for edit in edited.splices:
        first, last = _touched(elements, ends, edit)
        if runs and first < runs[-1][1]:
            runs[-1] = (runs[-1][0], max(last, runs[-1][1]), [*runs[-1][2], edit])
        else:
            runs.append((first, last, [edit]))
    layout = layout_of(text, cell.start) or _PLAIN
    gap = _gap(text, [start for start, _end in spans], layout.comma) if spans else ""
    found: list[Splice] = []
    for first, last, edits in runs:
        run = EditedSource(edited.original[ends[first] : ends[last]])
        run.apply([Splice(edit.start - ends[first], edit.end - ends[first], edit.text) for edit in edits])
        lines = [_dumps(notebook, line) for line in split_lines(run.text)] or ['""']
        if not spans:
            written = ("," + (layout.at(2) or layout.comma)).join(lines)
            found.append(Splice(*array, f"[{layout.at(2)}{written}{layout.at(1)}]"))
        elif first < last:
            found.append(Splice(spans[first][0], spans[last - 1][1], f",{gap}".join(lines)))
        elif first < len(spans):
            at = spans[first][0]
            found.append(Splice(at, at, "".join(f"{line},{gap}" for line in lines)))
        else:
            at = spans[-1][1]
            found.append(Splice(at, at, "".join(f",{gap}{line}" for line in lines)))
    return found


def _touched(elements: Sequence[str], ends: Sequence[int], edit: Splice) -> tuple[int, int]:
    """Return the range of elements that an edit changes; an empty one where whole lines go in between two elements."""
    if edit.start < edit.end:
        inside = [i for i in range(len(elements)) if ends[i] < edit.end and ends[i + 1] > edit.start]
        return inside[0], inside[-1] + 1
    before = sum(1 for end in ends[1:] if end <= edit.start)
    if before < len(elements) and ends[before] < edit.start:
        return before, before + 1
    if before and not elements[before - 1].endswith(("\r", "\n")):
        return before - 1, before
    if before < len(elements) and not edit.text.endswith(("\r", "\n")):
        return before, before + 1
    return before, before


def _dumps(notebook: NotebookText, text: str) -> str:
    return json.dumps(text, ensure_ascii=notebook.escapes_unicode)


def _raw_offsets(text: str, start: int, end: int) -> Callable[[int], int]:
    """Return what maps an offset in the decoded JSON string at a span to one in the text."""
    first = start + 1
    escapes: list[tuple[int, int]] = []  # the decoded offset of each escape, and how much longer the text is behind it
    longer = 0
    for found in _ESCAPE.finditer(text, first, end - 1):
        decoded = found.start() - first - longer
        longer += len(found[0]) - 1
        escapes.append((decoded, longer))

    def raw(offset: int) -> int:
        index = bisect_left(escapes, (offset,))
        return first + offset + (escapes[index - 1][1] if index else 0)

    return raw


def _last_line(space: str) -> str:
    return _LINE_BREAK.split(space)[-1]
