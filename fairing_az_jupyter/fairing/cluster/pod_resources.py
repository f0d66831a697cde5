"""What the containers of a pod ask for and may use: what a user's mutators have set stays, and the rest fits it.

Source: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
"""

from __future__ import annotations

import copy
from decimal import InvalidOperation
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.settings import quantities

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "GPU",
    "containers_of",
    "give_limits",
    "give_resources",
    "give_shared_memory",
    "gpus_of",
    "larger",
    "limit_all",
]

GPU = "nvidia.com/gpu"
"""What a graphics processor of NVIDIA's is called as a resource."""

_SHARED, _SHARED_VOLUME = "/dev/shm", "fairing-shared-memory"  # noqa: S108 - the pod's


def give_resources(pod: dict[str, Any], amounts: Mapping[str, Mapping[str, str]]) -> None:
    """Say what a pod's containers get; what they say themselves stays.

    Args:
        pod: The pod's specification; it is changed.
        amounts: The requests and the limits of its first container.

    """
    container = pod["containers"][0]
    resources = container["resources"] = _merged(container.get("resources") or {}, amounts)
    for first in pod.get("initContainers", []):
        # Otherwise a quota on requests rejects the pod; it runs before the others, so that it takes no more room.
        first.setdefault("resources", _without_devices(resources))


def limit_all(pod: dict[str, Any], cpu: str, memory: str) -> None:
    """Give every container a limit of processor cores and one of memory; one that asks for more means more.

    Args:
        pod: The pod's specification; it is changed.
        cpu: The limit where a container names none.
        memory: Likewise.

    """
    for container in containers_of(pod):
        _limit(container, {"cpu": cpu, "memory": memory})


def give_limits(pod: dict[str, Any], cpu: str) -> None:
    """Give the first container and all that ask for something the limits that they don't name.

    Args:
        pod: The pod's specification; it is changed.
        cpu: The least limit of processor cores.

    """
    for container in containers_of(pod):
        requests = container.setdefault("resources", {}).get("requests", {})
        if requests or container is pod["containers"][0]:
            # One of what is not asked for would be asked for by it.
            least = {"cpu": cpu, "memory": str(requests.get("memory", ""))}
            _limit(container, {name: amount for name, amount in least.items() if amount})


def give_shared_memory(pod: dict[str, Any]) -> None:
    """Let the program of a pod share as much memory among its processes as it may use.

    A container runtime gives 64 MB, of which PyTorch's data loaders have too little:
    https://pytorch.org/docs/stable/multiprocessing.html. What is shared counts against the memory limit:
    https://kubernetes.io/docs/concepts/storage/volumes/#emptydir.

    Args:
        pod: The pod's specification; it is changed, unless something is mounted there already.

    """
    mounts = pod["containers"][0].setdefault("volumeMounts", [])
    if all(str(mount["mountPath"]).rstrip("/") != _SHARED for mount in mounts):
        mounts.append({"name": _SHARED_VOLUME, "mountPath": _SHARED})
        pod.setdefault("volumes", []).append({"name": _SHARED_VOLUME, "emptyDir": {"medium": "Memory"}})


def gpus_of(pod: Mapping[str, Any]) -> list[str]:
    """Return whose graphics processors a pod's containers ask for, such as `nvidia.com`; nothing for none.

    Args:
        pod: The pod's specification, with resources.

    """
    found: dict[str, None] = {}
    for container in containers_of(pod):
        for part in ("requests", "limits"):
            for name, amount in container.get("resources", {}).get(part, {}).items():
                vendor, _, device = str(name).partition("/")
                if (device == "gpu" or (vendor, device[:4]) == ("nvidia.com", "mig-")) and str(amount) != "0":
                    found[vendor] = None
    return list(found)


def larger(one: str, other: str) -> str:
    """Return the larger of two amounts; the first where they are the same or not to be compared.

    Args:
        one: An amount, as Kubernetes writes it.
        other: Another one.

    """
    try:
        return other if quantities.amount(other) > quantities.amount(one) else one
    except InvalidOperation:
        # A mutator may have written it in one of Kubernetes' rarer forms.
        return one


def _merged(own: Mapping[str, Any], ours: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return a container's own resources, and beside them ours as far as they fit: no request is above its limit."""
    own_requests, own_limits = own.get("requests") or {}, own.get("limits") or {}
    requests = {**ours["requests"], **own_requests}
    limits = {**ours["limits"], **own_limits}
    for name in requests.keys() & limits.keys():
        request, limit = str(requests[name]), str(limits[name])
        if name not in own_limits:
            limits[name] = request if "/" in name else larger(limit, request)
        elif name not in own_requests and ("/" in name or larger(limit, request) != limit):
            # Of a device the request is the limit.
            requests[name] = own_limits[name]
    return {**own, "requests": requests, "limits": limits}


def _limit(container: dict[str, Any], amounts: Mapping[str, str]) -> None:
    resources = container.setdefault("resources", {})
    limits = resources.setdefault("limits", {})
    for name, amount in amounts.items():
        limits[name] = larger(str(limits.get(name, amount)), str(resources.get("requests", {}).get(name, "0")))


def _without_devices(resources: Mapping[str, Any]) -> dict[str, Any]:
    """Return resources without devices, such as graphics processors: their names have a domain."""
    found = copy.deepcopy(dict(resources))
    for part in ("requests", "limits"):
        found[part] = {name: amount for name, amount in found.get(part, {}).items() if "/" not in name}
    return found


def containers_of(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the containers of a pod's specification, init containers first.

    Args:
        pod: The specification.

    """
    yield from pod.get("initContainers", ())
    yield from pod["containers"]
