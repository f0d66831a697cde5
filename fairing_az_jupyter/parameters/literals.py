"""Values of parameters as Python literals: write one, read one back, tell whether two are the same."""

from __future__ import annotations

import ast
import copy
import math
import warnings
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import ParameterError

if TYPE_CHECKING:
    from collections.abc import Hashable

_HINT = "Give a str, int, float, bool or None, or a list, tuple or dict of them."


def write_literal(name: str, value: object, *, quote: str = "'") -> str:
    """Return the Python expression that evaluates to a value.

    Args:
        name: The parameter's name, for the error.
        value: A str, int, float, bool or None, or a list, tuple or dict of them. A subclass, such as an `enum.StrEnum`
            or a NumPy float, is written as the plain value that it holds.
        quote: The quote character that a string gets unless it would need escapes.

    Returns:
        The expression, on one line. Infinities and NaN have no literal and are written as `float('inf')`.

    Raises:
        ParameterError: The value is of another type, contains itself, or is nested too deeply for Python's parser.

    """
    try:
        text = _written(value, quote)
        # Only parsing tells: the depth that Python's parser takes differs between its releases.
        parsed = read_expression(text)
    except _UnwritableError as error:
        raise ParameterError(
            f"Parameter {name!r} has a value of type {error}, which can't be written as a Python literal.",
            hint=_HINT,
        ) from None
    except (RecursionError, ValueError):
        parsed = text = ""
    if not text or not same_value(parsed, value):
        raise ParameterError(
            f"Parameter {name!r} has a value that is nested too deeply for a Python literal, or contains itself.",
            hint="Put the data into a file and give its path as the parameter.",
        )
    return text


def read_expression(text: str) -> object:
    """Return the value of the literal that a text holds.

    Raises:
        ValueError: The text is not a Python literal.

    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval")
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(text) from error
    return read_literal(tree.body)


def read_literal(node: ast.expr) -> object:
    """Return the value of an expression that is a literal, `float('inf')` and `float('nan')` included.

    Raises:
        ValueError: The expression is something else.

    """
    try:
        if any(isinstance(part, ast.Call) for part in ast.walk(node)):
            node = _FloatCalls().visit(copy.deepcopy(node))
        return ast.literal_eval(node)
    except (TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError("not a literal") from error


def same_value(left: object, right: object) -> bool:
    """Tell whether two values are equal in value and type: `1` is not `True`, `-0.0` not `0.0`, and NaN is NaN."""
    return _fingerprint(left) == _fingerprint(right)


class _UnwritableError(Exception):
    """A value of a type that has no literal; the text is the type's name."""


class _FloatCalls(ast.NodeTransformer):
    """Replaces `float('inf')` and the like by the constant that it evaluates to."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match node:
            case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str(text))], keywords=[]):
                number = float(text)
                if not math.isfinite(number):
                    return ast.copy_location(ast.Constant(number), node)
        return node


def _written(value: object, quote: str) -> str:  # noqa: PLR0911 - one return for each type
    # The types' own __repr__, because that of a subclass says something else: `np.float64(1.0)`, `<Color.RED: 1>`.
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return _written_int(value)
    if isinstance(value, float):
        text = float.__repr__(value)
        return text if math.isfinite(value) else f"float('{text}')"
    if isinstance(value, str):
        return _written_str(value, quote)
    if isinstance(value, list):
        return f"[{', '.join(_written(item, quote) for item in value)}]"
    if isinstance(value, tuple):
        inner = ", ".join(_written(item, quote) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, dict):
        pairs = (f"{_written(key, quote)}: {_written(item, quote)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    raise _UnwritableError(type(value).__qualname__)


def _written_int(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:
        # Python limits the digits of decimal conversions (sys.set_int_max_str_digits), not those of hexadecimal ones.
        return hex(value)


def _written_str(value: str, quote: str) -> str:
    text = str.__repr__(value)
    if quote == '"' and '"' not in value and text.startswith("'"):
        return f'"{text[1:-1]}"'
    return text


def _fingerprint(value: object) -> Hashable:  # noqa: PLR0911 - one return for each type
    if isinstance(value, bool) or value is None:
        return (type(value), value)
    if isinstance(value, int):
        return (int, int(value))
    if isinstance(value, float):
        return (float, float.__repr__(value))
    if isinstance(value, str):
        return (str, str.__str__(value))
    if isinstance(value, list | tuple):
        return (list if isinstance(value, list) else tuple, tuple(map(_fingerprint, value)))
    if isinstance(value, dict):
        return (dict, frozenset((_fingerprint(key), _fingerprint(item)) for key, item in value.items()))
    return (type(value), repr(value))
