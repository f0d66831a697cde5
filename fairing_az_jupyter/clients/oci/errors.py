"""What a registry's rejections mean, in words: what failed, why it matters, what to type next.

Nothing that a server sent is repeated but known error codes and addresses: a server may echo a credential.
"""

from __future__ import annotations

import re
import shlex
from http import HTTPStatus
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.oci.reach import CHECK_HOST, WHY, no_answer
from fairing_az_jupyter.clients.retries import retry_after
from fairing_az_jupyter.exceptions import (
    CredentialError,
    NotAllowedError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.http import Answer

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/containers
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"

_ACR_HOST = re.compile(r"([a-z0-9]+)(?:-[a-z0-9]+)?\.azurecr\.(?:io|us|cn)")
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
_CODES = frozenset({"DENIED", "MANIFEST_UNKNOWN", "NAME_UNKNOWN", "TOOMANYREQUESTS", "UNAUTHORIZED", "UNSUPPORTED"})
# A service that asks for a wait of more than a day is not believed.
_LONG = 24 * 3600.0
_CLIENT_IP = re.compile(r"client with IP\W+(?:u0027)?([0-9a-fA-F.:]+)")


def not_a_registry(host: str, answer: Answer) -> UnreachableError:
    """Return the error for a server that answers, but not as a registry does."""
    if answer.is_html:
        return no_answer(
            f"Registry '{host}' answered with a web page (HTTP {answer.status}): it is a proxy, a login page or "
            "another web site.",
            f"Add the registry to NO_PROXY if there is a proxy. {CHECK_HOST}",
            "html",
            answer.status,
        )
    return no_answer(
        f"'{host}' answers, but is not a container registry (HTTP {answer.status} for /v2/).",
        CHECK_HOST,
        "not-a-registry",
        answer.status,
    )


def unexpected(host: str, answer: Answer, doing: str) -> ServiceError:
    """Return the error for an answer that is wrong whoever asks.

    Args:
        host: The registry.
        answer: Its answer.
        doing: What was tried, such as `pull from 'team/model'`.

    Returns:
        The error: too many requests, a web page, a failing server, or any other status.

    """
    status = answer.status
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        hint = "Put user and password into HTTPS_PROXY, or add the registry to NO_PROXY."
        return no_answer(f"The proxy in front of registry '{host}' requires a password.", hint, "proxy", status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = retry_after(answer.headers)
        return ThrottledError(
            f"Registry '{host}' rejected the request to {doing}: too many requests.",
            hint=f"Try again in {wait:.0f} seconds." if wait and wait < _LONG else "Try again in a minute.",
            service="registry",
            status=status,
        )
    if answer.is_html:
        return not_a_registry(host, answer)
    return ServiceError(
        f"Registry '{host}' failed to {doing}: HTTP {status}{_codes(answer)}. {WHY}",
        hint="Try again. If it fails again, see https://status.azure.com or ask the registry's owner.",
        service="registry",
        status=status,
    )


def forbidden(host: str, answer: Answer) -> ServiceError | None:
    """Return the error for a 403 that does not come from a lack of rights.

    Args:
        host: The registry.
        answer: Its answer.

    Returns:
        The error for a registry's firewall or for a web page; None for any other answer.

    """
    text = answer.body[:4096].decode("utf-8", "replace")
    if address := _CLIENT_IP.search(text):
        return _firewall(host, address[1])
    return not_a_registry(host, answer) if answer.is_html else None


def shut_out(host: str, answer: Answer) -> NotAllowedError:
    """Return the error for a registry that lets nobody in, or not this identity."""
    return NotAllowedError(
        f"Registry '{host}' gives this identity no access (HTTP {answer.status}{_codes(answer)}). {WHY}",
        hint="Check whether public network access to the registry is disabled (https://aka.ms/acr/firewall). Otherwise "
        f"grant AcrPush ({ACR_PUSH}), or in ABAC mode 'Container Registry Repository Writer', to the identity.",
        code="shut-out",
        service="registry",
        status=answer.status,
    )


def disbelieved(host: str, answer: Answer, username: str | None) -> CredentialError:
    """Return the error for a credential that the registry does not accept."""
    if username is None:
        message = f"Registry '{host}' rejected the credential (HTTP {answer.status})."
        hint = "Sign in again. If the identity is new, check its role on the registry."
    else:
        message = (
            f"Registry '{host}' does not accept the password of user '{username}' (HTTP {answer.status}): "
            "it is wrong or has expired."
        )
        hint = (
            f"Create a new client secret: az ad sp credential reset --id {shlex.quote(username)}; then store it: "
            "%fairing_azure secrets create --acr. If it is new, check the service principal's role on the registry."
        )
    return CredentialError(f"{message} {WHY}", hint=hint, service="registry", status=answer.status)


def credential_missing(host: str, part: str) -> CredentialError:
    """Return the error for a registry that asks for a credential when there is none."""
    return CredentialError(
        f"Registry '{host}' requires a credential, but {part}. {WHY}",
        hint="Store one: %fairing_azure secrets create --acr",
        code="credential-missing",
        service="registry",
        status=401,
    )


def own_token_rejected(host: str) -> CredentialError:
    """Return the error for a registry that rejects the token that it has just issued."""
    return CredentialError(
        f"Registry '{host}' rejected a token that its own token service had just issued. {WHY}",
        hint=(
            "Try again. Check that DOCKER_REGISTRY is the registry's own name, and the clocks of the registry and "
            "its token service."
        ),
        code="token-refused",
        service="registry",
        status=401,
    )


def not_allowed(
    host: str,
    answer: Answer,
    *,
    repository: str,
    username: str | None,
    action: str,
    has: frozenset[str] | None,
) -> NotAllowedError:
    """Return the error for a credential that is believed, but may not do this.

    Args:
        host: The registry.
        answer: Its answer.
        repository: The repository's name.
        username: Who asked; None for an identity without a name here.
        action: `pull` or `push`.
        has: What the token allows instead; None where it does not say.

    Returns:
        The error; its hint names the role that is needed and the command that grants it.

    """
    who = f"User '{username}'" if username else "This identity"
    only = f", only {', '.join(sorted(has))}" if has else ""
    if has and action in has:
        only = ", although the registry's token allows it: a rule or lock of the registry forbids it"
    role, number, abac = (
        ("AcrPush", ACR_PUSH, "Container Registry Repository Writer")
        if action == "push"
        else ("AcrPull", ACR_PULL, "Container Registry Repository Reader")
    )
    direction = "to" if action == "push" else "from"
    grant = f"az role assignment create --assignee {shlex.quote(username or 'CLIENT_ID')} --role {number}"
    hint = (
        f"Grant {role}: {grant} --scope $(az acr show --name {_acr_name(host)} --query id --output tsv). A registry "
        f"in ABAC mode ignores {role}: grant '{abac}' there. A new role assignment may take some minutes."
    )
    return NotAllowedError(
        f"{who} may not {action} {direction} '{repository}' in registry '{host}'{only} "
        f"(HTTP {answer.status}{_codes(answer)}). Without it no image can be {action}ed.",
        hint=hint,
        code=f"not-allowed-{action}",
        service="registry",
        status=answer.status,
    )


def _firewall(host: str, address: str) -> NotAllowedError:
    return NotAllowedError(
        f"The firewall of registry '{host}' blocks requests from {address}. {WHY}",
        hint=f"Allow it: az acr network-rule add --name {_acr_name(host)} --ip-address {address}, or give the cluster "
        "a private endpoint: https://aka.ms/acr/firewall",
        code="firewall",
        service="registry",
        status=403,
    )


def _acr_name(host: str) -> str:
    """Return the registry's name as az wants it."""
    acr = _ACR_HOST.fullmatch(host)
    return acr[1] if acr else host.partition(":")[0]


def _codes(answer: Answer) -> str:
    listed = answer.json().get("errors")
    entries = listed if isinstance(listed, list) else []
    codes = [str(entry.get("code")) for entry in entries if isinstance(entry, dict)]
    return next((f" {code}" for code in codes if code in _CODES), "")
