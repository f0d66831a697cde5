"""What an answer of the API server other than success means."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.objects.asking import SERVICE, Asked, Asker, CallFailed
from fairing_az_jupyter.clients.kube.transport.unreachable import is_page, proxy_page, unreachable
from fairing_az_jupyter.clients.retries import Retry, come_back, retry_after
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.http import Answer

_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_CONFLICT_CODES = {409: "conflict", 422: "invalid"}
_SHOWN = 300
_READING = frozenset({"get", "list"})
_CLOCK_SKEW_SECONDS = 120.0
_RENEW = "Restart the notebook server, or renew the kubeconfig: az aks get-credentials -g GROUP -n CLUSTER"
# What the API server writes about who asked, and about rules that forbid; neither can quote what was sent.
_USER = re.compile(r'User "([^"]{1,253})" cannot ')
# As the API server has them, https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#StatusReason
_REASON = re.compile("[A-Za-z]{1,40}")
# What the API server says where it knows the group and not the resource; without the group it sends plain text.
_NO_SUCH_API = "could not find the requested resource"
_RULES = re.compile(
    r'exceeded quota: [a-z0-9.-]+|admission webhook "[a-z0-9.-]+" denied|being terminated|'
    r'failed calling webhook "[a-z0-9.-]+"|admission webhook "[a-z0-9.-]+" does not support dry run'
)


def rejection(answer: Answer, asked: Asked, asker: Asker) -> CallFailed:
    """Tell what an answer other than success means.

    Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and the Status object of
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/

    Args:
        answer: The answer.
        asked: What was asked.
        asker: Who asked whom.

    Returns:
        The failed call.

    """
    headers = {name.lower(): value for name, value in answer.headers.items()}
    number = answer.status
    retry = Retry(retry_after(headers)) if number in _TRANSIENT else None
    if is_page(answer):
        error: ServiceError = proxy_page(answer, asked, asker)
    elif number == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED or number < HTTPStatus.BAD_REQUEST:
        error = proxy_page(answer, asked, asker)
    elif number == HTTPStatus.BAD_REQUEST and b"HTTP request to an HTTPS server" in answer.body:
        what = "it expects HTTPS but received plain HTTP"
        hint = "Use https:// in the kubeconfig's server."
        error = unreachable(asked, asker, what, hint, "unreachable-plain-http", number)
    else:
        error = _rejected(number, headers, answer.json(), asked, asker)
    # Whatever is wrong with the request, and too many of them, is found out before anything is done.
    return CallFailed(error, retry=retry, arrived=number >= HTTPStatus.INTERNAL_SERVER_ERROR)


def _rejected(
    number: int, headers: Mapping[str, str], status: Mapping[str, Any], asked: Asked, asker: Asker
) -> ServiceError:
    said = _said(status, asked, asker)
    if number == HTTPStatus.UNAUTHORIZED:
        return _unbelieved(headers, asked, asker)
    if number == HTTPStatus.FORBIDDEN:
        return _forbidden(status, said, asked, asker)
    if number == HTTPStatus.NOT_FOUND:
        return _missing(status, asked, asker)
    if number == HTTPStatus.TOO_MANY_REQUESTS:
        wait = retry_after(headers)
        return ThrottledError(
            f"The cluster at {asker.address} received too many requests to "
            f"{asked}{'' if wait is None else f'; retry after {wait:g} s'}.",
            hint=come_back(wait),
            service=SERVICE,
            status=number,
        )
    if number < HTTPStatus.INTERNAL_SERVER_ERROR:
        scope = f" -n {asked.namespace}" if asked.namespace else ""
        return ConflictError(
            f"The cluster at {asker.address} rejected the request to {asked}: {said or f'it answered {number}'}.",
            hint=f"Check: kubectl get {asked.resource or 'all'}{scope}",
            code=_CONFLICT_CODES.get(number, "bad-request"),
            service=SERVICE,
            status=number,
        )
    return ServiceError(
        f"The cluster at {asker.address} failed to {asked}: it answered {number}{f' ({said})' if said else ''}.",
        hint=(
            "Try again. If it fails again, check the cluster's health: az aks show --resource-group GROUP --name "
            "CLUSTER"
        ),
        service=SERVICE,
        status=number,
    )


def _unbelieved(headers: Mapping[str, str], asked: Asked, asker: Asker) -> CredentialError:
    now = time.time()
    code, why = "credential", "the credential is wrong, has been revoked, or is for another cluster"
    hint = _RENEW
    try:
        skew = now - parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        skew = 0.0
    expires = asker.token_expires
    if expires is not None and expires.timestamp() <= now - skew:
        code, why = "credential-expired", f"the token has expired on {expires:%Y-%m-%d at %H:%M} UTC"
    elif abs(skew) > _CLOCK_SKEW_SECONDS:
        code, why = "credential-clock", f"this machine's clock and the cluster's differ by {abs(skew):.0f} s"
        hint = "Correct the clocks, then try again."
    return CredentialError(
        f"The cluster at {asker.address} rejected the credential used to {asked}: {why}.",
        hint=hint,
        code=code,
        service=SERVICE,
        status=401,
    )


def _forbidden(status: Mapping[str, Any], said: str, asked: Asked, asker: Asker) -> ServiceError:
    text = str(status.get("message") or "")
    named = _USER.search(text)
    user = named.group(1) if named else asker.user
    if user == "system:anonymous":
        return CredentialError(
            (
                f"The cluster at {asker.address} was asked to {asked} without a credential: anonymous requests are "
                "not allowed."
            ),
            hint=_RENEW,
            code="credential-missing",
            service=SERVICE,
            status=403,
        )
    # RBAC says `cannot`; a quota or an admission rule answers 403 to a change too, and more rights would not help.
    if text and " cannot " not in text and asked.verb not in _READING:
        return NotAllowedError(
            f"A rule of the cluster at {asker.address} forbids to {asked}: {said or 'no reason given'}.",
            hint="Ask the cluster's administrator about this quota or admission rule.",
            code="not-allowed-by-rule",
            service=SERVICE,
            status=403,
        )
    if asked.namespace:
        _, _, account = user.removeprefix("system:serviceaccount:").partition(":")
        who = f"--serviceaccount={user.split(':', 2)[2]}" if account else f"--user='{user or 'NAME'}'"
        hint = (
            f"Ask the owner of the profile '{asked.namespace}' for kubeflow-edit: kubectl -n {asked.namespace} "
            f"create rolebinding {account or 'notebook'}-edit --clusterrole=kubeflow-edit {who}"
        )
    else:
        hint = "Only the cluster's administrator can grant this cluster-wide permission."
    what = f" (verb '{asked.verb}' on '{asked.resource}')" if asked.resource else ""
    return NotAllowedError(
        f"{user or 'The user of this credential'} may not {asked}{what}, according to the cluster at "
        f"{asker.address}. Whether it exists is unknown.",
        hint=hint,
        service=SERVICE,
        status=403,
    )


def _missing(status: Mapping[str, Any], asked: Asked, asker: Asker) -> NotFoundError:
    details = status.get("details")
    kind = str(details.get("kind") or "") if isinstance(details, dict) else ""
    needed = f"; it was needed to {asked}"
    if kind == "namespaces" and asked.resource != "namespaces":
        what, code = f"Namespace '{asked.namespace}'", "not-found-namespace"
        hint = "List them, or choose another: kubectl get namespaces"
    elif asked.resource and not kind and (status.get("reason") != "NotFound" or _NO_SUCH_API in str(status)):
        what, code = f"The API of {asked.resource}", "not-found-api"
        hint = "It is not installed in the cluster: kubectl api-resources"
    else:
        where = f" in namespace '{asked.namespace}'" if asked.namespace else ""
        what, code, needed = f"{asked.what[:1].upper()}{asked.what[1:]}{where}", None, ""
        scope = f" -n {asked.namespace}" if asked.namespace else ""
        hint = f"List them: kubectl get {asked.resource or 'all'}{scope}"
    message = f"{what} not found in the cluster at {asker.address}{needed}."
    return NotFoundError(message, hint=hint, code=code, service=SERVICE, status=404)


def _said(status: Mapping[str, Any], asked: Asked, asker: Asker) -> str:
    """Return what the server says about it, as far as it can't quote a secret value."""
    text = " ".join(str(status.get("message") or "").split()).rstrip(".")
    if asked.hidden:
        # The message may quote the body that was sent; the names of its fields are ours.
        details = status.get("details")
        causes = details.get("causes") if isinstance(details, dict) else None
        fields = [str(cause.get("field")) for cause in causes or [] if isinstance(cause, dict) and cause.get("field")]
        about = f", about {', '.join(fields)}" if fields else ""
        rule = _RULES.search(text)
        reason = str(status.get("reason"))
        reason = reason if _REASON.fullmatch(reason) else "no reason"
        text = f"{rule.group() if rule else reason}{about}"
    # A badly made proxy may quote what it was sent.
    secret = asker.secret.reveal().partition(" ")[2] if asker.secret else ""
    text = text.replace(secret, "(hidden)") if secret else text
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
