"""What kube-proxy and the cluster's name service do, as far as tests need it: services can be reached from the tests.

A service's ClusterIP leads nowhere here. Each port of a service has a loopback port that leads to one of its ready
pods, and the service's names (`name.namespace`, `.svc`, `.svc.cluster.local`) are the stand's names for its first
port, so that code which runs in the tests' process calls `http://name.namespace.svc.cluster.local/` as in the cluster.
"""

from __future__ import annotations

import itertools
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .relay import join, serve
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.stand.names import Names

    from .pod import PodWorker

    Workers = Callable[[], list[PodWorker]]

Object = dict[str, Any]
_TIMEOUT = 10


class Services:
    """Leads to the services of a cluster, from its making until `close`.

    Args:
        url: The API server.
        bundle: The CA that signed its certificate.
        token: Who watches there.
        workers: Returns all pods that run on the stand's nodes.
        names: Get the services' names.

    """

    def __init__(self, url: str, bundle: Path, token: str, workers: Workers, names: Names) -> None:
        self._workers, self._names = workers, names
        self._services: dict[tuple[str, str], Object] = {}
        self._ports: dict[tuple[str, str, int], socket.socket] = {}
        self._turns = itertools.count()
        self._lock = threading.Lock()
        self._watch = Watch(url, bundle, token, "/api/v1/services", query={}, seen=self._seen, gone=self._gone)

    def port(self, namespace: str, name: str, port: int | None = None) -> int:
        """Return the loopback port of a service's port; of its first one if None.

        Raises:
            KeyError: There is no such service, or no such port.

        """
        with self._lock:
            found = [
                (number, listener.getsockname()[1])
                for (space, service, number), listener in self._ports.items()
                if (space, service) == (namespace, name) and port in {None, number}
            ]
        if not found:
            msg = f"service {namespace}/{name} has no port {port or ''} that the node knows"
            raise KeyError(msg)
        return int(found[0][1])

    def close(self) -> None:
        """Stop; safe to repeat."""
        self._watch.stop()
        for service in list(self._services.values()):
            self._gone(service)

    def _seen(self, service: Object) -> None:
        spec, meta = service["spec"], service["metadata"]
        key = (meta["namespace"], meta["name"])
        if not spec.get("selector"):
            return
        self._services[key] = service
        wanted = [port["port"] for port in spec.get("ports", [])]
        for space, name, number in list(self._ports):
            if (space, name) == key and number not in wanted:
                self._close(space, name, number)
        for number in wanted:
            place = (*key, number)
            if place not in self._ports:
                listener = socket.create_server(("127.0.0.1", 0))
                with self._lock:
                    self._ports[place] = listener
                serve(listener, self._leading(key, number), "service")
        if not wanted:
            # A headless Service may have no ports: it is there for the names of its pods only.
            return
        for host in _hosts(*key):
            self._names.add(host, self.port(*key, wanted[0]))

    def _gone(self, service: Object) -> None:
        key = (service["metadata"]["namespace"], service["metadata"]["name"])
        if self._services.pop(key, None) is None:
            return
        for host in _hosts(*key):
            self._names.remove(host)
        for space, name, number in list(self._ports):
            if (space, name) == key:
                self._close(space, name, number)

    def _close(self, *key: Any) -> None:
        with self._lock:
            listener = self._ports.pop(key)
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()

    def _leading(self, key: tuple[str, str], number: int) -> Any:
        def answer(connection: socket.socket) -> None:
            service = self._services.get(key)
            if service is None:
                return
            ready = [worker for worker in self._workers() if worker.is_ready and _selected(service, worker)]
            if not ready:
                return
            worker = ready[next(self._turns) % len(ready)]
            network = worker.network
            if network is not None:
                with network.connect(_target(service, number, worker), _TIMEOUT) as onward:
                    join(connection, onward)

        return answer


def _selected(service: Object, worker: PodWorker) -> bool:
    labels = worker.pod["metadata"].get("labels", {})
    return worker.namespace == service["metadata"]["namespace"] and all(
        labels.get(key) == value for key, value in service["spec"]["selector"].items()
    )


def _target(service: Object, number: int, worker: PodWorker) -> int:
    port = next(one for one in service["spec"]["ports"] if one["port"] == number)
    target = port.get("targetPort", number)
    if isinstance(target, int):
        return target
    named = (one for spec in worker.pod["spec"]["containers"] for one in spec.get("ports", []))
    return next((int(one["containerPort"]) for one in named if one.get("name") == target), number)


def _hosts(namespace: str, name: str) -> tuple[str, ...]:
    base = f"{name}.{namespace}"
    return base, f"{base}.svc", f"{base}.svc.cluster.local"
