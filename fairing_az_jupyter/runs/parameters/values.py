"""Parameter values: what the command line says, the names that the notebook has, and what a notebook can hold."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import ParameterError
from fairing_az_jupyter.runs.parameters.file import read_parameters_file
from fairing_az_jupyter.runs.parameters.secrets import looks_secret, reject_secrets
from fairing_az_jupyter.runs.parameters.types import check_types, value_of_text
from fairing_az_jupyter.runs.places.origins import DEEPEST, Origin, subject

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "check_names",
    "check_plain",
    "check_types",
    "looks_secret",
    "merge",
    "parse_pairs",
    "read_parameters_file",
    "reject_secrets",
]


def parse_pairs(
    pairs: Iterable[tuple[str, str]],
    defaults: Mapping[str, object] | None = None,
    declared: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Return the values of `-p NAME VALUE` options, typed as papermill's command line types them.

    True, False and None (also true, false, none and null), whole numbers and numbers are recognised; anything else
    is text. Source: `papermill.cli`, https://papermill.readthedocs.io/en/latest/usage-execute.html.

    Args:
        pairs: Names and values as typed; of a name that is given twice the last value counts.
        defaults: The notebook's own values. Where its own value is text, the value stays text as typed (a version
            `1.10` is not a number there); where it is a list, a tuple or a dict, a Python literal or JSON is read.
        declared: The types that its cell declares, as written, by name; they count before the default.

    Returns:
        The values by name.

    Raises:
        ParameterError: A name is empty or has a `=` in it, or a name or a value looks like a secret.

    """
    values: dict[str, object] = {}
    for name, text in pairs:
        if not name.strip():
            raise ParameterError(
                "A parameter without a name can't be given to a notebook.", hint="Write: -p NAME VALUE"
            )
        if "=" in name:
            # What follows the sign may be a secret.
            before = name.partition("=")[0]
            raise ParameterError(
                f"'{before}=...' is not a parameter name: give name and value as two words.",
                hint=f"Write: -p {before} VALUE",
            )
        values[name] = value_of_text(name, text, defaults or {}, declared or {})
    reject_secrets(values)
    return values


def merge(*sources: Mapping[str, object]) -> dict[str, object]:
    """Return the values of several sources as one; a later source overrules an earlier one."""
    return {name: value for source in sources for name, value in source.items()}


def check_names(
    given: Mapping[str, object], known: Iterable[str], notebook: str, *, origin: str = "", fix: str = ""
) -> None:
    """Reject parameters that the notebook does not have; papermill would only warn, and run without them.

    Args:
        given: The values that the run is given.
        known: The names that the notebook's tagged cell assigns.
        notebook: The notebook's path, for the message.
        origin: Where the values come from, for the message, such as `from params.yaml`.
        fix: What to do about it besides, as a sentence and a blank.

    Raises:
        ParameterError: A name is not known.

    """
    names = list(known)
    unknown = [name for name in given if name not in names]
    if not unknown:
        return
    first = unknown[0]
    source, several = f" {origin}" if origin else "", "s" if len(unknown) > 1 else ""
    if not names:
        raise ParameterError(
            f"'{notebook}' has no parameters, so '{first}'{source} has no effect: no cell tagged 'parameters' "
            "assigns a name.",
            hint=f"{fix}Tag the cell with the parameters; for this project's own: fairing-azure fill {notebook}",
            code="parameter-unknown",
        )
    listed = ", ".join(f"'{name}'" for name in unknown)
    by_fold = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(first.casefold(), by_fold, n=1)
    suggestion = f"Did you mean '{by_fold[close[0]]}'? " if close else ""
    raise ParameterError(
        f"Unknown parameter{several} {listed}{source}: the cell tagged 'parameters' of '{notebook}' does not assign "
        "it, so the value would have no effect.",
        hint=f"{suggestion}{fix}The notebook's parameters: {', '.join(names)}.",
        code="parameter-unknown",
    )


def check_plain(given: Mapping[str, object], origins: Mapping[str, Origin] | None = None) -> None:
    """Reject values that a notebook can't hold: papermill records them in its JSON, which knows no NaN.

    Args:
        given: The values that the run is given.
        origins: Where each comes from, for the message.

    Raises:
        ParameterError: A value is not plain data, or not a finite number.

    """
    for name, value in given.items():
        flaw = _flaw(value)
        if flaw:
            raise ParameterError(
                f"{subject(name, origins)} can't be written into a notebook: {flaw}.",
                hint="Give text, a finite number, True, False, None, or lists and mappings of these.",
            )


def _flaw(value: object, depth: int = 0) -> str:
    """Return why a value can't be written into a notebook, empty if it can."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return _scalar_flaw(value)
    if depth > DEEPEST:
        return "it is nested too deeply or contains itself"
    if isinstance(value, Mapping):
        odd = [key for key in value if not isinstance(key, str)]
        if odd:
            return f"the name {odd[0]!r} in it is not text"
        value = [*value, *value.values()]
    if isinstance(value, (list, tuple)):
        return next((flaw for flaw in (_flaw(item, depth + 1) for item in value) if flaw), "")
    return f"a {type(value).__name__} is not plain data"


def _scalar_flaw(value: str | float | None) -> str:
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"JSON has no {value}"
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return "it contains bytes or incomplete characters"
    except ValueError:
        # Python limits the digits of a number that it writes.
        return "it has too many digits"
    return ""
