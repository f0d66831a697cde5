"""A small HTTPS server for what stands before the real servers or in place of one: a request in, an answer out."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    import ssl
    from email.message import Message
    from io import BufferedIOBase

    from .authority import Authority, Kind

_DRAIN = 1 << 20
_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True)
class Request:
    """What a client sent.

    Args:
        method: `GET` and so on.
        target: Path and query as sent.
        headers: All headers, names in any case.
        body: The body as a stream, read at most once.

    """

    method: str
    target: str
    headers: Message
    body: Body

    @property
    def path(self) -> str:
        """The path, decoded."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The last value of each query parameter."""
        return {
            name: values[-1] for name, values in parse_qs(urlsplit(self.target).query, keep_blank_values=True).items()
        }

    @property
    def host(self) -> str:
        """The host that the client thinks it speaks to, with its port if it is not the usual one."""
        return str(self.headers.get("Host", "127.0.0.1"))

    def form(self) -> dict[str, list[str]]:
        """Read the body as a form."""
        return parse_qs(self.body.read().decode(), keep_blank_values=True)


@dataclass(frozen=True)
class Answer:
    """What a client gets.

    Args:
        status: The HTTP status.
        body: All of it, or its parts as they come.
        headers: Without Date and without the body's length.
        reset: Drop the connection instead, without an answer.
        date_shift: Seconds by which the answer's Date is wrong.
        upgraded: With status 101, the connection that goes on in another protocol.

    """

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: tuple[tuple[str, str], ...] = ()
    reset: bool = False
    date_shift: float = 0
    upgraded: socket.socket | None = None


Answering = Callable[[Request], Answer]


def json_answer(status: int, content: object, **headers: str) -> Answer:
    """Return an answer with a JSON body; header names are written with underscores."""
    named = tuple((name.replace("_", "-").title(), value) for name, value in headers.items())
    return Answer(status, json.dumps(content).encode(), (("Content-Type", "application/json; charset=utf-8"), *named))


class Body:
    """A request's body, whether its length was told or it comes in chunks (RFC 9112, sections 6.2 and 7.1)."""

    def __init__(self, stream: BufferedIOBase, headers: Message) -> None:
        self._stream = stream
        self.chunked = "chunked" in str(headers.get("Transfer-Encoding", "")).lower()
        self.length = None if self.chunked else int(headers.get("Content-Length") or 0)
        self._left = self.length or 0
        self._ended = not self.chunked and not self._left

    def read(self, size: int = -1) -> bytes:
        """Read some of the body, or all that is left."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1 << 16), b""))
        if self._ended:
            return b""
        if self.chunked and not self._left:
            self._left = int(self._stream.readline().split(b";")[0], 16)
            if not self._left:
                while self._stream.readline().strip():
                    pass
                self._ended = True
                return b""
        part = self._stream.read(min(size, self._left))
        self._left -= len(part)
        if not part:
            self._ended = True
        elif not self._left:
            if self.chunked:
                self._stream.readline()
            else:
                self._ended = True
        return part

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(1 << 16), b"")

    def drain(self) -> bool:
        """Read the rest away so that the connection can be used again; False if that is too much."""
        read = 0
        while not self._ended and read < _DRAIN:
            read += len(self.read(1 << 16))
        return self._ended


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    server: WebServer
    reset = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        request = Request(self.command, self.path, self.headers, Body(self.rfile, self.headers))
        try:
            answer = self.server.answering(request)
        except OSError:
            raise
        except Exception:  # noqa: BLE001 - whoever runs the tests has to see a mistake of the stand
            traceback.print_exc()
            answer = Answer(500, b"The test stand itself has failed; its traceback is on stderr.\n")
        if answer.reset:
            self.reset = self.close_connection = True
            return
        if answer.upgraded is not None:
            self._go_on(answer, answer.upgraded)
            return
        self._send(answer)
        if not request.body.drain():
            self.close_connection = True

    def _go_on(self, answer: Answer, upgraded: socket.socket) -> None:
        from .upgrades import join

        self.close_connection = True
        with upgraded:
            self.send_response_only(answer.status, _phrase(answer.status))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            join(self.connection, upgraded)

    def _send(self, answer: Answer) -> None:
        names = {name.lower() for name, _ in answer.headers}
        self.send_response_only(answer.status, _phrase(answer.status))
        for name, value in answer.headers:
            self.send_header(name, value)
        if "date" not in names:
            self.send_header("Date", formatdate(time.time() + answer.date_shift, usegmt=True))
        bare = self.command == "HEAD" or answer.status in _NO_BODY
        if isinstance(answer.body, bytes):
            if "content-length" not in names and answer.status not in _NO_BODY:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if not bare:
                self.wfile.write(answer.body)
            return
        chunked = "content-length" not in names and not bare
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.closing(answer.body):  # type: ignore[type-var]
            for part in answer.body:
                if not bare:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: what was called is kept by the front, without secrets."""


class WebServer(socketserver.ThreadingTCPServer):
    """Serves HTTPS on a free loopback port, from its making until `close`.

    Args:
        authority: Issues the certificates, one for each name that a client asks for.
        answering: Answers a request; called from many threads.

    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, authority: Authority, answering: Answering) -> None:
        self.answering = answering
        self.certificate: Kind = "trusted"
        self._authority = authority
        self._contexts: dict[Kind, ssl.SSLContext] = {}
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = int(self.server_address[1])
        self.url = f"https://127.0.0.1:{self.port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that a slow client holds up nobody."""
        try:
            request.settimeout(15)
            secure = self._context().wrap_socket(request, server_side=True)
        except (OSError, ValueError):
            request.close()
            return
        with self._lock:
            self._open.add(secure)
        handler = None
        try:
            handler = _Handler(secure, client_address, self)
        except (OSError, ValueError):
            pass  # The client has gone, or speaks no HTTP.
        finally:
            with self._lock:
                self._open.discard(secure)
            self._end(secure, reset=bool(handler and handler.reset))

    def shutdown_request(self, request: Any) -> None:
        """Do nothing: the connection was closed where it was served, with or without a reset."""
        request.close()

    def disconnect(self) -> None:
        """Close every open connection, as when another certificate is to be shown."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening and close all connections; safe to repeat."""
        self.shutdown()
        self.server_close()
        self.disconnect()

    def _context(self) -> ssl.SSLContext:
        kind = self.certificate
        with self._lock:
            if kind not in self._contexts:
                self._contexts[kind] = self._authority.front_context(kind)
            return self._contexts[kind]

    @staticmethod
    def _end(connection: socket.socket, *, reset: bool) -> None:
        with contextlib.suppress(OSError):
            if reset:
                # Closing with a linger time of zero sends RST instead of FIN (socket(7)).
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                connection.shutdown(socket.SHUT_WR)
        connection.close()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
