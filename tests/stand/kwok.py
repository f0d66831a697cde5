"""kwok, built from its Go module: nodes that run nothing, on which pods are Running, and Succeeded if they are a Job's.

It looks after the nodes that have its annotation and after no other, so never after the stand's own.
https://kwok.sigs.k8s.io
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from .processes import Server, free_port
from .programs import binaries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .control_plane import ControlPlane
    from .processes import Guard

Object = dict[str, Any]
_ANNOTATION = "kwok.x-k8s.io/node"
_MERGE = "application/merge-patch+json"
_READY = "Starting HTTP server"
_SECONDS = 20


class Kwok:
    """kwok, from its making until `close`.

    Args:
        control_plane: The cluster.
        folder: For its log.
        guard: Ends it if this process can't.

    Raises:
        MissingError: It is not here and can't be built here.
        StartError: It did not start.

    """

    def __init__(self, control_plane: ControlPlane, folder: Path, guard: Guard) -> None:
        files = binaries.kwok()
        self._api = control_plane.admin
        self._nodes: list[str] = []
        folder.mkdir(exist_ok=True)
        log = folder / "kwok.log"
        command = [
            str(files.program),
            *(f"--config={path}" for path in files.stages),
            f"--kubeconfig={control_plane.admin_kubeconfig()}",
            f"--manage-nodes-with-annotation-selector={_ANNOTATION}=fake",
            "--node-ip=127.0.0.1",
            f"--server-address=127.0.0.1:{free_port()}",
            "--cidr=10.245.0.0/16",
        ]
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder)}
        self.server = Server(
            "kwok", command, log=log, ready=lambda: _READY in log.read_text(), guard=guard, environment=environment
        )
        self.servers = [self.server]

    def add(
        self,
        name: str,
        *,
        cpu: str = "4",
        memory: str = "16Gi",
        gpus: int = 0,
        labels: Mapping[str, str] | None = None,
        taints: tuple[str, ...] = (),
        scheduled: bool = True,
    ) -> str:
        """Add a node and return its name when it is ready.

        Args:
            name: Its name.
            cpu: Its cores.
            memory: Its memory.
            gpus: Its GPUs.
            labels: More labels.
            taints: Its taints, `key=value:effect` each.
            scheduled: The stand's scheduler puts pods there.

        """
        own = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "type": "kwok",
        }
        if scheduled:
            # What the stand's scheduler asks nodes for: see node/scheduler.py.
            own["stand/kubelet"] = "true"
        capacity = {"cpu": cpu, "memory": memory, "pods": "110", **({"nvidia.com/gpu": str(gpus)} if gpus else {})}
        body = {
            "metadata": {"name": name, "labels": {**own, **(labels or {})}, "annotations": {_ANNOTATION: "fake"}},
            "status": {"capacity": capacity, "allocatable": capacity},
        }
        self._api.post("/api/v1/nodes", body)
        self._nodes.append(name)
        self._api.patch(f"/api/v1/nodes/{name}/status", {"status": body["status"]})
        self._until_ready(name)
        # Admission has tainted it as not ready; what takes that away is run only with `disruptions`.
        made = [dict(zip(("key", "value", "effect"), _split(taint), strict=True)) for taint in taints]
        self._api.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": made}}, _MERGE)
        return name

    def remove(self, name: str) -> None:
        """Take a node away, and its pods at once."""
        self._nodes.remove(name)
        self._api.call("DELETE", f"/api/v1/nodes/{name}")
        for pod in self._api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={name}")["items"]:
            meta = pod["metadata"]
            path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
            self._api.call("DELETE", path, {"gracePeriodSeconds": 0})

    def clear(self) -> None:
        """Take all nodes away."""
        for name in list(self._nodes):
            self.remove(name)

    def close(self) -> None:
        """End it; safe to repeat."""
        self.server.end()

    def _until_ready(self, name: str) -> None:
        end = time.monotonic() + _SECONDS
        while True:
            conditions = self._api.get(f"/api/v1/nodes/{name}")["status"].get("conditions", [])
            if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
                return
            if time.monotonic() > end:
                msg = f"Waited {_SECONDS} s in vain for node {name}.\n{self.server.tail()}"
                raise RuntimeError(msg)
            time.sleep(0.05)


def _split(taint: str) -> tuple[str, str, str]:
    pair, _, effect = taint.rpartition(":")
    key, _, value = pair.partition("=")
    return key, value, effect
