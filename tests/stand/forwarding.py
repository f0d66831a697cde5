"""Passes requests on to a real server, bodies as they come, over connections that are kept."""

from __future__ import annotations

import http.client
import queue
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .upgrades import upgrade
from .web import Answer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from .web import Request

# Node closes idle connections after 5 s; one that may just be closing is not worth the risk.
_FRESH = 2.0
# What belongs to one connection and is not passed on (RFC 9110, section 7.6.1).
_OWN = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "upgrade", "proxy-connection", "te"})
_NO_ANSWER = Answer(502, b"The server behind the stand's front gave no answer.\n")


class Forwarder:
    """Passes requests on to one server.

    Args:
        url: Where it listens.
        context: Trusts its certificate; None for plain HTTP.
        timeout: Seconds that it may be silent.

    """

    def __init__(self, url: str, context: ssl.SSLContext | None = None, timeout: float = 120) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port)
        self._context = context
        self._timeout = timeout
        self._idle: queue.LifoQueue[tuple[http.client.HTTPConnection, float]] = queue.LifoQueue()
        # Answers under way: a log or a watch may be silent for long, and nobody else would end it.
        self._streams: dict[http.client.HTTPResponse, http.client.HTTPConnection] = {}

    def __call__(self, request: Request) -> Answer:
        """Pass one request on; its answer's body follows as the server sends it."""
        if "Upgrade" in request.headers:
            return self._upgrade(request)
        connection = self._connect()
        try:
            self._send(connection, request)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException):
            connection.close()
            return _NO_ANSWER
        headers = tuple((name, value) for name, value in response.getheaders() if name.lower() not in _OWN)
        if request.method == "HEAD" or response.length == 0:
            response.read()
            self._keep(connection)
            return Answer(response.status, b"", headers)
        # From here on: of who is gone before the answer begins, nobody would ask for a part.
        self._streams[response] = connection
        return Answer(response.status, self._parts(connection, response), headers)

    def _upgrade(self, request: Request) -> Answer:
        try:
            return upgrade(self._address, self._context, request, self._timeout)
        except OSError:
            return _NO_ANSWER

    def answers(self, path: str) -> bool:
        """Tell whether the server gives any answer."""
        connection = self._connect()
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def close(self) -> None:
        """Close the connections that are kept, and end the answers that are under way."""
        for response, connection in tuple(self._streams.items()):
            if connection.sock is not None:
                with suppress(OSError):
                    # Not by the TLS layer's own: who reads there just now would find it gone.
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
            response.close()
            connection.close()
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait()[0].close()

    def _connect(self) -> http.client.HTTPConnection:
        with suppress(queue.Empty):
            while True:
                connection, since = self._idle.get_nowait()
                if time.monotonic() - since < _FRESH:
                    return connection
                connection.close()
        host, port = self._address
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._context)

    @staticmethod
    def _send(connection: http.client.HTTPConnection, request: Request) -> None:
        connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name.lower() not in _OWN:
                connection.putheader(name, value)
        if request.body.chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for part in request.body:
            connection.send(b"%x\r\n%s\r\n" % (len(part), part) if request.body.chunked else part)
        if request.body.chunked:
            connection.send(b"0\r\n\r\n")

    def _parts(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while part := response.read1(1 << 16):
                yield part
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            # Closed under who reads, http.client says so in each of these ways.
            connection.close()
            raise ConnectionAbortedError from None
        finally:
            self._streams.pop(response, None)
            if response.isclosed():
                self._keep(connection)
            else:
                response.close()
                connection.close()

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        self._idle.put((connection, time.monotonic()))
