"""HTTP requests that end in time, whatever hangs, and whose errors show nothing of what was sent.

Nothing is tried again here (`retries.py` does that), no redirect is followed, no cookie is kept and ~/.netrc is not
read: each could take a credential elsewhere, or put another in its place. What an answer or a failure means is said by
the service's own client.
"""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from fairing_az_jupyter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from requests.adapters import HTTPAdapter
    from urllib3 import BaseHTTPResponse, PoolManager

    Sent = bytes | Mapping[str, str | list[str]] | Any
    Limits = tuple[float, float]

T = TypeVar("T")

AGENT = f"fairing-az-jupyter/{__version__}"
"""The User-Agent of all requests."""
GRACE = 0.1
"""Seconds to wait on for a socket's own time-out, which knows better what it was waiting for."""

_PIECE = 1 << 16
_LARGEST_BODY = 1 << 28


class TimeUpError(TimeoutError):
    """A call has not ended in its time."""


@dataclass(frozen=True)
class Answer:
    """An answer, read to its end.

    Args:
        status: Its status.
        headers: Its headers, found in any case where they come from the network.
        body: Its body.

    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)  # it may be a token

    @property
    def is_html(self) -> bool:
        """Whether this is a page for people, as a proxy sends it."""
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return kind in {"text/html", "application/xhtml+xml"} or self.body[:64].lstrip().lower().startswith(
            (b"<!doctype html", b"<html"),
        )

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, empty where it is none."""
        return json_object(self.body) or {}


def within(seconds: float, call: Callable[[], T], *, name: str) -> T:
    """Call, and give up after some seconds: the thread that hangs is left behind.

    The time-outs of a socket begin anew with every byte that arrives, and don't cover the look-up of a name. What the
    call has opened it closes itself: closing an answer from outside waits for the thread that reads it.

    Args:
        seconds: How long the call may take.
        call: What to do; runs in another thread.
        name: The thread's name.

    Returns:
        What the call returned.

    Raises:
        TimeUpError: It has not ended in its time.
        BaseException: What the call raised.

    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            errors.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    error = errors[0] if errors else TimeUpError()
    context = error.__context__
    try:
        raise error
    finally:
        # Python has put there what the caller is handling just now, which would count among the causes.
        error.__context__ = context


def explained(call: Callable[[], T], explain: Callable[[BaseException], BaseException]) -> T:
    """Call, and put an error of ours in the place of what an HTTP library raises.

    Args:
        call: What to do.
        explain: Makes the error to raise.

    Returns:
        What the call returned.

    """
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - half a tenth of a second

    try:
        return call()
    except (OSError, ValueError, HTTPError, HTTPException) as error:  # no library wraps all of them
        ours = explain(error)
    # Outside the handler: a library's exceptions hold the request with its Authorization header.
    raise ours


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it was made of, each once: the libraries keep the reason in different places."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [getattr(cause, name, None) for name in ("inner_exception", "reason", "original_error")]
            waiting += [cause.__cause__, cause.__context__, *cause.args]


def same_origin(url: str, target: str) -> bool:
    """Tell whether a credential for one address may be sent to another: same scheme, host and port, no login in it."""
    try:
        one, other = urlsplit(url), urlsplit(target)
        same = (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)
    except ValueError:
        return False
    return same and other.username is None


def json_object(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a body is; None where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read(response: BaseHTTPResponse, *, most: int, end: float, decode: bool = True) -> bytes:
    """Read a body, and give its connection back if that was all of it.

    Args:
        response: The answer.
        most: The most bytes to read; what is beyond is left.
        end: When to give up, on `time.monotonic`'s clock.
        decode: Whether to undo the body's encoding.

    Returns:
        The body.

    Raises:
        TimeUpError: It has not come in time.

    """
    body = bytearray()
    for piece in response.stream(_PIECE, decode_content=decode):
        body += piece
        if len(body) >= most:
            return bytes(body[:most])
        if time.monotonic() > end:
            raise TimeUpError
    response.release_conn()
    return bytes(body)


def pieces(response: BaseHTTPResponse, explain: Callable[[BaseException], BaseException]) -> Iterator[bytes]:
    """Yield a body as it comes, still encoded.

    Args:
        response: The answer.
        explain: Makes the error to raise where the connection breaks.

    """
    coming = response.stream(_PIECE, decode_content=False)
    while (piece := explained(lambda: next(coming, None), explain)) is not None:
        yield piece


class Http:
    """Sends requests over connections that are kept open; safe to use from several threads."""

    def open(
        self, method: str, url: str, *, headers: Mapping[str, str], body: Sent = None, connect: float, silence: float
    ) -> BaseHTTPResponse:
        """Send a request, and return its answer with the body still to be read.

        Args:
            method: The HTTP method.
            url: The whole address.
            headers: Its headers.
            body: What is sent; a mapping is sent as a form.
            connect: Seconds to wait for a connection.
            silence: Seconds that may pass without a byte.

        Raises:
            Exception: No answer arrives; as the HTTP library has it, so see `explained`.

        """
        return self._send(method, url, {"User-Agent": AGENT, **headers}, body, (connect, silence))

    def fetch(
        self,
        method: str,
        url: str,
        *,
        seconds: float,
        headers: Mapping[str, str],
        body: Sent = None,
        most: int = _LARGEST_BODY,
    ) -> Answer:
        """Send a request as `open` does, and read its answer: at most `most` bytes, all of it within `seconds`."""
        end = time.monotonic() + seconds

        def exchange() -> Answer:
            response = self.open(method, url, headers=headers, body=body, connect=seconds, silence=seconds)
            with closing(response):
                return Answer(response.status, response.headers, read(response, most=most, end=end))

        return within(seconds + GRACE, exchange, name="http request")

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: Sent, limits: Limits) -> BaseHTTPResponse:
        raise NotImplementedError


class PoolHttp(Http):
    """Sends requests through pools of urllib3's, whose proxy and trust are set.

    Args:
        pools: The pools; they have no connection yet.

    """

    def __init__(self, pools: PoolManager) -> None:
        from fairing_az_jupyter.clients.sockets import prepare  # noqa: PLC0415 - loads urllib3

        prepare(pools)
        self._pools = pools

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._pools.clear()

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: Sent, limits: Limits) -> BaseHTTPResponse:
        import urllib3  # noqa: PLC0415 - half a tenth of a second

        timeout = urllib3.Timeout(connect=limits[0], read=limits[1])
        return self._pools.request(
            method,
            url,
            body=body,
            headers=headers,
            timeout=timeout,
            retries=False,
            redirect=False,
            preload_content=False,
        )


class WebHttp(Http):
    """Sends requests by the proxies and with the trust that the environment names.

    Args:
        verify: A file with the certificates to trust, or True for those that the environment and requests name.
        connections: How many connections to keep open.

    """

    def __init__(self, *, verify: str | bool, connections: int) -> None:
        self._verify = verify
        self._connections = connections
        self._adapter: HTTPAdapter | None = None
        self._opening = threading.Lock()

    def close(self) -> None:
        """Close the connections that are kept open."""
        if self._adapter is not None:
            self._adapter.close()

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: Sent, limits: Limits) -> BaseHTTPResponse:
        import requests  # noqa: PLC0415 - heavy: as late as possible
        from requests.adapters import HTTPAdapter  # noqa: PLC0415 - as above
        from requests.utils import get_environ_proxies  # noqa: PLC0415 - as above

        with self._opening:
            if self._adapter is None:
                self._adapter = HTTPAdapter(pool_maxsize=self._connections)
        verify: str | bool = self._verify
        if verify is True:
            verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        # No requests.Session: see the top of this module; it would also put REQUESTS_CA_BUNDLE before our own file.
        response = self._adapter.send(
            requests.Request(method, url, headers=headers, data=body).prepare(),
            timeout=limits,
            proxies=get_environ_proxies(url, no_proxy=None),
            verify=verify,
            stream=True,
        )
        raw: BaseHTTPResponse = response.raw
        return raw
