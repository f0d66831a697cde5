"""Parameter values from a YAML or JSON file."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn

import yaml

from fairing_az_jupyter.exceptions import ParameterError

_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")}
_TEXT_TAG = "tag:yaml.org,2002:str"
_SHAPE = "Write one `NAME: value` a line."


class _Loader(yaml.SafeLoader):
    """The safe loader, with dates left as text: papermill reads its parameter files so, and JSON knows no dates."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_parameters_file(path: str, shown: str | None = None) -> dict[str, object]:
    """Read parameter values from a file.

    Args:
        path: A file with a mapping of names to values: JSON if its name ends in `.json`, else YAML. A file with
            nothing in it gives no values.
        shown: What messages call it; None for its path.

    Returns:
        The values by name.

    Raises:
        ParameterError: The file can't be read, is not a mapping of texts to plain data, or gives a name twice. No
            message holds a value.

    """
    shown = path if shown is None else shown
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ParameterError(f"Parameters file '{shown}' not found.", hint="Check the path.") from None
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"The parameters file '{shown}' is not UTF-8 text (byte {error.start}).", hint="Save it as UTF-8."
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ParameterError(
            f"The parameters file '{shown}' can't be read: {reason}.", hint="Give a YAML or JSON file."
        ) from error
    try:
        return _read_json(text, shown) if path.lower().endswith(".json") else _read_yaml(text, shown)
    except RecursionError:
        raise ParameterError(f"The parameters file '{shown}' is nested too deeply.", hint=_SHAPE) from None


def _reject(path: str, line: int | None, what: str, hint: str) -> NoReturn:
    where = f", line {line}" if line is not None else ""
    raise ParameterError(f"The parameters file '{path}'{where}: {what}.", hint=hint) from None


def _read_yaml(text: str, path: str) -> dict[str, object]:
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The parser quotes the text that it stumbled over, which may be part of a password.
        problem = re.sub(r"""\s*(['"]).*\1""", "", error.problem or "it is not valid YAML", flags=re.DOTALL)
        _reject(path, mark.line + 1 if mark else None, problem, _SHAPE)
    except yaml.YAMLError:
        _reject(path, None, "it holds characters that YAML does not allow", "Save it as plain UTF-8 text.")
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        _reject(path, node.start_mark.line + 1, "it is not a mapping of names to values", _SHAPE)
    _check_node(node, path, set())
    try:
        values: dict[str, object] = loader.construct_document(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        _reject(path, None, "a value in it can't be read", "Put it in quotes if it is text.")
    return values


def _check_node(node: yaml.Node, path: str, seen: set[int]) -> None:
    """Reject what is not plain data, with the line where it stands."""
    line = node.start_mark.line + 1
    if id(node) in seen:
        _reject(path, line, "a value is an alias (*) of another one", "Write the value itself.")
    seen.add(id(node))
    if node.tag not in _PLAIN_TAGS:
        _reject(
            path,
            line,
            "a value carries a YAML tag (!), which is not plain data",
            "Give text, numbers, true, false, null, lists and mappings only.",
        )
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":float") and re.search(r"\.(?i:inf|nan)", node.value):
        _reject(path, line, "a number is infinite or NaN, which a notebook can't hold", "Give a finite number.")
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_node(item, path, seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag != _TEXT_TAG:
                name = f"'{key.value}'" if isinstance(key, yaml.ScalarNode) else "a list or a mapping"
                _reject(path, at, f"{name} is used as a name, but is not text in YAML", "Put the name in quotes.")
            if key.value in lines:
                _reject(
                    path, at, f"'{key.value}' is given twice, first in line {lines[key.value]}", "Keep one of them."
                )
            lines[key.value] = at
            _check_node(value, path, seen)


def _read_json(text: str, path: str) -> dict[str, object]:
    if not text.strip():
        return {}

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in pairs:
            if name in values:
                places = [match.start() for match in re.finditer(re.escape(json.dumps(name)) + r"\s*:", text)]
                # With more than two places it is open which mapping has the name twice.
                line = text.count("\n", 0, places[1]) + 1 if len(places) == 2 else None  # noqa: PLR2004
                _reject(path, line, f"'{name}' is given twice", "Keep one of them.")
            values[name] = value
        return values

    def finite(number: str) -> float:
        value = float(number)
        if not math.isfinite(value):
            _reject(path, None, "a number is infinite or NaN, which a notebook can't hold", "Give a finite number.")
        return value

    try:
        values = json.loads(text, object_pairs_hook=once, parse_constant=finite, parse_float=finite)
    except json.JSONDecodeError as error:
        _reject(path, error.lineno, f"it is not valid JSON: {error.msg}", 'Write {"NAME": value, ...}.')
    except ValueError:
        _reject(path, None, "a number in it has too many digits", "Put it in quotes.")
    if not isinstance(values, dict):
        _reject(path, 1, "it is not a mapping of names to values", 'Write {"NAME": value, ...}.')
    return values
