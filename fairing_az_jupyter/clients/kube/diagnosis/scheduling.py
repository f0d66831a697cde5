"""What events say about a pod that waits: the autoscaler's answers, taints in the way, and what has gone on since.

Sources, in the repositories' own folders: kubernetes/autoscaler,
cluster-autoscaler/processors/status/eventing_scale_up_processor.go, for the cluster autoscaler's events about pods,
`TriggeredScaleUp` and `NotTriggerScaleUp` (GKE's own autoscaler also writes `FailedScaleUp`); and
kubernetes-sigs/karpenter, pkg/controllers/provisioning/scheduling/events.go, for Karpenter's, which says
`Nominated` and never `TriggeredScaleUp`. `FailedScaleUp` at a pod is what GKE's autoscaler says; the upstream one, and
so AKS's, reports failures at its own status:
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/cluster-autoscaler-visibility
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of
from fairing_az_jupyter.clients.kube.objects.rejections import sanitized

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fairing_az_jupyter.clients.kube.objects.facts import Object

__all__ = [
    "PROGRESS",
    "autoscaler_says",
    "has_progressed",
    "in_order",
    "may_be_tolerated",
    "moment_of",
    "passes",
    "taints_named",
    "untolerated",
]

PROGRESS = frozenset({"SuccessfulAttachVolume", "Pulling", "Pulled", "Created", "Started"})
"""The kubelet's and the attach/detach controller's reasons that show that mounting continues.

Source: https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/events/event.go
"""

_GROWTH = frozenset({"TriggeredScaleUp", "NotTriggerScaleUp", "FailedScaleUp", "Nominated"})
_BEGINNING = frozenset({"", "ContainerCreating", "PodInitializing"})
# kube-scheduler up to 1.33: `had untolerated taint {key: value}`; long before: `had taint {key: value}, that the pod
# didn't tolerate`; since 1.34 it names none. Karpenter: `did not tolerate taint (taint=key=value:Effect)`.
# https://github.com/kubernetes/kubernetes/tree/v1.34.4/pkg/scheduler/framework/plugins/tainttoleration
_TAINT = re.compile(r"(?:untolerated taint|had taint) \{([^:{}\s]+): ?([^{}]*)\}")
_KARPENTER_TAINT = re.compile(r"did not tolerate taint \(taint=([^=:()\s]+)(?:=([^:()\s]*))?(?::(\w+))?\)")
# Set while a node starts, is repaired or is short of something, and taken away again by who has set them. Sources:
# https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions,
# https://docs.cilium.io/en/stable/installation/taints/, cluster-autoscaler/FAQ.md of kubernetes/autoscaler for its
# start-up taints, and https://learn.microsoft.com/azure/aks/node-auto-drain.
_PASSING = re.compile(
    r"node\.kubernetes\.io/|node\.cloudprovider\.kubernetes\.io/|(?:.+/)?(?:agent-not-ready|uninitialized)$|"
    r"karpenter\.sh/unregistered$|(?:startup|status|ignore)-taint\.cluster-autoscaler\.kubernetes\.io/|"
    r"remediator\.(?:kubernetes\.azure\.com|aks\.microsoft\.com)/"
)
# Nodes of the system's own pods, nodes that are about to go, and virtual nodes, which lack most of what pods need:
# https://learn.microsoft.com/azure/aks/use-system-pools, https://karpenter.sh/docs/concepts/disruption/,
# https://learn.microsoft.com/azure/aks/virtual-nodes.
_KEPT = re.compile(
    r"node-role\.kubernetes\.io/|karpenter\.sh/|virtual-kubelet\.io/|"
    r"(?:CriticalAddonsOnly|ToBeDeletedByClusterAutoscaler|DeletionCandidateOfClusterAutoscaler)$"
)
_KEEPS_OFF = frozenset({"NoSchedule", "NoExecute"})


def moment_of(event: Object) -> str:
    """Return when an event was seen last, as the API writes it; comparable as text to the second.

    Args:
        event: The event.

    """
    series = mapping(event.get("series")).get("lastObservedTime")
    found = event.get("lastTimestamp") or series or event.get("eventTime") or event.get("firstTimestamp")
    return str(found or mapping(event.get("metadata")).get("creationTimestamp") or "")[:19]


def in_order(events: Iterable[Object]) -> list[Object]:
    """Return events, the one that was seen last at the end.

    Args:
        events: The events; those of the same second stay as they are.

    """
    return sorted(events, key=moment_of)


def autoscaler_says(pod: str, events: Iterable[Object]) -> str:
    """Return the last that the autoscaler has said about a pod, as a sentence; empty where it has said nothing.

    Args:
        pod: The pod's name.
        events: Events, those of other objects among them.

    """
    said = ""
    for event in in_order(events):
        if mapping(event.get("involvedObject")).get("name") != pod:
            continue
        reason, message = str(event.get("reason") or ""), sanitized(str(event.get("message") or ""), {})
        if reason == "FailedScheduling" and message.startswith("Failed to schedule pod"):
            said = f"Karpenter reports: {message}."
        elif reason in _GROWTH:
            # Who only waits after a failure says nothing of what that was.
            failed = said if "failed to add a node" in said and "backoff after failed" in message else ""
            failed = failed.partition(" The cluster autoscaler adds no node")[0]
            said = f"{failed} {_growth(reason, message)}".strip()
    return said


def _growth(reason: str, message: str) -> str:
    if reason == "Nominated":
        claim = message.rpartition("on: ")[2]
        return f"Karpenter provisions a node: {claim}."
    words = message.partition(": ")[2].strip() or message.rstrip(": ")
    if reason == "TriggeredScaleUp":
        return f"The cluster autoscaler adds a node: {words}."
    if reason == "NotTriggerScaleUp":
        silent = words == message.rstrip(": ")
        return f"The cluster autoscaler adds no node{'' if silent else f': {words}'}."
    return f"The cluster autoscaler failed to add a node: {message}."


def has_progressed(pod: Object, event: Object, events: Sequence[Object]) -> bool:
    """Tell whether a pod has come further since an event about its volumes or its sandbox.

    Args:
        pod: The pod.
        event: The event.
        events: All events, those of other objects among them.

    """
    status = mapping(pod.get("status"))
    for part in ("initContainerStatuses", "containerStatuses"):
        for entry in entries(status.get(part)):
            state = mapping(entry.get("state"))
            if "running" in state or "terminated" in state or mapping(entry.get("lastState")):
                return True
            # Volumes are mounted before the first image is pulled.
            if str(mapping(state.get("waiting")).get("reason") or "") not in _BEGINNING:
                return True
    since = moment_of(event)
    # The API writes seconds: within one, an attempt that fails after progress is tried, and reported, again.
    return any(
        each.get("reason") in PROGRESS
        and mapping(each.get("involvedObject")).get("name") == name_of(pod)
        and moment_of(each) >= since
        for each in events
    )


def taints_named(said: str) -> tuple[tuple[str, str, str], ...]:
    """Return the taints that the scheduler or Karpenter names: key, value, effect (empty where it is not said).

    Args:
        said: What it says about a pod.

    """
    found = [(key, value.strip(), "") for key, value in _TAINT.findall(said)]
    found += _KARPENTER_TAINT.findall(said)
    return tuple(dict.fromkeys(each for each in found if may_be_tolerated(each[0])))


def untolerated(pod: Object, nodes: Iterable[Object]) -> tuple[tuple[str, str, str], ...]:
    """Return the taints of nodes that keep a pod off.

    Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/

    Args:
        pod: The pod.
        nodes: The nodes.

    """
    tolerated = entries(mapping(pod.get("spec")).get("tolerations"))
    taints = [taint for node in nodes for taint in entries(mapping(node.get("spec")).get("taints"))]
    return tuple(
        dict.fromkeys(
            (str(taint.get("key")), str(taint.get("value") or ""), str(taint.get("effect")))
            for taint in taints
            if taint.get("effect") in _KEEPS_OFF
            and may_be_tolerated(str(taint.get("key")))
            and not any(_tolerates(each, taint) for each in tolerated)
        )
    )


def passes(key: str) -> bool:
    """Tell whether a taint goes by itself, with the node staying.

    Args:
        key: Its key.

    """
    return _PASSING.match(key) is not None


def may_be_tolerated(key: str) -> bool:
    """Tell whether a pod of a launch may well tolerate a taint: it sets nodes apart for some of the users' pods.

    Args:
        key: Its key.

    """
    return not passes(key) and _KEPT.match(key) is None


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") and toleration.get("effect") != taint.get("effect"):
        return False
    if toleration.get("key") and toleration.get("key") != taint.get("key"):
        return False
    exists = toleration.get("operator") == "Exists"
    return exists or (toleration.get("value") or "") == (taint.get("value") or "")


def toleration_hint(taints: Iterable[tuple[str, str, str]]) -> str:
    """Return which setting tolerates some taints, as a sentence; empty where there is none.

    Args:
        taints: Their keys, values and effects.

    """
    return " ".join(_hints(tuple(taints)))


def _hints(taints: tuple[tuple[str, str, str], ...]) -> Iterator[str]:
    spot = [each for each in taints if each[0] == "kubernetes.azure.com/scalesetpriority"]
    others = [each for each in taints if each not in spot]
    for key, value, effect in others:
        taint = f"{key}{f'={value}' if value else ''}{f':{effect}' if effect else ''}"
        yield f"To use nodes with the taint '{taint}', set FAIRING_TOLERATIONS = '{taint}'."
    if spot:
        yield "To use spot nodes, set FAIRING_SPOT = True."
