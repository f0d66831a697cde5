"""What a pod reaches outside itself: the stand's names on port 443, services on port 80, and the API server."""

from __future__ import annotations

import ipaddress
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from .relay import known_hosts, lead_to, serve

if TYPE_CHECKING:
    import socket

    from .network import PodNetwork

API_PORT = 6443
_FIRST = int(ipaddress.IPv4Address("127.64.0.1"))
_SERVICE_SUFFIXES = (".svc", ".svc.cluster.local")
_API_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")


class LeadOut:
    """Gives each name an address of its own, the same in all pods, whose port 443 leads to the stand's port.

    All programs find them in /etc/hosts, in whatever language they are written. Names that tests add or take away
    while a pod runs are added there and taken away.

    Args:
        hosts: The stand's file of names.
        api_port: Where the API server listens.

    """

    def __init__(self, hosts: str, api_port: int) -> None:
        self._hosts = Path(hosts)
        self._api_port = api_port
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._pods: dict[Path, str] = {}
        self._seen: dict[Path, int] = {}
        self._lock = threading.Lock()

    def open(self, network: PodNetwork, hosts: Path, name: str) -> None:
        """Lead a pod out.

        Args:
            network: The pod's.
            hosts: The file that becomes /etc/hosts in its containers.
            name: The pod's name.

        """
        self._pods[hosts] = f"127.0.0.1\tlocalhost\n{network.address}\t{name}\n"
        self.refresh(hosts)
        serve(network.listen("127.0.0.1", API_PORT), lead_to(lambda _: self._api_port), "pod-to-api")
        serve(network.listen("0.0.0.0", 443), lead_to(self._port), "pod-to-stand")  # noqa: S104 - the pod's own network
        serve(network.listen("0.0.0.0", 80), lead_to(self._service), "pod-to-service")  # noqa: S104 - as above

    def refresh(self, hosts: Path) -> None:
        """Bring a pod's /etc/hosts up to date."""
        changed = self._hosts.stat().st_mtime_ns
        if self._seen.get(hosts) == changed:
            return
        names = sorted({*known_hosts(str(self._hosts)), *_API_NAMES})
        lines = "".join(f"{self._address(name)}\t{name}\n" for name in names)
        # Written in place: it is mounted, so another file of the same name would not be seen.
        hosts.write_text(self._pods[hosts] + lines)
        self._seen[hosts] = changed

    def _address(self, name: str) -> str:
        with self._lock:
            if name not in self._addresses:
                address = str(ipaddress.IPv4Address(_FIRST + len(self._addresses)))
                self._addresses[name], self._names[address] = address, name
            return self._addresses[name]

    def _service(self, connection: socket.socket) -> int | None:
        name = self._names.get(connection.getsockname()[0], "")
        return self._port(connection) if name.endswith(_SERVICE_SUFFIXES) else None

    def _port(self, connection: socket.socket) -> int | None:
        name = self._names.get(connection.getsockname()[0], "")
        return self._api_port if name in _API_NAMES else known_hosts(str(self._hosts)).get(name)
