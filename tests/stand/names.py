"""Leads Azure's own host names to the stand, in this process and its children: nothing under test needs an override."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from .resolver import sitecustomize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Place = Literal["notebook", "node", "pods"]
PLACES: tuple[Place, ...] = get_args(Place)
_FILES = ("hosts", "node-hosts", "pod-hosts")
_RESOLVER = Path(__file__).with_name("resolver")


class Names:
    """The names that lead to the stand.

    Args:
        folder: For the file of names.
        bundle: The CA that signs for them.

    """

    def __init__(self, folder: Path, bundle: Path) -> None:
        # Notebooks, nodes' pulls and pods have each their own way out, which may be closed.
        self.files = {place: folder / f"{file}.json" for place, file in zip(PLACES, _FILES, strict=True)}
        self._file = self.files["notebook"]
        self._closed: dict[tuple[str, Place], bool] = {}
        self._resets: socket.socket | None = None
        self._bundle = bundle
        self._hosts: dict[str, int] = {}
        self.changed: list[Callable[[], None]] = []
        """Called after each change."""
        self._lock = threading.Lock()
        self._write()

    def add(self, host: str, port: int) -> None:
        """Lead a name to a loopback port, whatever port is asked for."""
        with self._lock:
            self._hosts[host.lower()] = port
            self._write()

    def remove(self, host: str) -> None:
        """Make a name unknown, as a wrong one or a broken name service does."""
        with self._lock:
            self._hosts.pop(host.lower(), None)
            self._write()

    def shut(self, host: str, *places: Place, unknown: bool = False) -> None:
        """Close the way out to a name, as a firewall does.

        Args:
            host: The name.
            places: From where; from everywhere if none is given.
            unknown: The name is not known there; else each connection is reset.

        """
        with self._lock:
            for place in places or PLACES:
                self._closed[host.lower(), place] = unknown
            self._write()

    def open_all(self) -> None:
        """Open again what `shut` has closed."""
        with self._lock:
            if self._closed:
                self._closed = {}
                self._write()

    def environment(self) -> dict[str, str]:
        """Return what a child process needs to be led to the stand and to trust it."""
        paths = [str(_RESOLVER), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            "STAND_HOSTS": str(self._file),
            "PYTHONPATH": os.pathsep.join(paths),
            "REQUESTS_CA_BUNDLE": str(self._bundle),
            "SSL_CERT_FILE": str(self._bundle),
            "NO_PROXY": "*",
            "no_proxy": "*",
        }

    @contextmanager
    def here(self) -> Iterator[None]:
        """Lead this process to the stand, too."""
        changed = self.environment()
        before = {name: os.environ.get(name) for name in changed}
        os.environ.update(changed)
        try:
            with self.resolving():
                yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    @contextmanager
    def resolving(self) -> Iterator[None]:
        """Lead this process's look-ups of names to the stand; its environment stays as it is."""
        sitecustomize.install(str(self._file))
        try:
            yield
        finally:
            sitecustomize.uninstall()

    def _write(self) -> None:
        for place, file in self.files.items():
            hosts = dict(self._hosts)
            for (host, closed_at), unknown in self._closed.items():
                if closed_at != place:
                    continue
                if unknown:
                    hosts.pop(host, None)
                else:
                    hosts[host] = self._reset_port()
            unfinished = file.with_suffix(".new")
            unfinished.write_text(json.dumps(hosts), encoding="utf-8")
            unfinished.replace(file)
        for call in self.changed:
            call()

    def _reset_port(self) -> int:
        """Return a port at which each connection is reset."""
        if self._resets is None:
            self._resets = socket.create_server(("127.0.0.1", 0))
            threading.Thread(target=_reset, args=(self._resets,), name="firewall", daemon=True).start()
        return int(self._resets.getsockname()[1])


def _reset(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        # A firewall that looks into TLS resets when it has read the name. (A reset before that meets a mistake of
        # CPython's: ssl.SSLSocket._create leaves a socket open whose first recv fails.)
        connection.settimeout(2)
        with suppress(OSError):
            connection.recv(1 << 10)
        # Without lingering, closing sends RST.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
