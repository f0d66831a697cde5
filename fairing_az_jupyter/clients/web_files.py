"""Files on the web: read as a whole, and known from the page that stands in their place."""

from __future__ import annotations

import threading
from http import HTTPStatus
from urllib.parse import urlsplit

from fairing_az_jupyter.exceptions import (
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    UnreachableError,
)

__all__ = ["read_web_file"]

_NETWORK = "Check the address and the network (a firewall, HTTPS_PROXY), then try again."
_REFUSALS: dict[int, tuple[type[ServiceError], str, str]] = {
    401: (CredentialError, "it asks for a login", "Name a file that can be read without one, or download it first."),
    403: (NotAllowedError, "it may not be read", "Name a file that can be read without a login, or download it first."),
    404: (NotFoundError, "there is none", "Check the address."),
    410: (NotFoundError, "it is no longer there", "Check the address."),
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
    outcome: list[bytes | BaseException] = []

    def work() -> None:
        try:
            outcome.append(_get(url, shown, timeout))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome.append(error)

    shown = url.partition("?")[0].partition("#")[0]
    # No time-out of a socket bounds an answer that comes drop by drop.
    thread = threading.Thread(target=work, name="read a web file", daemon=True)
    thread.start()
    thread.join(deadline)
    if not outcome:
        host = urlsplit(shown).hostname or ""
        raise _unreachable(shown, f"{host} has not sent all of it within {deadline:g} s", "timeout")
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _get(url: str, shown: str, timeout: float) -> bytes:
    import requests  # noqa: PLC0415 - heavy

    try:
        host = urlsplit(shown).hostname or ""
        # Some services answer with a page of theirs to who does not ask for the file itself.
        answer = requests.get(url, headers={"Accept": "application/json, */*;q=0.5"}, timeout=timeout)
    except requests.exceptions.SSLError:
        failed = _unreachable(shown, f"no TLS connection to {host} could be made, or its certificate is refused", "tls")
    except requests.exceptions.Timeout:
        failed = _unreachable(shown, f"{host} did not answer in time", "timeout")
    except requests.exceptions.TooManyRedirects:
        failed = _unreachable(shown, f"{host} points from one address to the next without an end", "redirects")
    except (requests.exceptions.RequestException, ValueError) as error:
        # Its own text has the whole address, and so perhaps a signature.
        failed = _unreachable(shown, f"there is no connection ({type(error).__name__})", "unreachable")
    else:
        if answer.status_code != HTTPStatus.OK:
            raise _refused(shown, answer.status_code)
        return answer.content
    raise failed


def _unreachable(shown: str, problem: str, code: str) -> UnreachableError:
    return UnreachableError(f"Can't read '{shown}': {problem}.", hint=_NETWORK, code=code, service="web")


def _refused(shown: str, status: int) -> ServiceError:
    kind, problem, cure = _REFUSALS.get(status, (ServiceError, "it is not to be had", "Try again in a minute."))
    return kind(f"Can't read '{shown}': {problem} (HTTP {status}).", hint=cure, service="web", status=status)
