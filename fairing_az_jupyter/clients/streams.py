"""Answers that are read while they come, and that can be given up at once from another thread."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.http import Answer, pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from fairing_az_jupyter.clients.http import PoolHttp


class Stream:
    """An answer on its way; `cancel` works from any thread, and also before the answer has begun."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._response: BaseHTTPResponse | None = None
        self._cancelled = False
        self.last_seen = time.monotonic()

    def open(self, http: PoolHttp, url: str, *, headers: Mapping[str, str], connect: float, silence: float) -> Answer:
        """Send a GET and return the answer's head; see `Http.open`."""
        from fairing_az_jupyter.clients.sockets import reported_to  # noqa: PLC0415 - loads urllib3

        self.close()
        with reported_to(self._use):
            self._response = http.open("GET", url, headers=headers, connect=connect, silence=silence)
        return Answer(self._response.status, self._response.headers)

    def pieces(self, explain: Callable[[BaseException], BaseException]) -> Iterator[bytes]:
        """Yield the body as it comes, still encoded; `explain` makes the error for a connection that breaks."""
        for piece in pieces(self._response, explain) if self._response is not None else ():
            self.last_seen = time.monotonic()
            yield piece

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

    def _use(self, sock: socket.socket) -> None:
        with self._lock:
            self._socket = sock
            if self._cancelled:
                raise ConnectionAbortedError


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
