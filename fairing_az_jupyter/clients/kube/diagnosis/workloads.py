"""What is wrong with a Job, a Deployment or a pod as a whole: from its own status, its events and its pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
from fairing_az_jupyter.clients.kube.diagnosis.pods import (
    containers,
    ended,
    failed_containers,
    is_rejected,
    missing_object,
    no_node,
    stuck_containers,
    unscheduled,
)
from fairing_az_jupyter.clients.kube.diagnosis.scheduling import has_progressed, in_order, moment_of
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of
from fairing_az_jupyter.clients.kube.objects.rejections import (
    exceeds_quota_alone,
    lacks_limits,
    passes_by_itself,
    rule_of,
    sanitized,
    unanswered,
)
from fairing_az_jupyter.exceptions import EndpointError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fairing_az_jupyter.clients.kube.objects.facts import Object

_DONE = frozenset({"Succeeded", "Failed"})
_NUMBERS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_VOLUMES = frozenset({"FailedMount", "FailedAttachVolume"})


def diagnose(
    owner: Object | None,
    pods: Iterable[Object],
    events: Iterable[Object] = (),
    taints: Iterable[tuple[str, str, str]] = (),
    *,
    made: str = "",
) -> Diagnosis | None:
    """Tell what is wrong.

    Args:
        owner: The Job, Deployment or InferenceService; None where pods were started by themselves.
        pods: Its pods, those that have gone included.
        events: The events of the owner, its ReplicaSets and its pods.
        taints: The taints of nodes that keep the pods off, where nodes may be read: key, value and effect of each.
        made: When its newest pod was made, as the API writes it, where that is no longer among the pods.

    Returns:
        The gravest problem; None where there is none. A Job is only failing because of a container that failed when it
        has given up: until then it tries again by itself.

    """
    pods, events = list(pods), in_order(events)
    found = sorted(_problems(owner, pods, events, tuple(taints), made), key=lambda diagnosis: diagnosis.heals)
    return found[0] if found else None


def _problems(
    owner: Object | None,
    pods: Sequence[Object],
    events: Sequence[Object],
    taints: Sequence[tuple[str, str, str]],
    made: str,
) -> Iterator[Diagnosis]:
    kind = str((owner or {}).get("kind") or "Pod")
    namespace = _namespace(owner, pods)
    failed = job_failure(owner) if owner is not None and kind == "Job" else None
    if owner is not None and failed is not None:
        yield _job_failed(owner, failed, pods, namespace)
        return
    for pod in pods:
        if mapping(pod.get("status")).get("phase") in _DONE:
            if kind == "Pod" and mapping(pod.get("status")).get("phase") == "Failed":
                yield pod_failed(pod, namespace)
            continue
        if kind != "Pod" and (disruption(pod) is not None or mapping(pod.get("metadata")).get("deletionTimestamp")):
            # Its controller replaces it.
            continue
        for problem in stuck_containers(pod, namespace, events):
            # A Job's pod that restarts in place is the Job's own affair, until it gives up.
            if not (kind == "Job" and problem.returncode is not None):
                yield problem
        outside = ended(pod, namespace) if kind == "Pod" else None
        yield from filter(None, [outside, unscheduled(pod, namespace, events, taints)])
    if owner is not None:
        yield from _held_back(owner, pods, namespace)
        yield from _no_pods(owner, pods, events, made)
    yield from _reported_by_events(pods, events, namespace, taints)


def pod_failed(pod: Object, namespace: str) -> Diagnosis:
    """Tell why a pod has failed.

    Args:
        pod: The pod, with phase Failed.
        namespace: Its namespace.

    """
    causes = [ended(pod, namespace), *failed_containers(pod, namespace)]
    for cause in causes:
        if cause is not None:
            return cause
    status = mapping(pod.get("status"))
    said = sanitized(str(status.get("message") or status.get("reason") or "no reason given"), {})
    hint = f"kubectl -n {namespace} describe pod {name_of(pod)}"
    return Diagnosis(
        "pod-failed", f"Pod '{name_of(pod)}' in namespace '{namespace}' failed: {said}.", hint, pod=name_of(pod)
    )


def job_failure(job: Object) -> Object | None:
    """Return the condition that says that a Job has given up, or None.

    A Job whose time is up says so at once, while its pods still have their grace; it counts as failed only after that.
    Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions

    Args:
        job: The Job.

    """
    given_up = _condition(job, "Failed")
    target = _condition(job, "FailureTarget")
    return given_up or (target if target is not None and target.get("reason") == "DeadlineExceeded" else None)


def job_complete(job: Object) -> bool:
    """Tell whether a Job has ended well.

    Args:
        job: The Job.

    """
    return _condition(job, "Complete") is not None


def endpoint_ready(owner: Object) -> bool:
    """Tell whether all of a Deployment's or an InferenceService's newest pods serve.

    Source: `kubectl rollout status`, https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment

    Args:
        owner: The Deployment or InferenceService.

    """
    status, metadata = mapping(owner.get("status")), mapping(owner.get("metadata"))
    observed = int(status.get("observedGeneration") or 0)
    if owner.get("kind") != "Deployment":
        ready = _condition(owner, "Ready") is not None
        return ready and (not observed or observed >= int(metadata.get("generation") or 0))
    wanted = mapping(owner.get("spec")).get("replicas")
    wanted = 1 if wanted is None else int(wanted)
    counts = [int(status.get(name) or 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return observed >= int(metadata.get("generation") or 0) and counts == [wanted] * 3


def _condition(owner: Object, kind: str) -> Object | None:
    conditions = entries(mapping(owner.get("status")).get("conditions"))
    return next((one for one in conditions if one.get("type") == kind and one.get("status") == "True"), None)


def _job_failed(job: Object, condition: Object, pods: Sequence[Object], namespace: str) -> Diagnosis:
    name, reason = name_of(job), str(condition.get("reason") or "")
    said = sanitized(str(condition.get("message") or ""), {})
    where = f"Job '{name}' in namespace '{namespace}'"
    if reason == "DeadlineExceeded":
        seconds = mapping(job.get("spec")).get("activeDeadlineSeconds")
        message = f"{where} was stopped at its deadline of {seconds} s." if seconds else f"{where}: {said}."
        return Diagnosis("deadline", message, "Give it a longer deadline, or more CPU.")
    broken = [pod for pod in pods if mapping(pod.get("status")).get("phase") == "Failed"]
    for pod in sorted(broken or pods, key=lambda pod: str(mapping(pod.get("metadata")).get("creationTimestamp")))[::-1]:
        causes = [ended(pod, namespace), *failed_containers(pod, namespace)]
        for cause in filter(None, causes):
            return Diagnosis(
                cause.code,
                f"{where} failed. {cause.message}",
                cause.hint,
                pod=cause.pod,
                container=cause.container,
                returncode=cause.returncode,
            )
    hint = f"kubectl -n {namespace} describe job {name}"
    return Diagnosis("job-failed", f"{where} failed ({reason or 'no reason given'}): {said or 'it gave none'}.", hint)


def _held_back(owner: Object, pods: Sequence[Object], namespace: str) -> Iterator[Diagnosis]:
    """Yield that a Job is suspended, or that nodes take no pod of an endpoint."""
    kind, name, live = owner.get("kind"), name_of(owner), [pod for pod in pods if is_live(pod)]
    if kind == "Job":
        if mapping(owner.get("spec")).get("suspend") and not live:
            message = f"Job '{name}' in namespace '{namespace}' is suspended: it has no pods until it is released."
            hint = (
                f"A queue such as Kueue, or whoever suspended it, has to release it: kubectl -n {namespace} describe "
                f"job {name}"
            )
            yield Diagnosis("queued", message, hint, condition="queued")
        return
    rejected = [pod for pod in pods if is_rejected(pod)]
    if not rejected or endpoint_ready(owner) or any(True for pod in live for _ in containers(pod)):
        return
    # A ReplicaSet makes hundreds in minutes: the exact number would be news each second.
    number = max(each for each in _NUMBERS if each <= len(rejected))
    last = mapping(max(rejected, key=made_at).get("status"))
    message = (
        f"Nodes have rejected {'at least ' if number > 1 else ''}{number} pod{'s' if number > 1 else ''} of {kind} "
        f"'{name}' in namespace '{namespace}' ({last.get('reason')}): {sanitized(str(last.get('message') or ''), {})}."
    )
    hint = f"Check the node's devices and free capacity: kubectl -n {namespace} get pods -o wide"
    yield Diagnosis("node-refused", message, hint, condition="rejected")


def made_at(pod: Object) -> str:
    """Return when a pod was made, as the API writes it; comparable as text to the second.

    Args:
        pod: The pod.

    """
    return str(mapping(pod.get("metadata")).get("creationTimestamp") or "")[:19]


def _no_pods(owner: Object, pods: Sequence[Object], events: Sequence[Object], made: str) -> Iterator[Diagnosis]:
    """Yield why the controller can't make pods: it says so in events, and of a Deployment in a condition."""
    if any(is_live(pod) for pod in pods):
        return
    namespace, made = _namespace(owner, pods), max([made[:19], *map(made_at, pods)])
    # What was said before the last pod was made has passed.
    newer = [event for event in events if not made or moment_of(event) > made]
    said = [str(event.get("message") or "") for event in newer if event.get("reason") == "FailedCreate"][-1:]
    replica_failure = _condition(owner, "ReplicaFailure")
    if replica_failure is not None:
        said.append(str(replica_failure.get("message") or ""))
    for text in said:
        where = f"{owner.get('kind')} '{name_of(owner)}' in namespace '{namespace}' has no pod yet"
        code, hint, condition = _why_no_pod(text, owner, namespace)
        yield Diagnosis(code, f"{where}: {sanitized(text, owner)}.", hint, condition=condition)


def _why_no_pod(text: str, owner: Object, namespace: str) -> tuple[str, str, str]:
    """Return the code, the hint and the condition of what keeps a controller from making a pod."""
    describe = f"kubectl -n {namespace} describe {str(owner.get('kind')).lower()} {name_of(owner)}"
    webhook = unanswered(text)
    if webhook is not None:
        asked = f" {webhook}" if webhook else ""
        return "webhook-unreachable", f"Ask the owner of the webhook{asked}, or see: {describe}", "webhook-unreachable"
    code, hint = rule_of(text, namespace)
    if code == "quota":
        alone = "quota-too-small" if exceeds_quota_alone(text) else "quota"
        return code, hint, "quota-unset" if lacks_limits(text) else alone
    if code == "not-allowed-by-rule" and 'serviceaccount "' in text:
        code = "service-account-missing"
        return code, f"Create it, or choose another: kubectl -n {namespace} get serviceaccounts", code
    if code == "not-allowed-by-rule" and " is invalid: " in text:
        return "invalid", f"Correct the field that it names: {describe}", "admission"
    if passes_by_itself(text) or (code == "not-allowed-by-rule" and "forbidden" not in text):
        # Not a rule's words, or not its last: the controller tries again.
        return "no-pod", describe, "webhook-unreachable"
    return code, hint, "admission"


def condition_of_no_pod(text: str, owner: Object) -> str:
    """Return the name of the condition that keeps a controller from making a pod.

    Args:
        text: What the controller says.
        owner: The Job, Deployment or InferenceService.

    """
    return _why_no_pod(text, owner, _namespace(owner, []))[2]


def is_live(pod: Object) -> bool:
    """Tell whether a pod has neither ended nor is being deleted.

    Args:
        pod: The pod.

    """
    return mapping(pod.get("status")).get("phase") not in _DONE and not mapping(pod.get("metadata")).get(
        "deletionTimestamp"
    )


def disruption(pod: Object) -> Object | None:
    """Return the condition that says that the cluster takes a pod away for reasons of its own, or None.

    Source: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions

    Args:
        pod: The pod.

    """
    return _condition(pod, "DisruptionTarget")


def replaces_disrupted(job: Object) -> bool:
    """Tell whether a Job starts a new pod in place of one that the cluster has taken away.

    Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy

    Args:
        job: The Job.

    """
    rules = entries(mapping(mapping(job.get("spec")).get("podFailurePolicy")).get("rules"))
    return any(
        rule.get("action") == "Ignore"
        and any(one.get("type") == "DisruptionTarget" for one in entries(rule.get("onPodConditions")))
        for rule in rules
    )


def _reported_by_events(
    pods: Sequence[Object], events: Sequence[Object], namespace: str, taints: Sequence[tuple[str, str, str]]
) -> Iterator[Diagnosis]:
    """Yield what only events tell: the scheduler's words before the pod's condition, volumes and sandboxes."""
    waiting = {
        name_of(pod): pod
        for pod in pods
        if mapping(pod.get("status")).get("phase") in {None, "", "Pending"}
        and mapping(pod.get("metadata")).get("deletionTimestamp") is None
    }
    for event in events:
        pod = waiting.get(str(mapping(event.get("involvedObject")).get("name") or ""))
        said = sanitized(str(event.get("message") or ""), {})
        if pod is None:
            continue
        reason, name = str(event.get("reason") or ""), name_of(pod)
        if reason == "FailedScheduling" and not mapping(pod.get("spec")).get("nodeName"):
            if not said.startswith("Failed to schedule pod"):
                yield no_node(name, said, namespace, events, taints, settled=False)
        elif reason not in _VOLUMES | {"FailedCreatePodSandBox"} or has_progressed(pod, event, events):
            continue
        elif reason in _VOLUMES:
            yield _not_mounted(name, said, namespace)
        else:
            message = f"The sandbox of pod '{name}' in namespace '{namespace}' can't be created: {said}."
            hint = f"kubectl -n {namespace} describe pod {name}"
            yield Diagnosis("pod-sandbox", message, hint, condition="container-passing", pod=name)


def _not_mounted(pod: str, said: str, namespace: str) -> Diagnosis:
    message = f"A volume of pod '{pod}' in namespace '{namespace}' can't be mounted: {said}."
    found = missing_object(said, namespace)
    if found is not None:
        code, missing, make = found
        message = f"{message.rstrip('.')}: {missing} is missing."
        return Diagnosis(code, message, make, condition="object-missing", pod=pod)
    return Diagnosis("volume", message, f"kubectl -n {namespace} describe pod {pod}", condition="volume", pod=pod)


def _namespace(owner: Object | None, pods: Sequence[Object]) -> str:
    for thing in (owner, *pods):
        found = mapping((thing or {}).get("metadata")).get("namespace")
        if found:
            return str(found)
    return "default"


def not_ready(
    where: str, namespace: str, problem: Diagnosis | None, seconds: float, *, cancelled: bool
) -> EndpointError:
    """Return the error for what was waited for until it is ready, and is not.

    Args:
        where: What it is and where, for the message.
        namespace: Its namespace.
        problem: What is wrong with it, as far as the cluster says; None if it says nothing.
        seconds: How long it was waited for.
        cancelled: Whether the waiting was ended by who waits.

    """
    hint = f"Check its progress: kubectl -n {namespace} get pods; kubectl -n {namespace} get events"
    if cancelled:
        return EndpointError(f"Stopped waiting for {where}; it is still starting.", hint=hint, code="cancelled")
    return EndpointError(
        f"{where} was not ready within {seconds:g} s.{f' {problem.message}' if problem else ''}",
        hint=problem.hint if problem else hint,
        code=problem.code if problem else "not-ready",
    )
