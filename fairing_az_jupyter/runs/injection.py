"""Where papermill puts the parameters of a run, and whether they still hold behind that place."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import ParameterError
from fairing_az_jupyter.parameters.assignments import find_bindings
from fairing_az_jupyter.parameters.cell_code import parse_cell
from fairing_az_jupyter.parameters.filling import INJECTED_TAG, PARAMETERS_TAG
from fairing_az_jupyter.parameters.literals import read_literal
from fairing_az_jupyter.parameters.notebook_files import decode, read_bytes
from fairing_az_jupyter.parameters.notebook_text import read_notebook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairing_az_jupyter.parameters.cell_code import CellCode
    from fairing_az_jupyter.parameters.notebook_text import CellText


def check_effect(notebook: str, given: Mapping[str, object], *, snapshot: str | None = None) -> None:
    """Reject values that a later tagged cell would replace, without having looked at them.

    papermill puts the values in the place of the first cell tagged `injected-parameters`, or else behind the first
    one tagged `parameters`. Source: `papermill.parameterize.parameterize_notebook`.

    Args:
        notebook: Path of the notebook; its tagged cells can be parsed.
        given: The values that the run is given.
        snapshot: Path of the copy of it to read; None for the notebook itself.

    Raises:
        ParameterError: A later tagged cell sets a name to something else.
        NotebookFileError: The notebook can't be read.

    """
    if not given:
        return
    where = f"notebook {notebook!r}"
    data = read_bytes(notebook if snapshot is None else snapshot, shown=notebook)
    read = read_notebook(decode(data, where), where)
    place = _first(read.cells, INJECTED_TAG) or _first(read.cells, PARAMETERS_TAG)
    if place is None:
        return
    for cell in read.cells[place.position + 1 :]:
        tag = next((tag for tag in (PARAMETERS_TAG, INJECTED_TAG) if tag in cell.tags), None)
        if tag is None or not cell.is_code:
            continue
        code = parse_cell(read.source_of(cell))
        name = next((name for name, value in given.items() if _replaces(code, name, value)), None)
        if name is not None:
            raise ParameterError(
                f"Parameter '{name}' would have no effect in '{notebook}' from {cell} on: papermill sets it at "
                f"{place}, and {cell}, tagged '{tag}', sets it again.",
                hint=f"Remove the line that sets '{name}' from {cell}, or that cell.",
                code="parameter-set-again",
            )


def _first(cells: Sequence[CellText], tag: str) -> CellText | None:
    """Return the first cell with a tag, of whatever type: papermill looks at the tags only."""
    return next((cell for cell in cells if tag in cell.tags), None)


def _replaces(code: CellCode, name: str, value: object) -> bool:
    """Return whether a cell always gives a name another value than this one, which it does not look at before."""
    binding = find_bindings(code).last(name)
    if binding is None or binding.value is None:
        return False
    for statement in code.tree.body[: binding.statement + 1]:
        for node in ast.walk(statement):
            is_read = isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
            # By its text: globals().get("NAME", 3).
            if is_read or (isinstance(node, ast.Constant) and node.value == name and node is not binding.value):
                return False
    try:
        own = read_literal(binding.value)
    except ValueError:
        return True
    return type(own) is not type(value) or own != value
