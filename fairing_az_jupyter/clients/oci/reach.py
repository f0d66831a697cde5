"""Why a registry gave no answer, in words: what failed, why it matters, what to type next."""

from __future__ import annotations

import re
import socket
import ssl
from urllib.parse import urlsplit

from fairing_az_jupyter.clients.http import causes
from fairing_az_jupyter.exceptions import UnreachableError

WHY = "Without the registry no image can be pushed or pulled."
CHECK_HOST = "Check DOCKER_REGISTRY: az acr list --query '[].loginServer' --output tsv"

# OpenSSL's X509_V_ERR_*: https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64


def no_answer(message: str, hint: str, code: str, status: int | None = None) -> UnreachableError:
    """Return an error for a registry that is not there, or for something else in its place."""
    return UnreachableError(f"{message} {WHY}", hint=hint, code=code, service="registry", status=status)


def worth_a_retry(error: BaseException) -> bool:
    """Say whether a request that got no answer may get one when it is sent again."""
    import requests  # noqa: PLC0415 - heavy: as late as possible
    from urllib3 import exceptions  # noqa: PLC0415 - as above

    for cause in causes(error):
        if isinstance(cause, (ssl.SSLError, ConnectionRefusedError)):
            return False
        if isinstance(cause, socket.gaierror):
            return cause.errno == socket.EAI_AGAIN
    passing = (
        requests.Timeout,
        requests.ConnectionError,
        TimeoutError,
        exceptions.TimeoutError,
        exceptions.ProtocolError,
    )
    return isinstance(error, passing)


def unreachable(error: BaseException, url: str, seconds: float) -> UnreachableError:
    """Return the error for a request that got no answer.

    Args:
        error: What the HTTP library raised.
        url: Where the request went; only its host is shown.
        seconds: How long all attempts took.

    Returns:
        The error, with a code for each kind of failure.

    """
    import requests  # noqa: PLC0415 - heavy: as late as possible

    name = f"Registry '{urlsplit(url).netloc.rpartition('@')[2]}'"
    if isinstance(error, requests.exceptions.ProxyError):
        return no_answer(
            (
                f"{name} can't be reached through the proxy {_proxy_of(url)}: the proxy rejects connections or can't "
                "be reached."
            ),
            f"Check HTTPS_PROXY, or add the registry to NO_PROXY: export NO_PROXY=$NO_PROXY,{urlsplit(url).hostname}",
            "proxy",
        )
    for cause in causes(error):
        if isinstance(cause, ssl.SSLError):
            return _distrusted(name, cause)
        if isinstance(cause, socket.gaierror):
            return _unknown(name, cause, url)
        if isinstance(cause, (requests.Timeout, TimeoutError)):
            return _late(name, url, seconds)
        if isinstance(cause, ConnectionRefusedError):
            return no_answer(f"{name} refused the connection: nothing listens on that port.", CHECK_HOST, "refused")
    return _broken(name, error)


def redirected(base: str, location: str, status: int) -> UnreachableError:
    """Return the error for a redirect that is not followed."""
    try:
        target = urlsplit(location).hostname or "nowhere"
    except ValueError:
        target = "nowhere"
    if not re.fullmatch(r"[a-z0-9.:_-]{1,253}", target):
        target = "somewhere else"
    return no_answer(
        f"Registry '{urlsplit(base).netloc}' redirects to {target}. The credential was not sent there.",
        f"A login page or a proxy may be in between. {CHECK_HOST}",
        "redirected",
        status,
    )


def _distrusted(name: str, cause: ssl.SSLError) -> UnreachableError:
    if cause.library not in {None, "SSL"}:  # X509 or PEM: read from a file, not from the network
        return _no_ca_file(name)
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return no_answer(f"{name} does not answer with TLS.", CHECK_HOST, "tls")
    if cause.verify_code in {_OTHER_HOST, _OTHER_ADDRESS}:
        return no_answer(f"{name} presents the certificate of another host.", CHECK_HOST, "tls-host")
    if cause.verify_code in {_EXPIRED, _NOT_YET_VALID}:
        when = "has expired" if cause.verify_code == _EXPIRED else "is not yet valid"
        hint = "Check this machine's clock (date --utc). If it is right, the registry needs a new certificate."
        return no_answer(f"{name} presents a certificate that {when}.", hint, "tls-time")
    return no_answer(
        f"{name} presents a certificate that is not trusted ({cause.verify_message}).",
        "If your proxy intercepts TLS, point REQUESTS_CA_BUNDLE to its CA certificate: export "
        "REQUESTS_CA_BUNDLE=/path/to/ca.pem",
        "tls-untrusted",
    )


def _no_ca_file(name: str) -> UnreachableError:
    hint = "Set REQUESTS_CA_BUNDLE to a PEM file with certificates, or unset it."
    return no_answer(f"{name} can't be trusted: the file of trusted certificates can't be read.", hint, "ca-file")


def _unknown(name: str, cause: socket.gaierror, url: str) -> UnreachableError:
    if cause.errno == socket.EAI_AGAIN:
        hint = f"Try again. If it fails again, check the cluster's DNS: nslookup {urlsplit(url).hostname}"
        return no_answer(f"{name} can't be resolved: no DNS server answers.", hint, "dns")
    return no_answer(f"{name} does not exist in DNS.", CHECK_HOST, "dns-unknown")


def _late(name: str, url: str, seconds: float) -> UnreachableError:
    parts = urlsplit(url)
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/v2/"
    return no_answer(
        f"{name} did not answer in time ({seconds:.1f} s).",
        f"Check firewalls and private endpoints: curl -m 10 {address}",
        "timeout",
    )


def _broken(name: str, error: BaseException) -> UnreachableError:
    import requests  # noqa: PLC0415 - heavy: as late as possible
    from urllib3.exceptions import ProtocolError  # noqa: PLC0415 - as above

    if isinstance(error, (requests.exceptions.InvalidURL, UnicodeError)):
        return no_answer(f"{name} is not a host name.", CHECK_HOST, "host")
    if isinstance(error, (requests.ConnectionError, ProtocolError)):
        return no_answer(f"{name} closed the connection without an answer.", "Try again.", "reset")
    if isinstance(error, OSError) and not isinstance(error, requests.RequestException):
        return _no_ca_file(name)
    return no_answer(f"{name} did not send a valid HTTP answer ({type(error).__name__}).", CHECK_HOST, "no-http")


def _proxy_of(url: str) -> str:
    """Return the host of the proxy for an address, without the password that its own address may hold."""
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415 - heavy: as late as possible

    proxy = select_proxy(url, get_environ_proxies(url, no_proxy=None)) or ""
    return f"'{urlsplit(proxy if '://' in proxy else f'http://{proxy}').netloc.rpartition('@')[2]}'"
