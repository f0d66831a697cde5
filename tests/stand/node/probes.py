"""Asks a container whether it has started, is ready and lives, as its probes say."""

from __future__ import annotations

import http.client
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .containers import Container, Engine
    from .network import PodNetwork

Object = dict[str, Any]
KINDS = ("startupProbe", "readinessProbe", "livenessProbe")
_LOOK_SECONDS = 0.1


class Probe:
    """One probe of one running container, asked in a thread of its own until `stop`.

    Args:
        spec: The probe's specification.
        container: Whom to ask.
        ports: The container's named ports.
        network: The pod's network.
        engine: Runs commands in the container.
        initial: What holds until the thresholds are reached: readiness begins as False, liveness as True.
        changed: Called when it has another result.
        after: The startup probe; it is not asked before that has passed, as by a kubelet
            (pkg/kubelet/prober/worker.go of https://github.com/kubernetes/kubernetes). None for no such wait.

    """

    def __init__(
        self,
        spec: Object,
        container: Container,
        ports: dict[str, int],
        network: PodNetwork,
        engine: Engine,
        *,
        initial: bool,
        changed: Callable[[], None],
        after: Probe | None = None,
    ) -> None:
        self.spec, self._changed, self._after = spec, changed, after
        self.passes = initial
        self.said = ""
        self.failed = 0
        self._container, self._ports = container, ports
        self._network, self._engine = network, engine
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="probe", daemon=True).start()

    def stop(self) -> None:
        """Ask no more; safe to repeat."""
        self._stopped.set()

    def _run(self) -> None:
        good = bad = 0
        period = self.spec.get("periodSeconds", 10)
        self._stopped.wait(self.spec.get("initialDelaySeconds", 0))
        while self._after is not None and not self._after.passes and not self._stopped.is_set():
            self._stopped.wait(_LOOK_SECONDS)
        while not self._stopped.is_set():
            began = time.monotonic()
            said = self._ask()
            if self._stopped.is_set():
                return
            good, bad = (0, bad + 1) if said else (good + 1, 0)
            before = self.passes
            if said:
                self.said = said
                self.failed += 1
            if good >= self.spec.get("successThreshold", 1):
                self.passes = True
            if bad >= self.spec.get("failureThreshold", 3):
                self.passes = False
            if said or self.passes != before:
                self._changed()
            # A kubelet's first tries come more often too: it asks again whenever the pod's state changes.
            pause = min(period, 1) if not self.passes and not good and bad < period else period
            self._stopped.wait(max(0, pause - (time.monotonic() - began)))

    def _ask(self) -> str:
        """Return why it failed; nothing if it did not."""
        limit = self.spec.get("timeoutSeconds", 1)
        try:
            if "httpGet" in self.spec:
                return self._get(self.spec["httpGet"], limit)
            if "tcpSocket" in self.spec:
                self._network.connect(self._port(self.spec["tcpSocket"]["port"]), limit).close()
                return ""
            if "exec" in self.spec:
                passed = self._engine.succeeds(self._container, self.spec["exec"]["command"], limit)
                return "" if passed else "command failed"
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        return "the test stand has no probes of this kind"

    def _get(self, asked: Object, limit: float) -> str:
        port = self._port(asked["port"])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit)
        try:
            connection.sock = self._network.connect(port, limit)
            headers = {header["name"]: header["value"] for header in asked.get("httpHeaders", [])}
            connection.request("GET", asked.get("path") or "/", headers={"User-Agent": "kube-probe/1.34", **headers})
            status = connection.getresponse().status
        finally:
            connection.close()
        passed = http.client.OK <= status < http.client.BAD_REQUEST
        return "" if passed else f"HTTP probe failed with statuscode: {status}"

    def _port(self, port: int | str) -> int:
        return self._ports[port] if isinstance(port, str) and port in self._ports else int(port)
