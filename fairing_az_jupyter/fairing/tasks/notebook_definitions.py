"""What a notebook defines, without what it does: a class of it can be launched without its cells being run.

Kept are imports, functions, classes, assignments of literals, the cell tagged `parameters`, `if TYPE_CHECKING`, and of
all other statements those that bind a name which the wanted class or function needs. IPython's magics are left out.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import dataclasses
import functools
import linecache
import operator
import symtable
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.parameters.cell_code import CellCodeError, parse_cell, split_lines
from fairing_az_jupyter.parameters.notebook_files import decode, read_bytes
from fairing_az_jupyter.parameters.notebook_text import read_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fairing_az_jupyter.parameters.cell_code import CellCode

__all__ = ["Definitions", "Statement", "read_definitions", "run_definitions", "wanted"]

_TAG = "parameters"
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# The scopes of comprehensions, as `symtable` names them.
_AT_ONCE = frozenset({"listcomp", "setcomp", "dictcomp", "genexpr"})
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign)
_BUILTINS = frozenset(dir(builtins)) | {"__name__", "__doc__"}
_FUTURES = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
"""The bits of a code object that tell which features of the future it was compiled with."""


@dataclasses.dataclass(frozen=True)
class Statement:
    """A statement at the top level of a cell.

    Args:
        cell: The cell's position in the notebook, from 1.
        node: Its syntax tree.
        binds: The names that it gives a value, or changes.
        eager: The names that it needs when it is executed.
        uses: These, and those that the functions in it need when they are called.
        always: Whether it is kept whatever is wanted.

    """

    cell: int
    node: ast.stmt
    binds: frozenset[str]
    eager: frozenset[str]
    uses: frozenset[str]
    always: bool = False


@dataclasses.dataclass(frozen=True)
class Definitions:
    """The statements of a notebook's cells.

    Args:
        statements: All statements at the top level that Python can execute, in order.
        sources: The source of each cell that is Python, by its position from 1.
        unread: What is wrong with the cells that are none, by their positions: the end of a sentence.

    """

    statements: tuple[Statement, ...]
    sources: dict[int, str]
    unread: dict[int, str]


def read_definitions(path: str, text: str | None = None) -> Definitions:
    """Take a notebook's cells apart.

    Args:
        path: The notebook.
        text: Its JSON text; None to read the file.

    Raises:
        NotebookFileError: It can't be read, is not a notebook, or is in another language than Python.

    """
    where = f"notebook '{path}'"
    notebook = read_notebook(decode(read_bytes(path), where) if text is None else text, where)
    statements: list[Statement] = []
    sources: dict[int, str] = {}
    unread: dict[int, str] = {}
    for cell in notebook.cells:
        if not cell.is_code:
            continue
        number = cell.position + 1
        try:
            code = parse_cell(notebook.source_of(cell))
        except CellCodeError as error:
            # A cell in another language, or one that was never finished, defines nothing that Python could run.
            unread[number] = error.reason
            continue
        sources[number] = code.source
        statements += _statements_of(number, code, is_tagged=_TAG in cell.tags)
    return Definitions(tuple(statements), sources, unread)


def wanted(statements: Sequence[Statement], name: str) -> list[Statement]:
    """Return the statements that define a class or function with all that it needs, and what is kept anyway.

    Args:
        statements: All statements of the notebook.
        name: The class or function.

    Returns:
        The statements, in their order.

    """
    kept = {index for index, statement in enumerate(statements) if statement.always}
    needed = {name}.union(*(statements[index].uses for index in kept))
    while True:
        more = {i for i, one in enumerate(statements) if i not in kept and one.binds & needed}
        if not more:
            break
        kept |= more
        needed |= set().union(*(statements[index].uses for index in more))
    there: set[str] = set(_BUILTINS)
    for index, statement in enumerate(statements):
        # What nobody seems to need may be looked up by its name; it must not fail where its own needs were left out.
        if index in kept or (isinstance(statement.node, _DEFINITIONS) and statement.eager <= there):
            kept.add(index)
            there |= statement.binds
    return [statements[index] for index in sorted(kept)]


def run_definitions(path: str, found: Definitions, statements: Iterable[Statement], names: dict[str, Any]) -> None:
    """Execute statements; a traceback through them names the cell, and the line in it.

    Args:
        path: The notebook.
        found: All of its statements.
        statements: Those to execute.
        names: Where they define.

    """
    flags = 0
    by_cell: dict[int, list[ast.stmt]] = {}
    for statement in statements:
        by_cell.setdefault(statement.cell, []).append(statement.node)
    for number, nodes in by_cell.items():
        name = file_of_cell(path, number)
        lines = [f"{line.rstrip(chr(13) + chr(10))}\n" for line in split_lines(found.sources[number])]
        linecache.cache[name] = (sum(map(len, lines)), None, lines, name)
        compiled = compile(ast.Module(nodes, []), name, "exec", flags=flags, dont_inherit=True)
        # As in a kernel, what a cell takes from the future holds for all cells after it.
        flags |= compiled.co_flags & _FUTURES
        exec(compiled, names)  # noqa: S102 - the user's own notebook


def file_of_cell(path: str, number: int) -> str:
    """Return what tracebacks call a cell.

    Args:
        path: The notebook.
        number: The cell's position, from 1.

    """
    return f"{path}, cell {number}"


def _statements_of(number: int, code: CellCode, *, is_tagged: bool) -> Iterable[Statement]:
    for node in code.tree.body:
        if _is_magic(node, code) or _awaits(node):
            continue
        try:
            table = symtable.symtable(ast.unparse(node), "cell", "exec")
        except (SyntaxError, ValueError, RecursionError):
            continue
        symbols = table.get_symbols()
        binds = {each.get_name() for each in symbols if each.is_assigned() or each.is_imported()}
        eager = {each.get_name() for each in symbols if each.is_referenced()}
        eager |= _globals_of(table, lambda kind: kind == "class")
        uses = eager | _globals_of(table, lambda _kind: True)
        always = _is_definition(node) or (is_tagged and not isinstance(node, ast.Expr))
        yield Statement(number, node, frozenset(binds | _changed(node)), frozenset(eager), frozenset(uses), always)


def _is_definition(node: ast.stmt) -> bool:
    """Tell whether a statement only defines; functions and classes are looked at by what they need."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return True
    if isinstance(node, ast.If):
        test = node.test
        return (test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")) == "TYPE_CHECKING"
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if not all(isinstance(target, ast.Name) for target in targets):
        return False
    try:
        ast.literal_eval(node.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    # An annotation may name what only a statement defines that is left out.
    return isinstance(node, ast.Assign)


def _is_magic(node: ast.stmt, code: CellCode) -> bool:
    """Tell whether a simple statement is, or takes its value from, what only IPython understands."""
    if not isinstance(node, (ast.Expr, *_SIMPLE)):
        return False
    return any(code.start(node) <= start < code.end(node) for start in code.magics)


def _awaits(node: ast.stmt) -> bool:
    """Tell whether a statement awaits by itself, which only a kernel allows."""
    todo: list[ast.AST] = [node]
    while todo:
        each = todo.pop()
        if isinstance(each, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            return True
        if not isinstance(each, (*_DEFINITIONS, ast.Lambda)):
            todo += ast.iter_child_nodes(each)
    return False


def _globals_of(table: symtable.SymbolTable, goes_into: Callable[[str], bool]) -> set[str]:
    """Return the names of the module that the scopes within one refer to."""
    found: set[str] = set()
    for inner in table.get_children():
        if not goes_into(_kind_of(inner)) and inner.get_name() not in _AT_ONCE:
            continue
        found |= {each.get_name() for each in inner.get_symbols() if each.is_global() and each.is_referenced()}
        found |= _globals_of(inner, goes_into)
    return found


def _kind_of(table: symtable.SymbolTable) -> str:
    # A plain text before Python 3.13, a member of an enumeration since.
    return str(getattr(table.get_type(), "value", table.get_type()))


def _changed(node: ast.stmt) -> set[str]:
    """Return the names of what an assignment changes a part of, such as `table` of `table['x'] = 1`."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = list(node.targets)
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        targets = [node.target]
    found: set[str] = set()
    while targets:
        target = targets.pop()
        if isinstance(target, (ast.Tuple, ast.List)):
            targets += target.elts
        elif isinstance(target, (ast.Attribute, ast.Subscript, ast.Starred)):
            targets.append(target.value)
        elif isinstance(target, ast.Name):
            found.add(target.id)
    return found
