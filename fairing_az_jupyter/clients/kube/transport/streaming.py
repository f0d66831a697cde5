"""Answers of the API server that are read while they come, and that can be given up at once from another thread."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.objects.asking import Answer, Asked, CallFailed
from fairing_az_jupyter.clients.kube.objects.kinds import AskedChange
from fairing_az_jupyter.clients.kube.objects.rejections import refused_change
from fairing_az_jupyter.clients.kube.transport.calls import ApiCalls
from fairing_az_jupyter.clients.kube.transport.errors import refusal
from fairing_az_jupyter.clients.kube.transport.unreachable import is_page, no_answer, proxy_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairing_az_jupyter.clients.kube.transport.connection import Connection

_CONNECT_SECONDS = 5.0
_PART = 1 << 16
_ERROR_BYTES = 1 << 18
_SUCCESS = range(200, 300)
_UNAUTHORIZED = 401
# A load balancer forgets a silent connection without a word (Azure's after 4 minutes); these ask every 15 s.
_KEEP_ALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class Halt:
    """Ends several threads that wait for answers, at once."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()

    def is_set(self) -> bool:
        """Tell whether it is over."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait, and tell whether it is over."""
        return self._event.wait(seconds)

    def set(self) -> None:
        """End all waiting for answers, now and later."""
        self._event.set()
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.cancel()

    @contextmanager
    def stream(self) -> Iterator[Stream]:
        """Make a stream that ends with this, and close it afterwards."""
        stream = Stream()
        with self._lock:
            self._streams.add(stream)
        if self._event.is_set():
            stream.cancel()
        try:
            yield stream
        finally:
            with self._lock:
                self._streams.discard(stream)
            stream.close()


class Stream:
    """One answer on its way; `cancel` works from any thread, and also before the answer has begun."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._response: Any = None
        self._asked: Asked | None = None
        self._calls: StreamCalls | None = None
        self._cancelled = False
        self.heard = time.monotonic()

    def cancel(self) -> None:
        """Break the connection: who reads from it gets to know at once."""
        with self._lock:
            self._cancelled = True
            if self._socket is not None:
                # The base class's own: SSLSocket's would take the TLS state away from under the thread that reads.
                plain = self._socket if isinstance(self._socket, socket.socket) else self._socket.socket
                with suppress(OSError):
                    socket.socket.shutdown(plain, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; it is not used again, as the rest of the answer is still on its way."""
        with self._lock:
            self._socket = None
        if self._response is not None:
            self._response.close()

    def parts(self) -> Iterator[bytes]:
        """Yield the body as it comes.

        Raises:
            CallFailed: The connection was lost, or was silent for too long.

        """
        import urllib3  # noqa: PLC0415 - half a tenth of a second

        failed = None
        try:
            for part in self._response.stream(_PART, decode_content=False):
                self.heard = time.monotonic()
                yield part
        except (urllib3.exceptions.HTTPError, OSError) as cause:
            if self._calls is not None and self._asked is not None:
                failed = self._calls.failure(cause, self._asked)
        if failed is not None:
            raise failed

    def began(self, calls: StreamCalls, asked: Asked, response: Any) -> None:  # noqa: ANN401 - urllib3's
        """Take the answer, once its head has come."""
        self._calls, self._asked, self._response = calls, asked, response

    def uses(self, sock: socket.socket) -> None:
        """Take the socket, once there is one and before the answer has come.

        Raises:
            ConnectionAbortedError: It was cancelled meanwhile.

        """
        with self._lock:
            self._socket = sock
            if self._cancelled:
                raise ConnectionAbortedError


class StreamCalls(ApiCalls):
    """Calls whose answers are read while they come; the others as `ApiCalls` makes them.

    Args:
        connection: The way to the API server.
        timeout: Seconds for one attempt.
        deadline: Seconds for all attempts of one operation.

    """

    def __init__(self, connection: Connection, *, timeout: float, deadline: float) -> None:
        super().__init__(connection, timeout=timeout, deadline=deadline)
        self._opening = threading.local()
        _tell_sockets(self._pool, self._opening)

    def open(
        self, stream: Stream, path: str, asked: Asked, *, query: Mapping[str, str] | None = None, silence: float
    ) -> None:
        """Ask for something, and return when the answer has begun; that may be never, if nothing is to be told.

        Args:
            stream: Gets the answer.
            path: The path below the server's URL.
            asked: What is asked, for messages.
            query: What follows the question mark.
            silence: Seconds that may pass without a byte.

        Raises:
            CallFailed: There is no answer, or it is a refusal.

        """
        response = self._began(stream, path, asked, query, silence)
        if response.status == _UNAUTHORIZED and self.connection.credential.renew():
            response.close()
            response = self._began(stream, path, asked, query, silence)
        asker = self._asker(self.connection.credential.authorization())
        head = Answer(response.status, dict(response.headers))
        if response.status in _SUCCESS:
            if is_page(head):
                raise CallFailed(proxy_page(head, asked, asker))
            return
        body = b""
        for part in stream.parts():
            body += part
            if len(body) > _ERROR_BYTES:
                break
        raise refusal(Answer(head.status, head.headers, body), asked, asker)

    def read(self, halt: Halt, path: str, asked: Asked, *, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read an object once; unlike `call`, that ends with the halt.

        Raises:
            CallFailed: There is no answer, or it is a refusal.

        """
        with halt.stream() as stream:
            self.open(stream, path, asked, query=query, silence=self._timeout)
            body = b"".join(stream.parts())
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            return content
        asker = self._asker(self.connection.credential.authorization())
        raise CallFailed(proxy_page(Answer(200, {}, body), asked, asker))

    def failure(self, cause: BaseException, asked: Asked) -> CallFailed:
        """Tell what a broken connection means."""
        asker = self._asker(self.connection.credential.authorization())
        return no_answer(cause, asked, asker, self._timeout)

    def _began(self, stream: Stream, path: str, asked: Asked, query: Mapping[str, str] | None, silence: float) -> Any:  # noqa: ANN401 - urllib3's
        from urllib.parse import urlencode  # noqa: PLC0415 - beside urllib3

        import urllib3  # noqa: PLC0415 - half a tenth of a second

        headers = {"Accept": "application/json, */*", "User-Agent": "fairing-az-jupyter"}
        authorization = self.connection.credential.authorization()
        if authorization:
            headers["Authorization"] = authorization.reveal()
        url = self.connection.server.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        failed = None
        self._opening.stream = stream
        try:
            response = self._pool.request(
                "GET",
                url,
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=silence),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as cause:
            failed = self.failure(cause, asked)
        finally:
            self._opening.stream = None
        if failed is not None:
            raise failed
        stream.began(self, asked, response)
        return response

    def _object(self, answer: Answer, asked: Asked) -> dict[str, Any]:
        if isinstance(asked, AskedChange) and answer.status not in _SUCCESS and not is_page(answer):
            failed = refused_change(answer, asked, self._asker(self.connection.credential.authorization()))
            if failed is not None:
                raise failed
        return super()._object(answer, asked)


def _tell_sockets(pool: Any, opening: threading.local) -> None:  # noqa: ANN401 - urllib3's
    """Let a pool's connections tell the stream that is being opened which socket it waits on."""
    classes = {}
    for scheme, kind in pool.pool_classes_by_scheme.items():

        class Told(kind.ConnectionCls):  # type: ignore[misc,name-defined] # one for each scheme
            def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's
                stream = getattr(opening, "stream", None)
                if stream is not None:
                    stream.uses(self.sock)
                return super().getresponse()

        classes[scheme] = type(f"Told{kind.__name__}", (kind,), {"ConnectionCls": Told})
    pool.pool_classes_by_scheme = classes
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    # macOS and Windows know fewer of them.
    options += [
        (socket.IPPROTO_TCP, getattr(socket, name), seconds) for name, seconds in _KEEP_ALIVE if hasattr(socket, name)
    ]
    pool.connection_pool_kw["socket_options"] = options
