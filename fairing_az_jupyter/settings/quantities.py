"""Amounts: of what a pod asks for, as Kubernetes writes them (`500m` cores, `2Gi` bytes), and numbers of things."""

from __future__ import annotations

import re
from decimal import Decimal

from fairing_az_jupyter.settings.naming import BrokenRuleError, tidy

QUANTITIES = "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"

_CORES = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?|[0-9]{1,9}m")
_BYTES = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,3})?(?:[KMGTP]i|[kMGTP])?")
_UNITS = {"m": Decimal("0.001"), "": Decimal(1)}
_UNITS |= {letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)}
_UNITS |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)}
_AMOUNT = re.compile(r"([0-9.]+)([KMGTPE]i|[mkMGTPE])")
_LEAST_BYTES = 1024**2
_COUNT = re.compile(r"0*[1-9][0-9]{0,4}")
_NUMBER = re.compile(r"[0-9]{1,5}")
_SWITCHES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def as_text(value: object) -> object:
    """Return a number as the text that it stands for, and anything else as it is.

    Args:
        value: What a notebook or a file has, such as 2 or 0.5.

    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    # A number of bytes has more digits than `g` shows.
    return str(value) if isinstance(value, int) else f"{value:g}"


def cores(text: str) -> str:
    """Accept an amount of processor cores.

    Args:
        text: Such as `2`, `0.5` or `500m`.

    Returns:
        The same text.

    Raises:
        BrokenRuleError: It is not a valid amount, or nothing at all.

    Source: Kubernetes' quantities; below a thousandth of a core nothing is distinguished.

    """
    if _is_cores(text):
        return text
    bare = tidy(text).lower().replace(" ", "").removesuffix("cores").removesuffix("core").removesuffix("cpus")
    corrected = bare.removesuffix("cpu").replace(",", ".")
    raise BrokenRuleError("is not an amount of processor cores", corrected=corrected if _is_cores(corrected) else "")


def memory(text: str) -> str:
    """Accept an amount of memory.

    Args:
        text: Such as `2Gi`, `512Mi` or a number of bytes.

    Returns:
        The same text.

    Raises:
        BrokenRuleError: It is not a valid amount, or less than any process needs.

    Source: Kubernetes' quantities. `m` (thousandths of a byte) is a slip of the pen for `M`, and rejected.

    """
    bare = tidy(text).replace(" ", "")
    meant = re.fullmatch(r"([0-9.]+)([kKmMgGtTpP])?(?:[iI])?[bB]?", bare)
    corrected = f"{meant[1]}{meant[2].upper()}i" if meant and meant[2] else ""
    if not _BYTES.fullmatch(text):
        raise BrokenRuleError("is not an amount of memory", corrected=corrected if _BYTES.fullmatch(corrected) else "")
    if amount(text) < _LEAST_BYTES:
        raise BrokenRuleError("is less memory than any process needs (1Mi); a number without a unit is bytes")
    return text


def size(text: str) -> str:
    """Accept a number of bytes, of files and not of memory.

    Args:
        text: Such as `5Gi`, `500M` or a number of bytes.

    Returns:
        The same text.

    Raises:
        BrokenRuleError: It is not a valid size, or nothing at all.

    """
    if _BYTES.fullmatch(text) and amount(text) >= 1:
        return text
    meant = re.fullmatch(r"([0-9.]+)([kKmMgGtTpP])?(?:[iI])?[bB]?", tidy(text).replace(" ", ""))
    corrected = f"{meant[1]}{meant[2].upper()}i" if meant and meant[2] else ""
    is_one = _BYTES.fullmatch(corrected) and amount(corrected) >= 1
    raise BrokenRuleError("is not a size of at least one byte", corrected=corrected if is_one else "")


def amount(text: str) -> Decimal:
    """Return the cores or the bytes that a valid text stands for.

    Args:
        text: Such as `2`, `0.5`, `500m` or `2Gi`.

    """
    parts = _AMOUNT.fullmatch(text)
    return Decimal(parts[1]) * _UNITS[parts[2]] if parts else Decimal(text)


def count(value: object) -> int:
    """Accept a number of things, also as the text that environment variables and command lines have.

    Args:
        value: Such as 2 or `2`.

    Raises:
        BrokenRuleError: It is not one.

    """
    return _whole(value, _COUNT, least=1)


def number(value: object) -> int:
    """Accept a number of things that may be none, also as text.

    Args:
        value: Such as 0 or `2`.

    Raises:
        BrokenRuleError: It is not one.

    """
    return _whole(value, _NUMBER, least=0)


def _whole(value: object, form: re.Pattern[str], *, least: int) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not form.fullmatch(text):
        raise BrokenRuleError(f"is not a whole number of at least {least}")
    return int(text)


def switch(value: object) -> bool:
    """Accept true or false, also as the text that environment variables and command lines have.

    Args:
        value: Such as True or `yes`.

    Raises:
        BrokenRuleError: It is neither.

    """
    found = _SWITCHES.get(str(value).strip().lower())
    if found is None:
        raise BrokenRuleError("is not true or false")
    return found


def _is_cores(text: str) -> bool:
    return bool(_CORES.fullmatch(text)) and any(digit in "123456789" for digit in text)
