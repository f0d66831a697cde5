"""Reads what is to be predicted from a CSV file, a JSON file or JSON text: rows of numbers, and the columns' names."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Samples", "read_samples", "read_samples_text"]

_DELIMITERS = ",;\t"
_SHOWN = 40
_FORMS = 'Write rows of numbers: [[1, 2], [3, 4]], or objects with the columns: [{"a": 1, "b": 2}].'
# As pandas takes them: https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html (na_values).
_MISSING = frozenset(
    {"#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "1.#ind", "1.#qnan", "<na>", "n/a", "na", "none", "null"}
)
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclasses.dataclass(frozen=True)
class Samples:
    """What is to be predicted.

    Args:
        rows: Rows of numbers, all of the same length; a missing value is NaN.
        names: The names of the columns, or None.
        message: A whole message of Seldon's form, which is sent as it is; `rows` is empty then.

    """

    rows: Sequence[Sequence[float]] = ()
    names: list[str] | None = None
    message: Mapping[str, Any] | None = None


def read_samples(data: str) -> Samples:
    """Return what is to be predicted.

    Args:
        data: The path of a CSV or JSON file, or JSON text, which begins with `[` or `{`.

    Raises:
        InputError: The file does not exist, or it does not hold rows of numbers.

    """
    if data.lstrip()[:1] in {"[", "{"}:
        return _from_json(data, "The data")
    where = f"File '{data}'"
    try:
        content = Path(data).expanduser().read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a file name"
        raise _unusable(f"{where} can't be read: {reason}.", "Give a CSV or JSON file, or JSON text.") from error
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise _unusable(f"{where} is not encoded as UTF-8.", "Save it as UTF-8.") from error
    suffix = Path(data).suffix.lower()
    if suffix == ".json" or (suffix not in {".csv", ".tsv"} and text.lstrip()[:1] in {"[", "{"}):
        return _from_json(text, where)
    return _from_csv(text, where)


def read_samples_text(text: str) -> Samples:
    """Return what is to be predicted from text alone; it is never taken for the path of a file.

    Args:
        text: JSON, which begins with `[` or `{`, or CSV.

    Raises:
        InputError: It does not hold rows of numbers.

    """
    text = text.removeprefix("\ufeff")
    return _from_json(text, "The data") if text.lstrip()[:1] in {"[", "{"} else _from_csv(text, "The data")


def _from_csv(text: str, where: str) -> Samples:
    first = next((line for line in text.splitlines() if line.strip()), "")
    # What stands in quotation marks delimits nothing.
    bare = re.sub(r'"[^"]*"', "", first)
    delimiter = max(_DELIMITERS, key=bare.count)
    try:
        # A quoted cell may hold line ends of its own.
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        # A row of empty cells is a sample of which nothing is known; only a line without any is none. The predictions
        # have to be as many as the rows.
        lines = [(reader.line_num, row) for row in reader if len(row) > 1 or row == [""] or "".join(row).strip()]
    except csv.Error as error:
        raise _unusable(f"{where} is not valid CSV: {error}.", "Check its quotation marks.") from error
    names = None
    if lines and _are_names(lines[0][1]):
        names = [cell.strip() for cell in lines.pop(0)[1]]
    if not lines:
        raise _unusable(f"{where} has no rows.", "Add one row per prediction below the column names.")
    width = len(names) if names is not None else len(lines[0][1])
    rows: list[list[float]] = []
    for number, cells in lines:
        if len(cells) != width:
            reported = f"{where}, line {number}, has {len(cells)} cells; {width} are expected."
            raise _unusable(reported, "Check its delimiters and quotation marks.")
        row = [_number(cell) for cell in cells]
        if None in row:
            place = row.index(None)
            column = repr(names[place]) if names is not None else str(place + 1)
            raise _unusable(
                f"{where}, line {number}, column {column}, holds {_short(cells[place])}, which is not a number.",
                "Models expect numbers: encode text as in training, and leave out other columns.",
            )
        rows.append([cell for cell in row if cell is not None])
    return Samples(rows, names)


def _from_json(text: str, where: str) -> Samples:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        at = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise _unusable(f"{where} is not JSON{at}.", _FORMS) from error
    if isinstance(content, dict) and isinstance(content.get("data"), dict):
        return Samples(message=content)
    content, names = _rows_in(content)
    if not isinstance(content, list) or not content:
        raise _unusable(f"{where} has no rows.", _FORMS)
    if all(isinstance(row, dict) for row in content):
        names = list(content[0])
        for number, row in enumerate(content, start=1):
            if row.keys() != content[0].keys():
                raise _unusable(f"{where}, row {number}, has different columns from row 1.", _FORMS)
        content = [[row[name] for name in names] for row in content]
    elif not any(isinstance(row, list) for row in content):
        content = [content]
    return Samples([_row(row, number, content, where) for number, row in enumerate(content, start=1)], names)


def _rows_in(content: Any) -> tuple[Any, list[str] | None]:  # noqa: ANN401 - JSON is anything
    """Return the rows and the columns' names in the forms that pandas and KServe write, or the only row there is."""
    if not isinstance(content, dict):
        return content, None
    if isinstance(content.get("columns"), list) and isinstance(content.get("data"), list):
        return content["data"], [str(name) for name in content["columns"]]
    if isinstance(content.get("instances"), list):
        return content["instances"], None
    columns = _columns_in(content)
    if columns:
        return [list(row) for row in zip(*columns.values(), strict=True)], list(columns)
    return [content], None


def _columns_in(content: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return columns of equal length by their names, as lists or, as pandas writes them, by the rows' own names."""
    first = next(iter(content.values()), None)
    if isinstance(first, dict):
        if not all(isinstance(column, dict) and column.keys() == first.keys() for column in content.values()):
            return {}
        return {name: [column[row] for row in first] for name, column in content.items()}
    if isinstance(first, list) and all(
        isinstance(column, list) and len(column) == len(first) for column in content.values()
    ):
        return dict(content)
    return {}


def _row(row: object, number: int, rows: list[Any], where: str) -> list[float]:
    if not isinstance(row, list) or not row or len(row) != len(rows[0]):
        raise _unusable(f"{where}, row {number}, is empty, or not a list as long as row 1.", _FORMS)
    for value in row:
        if value is not None and not isinstance(value, (int, float)):
            raise _unusable(f"{where}, row {number}, holds {_short(value)}, which is not a number.", _FORMS)
    try:
        return [math.nan if value is None else value for value in row]
    except OverflowError as error:
        raise _unusable(f"{where}, row {number}, holds a number that is too large.", _FORMS) from error


def _are_names(cells: Sequence[str]) -> bool:
    """Tell whether a first row names columns: mostly text. One word among numbers is a fault in a row of numbers."""
    reported = [_number(cell) for cell in cells if cell.strip()]
    words = reported.count(None)
    return words > 0 and words * 2 >= len(reported)


def _number(cell: str) -> float | None:
    """Return a cell's number; NaN for an empty one or what stands for a missing value, None for other text."""
    text = cell.strip()
    if not text or text.lower() in _MISSING:
        return math.nan
    try:
        # Python alone takes 1_000 for a number.
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def _unusable(message: str, hint: str) -> InputError:
    return InputError(message, hint=hint, code="prediction-data")
