"""The stand's certificate authority, and the bad certificates that a client must refuse."""

from __future__ import annotations

import ssl
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Literal

import trustme

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["trusted", "untrusted", "expired", "early", "other-name"]
LOOPBACK = ("127.0.0.1", "localhost")


class Authority:
    """Issues certificates for any name, on demand.

    Args:
        folder: Gets `ca.pem`, which clients have to trust.

    """

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA(organization_name="Test stand")
        self._stranger = trustme.CA(organization_name="A stranger")
        self._contexts: dict[tuple[str, Kind], ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self.bundle = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.bundle)

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts this authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.bundle))

    def server_context(self, name: str, kind: Kind = "trusted") -> ssl.SSLContext:
        """Return a context that shows a certificate for a name.

        Args:
            name: The host name that the client asked for, or its address.
            kind: Whether the certificate is good, and if not, what is wrong with it.

        """
        with self._lock:
            known = self._contexts.get((name, kind))
            if known is None:
                known = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._issue(name, kind).configure_cert(known)
                self._contexts[name, kind] = known
            return known

    def front_context(self, kind: Kind = "trusted") -> ssl.SSLContext:
        """Return a new context that shows each client a certificate for the name that it asks for."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._issue(LOOPBACK[0], kind).configure_cert(context)

        def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name:
                connection.context = self.server_context(name, kind)

        context.sni_callback = choose
        return context

    def write_pair(self, folder: Path, stem: str, *names: str) -> tuple[Path, Path]:
        """Write a certificate and its key for a server that reads files; return both paths."""
        leaf = self._ca.issue_cert(*LOOPBACK, *names)
        certificate, key = folder / f"{stem}.crt", folder / f"{stem}.key"
        leaf.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        return certificate, key

    def _issue(self, name: str, kind: Kind) -> trustme.LeafCert:
        names = LOOPBACK if name in LOOPBACK else (name,)
        if kind == "untrusted":
            return self._stranger.issue_cert(*names)
        if kind in {"expired", "early"}:
            first = datetime.now(timezone.utc) + timedelta(days=1 if kind == "early" else -30)
            return self._ca.issue_cert(*names, not_before=first, not_after=first + timedelta(days=29))
        return self._ca.issue_cert(*(("another-name.invalid",) if kind == "other-name" else names))
