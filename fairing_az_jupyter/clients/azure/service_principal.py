"""A service principal as the Secret `azcreds` holds it, and what may be wrong with the four values."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.exceptions import CredentialError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.secret_values import SecretValue

__all__ = [
    "EXPIRES_ANNOTATION",
    "EXPIRES_NOTE",
    "SECRET_KEYS",
    "KeyProblem",
    "ServicePrincipal",
    "secret_expiry",
    "secret_problems",
    "service_principal",
    "value_problem",
]

EXPIRES_ANNOTATION = "fairing-az-jupyter/expires"
"""Where `secrets create` writes when the client secret expires: no token and no answer tells that later."""

EXPIRES_NOTE = EXPIRES_ANNOTATION.partition("/")[2]
"""The same without this package's prefix, as `Cluster.apply_secret` takes it and `StoredSecret.annotations` has it."""

Form = Literal["guid", "tenant", "secret", "text"]

SECRET_KEYS: Mapping[str, Form] = MappingProxyType(
    {
        "AZ_CLIENT_ID": "guid",
        "AZ_CLIENT_SECRET": "secret",
        "AZ_TENANT_ID": "tenant",
        "AZ_SUBSCRIPTION_ID": "guid",
    }
)
"""The keys of the Secret `azcreds`, and the form of each value."""

_SECRET_NAME = "azcreds"  # noqa: S105 - a name
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DOMAIN = re.compile(r"(?=.{4,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))+")
_QUOTES = frozenset("\"'`")
_FORMS: Mapping[str, Form] = MappingProxyType(
    {
        **SECRET_KEYS,
        "AZURE_CLIENT_ID": "guid",
        "AZURE_CLIENT_SECRET": "secret",
        "AZURE_TENANT_ID": "tenant",
        "AZURE_SUBSCRIPTION_ID": "guid",
    }
)


@dataclass(frozen=True)
class ServicePrincipal:
    """A service principal, and the subscription that it is for.

    Args:
        client_id: The application's id.
        client_secret: Its secret.
        tenant_id: The tenant's id, or a domain of it.
        subscription_id: The subscription's id; None where it is not known.

    """

    client_id: str
    client_secret: SecretValue
    tenant_id: str
    subscription_id: str | None = None


@dataclass(frozen=True)
class KeyProblem:
    """What is wrong with one key of the Secret.

    Args:
        key: The key.
        kind: `missing`, `empty` or `malformed`.
        text: The problem, to stand after the key's name; shows nothing of the value.

    """

    key: str
    kind: Literal["missing", "empty", "malformed"]
    text: str


def service_principal(
    data: Mapping[str, SecretValue], *, secret_name: str = _SECRET_NAME, namespace: str | None = None
) -> ServicePrincipal:
    """Read a service principal from the Secret's data.

    Args:
        data: The decoded values by key.
        secret_name: The Secret's name, for errors.
        namespace: Its namespace, for errors.

    Returns:
        The service principal.

    Raises:
        CredentialError: A key is missing, empty or not of its form; all are reported at once, and none of the values.

    """
    problems = secret_problems(data)
    if problems:
        where = f" in the namespace '{namespace}'" if namespace else ""
        listed = "; ".join(f"{problem.key} {problem.text}" for problem in problems)
        raise CredentialError(
            f"The Secret '{secret_name}'{where} can't be used: {listed}. Without its four values, nothing in Azure "
            "can be used.",
            hint="Write it again: %fairing_azure secrets create --azure.",
            code=f"secret-{problems[0].kind}",
            service="entra",
        )
    return ServicePrincipal(
        client_id=data["AZ_CLIENT_ID"].reveal(),
        client_secret=data["AZ_CLIENT_SECRET"],
        tenant_id=data["AZ_TENANT_ID"].reveal(),
        subscription_id=data["AZ_SUBSCRIPTION_ID"].reveal(),
    )


def secret_problems(data: Mapping[str, SecretValue]) -> tuple[KeyProblem, ...]:
    """Tell what is wrong with the Secret's data.

    Args:
        data: The decoded values by key.

    Returns:
        The problems in the order of the keys; none if all is well.

    """
    problems = []
    for key in SECRET_KEYS:
        if key not in data:
            problems.append(KeyProblem(key, "missing", f"is missing{_instead(key, data)}"))
            continue
        text = data[key].reveal()
        if not text.strip():
            problems.append(KeyProblem(key, "empty", "is empty"))
            continue
        found = value_problem(key, text)
        if found:
            problems.append(KeyProblem(key, "malformed", found))
    return tuple(problems)


def value_problem(name: str, text: str) -> str:
    """Tell what is wrong with one value.

    Args:
        name: The key or the environment's variable.
        text: The value.

    Returns:
        The problem, to stand after the name, showing nothing of the value; "" if all is well.

    """
    form = _FORMS.get(name, "text")
    for broken, problem in (
        (not text.strip(), "is empty"),
        (text.startswith("\ufeff"), "starts with a byte order mark, as written by Windows editors"),
        (text.rstrip("\r\n") != text, "ends with a line end, which counts as part of it (echo without -n?)"),
        (text.strip() != text, "has a blank at one of its ends, which counts as part of it"),
        (bool({text[:1], text[-1:]} & _QUOTES), "has quotes around it, which count as part of it"),
        (text.startswith("<") and text.endswith(">"), "is still a placeholder"),
    ):
        if broken:
            return problem
    if form == "text" or (form == "guid" and _GUID.fullmatch(text)) or (form == "tenant" and _is_tenant(text)):
        return ""
    if form == "secret":
        return "" if re.fullmatch(r"[!-~]+", text) else "has blanks or characters that client secrets can't contain"
    if _is_encoded_guid(text):
        return "is in base64 twice (kubectl encodes what it is given)"
    expected = "a GUID such as 00000000-0000-0000-0000-000000000000"
    return f"is not {expected}" + (", nor a tenant's domain" if form == "tenant" else "")


def secret_expiry(annotations: Mapping[str, str] | None) -> datetime | None:
    """Tell when the client secret expires, from what `secrets create` noted at the Secret.

    Args:
        annotations: The Secret's annotations: all of them, or this package's own without their prefix.

    Returns:
        The moment, in UTC; None where it was not noted, or not as a date or a moment of ISO 8601.

    """
    known = annotations or {}
    noted = (known.get(EXPIRES_ANNOTATION) or known.get(EXPIRES_NOTE) or "").strip()
    if not noted:
        return None
    try:
        # Python 3.10 does not know the Z.
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", noted))
        return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        return None


def _instead(key: str, data: Mapping[str, SecretValue]) -> str:
    """Name a key that was probably intended; no other, for somebody may have taken a value for a key."""
    meant = key.removeprefix("AZ_").replace("_", "").lower()
    for other in data:
        bare = re.sub(r"[^a-z]", "", other.lower())
        if other not in SECRET_KEYS and bare in {meant, f"az{meant}", f"azure{meant}", f"arm{meant}"}:
            return f" (there is {other!r} instead)"
    return ""


def _is_tenant(text: str) -> bool:
    return bool(_GUID.fullmatch(text) or _DOMAIN.fullmatch(text))


def _is_encoded_guid(text: str) -> bool:
    try:
        return bool(_GUID.fullmatch(base64.b64decode(text, validate=True).decode("ascii").strip()))
    except (binascii.Error, ValueError):
        return False
