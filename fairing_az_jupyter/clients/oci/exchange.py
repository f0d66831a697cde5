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

from fairing_az_jupyter.clients.oci.auth.login import Credential, Permit
from fairing_az_jupyter.clients.oci.http import LARGEST_BODY, REDIRECTS, Answer
from fairing_az_jupyter.clients.oci.reach import no_answer, redirected, unreachable, worth_a_retry
from fairing_az_jupyter.clients.retries import Retry, classify_http, retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests

    from fairing_az_jupyter.clients.oci.http import Transport
    from fairing_az_jupyter.exceptions import FairingAzureError

_MOST_REDIRECTS = 3
_CONNECT = 10.0
_PIECE = 1 << 16
_AGENT = "fairing-az-jupyter"


class Body(Protocol):
    """A body that is read while it is sent; its length is told first."""

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
        """The answer's status; 0 for a page for people, which is no registry's answer, but a proxy may limit sizes."""
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
        patience: Seconds for all tries of one request without a long body.

    """

    def __init__(
        self,
        host: str,
        base: str,
        transport: Transport,
        credential: Credential,
        *,
        timeout: float = 30,
        patience: float = 60,
    ) -> None:
        self.host = host
        self.base = base
        self.credential = credential
        self.patience = patience
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
            UnreachableError: There is no answer.
            FairingAzureError: The registry's token service gives no token.

        """

        def attempt(seconds: float) -> Reply:
            reply = self.once(method, url, scope, body=lambda: body, headers=headers, seconds=seconds)
            retry = classify_http(reply.answer.status, reply.answer.headers)
            if retry is not None:
                raise LostError(None, retry, reply)
            return reply

        try:
            return retrying(attempt, deadline=self.patience, timeout=self._timeout, classify=again)
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
        """Send a request once; twice where a token that was kept is refused.

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
            LostError: There is no answer.
            FairingAzureError: The registry's token service gives no token.

        """
        target = self.address(url)
        while True:
            with self.opened(method, target, scope, body=body, headers=headers, seconds=seconds) as (response, permit):
                answer = self._read(response, target, seconds or self._timeout)
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
    ) -> Iterator[tuple[requests.Response, Permit]]:
        """Send one request and hand out its answer, whose body is still to be read.

        Args:
            method: The HTTP method.
            url: As for `ask`; redirects of a GET are followed, to another host without the credential.
            scope: As for `ask`.
            body: As for `once`.
            headers: Further headers.
            seconds: How long the registry may be silent.

        Yields:
            The answer, and what the request was sent with.

        Raises:
            LostError: There is no answer.
            UnreachableError: It leads where it can't be followed.

        """
        target = self.address(url)
        permit = self._permit(target, scope)
        first = permit
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._send(method, target, {**(headers or {}), **permit.headers()}, body, seconds)
            with response:
                if response.status_code not in REDIRECTS or method == "HEAD":
                    yield response, first
                    return
                location = response.headers.get("Location", "")
                following = self._following(target, location) if method == "GET" else None
                if following is None:
                    raise redirected(self.base, location, response.status_code)
                target = following
                permit = permit if self._is_own(target) else Permit(None, None, fresh=True)
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

    def read(self, response: requests.Response, url: str) -> Iterator[bytes]:
        """Yield the body of an answer as it comes.

        Raises:
            LostError: It breaks off.

        """
        try:
            yield from response.raw.stream(_PIECE, decode_content=False)
        except _unanswered() as error:
            lost = self._lost(error, url, self._timeout, sending=True)
        else:
            return
        raise lost

    def _read(self, response: requests.Response, url: str, seconds: float) -> Answer:
        body = b""
        end = time.monotonic() + seconds
        for piece in self.read(response, url):
            body += piece
            if len(body) >= LARGEST_BODY or time.monotonic() > end:
                break
        return Answer(response.status_code, response.headers, body[:LARGEST_BODY])

    def _permit(self, url: str, scope: str) -> Permit:
        if not self._is_own(url):
            return Permit(None, None, fresh=True)
        return self.credential.permit(scope, time.monotonic() + self.patience)

    def _is_own(self, url: str) -> bool:
        mine, its = urlsplit(self.base), urlsplit(url)
        return (mine.scheme, mine.netloc) == (its.scheme, its.netloc)

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
    ) -> requests.Response:
        import requests  # noqa: PLC0415 - heavy: as late as possible
        from requests.utils import get_environ_proxies  # noqa: PLC0415 - as above

        with self._counting:
            self.requests += 1
        silent = seconds or self._timeout
        content = body()
        try:
            made = requests.Request(method, url, headers={"User-Agent": _AGENT, **headers}, data=content or None)
            # Connections, trust and proxies are those of the registry's other requests.
            return self._transport.adapter().send(
                made.prepare(),
                timeout=(min(silent, _CONNECT), silent),
                proxies=get_environ_proxies(url, no_proxy=None),
                verify=self._transport.trusted(),
                stream=True,
            )
        except _unanswered() as error:
            lost = self._lost(error, url, silent, sending=bool(content))
        # Outside the handler: requests' exceptions hold the request with its Authorization header.
        raise lost

    def _lost(self, error: BaseException, url: str, seconds: float, *, sending: bool) -> LostError:
        """Return what is known of a request that got no answer; `sending` says that a body was under way."""
        from urllib3.exceptions import HTTPError, SSLError  # noqa: PLC0415 - heavy: as late as possible

        if sending and _hung_up(error):
            # Who refuses a body that is still being sent may just hang up, which TLS calls an error of its own.
            problem = no_answer(
                f"Registry '{self.host}' closed the connection while data was under way.", "Try again.", "reset"
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
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        if isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)):
            return True
        waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
    return False


def _unanswered() -> tuple[type[Exception], ...]:
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - heavy: as late as possible

    return (OSError, ValueError, HTTPError, HTTPException)  # requests does not wrap all of them
