"""Pools of nodes that come when pods need them, and what an autoscaler reports meanwhile.

An imitation: neither the cluster autoscaler nor Karpenter can run here. Its events, their order and their times are
those of https://github.com/kubernetes/autoscaler : cluster-autoscaler/config/autoscaling_options.go (every 10 s),
cluster-autoscaler/processors/status/eventing_scale_up_processor.go (TriggeredScaleUp, NotTriggerScaleUp and how reasons
are counted), cluster-autoscaler/processors/nodegroupset/nodegroup_set_processor.go (`{NAME 0->1 (max: 3)}`),
cluster-autoscaler/core/scaleup/orchestrator/skippedreasons.go (max node group size reached, in backoff);
https://github.com/kubernetes-sigs/karpenter : pkg/controllers/provisioning/scheduling/events.go (Nominated,
FailedScheduling), .../scheduling/scheduler.go (incompatible with nodepool; exceed limits), with batches of 1 s to 10 s
(pkg/operator/options/options.go). A failed scale-up is reported in GKE's words: it is the only provider whose cluster
autoscaler writes FailedScaleUp on pods.
"""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import requests

from .environment import quantity
from .events import Recorder
from .kubelet import Machine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.stand.control_plane import Api

    from .node import Node

Object = dict[str, Any]
Style = Literal["classic", "karpenter", "silent"]
SPOT = "kubernetes.azure.com/scalesetpriority"
_SYSTEM = {"key": "CriticalAddonsOnly", "value": "true", "effect": "NoSchedule"}
_SEEN = 0.3
_MERGE = "application/merge-patch+json"
_COMPONENTS = {"classic": "cluster-autoscaler", "karpenter": "karpenter"}
_NO_MATCH = "node(s) didn't match Pod's node affinity/selector"
_NO_TOLERATION = "node(s) had untolerated taint(s)"


@dataclass(frozen=True)
class Pool:
    """A pool of equal nodes, none of which is there at first.

    Args:
        name: Its name, which its nodes have as label `agentpool`.
        cpu: A node's cores.
        memory: A node's memory.
        gpus: A node's GPUs.
        labels: More labels of its nodes.
        taints: Taints of its nodes, `key=value:effect` each; AKS's guide has `sku=gpu:NoSchedule`.
        spot: Its nodes have AKS's label and taint of spot pools.
        most: How many nodes it may have; 0 for a pool that may have none.
        failure: Why no node comes although one was asked for, such as `quota exceeded`.

    """

    name: str = "pool"
    cpu: str = "4"
    memory: str = "16Gi"
    gpus: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    spot: bool = False
    most: int = 3
    failure: str = ""

    def machine(self, name: str) -> Machine:
        """Return one of its nodes."""
        labels = {"agentpool": self.name, "kubernetes.azure.com/agentpool": self.name, **self.labels}
        taints = self.taints
        if self.spot:
            labels[SPOT] = "spot"
            taints = (*taints, f"{SPOT}=spot:NoSchedule")
        return Machine(name, self.cpu, self.memory, self.gpus, labels, taints)

    def against(self, pod: Object) -> list[str]:
        """Return why a pod would not run on one of its nodes, in the scheduler's words; empty if it would."""
        machine = self.machine("x")
        labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", **machine.labels}
        if not _selected(pod, labels):
            return [_NO_MATCH]
        if any(not _tolerated(pod, taint) for taint in machine.taints):
            return [_NO_TOLERATION]
        return [f"Insufficient {name}" for name, amount in requests_of(pod).items() if amount > self._has(name)]

    def holds(self, pods: list[Object]) -> bool:
        """Tell whether some pods would all run on one of its nodes together."""
        total: dict[str, Decimal] = {}
        for pod in pods:
            if self.against(pod):
                return False
            for name, amount in requests_of(pod).items():
                total[name] = total.get(name, Decimal(0)) + amount
        return all(amount <= self._has(name) for name, amount in total.items())

    def _has(self, name: str) -> Decimal:
        return quantity({"cpu": self.cpu, "memory": self.memory, "nvidia.com/gpu": str(self.gpus)}.get(name, "0"))


def requests_of(pod: Object) -> dict[str, Decimal]:
    """Return what a pod asks for, as the scheduler counts it: containers together, or the largest init container."""

    def asked(containers: list[Object]) -> list[dict[str, Decimal]]:
        return [
            {name: quantity(text) for name, text in one.get("resources", {}).get("requests", {}).items()}
            for one in containers
        ]

    total: dict[str, Decimal] = {}
    for one in asked(pod["spec"]["containers"]):
        for name, amount in one.items():
            total[name] = total.get(name, Decimal(0)) + amount
    for one in asked(pod["spec"].get("initContainers", [])):
        for name, amount in one.items():
            total[name] = max(total.get(name, Decimal(0)), amount)
    return total


class Pools:
    """Pools and their autoscaler, from their making until `close`.

    The node that is always there is meanwhile a system node: only what tolerates CriticalAddonsOnly runs there.

    Args:
        node: The stand's node.
        api: The API server.
        pools: The pools.
        style: Who brings nodes: the classic cluster autoscaler, Karpenter, or somebody who says nothing.
        delay: Seconds from the request for a node until it is ready.
        interval: Seconds between two looks; 10 for the classic autoscaler in a cluster.
        namespace: The pods that nodes are brought for; all if None. Other tests may have left some.

    """

    def __init__(
        self,
        node: Node,
        api: Api,
        pools: tuple[Pool, ...],
        style: Style = "classic",
        *,
        delay: float = 90,
        interval: float = 10,
        namespace: str | None = None,
    ) -> None:
        self._node, self._api, self._pools, self._style = node, api, pools, style
        self._delay, self._interval = delay, interval
        self._path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
        self._events = Recorder(api, "")
        self._members: dict[str, list[str]] = {pool.name: [] for pool in pools}
        self._asked: dict[str, tuple[Pool, str, float]] = {}
        self._failed: dict[str, float] = {}
        self._numbers = itertools.count()
        self._over = threading.Event()
        self.joined: dict[str, float] = {}
        """The nodes that are ready, each with the time (`time.monotonic`) since when."""
        self._taint(on=True)
        # The scheduler learns of the taint a moment later.
        time.sleep(_SEEN)
        self._thread = threading.Thread(target=self._run, name="autoscaler", daemon=True)
        self._thread.start()

    def add(self, pool: str) -> str:
        """Bring a node at once, whatever pods ask for; return its name."""
        found = next(one for one in self._pools if one.name == pool)
        name = self._name(found)
        self._join(found, name, 0)
        return name

    def remove(self, name: str) -> None:
        """Take a node away at once, with its object."""
        self.joined.pop(name, None)
        for members in self._members.values():
            if name in members:
                members.remove(name)
        self._node.vanish(name, delete=True)

    def nodes(self) -> list[str]:
        """Return the names of the nodes that are ready."""
        return list(self.joined)

    def close(self) -> None:
        """Take all nodes away and let the node that is always there take pods again; safe to repeat."""
        self._over.set()
        self._thread.join(30)
        for name in [name for members in self._members.values() for name in members]:
            with suppress(KeyError):
                self.remove(name)
            # One that was still on its way.
            self._api.call("DELETE", f"/api/v1/nodes/{name}")
        self._taint(on=False)

    def _run(self) -> None:
        # Karpenter looks as soon as a pod can't be scheduled; its shortest batch takes a second.
        pause = 1.0 if self._style == "karpenter" else self._interval
        while not self._over.wait(pause):
            with suppress(requests.RequestException, RuntimeError):
                self._look()

    def _look(self) -> None:
        self._fail_late()
        coming: list[tuple[Pool, str, list[Object]]] = []
        for pod in [pod for pod in self._api.get(self._path)["items"] if _unschedulable(pod)]:
            known = self._asked.get(pod["metadata"]["uid"])
            if known is not None and (known[1] in self._waiting() or known[1] in self.joined):
                continue
            # Pods of one look share a node where they fit together.
            shared = next((one for one in coming if one[0].holds([*one[2], pod])), None)
            if shared is None:
                reasons = {pool.name: self._against(pool, pod) for pool in self._pools}
                found = next((pool for pool in self._pools if not reasons[pool.name]), None)
                if found is None:
                    self._declined(pod, reasons)
                    continue
                shared = (found, self._name(found), [])
                coming.append(shared)
            shared[2].append(pod)
        for pool, name, pods in coming:
            for pod in pods:
                self._asked[pod["metadata"]["uid"]] = (pool, name, time.monotonic())
                self._wanted(pod, pool, name)
            threading.Thread(target=self._come, args=(pool, name), name=f"node {name}", daemon=True).start()

    def _waiting(self) -> set[str]:
        return {name for members in self._members.values() for name in members} - set(self.joined)

    def _against(self, pool: Pool, pod: Object) -> list[str]:
        if self._style == "classic" and pool.name in self._failed:
            return ["in backoff after failed scale-up"]
        reasons = pool.against(pod)
        if not reasons and len(self._members[pool.name]) >= pool.most:
            return ["max node group size reached"]
        return reasons

    def _wanted(self, pod: Object, pool: Pool, name: str) -> None:
        if self._style == "classic":
            size = len(self._members[pool.name])
            group = f"aks-{pool.name}-24680135-vmss"
            text = f"pod triggered scale-up: [{{{group} {size - 1}->{size} (max: {pool.most})}}]"
            self._event(pod, "TriggeredScaleUp", text)
        elif self._style == "karpenter":
            self._event(pod, "Nominated", f"Pod should schedule on: nodeclaim/{name.removeprefix('aks-')}")

    def _declined(self, pod: Object, reasons: dict[str, list[str]]) -> None:
        if self._style == "classic":
            counted: dict[str, int] = {}
            for reason in [reason for each in reasons.values() for reason in each]:
                counted[reason] = counted.get(reason, 0) + 1
            said = ", ".join(f"{count} {reason}" for reason, count in counted.items())
            self._event(pod, "NotTriggerScaleUp", f"pod didn't trigger scale-up: {said}")
        elif self._style == "karpenter":
            said = "; ".join(self._karpenters_reason(pool, pod, reasons[pool.name]) for pool in self._pools)
            self._event(pod, "FailedScheduling", f"Failed to schedule pod, {said}", warning=True)

    def _karpenters_reason(self, pool: Pool, pod: Object, reasons: list[str]) -> str:
        if reasons == ["max node group size reached"]:
            return f'all available instance types exceed limits for nodepool: "{pool.name}"'
        start = f'incompatible with nodepool "{pool.name}", daemonset overhead={{"cpu":"200m","pods":"4"}}, '
        if reasons == [_NO_TOLERATION]:
            taint = next(one for one in pool.machine("x").taints if not _tolerated(pod, one))
            return f"{start}did not tolerate taint={taint}"
        if reasons == [_NO_MATCH]:
            return f"{start}incompatible requirements"
        asked = ",".join(f'"{name}":"{amount}"' for name, amount in requests_of(pod).items())
        return f"{start}no instance type satisfied resources {{{asked}}}"

    def _name(self, pool: Pool) -> str:
        number = next(self._numbers)
        name = f"aks-{pool.name}-{number:05x}" if self._style == "karpenter" else f"aks-{pool.name}-vmss{number:06d}"
        self._members[pool.name].append(name)
        return name

    def _come(self, pool: Pool, name: str) -> None:
        if pool.failure:
            return
        # A machine boots for most of the time; then the node is there and not ready for a while.
        if not self._over.wait(self._delay * 0.8):
            self._join(pool, name, self._delay * 0.2)

    def _join(self, pool: Pool, name: str, ready_after: float) -> None:
        # The device plugin takes some seconds more, and it is part of the delay here.
        device = ready_after / 4 if pool.gpus else 0
        with suppress(RuntimeError, requests.RequestException):
            self._node.join(pool.machine(name), ready_after=ready_after - device, device_after=device)
            if name in self._members[pool.name]:
                self.joined[name] = time.monotonic()
                if self._over.is_set():
                    self.remove(name)

    def _fail_late(self) -> None:
        """Report the nodes that have been asked for and won't come."""
        for uid, (pool, name, since) in list(self._asked.items()):
            if not pool.failure or time.monotonic() - since < min(self._delay, self._interval):
                continue
            del self._asked[uid]
            if name in self._members[pool.name]:
                self._members[pool.name].remove(name)
            self._failed[pool.name] = time.monotonic()
            pod = next((one for one in self._api.get(self._path)["items"] if one["metadata"]["uid"] == uid), None)
            if pod is not None and self._style == "classic":
                text = f"Node scale up in zones northeurope-1 associated with this pod failed: {pool.failure}. "
                self._event(pod, "FailedScaleUp", f"{text}Pod is at risk of not being scheduled.", warning=True)

    def _event(self, pod: Object, reason: str, message: str, *, warning: bool = False) -> None:
        component = _COMPONENTS[self._style]
        self._events.write(pod, reason, message, warning=warning, component=component)

    def _taint(self, *, on: bool) -> None:
        path = f"/api/v1/nodes/{self._node.kubelet.name}"
        known = self._api.get(path)["spec"].get("taints", [])
        others = [one for one in known if one["key"] != _SYSTEM["key"]]
        self._api.patch(path, {"spec": {"taints": [*others, *([_SYSTEM] if on else [])]}}, _MERGE)


def _unschedulable(pod: Object) -> bool:
    if pod["spec"].get("nodeName") or "deletionTimestamp" in pod["metadata"]:
        return False
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "PodScheduled" and one.get("reason") == "Unschedulable" for one in conditions)


def _selected(pod: Object, labels: Mapping[str, str]) -> bool:
    spec = pod["spec"]
    if any(labels.get(key) != value for key, value in spec.get("nodeSelector", {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms")
    return terms is None or any(
        all(_expressed(one, labels) for one in term.get("matchExpressions", [])) for term in terms
    )


def _expressed(expression: Object, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    operator, values = expression["operator"], expression.get("values", [])
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(operator, False)


def _tolerated(pod: Object, taint: str) -> bool:
    pair, _, effect = taint.rpartition(":")
    key, _, value = pair.partition("=")
    for one in pod["spec"].get("tolerations", []):
        if one.get("effect") not in {None, "", effect}:
            continue
        if one.get("operator") == "Exists" and one.get("key") in {None, "", key}:
            return True
        if one.get("operator", "Equal") == "Equal" and (one.get("key"), one.get("value", "")) == (key, value):
            return True
    return False
