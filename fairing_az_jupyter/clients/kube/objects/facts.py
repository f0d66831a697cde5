"""What a cluster's objects say, as plain records: Secrets, nodes with their free capacity, quotas, Istio."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.secret_values import SecretValue

if TYPE_CHECKING:
    from collections.abc import Iterable

Object = Mapping[str, Any]

# Ours among the labels and annotations of others.
PREFIX = "fairing-az-jupyter/"
MANAGED_BY = ("app.kubernetes.io/managed-by", "fairing-az-jupyter")
# Scopes without pods that ask for processor cores or memory and have no affinity to pods of other namespaces:
# https://kubernetes.io/docs/concepts/policy/resource-quotas/#quota-scopes
_OF_OTHERS = frozenset({"BestEffort", "CrossNamespacePodAffinity"})
# Pods of launches ask for these; no other vendor's would do.
_GPU = "nvidia.com/gpu"
_KEEP_OFF = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True)
class StoredSecret:
    """A Secret as it is in the cluster.

    Args:
        name: Its name.
        type: Its type, such as `Opaque` or `kubernetes.io/dockerconfigjson`.
        data: Its values by key; bytes that are not valid UTF-8 stand as surrogate escapes.
        resource_version: Which version of it this is.
        created: When it was made, or None.
        labels: The labels that this package has set.
        annotations: The annotations that this package has set, without their prefix. Those of others are left out:
            `kubectl apply` keeps a copy of the values in one.

    """

    name: str
    type: str
    data: Mapping[str, SecretValue]
    resource_version: str
    created: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Access:
    """Something that one may be allowed to do.

    Args:
        verb: The Kubernetes verb, such as `create`.
        resource: The resource in the plural, such as `jobs`.
        group: Its API group, such as `batch`; empty is the core one.
        subresource: Such as `log` of `pods`.
        name: One object of that name; empty is any.
        namespace: None is the client's own namespace, empty is the whole cluster.

    """

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    name: str = ""
    namespace: str | None = None


@dataclass(frozen=True)
class Capacity:
    """An amount of what pods ask for.

    Args:
        cpu: Processor cores.
        memory: Bytes.
        gpus: Graphics processors of NVIDIA's.
        pods: Pods.

    """

    cpu: float
    memory: int
    gpus: int
    pods: int


@dataclass(frozen=True)
class NodeCapacity:
    """What a node offers.

    Args:
        name: The node's name.
        ready: Whether it is ready.
        schedulable: Whether ordinary pods may be put on it: not cordoned, and no taint that keeps them off.
        allocatable: What all pods on it may ask for together.
        free: What is left of that; None where the pods of the whole cluster may not be read.
        cordoned: Whether it takes no new pods at all.
        labels: Its labels.
        taints: Its taints that keep pods off, each with `key`, `value` and `effect`.

    """

    name: str
    ready: bool
    schedulable: bool
    allocatable: Capacity
    free: Capacity | None = None
    cordoned: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class QuotaState:
    """One quota of a namespace.

    Args:
        name: The ResourceQuota's name.
        hard: The limits, such as `{"requests.cpu": "4"}`.
        used: What is used of them.
        scoped: Whether it counts only some of the pods that ask for processor cores and memory.
        for_others: Whether it counts no pod that asks for processor cores and memory.

    """

    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str]
    scoped: bool = False
    for_others: bool = False


def encoded(value: SecretValue) -> str:
    """Return a value as a Secret holds it.

    Args:
        value: The value.

    Returns:
        Its bytes in base64.

    """
    return base64.b64encode(value.reveal().encode("utf-8", "surrogateescape")).decode("ascii")


def stored_secret(secret: Object) -> StoredSecret:
    """Read a Secret from the API's form.

    Args:
        secret: The object.

    Returns:
        The record.

    """
    metadata = mapping(secret.get("metadata"))
    labels, annotations = mapping(metadata.get("labels")), mapping(metadata.get("annotations"))
    return StoredSecret(
        name=str(metadata.get("name") or ""),
        type=str(secret.get("type") or "Opaque"),
        data={key: SecretValue(_decoded(value)) for key, value in mapping(secret.get("data")).items()},
        resource_version=str(metadata.get("resourceVersion") or ""),
        created=_moment(metadata.get("creationTimestamp")),
        labels={
            name: str(value) for name, value in labels.items() if name.startswith(PREFIX) or (name, value) == MANAGED_BY
        },
        annotations={
            name.removeprefix(PREFIX): str(value) for name, value in annotations.items() if name.startswith(PREFIX)
        },
    )


def node_capacities(nodes: Iterable[Object], pods: Iterable[Object] | None) -> tuple[NodeCapacity, ...]:
    """Work out what the nodes offer.

    Args:
        nodes: The Node objects.
        pods: The Pod objects of the whole cluster that have not ended; None where they may not be read.

    Returns:
        One record a node, in the order of the names.

    """
    asked: dict[str, list[Capacity]] | None = None
    if pods is not None:
        asked = {}
        for pod in pods:
            spec, phase = mapping(pod.get("spec")), mapping(pod.get("status")).get("phase")
            if spec.get("nodeName") and phase not in {"Succeeded", "Failed"}:
                asked.setdefault(str(spec["nodeName"]), []).append(_capacity(_pod_requests(spec), pods=1))
    found = [_node(node, asked) for node in nodes]
    return tuple(sorted(found, key=lambda node: node.name))


def quota_states(quotas: Iterable[Object]) -> tuple[QuotaState, ...]:
    """Read the quotas of a namespace.

    Args:
        quotas: The ResourceQuota objects.

    Returns:
        One record a quota, in the order of the names.

    """
    states = []
    for quota in quotas:
        status, spec = mapping(quota.get("status")), mapping(quota.get("spec"))
        states.append(
            QuotaState(
                name=str(mapping(quota.get("metadata")).get("name") or ""),
                hard=_texts(status.get("hard") or spec.get("hard")),
                used=_texts(status.get("used")),
                scoped=bool(_scopes(spec) - {"NotBestEffort"}),
                for_others=bool(_scopes(spec) & _OF_OTHERS),
            )
        )
    return tuple(sorted(states, key=lambda state: state.name))


def _scopes(spec: Object) -> set[str]:
    selector = entries(mapping(spec.get("scopeSelector")).get("matchExpressions"))
    return {str(name) for name in [*(spec.get("scopes") or ()), *(each.get("scopeName") for each in selector)]}


def istio_injects(namespace: Object) -> bool:
    """Tell from a namespace's labels whether Istio puts its proxy into pods there.

    Source: https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy

    Args:
        namespace: The Namespace object.

    Returns:
        Whether it does by default.

    """
    labels = mapping(mapping(namespace.get("metadata")).get("labels"))
    if "istio-injection" in labels:
        return bool(labels["istio-injection"] == "enabled")
    return bool(labels.get("istio.io/rev"))


def istio_mesh(namespace: Object) -> str:
    """Tell from a namespace's labels how Istio takes pods there into its mesh.

    Source: https://istio.io/latest/docs/ambient/usage/add-workloads/, where a proxy in the pod goes first.

    Args:
        namespace: The Namespace object.

    Returns:
        `sidecar`, `ambient`, or empty.

    """
    if istio_injects(namespace):
        return "sidecar"
    labels = mapping(mapping(namespace.get("metadata")).get("labels"))
    return "ambient" if labels.get("istio.io/dataplane-mode") == "ambient" else ""


def quantity(value: object) -> Decimal:
    """Read a Kubernetes quantity.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

    Args:
        value: Such as `500m`, `2Gi` or 4.

    Returns:
        The amount in cores, bytes or pieces; 0 where it is not a quantity.

    """
    from kubernetes.utils import parse_quantity  # noqa: PLC0415 - takes 0.3 s and more

    try:
        return Decimal(parse_quantity(value))
    except (ValueError, ArithmeticError):
        return Decimal()


def mapping(value: object) -> Mapping[str, Any]:
    """Return a part of an object that is a mapping, and an empty one where it is absent.

    Args:
        value: The part.

    Returns:
        The mapping.

    """
    return value if isinstance(value, Mapping) else {}


def entries(value: object) -> list[Mapping[str, Any]]:
    """Return a part of an object that is a list of mappings, and an empty one where it is absent.

    Args:
        value: The part.

    Returns:
        The list.

    """
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _node(node: Object, asked: Mapping[str, list[Capacity]] | None) -> NodeCapacity:
    spec, status = mapping(node.get("spec")), mapping(node.get("status"))
    name = str(mapping(node.get("metadata")).get("name") or "")
    resources = mapping(status.get("allocatable"))
    allocatable = _capacity({key: quantity(value) for key, value in resources.items()})
    free = None
    if asked is not None:
        used = asked.get(name, [])
        free = Capacity(
            cpu=round(max(0.0, allocatable.cpu - sum(pod.cpu for pod in used)), 3),
            memory=max(0, allocatable.memory - sum(pod.memory for pod in used)),
            gpus=max(0, allocatable.gpus - sum(pod.gpus for pod in used)),
            pods=max(0, allocatable.pods - len(used)),
        )
    taints = tuple(
        {part: str(taint.get(part) or "") for part in ("key", "value", "effect")}
        for taint in entries(spec.get("taints"))
        if taint.get("effect") in _KEEP_OFF
    )
    return NodeCapacity(
        name=name,
        ready=any(
            condition.get("type") == "Ready" and condition.get("status") == "True"
            for condition in entries(status.get("conditions"))
        ),
        schedulable=not spec.get("unschedulable") and not taints,
        allocatable=allocatable,
        free=free,
        cordoned=bool(spec.get("unschedulable")),
        labels=_texts(mapping(node.get("metadata")).get("labels")),
        taints=taints,
    )


def tolerated(taint: Mapping[str, str], tolerations: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether a pod accepts a taint.

    Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#concepts

    Args:
        taint: The taint, with `key`, `value` and `effect`.
        tolerations: The pod's tolerations.

    """
    for each in tolerations:
        key, effect = each.get("key") or "", each.get("effect") or ""
        any_value = each.get("operator") == "Exists"
        if effect in ("", taint["effect"]) and (
            (key == taint["key"] and (any_value or (each.get("value") or "") == taint["value"]))
            or (not key and any_value)
        ):
            return True
    return False


def requests_of_pod(spec: Object) -> Mapping[str, Decimal]:
    """Return what the scheduler reserves for a pod, by resource.

    Args:
        spec: The pod's specification. Where a container has a limit and no request, the limit is its request, as the
            API server makes it.

    """
    copied = dict(spec)
    for part in ("initContainers", "containers"):
        copied[part] = [
            {**each, "resources": {"requests": {**mapping(res.get("limits")), **mapping(res.get("requests"))}}}
            for each in entries(spec.get(part))
            for res in (mapping(each.get("resources")),)
        ]
    return _pod_requests(copied)


def limits_of_pod(spec: Object) -> Mapping[str, Decimal]:
    """Return what a pod may use at most, by resource, as a quota counts it; a resource without a limit is absent.

    Args:
        spec: The pod's specification.

    """
    copied = dict(spec)
    for part in ("initContainers", "containers"):
        copied[part] = [
            {**each, "resources": {"requests": mapping(mapping(each.get("resources")).get("limits"))}}
            for each in entries(spec.get(part))
        ]
    return _pod_requests(copied)


def _pod_requests(spec: Object) -> dict[str, Decimal]:
    """Add up what the scheduler reserves for a pod.

    Init containers run one after the other before the rest, except those that restart always, which stay.
    Source: https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers and
    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    staying: dict[str, Decimal] = {}
    most: dict[str, Decimal] = {}
    for container in entries(spec.get("initContainers")):
        if container.get("restartPolicy") == "Always":
            _add(staying, _requests(container))
            peak = dict(staying)
        else:
            peak = _requests(container)
            _add(peak, staying)
        most = {key: max(most.get(key, Decimal()), peak.get(key, Decimal())) for key in {*most, *peak}}
    for container in entries(spec.get("containers")):
        _add(staying, _requests(container))
    total = {key: max(most.get(key, Decimal()), staying.get(key, Decimal())) for key in {*most, *staying}}
    total.update(_requests(spec))  # a request of the whole pod goes before those of its containers
    _add(total, {key: quantity(value) for key, value in mapping(spec.get("overhead")).items()})
    return total


def _requests(part: Object) -> dict[str, Decimal]:
    requests = mapping(mapping(part.get("resources")).get("requests"))
    return {key: quantity(value) for key, value in requests.items()}


def _add(total: dict[str, Decimal], more: Mapping[str, Decimal]) -> None:
    for key, amount in more.items():
        total[key] = total.get(key, Decimal()) + amount


def _capacity(amounts: Mapping[str, Decimal], pods: int | None = None) -> Capacity:
    return Capacity(
        cpu=round(float(amounts.get("cpu", 0)), 3),
        memory=int(amounts.get("memory", 0)),
        gpus=int(amounts.get(_GPU, 0)),
        pods=int(amounts.get("pods", 0)) if pods is None else pods,
    )


def _decoded(value: object) -> str:
    try:
        return base64.b64decode(str(value or ""), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return ""


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None


def _texts(value: object) -> dict[str, str]:
    return {str(name): str(amount) for name, amount in mapping(value).items()}
