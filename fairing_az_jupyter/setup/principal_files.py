"""A service principal's values in a file: what the Azure CLI prints, or lines of NAME=VALUE.

Texts that may hold a secret are `SecretValue` wherever an error is raised: a verbose traceback shows local variables,
and the errors of `json` and of the codecs keep the whole text.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
import sys
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.settings.naming import looks_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEYS", "PREFIXES", "FoundValues", "ValueName", "date_of", "read_secret_file"]

ValueName = Literal["client_id", "client_secret", "tenant_id", "subscription_id"]

KEYS: Mapping[ValueName, str] = MappingProxyType(
    {
        "client_id": "AZ_CLIENT_ID",
        "client_secret": "AZ_CLIENT_SECRET",
        "tenant_id": "AZ_TENANT_ID",
        "subscription_id": "AZ_SUBSCRIPTION_ID",
    }
)
"""The Secret's key of each value."""

PREFIXES = ("AZ_", "AZURE_", "ARM_")
"""What the names begin with in environments and files; the first one wins."""

LARGEST = 64 * 1024
"""Bytes that a file may have; four values need less than one of them."""

# The Azure CLI's words: https://learn.microsoft.com/cli/azure/ad/sp#az-ad-sp-create-for-rbac, its form for SDKs
# (--json-auth), and Microsoft Graph's addPassword.
_WORDS: Mapping[ValueName, tuple[str, ...]] = MappingProxyType(
    {
        "client_id": ("clientid", "appid"),
        "client_secret": ("clientsecret", "password", "secrettext"),
        "tenant_id": ("tenantid", "tenant"),
        "subscription_id": ("subscriptionid",),
    }
)
_EXPIRES = ("enddatetime", "enddate")
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=(.*)")
_QUOTED = re.compile(r"""(?:'([^']*)'|"((?:[^"\\]|\\.)*)")\s*(?:#.*)?""")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ].*)?", re.ASCII)
_FORMS = (
    "Give what `az ad sp create-for-rbac` or `az ad app credential reset` prints, or lines such as "
    "AZ_CLIENT_ID=VALUE (also AZURE_* and ARM_*)."
)


@dataclass(frozen=True)
class FoundValues:
    """What a file holds.

    Args:
        values: The values by name, as they stand there, without blanks around them.
        places: Where each of them stands, in words.
        expires: When the client secret expires, if the file says it.
        warnings: What the user should know about the file, one sentence each.

    """

    values: Mapping[ValueName, SecretValue] = field(default_factory=dict)
    places: Mapping[ValueName, str] = field(default_factory=dict)
    expires: date | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """A name of the file, where it stands, and its value."""

    name: str
    place: str
    value: SecretValue


@dataclass(frozen=True)
class _Content:
    """A file's text, or what is wrong with it."""

    text: SecretValue = field(default_factory=lambda: SecretValue(""))
    problem: str = ""
    hint: str = "Check the path."
    open_to_others: bool = False


def read_secret_file(path: str) -> FoundValues:
    """Read a service principal's values from a file.

    Args:
        path: The file, or `-` for standard input.

    Returns:
        What it holds; names that it does not know are passed over.

    Raises:
        InputError: The file can't be read or understood, or has none of the values. Nothing of it is shown.

    """
    shown = "Standard input" if path == "-" else f"The file {_shown(path)}"
    content = _from_standard_input() if path == "-" else _from_file(path)
    if content.problem:
        raise InputError(
            f"{shown} {content.problem}, so the service principal's values can't be read from it.",
            hint=content.hint,
            code="secret-file",
        )
    entries, problem = _parse(content.text)
    found = {name: entry for name in KEYS if (entry := _entry(name, entries)) is not None}
    if not problem and not found:
        problem = "contains none of the values of a service principal"
    if problem:
        raise InputError(f"{shown} {problem}; nothing was read from it.", hint=_FORMS, code="secret-file")
    warnings: tuple[str, ...] = ()
    if content.open_to_others:
        warnings = (f"{shown} can be read by other users of this machine: delete it, or run chmod 600 {_shown(path)}.",)
    return FoundValues(
        {name: entry.value for name, entry in found.items()},
        {name: f"{entry.place} of {shown[0].lower()}{shown[1:]}" for name, entry in found.items()},
        next((date_of(entry.value.reveal()) for entry in entries if _bare(entry.name) in _EXPIRES), None),
        warnings,
    )


def date_of(text: str) -> date | None:
    """Read a date, also from a moment of ISO 8601.

    Args:
        text: Such as `2027-11-30` or `2027-11-30T08:00:00Z`.

    Returns:
        The date; None if it is none.

    """
    matched = _DATE.fullmatch(text.strip())
    try:
        return date.fromisoformat(matched[1]) if matched else None
    except ValueError:
        return None


def _shown(path: str) -> str:
    """Return a path for messages, unless somebody has given the secret itself in place of one."""
    odd = not path.isprintable() or any(mark in path for mark in "{\"'=") or looks_secret(path)
    return "(its name is not shown)" if odd else f"'{path}'"


def _from_standard_input() -> _Content:
    stream = sys.stdin
    if stream is None or stream.closed:
        return _Content(problem="is closed", hint="Use a file.")
    if stream.isatty():
        hint = "Send a file to it (`< FILE`), or omit --from-file to be asked without echo."
        return _Content(problem="is a terminal, which would show the secret", hint=hint)
    try:
        binary = getattr(stream, "buffer", None)
        return _decoded(stream.read(LARGEST + 1).encode() if binary is None else binary.read(LARGEST + 1))
    except (OSError, ValueError):
        pass
    return _Content(problem="can't be read", hint="Use a file.")


def _from_file(path: str) -> _Content:
    try:
        with Path(path).expanduser().open("rb") as file:
            facts = os.fstat(file.fileno())
            content = _decoded(file.read(LARGEST + 1))
    except FileNotFoundError:
        return _Content(problem="does not exist")
    except IsADirectoryError:
        return _Content(problem="is a folder")
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None)
        return _Content(problem=f"can't be read ({reason})" if reason else "has a path that can't be read")
    # Windows tells the same permissions for every file; a pipe is gone once it is read.
    is_open = os.name == "posix" and stat.S_ISREG(facts.st_mode) and bool(facts.st_mode & 0o077)
    return _Content(content.text, content.problem, content.hint, open_to_others=is_open)


def _decoded(data: bytes) -> _Content:
    if len(data) > LARGEST:
        return _Content(problem=f"is larger than {LARGEST // 1024} KiB", hint=_FORMS)
    # Windows PowerShell's `>` writes UTF-16.
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        return _Content(problem=f"is not UTF-8 text (byte {error.start + 1})", hint=_FORMS)
    if re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text):
        return _Content(problem="is not text: it contains control characters", hint=_FORMS)
    return _Content(SecretValue(text)) if text.strip() else _Content(problem="is empty", hint=_FORMS)


def _parse(text: SecretValue) -> tuple[tuple[_Entry, ...], str]:
    """Return the entries of a file, and what is wrong with it."""
    return _parse_json(text) if text.reveal().lstrip().startswith(("{", "[")) else _parse_lines(text)


def _parse_json(text: SecretValue) -> tuple[tuple[_Entry, ...], str]:
    try:
        content = json.loads(text.reveal())
    except json.JSONDecodeError as error:
        return (), f"is not valid JSON (line {error.lineno}, column {error.colno})"
    except (ValueError, RecursionError):
        return (), "is not valid JSON that can be read"
    if not isinstance(content, dict):
        return (), "holds a JSON list where an object with the values is expected"
    entries = []
    for name, value in content.items():
        known = _is_known(name)
        if isinstance(value, str):
            entries.append(_Entry(name, f"'{name}'" if known else "", SecretValue(value.strip())))
        elif known and value is not None:
            return (), f"has a '{name}' that is not text"
    return tuple(entries), ""


def _parse_lines(text: SecretValue) -> tuple[tuple[_Entry, ...], str]:
    entries = {}
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.reveal()), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        matched = _LINE.fullmatch(bare)
        if matched is None:
            return (), f"has a line {number} that is not NAME=VALUE"
        name = matched[1].upper()
        value = _unquoted(matched[2])
        if name.startswith(PREFIXES) and _is_known(name):
            if value is None:
                return (), f"has a line {number} with quotes that do not match, at {name}"
            # As in a shell, the last one counts.
            entries[name] = _Entry(name, f"{name} in line {number}", SecretValue(value.strip()))
    return tuple(entries.values()), ""


def _unquoted(text: str) -> str | None:
    """Return a value without its quotes and the comment after it; None where the quotes do not match."""
    bare = text.strip()
    if bare[:1] not in {"'", '"'}:
        return re.split(r"\s#", text, maxsplit=1)[0]
    matched = _QUOTED.fullmatch(bare)
    if matched is None:
        return None
    return matched[1] if matched[1] is not None else re.sub(r"\\([\\\"$`])", r"\1", matched[2])


def _entry(name: ValueName, entries: tuple[_Entry, ...]) -> _Entry | None:
    """Return the first of the entries for a value, in the order of its names, that is not empty."""
    filled = {_bare(entry.name): entry for entry in reversed(entries) if entry.value}
    return next((filled[spelling] for spelling in _spellings(name) if spelling in filled), None)


def _spellings(name: ValueName) -> tuple[str, ...]:
    first, *others = _WORDS[name]
    return (*(f"{_bare(prefix)}{first}" for prefix in PREFIXES), first, *others)


def _is_known(name: str) -> bool:
    return any(_bare(name) in _spellings(value) for value in KEYS)


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
