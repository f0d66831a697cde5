"""What a notebook or a job reports of itself, such as a metric of the model that it trains."""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeGuard

METRIC_MIME = "application/vnd.fairing-az-jupyter.metric+json"
"""What a reported value is called in the output of its cell; version 1 has `name` and `value`."""

_LONGEST_NAME = 120
_LONGEST_PRINTED = 200
_PRINTED = re.compile(
    r"(?P<name>[A-Za-z_][\w@./-]{0,119}): (?P<value>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*", re.ASCII
)
_LONGEST_TEXT = 10_000
_LONGEST_NUMBER = 1024
"""Bits: as far as floats reach. Python writes no numbers that are much longer."""


def report(name: str, value: object) -> None:
    """Report a value, such as a metric of a trained model; of several by the same name the last one counts.

    In a notebook the value is also an output of the cell; elsewhere, as in a training job, it is printed.

    Args:
        name: What it is called, such as `rmse`.
        value: A number (also one of NumPy's), a text, True, False or None.

    Raises:
        InputError: The name is empty or too long, or the value is something else.

    """
    if not _is_name(name):
        raise InputError(
            f"A reported value needs a name: a text of 1 to {_LONGEST_NAME} printable characters.",
            hint="Write: report('rmse', value)",
            code="report",
        )
    plain = _plain(name, value)
    # Half characters, as of file names in an odd encoding, are not text that a kernel can send.
    text = f"{name}: {plain}".encode("utf-8", "backslashreplace").decode()
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        sys.stdout.write(f"{text}\n")
        return
    # JSON knows no NaN and no infinity.
    odd = isinstance(plain, str) or (isinstance(plain, float) and not math.isfinite(plain))
    sent = text.removeprefix(f"{name}: ") if odd else plain
    shell.display_pub.publish({METRIC_MIME: {"name": name, "value": sent}, "text/plain": text})


def reported(data: Mapping[str, Any]) -> tuple[str, float | int | str | bool | None] | None:
    """Return the name and the value that an output of a cell reports; None if it reports none.

    Args:
        data: The output's data by their types. Anything can show such data, so what `report` rejects counts as none.

    """
    found = data.get(METRIC_MIME)
    if not isinstance(found, dict):
        return None
    name, value = found.get("name"), found.get("value")
    if not _is_name(name) or not isinstance(value, (str, int, float, type(None))):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    return (name, value) if not isinstance(value, str) or len(value) <= _LONGEST_TEXT else None


class PrintedMetrics:
    """Finds in a job's output, as it comes, what `report` has printed: there is no notebook to show it otherwise.

    Such a line has a name without blanks, a colon, a blank and a number.
    """

    def __init__(self) -> None:
        self._line = ""

    def of(self, text: str) -> Iterator[tuple[str, float | int]]:
        """Yield the names and numbers that a further piece of the output reports.

        Args:
            text: The piece; a line that has not ended yet waits for the rest of it.

        """
        *lines, line = (self._line + text).split("\n")
        self._line = line[: _LONGEST_PRINTED + 1]
        for each in lines:
            found = _PRINTED.fullmatch(each) if len(each) <= _LONGEST_PRINTED else None
            if found is not None:
                number = found["value"]
                yield found["name"], int(number) if number.lstrip("+-").isdecimal() else float(number)


def _is_name(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and bool(name.strip()) and len(name) <= _LONGEST_NAME and name.isprintable()


def _plain(name: str, value: object) -> float | int | str | bool | None:
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "size", 1) == 1:
        # A number of NumPy's, or an array or a tensor that holds one.
        value = item()
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and value.bit_length() <= _LONGEST_NUMBER:
        return int(value)
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        return str(value)
    if not isinstance(value, (str, bytes, bytearray, int)):
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            pass
    raise InputError(
        f"'{name}' can't be reported: its value is {_what(value)}.",
        hint="Report one number, text, True, False or None at a time.",
        code="report",
    )


def _what(value: object) -> str:
    if isinstance(value, int):
        return "a number with too many digits"
    return f"a text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"
