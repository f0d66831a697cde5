"""The stand-in kubelet: registers its node, watches the pods that are bound to it, and has a worker for each."""

from __future__ import annotations

import itertools
import threading
import time
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
    from collections.abc import Callable, Mapping
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
_NOT_READY = "node.kubernetes.io/not-ready"
_MERGE = "application/merge-patch+json"


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
        weather: Returns what starts of pods go through; None for nothing.
        stopped: Set at the end of the node.

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
    weather: Callable[[], Weather | None] = lambda: None
    stopped: threading.Event = field(default_factory=threading.Event)
    _numbers: Any = field(default_factory=lambda: itertools.count(2))

    def addresses(self) -> str:
        """Return an address that no pod had."""
        number = next(self._numbers)
        return f"10.244.{number >> 8 & 255}.{number & 255}"

    def make_network(self, address: str) -> PodNetwork:
        """Make a pod's network."""
        return PodNetwork(self.sandbox, address)


@dataclass(frozen=True)
class Machine:
    """What a node is.

    Args:
        name: Its name.
        cpu: Its cores.
        memory: Its memory.
        gpus: Its GPUs.
        labels: Labels beside those that every node has.
        taints: Taints, `key=value:effect` each.

    """

    name: str
    cpu: str = "4"
    memory: str = "16Gi"
    gpus: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()


class Kubelet:
    """The node's agent, from its making until `close`.

    Args:
        control_plane: The control plane.
        token: Who the node is there.
        ground: What all pods share.
        machine: What the node is.
        port: Where its log server listens.
        ready_after: Seconds that the node is there before it is ready.
        device_after: Seconds after that until its GPUs are there: a device plugin has to start first.

    """

    def __init__(
        self,
        control_plane: ControlPlane,
        token: str,
        ground: Ground,
        machine: Machine,
        *,
        port: int,
        ready_after: float = 0,
        device_after: float = 0,
    ) -> None:
        self.name = machine.name
        self.heartbeat: float = _HEARTBEAT
        self._ground, self._machine, self._port = ground, machine, port
        self._workers: dict[str, PodWorker] = {}
        self._lock = threading.Lock()
        self._register(ready=not ready_after)
        if ready_after:
            ground.stopped.wait(ready_after)
            self._report(ready=True, gpus=0 if device_after else machine.gpus)
        if device_after:
            ground.stopped.wait(device_after)
            self._report(ready=True, gpus=machine.gpus)
        self._watch = Watch(
            control_plane.url,
            ground.bundle,
            token,
            "/api/v1/pods",
            query={"fieldSelector": f"spec.nodeName={self.name}"},
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

    def vanish(self) -> None:
        """Be gone from one moment to the next, as a machine that is switched off: nothing is reported any more."""
        self.close()
        for worker in self.workers():
            worker.lose()

    def _seen(self, pod: Object) -> None:
        with self._lock:
            worker = self._workers.get(pod["metadata"]["uid"])
            if worker is None:
                if not self._ground.stopped.is_set():
                    self._workers[pod["metadata"]["uid"]] = PodWorker(pod, self._ground, self._forget)
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

    def _register(self, *, ready: bool) -> None:
        api, path = self._ground.api, f"/api/v1/nodes/{self.name}"
        labels = {
            "kubernetes.io/hostname": self.name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            LABEL: "true",
            **self._machine.labels,
        }
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name, "labels": labels}}
        # Admission taints a new node as not ready.
        api.post("/api/v1/nodes", body)
        taints = [] if ready else [{"key": _NOT_READY, "effect": "NoSchedule"}]
        api.patch(path, {"spec": {"taints": [*taints, *self._taints()]}}, _MERGE)
        self._report(ready=ready, gpus=self._machine.gpus if ready else 0)

    def _report(self, *, ready: bool, gpus: int) -> None:
        api, path = self._ground.api, f"/api/v1/nodes/{self.name}"
        _, status = cluster_objects.node(self.name, self._machine.cpu, self._machine.memory, 110, {})
        if gpus:
            # Capacity and allocatable are one object.
            status["status"]["capacity"]["nvidia.com/gpu"] = str(gpus)
        if not ready:
            status["status"]["conditions"][0] |= {"status": "False", "reason": "KubeletNotReady"}
        status["status"]["conditions"][0] |= {"lastHeartbeatTime": now(), "lastTransitionTime": now()}
        status["status"] |= {
            # No host name: the API server would ask for it before the address, and nobody knows it.
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
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
        if ready:
            # What would take the taint away is run only with `disruptions`.
            kept = [one for one in api.get(path)["spec"].get("taints", []) if one["key"] != _NOT_READY]
            api.patch(path, {"spec": {"taints": kept}}, _MERGE)

    def _taints(self) -> list[Object]:
        result = []
        for text in self._machine.taints:
            pair, _, effect = text.rpartition(":")
            key, _, value = pair.partition("=")
            result.append({"key": key, "value": value, "effect": effect})
        return result

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._ground.stopped.wait(min(1, self.heartbeat)):
            if time.monotonic() - last < self.heartbeat:
                continue
            last = time.monotonic()
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
