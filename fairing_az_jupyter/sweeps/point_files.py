"""The points of a sweep from a file: a list of mappings in YAML or JSON, or CSV with a header."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import yaml

from fairing_az_jupyter.exceptions import ParameterError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

_DELIMITERS = ",;\t"
_LIST_SHAPE = "Write a list with a mapping for each point, in YAML such as: - {rate: 0.1, depth: 3}"
_CSV_SHAPE = "Write the names of parameters in the first line, and a line with their values for each point."
_LONGEST_CELL = 1_000_000


@dataclasses.dataclass(frozen=True)
class Row:
    """One point of a file.

    Args:
        values: The values by name; of a CSV file texts.
        origin: Where it stands.

    """

    values: Mapping[str, object]
    origin: str


def read_list(path: str, shown: str) -> list[Row]:
    """Read a list of points.

    Args:
        path: A file with a list of mappings: JSON if its name ends in `.json`, else YAML.
        shown: What messages call it.

    Returns:
        The points, in the file's order.

    Raises:
        ParameterError: The file can't be read or is not such a list, or a name is given twice. No message has a value.

    """
    text = _read(path, shown)
    try:
        found = _from_json(text, shown) if path.lower().endswith(".json") else _from_yaml(text, shown)
    except RecursionError:
        _reject(shown, None, "it is nested too deeply", _LIST_SHAPE)
    if found is None:
        return []
    if not isinstance(found, list):
        _reject(shown, None, "it is not a list", _LIST_SHAPE)
    rows = []
    for number, item in enumerate(found, start=1):
        if not isinstance(item, dict) or not all(isinstance(name, str) for name in item):
            _reject(shown, None, f"its entry {number} is not a mapping of names to values", _LIST_SHAPE)
        rows.append(Row(item, f"{shown}, entry {number}"))
    return rows


def read_csv(path: str, shown: str) -> list[Row]:
    """Read points from CSV: with commas, semicolons or tabs, whichever the header has.

    An empty cell gives no value: the notebook's own counts there. Lines without anything in them are passed over.

    Args:
        path: The file, in UTF-8, with or without a byte order mark, with the line ends of any system.
        shown: What messages call it.

    Returns:
        The points, in the file's order, with all values as texts.

    Raises:
        ParameterError: The file can't be read, its header is not usable, or a line has too many or too few cells. No
            message has a value.

    """
    text = _read(path, shown)
    if "\0" in text:
        _reject(shown, None, "it contains invalid characters", "Save it as CSV in UTF-8.")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    rows: list[Row] = []
    header: list[str] = []
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                _check_header(header, shown, line)
                continue
            if len(cells) != len(header):
                several = "" if len(cells) == 1 else "s"
                reported = f"it has {len(cells)} value{several}, and the header has {len(header)} names"
                _reject(shown, line, reported, "Give each name a value, or nothing between two separators.")
            values = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
            rows.append(Row(values, f"{shown}, line {line}"))
    except csv.Error as error:
        _reject(shown, reader.line_num, f"it is not valid CSV ({error})", _CSV_SHAPE)
    if not header:
        _reject(shown, None, "it is empty", _CSV_SHAPE)
    return rows


def _check_header(names: list[str], shown: str, line: int) -> None:
    if not all(names):
        _reject(shown, line, f"the name of column {names.index('') + 1} is missing", _CSV_SHAPE)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        _reject(shown, line, f"two columns are called '{twice}'", "Keep one of them.")


def _read(path: str, shown: str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ParameterError(
            f"File '{shown}' with points not found.", hint="Check the path.", code="sweep-points"
        ) from None
    except UnicodeDecodeError as error:
        _reject(shown, None, f"it is not UTF-8 text (byte {error.start})", "Save it as UTF-8.")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        _reject(shown, None, f"it can't be read: {reason}", "Give a file with points.")


def _from_json(text: str, shown: str) -> object:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = [name for name, _ in pairs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            _reject(shown, None, f"'{twice}' is given twice in one mapping", "Keep one of them.")
        return dict(pairs)

    if not text.strip():
        return None
    try:
        return json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        _reject(shown, error.lineno, f"it is not valid JSON: {error.msg}", 'Write [{"NAME": value, ...}, ...].')
    except ValueError:
        _reject(shown, None, "a number in it has too many digits", "Put it in quotes.")


class _Loader(yaml.SafeLoader):
    """The safe loader, with dates left as text, as in files of parameters, and no name given twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own class attribute
        first: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002 - PyYAML's own
        """Return a mapping, once it is clear that no name stands in it twice."""
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            problem = f"'{twice}' is given twice in one mapping"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        found: dict[Hashable, object] = super().construct_mapping(node, deep=deep)
        return found


def _from_yaml(text: str, shown: str) -> object:
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.constructor.ConstructorError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        twice = "twice" in (error.problem or "")
        _reject(shown, line, error.problem if twice and error.problem else "it is not plain data", _LIST_SHAPE)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The parser quotes what it stumbles over, which may be part of a password.
        _reject(shown, mark.line + 1 if mark else None, "it is not valid YAML", _LIST_SHAPE)
    except (yaml.YAMLError, ValueError, OverflowError):
        _reject(shown, None, "it contains something that YAML does not allow", "Save it as plain UTF-8 text.")


def _reject(shown: str, line: int | None, what: str, hint: str) -> NoReturn:
    where = f", line {line}" if line is not None else ""
    raise ParameterError(f"The file with points '{shown}'{where}: {what}.", hint=hint, code="sweep-points") from None
