"""A front before any server of the stand: it counts the calls, and does what can go wrong between two machines."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, replace
from email.utils import formatdate, parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

from .web import LONGEST_HANG, RESET, Answer, WebServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from .authority import Authority, Kind
    from .refusals import Refusal
    from .web import Answering, Request

_PROXY_PAGE = (
    b"<!DOCTYPE html><html><head><title>Access denied</title></head>"
    b"<body><h1>Your organization's proxy has blocked this page</h1></body></html>"
)


@dataclass(frozen=True)
class Call:
    """One request that came in: enough to count it, nothing that could be a secret.

    Args:
        method: The HTTP method.
        path: The path, without the query: a query can hold a signature.
        host: The host that the client asked for.
        status: What it got; 0 where the connection was dropped or hung.
        began: Seconds, by a clock that only goes forward.
        seconds: How long it took until the answer's first byte.
        leak: A value that must be in no URL was in this one.

    """

    method: str
    path: str
    host: str
    status: int
    began: float
    seconds: float
    leak: bool = False


@dataclass
class _Rule:
    act: Callable[[Request], Answer | None]
    path: re.Pattern[str]
    method: re.Pattern[str]
    times: int | None
    skip: int
    after: bool = False

    def applies(self, request: Request) -> bool:
        if not (self.method.fullmatch(request.method) and self.path.search(request.target)):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


class Fault:
    """A front with faults that tests switch on and off; as a context manager it ends with its block.

    Every fault takes `path` (a regular expression, searched in path and query), `method` (a regular expression, whole),
    `times` (how many requests; None for all) and `skip` (how many matching requests to let through first). Of several
    that fit, the first counts, until its times are used up.

    Args:
        authority: Issues the front's certificates; None for a front without TLS.
        answering: What stands behind: a double, or a `Forwarder` to a real server.
        refusal: Writes a refusal as the service behind does.

    """

    def __init__(self, authority: Authority | None, answering: Answering, refusal: Refusal) -> None:
        self.forbidden: set[str] = set()
        self.answering = answering
        self._refusal = refusal
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._calls: list[Call] = []
        self._delay = 0.0
        self._skew: float | None = 0.0
        self._released = threading.Event()
        self._server = WebServer(authority, self._answer)
        self.port = self._server.port
        self.url = self._server.url
        self.host = f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def calls(self) -> list[Call]:
        """All calls since the last `clear`, in the order of their answers."""
        with self._lock:
            return list(self._calls)

    def count(self, path: str = "", method: str = ".*") -> int:
        """Return how many calls there were since the last `clear`."""
        return sum(bool(re.search(path, call.path) and re.fullmatch(method, call.method)) for call in self.calls)

    def delay(self, milliseconds: float) -> None:
        """Make every call take so much longer."""
        self._delay = milliseconds / 1000

    def skew(self, seconds: float | None) -> None:
        """Make the service's clock, as its answers' Date shows it, wrong by so many seconds; None for no Date."""
        self._skew = seconds

    def certificate(self, kind: Kind) -> None:
        """Show this kind of certificate from now on, also to clients that are connected already."""
        self._server.certificate = kind
        self._server.disconnect()

    def refuse(
        self,
        status: int,
        *,
        code: str = "",
        message: str = "",
        headers: tuple[tuple[str, str], ...] = (),
        path: str = "",
        method: str = ".*",
        times: int | None = None,
        skip: int = 0,
    ) -> None:
        """Answer with a status, in the words of the service.

        Args:
            status: The HTTP status, such as 401, 403, 429, 500 or 503.
            code: The service's own error code; the usual one for the status if empty.
            message: The error text; the usual one if empty.
            headers: Further headers, such as `(("Retry-After", "2"),)`.
            path: See the class.
            method: See the class.
            times: See the class.
            skip: See the class.

        """

        def act(request: Request) -> Answer:
            answer = self._refusal(status, request, code, message)
            return replace(answer, headers=answer.headers + headers)

        self._add(act, path, method, times, skip)

    def throttle(
        self, seconds: int = 1, *, path: str = "", method: str = ".*", times: int | None = None, skip: int = 0
    ) -> None:
        """Answer 429 with Retry-After."""
        headers = (("Retry-After", str(seconds)),)
        self.refuse(429, headers=headers, path=path, method=method, times=times, skip=skip)

    def answer(
        self,
        answer: Answer,
        *,
        path: str = "",
        method: str = ".*",
        times: int | None = None,
        skip: int = 0,
        after: bool = False,
    ) -> None:
        """Give this very answer; with `after` only once the request has been carried out."""
        self._add(lambda _: answer, path, method, times, skip, after=after)

    def proxy_page(
        self, status: int = 200, *, path: str = "", method: str = ".*", times: int | None = None, skip: int = 0
    ) -> None:
        """Answer with the HTML page of a proxy that does not let the call through (200 or 502)."""
        self._add(lambda _: page(status), path, method, times, skip)

    def drop(self, *, path: str = "", method: str = ".*", times: int | None = None, skip: int = 0) -> None:
        """Reset the connection once the request has come."""
        self._add(lambda _: RESET, path, method, times, skip)

    def hang(self, *, path: str = "", method: str = ".*", times: int | None = None, skip: int = 0) -> None:
        """Never answer, until `clear` or `close`."""

        def act(_: Request) -> Answer:
            self._released.wait(LONGEST_HANG)
            return RESET

        self._add(act, path, method, times, skip)

    def slow(
        self, milliseconds: float, *, path: str = "", method: str = ".*", times: int | None = None, skip: int = 0
    ) -> None:
        """Make some calls take so much longer; they are answered as ever."""

        def act(_: Request) -> None:
            self._released.wait(milliseconds / 1000)

        self._add(act, path, method, times, skip)

    def clear(self) -> None:
        """Take all faults away, let go what hangs, and forget the calls and the forbidden values."""
        with self._lock:
            self._rules.clear()
            self._calls.clear()
            self._released.set()
            self._released = threading.Event()
        self.forbidden = set()
        self._delay = self._skew = 0.0
        if self._server.certificate != "trusted":
            self.certificate("trusted")

    def close(self) -> None:
        """Let go what hangs, and stop."""
        self._released.set()
        self._server.close()

    def _add(
        self,
        act: Callable[[Request], Answer | None],
        path: str,
        method: str,
        times: int | None,
        skip: int,
        *,
        after: bool = False,
    ) -> None:
        with self._lock:
            self._rules.append(_Rule(act, re.compile(path), re.compile(method), times, skip, after))

    def _behind(self, request: Request) -> Answer:
        return self.answering(request)

    def _answer(self, request: Request) -> Answer:
        began = time.monotonic()
        if self._delay:
            self._released.wait(self._delay)
        answer = _shifted(self._faulty(request) or self._behind(request), self._skew)
        spellings = (request.target, unquote(request.target), unquote_plus(request.target))
        leak = any(value in spelling for value in self.forbidden for spelling in spellings)
        status = 0 if answer.fault else answer.status
        call = Call(request.method, request.path, request.host, status, began, time.monotonic() - began, leak=leak)
        with self._lock:
            self._calls.append(call)
        return answer

    def _faulty(self, request: Request) -> Answer | None:
        with self._lock:
            rules = list(self._rules)
        for rule in rules:
            with self._lock:
                applies = rule.applies(request)
            if applies and rule.after:
                self._carry_out(request)
            answer = rule.act(request) if applies else None
            if answer is not None:
                return answer
        return None

    def _carry_out(self, request: Request) -> None:
        answer = self._behind(request)
        if not isinstance(answer.body, bytes):
            for _ in answer.body:
                pass


def page(status: int = 200, headers: tuple[tuple[str, str], ...] = (), body: bytes = _PROXY_PAGE) -> Answer:
    """Return the HTML page of a proxy that does not let the call through."""
    return Answer(status, body, (("Content-Type", "text/html; charset=utf-8"), *headers))


def _shifted(answer: Answer, seconds: float | None) -> Answer:
    if seconds is None:
        return replace(answer, date_shift=None)
    if not seconds:
        return answer
    headers = tuple(
        (name, formatdate(parsedate_to_datetime(value).timestamp() + seconds, usegmt=True))
        if name.lower() == "date"
        else (name, value)
        for name, value in answer.headers
    )
    return replace(answer, headers=headers, date_shift=seconds)
