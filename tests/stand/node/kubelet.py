"""The stand-in kubelet: registers its node, watches the pods that are bound to it, and has a worker for each."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from tests.stand import cluster_objects

from .events import now
from .network import PodNetwork
from .pod import PodWorker
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.stand.control_plane import Api, ControlPlane

    from .containers import Engine
    from .events import Recorder
    from .lead_out import LeadOut
    from .sandbox import Sandbox
    from .weather import Weather

Object = dict[str, Any]
LABEL = "stand/kubelet"
_HEARTBEAT = 10


@dataclass
class Ground:
    """What all pods of a node share.

    Args:
        api: The API server.
        engine: podman.
        sandbox: Where containers live.
        events: Writes events.
        lead_out: What pods reach of the stand.
        folder: For the pods' folders.
        environment: The variables that every container has.
        bundle: The CA that containers have to trust.
        bundle_at: Where they find it.
        gone: Called when a worker has ended.
        stopped: Set at the end of everything.
        weather: What starts of pods go through; None for nothing.

    """

    api: Api
    engine: Engine
    sandbox: Sandbox
    events: Recorder
    lead_out: LeadOut
    folder: Path
    environment: dict[str, str]
    bundle: Path
    bundle_at: str
    gone: Callable[[PodWorker], None] = lambda _: None
    stopped: threading.Event = field(default_factory=threading.Event)
    weather: Weather | None = None
    _numbers: Any = field(default_factory=lambda: itertools.count(2))

    def addresses(self) -> str:
        """Return an address that no pod had."""
        number = next(self._numbers)
        return f"10.244.{number >> 8 & 255}.{number & 255}"

    def make_network(self, address: str) -> PodNetwork:
        """Make a pod's network."""
        return PodNetwork(self.sandbox, address)


class Kubelet:
    """The node's agent, from its making until `close`.

    Args:
        control_plane: The control plane.
        token: Who the node is there.
        ground: What all pods share.
        name: The node's name.
        cpu: Its cores.
        memory: Its memory.
        port: Where its log server listens.

    """

    def __init__(
        self, control_plane: ControlPlane, token: str, ground: Ground, *, name: str, cpu: str, memory: str, port: int
    ) -> None:
        self.name = name
        self._ground = ground
        self._workers: dict[str, PodWorker] = {}
        self._lock = threading.Lock()
        ground.gone = self._forget
        self._register(cpu, memory, port)
        self._watch = Watch(
            control_plane.url,
            ground.bundle,
            token,
            "/api/v1/pods",
            query={"fieldSelector": f"spec.nodeName={name}"},
            seen=self._seen,
            gone=self._gone,
        )
        threading.Thread(target=self._beat, name="kubelet heartbeat", daemon=True).start()

    def find(self, namespace: str, name: str) -> PodWorker | None:
        """Return the worker of a pod."""
        return next((one for one in self.workers() if (one.namespace, one.name) == (namespace, name)), None)

    def workers(self) -> list[PodWorker]:
        """Return the workers of all pods, the oldest first."""
        with self._lock:
            return list(self._workers.values())

    def close(self) -> None:
        """Look after no pod any more; safe to repeat."""
        self._ground.stopped.set()
        self._watch.stop()
        for worker in self.workers():
            worker.wake()
        for worker in self.workers():
            worker.thread.join(20)

    def _seen(self, pod: Object) -> None:
        with self._lock:
            worker = self._workers.get(pod["metadata"]["uid"])
            if worker is None:
                if not self._ground.stopped.is_set():
                    self._workers[pod["metadata"]["uid"]] = PodWorker(pod, self._ground)
                return
        worker.update(pod)

    def _gone(self, pod: Object) -> None:
        with self._lock:
            worker = self._workers.get(pod["metadata"]["uid"])
        if worker is not None:
            worker.vanish()

    def _forget(self, worker: PodWorker) -> None:
        with self._lock:
            self._workers.pop(worker.uid, None)

    def _register(self, cpu: str, memory: str, port: int) -> None:
        api, path = self._ground.api, f"/api/v1/nodes/{self.name}"
        labels = {
            "kubernetes.io/hostname": self.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            LABEL: "true",
        }
        body, status = cluster_objects.node(self.name, cpu, memory, 110, labels)
        api.post("/api/v1/nodes", body)
        status["status"] |= {
            # No host name: the API server would ask for it before the address, and nobody knows it.
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "nodeInfo": {
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kernelVersion": "",
                "osImage": "Test stand",
                "containerRuntimeVersion": "containerd://2.1",
                "kubeletVersion": "v1.34.4",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
        }
        api.patch(f"{path}/status", status)
        # Admission taints a new node as not ready; what would take that away is not run here.
        api.patch(path, {"spec": {"taints": []}}, "application/merge-patch+json")

    def _beat(self) -> None:
        while not self._ground.stopped.wait(_HEARTBEAT):
            ready = {
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "message": "kubelet is posting ready status",
                "lastHeartbeatTime": now(),
            }
            with suppress(requests.RequestException):
                self._ground.api.call(
                    "PATCH",
                    f"/api/v1/nodes/{self.name}/status",
                    {"status": {"conditions": [ready]}},
                    kind="application/strategic-merge-patch+json",
                )
