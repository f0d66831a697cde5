"""A real Azurite over TLS: Azure Blob storage with keys, SAS and Entra tokens."""

from __future__ import annotations

import base64
import os
import secrets
import socket
from typing import TYPE_CHECKING

from .processes import Server, on_free_port
from .programs import binaries

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .authority import Authority
    from .processes import Guard

# Azurite reads its accounts once; tests take a new one for each set-up.
ACCOUNTS = 1000


def account_key(mark: str) -> str:
    """Return a storage account key (64 bytes in base64) whose bytes begin with a mark."""
    return base64.b64encode(mark.encode().ljust(64, b"-")[:64]).decode()


class Blob:
    """Azurite's Blob service, from its making until `close`; data on disk in `folder`.

    Both forms of address work: https://127.0.0.1:PORT/ACCOUNT and, where the name leads here, https://ACCOUNT.blob.SUFFIX.

    Args:
        authority: Signs its certificate.
        folder: For data and logs.
        guard: Ends the server if this process can't.
        accounts: The keys of its accounts by their names; by default there are many for tests to take.

    Raises:
        MissingError: Node or npm is not here.
        StartError: It did not start.

    """

    def __init__(
        self, authority: Authority, folder: Path, guard: Guard, accounts: dict[str, str] | None = None
    ) -> None:
        self._program = binaries.azurite()
        self._folder = folder
        self._guard = guard
        folder.mkdir()
        self._certificate = authority.write_pair(folder, "azurite")
        self.accounts = accounts or {
            f"stand{secrets.token_hex(5)}": account_key(f"MARK-{secrets.token_hex(16)}") for _ in range(ACCOUNTS)
        }
        self._unused = iter(list(self.accounts))
        self._server, self.port = on_free_port(self._start)
        self.seconds = self._server.seconds
        self.servers = [self._server]
        self.url = f"https://127.0.0.1:{self.port}"

    def take(self) -> str:
        """Return the name of an account that nobody has had yet."""
        return next(self._unused)

    def account_url(self, account: str) -> str:
        """Return an account's address by number."""
        return f"{self.url}/{account}"

    def close(self) -> None:
        """End the server; safe to repeat."""
        self._server.end()

    def _start(self, port: int) -> Server:
        node, script = self._program
        certificate, key = self._certificate
        command = [
            *(str(node), str(script), "--blobHost", "127.0.0.1", "--blobPort", str(port)),
            *("--location", str(self._folder), "--oauth", "basic", "--cert", str(certificate), "--key", str(key)),
            *("--silent", "--disableTelemetry", "--skipApiVersionCheck"),
        ]
        environment = {**os.environ, "AZURITE_ACCOUNTS": _spell(self.accounts.items())}
        return Server(
            "Azurite",
            command,
            log=self._folder / "azurite.log",
            ready=lambda: _listens(port),
            guard=self._guard,
            environment=environment,
        )


def _spell(accounts: Iterable[tuple[str, str]]) -> str:
    return ";".join(f"{name}:{key}" for name, key in accounts)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
