"""Where a notebook's parameters belong: behind the cells of imports and set-up that it begins with."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import NotebookFileError
from fairing_az_jupyter.parameters.cell_code import CellCode, CellCodeError, parse_cell

if TYPE_CHECKING:
    from fairing_az_jupyter.parameters.notebook_text import CellText, NotebookText

_IMPORTS = (ast.Import, ast.ImportFrom, ast.Pass)


def position_behind_imports(notebook: NotebookText) -> int:
    """Return the index for a new parameters cell.

    Cells of imports, magics (`%load_ext`, `!pip install`) and other languages (`%%bash`) may come first, with any text
    and empty cells between them. A cell with a syntax error is work of some kind, so the new cell goes before it.

    Args:
        notebook: The notebook.

    Returns:
        The index behind the last of these cells; without any, that of the first code cell; without code, the end.

    """
    behind = None
    for cell in notebook.cells:
        if not cell.is_code:
            continue
        kind = _is_setup(notebook, cell)
        if kind is False:
            return cell.position if behind is None else behind
        if kind:
            behind = cell.position + 1
    return len(notebook.cells) if behind is None else behind


def _is_setup(notebook: NotebookText, cell: CellText) -> bool | None:
    """Tell whether a cell only imports and sets up; None for one that does nothing."""
    try:
        source = notebook.source_of(cell)
        code = parse_cell(source)
    except NotebookFileError:
        return False
    except CellCodeError:
        return source.lstrip().startswith("%%")
    if not code.tree.body:
        return None
    return all(_sets_up(code, statement) for statement in code.tree.body)


def _sets_up(code: CellCode, statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=value):
            return isinstance(value, ast.Constant) or code.start(statement) in code.magics
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            blocks = [body, orelse, final, *(handler.body for handler in handlers)]
            return all(_sets_up(code, inner) for block in blocks for inner in block)
        case ast.If(body=body, orelse=orelse):
            return all(_sets_up(code, inner) for inner in [*body, *orelse])
    return isinstance(statement, _IMPORTS)
