"""Passes on connections that change their protocol, such as the WebSockets of port-forwarding.

Source: RFC 9110, section 7.8.
"""

from __future__ import annotations

import http.client
import io
import select
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from .web import Answer

if TYPE_CHECKING:
    from .web import Request

_PART = 1 << 16
_HELD = 1 << 20
_SWITCHED = 101
_LAST = 5.0


def upgrade(
    address: tuple[str, int | None], context: ssl.SSLContext | None, request: Request, timeout: float
) -> Answer:
    """Pass on a request to change the protocol; the answer has the connection if the server agrees.

    Raises:
        OSError: The server can't be reached, or gives no answer.

    """
    made = socket.create_connection((address[0], address[1] or 443), timeout)
    try:
        if context is not None:
            made = context.wrap_socket(made, server_hostname=address[0])
        lines = [f"{request.method} {request.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        made.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        head = _head(made)
        first, _, rest = head.partition(b"\r\n")
        headers = tuple(http.client.parse_headers(io.BytesIO(rest)).items())
        status = int(first.split()[1])
        if status == _SWITCHED:
            return Answer(status, headers=headers, upgraded=made)
        left = int(next((value for name, value in headers if name.lower() == "content-length"), "0"))
        with made.makefile("rb") as body:
            answer = Answer(status, body.read(left), headers)
    except BaseException:
        made.close()
        raise
    made.close()
    return answer


def join(one: socket.socket, other: socket.socket) -> None:
    """Copy both ways until a side ends; in one thread, since TLS allows no reading beside writing."""
    held = {one: b"", other: b""}
    for side in held:
        side.settimeout(0)
    while True:
        readers = [side for side in held if len(held[_opposite(side, held)]) < _HELD]
        writers = [side for side in held if held[side]]
        known = [side for side in readers if isinstance(side, ssl.SSLSocket) and side.pending()]
        ready, writable, _ = (known, writers, []) if known else select.select(readers, writers, [])
        for side in ready:
            with suppress(ssl.SSLWantReadError, BlockingIOError):
                part = side.recv(_PART)
                if not part:
                    _flush(_opposite(side, held), held)
                    return
                held[_opposite(side, held)] += part
        for side in writable:
            with suppress(ssl.SSLWantWriteError, BlockingIOError):
                held[side] = held[side][side.send(held[side]) :]


def _head(made: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        # Byte by byte: what follows belongs to the other protocol.
        part = made.recv(1)
        if not part:
            raise ConnectionAbortedError
        head += part
    return head


def _opposite(side: socket.socket, held: dict[socket.socket, bytes]) -> socket.socket:
    return next(other for other in held if other is not side)


def _flush(side: socket.socket, held: dict[socket.socket, bytes]) -> None:
    side.settimeout(_LAST)
    side.sendall(held[side])
