"""The type of a parameter's value: texts are read as the cell wants them, and what does not fit is rejected."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import ParameterError
from fairing_az_jupyter.parameters.declared_types import DeclaredType, read_type, type_of_value
from fairing_az_jupyter.parameters.literals import read_expression
from fairing_az_jupyter.runs.parameters.secrets import reject_secrets
from fairing_az_jupyter.runs.places.origins import DEEPEST, Origin, origin_of, shown, subject

if TYPE_CHECKING:
    from fairing_az_jupyter.parameters.declared_types import Kind

_WORDS: dict[str, object] = {"true": True, "false": False, "none": None, "null": None}
_SPELLINGS = {form for word in _WORDS for form in (word, word.capitalize())} - {"Null"}
_EXPECTED: dict[Kind, str] = {
    "bool": "True or False",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "list": "a list",
    "dict": "a dict",
}
_EXAMPLES: dict[Kind, object] = {
    "bool": True,
    "int": 3,
    "float": 0.5,
    "str": "text",
    "list": [1, 2],
    "dict": {"a": 1},
}


def declared_type(name: str, defaults: Mapping[str, object], declared: Mapping[str, str]) -> DeclaredType | None:
    """Return the type that the cell declares for a parameter.

    Args:
        name: The parameter.
        defaults: The notebook's own values, where they are literals.
        declared: The declared types as written, by name.

    Returns:
        The type, which takes what the notebook's own value is, also where that contradicts what is declared (None, or
        a text where a comment says `int or 'auto'`); None where it says nothing.

    """
    found = read_type(declared.get(name, ""))
    if found is None or name not in defaults or _fits(defaults[name], found):
        return found
    if defaults[name] is None:
        return dataclasses.replace(found, optional=True)
    own = type_of_value(defaults[name])
    return None if own is None else found.or_else(own)


def expected_of(name: str, defaults: Mapping[str, object], declared: Mapping[str, str]) -> str:
    """Return what the cell wants of a parameter, for a sentence such as `set it to a number`; "" if nothing is said."""
    expected = declared_type(name, defaults, declared) or type_of_value(defaults.get(name))
    return "" if expected is None else _wanted(expected)


def takes_text(name: str, defaults: Mapping[str, object], declared: Mapping[str, str]) -> bool:
    """Tell whether the cell says that a parameter's value may be text."""
    expected = declared_type(name, defaults, declared) or type_of_value(defaults.get(name))
    return expected is not None and "str" in expected.kinds


def value_of_text(name: str, text: str, defaults: Mapping[str, object], declared: Mapping[str, str]) -> object:
    """Read the text of a command line or an environment variable as the cell wants it.

    Args:
        name: The parameter.
        text: As typed.
        defaults: The notebook's own values, where they are literals.
        declared: The declared types as written, by name; they count before the default.

    Returns:
        The value. Where the text can't be read as the cell wants it, what it looks like: `check_types` rejects that.

    """
    expected = declared_type(name, defaults, declared)
    if expected is not None:
        return _as_declared(text, expected)
    default = defaults.get(name)
    if isinstance(default, str):
        return None if text == "None" else text
    if text not in _SPELLINGS and isinstance(default, (list, tuple, dict)):
        with contextlib.suppress(ValueError):
            return _structure(text)
    return _as_papermill(text)


def value_of_file(name: str, value: object, defaults: Mapping[str, object], declared: Mapping[str, str]) -> object:
    """Read a text from a file as the cell declares it; what no type is declared for stays as the file has it.

    Args:
        name: The parameter.
        value: As the file has it; what is not text is left alone.
        defaults: The notebook's own values, where they are literals.
        declared: The declared types as written, by name.

    Returns:
        The value. A text that can't be read as declared stays text: `check_types` rejects it.

    """
    expected = declared_type(name, defaults, declared)
    if expected is None or not isinstance(value, str) or "str" in expected.kinds:
        return value
    read = _as_declared(value, expected)
    return read if _fits(read, expected) else value


def check_types(
    given: Mapping[str, object],
    defaults: Mapping[str, object],
    declared: Mapping[str, str] | None = None,
    origins: Mapping[str, Origin] | None = None,
) -> None:
    """Reject values that can't stand where the notebook's own value stands, or that its declared type excludes.

    Args:
        given: The values that the run is given.
        defaults: The notebook's own values, where they are literals. None says nothing about the type.
        declared: The declared types as written, by name; they count before the default.
        origins: Where each value comes from, for the message.

    Raises:
        ParameterError: A value is of another type: text for a number, 1 for True, 0.5 for a whole number. A whole
            number for a number is fine. None is fine where no type is declared, where the type is optional, and where
            the notebook's own value is None.

    """
    reject_secrets(given, origins)
    for name, value in given.items():
        stated = declared_type(name, defaults, declared or {})
        expected = stated or type_of_value(defaults.get(name))
        if expected is None or _fits(value, expected):
            continue
        said = (
            f"the notebook's own value is {shown(defaults[name])}"
            if stated is None
            else f"the cell declares {(declared or {})[name]}"
        )
        kind = "None" if value is None else f"{shown(value)} ({type(value).__name__})"
        raise ParameterError(
            f"{subject(name, origins)} is {kind}, but {said}: {_wanted(expected)} is expected there.",
            hint=_fix(value, defaults.get(name), expected, origin_of(name, origins), stated=stated is not None),
            code="parameter-type",
        )


def _as_declared(text: str, expected: DeclaredType) -> object:
    if text in expected.choices:
        return text
    # Only as Python writes it where the value may be a text: `none` and `null` are words as any.
    if text == "None" or ("str" not in expected.kinds and text in {"none", "null"}):
        return None
    for kind in expected.kinds:
        with contextlib.suppress(ValueError):
            return _as_kind(text, kind)
    return _as_papermill(text)


def _as_kind(text: str, kind: Kind) -> object:
    match kind:
        case "bool":
            value = _WORDS.get(text.lower()) if text in _SPELLINGS else None
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "str":
            return text
        case _:
            value = _structure(text)
    if not _is_a(value, kind):
        raise ValueError(kind)
    return value


def _structure(text: str) -> object:
    """Read a Python literal, or else JSON; tuples become lists, as papermill would write them as text."""
    try:
        value = read_expression(text.strip())
    except ValueError:
        try:
            value = json.loads(text)
        except RecursionError as error:
            raise ValueError("too deeply nested") from error
    return _with_lists(value)


def _with_lists(value: object, depth: int = 0) -> object:
    if depth > DEEPEST:
        return value
    if isinstance(value, (list, tuple)):
        return [_with_lists(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: _with_lists(item, depth + 1) for key, item in value.items()}
    return value


def _as_papermill(text: str) -> object:
    """Read a text as papermill's command line does."""
    if text in _SPELLINGS:
        return _WORDS[text.lower()]
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(text)
    return text


def _fits(value: object, expected: DeclaredType) -> bool:
    if value is None:
        return expected.optional
    if expected.choices:
        return any(type(value) is type(choice) and value == choice for choice in expected.choices)
    return any(_is_a(value, kind) for kind in expected.kinds)


def _is_a(value: object, kind: Kind) -> bool:
    if isinstance(value, bool) or kind == "bool":
        return isinstance(value, bool) and kind == "bool"
    match kind:
        case "int":
            return isinstance(value, int)
        case "float":
            return isinstance(value, (int, float))
        case "str":
            return isinstance(value, str)
        case "list":
            return isinstance(value, (list, tuple))
    return isinstance(value, Mapping)


def _wanted(expected: DeclaredType) -> str:
    if expected.choices:
        return f"one of {', '.join(map(repr, expected.choices))}"
    return " or ".join(_EXPECTED[kind] for kind in expected.kinds)


def _fix(value: object, default: object, expected: DeclaredType, origin: Origin, *, stated: bool) -> str:
    """Return what to write instead, as the text that can be typed where the value came from."""
    kind = expected.kinds[0]
    if expected.kinds == ("str",) and not expected.choices and isinstance(value, (bool, int, float)):
        return f"{'Write text' if origin.is_text else 'Put it in quotes'}: {origin.written(shown(value))}"
    own = isinstance(default, (bool, int, float)) and _fits(default, expected)
    example = origin.written(expected.choices[0] if expected.choices else default if own else _EXAMPLES[kind])
    first = ""
    if value is None:
        first = "If it may be None, declare it as Optional in the cell. "
    elif isinstance(value, float) and expected.kinds == ("int",):
        where = "declare float" if stated else f"write {default}.0"
        first = f"If fractions make sense here, {where} in the notebook's cell. "
    elif isinstance(value, str) and kind == "float" and not (origin.is_text or stated):
        first = "YAML wants a dot in a number: 1.0e-3, not 1e-3. "
    return f"{first}Write {_wanted(expected)}: {example}"
