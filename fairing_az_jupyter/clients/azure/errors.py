"""The one place where what Azure's packages raise becomes a `ServiceError`.

Nothing of an answer's text goes into a message: a server, or a proxy before it, may repeat what it was sent. Only
statuses and codes do.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, Literal

from fairing_az_jupyter.clients.azure.error_codes import ENTRA, MEANINGS, Meaning
from fairing_az_jupyter.clients.http import causes
from fairing_az_jupyter.clients.retries import Retry, classify_http, come_back, retry_after
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    FairingAzureError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Asked", "clock_difference", "error_code", "from_answer", "from_azure", "not_in_time", "transient"]

LARGEST_SKEW = 300.0
"""Seconds that a clock may be wrong: what Entra ID allows for a token; Storage allows 15 minutes for a signature."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,79}")
_AADSTS = re.compile(r"AADSTS(\d{4,9})")
_SERVICE_NAMES = {
    "entra": "Microsoft Entra ID",
    "arm": "Azure Resource Manager",
    "blob": "Azure Blob Storage",
}
_NETWORK_HINT = "Check the network of this machine or of the cluster, then try again."
_TIMEOUT_HINT = "Check that this network can reach it (firewall, private endpoint, HTTPS_PROXY), then try again."
_RETRY_HINT = "Try again. If it fails again, az monitor activity-log list --resource-group GROUP may show more."
_PROXY_HINT = "Check the proxy (HTTPS_PROXY) and NO_PROXY, then try again."
_NOT_FOUND_NAMES = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
# OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED and X509_V_ERR_HOSTNAME_MISMATCH.
_NOT_YET_VALID, _HAS_EXPIRED, _HOSTNAME_MISMATCH = 9, 10, 62
# Every Storage account has a host of its own; there is no other sign, without Resource Manager, that there is none.
_NO_ACCOUNT = Meaning(
    NotFoundError,
    "storage account {account} not found: DNS knows neither the host nor a private endpoint of it",
    (
        "az storage account check-name --name {account} shows whether the name is in use; or set azure_region to "
        "create one."
    ),
    "no-such-account",
)


@dataclass(frozen=True)
class Asked:
    """What a call asks for, so that an error can say it.

    Args:
        service: Which service is asked.
        action: To stand after "Can't ": such as "read the Storage account 'contoso'".
        host: The host that is asked.
        why: A sentence on why it matters; may be empty.
        names: What the texts of the known codes name, such as `client_id`; never a secret.
        fixes: What to type next, by our error code, where the call knows better than the tables.

    """

    service: Literal["entra", "arm", "blob"]
    action: str
    host: str
    why: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    fixes: Mapping[str, str] = field(default_factory=dict)


class _Names(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"<{key.replace('_', '-')}>"


def from_azure(error: BaseException, asked: Asked) -> FairingAzureError:
    """Turn what an Azure package raised into one of our errors.

    Args:
        error: The exception; one of ours stays itself.
        asked: What was asked.

    Returns:
        The error to raise, in its own right: outside the `except` block, so that nothing of the other comes with it.

    """
    chain = tuple(causes(error))
    own = next((each for each in chain if isinstance(each, FairingAzureError)), None)
    if own is not None:
        return own
    answered = _answer_of(chain)
    code = error_code(error)
    if asked.service == "entra" and code in ENTRA:
        return from_answer(asked, answered.status_code if answered else None, code, _headers(answered))
    if answered is not None:
        return from_answer(asked, answered.status_code, code, _headers(answered))
    reason = _no_answer(chain, asked)
    if reason is not None:
        return _made(asked, reason, None, "")
    if asked.service == "entra":
        return _unknown_rejection(asked, None, code) if code.isdigit() else _no_token(chain, asked)
    return _made(asked, Meaning(ServiceError, f"the Azure package failed with {type(error).__name__}"), None, "")


def from_answer(
    asked: Asked, status: int | None, code: str = "", headers: Mapping[str, str] | None = None
) -> ServiceError:
    """Turn an error answer into one of our errors.

    Args:
        asked: What was asked.
        status: The HTTP status, where known.
        code: The service's own error code: the number after AADSTS, `x-ms-error-code`, or ARM's `error.code`.
        headers: The answer's headers.

    Returns:
        The error to raise.

    """
    if _is_page(headers):
        problem = f"a web page answered instead of {_SERVICE_NAMES[asked.service]}: probably a proxy or a login page"
        return _made(asked, Meaning(UnreachableError, problem, _PROXY_HINT, "not-the-service"), status, "")
    if status == 404 and not code and asked.service != "entra":  # noqa: PLR2004 - RFC 9110
        # Both services always say what they did not find; somebody else's 404 must not pass for 'missing'.
        problem = f"what answered is not {_SERVICE_NAMES[asked.service]}"
        return _made(asked, Meaning(UnreachableError, problem, _PROXY_HINT, "not-the-service"), status, "")
    skew = clock_difference(headers)
    busy = asked.service == "entra" and status is not None and (status == 429 or status >= 500)  # noqa: PLR2004
    meaning = None if busy else MEANINGS[asked.service].get(code)
    rejected = status == 401 or (meaning is not None and meaning.error is CredentialError)  # noqa: PLR2004 - RFC 9110
    if rejected and abs(skew) > LARGEST_SKEW and (meaning is None or meaning.code in {None, "clock-skew"}):
        return _made(asked, _skewed(skew), status, code)
    if meaning is None:
        if asked.service == "entra" and not busy:
            return _unknown_rejection(asked, status, code)
        meaning = _by_status(status)
    if meaning.error is ThrottledError:
        meaning = replace(meaning, fix=come_back(retry_after(headers)))
    return _made(asked, meaning, status, code)


def not_in_time(asked: Asked, seconds: float) -> ServiceError:
    """Return the error for a call that has no answer yet when its time is over.

    Args:
        asked: What was asked.
        seconds: How long it was waited for.

    Returns:
        The error to raise.

    """
    problem = f"{asked.host} did not answer within {seconds:g} s"
    return _made(asked, Meaning(UnreachableError, problem, _TIMEOUT_HINT, "timeout"), None, "")


def transient(error: BaseException) -> Retry | None:
    """Tell whether an exception of an Azure package is worth another try.

    Args:
        error: The exception.

    Returns:
        With the wait that the service asked for; None if another try would end the same.

    """
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError  # noqa: PLC0415 - heavy

    chain = tuple(causes(error))
    if any(isinstance(each, FairingAzureError | ssl.SSLCertVerificationError) for each in chain):
        return None
    answered = _answer_of(chain)
    if answered is not None:
        if _is_page(_headers(answered)):
            return None
        return classify_http(answered.status_code, _headers(answered))
    if any(isinstance(each, socket.gaierror) and each.errno in _NOT_FOUND_NAMES for each in chain):
        return None
    return Retry() if any(isinstance(each, ServiceRequestError | ServiceResponseError) for each in chain) else None


def clock_difference(headers: Mapping[str, str] | None) -> float:
    """Compare this machine's clock with the service's, by the answer's Date.

    Args:
        headers: The answer's headers.

    Returns:
        Seconds by which this machine is ahead; 0 where the answer does not tell.

    """
    sent = {str(name).lower(): value for name, value in (headers or {}).items()}.get("date", "")
    try:
        return time.time() - parsedate_to_datetime(sent).timestamp()
    except (TypeError, ValueError, OverflowError):
        return 0.0


def error_code(error: BaseException) -> str:
    """Find the service's own error code in what was raised.

    Args:
        error: The exception.

    Returns:
        The number after AADSTS, `x-ms-error-code`, or ARM's `error.code`; "" where there is none.

    """
    chain = tuple(causes(error))
    for each in chain:
        found = _AADSTS.search(str(each))
        if found:
            return found[1]
    answered = _answer_of(chain)
    named = _headers(answered).get("x-ms-error-code", "") if answered is not None else ""
    for candidate in (
        named,
        *(getattr(getattr(each, "error", None), "code", None) for each in chain),
        *(getattr(getattr(each, "error_code", None), "value", getattr(each, "error_code", None)) for each in chain),
    ):
        if isinstance(candidate, str) and _CODE.fullmatch(candidate):
            return candidate
    return ""


def _answer_of(chain: tuple[BaseException, ...]) -> Any:  # noqa: ANN401 - azure.core has two response types
    responses = (getattr(each, "response", None) for each in chain)
    return next((each for each in responses if isinstance(getattr(each, "status_code", None), int)), None)


def _headers(response: Any) -> dict[str, str]:  # noqa: ANN401 - as above
    return {str(name).lower(): str(value) for name, value in (getattr(response, "headers", None) or {}).items()}


def _is_page(headers: Mapping[str, str] | None) -> bool:
    lowered = {str(name).lower(): value for name, value in (headers or {}).items()}
    return lowered.get("content-type", "").lower().startswith(("text/html", "application/xhtml"))


def _skewed(skew: float) -> Meaning:
    minutes = max(1, round(abs(skew) / 60))
    return Meaning(
        CredentialError,
        f"this machine's clock is {minutes} min {'ahead of' if skew > 0 else 'behind'} Azure's",
        "Correct the clock of this machine (on AKS: of the node).",
        "clock-skew",
    )


def _by_status(status: int | None) -> Meaning:
    known = {
        401: Meaning(CredentialError, "Azure does not accept the credential", "Check the credential and its tenant."),
        403: Meaning(
            NotAllowedError,
            "the identity {assignee} may not do it",
            "Ask for a role that may: az role assignment list.",
        ),
        404: Meaning(NotFoundError, "not found", _RETRY_HINT),
        407: Meaning(UnreachableError, "the proxy asks for a login", _PROXY_HINT, "proxy"),
        429: Meaning(ThrottledError, "there are too many requests", "Try again in a minute."),
    }
    if status in known:
        return known[status]
    if status is not None and 300 <= status < 400:  # noqa: PLR2004 - RFC 9110
        return Meaning(
            UnreachableError, "the answer redirects to another host, as a proxy does", _PROXY_HINT, "not-the-service"
        )
    if status is not None and 400 <= status < 500 and status != 408:  # noqa: PLR2004 - RFC 9110
        return Meaning(ConflictError, "Azure rejected the request", _RETRY_HINT)
    return Meaning(
        ServiceError,
        "the service or its gateway failed",
        "Try again in a few minutes; see https://azure.status.microsoft for outages.",
        "service-failed",
    )


def _unknown_rejection(asked: Asked, status: int | None, code: str) -> ServiceError:
    look_up = f"https://login.microsoftonline.com/error?code={code} explains it." if code else "Check the credential."
    return _made(asked, Meaning(CredentialError, "Microsoft Entra ID rejected the credential", look_up), status, code)


def _no_token(chain: tuple[BaseException, ...], asked: Asked) -> ServiceError:
    """Find out why there is no token although nothing of the network failed."""
    unread = next((each for each in chain if isinstance(each, OSError) and each.filename), None)
    if unread is not None:
        problem = f"the file {str(unread.filename)!r} can't be read ({unread.strerror})"
        return _made(
            asked,
            Meaning(CredentialError, problem, "Check that it exists and is readable.", "unreadable-file"),
            None,
            "",
        )
    # The Azure CLI's credential has no other sign of being logged out or of a CLI that failed.
    if any(type(each).__name__ == "CredentialUnavailableError" for each in chain):
        return _made(
            asked, Meaning(CredentialError, "{source} returned no token", "Type: az login", "no-token"), None, ""
        )
    if any(isinstance(each, KeyError | ValueError | TypeError | AttributeError) for each in chain):
        problem = f"what came from {asked.host} is not an answer of Microsoft Entra ID"
        return _made(asked, Meaning(UnreachableError, problem, _PROXY_HINT, "not-the-service"), None, "")
    return _unknown_rejection(asked, None, "")


def _no_answer(chain: tuple[BaseException, ...], asked: Asked) -> Meaning | None:
    """Find out why there is no answer; None where the exceptions tell of none such."""
    from azure.core.exceptions import DecodeError, ServiceRequestError, ServiceResponseError  # noqa: PLC0415 - heavy
    from requests.exceptions import ProxyError  # noqa: PLC0415 - heavy

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(each, kinds) for each in chain)

    certificate = next((each for each in chain if isinstance(each, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        return _certificate_meaning(certificate, asked.host)
    lookup = next((each.errno for each in chain if isinstance(each, socket.gaierror)), None)
    if asked.service == "blob" and lookup in _NOT_FOUND_NAMES and not has(ProxyError):
        return _NO_ACCOUNT
    timed_out = has(TimeoutError) or any("Timeout" in type(each).__name__ for each in chain)
    # What requests says of a path that is not there; it has no exception of its own.
    no_bundle = any(isinstance(each, OSError) and "CA certificate bundle" in str(each) for each in chain)
    bundle_hint = "Set REQUESTS_CA_BUNDLE to an existing file, or unset it."
    reasons = (
        (no_bundle, "the file with trusted certificate authorities does not exist", bundle_hint, "no-ca-bundle"),
        (has(ProxyError), "the proxy could not be used", _PROXY_HINT, "proxy"),
        (lookup in _NOT_FOUND_NAMES, f"host {asked.host} not found", _NETWORK_HINT, "no-such-host"),
        (lookup is not None, f"the name {asked.host} could not be looked up", _NETWORK_HINT, "name-lookup"),
        (timed_out, f"{asked.host} did not answer in time", _TIMEOUT_HINT, "timeout"),
        (has(ConnectionRefusedError), f"{asked.host} refused the connection", _NETWORK_HINT, "refused"),
        (has(ssl.SSLError), f"no TLS connection to {asked.host} could be established", _PROXY_HINT, "tls"),
        (
            has(DecodeError, UnicodeDecodeError, JSONDecodeError),
            f"what came from {asked.host} is not an answer of {_SERVICE_NAMES[asked.service]}",
            _PROXY_HINT,
            "not-the-service",
        ),
        (
            has(ServiceRequestError, ServiceResponseError, ConnectionError),
            f"the connection to {asked.host} was lost",
            _NETWORK_HINT,
            "connection-lost",
        ),
    )
    return next((Meaning(UnreachableError, *reason) for applies, *reason in reasons if applies), None)


def _certificate_meaning(error: ssl.SSLCertVerificationError, host: str) -> Meaning:
    if error.verify_code in {_NOT_YET_VALID, _HAS_EXPIRED}:
        state = "not valid yet" if error.verify_code == _NOT_YET_VALID else "no longer valid"
        return Meaning(
            UnreachableError,
            f"the certificate of {host} is {state}, by this machine's clock",
            "Check this machine's clock. If it is right, the certificate has to be renewed.",
            "certificate-dates",
        )
    if error.verify_code == _HOSTNAME_MISMATCH:
        problem = f"the certificate that was shown is not that of {host}"
        return Meaning(UnreachableError, problem, _PROXY_HINT, "certificate-name")
    return Meaning(
        UnreachableError,
        f"the certificate of {host} is signed by an authority that is not trusted",
        "If your organisation's proxy intercepts TLS, set REQUESTS_CA_BUNDLE to a file with its certificate authority.",
        "untrusted-certificate",
    )


def _made(asked: Asked, meaning: Meaning, status: int | None, code: str) -> ServiceError:
    names = _Names(asked.names)
    shown = f"AADSTS{code}" if asked.service == "entra" and code.isdigit() else code
    answered = " ".join(part for part in (f"HTTP {status}" if status else "", shown) if part)
    problem = meaning.problem.format_map(names) + (f" ({answered} from {asked.host})" if answered else "")
    kind = meaning.code or meaning.error.code
    return meaning.error(
        f"Can't {asked.action}: {problem}.{' ' if asked.why else ''}{asked.why}",
        hint=asked.fixes.get(kind) or asked.fixes.get(meaning.error.code) or meaning.fix.format_map(names),
        code=kind,
        service=asked.service,
        status=status,
    )
