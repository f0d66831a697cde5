"""Why there is no answer of the API server: no name, no route, no trust, no time, or somebody else who answers."""

from __future__ import annotations

import http.client
import socket
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.http import causes
from fairing_az_jupyter.clients.kube.objects.asking import SERVICE, Asked, Asker, CallFailed
from fairing_az_jupyter.clients.retries import Retry
from fairing_az_jupyter.exceptions import UnreachableError

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.http import Answer

_PROTOCOL = "HTTP/"
_CHECK_ADDRESS = "Check that kubectl can reach it: kubectl cluster-info"
_FETCH = "az aks get-credentials --resource-group GROUP --name CLUSTER"
_VERIFY = {  # OpenSSL's X509_V_ERR_* numbers: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
    9: ("its certificate is not valid yet", "tls-expired", "Correct the clock of this machine or of the cluster."),
    10: (
        "its certificate has expired",
        "tls-expired",
        "Renew it (az aks rotate-certs), or correct this machine's clock.",
    ),
    62: (
        "its certificate is for another name",
        "tls-name",
        f"Fetch the kubeconfig again: {_FETCH}",
    ),
    64: (
        "its certificate is for another address",
        "tls-name",
        f"Fetch the kubeconfig again: {_FETCH}",
    ),
}


def no_answer(cause: BaseException, asked: Asked, asker: Asker, seconds: float) -> CallFailed:
    """Tell what a failed connection means.

    Args:
        cause: What urllib3 or the socket raised.
        asked: What was asked.
        asker: Who asked whom.
        seconds: How long all attempts have taken.

    Returns:
        The failed call. Nothing of the cause's text is in it, which may quote headers.

    """
    from urllib3 import exceptions as pool  # noqa: PLC0415 - half a tenth of a second

    chain = tuple(causes(cause))

    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(item, kinds) for item in chain)

    tls = next((item for item in chain if isinstance(item, ssl.SSLError)), None)
    # Up to urllib3 1.26 a refused connection is a kind of time-out.
    late = among(TimeoutError) or (among(pool.TimeoutError) and not among(pool.NewConnectionError))
    arrived, hint = False, _CHECK_ADDRESS
    if tls is not None and not among(ssl.SSLEOFError, ssl.SSLZeroReturnError):
        return CallFailed(_tls_problem(tls, asked, asker), arrived=False)
    if late:
        arrived = not among(pool.ConnectTimeoutError, pool.NewConnectionError)
        what = f"no answer within {seconds:.2g} s"
        hint = f"The cause may be a firewall, a missing VPN, or a busy cluster. {_CHECK_ADDRESS}"
        error = unreachable(asked, asker, what, hint, "unreachable-timeout")
        return CallFailed(error, retry=Retry(), arrived=arrived)
    if among(pool.ProxyError):
        what, code = f"the proxy {asker.proxy} rejected the connection", "unreachable-proxy"
        hint = "Correct HTTPS_PROXY, or add the cluster's host to NO_PROXY."
    elif among(pool.SSLError) and tls is None:
        # Up to urllib3 1.26 names are compared there, and not by Python's ssl.
        what, code, hint = "its certificate is for another name", "unreachable-tls-name", _VERIFY[62][2]
    elif among(socket.gaierror, pool.LocationParseError):
        what, code = "its name can't be resolved", "unreachable-name"
        hint = f"Check the name and the network (a private cluster needs the VPN). {_CHECK_ADDRESS}"
    elif among(pool.NewConnectionError):
        what = "nothing listens on the port" if among(ConnectionRefusedError) else "no route to the host"
        code = "unreachable-refused"
    elif not among(OSError) and any(_is_other_protocol(item) for item in chain):
        what, code, arrived = "the server does not speak HTTP", "unreachable-no-http", True
    else:
        return cut(asked, asker)
    return CallFailed(unreachable(asked, asker, what, hint, code), arrived=arrived)


def cut(asked: Asked, asker: Asker) -> CallFailed:
    """Tell that a connection ended before a whole answer was there.

    Args:
        asked: What was asked.
        asker: Who asked whom.

    Returns:
        The failed call.

    """
    what = "the connection was closed before an answer arrived"
    return CallFailed(unreachable(asked, asker, what, _CHECK_ADDRESS, "unreachable-reset"), retry=Retry())


def is_cut(answer: Answer) -> bool:
    """Tell whether an answer ended within its headers, which http.client takes for an answer without a body.

    Args:
        answer: The answer to a request for an object; that is never empty.

    Returns:
        Whether nothing says how long its body is, and there is none.

    """
    names = {name.lower() for name in answer.headers}
    return not answer.body and not names & {"content-length", "transfer-encoding"}


def _is_other_protocol(cause: BaseException) -> bool:
    """Tell whether an exception of http.client is about another protocol; a status line may have been cut short."""
    if isinstance(cause, http.client.RemoteDisconnected) or not isinstance(cause, http.client.HTTPException):
        return False
    if not isinstance(cause, http.client.BadStatusLine):
        return isinstance(cause, (http.client.LineTooLong, http.client.UnknownProtocol))
    line = str(cause.args[0])
    return line.endswith("\n") or not (line.startswith(_PROTOCOL) or _PROTOCOL.startswith(line))


def is_page(answer: Answer) -> bool:
    """Tell whether an answer is a web page: no API server sends one, whatever the status says.

    Args:
        answer: The answer.

    Returns:
        Whether it looks like HTML.

    """
    kind = next((value for name, value in answer.headers.items() if name.lower() == "content-type"), "")
    return "html" in kind.lower() or answer.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def proxy_page(answer: Answer, asked: Asked, asker: Asker) -> UnreachableError:
    """Tell that something else than an API server has answered.

    Args:
        answer: The answer.
        asked: What was asked.
        asker: Who asked whom.

    Returns:
        The error.

    """
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        sent = f"a redirection (status {answer.status})"
    elif is_page(answer):
        sent = f"a web page (status {answer.status})"
    elif answer.status < HTTPStatus.MULTIPLE_CHOICES:
        sent = "something that is not a Kubernetes object"
    else:
        sent = f"status {answer.status}"
    return unreachable(
        asked,
        asker,
        f"the server is not a Kubernetes API server: it sends {sent}, as proxies and login pages do",
        "Add the cluster's host to NO_PROXY, or check the kubeconfig's server: kubectl config view --minify",
        "unreachable-proxy-page",
        answer.status,
    )


def _tls_problem(cause: ssl.SSLError, asked: Asked, asker: Asker) -> UnreachableError:
    text = str(cause).upper().replace(" ", "_")
    if "WRONG_VERSION_NUMBER" in text or "HTTP_REQUEST" in text or "RECORD_LAYER_FAILURE" in text:
        what, code = "it answers in plain HTTP instead of HTTPS", "plain-http"
        hint = "Check the address and the port of the server: kubectl config view --minify"
    elif isinstance(cause, ssl.SSLCertVerificationError):
        reason = (cause.verify_message or "").rstrip(".")
        untrusted = (
            f"its certificate is not signed by a trusted authority ({reason})",
            "tls-untrusted",
            (
                "The cause may be a proxy that intercepts TLS (add the host to NO_PROXY), or an outdated "
                f"certificate file: {_FETCH}"
            ),
        )
        what, code, hint = _VERIFY.get(cause.verify_code, untrusted)
    else:
        what, code = f"TLS fails ({cause.reason or 'no reason given'})", "tls"
        hint = "The cause may be a proxy that intercepts TLS, or a rejected client certificate."
    return unreachable(asked, asker, what, hint, f"unreachable-{code}")


def unreachable(
    asked: Asked, asker: Asker, what: str, hint: str, code: str, status: int | None = None
) -> UnreachableError:
    """Tell that the API server can't be reached.

    Args:
        asked: What was asked.
        asker: Who asked whom.
        what: What was found instead of an answer.
        hint: What to do about it.
        code: The error's code.
        status: The HTTP status, where there was one.

    Returns:
        The error.

    """
    through = f" (through the proxy {asker.proxy})" if asker.proxy else ""
    return UnreachableError(
        f"The cluster at {asker.address}{through} can't be reached to {asked}: {what}.",
        hint=hint,
        code=code,
        service=SERVICE,
        status=status,
    )
