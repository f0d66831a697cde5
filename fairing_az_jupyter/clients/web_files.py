"""Files on the web: read as a whole, and known from the page that stands in their place."""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from urllib.parse import urlsplit

from fairing_az_jupyter.clients.http import Answer, TimeUpError, explained, read, within
from fairing_az_jupyter.exceptions import (
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    UnreachableError,
)

__all__ = ["read_web_file"]

_ACCEPT = "application/json, */*;q=0.5"
_LARGEST = 1 << 28
_NETWORK = "Check the address and the network (a firewall, HTTPS_PROXY), then try again."
_REJECTIONS: dict[int, tuple[type[ServiceError], str, str]] = {
    401: (CredentialError, "it requires a login", "Use a file that needs no login, or download it first."),
    403: (NotAllowedError, "it may not be read", "Use a file that needs no login, or download it first."),
    404: (NotFoundError, "not found", "Check the address."),
    410: (NotFoundError, "it no longer exists", "Check the address."),
}


def read_web_file(url: str, *, timeout: float = 10.0, deadline: float = 120.0) -> bytes:
    """Read a file by HTTP.

    Args:
        url: Its address. Its query, which may hold a signature, is in no error.
        timeout: Seconds to wait for a connection, and for the next bytes.
        deadline: Seconds for all of it.

    Returns:
        Its bytes.

    Raises:
        ServiceError: There is none, it may not be read, or there is no answer.

    """
    address = url.partition("?")[0].partition("#")[0]
    # Neither the query nor a login before the host's name may be in an error.
    shown = re.sub(r"//[^/]*@", "//", address)
    end = time.monotonic() + deadline

    def get() -> Answer:
        import requests  # noqa: PLC0415 - heavy

        # Some services answer with a page of theirs to who does not ask for the file itself. Redirects are followed,
        # and ~/.netrc is read, as by browsers and curl -n: requests sends a login to the host that it is for only.
        with requests.get(url, headers={"Accept": _ACCEPT}, timeout=timeout, stream=True) as answer:
            found = answer.status_code == HTTPStatus.OK
            return Answer(answer.status_code, {}, read(answer.raw, most=_LARGEST, end=end) if found else b"")

    answer = explained(
        lambda: within(deadline, get, name="read a web file"), lambda error: _no_answer(error, shown, deadline)
    )
    if answer.status != HTTPStatus.OK:
        raise _rejected(shown, answer.status)
    if len(answer.body) >= _LARGEST:
        message = f"Can't read '{shown}': it is larger than {_LARGEST >> 20} MiB."
        raise ServiceError(message, hint="Download the file first and use the copy.", code="too-large", service="web")
    return answer.body


def _no_answer(error: BaseException, shown: str, deadline: float) -> UnreachableError:
    """Say what is wrong; the error's own text has the whole address, and so perhaps a signature."""
    from requests import exceptions  # noqa: PLC0415 - heavy
    from urllib3.exceptions import TimeoutError as LateError  # noqa: PLC0415 - heavy

    try:
        host = urlsplit(shown).hostname or ""
    except ValueError:
        host = ""
    if isinstance(error, TimeUpError):
        return _unreachable(shown, f"{host} did not send all of it within {deadline:g} s", "timeout")
    if isinstance(error, exceptions.SSLError):
        problem = f"no TLS connection to {host} could be established, or its certificate was rejected"
        return _unreachable(shown, problem, "tls")
    if isinstance(error, (exceptions.Timeout, LateError)):
        return _unreachable(shown, f"{host} did not answer in time", "timeout")
    if isinstance(error, exceptions.TooManyRedirects):
        return _unreachable(shown, f"{host} redirects endlessly", "redirects")
    return _unreachable(shown, f"connection failed ({type(error).__name__})", "unreachable")


def _unreachable(shown: str, problem: str, code: str) -> UnreachableError:
    return UnreachableError(f"Can't read '{shown}': {problem}.", hint=_NETWORK, code=code, service="web")


def _rejected(shown: str, status: int) -> ServiceError:
    kind, problem, fix = _REJECTIONS.get(status, (ServiceError, "it is not available", "Try again in a minute."))
    return kind(f"Can't read '{shown}': {problem} (HTTP {status}).", hint=fix, service="web", status=status)
