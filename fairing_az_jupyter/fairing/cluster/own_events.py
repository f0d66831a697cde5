"""Kubernetes events of ours at the start and the end of a launch, for who looks after the cluster.

Kubeflow's own roles do not allow to write events; where that is so, there are none, and nothing is said about it.
Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

import contextlib
import weakref
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.objects.facts import mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of, uid_of
from fairing_az_jupyter.exceptions import FairingAzureError, NotAllowedError
from fairing_az_jupyter.fairing.cluster.manifests import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.clients.kube.workloads import Workloads
    from fairing_az_jupyter.fairing.cluster.connections import Launcher

    Object = Mapping[str, Any]

__all__ = ["ENDED", "STARTED", "emit_end", "emit_start"]

STARTED = "FairingStarted"
"""The reason of an event at the start of a launch."""
ENDED = "FairingEnded"
"""The reason of an event at its end."""

_COMPONENT = "fairing-az-jupyter"
_SECONDS = 2.0
_LONGEST_MESSAGE = 1024
_ORIGIN = {"notebook": "notebook", "run": "record", "sweep": "sweep"}

_not_allowed: weakref.WeakSet[Workloads] = weakref.WeakSet()
"""Those of namespaces where nobody may write events: the end of a launch is not tried there."""


def emit_start(launcher: Launcher, thing: Object | tuple[str, str]) -> None:
    """Note in the cluster that a launch has started: who has launched it, and from where. Nothing fails by it.

    Args:
        launcher: The cluster.
        thing: The object of the launch, as the cluster has it; or its kind and name.

    """
    _note(launcher, thing, STARTED, _started)


def _started(thing: Object) -> str:
    labels = mapping(mapping(thing.get("metadata")).get("labels"))
    owner = labels.get(f"{PREFIX}owner")
    said = [f"by {owner}"] if owner else []
    said += [f"{word} {labels[f'{PREFIX}{name}']}" for name, word in _ORIGIN.items() if labels.get(f"{PREFIX}{name}")]
    return f"Launched {', '.join(said)}." if said else "Launched."


def emit_end(launcher: Launcher, thing: Object | tuple[str, str], message: str) -> None:
    """Note in the cluster how a launch has ended. Nothing fails by it.

    Args:
        launcher: The cluster.
        thing: As for `emit_start`.
        message: How, in one sentence.

    """
    _note(launcher, thing, ENDED, lambda _thing: message)


def _note(launcher: Launcher, thing: Object | tuple[str, str], reason: str, message: Callable[[Object], str]) -> None:
    with contextlib.suppress(FairingAzureError):
        workloads = launcher.workloads
        if workloads in _not_allowed:
            return
        found = workloads.get(*thing) if isinstance(thing, tuple) else thing
        try:
            # With little time: nobody waits for this.
            workloads.create(_event(found, workloads.namespace, reason, message(found)), seconds=_SECONDS)
        except NotAllowedError:
            _not_allowed.add(workloads)


def _event(thing: Object, namespace: str, reason: str, message: str) -> dict[str, Any]:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = name_of(thing)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{name}.", "namespace": namespace},
        "involvedObject": {
            "apiVersion": str(thing.get("apiVersion") or ""),
            "kind": str(thing.get("kind") or ""),
            "name": name,
            "namespace": namespace,
            "uid": uid_of(thing),
        },
        "reason": reason,
        "message": " ".join(message.split())[:_LONGEST_MESSAGE],
        "type": "Normal",
        "source": {"component": _COMPONENT},
        "reportingComponent": _COMPONENT,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
