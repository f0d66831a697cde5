"""What takes pods away from a user: evictions, drains, preemption, spot nodes taken back, machines that are gone.

What a node's end sets off is done by real controllers: node-lifecycle (NotReady, the taint unreachable), taint-eviction
(deletion with the condition DisruptionTarget) and the pod garbage collector (pods of a node that is gone fail with
DisruptionTarget; it looks every 20 s and waits 40 s: pkg/controller/podgc/gc_controller.go:48-51 of
https://github.com/kubernetes/kubernetes v1.34.4). They run only while a test asks for them, with short times: a node is
NotReady after 5 s in place of 50 s, and the stand's pods tolerate that for 5 s in place of 300 s.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.stand.control_plane import ControlPlane
    from tests.stand.processes import Server

    from .node import Node

Object = dict[str, Any]
_CONTROLLERS = (
    "node-lifecycle-controller",
    "taint-eviction-controller",
    "pod-garbage-collector-controller",
    "disruption-controller",
)
_SETTINGS = (
    "--node-monitor-period=1s",
    "--node-monitor-grace-period=5s",
    "--node-startup-grace-period=300s",
    "--node-eviction-rate=10",
    # Nodes that tests only count say nothing: they must not keep the others' pods from being evicted.
    "--unhealthy-zone-threshold=1",
)
_MERGE = "application/merge-patch+json"
_PODS = "/api/v1/namespaces/default/pods"
_KNOWN_SECONDS = 30


class Disruptions:
    """Takes pods and nodes away, from its making until `close`.

    Args:
        control_plane: The cluster.
        node: The stand's nodes.

    """

    def __init__(self, control_plane: ControlPlane, node: Node) -> None:
        self._control_plane, self._node, self._api = control_plane, node, control_plane.admin
        self._cordoned: set[str] = set()
        self._gone: set[str] = set()
        self._classes: list[str] = []
        self._timers: list[threading.Timer] = []
        self._server: Server | None = None

    def watch_nodes(self) -> None:
        """Have nodes that say nothing noticed, by the real controllers; safe to repeat."""
        if self._server is None:
            self._node.set_heartbeat(1)
            self._server = self._control_plane.start_controllers("node-controllers", _CONTROLLERS, _SETTINGS)

    def evict(self, namespace: str, pod: str) -> None:
        """Evict a pod by the Eviction API, as the autoscaler's scale-down and upgrades do.

        Raises:
            RuntimeError: It is refused, as by a PodDisruptionBudget.

        """
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        self._api.post(f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction", body)

    def drain(self, node: str = "stand-node", namespace: str | None = None) -> list[str]:
        """Let a node take no more pods and evict those that it has, or those of one namespace; return their names."""
        self.cordon(node)
        evicted = []
        for pod in self._api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={node}")["items"]:
            if namespace not in {None, pod["metadata"]["namespace"]}:
                continue
            if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") in {"Pending", "Running"}:
                self.evict(pod["metadata"]["namespace"], pod["metadata"]["name"])
                evicted.append(pod["metadata"]["name"])
        return evicted

    def cordon(self, node: str = "stand-node") -> None:
        """Let a node take no more pods."""
        self._api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}}, _MERGE)
        self._cordoned.add(node)

    def uncordon(self, node: str = "stand-node") -> None:
        """Let a node take pods again."""
        self._api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}}, _MERGE)
        self._cordoned.discard(node)

    def priority(self, name: str, value: int) -> str:
        """Make a PriorityClass: the scheduler preempts pods of less for pods of it. Return its name."""
        body = {"metadata": {"name": name}, "value": value}
        self._api.post("/apis/scheduling.k8s.io/v1/priorityclasses", body)
        self._classes.append(name)
        # Admission reads classes from a cache of its own, which has it some milliseconds later.
        spec = {"containers": [{"name": "c", "image": "i"}], "priorityClassName": name}
        pod: Object = {"metadata": {"generateName": "p-"}, "spec": spec}
        end = time.monotonic() + _KNOWN_SECONDS
        while not (answer := self._api.call("POST", _PODS, pod, query={"dryRun": "All"})).ok:
            if time.monotonic() > end:
                msg = f"PriorityClass {name} is not known to admission in {_KNOWN_SECONDS} s: {answer.text}"
                raise RuntimeError(msg)
            time.sleep(0.05)
        return name

    def vanish(self, node: str, *, delete_after: float | None = None) -> None:
        """Switch a node off that has joined: it says nothing any more, and its containers are gone.

        Args:
            node: Its name.
            delete_after: Seconds until its object is deleted, as a cloud does that knows the machine is gone; None to
                keep it.

        """
        self.watch_nodes()
        self._gone.add(node)
        self._node.vanish(node)
        if delete_after is not None:
            self._later(delete_after, lambda: self._delete(node))

    def reclaim(self, node: str, *, notice: float = 30, drained: bool = True) -> None:
        """Take a spot node back: a notice, then the machine and its object are gone.

        Azure gives 30 s of notice, in which AKS cordons and drains the node:
        https://learn.microsoft.com/azure/aks/node-auto-drain

        Args:
            node: Its name.
            notice: Seconds of notice.
            drained: Its pods are evicted meanwhile.

        """
        self.watch_nodes()
        if drained:
            self.drain(node)

        def take() -> None:
            self._gone.add(node)
            self._node.vanish(node)
            self._delete(node)

        self._later(notice, take)

    def close(self) -> None:
        """End it, and take away what is left of nodes that are gone; safe to repeat."""
        for timer in self._timers:
            timer.cancel()
            timer.join(20)
        for node in list(self._cordoned):
            self._api.call("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}}, kind=_MERGE)
        for node in self._gone:
            self._delete(node)
            for pod in self._api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={node}")["items"]:
                meta = pod["metadata"]
                path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
                self._api.call("DELETE", path, {"gracePeriodSeconds": 0})
        for name in self._classes:
            self._api.call("DELETE", f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}")
        if self._server is not None:
            self._server.end()
            self._server = None
        self._cordoned, self._gone, self._classes, self._timers = set(), set(), [], []

    def _delete(self, node: str) -> None:
        self._api.call("DELETE", f"/api/v1/nodes/{node}")
        self._cordoned.discard(node)

    def _later(self, seconds: float, do: Any) -> None:
        timer = threading.Timer(seconds, do)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)
