"""The values of a service principal that only the user has: from a file, the environment, or asked for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.azure.service_principal import value_problem
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.models import Question
from fairing_az_jupyter.setup.principal_files import (
    KEYS,
    PREFIXES,
    FoundValues,
    ValueName,
    date_of,
    read_secret_file,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["KEYS", "SecretValues", "ValueName", "gather", "missing_values"]

_REPEATS = 3
# In brackets: what `az ad sp create-for-rbac` calls it.
_LABELS: Mapping[ValueName, str] = MappingProxyType(
    {
        "client_id": "Client id of the service principal (appId)",
        "client_secret": "Client secret (password; not shown while you type)",
        "tenant_id": "Tenant id (tenant)",
        "subscription_id": "Subscription id (az account show --query id)",
    }
)


@dataclass(frozen=True)
class SecretValues:
    """The values that were given; None for what is to stay as it is in the Secret.

    Args:
        client_id: The application's id.
        client_secret: Its secret.
        tenant_id: The tenant's id, or a domain of it.
        subscription_id: The subscription's id.
        expires: When the client secret expires; None where it is not known.
        warnings: What the user should know about where they come from, one sentence each.

    """

    client_id: str | None = dataclasses.field(default=None, repr=False)
    client_secret: SecretValue | None = None
    tenant_id: str | None = dataclasses.field(default=None, repr=False)
    subscription_id: str | None = dataclasses.field(default=None, repr=False)
    expires: date | None = None
    warnings: tuple[str, ...] = ()


def gather(
    *,
    environ: Mapping[str, str] | None,
    file: str | None,
    ask: Callable[[Question], str] | None,
    needed: tuple[ValueName, ...],
    keepable: frozenset[ValueName],
    expires: str | None = None,
) -> SecretValues:
    """Gather the values that are needed: from the file, else the environment, else by questions.

    Questions about what may stay as it is are asked only if neither file nor environment has any of the values.

    Args:
        environ: The environment; None not to look there.
        file: A file, `-` for standard input; None for none.
        ask: Asks the user one question and returns the answer; None where nobody can be asked.
        needed: The values to gather; others are passed over.
        keepable: Those that may stay as they are in the Secret.
        expires: When the client secret expires, as `YYYY-MM-DD`, if the user has said so.

    Returns:
        The values.

    Raises:
        InputError: A value is missing or not of its form, or the file can't be read. No value is shown.

    """
    until = _date_given(expires)
    found = _given(environ, file, needed)
    values = dict(found.values)
    open_names = [name for name in needed if name not in values and (name not in keepable or not values)]
    if ask is None:
        missing = [name for name in open_names if name not in keepable]
        if missing:
            raise missing_values(missing)
    else:
        for name in open_names:
            answer = _asked(ask, name, needed=needed, keepable=name in keepable)
            if answer is not None:
                values[name] = answer
    if "client_secret" in found.values:
        until = until or found.expires
    elif "client_secret" in values and until is None and ask is not None:
        until = _asked_date(ask)
    plain = {name: held.reveal() for name, held in values.items() if name != "client_secret"}
    return SecretValues(
        client_id=plain.get("client_id"),
        client_secret=values.get("client_secret"),
        tenant_id=plain.get("tenant_id"),
        subscription_id=plain.get("subscription_id"),
        expires=until,
        warnings=found.warnings,
    )


def missing_values(names: list[ValueName]) -> InputError:
    """Return the error that says which values are missing, and the three ways to give them.

    Args:
        names: What is missing.

    Returns:
        The error.

    """
    keys = [KEYS[name] for name in names]
    where = " `az account show --query id` prints the subscription's id." if "subscription_id" in names else ""
    return InputError(
        f"Values of the service principal are missing: {', '.join(keys)}. Without them the Secrets can't be written; "
        "nothing was changed.",
        hint=(
            "Run the command in a terminal or a notebook, where you are asked for them without echo; or set "
            f"{' and '.join(keys)} in the environment, beside --from-env or --from-file; or add --from-file FILE, "
            f"with what `az ad sp create-for-rbac` has printed.{where}"
        ),
        code="secret-values-missing",
    )


def _given(environ: Mapping[str, str] | None, file: str | None, needed: tuple[ValueName, ...]) -> FoundValues:
    """Return the needed values of the file and the environment; reject those that are not of their form."""
    found = read_secret_file(file) if file is not None else FoundValues()
    values = {name: value for name, value in found.values.items() if name in needed}
    places = dict(found.places)
    for name in needed:
        if environ is None or name in values:
            continue
        variables = [f"{prefix}{KEYS[name].removeprefix(PREFIXES[0])}" for prefix in PREFIXES]
        variable = next((variable for variable in variables if environ.get(variable, "").strip()), None)
        if variable is not None:
            values[name] = SecretValue(environ[variable].strip())
            places[name] = f"{variable} in the environment"
    problems = [
        f"{places[name]} {problem}"
        for name, value in values.items()
        if (problem := value_problem(KEYS[name], value.reveal()))
    ]
    if problems:
        raise InputError(
            f"The service principal's values can't be used: {'; '.join(problems)}. Nothing was changed.",
            hint="Correct these values, then run the command again; `az account show` prints tenant and subscription.",
            code="secret-values",
        )
    # A date of the file is about the file's own secret.
    expires = found.expires if "client_secret" in found.values else None
    return FoundValues(values, places, expires, found.warnings)


def _asked(
    ask: Callable[[Question], str], name: ValueName, *, needed: tuple[ValueName, ...], keepable: bool
) -> SecretValue | None:
    """Ask for a value until its form is right; None for one that is to stay as it is."""
    label = f"{_LABELS[name]}{', empty: unchanged' if keepable else ''}: "
    question = Question(name, label, hidden=name == "client_secret", optional=keepable)
    for _ in range(1 + _REPEATS):
        answer = _answer(ask, question, needed)
        if keepable and not answer:
            return None
        problem = value_problem(KEYS[name], answer.reveal())
        if not problem:
            return answer
        question = replace(question, text=f"{KEYS[name]} {problem}. {label}")
    raise InputError(
        f"No valid {KEYS[name]} after {1 + _REPEATS} answers. Nothing was changed.",
        hint="Look up the value (az ad sp show, az account show), then run the command again.",
        code="secret-values",
    )


def _asked_date(ask: Callable[[Question], str]) -> date | None:
    label = "Expiry date of the client secret (YYYY-MM-DD, empty: unknown):  "
    question = Question("expires", label, optional=True)
    for _ in range(1 + _REPEATS):
        answer = _answer(ask, question, ())
        if not answer:
            return None
        day = date_of(answer.reveal())
        problem = _date_problem(day)
        if not problem:
            return day
        question = replace(question, text=f"That {problem}. {label}")
    raise InputError(
        f"No valid date after {1 + _REPEATS} answers. Nothing was changed.",
        hint="Run the command again with a date such as 2027-11-30, or nothing if it is unknown.",
        code="secret-values",
    )


def _answer(ask: Callable[[Question], str], question: Question, needed: tuple[ValueName, ...]) -> SecretValue:
    try:
        return SecretValue(ask(question).strip())
    except EOFError:
        pass
    raise missing_values(list(needed))


def _date_given(expires: str | None) -> date | None:
    if expires is None or not expires.strip():
        return None
    day = date_of(expires)
    problem = _date_problem(day)
    if problem:
        raise InputError(
            f"The expiry date of the client secret {problem}. Nothing was changed.",
            hint="Give it as YYYY-MM-DD, such as --expires 2027-11-30, or omit it.",
            code="secret-expires",
        )
    return day


def _date_problem(day: date | None) -> str:
    if day is None:
        return "is not a date of the form YYYY-MM-DD"
    return "is in the past" if day < datetime.now(timezone.utc).date() else ""
