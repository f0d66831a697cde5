"""Which names one cell binds at its top level, where it binds each last, and which value it has then."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairing_az_jupyter.parameters.cell_code import CellCode, parse_quietly
from fairing_az_jupyter.parameters.literals import read_literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Line magics that put names into the notebook's namespace, or take them out, without saying which.
_BINDS_ANYTHING = re.compile(r"%(?:run|pylab|reset|reset_selective|xdel|store\s+-r)\b")
# Line magics whose argument runs as Python in the notebook's namespace.
_RUNS_PYTHON = re.compile(r"%(?:time|prun)\s")


@dataclass(frozen=True)
class Binding:
    """The last thing that a cell does to a name.

    Args:
        statement: The index of the top-level statement that does it.
        value: The expression that the name gets there, where there is exactly one.
        editable: Whether replacing `value` changes this name and no other.
        deletes: Whether the statement deletes the name.

    """

    statement: int
    value: ast.expr | None = None
    editable: bool = False
    deletes: bool = False


@dataclass
class Bindings:
    """Everything that a cell binds.

    Args:
        explicit: The last binding of each name that the cell spells out.
        declared: The index of the last annotation without a value (`NAME: str`) of each name.
        anything: The index of the last statement that may bind any name (`from x import *`, `%run`), or -1.
        deferred: For each name that a function or class declares `global`: the index of the last statement that may
            run that function.
        carried: The names that functions of earlier cells declare `global`.

    """

    explicit: dict[str, Binding] = field(default_factory=dict)
    declared: dict[str, int] = field(default_factory=dict)
    anything: int = -1
    deferred: dict[str, int] = field(default_factory=dict)
    carried: tuple[str, ...] = ()

    def last(self, name: str) -> Binding | None:
        """Return what decides over a name's value at the end of the cell; None where nothing binds it."""
        found = self.explicit.get(name)
        hidden = max(self.anything, self.deferred.get(name, -1))
        if hidden > (found.statement if found else -1):
            return Binding(hidden)
        return found

    def mentions(self, name: str) -> bool:
        """Tell whether the cell itself binds or deletes a name; `from x import *` alone does not say so."""
        return name in self.explicit or name in self.deferred

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the cell binds or declares, in the order in which it first mentions them."""
        deleted = {name for name, binding in self.explicit.items() if binding.deletes}
        return tuple(name for name in {**self.explicit, **self.declared, **self.deferred} if name not in deleted)

    def values(self) -> dict[str, object]:
        """Return the value of each name that ends as a Python literal."""
        found = {}
        for name in self.names:
            last = self.last(name)
            if last is not None and last.value is not None:
                try:
                    found[name] = read_literal(last.value)
                except ValueError:
                    continue
        return found


def find_bindings(code: CellCode, carried: Iterable[str] = ()) -> Bindings:
    """Find what a cell binds at its top level.

    Args:
        code: The parsed cell.
        carried: Names that functions of earlier cells declare `global`: whatever this cell runs may bind them.

    Returns:
        The bindings. Names that only functions, classes or comprehensions bind inside themselves are not among them.

    """
    found = Bindings(carried=tuple(carried))
    globals_of: dict[str, int] = {}
    for index, statement in enumerate(code.tree.body):
        if isinstance(statement, ast.AnnAssign) and statement.value is None:
            if isinstance(statement.target, ast.Name):
                found.declared[statement.target.id] = index
            continue
        names = _NameVisitor()
        magic = _magic_text(code, statement)
        if magic is None:
            names.visit(statement)
        elif _BINDS_ANYTHING.match(magic):
            names.star = True
        else:
            names.visit(_python_of(magic))
        if names.star:
            found.anything = index
        # Names are kept in the order of their first mention: a dict keeps a key's place when its value changes.
        found.explicit.update({name: Binding(index, deletes=isinstance(statement, ast.Delete)) for name in names.bound})
        found.explicit.update(_assigned(statement, index))
        globals_of.update({name: index for name in names.declared_global if name not in globals_of})
        if magic is not None or _runs_code(statement):
            found.deferred.update(dict.fromkeys([*globals_of, *found.carried], index))
        else:
            found.deferred.update({name: index for name in globals_of if name not in found.deferred})
    return found


class _NameVisitor(ast.NodeVisitor):
    """Collects the names that running a statement binds in the scope that it stands in."""

    def __init__(self) -> None:
        self.bound: dict[str, None] = {}
        self.declared_global: dict[str, None] = {}
        self.star = False
        self._in_comprehension = False

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store | ast.Del) and not self._in_comprehension:
            self.bound[node.id] = None

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        # In a comprehension, too, := binds in the scope around it (PEP 572).
        self.bound[node.target.id] = None
        self.visit(node.value)

    def visit_alias(self, node: ast.alias) -> None:
        if node.name == "*":
            self.star = True
        else:
            self.bound[node.asname or node.name.partition(".")[0]] = None

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._bind(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._bind(node.rest)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_definition(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_definition(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._visit_definition(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._visit_comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._visit_comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._visit_comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._visit_comprehension(node)

    def _visit_definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self.bound[node.name] = None
        # The body has its own scope; everything else is evaluated here.
        for name, value in ast.iter_fields(node):
            for part in value if isinstance(value, list) else [value]:
                if name != "body" and isinstance(part, ast.AST):
                    self.visit(part)
        for inner in node.body:
            for part in ast.walk(inner):
                if isinstance(part, ast.Global):
                    self.declared_global.update(dict.fromkeys(part.names))

    def _visit_comprehension(self, node: ast.expr) -> None:
        outer, self._in_comprehension = self._in_comprehension, True
        self.generic_visit(node)
        self._in_comprehension = outer

    def _bind(self, name: str | None) -> None:
        if name is not None:
            self.bound[name] = None


def _assigned(statement: ast.stmt, index: int) -> dict[str, Binding]:
    """Return the names that an assignment gives one expression each."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return {name: Binding(index, value, editable=True)}
        case ast.Assign(targets=targets, value=value):
            pairs = [pair for target in targets for pair in _pairs(target, value)]
            alone = len(targets) == 1
            return {name: Binding(index, part, editable=alone and part is not None) for name, part in pairs}
    return {}


def _pairs(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield each name of an assignment's target with the expression that it gets, if that is written out."""
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Starred):
        yield from _pairs(target.value, None)
    elif isinstance(target, ast.Tuple | ast.List):
        parts: list[ast.expr | None] = [None] * len(target.elts)
        if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
            starred = any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts))
            parts = parts if starred else list(value.elts)
        for element, part in zip(target.elts, parts, strict=True):
            yield from _pairs(element, part)


def _magic_text(code: CellCode, statement: ast.stmt) -> str | None:
    """Return the text of a magic that stands alone as a statement."""
    if isinstance(statement, ast.Expr):
        start = code.start(statement)
        if start in code.magics:
            return code.source[start : code.magics[start]]
    return None


def _python_of(magic: str) -> ast.Module:
    found = _RUNS_PYTHON.match(magic)
    try:
        return parse_quietly(magic[found.end() :].strip()) if found else ast.Module([], [])
    except SyntaxError:
        return ast.Module([], [])


def _runs_code(statement: ast.stmt) -> bool:
    """Tell whether a statement may call a function of the cell."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Global() | ast.Expr(value=ast.Constant()):
            return False
        case ast.FunctionDef(decorator_list=[], args=defaults) | ast.AsyncFunctionDef(decorator_list=[], args=defaults):
            return any(isinstance(part, ast.Call) for part in ast.walk(defaults))
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            try:
                read_literal(value)
            except ValueError:
                return True
            return False
    return True
