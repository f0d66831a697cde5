"""Requests to a registry that send or fetch more than a page: bodies as streams, redirects to blob storage.

The credential goes to the registry's own address only. What redirects lead to, such as Azure Blob storage, has its
permission in its address, which is therefore shown in no error.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

from fairing_az_jupyter.clients.http import GRACE, Answer, causes, explained, pieces, read, same_origin, within
from fairing_az_jupyter.clients.oci.auth.login import Credential, Permit
from fairing_az_jupyter.clients.oci.http import LARGEST_BODY, REDIRECTS
from fairing_az_jupyter.clients.oci.reach import no_answer, redirected, unreachable, worth_a_retry
from fairing_az_jupyter.clients.retries import Retry, classify_http, retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from fairing_az_jupyter.clients.oci.http import Transport
    from fairing_az_jupyter.exceptions import FairingAzureError

_MOST_REDIRECTS = 3
_CONNECT = 10.0
_SMALL = 1 << 16


class Body(Protocol):
    """A body that is read while it is sent; its length is sent first."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def read(self, size: int = -1, /) -> bytes:
        """Return some of what is left; nothing at the end."""


class LostError(Exception):
    """A request got no answer, or one that is worth another try.

    Args:
        problem: What to raise where it is not tried again.
        retry: Whether and when it may be tried again.
        reply: The answer, where there was one.

    """

    def __init__(self, problem: FairingAzureError | None, retry: Retry | None, reply: Reply | None = None) -> None:
        super().__init__("no answer")
        self.problem = problem
        self.retry = retry
        self.reply = reply


@dataclass(frozen=True)
class Reply:
    """An answer, and what the request was sent with.

    Args:
        answer: The answer.
        permit: The credential's part.

    """

    answer: Answer
    permit: Permit

    @property
    def status(self) -> int:
        """The answer's status; 0 for a page for people, not an answer of a registry, but a proxy may limit sizes."""
        status = self.answer.status
        return 0 if self.answer.is_html and status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE else status

    def header(self, name: str) -> str:
        """Return one of the answer's headers, empty where it has none by that name."""
        return str(self.answer.headers.get(name, ""))


class Exchange:
    """Sends requests to one registry with one credential.

    Args:
        host: The registry.
        base: Its address.
        transport: What holds the connections.
        credential: Who asks.
        timeout: Seconds that the registry may be silent.
        deadline: Seconds for all tries of one request without a long body.

    """

    def __init__(
        self,
        host: str,
        base: str,
        transport: Transport,
        credential: Credential,
        *,
        timeout: float = 30,
        deadline: float = 60,
    ) -> None:
        self.host = host
        self.base = base
        self.credential = credential
        self.deadline = deadline
        self.requests = 0
        self._transport = transport
        self._timeout = timeout
        self._counting = threading.Lock()

    def ask(
        self,
        method: str,
        url: str,
        scope: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request that may be sent twice, until there is an answer.

        Args:
            method: The HTTP method.
            url: The whole address, or a path on the registry.
            scope: What the token has to allow, such as `repository:team/model:pull`.
            body: What to send.
            headers: Further headers.

        Returns:
            The answer, whatever its status; for a transient one, that of the last attempt.

        Raises:
            UnreachableError: No answer arrives.
            FairingAzureError: The registry's token service gives no token.

        """

        def attempt(seconds: float) -> Reply:
            reply = self.once(method, url, scope, body=lambda: body, headers=headers, seconds=seconds)
            retry = classify_http(reply.answer.status, reply.answer.headers)
            if retry is not None:
                raise LostError(None, retry, reply)
            return reply

        try:
            return retrying(attempt, deadline=self.deadline, timeout=self._timeout, classify=again)
        except LostError as lost:
            if lost.reply is not None:
                return lost.reply
            problem = lost.problem
        raise problem or RuntimeError(method)

    def once(
        self,
        method: str,
        url: str,
        scope: str,
        *,
        body: Callable[[], bytes | Body] = bytes,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Reply:
        """Send a request once; twice where a token that was kept is rejected.

        Args:
            method: The HTTP method.
            url: As for `ask`.
            scope: As for `ask`.
            body: Makes what is to be sent, from its start.
            headers: Further headers.
            seconds: How long the registry may be silent.

        Returns:
            The answer, whatever its status.

        Raises:
            LostError: No answer arrives.
            FairingAzureError: The registry's token service gives no token.

        """
        target = self.address(url)
        while True:
            permit = self._permit(target, scope)
            answer = self._answer(method, target, permit, body(), headers, seconds or self._timeout)
            if answer.status != HTTPStatus.UNAUTHORIZED or permit.fresh:
                return Reply(answer, permit)
            self.credential.forget()

    @contextlib.contextmanager
    def opened(
        self,
        method: str,
        url: str,
        scope: str,
        *,
        body: Callable[[], bytes | Body] = bytes,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        permit: Permit | None = None,
    ) -> Iterator[tuple[BaseHTTPResponse, Permit]]:
        """Send one request and hand out its answer, whose body is still to be read.

        Args:
            method: The HTTP method.
            url: As for `ask`; redirects of a GET are followed, to another host without the credential.
            scope: As for `ask`.
            body: As for `once`.
            headers: Further headers.
            seconds: How long the registry may be silent.
            permit: What to send it with; one for the scope if None.

        Yields:
            The answer, and what the request was sent with.

        Raises:
            LostError: No answer arrives.
            UnreachableError: It leads where it can't be followed.

        """
        target = self.address(url)
        first = permit = permit or self._permit(target, scope)
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._send(method, target, {**(headers or {}), **permit.headers()}, body, seconds)
            with contextlib.closing(response):
                if response.status not in REDIRECTS or method == "HEAD":
                    yield response, first
                    return
                location = response.headers.get("Location", "")
                following = self._following(target, location) if method == "GET" else None
                if following is None:
                    raise redirected(self.base, location, response.status)
                target = following
                permit = permit if same_origin(self.base, target) else Permit(None, None, fresh=True)
        raise redirected(self.base, target, HTTPStatus.FOUND)

    def address(self, location: str) -> str:
        """Return the whole address of a path or of what a Location header names.

        A registry behind a proxy that ends TLS may name itself with `http`: its own host is always asked by its own
        address.
        """
        target = urljoin(f"{self.base}/", location)
        parts = urlsplit(target)
        if parts.netloc == urlsplit(self.base).netloc:
            return parts._replace(scheme=urlsplit(self.base).scheme).geturl()
        return target

    def read(self, response: BaseHTTPResponse, url: str) -> Iterator[bytes]:
        """Return the body of an answer as it comes; it raises LostError where that breaks off."""
        return pieces(response, lambda error: self._lost(error, url, self._timeout, sending=True))

    def _answer(
        self,
        method: str,
        target: str,
        permit: Permit,
        content: bytes | Body,
        headers: Mapping[str, str] | None,
        seconds: float,
    ) -> Answer:
        def exchange() -> Answer:
            sent = self.opened(
                method, target, "", body=lambda: content, headers=headers, seconds=seconds, permit=permit
            )
            with sent as (response, _):
                body = read(response, most=LARGEST_BODY, end=time.monotonic() + seconds, decode=False)
                return Answer(response.status, response.headers, body)

        def in_time() -> Answer:
            # What is large takes the time that it takes, as long as it gets on.
            return exchange() if len(content) > _SMALL else within(seconds + GRACE, exchange, name="registry request")

        return explained(in_time, lambda error: self._lost(error, target, seconds, sending=True))

    def _permit(self, url: str, scope: str) -> Permit:
        if not same_origin(self.base, url):
            return Permit(None, None, fresh=True)
        return self.credential.permit(scope, time.monotonic() + self.deadline)

    def _following(self, url: str, location: str) -> str | None:
        """Return where a redirect leads, if that is safe to follow."""
        try:
            target = self.address(urljoin(url, location))
            parts = urlsplit(target)
            lowered = urlsplit(url).scheme == "https" and parts.scheme != "https"
        except ValueError:
            return None
        return target if location and parts.hostname and not lowered and parts.username is None else None

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Callable[[], bytes | Body],
        seconds: float | None,
    ) -> BaseHTTPResponse:
        with self._counting:
            self.requests += 1
        silence = seconds or self._timeout
        content = body()
        connect = min(silence, _CONNECT)
        # Connections, trust and proxies are those of the registry's other requests.
        web = self._transport.web
        return explained(
            lambda: web.open(method, url, headers=headers, body=content or None, connect=connect, silence=silence),
            lambda error: self._lost(error, url, silence, sending=bool(content)),
        )

    def _lost(self, error: BaseException, url: str, seconds: float, *, sending: bool) -> LostError:
        """Return what is known of a request that got no answer; `sending` says that a body was under way."""
        from urllib3.exceptions import HTTPError, SSLError  # noqa: PLC0415 - heavy: as late as possible

        if sending and _hung_up(error):
            # Who rejects a body that is still being sent may just hang up, which TLS calls an error of its own.
            problem = no_answer(
                f"Registry '{self.host}' closed the connection during the transfer.", "Try again.", "reset"
            )
            return LostError(problem, Retry())
        passing = isinstance(error, (HTTPError, HTTPException)) and not isinstance(error, SSLError)
        retry = Retry() if passing or worth_a_retry(error) or isinstance(error, ConnectionError) else None
        return LostError(unreachable(error, url, seconds), retry)


def again(error: BaseException) -> Retry | None:
    """Say for `retrying` whether a request is worth another try."""
    return error.retry if isinstance(error, LostError) else None


def _hung_up(error: BaseException) -> bool:
    """Say whether an established connection was closed by the other side."""
    broken = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    return any(isinstance(cause, broken) for cause in causes(error))
