"""What a notebook reports of itself: numbers that stand in the run's record, and in the table of a sweep."""

from __future__ import annotations

import math
import sys
from typing import Any

from fairing_az_jupyter.exceptions import InputError

METRIC_MIME = "application/vnd.fairing-az-jupyter.metric+json"
"""What a reported value is called in the output of its cell; version 1 has `name` and `value`."""

_LONGEST_NAME = 120
_LONGEST_TEXT = 10_000


def report(name: str, value: object) -> None:
    """Report a value, such as a metric of a trained model; of several by the same name the last one counts.

    In a notebook the value is also an output of the cell; elsewhere, as in a training job, it is printed.

    Args:
        name: What it is called, such as `rmse`.
        value: A number (also one of NumPy's), a text, True, False or None.

    Raises:
        InputError: The name is empty or too long, or the value is something else.

    """
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InputError(
            f"What is reported needs a name: a text of 1 to {_LONGEST_NAME} printable characters.",
            hint="Write: report('rmse', value)",
            code="report",
        )
    plain = _plain(name, value)
    text = f"{name}: {plain}"
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        sys.stdout.write(f"{text}\n")
        return
    # JSON knows no NaN and no infinity.
    sent = str(plain) if isinstance(plain, float) and not math.isfinite(plain) else plain
    shell.display_pub.publish({METRIC_MIME: {"name": name, "value": sent}, "text/plain": text})


def _plain(name: str, value: object) -> float | int | str | bool | None:
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "size", 1) == 1:
        # A number of NumPy's, or an array or a tensor that holds one.
        value = item()
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        return value
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        pass
    raise InputError(
        f"'{name}' can't be reported: its value is {_what(value)}.",
        hint="Report one number, text, True, False or None at a time.",
        code="report",
    )


def _what(value: object) -> str:
    return f"a text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"
