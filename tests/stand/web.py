"""A small server for what stands before the real servers or in place of one: a request in, an answer or a fault out."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import socket
import socketserver
import struct
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    import ssl
    from email.message import Message
    from io import BufferedIOBase

    from .authority import Authority, Kind

LONGEST_HANG = 90.0
_DRAIN = 1 << 20
_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True)
class Request:
    """What a client sent.

    Args:
        method: `GET` and so on.
        target: Path and query as sent; to a proxy a whole address.
        headers: All headers, names in any case.
        body: The body as a stream, read at most once.
        scheme: https, or http where the server has no TLS.
        client: The client's address and port: the same for all requests of a connection.

    """

    method: str
    target: str
    headers: Message
    body: Body
    scheme: str
    client: tuple[str, int]

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

    @property
    def content(self) -> bytes:
        """The whole body, which can be passed on after that, too."""
        return self.body.whole

    def json(self) -> Any:
        """Read the body as JSON; no body is an empty object."""
        return json.loads(self.content or b"{}")

    def form(self) -> dict[str, str]:
        """Read the body as a form: the last value of each field."""
        return {name: values[-1] for name, values in parse_qs(self.content.decode(), keep_blank_values=True).items()}

    def values(self, name: str) -> list[str]:
        """Return all values of a parameter: of the form in a POST, of the query otherwise."""
        text = self.content.decode() if self.method == "POST" else urlsplit(self.target).query
        return parse_qs(text).get(name, [])

    @property
    def basic(self) -> tuple[str, str] | None:
        """User name and password of basic authentication (RFC 7617)."""
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
        return user, password

    @property
    def bearer(self) -> str | None:
        """The bearer token (RFC 6750)."""
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        return value if kind.lower() == "bearer" else None


@dataclass(frozen=True)
class Answer:
    """What a client gets.

    Args:
        status: The HTTP status.
        body: All of it, or its parts as they come; text, or an object or list that is sent as JSON.
        headers: Without Date and without the body's length; a Content-Length that is not the body's breaks it off.
        fault: What happens in place of an answer: the connection is closed ("drop") or reset, nothing is sent until the
            server ends ("hang"), or the body alone is sent, without a status, before the connection is closed ("raw").
        date_shift: Seconds by which the answer's Date is wrong; None for no Date.
        upgraded: With status 101, the connection that goes on in another protocol.

    """

    status: int = 200
    body: bytes | Iterable[bytes] | str | dict[str, Any] | list[Any] | None = b""
    headers: tuple[tuple[str, str], ...] | Mapping[str, str] = ()
    fault: Literal["", "drop", "reset", "hang", "raw"] = ""
    date_shift: float | None = 0
    upgraded: socket.socket | None = None

    def __post_init__(self) -> None:
        """Bring body and headers into the form that is sent."""
        headers = tuple(self.headers.items()) if isinstance(self.headers, Mapping) else tuple(self.headers)
        kind = ""
        if self.body is None or isinstance(self.body, str):
            kind, body = "text/plain", (self.body or "").encode()
            object.__setattr__(self, "body", body)
        elif isinstance(self.body, (dict, list)):
            kind = "application/json; charset=utf-8"
            object.__setattr__(self, "body", json.dumps(self.body).encode())
        if kind and "content-type" not in {name.lower() for name, _ in headers}:
            headers = (("Content-Type", kind), *headers)
        object.__setattr__(self, "headers", headers)


@dataclass(frozen=True)
class Dripping:
    """What never ends and always goes on: each part comes in time, and the whole never.

    Args:
        head: What comes at once.
        piece: What comes after it again and again.
        every: Seconds between two pieces.

    """

    head: bytes
    piece: bytes
    every: float = 0.1

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        while True:
            yield self.piece
            time.sleep(self.every)


def dripping(head: bytes, piece: bytes, every: float = 0.1) -> Answer:
    """Return an answer that drips, beginning with its status line; see `Dripping`."""
    return Answer(body=Dripping(head, piece, every), fault="raw")


DROP = Answer(fault="drop")
RESET = Answer(fault="reset")
HANG = Answer(fault="hang")
DRIP = dripping(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n", b" ")

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
        self._kept: io.BytesIO | None = None

    @cached_property
    def whole(self) -> bytes:
        """All of it, read once; who reads parts of it after that gets them, too."""
        content = self.read()
        self._kept = io.BytesIO(content)
        return content

    def read(self, size: int = -1) -> bytes:
        """Read some of the body, or all that is left."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1 << 16), b""))
        if self._kept is not None:
            return self._kept.read(size)
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
        body = Body(self.rfile, self.headers)
        request = Request(self.command, self.path, self.headers, body, self.server.scheme, self.client_address)
        try:
            answer = self.server.answering(request)
        except OSError:
            raise
        except Exception:  # noqa: BLE001 - whoever runs the tests has to see a mistake of the stand
            traceback.print_exc()
            answer = Answer(500, b"The test stand itself has failed; its traceback is on stderr.\n")
        if answer.fault:
            self._fail(answer)
            return
        if answer.upgraded is not None:
            self._go_on(answer, answer.upgraded)
            return
        self._send(answer)
        if not request.body.drain():
            self.close_connection = True

    def _fail(self, answer: Answer) -> None:
        self.close_connection = True
        self.reset = answer.fault == "reset"
        if answer.fault == "hang":
            self.server.ended.wait(LONGEST_HANG)
        elif answer.fault == "raw":
            for part in [answer.body] if isinstance(answer.body, bytes) else answer.body:
                self.wfile.write(part)

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
        bare = self.command == "HEAD" or answer.status in _NO_BODY
        length = self._begin(answer, bare=bare)
        if isinstance(answer.body, bytes):
            if not bare:
                self.wfile.write(answer.body)
                if length != len(answer.body):
                    self.close_connection = True
            return
        chunked = length is None and not bare
        with contextlib.closing(answer.body):  # type: ignore[type-var]
            for part in answer.body:
                if not bare:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _begin(self, answer: Answer, *, bare: bool) -> int | None:
        """Send status and headers; return the length that they tell, if any."""
        names = {name.lower(): value for name, value in answer.headers}
        self.send_response_only(answer.status, _phrase(answer.status))
        for name, value in answer.headers:
            self.send_header(name, value)
        if "date" not in names and answer.date_shift is not None:
            self.send_header("Date", formatdate(time.time() + answer.date_shift, usegmt=True))
        length = int(names["content-length"]) if "content-length" in names else None
        if length is None and isinstance(answer.body, bytes) and answer.status not in _NO_BODY:
            length = len(answer.body)
            self.send_header("Content-Length", str(length))
        elif length is None and not bare:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        return length

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: what was called is kept by the front, without secrets."""


class WebServer(socketserver.ThreadingTCPServer):
    """Serves HTTPS or HTTP on a free loopback port, from its making until `close`.

    Args:
        authority: Issues the certificates, one for each name that a client asks for; None for a server without TLS.
        answering: Answers a request; called from many threads.

    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, authority: Authority | None, answering: Answering) -> None:
        self.answering = answering
        self.certificate: Kind = "trusted"
        self.ended = threading.Event()
        self._authority = authority
        self._contexts: dict[Kind, ssl.SSLContext] = {}
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = int(self.server_address[1])
        self.scheme = "http" if authority is None else "https"
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        # Not serve_forever, which sees its end only when it looks: tests open and close hundreds of servers.
        while not self.ended.is_set():
            try:
                connection, address = self.get_request()
            except OSError:
                time.sleep(0.01)
                continue
            self.process_request(connection, address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that a slow client holds up nobody."""
        try:
            request.settimeout(15)
            made = request if self._authority is None else self._context().wrap_socket(request, server_side=True)
        except (OSError, ValueError):
            request.close()
            return
        with self._lock:
            self._open.add(made)
        handler = None
        try:
            handler = _Handler(made, client_address, self)
        except (OSError, ValueError):
            pass  # The client has gone, or speaks no HTTP.
        finally:
            with self._lock:
                self._open.discard(made)
            self._end(made, reset=bool(handler and handler.reset))

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
        self.ended.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
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
