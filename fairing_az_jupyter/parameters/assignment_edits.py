"""Sets names in the source of one cell with the smallest edit that does it, and proves each edit before it counts."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.parameters.assignments import Bindings, find_bindings
from fairing_az_jupyter.parameters.cell_code import CellCode, CellCodeError, parse_cell
from fairing_az_jupyter.parameters.literals import read_literal, same_value, write_literal
from fairing_az_jupyter.parameters.text_edits import EditedSource, Splice, apply_splices

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_COMMENTED = re.compile(r"#[ \t]*(?=\w+[ \t]*[:=])")
_STRING_START = re.compile(r"[A-Za-z]*(['\"])")


def fill_source(source: str, values: Mapping[str, object], carried: Collection[str] = ()) -> EditedSource:
    """Edit a cell's source so that each name has its value at the end of the cell.

    Args:
        source: The source of one code cell.
        values: The value of each name; names are valid, values are what `write_literal` takes.
        carried: Names that functions of earlier cells declare `global`.

    Returns:
        The edited source. Nothing is edited for a name that already ends as the literal asked for.

    Raises:
        CellCodeError: The cell is not Python, or there is no edit that sets a name.
        ParameterError: A value can't be written as a literal.

    """
    edited = EditedSource(source)
    for name, value in values.items():
        code = parse_cell(edited.text)
        bindings = find_bindings(code, carried)
        if _holds(bindings.values(), name, value):
            continue
        for edits in _ways(edited, code, bindings, name, value):
            if _proven(code, bindings, edits, name, value):
                edited.apply(edits)
                break
        else:
            raise CellCodeError(
                f"has no place to set {name}",
                f"Write `{assignment(name, value)}` into the cell yourself, behind whatever else binds {name}.",
            )
    return edited


def assignment(name: str, value: object) -> str:
    """Return the statement that gives a name a value."""
    return f"{name} = {write_literal(name, value)}"


def _ways(edited: EditedSource, code: CellCode, bindings: Bindings, name: str, value: object) -> Iterator[list[Splice]]:
    """Yield the edits that may set a name, the one that changes least first."""
    last = bindings.last(name)
    line = assignment(name, value)
    if last is not None and last.editable and last.value is not None:
        yield [_replaced(code, last.value, name, value)]
    decided = last.statement if last is not None else -1
    declared = bindings.declared.get(name, -1)
    if declared > decided:
        end = code.end(code.tree.body[declared])
        yield [Splice(end, end, f" = {write_literal(name, value)}")]
    if last is None or last is not bindings.explicit.get(name):
        floor = code.end(code.tree.body[decided]) if last is not None else 0
        yield from _uncommented(code, name, value, floor)
    if last is not None:
        yield [_inserted(edited, code, last.statement, line)]
    yield [_appended(code, line)]


def _replaced(code: CellCode, node: ast.expr, name: str, value: object) -> Splice:
    start, end = code.start(node), code.end(node)
    quote = "'"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        found = _STRING_START.match(code.source, start)
        quote = found[1] if found else quote
    return Splice(start, end, write_literal(name, value, quote=quote))


def _uncommented(code: CellCode, name: str, value: object, floor: int) -> Iterator[list[Splice]]:
    """Yield the edits that turn a commented-out assignment into a live one.

    A line that belongs to no statement is blank or a comment: what looks like a comment inside a string, a bracket or
    an indented block is not a candidate.
    """
    taken: set[int] = set()
    for statement in code.tree.body:
        decorators = getattr(statement, "decorator_list", [])
        first = min(node.lineno for node in [statement, *decorators])
        taken.update(range(first - 1, statement.end_lineno or first))
    candidates: list[tuple[bool, int, list[Splice]]] = []
    for index, line in enumerate(code.lines):
        found = _COMMENTED.match(line)
        at = code.line_starts[index]
        if found is None or index in taken or at < floor:
            continue
        inner = _only_assignment(line[found.end() :].rstrip("\r\n"), name)
        if inner is None:
            continue
        shift = at + found.end()
        edits = [Splice(at, shift, "")]
        same = _is_literal(inner[1], value)
        if not same:
            new = _replaced(*inner, name, value)
            edits.append(Splice(new.start + shift, new.end + shift, new.text))
        candidates.append((same, index, edits))
    for _same, _index, edits in sorted(candidates, key=lambda candidate: candidate[:2], reverse=True):
        yield edits


def _only_assignment(text: str, name: str) -> tuple[CellCode, ast.expr] | None:
    """Parse the text of a comment; return it and the value where it is one assignment to the name, and nothing else."""
    try:
        code = parse_cell(text)
    except CellCodeError:
        return None
    match code.tree.body:
        case [ast.Assign(targets=[ast.Name(id=found)], value=value)] if found == name:
            return code, value
        case [ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value)] if found == name:
            return code, value
    return None


def _inserted(edited: EditedSource, code: CellCode, index: int, line: str) -> Splice:
    """Put an assignment right behind a statement: on a line of its own, unless another one follows on this line."""
    end = code.end(code.tree.body[index])
    row = code.line_of(end)
    behind = code.line_starts[row + 1]
    if index + 1 < len(code.tree.body) and code.start(code.tree.body[index + 1]) < behind:
        return Splice(end, end, f"; {line}")
    if not code.lines[row].endswith(("\r", "\n")):
        return Splice(behind, behind, code.newline + line)
    behind = edited.behind_insertion(behind)
    return Splice(behind, behind, line + code.newline)


def _appended(code: CellCode, line: str) -> Splice:
    end = len(code.source)
    if not code.source:
        return Splice(0, 0, line)
    if code.source.endswith(("\r", "\n")):
        return Splice(end, end, line + code.newline)
    return Splice(end, end, code.newline + line)


def _proven(code: CellCode, bindings: Bindings, edits: list[Splice], name: str, value: object) -> bool:
    """Tell whether edits do what they should, and nothing else, by reading the result."""
    try:
        after = parse_cell(apply_splices(code.source, edits))
    except CellCodeError:
        return False
    if code.runs_as_one and not after.runs_as_one:
        return False
    found = find_bindings(after, bindings.carried)
    old, new = bindings.values(), found.values()
    others = {*old, *new} - {name}
    return (
        _holds(new, name, value)
        and set(bindings.names) <= set(found.names)
        and all(other in old and _holds(new, other, old[other]) for other in others)
    )


def _holds(values: Mapping[str, object], name: str, value: object) -> bool:
    return name in values and same_value(values[name], value)


def _is_literal(node: ast.expr, value: object) -> bool:
    try:
        return same_value(read_literal(node), value)
    except ValueError:
        return False
