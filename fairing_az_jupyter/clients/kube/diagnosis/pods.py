"""Why a pod does not run, or has failed: what its status and its events say, distinguished, with what to do about it.

Sources: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/,
https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/ and
https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
from fairing_az_jupyter.clients.kube.diagnosis.image_pull import PULLING, not_pulled, pulls_of
from fairing_az_jupyter.clients.kube.diagnosis.scheduling import autoscaler_says, taints_named, toleration_hint
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of
from fairing_az_jupyter.clients.kube.objects.rejections import sanitized

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fairing_az_jupyter.clients.kube.objects.facts import Object

_KILLED = 137
_SIGNALS = {130: "SIGINT", 134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}
BEGINNING = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Why a container waits that nothing keeps from being made."""

_CREATING = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_DEFINITE = (
    # https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/kuberuntime/security_context_others.go
    (
        r"runAsNonRoot and image (?:will run as root|has (?:non-numeric|an invalid) user)|runAsUser breaks non-root",
        "runs-as-root",
        "Use an image with a numeric user that is not root, or set FAIRING_POD_SECURITY = 'baseline'",
    ),
    (
        r"executable file not found|no command specified|exec: .*: (?:no such file or directory|permission denied)",
        "start-failed",
        "Check its command and its image",
    ),
)
_MISSING = re.compile(
    r'(secret|configmap)s? "([^"]+)" not found|couldn\'t find key (\S+) in (Secret|ConfigMap) ([^\s"]+)|'
    r"references non-existent (secret|config) key: (\S+)",
    re.IGNORECASE,
)
_UNSCHEDULABLE = (
    (
        r"Insufficient nvidia\.com/gpu|Insufficient amd\.com/gpu",
        "gpu",
        "Request fewer GPUs, or add a node pool with GPUs",
    ),
    (r"Insufficient cpu", "cpu", "Request less CPU, delete pods that are not needed, or add nodes"),
    (r"Insufficient memory", "memory", "Request less memory, delete pods that are not needed, or add nodes"),
    (r"Insufficient ephemeral-storage", "storage", "Request less ephemeral storage, or add nodes"),
    (r"Too many pods", "pods", "Delete pods that are not needed, or add nodes"),
    (
        r"volume node affinity|persistentvolumeclaim|PersistentVolume|max volume count",
        "volume",
        "Check the volume claims",
    ),
    (r"node affinity|node\(s\) didn't match|node selector", "affinity", "Correct the node selector, or label a node"),
    (r"taint", "taint", "Tolerate the taint, or use another node pool"),
)


def unscheduled(
    pod: Object, namespace: str, events: Iterable[Object] = (), taints: Iterable[tuple[str, str, str]] = ()
) -> Diagnosis | None:
    """Tell why no node takes a pod.

    Args:
        pod: The pod.
        namespace: Its namespace.
        events: Events, for what the autoscaler says about it.
        taints: The taints of nodes that keep it off, where nodes may be read.

    Returns:
        The diagnosis, which may heal by itself; None where it is scheduled, or nobody has tried.

    """
    for condition in entries(mapping(pod.get("status")).get("conditions")):
        if condition.get("type") != "PodScheduled" or condition.get("status") != "False":
            continue
        said = sanitized(str(condition.get("message") or ""), {})
        if condition.get("reason") == "SchedulingGated":
            message = f"Pod '{name_of(pod)}' in namespace '{namespace}' is held back by a scheduling gate: {said}."
            hint = "The queue (such as Kueue) or whoever set the gate has to release it"
            return Diagnosis("queued", message, hint, condition="queued", pod=name_of(pod))
        settled = condition.get("reason") == "Unschedulable"
        return no_node(name_of(pod), said, namespace, events, taints, settled=settled)
    return None


def no_node(
    pod: str,
    said: str,
    namespace: str,
    events: Iterable[Object] = (),
    taints: Iterable[tuple[str, str, str]] = (),
    *,
    settled: bool = True,
) -> Diagnosis:
    """Tell why no node takes a pod, from the scheduler's words.

    Args:
        pod: Its name.
        said: Such as `0/2 nodes are available: 2 Insufficient cpu.`
        namespace: Its namespace.
        events: See `unscheduled`.
        taints: See `unscheduled`.
        settled: Whether the scheduler has said of the pod that no node takes it, and not only that an attempt failed.

    """
    found = [(code, fix) for pattern, code, fix in _UNSCHEDULABLE if re.search(pattern, said, re.IGNORECASE)]
    code, fix = found[0] if found else ("", "Check what it requests")
    commands = {
        "volume": f"kubectl -n {namespace} get pvc",
        "taint": "kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints",
        "affinity": "kubectl get nodes --show-labels",
    }
    missing = re.search(r'persistentvolumeclaim "[^"]+" not found', said)
    grows = autoscaler_says(pod, events)
    # The scheduler names no taint since 1.34; the autoscaler may.
    named = taints_named(f"{said} {grows}") or (tuple(taints) if "taint" in said else ())
    # Part of the message: it is shown from the first report on.
    further = [each for each in (grows, toleration_hint(named)) if each]
    return Diagnosis(
        code=f"unschedulable-{code}" if code else "unschedulable",
        message=f"No node can run pod '{pod}' in namespace '{namespace}': "
        f"{' '.join([(said.rstrip('.') or 'the scheduler reported no reason') + '.', *further])}",
        hint=f"{fix}: {commands.get(code, 'kubectl describe nodes | grep -A8 Allocated')}",
        condition="claim-missing" if missing else "unschedulable" if settled else "not-scheduled",
        pod=pod,
    )


def ended(pod: Object, namespace: str) -> Diagnosis | None:
    """Tell why a pod as a whole was ended from outside.

    Args:
        pod: The pod.
        namespace: Its namespace.

    Returns:
        The diagnosis; None where it was not.

    """
    status, name = mapping(pod.get("status")), name_of(pod)
    reason, said = str(status.get("reason") or ""), sanitized(str(status.get("message") or ""), {})
    where = f"Pod '{name}' in namespace '{namespace}'"
    disrupted = next(
        (
            condition
            for condition in entries(status.get("conditions"))
            if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True"
        ),
        None,
    )
    if reason == "Evicted":
        hint = f"Request as much memory and disk as it needs: kubectl -n {namespace} describe pod {name}"
        return Diagnosis(
            "evicted",
            f"{where} was evicted from its node: {said or 'the node was out of a resource'}.",
            hint,
            pod=name,
        )
    if reason == "DeadlineExceeded":
        return Diagnosis("deadline", f"{where} was stopped at its deadline: {said or reason}.", _LONGER, pod=name)
    if reason in {"NodeLost", "Terminated", "NodeShutdown", "Shutdown"} or (
        disrupted and disrupted.get("reason") in {"DeletionByTaintManager", "DeletionByPodGC", "TerminationByKubelet"}
    ):
        why = said or sanitized(str(mapping(disrupted).get("message") or ""), {}) or reason
        node = mapping(pod.get("spec")).get("nodeName") or "unknown"
        hint = f"Spot nodes can be lost at any time. Launch again, or use another node pool: kubectl get node {node}"
        return Diagnosis("node-lost", f"{where} was lost with its node '{node}': {why}.", hint, pod=name)
    if reason == "Preempting" or mapping(disrupted).get("reason") in {"PreemptionByScheduler", "EvictionByEvictionAPI"}:
        why = (
            said
            or sanitized(str(mapping(disrupted).get("message") or ""), {})
            or "it was preempted by pods with a higher priority"
        )
        return Diagnosis("preempted", f"{where} was removed from its node: {why}.", "Launch again.", pod=name)
    if is_rejected(pod):
        hint = f"Launch again; see the node: kubectl -n {namespace} describe pod {name}"
        return Diagnosis(
            "node-refused", f"{where} was rejected by its node ({reason}): {said or reason}.", hint, pod=name
        )
    return None


def is_rejected(pod: Object) -> bool:
    """Tell whether the kubelet did not take a pod that the scheduler had given to its node.

    Sources: https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/lifecycle/predicate.go (`OutOf…`,
    `NodeAffinity`, `UnexpectedAdmissionError`) and the topology manager's `TopologyAffinityError`.

    Args:
        pod: The pod.

    """
    status = mapping(pod.get("status"))
    return status.get("phase") == "Failed" and _REJECTED.match(str(status.get("reason") or "")) is not None


_REJECTED = re.compile(
    r"OutOf[\w./-]+$|(?:UnexpectedAdmissionError|NodeAffinity|NodeName|NodePorts|AdmissionFailed|TopologyAffinityError|"
    r"Taint(?:Toleration)?|PodOSNotSupported|PodOSSelectorNodeLabelDoesNotMatch)$"
)
_LONGER = "Give it a longer deadline, or more CPU."


def stuck_containers(pod: Object, namespace: str, events: Sequence[Object] = ()) -> Iterator[Diagnosis]:
    """Yield why containers of a pod can't start, or end again and again.

    Args:
        pod: The pod.
        namespace: Its namespace.
        events: Events, those of other objects among them, the one that was seen last at the end.

    Yields:
        The diagnoses, init containers first.

    """
    for status, init in containers(pod):
        waiting = mapping(mapping(status.get("state")).get("waiting"))
        reason, said = str(waiting.get("reason") or ""), sanitized(str(waiting.get("message") or ""), {})
        name = str(status.get("name") or "")
        if reason in PULLING:
            pulls = pulls_of(name_of(pod), name, events)
            # Up to Kubernetes 1.30, the reason of a back-off is in the event only.
            reported = pulls.error if reason == "ImagePullBackOff" and ": " not in said else ""
            if not pulls.under_way:
                yield not_pulled(pod, status, reason, reported or said, namespace)
        elif reason in _CREATING:
            yield _not_created(pod, name, reason, said, namespace)
        elif reason == "CrashLoopBackOff":
            last = mapping(mapping(status.get("lastState")).get("terminated"))
            yield container_failed(
                pod, name, last, namespace, init=init, again=max(1, int(status.get("restartCount") or 0))
            )
        elif reason not in BEGINNING:
            # Such as PostStartHookError: what the kubelet reports of its own is left to pass.
            yield _not_created(pod, name, reason, said, namespace)


def failed_containers(pod: Object, namespace: str) -> Iterator[Diagnosis]:
    """Yield why containers of a pod ended with an error.

    Args:
        pod: The pod.
        namespace: Its namespace.

    Yields:
        The diagnoses, init containers first.

    """
    for status, init in containers(pod):
        for state in ("state", "lastState"):
            done = mapping(mapping(status.get(state)).get("terminated"))
            if done and (done.get("exitCode") or done.get("reason") == "OOMKilled"):
                yield container_failed(pod, str(status.get("name") or ""), done, namespace, init=init)
                break


def container_failed(
    pod: Object, container: str, done: Mapping[str, object], namespace: str, *, init: bool = False, again: int = 0
) -> Diagnosis:
    """Tell why a container ended with an error.

    Args:
        pod: Its pod.
        container: Its name.
        done: The `terminated` part of its state.
        namespace: Its namespace.
        init: Whether it is an init container.
        again: How many times it was started again, where it keeps ending.

    """
    name, reason = name_of(pod), str(done.get("reason") or "")
    code = done.get("exitCode")
    number = code if isinstance(code, int) else None
    said = sanitized(str(done.get("message") or ""), {})
    what = f"{'Init container' if init else 'Container'} '{container}' of pod '{name}' in namespace '{namespace}'"
    logs = f"kubectl -n {namespace} logs {name} -c {container}{' --previous' if again else ''}"
    looping = f" It was started {again} times and ended each time." if again else ""
    details = f": {said}" if said else ""
    if reason == "OOMKilled":
        limit = _limit(pod, container)
        message = f"{what} was killed because it needed more memory than {limit or 'its limit'} "
        message += f"(exit code {number or _KILLED}){details}.{looping}"
        hint = "Give it a higher memory limit, or load less data at once."
        return Diagnosis("oom-killed", message, hint, pod=name, container=container, returncode=number or _KILLED)
    if reason in {"StartError", "ContainerCannotRun"}:
        message = f"{what} could not be started{details or f' ({reason})'}.{looping}"
        hint = f"Check its command and its image: kubectl -n {namespace} describe pod {name}"
        return Diagnosis("start-failed", message, hint, pod=name, container=container, returncode=number)
    if reason == "DeadlineExceeded":
        message = f"{what} was stopped at its deadline{details}."
        return Diagnosis("deadline", message, _LONGER, pod=name, container=container, returncode=number)
    signal = f", {_SIGNALS[number]}" if number in _SIGNALS else ""
    ending = f"ended with exit code {number}{signal}" if number is not None else "ended with an error"
    kind = "init-failed" if init else "crash-loop" if again else "container-failed"
    return Diagnosis(
        kind,
        f"{what} {ending}{details}.{looping}",
        f"See the full log: {logs}",
        pod=name,
        container=container,
        returncode=number,
    )


def containers(pod: Object) -> Iterator[tuple[Object, bool]]:
    """Yield the status of each container of a pod, and whether it is an init container.

    Args:
        pod: The pod.

    """
    status = mapping(pod.get("status"))
    for part, init in (("initContainerStatuses", True), ("containerStatuses", False)):
        for entry in entries(status.get(part)):
            yield entry, init


def missing_object(said: str, namespace: str) -> tuple[str, str, str] | None:
    """Tell which Secret or ConfigMap a pod lacks.

    Args:
        said: What the kubelet says.
        namespace: The pod's namespace.

    Returns:
        A code, what is missing, and how to make it; None where it is something else.

    """
    found = _MISSING.search(said)
    if found is None:
        return None
    kind = "secret" if "secret" in (found[1] or found[4] or found[6]).lower() else "configmap"
    what, key = (found[2] or found[5] or "").rpartition("/")[2], found[3] or found[7] or ""
    missing = f"key '{key}'{f' of {kind} {what!r}' if what else f' of a {kind}'}" if key else f"{kind} '{what}'"
    make = "%fairing_azure secrets create" if kind == "secret" else f"kubectl -n {namespace} create configmap {what}"
    return f"{kind}-key-missing" if key else f"{kind}-missing", missing, f"Create it: {make}"


def _not_created(pod: Object, container: str, reason: str, said: str, namespace: str) -> Diagnosis:
    name = name_of(pod)
    where = f"Container '{container}' of pod '{name}' in namespace '{namespace}' can't be created ({reason})"
    if found := missing_object(said, namespace):
        code, missing, make = found
        message = f"{where}: {missing} is missing ({said})."
        return Diagnosis(code, message, make, condition="object-missing", pod=name, container=container)
    describe = f"kubectl -n {namespace} describe pod {name}"
    message = f"{where}: {said or 'no reason given'}."
    for pattern, code, fix in _DEFINITE:
        if re.search(pattern, said):
            hint = f"{fix}: {describe}"
            return Diagnosis(code, message, hint, condition="container-definite", pod=name, container=container)
    return Diagnosis(
        "container-config", message, describe, condition="container-passing", pod=name, container=container
    )


def _limit(pod: Object, container: str) -> str:
    spec = mapping(pod.get("spec"))
    for part in ("containers", "initContainers"):
        for entry in entries(spec.get(part)):
            if entry.get("name") == container:
                limit = mapping(mapping(entry.get("resources")).get("limits")).get("memory")
                return f"its limit of {limit}" if limit else ""
    return ""
