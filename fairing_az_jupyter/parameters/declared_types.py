"""Types that a parameters cell declares for its names, read as far as a value can be checked against them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.parameters.cell_code import parse_quietly
from fairing_az_jupyter.parameters.literals import read_literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["bool", "int", "float", "list", "dict", "str"]

_KINDS: dict[str, Kind] = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "str": "str",
    "list": "list",
    "List": "list",
    "Sequence": "list",
    "MutableSequence": "list",
    # A notebook's JSON has one kind of sequence only.
    "tuple": "list",
    "Tuple": "list",
    "dict": "dict",
    "Dict": "dict",
    "Mapping": "dict",
    "MutableMapping": "dict",
}
# The order in which a text is tried: a word is not a number, and any text is text.
_ORDER: tuple[Kind, ...] = ("bool", "int", "float", "list", "dict", "str")
_ANYTHING = frozenset({"Any", "object"})
_WRAPPERS = frozenset({"Annotated", "Final", "ClassVar", "Required", "NotRequired"})
# `np.float64` and `pd.array` are not types that plain data has, whatever their last names are.
_MODULES = frozenset({"typing", "typing_extensions", "t", "tp", "te", "builtins", "collections.abc", "abc"})


@dataclass(frozen=True)
class DeclaredType:
    """What values a declared type takes.

    Args:
        kinds: The kinds of plain data that it takes, in the order in which a text is tried.
        optional: Whether it takes None.
        choices: The only values that it takes, of a `Literal`; empty for any of its kinds.

    """

    kinds: tuple[Kind, ...]
    optional: bool = False
    choices: tuple[object, ...] = ()

    def or_else(self, other: DeclaredType) -> DeclaredType:
        """Return the type of what has one of two types; None is taken where this one takes it."""
        kinds = tuple(kind for kind in _ORDER if kind in (*self.kinds, *other.kinds))
        return DeclaredType(kinds, self.optional)


def read_type(text: str) -> DeclaredType | None:
    """Read a type as an annotation or a type comment says it.

    Args:
        text: Such as `int`, `Optional[float]`, `dict[str, int] | None`, `"int"` or `Literal['a', 'b']`.

    Returns:
        The type; None where it says nothing that plain data could be checked against (`np.ndarray`, a class,
        or a union with one of these).

    """
    try:
        body = parse_quietly(text.strip()).body
        return _known(_alternatives(body[0].value)) if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    except (SyntaxError, _UnknownTypeError, RecursionError):
        return None


def type_of_value(value: object) -> DeclaredType | None:
    """Return the type that a notebook's own value stands for; None where it says nothing, as None itself."""
    kind: Kind | None = None
    match value:
        # A bool is an int, too.
        case bool():
            kind = "bool"
        case int():
            kind = "int"
        case float():
            kind = "float"
        case str():
            kind = "str"
        case list() | tuple():
            kind = "list"
        case dict():
            kind = "dict"
    return None if kind is None else DeclaredType((kind,), optional=True)


class _UnknownTypeError(Exception):
    """A part of a type says nothing about plain data."""


@dataclass(frozen=True)
class _Choice:
    """One value of a `Literal`."""

    value: object


def _alternatives(node: ast.expr) -> list[Kind | _Choice | None]:
    """Return everything that a type takes: kinds, single values, and None."""
    match node:
        case ast.Constant(value=None):
            return [None]
        case ast.Constant(value=str(text)):
            quoted = parse_quietly(text.strip()).body
            if len(quoted) == 1 and isinstance(quoted[0], ast.Expr):
                return _alternatives(quoted[0].value)
        case ast.Name() | ast.Attribute():
            name = _name(node)
            if name in _ANYTHING:
                return [*_ORDER, None]
            if name in _KINDS:
                return [_KINDS[name]]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _alternatives(left) + _alternatives(right)
        case ast.Subscript(value=generic, slice=inner):
            return _of_generic(_name(generic), inner.elts if isinstance(inner, ast.Tuple) else [inner])
    raise _UnknownTypeError


def _of_generic(name: str, parts: list[ast.expr]) -> list[Kind | _Choice | None]:
    if name == "Optional" and len(parts) == 1:
        return [*_alternatives(parts[0]), None]
    if name == "Union":
        return [each for part in parts for each in _alternatives(part)]
    if name == "Literal":
        return [_choice(part) for part in parts]
    if name in _WRAPPERS and parts:
        return _alternatives(parts[0])
    if _KINDS.get(name) in {"list", "dict"}:
        return [_KINDS[name]]
    raise _UnknownTypeError


def _choice(node: ast.expr) -> _Choice | None:
    try:
        value = read_literal(node)
    except ValueError as error:
        raise _UnknownTypeError from error
    if value is None:
        return None
    if isinstance(value, bool | int | str):
        return _Choice(value)
    raise _UnknownTypeError


def _name(node: ast.expr) -> str:
    """Return the name of a type of Python's own, however it was imported."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) in _MODULES:
        return node.attr
    raise _UnknownTypeError


def _known(parts: Iterable[Kind | _Choice | None]) -> DeclaredType | None:
    found = list(parts)
    choices = tuple(part.value for part in found if isinstance(part, _Choice))
    whole: set[Kind] = {part for part in found if part is not None and not isinstance(part, _Choice)}
    kinds = whole | {_kind_of(choice) for choice in choices}
    if not kinds:
        return None
    # Beside a whole kind the single values say little: Union[int, Literal['auto']] takes a number and a text.
    return DeclaredType(tuple(kind for kind in _ORDER if kind in kinds), None in found, () if whole else choices)


def _kind_of(choice: object) -> Kind:
    if isinstance(choice, bool):
        return "bool"
    return "int" if isinstance(choice, int) else "str"
