"""Parameter values: what the command line and files say, checked against the notebook's own cell."""

from __future__ import annotations

import ast
import contextlib
import difflib
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import ParameterError
from fairing_az_jupyter.runs.parameters_file import read_parameters_file
from fairing_az_jupyter.settings import naming, notebook_names

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
    "refuse_secrets",
]

_WORDS: dict[str, object] = {"true": True, "false": False, "none": None, "null": None}
_SPELLINGS = {form for word in _WORDS for form in (word, word.capitalize())} - {"Null"}
_TYPE_NAMES = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}

# Glued together, so that ACCOUNT_KEY, accountKey and account-key are one.
_SECRET = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|CONNECTIONSTRING|CONNSTR|SASURL|SASKEY|(?:CLIENT|APP|API|SHARED)SECRET"
    r"|(?:ACCOUNT|ACCESS|API|STORAGE|PRIVATE|SHARED|MASTER|SECRET)KEY(?!WORD)"
)
# AZ_CREDS_SECRET_NAME names a Secret, PASSWORD_FILE says where it lies: neither is one.
_NO_SECRET_AT_THE_END = re.compile(r"(?:NAME|NAMES|FILE|PATH|FOLDER|DIR)$")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_SECRET_LAST_WORD = re.compile(r"(?:DB|USER|ADMIN)?(?:PASS|PWD)|SAS|(?:ACCESS|API|AUTH|BEARER|REFRESH|SAS)?TOKEN")
# Before TOKEN: the words of a tokenizer, not of a service.
_TEXT_TOKENS = frozenset(
    (
        "PAD",
        "EOS",
        "BOS",
        "UNK",
        "MASK",
        "SEP",
        "CLS",
        "START",
        "END",
        "STOP",
        "SPECIAL",
        "FIRST",
        "LAST",
        "NEXT",
        "PER",
    )
)
_SAFER = "Let the notebook read it from an environment variable or a mounted Kubernetes Secret."
_DEEPEST = 50
"""Deeper than any sound value is nested, and less than Python's own limit."""


def parse_pairs(pairs: Iterable[tuple[str, str]], defaults: Mapping[str, object] | None = None) -> dict[str, object]:
    """Return the values of `-p NAME VALUE` options, typed as papermill's command line types them.

    True, False and None (also true, false, none and null), whole numbers and numbers are recognised; anything else
    is text. Source: `papermill.cli`, https://papermill.readthedocs.io/en/latest/usage-execute.html.

    Args:
        pairs: Names and values as typed; of a name that is given twice the last value counts.
        defaults: The notebook's own values. Where its own value is text, the value stays text as typed (a version
            `1.10` is no number there); where it is a list, a tuple or a dict, a Python literal is read.

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
                f"'{before}=...' is no name of a parameter: the name and the value are two words.",
                hint=f"Write: -p {before} VALUE",
            )
        values[name] = _typed(text, None if defaults is None else defaults.get(name))
    refuse_secrets(values)
    return values


def merge(*sources: Mapping[str, object]) -> dict[str, object]:
    """Return the values of several sources as one; a later source overrules an earlier one."""
    return {name: value for source in sources for name, value in source.items()}


def check_names(given: Mapping[str, object], known: Iterable[str], notebook: str) -> None:
    """Refuse parameters that the notebook does not have; papermill would only warn, and run without them.

    Args:
        given: The values that the run is given.
        known: The names that the notebook's tagged cell assigns.
        notebook: The notebook's path, for the message.

    Raises:
        ParameterError: A name is not known.

    """
    names = list(known)
    unknown = [name for name in given if name not in names]
    if not unknown:
        return
    first = unknown[0]
    if not names:
        raise ParameterError(
            f"'{notebook}' takes no parameters, so '{first}' has no effect in it: "
            "no cell tagged 'parameters' assigns a name.",
            hint=f"Tag the cell with the parameters; for this project's own: fairing-azure fill {notebook}",
            code="parameter-unknown",
        )
    listed = ", ".join(f"'{name}'" for name in unknown)
    by_fold = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(first.casefold(), by_fold, n=1)
    suggestion = f"Did you mean '{by_fold[close[0]]}'? " if close else ""
    raise ParameterError(
        f"Unknown parameter{'s' if len(unknown) > 1 else ''} {listed}: the cell tagged 'parameters' of '{notebook}' "
        f"assigns no such name, so the value would have no effect.",
        hint=f"{suggestion}The notebook's parameters: {', '.join(names)}.",
        code="parameter-unknown",
    )


def check_types(given: Mapping[str, object], defaults: Mapping[str, object]) -> None:
    """Refuse values that can't stand where the notebook's own value stands.

    Args:
        given: The values that the run is given.
        defaults: The notebook's own values, where they are literals. None says nothing about the type.

    Raises:
        ParameterError: A value is of another type: text for a number, 1 for True, 0.5 for a whole number. None and
            a whole number for a number are fine.

    """
    refuse_secrets(given)
    for name, value in given.items():
        default = defaults.get(name)
        if value is None or default is None or _fits(value, default):
            continue
        wanted = _TYPE_NAMES.get(type(default), f"a {type(default).__name__}")
        raise ParameterError(
            f"Parameter '{name}' is {value!r} ({type(value).__name__}), but the notebook's own value is {default!r}: "
            f"{wanted} is expected there.",
            hint=_type_hint(name, value, default),
            code="parameter-type",
        )


def check_plain(given: Mapping[str, object]) -> None:
    """Refuse values that a notebook can't hold: papermill records them in its JSON, which knows no NaN.

    Args:
        given: The values that the run is given.

    Raises:
        ParameterError: A value is not plain data, or not a finite number.

    """
    for name, value in given.items():
        flaw = _flaw(value)
        if flaw:
            raise ParameterError(
                f"Parameter '{name}' can't be written into a notebook: {flaw}.",
                hint="Give text, a finite number, True, False, None, or lists and mappings of these.",
            )


def looks_secret(name: str) -> bool:
    """Return whether a parameter of this name would hold a secret; the project's own settings hold none."""
    glued = re.sub(r"[^A-Z0-9]", "", name.upper())
    if name in notebook_names().values() or _NO_SECRET_AT_THE_END.search(glued):
        return False
    words = [word.upper() for word in _WORD.findall(name)]
    if _SECRET.search(glued) or "SECRET" in words or "SECRETS" in words:
        return True
    before, last = ([""] * 2 + words)[-2:]
    return bool(_SECRET_LAST_WORD.fullmatch(last)) and not (last == "TOKEN" and before in _TEXT_TOKENS)


def refuse_secrets(given: Mapping[str, object]) -> None:
    """Refuse what looks like a secret, by its name or by its form: it would stand in the executed notebook for all.

    Args:
        given: The values that the run is given. True, False and None are no secrets.

    Raises:
        ParameterError: A name is one that secrets have, also within a mapping, or a text has the form of a key, a
            token, a connection string or the like. The message holds no value.

    """
    for name, value in given.items():
        if naming.looks_secret(name):
            raise ParameterError(
                "The name of a parameter looks like a secret itself, so it is not shown here.",
                hint=f"Write: -p NAME VALUE. {_SAFER}",
                code="parameter-secret",
            )
        what = _secret_in(name, value)
        if what:
            raise ParameterError(
                f"Parameter '{name}' {what}: papermill would write its value into the executed notebook, "
                "where everyone who gets the notebook can read it.",
                hint=_SAFER,
                code="parameter-secret",
            )


def _secret_in(name: str, value: object, depth: int = 0) -> str:
    """Return what makes a value a secret, as the end of a sentence that begins with the parameter; "" if nothing."""
    if value is None or isinstance(value, bool) or depth > _DEEPEST:
        return ""
    if looks_secret(name):
        return f"has '{name}' in it, which looks like a secret" if depth else "looks like a secret"
    if isinstance(value, str):
        return "has the form of a secret" if naming.looks_secret(value) else ""
    if isinstance(value, Mapping):
        parts: list[tuple[str, object]] = []
        for key, part in value.items():
            # A key is text for all to read, too.
            parts += [("", str(key)), (str(key), part)]
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = [("", part) for part in value]
    else:
        return ""
    return next((what for what in (_secret_in(key, part, depth + 1) for key, part in parts) if what), "")


def _typed(text: str, default: object) -> object:
    if isinstance(default, str):
        return None if text == "None" else text
    if text in _SPELLINGS:
        return _WORDS[text.lower()]
    if isinstance(default, (list, tuple, dict)):
        with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            return ast.literal_eval(text.strip())
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(text)
    return text


def _fits(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, (int, float))
    for kind in (int, str, (list, tuple), Mapping):
        if isinstance(default, kind):
            return isinstance(value, kind)
    return True


def _type_hint(name: str, value: object, default: object) -> str:
    if isinstance(default, bool):
        return f"Write True or False: -p {name} True"
    if isinstance(default, str):
        return f"In a file put it in quotes: {name}: '{value}'"
    if isinstance(default, int) and isinstance(value, float):
        return f"Write a whole number; or, if fractions make sense here, {default}.0 in the notebook's cell."
    if isinstance(default, float) and isinstance(value, str):
        return f"Write a number, such as -p {name} {default!r}; YAML wants a dot in it: 1.0e-3, not 1e-3."
    return f"Write it as in the notebook's cell: {name} = {default!r}"


def _flaw(value: object, depth: int = 0) -> str:
    """Return why a value can't be written into a notebook, empty if it can."""
    if value is None or isinstance(value, (str, bool, int)):
        return ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else f"JSON knows no {value}"
    if depth > _DEEPEST:
        return "it is nested too deeply, or holds itself"
    if isinstance(value, Mapping):
        odd = [key for key in value if not isinstance(key, str)]
        if odd:
            return f"the name {odd[0]!r} in it is no text"
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return next((flaw for flaw in (_flaw(item, depth + 1) for item in value) if flaw), "")
    return f"a {type(value).__name__} is not plain data"
