"""Leads Azure's own host names to the stand, in this process and its children: nothing under test needs an override."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .resolver import sitecustomize

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESOLVER = Path(__file__).with_name("resolver")


class Names:
    """The names that lead to the stand.

    Args:
        folder: For the file of names.
        bundle: The CA that signs for them.

    """

    def __init__(self, folder: Path, bundle: Path) -> None:
        self._file = folder / "hosts.json"
        self._bundle = bundle
        self._hosts: dict[str, int] = {}
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
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps(self._hosts), encoding="utf-8")
        unfinished.replace(self._file)
