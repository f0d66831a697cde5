"""Leads connections on: from a pod to the stand, from the stand to a pod, from podman to the test registry."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PART = 1 << 18
_TIMEOUT = 10


def serve(listener: socket.socket, answer: Callable[[socket.socket], None], name: str) -> None:
    """Answer each connection in a thread of its own, until the listener is closed."""

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            answer(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), name=name, daemon=True).start()

    threading.Thread(target=accept, name=name, daemon=True).start()


def join(one: socket.socket, other: socket.socket) -> None:
    """Copy both ways until both sides have ended; close neither."""
    back = threading.Thread(target=_copy, args=(other, one), name="relay", daemon=True)
    back.start()
    _copy(one, other)
    back.join()


def lead_to(port: Callable[[socket.socket], int | None]) -> Callable[[socket.socket], None]:
    """Return what leads a connection to the loopback port that is right for it, if any."""

    def answer(connection: socket.socket) -> None:
        target = port(connection)
        if target is not None:
            with socket.create_connection(("127.0.0.1", target), _TIMEOUT) as onward:
                join(connection, onward)

    return answer


def known_hosts(file: str) -> dict[str, int]:
    """Return the stand's names and their ports as they are now."""
    hosts: dict[str, int] = json.loads(Path(file).read_text(encoding="utf-8"))
    return hosts


class NameProxy:
    """An HTTP proxy that leads `CONNECT name:port` to the stand's own port of that name, and to nowhere else.

    podman is a Go program, which no resolver of ours reaches; a proxy is what such programs ask in place of a resolver.

    Args:
        hosts: The stand's file of names.

    """

    def __init__(self, hosts: str) -> None:
        self._hosts = hosts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        serve(self._listener, self._answer, "name-proxy")

    def close(self) -> None:
        """Stop listening; safe to repeat."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(_TIMEOUT)
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            part = connection.recv(1)
            if not part:
                return
            request += part
        host = request.split()[1].decode("ascii", "replace").rpartition(":")[0].lower()
        port = known_hosts(self._hosts).get(host)
        if port is None:
            # Go's error shows the reason phrase: it reads as that of a name that does not exist.
            connection.sendall(f"HTTP/1.1 502 dial tcp: lookup {host}: no such host\r\n\r\n".encode())
            return
        with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as onward:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            join(connection, onward)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        source.settimeout(None)
        while part := source.recv(_PART):
            target.sendall(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
