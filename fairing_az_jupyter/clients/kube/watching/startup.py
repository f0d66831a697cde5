"""What is waited for while nothing is reported as wrong: a scheduler, a node that does not answer, an image, a pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
from fairing_az_jupyter.clients.kube.diagnosis.image_pull import PULLING
from fairing_az_jupyter.clients.kube.diagnosis.pods import BEGINNING, containers
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.kube.objects.facts import Object

__all__ = ["no_pod_yet", "not_looked_at", "stuck_on_node"]

_DONE = frozenset({"Succeeded", "Failed"})


def no_pod_yet(owner: Object, namespace: str) -> Diagnosis:
    """Tell that nothing is known of a pod: its controller is slow or down, or its events may not be read.

    Args:
        owner: The Job, Deployment or InferenceService, which has no pod.
        namespace: Its namespace.

    """
    kind, name = str(owner.get("kind")), name_of(owner)
    message = f"{kind} '{name}' in namespace '{namespace}' has no pod yet, and the cluster reports no reason."
    hint = f"kubectl -n {namespace} describe {kind.lower()} {name}"
    return Diagnosis("no-pod", message, hint, condition="no-pod-yet")


def not_looked_at(pod: Object, namespace: str) -> Diagnosis | None:
    """Tell whether no scheduler has tried to find a node for a pod.

    Args:
        pod: The pod.
        namespace: Its namespace.

    """
    spec, status = mapping(pod.get("spec")), mapping(pod.get("status"))
    tried = any(one.get("type") == "PodScheduled" for one in entries(status.get("conditions")))
    if spec.get("nodeName") or tried or status.get("phase") not in {None, "", "Pending"} or _is_going(pod):
        return None
    scheduler = str(spec.get("schedulerName") or "default-scheduler")
    message = f"No node can run pod '{name_of(pod)}' in namespace '{namespace}': scheduler '{scheduler}' has not "
    hint = f"Check that it is running: kubectl -n {namespace} describe pod {name_of(pod)}"
    return Diagnosis("unschedulable", f"{message}looked at it yet.", hint, condition="overlooked", pod=name_of(pod))


def stuck_on_node(pod: Object, namespace: str) -> Diagnosis | None:
    """Tell what a pod waits for on its node while nothing is reported as wrong.

    Sources: https://kubernetes.io/docs/concepts/architecture/nodes/#condition for a node that does not answer: its pods
    are no longer ready, and stay `Terminating`; https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.

    Args:
        pod: The pod.
        namespace: Its namespace.

    Returns:
        The diagnosis; None where it runs, or has no node yet. A pull that has failed is under way again: if it were
        not, `diagnose` would tell it.

    """
    name, node = name_of(pod), str(mapping(pod.get("spec")).get("nodeName") or "")
    if not node or mapping(pod.get("status")).get("phase") in _DONE:
        return None
    where = f"pod '{name}' in namespace '{namespace}'"
    if _is_lost(pod):
        then = (
            "is being deleted and replaced"
            if _is_going(pod)
            else "continues when the node is back, or is replaced when the node is deleted"
        )
        message = f"Node '{node}' of {where} does not answer. The pod {then}."
        hint = f"kubectl get node {node}"
        return Diagnosis("node-not-ready", message, hint, condition="node-lost", pod=name)
    return None if _is_going(pod) else _being_made(pod, where, f"kubectl -n {namespace} describe pod {name}")


def _being_made(pod: Object, where: str, hint: str) -> Diagnosis | None:
    name, states = name_of(pod), [entry for entry, _ in containers(pod)]
    if not states:
        message = f"Node '{mapping(pod.get('spec')).get('nodeName')}' has not reported anything about {where} yet."
        return Diagnosis("not-started", message, hint, condition="starting", pod=name)
    for entry in states:
        state = mapping(entry.get("state"))
        if "running" in state or mapping(entry.get("lastState")):
            return None
        reason = str(mapping(state.get("waiting")).get("reason") or "")
        container, image = str(entry.get("name") or ""), str(entry.get("image") or "")
        if reason in PULLING:
            message = f"Image '{image}' of container '{container}' of {where} is being pulled again."
            return Diagnosis("pulling", message, hint, condition="starting", pod=name, container=container)
        if reason in BEGINNING and not state.get("terminated"):
            pulled = f": pulling image '{image}'" if image else ""
            message = f"Container '{container}' of {where} is being created ({reason or 'not started'}){pulled}."
            return Diagnosis("not-started", message, hint, condition="starting", pod=name, container=container)
    return None


def _is_going(pod: Object) -> bool:
    return bool(mapping(pod.get("metadata")).get("deletionTimestamp"))


def _is_lost(pod: Object) -> bool:
    """Tell whether the node of a pod does not answer: it is called not ready while its containers are."""
    status = mapping(pod.get("status"))
    if status.get("reason") == "NodeLost" or status.get("phase") == "Unknown":
        return True
    ready = next((one for one in entries(status.get("conditions")) if one.get("type") == "Ready"), {})
    states = entries(status.get("containerStatuses"))
    if _is_going(pod) and any("running" in mapping(one.get("state")) for one in states) and _is_ended_for_its_node(pod):
        return True
    running = bool(states) and all(one.get("ready") and "running" in mapping(one.get("state")) for one in states)
    return ready.get("status") == "False" and running and not entries(mapping(pod.get("spec")).get("readinessGates"))


def _is_ended_for_its_node(pod: Object) -> bool:
    """Tell whether a pod is being deleted because its node does not answer.

    A pod that is never ready, as a job's is not, is not called so when its node is lost.
    Source: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
    """
    conditions = entries(mapping(pod.get("status")).get("conditions"))
    disrupted = next((one for one in conditions if one.get("type") == "DisruptionTarget"), {})
    return disrupted.get("status") == "True" and disrupted.get("reason") == "DeletionByTaintManager"
