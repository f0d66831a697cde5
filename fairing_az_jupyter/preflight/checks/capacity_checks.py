"""Is there room for a training job, and for the pod that builds its image: in the quotas, and on a node?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.objects.facts import entries, limits_of_pod, mapping, quantity, requests_of_pod
from fairing_az_jupyter.exceptions import NotAllowedError
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.builds import only_some_launches
from fairing_az_jupyter.preflight.node_room import room
from fairing_az_jupyter.preflight.pod_needs import GPU, Need, settings_of
from fairing_az_jupyter.preflight.runner import WORST_FIRST, Check, Finding
from fairing_az_jupyter.settings import notebook_names
from fairing_az_jupyter.settings.scheduling import seconds_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairing_az_jupyter.clients.kube.cluster import Cluster
    from fairing_az_jupyter.clients.kube.objects.facts import QuotaState
    from fairing_az_jupyter.preflight.context import CheckContext, Planned

_COUNTED = frozenset({"count/jobs.batch", "secrets", "count/secrets"})
# What stays a warning where no node is waited for: some clusters start such a pod at once.
_MAY_START = frozenset({"memory-pressure"})


def checks(context: CheckContext) -> list[Check]:
    """Return the checks of the room that a training job needs, and the build of its image where a pod does that.

    Args:
        context: What is checked.

    """
    what = "a job and a build" if context.builds_in_cluster else "a job"
    return [
        Check(
            "cluster.quota",
            f"Quota for {what}",
            "If a quota is used up, the Job exists but its pod is never created.",
            "the ResourceQuotas of the namespace",
            lambda given: _quota(context, given["cluster"].value),
            needs=("cluster", "cluster.namespace"),
            even_unseen=("cluster.namespace",),
        ),
        Check(
            "cluster.nodes",
            f"Node capacity for {what}",
            "A pod that fits on no node waits until an autoscaler adds one.",
            "the nodes of the cluster",
            lambda given: _nodes(context, given["cluster"].value),
            needs=("cluster",),
        ),
    ]


def _needs(context: CheckContext, namespace: str) -> list[Need]:
    """Return what has to find room; one after the other, for the job starts when its image is built."""
    kinds: tuple[Planned, ...] = ("job", "build") if context.builds_in_cluster else ("job",)
    return [need for kind in kinds if (need := _need(context, kind, namespace)) is not None]


def _endpoint_need(context: CheckContext, job: Need | None, namespace: str) -> Need | None:
    """Return what an endpoint asks for where that is not the same as for a job: it keeps off spot nodes.

    None where what has room for a job has room for it.
    """
    if not context.settings.spot or "spot" in context.broken or job is None:
        return None
    need = _need(context, "endpoint", namespace)
    return None if need is None or replace(need, what="job") == job else need


def _need(context: CheckContext, what: Planned, namespace: str) -> Need | None:
    """Return what a pod asks for, as its settings have it; where it may run, as its own specification says.

    None where the pod does not exist.
    """
    settings, prefix = context.settings, "build_" if what == "build" else ""
    need = Need(getattr(settings, f"{prefix}cpu"), getattr(settings, f"{prefix}memory"), what)
    if context.planned is None or context.unusable("docker_registry", looks_at=""):
        return need
    pods = [body for body in context.planned(what, namespace) if body.get("kind") == "Pod"]
    if not pods:
        return None
    spec = mapping(pods[0].get("spec"))
    limit = limits_of_pod(spec).get("cpu")
    return replace(
        need,
        cpu_limit=f"{float(limit):g}" if limit else "",
        gpus=int(requests_of_pod(spec).get(GPU, 0)),
        node_selector=dict(mapping(spec.get("nodeSelector"))),
        tolerations=tuple(entries(spec.get("tolerations"))),
    )


def _unusable(context: CheckContext, looks_at: str) -> Finding | None:
    built = ("builder", "build_cpu", "build_memory") if context.builds_in_cluster else ()
    placed = ("cpu_limit", "gpus", "node_selector", "tolerations", "node_wait")
    broken = tuple(name for name in placed if name in context.broken)
    return context.unusable("cpu", "memory", *built, *broken, looks_at=looks_at)


def together(findings: Iterable[Finding]) -> Finding:
    """Return one finding for several of the same kind: the worst of them, with all that is as bad.

    Args:
        findings: One for each pod that needs room.

    """
    found = list(findings)
    worst = min(found, key=lambda finding: WORST_FIRST.index(finding.status))
    alike = [finding for finding in found if (finding.status, finding.code) == (worst.status, worst.code)]
    message = " ".join(dict.fromkeys(finding.message for finding in alike))
    fixes = tuple(dict.fromkeys(fix for finding in alike for fix in finding.fixes))
    return replace(worst, message=message, fixes=fixes)


def _quota(context: CheckContext, cluster: Cluster) -> Finding:
    namespace = cluster.namespace
    looked_at = f"ResourceQuotas of namespace {namespace}"
    unusable = _unusable(context, looked_at)
    if unusable is not None:
        return unusable
    try:
        quotas = cluster.resource_quota()
    except NotAllowedError:
        return Finding("skipped", looked_at, f"No permission to read the quotas of namespace {namespace}.")
    return together(
        _of_build(context, need, quota_room(quotas, need, namespace)) for need in _needs(context, namespace)
    )


def _of_build(context: CheckContext, need: Need, finding: Finding) -> Finding:
    return only_some_launches(context, finding) if need.what == "build" else finding


def quota_room(quotas: Sequence[QuotaState], need: Need, namespace: str) -> Finding:
    """Tell whether the quotas of a namespace leave room for a pod.

    Args:
        quotas: The namespace's quotas.
        need: What the pod asks for.
        namespace: The namespace's name.

    Returns:
        The finding.

    """
    looked_at = f"ResourceQuotas of namespace {namespace}"
    quotas = [quota for quota in quotas if not quota.for_others]
    for quota in sorted(quotas, key=lambda quota: quota.scoped):
        if short := shortages(quota, need):
            return _no_quota_left(quota, need, short, namespace)
    if not quotas:
        return Finding("pass", looked_at, f"Namespace {namespace} has no quota.")
    listed = ", ".join(quota.name for quota in quotas)
    return Finding("pass", looked_at, f"A {need.what} of {need} fits into ResourceQuota {listed}.")


def _no_quota_left(quota: QuotaState, need: Need, lacking: Mapping[str, str], namespace: str) -> Finding:
    looked_at = f"ResourceQuotas of namespace {namespace}"
    describe = fix_commands.kubectl("-n", namespace, "describe", "quota", quota.name)
    short, settings = "; ".join(lacking.values()), settings_of(need.what, lacking)
    if quota.scoped:
        # Which pods it counts depends on their priority and deadline, which a job may or may not have.
        message = (
            f"ResourceQuota {quota.name}, which counts only some pods, has no capacity for a {need.what}: {short}."
        )
        return Finding("warn", looked_at, message, (describe,), code="quota-scoped")
    if _passes(quota, need):
        lower = f"; lower {settings}" if settings else ""
        wait = fix_commands.text(f"Wait for other pods to end, or delete what is no longer needed{lower}.")
        message = (
            f"ResourceQuota {quota.name} has no capacity for a {need.what} now: {short}. A launch waits some minutes "
            "for other pods to end."
        )
        return Finding("warn", looked_at, message, (describe, wait), code="quota-used-up")
    lower = f", lower {settings}," if settings else ""
    more = fix_commands.text(
        f"Delete what is no longer needed{lower} or ask the owner of the profile {namespace} for more."
    )
    message = f"ResourceQuota {quota.name} has no capacity for a {need.what}: {short}."
    return Finding("fail", looked_at, message, (describe, more), code="quota-exceeded")


def _passes(quota: QuotaState, need: Need) -> bool:
    """Tell whether a pod has room in a quota once other pods have ended.

    An object that is counted itself, such as a Job, is rejected at once and for good.
    """
    return all(
        resource not in _COUNTED and need.of(resource) <= quantity(hard)
        for resource, hard in quota.hard.items()
        if _lacks(quota, need, resource, hard)
    )


def _lacks(quota: QuotaState, need: Need, resource: str, hard: str) -> bool:
    wanted = need.of(resource)
    return bool(wanted) and quantity(quota.used.get(resource, "0")) + wanted > quantity(hard)


def shortages(quota: QuotaState, need: Need) -> Mapping[str, str]:
    """Name what of a quota a pod does not fit into.

    Args:
        quota: The quota.
        need: What the pod asks for.

    Returns:
        By resource, such as `requests.cpu: 1 is needed, 3500m of 4 is used`.

    """
    return {
        resource: f"{resource}: {need.amount(resource)} is needed, {quota.used.get(resource, '0')} of {hard} is used"
        for resource, hard in quota.hard.items()
        if _lacks(quota, need, resource, hard)
    }


def _nodes(context: CheckContext, cluster: Cluster) -> Finding:
    looked_at = "the nodes of the cluster"
    unusable = _unusable(context, looked_at)
    if unusable is not None:
        return unusable
    try:
        nodes = cluster.nodes()
    except NotAllowedError:
        return Finding(
            "skipped",
            looked_at,
            "A notebook's service account usually may not read nodes; a pod that fits on none stays Pending, with "
            "'FailedScheduling: Insufficient cpu' or 'Insufficient memory' among its events.",
        )
    waits = 0 if "node_wait" in context.broken else seconds_in(context.settings.node_wait)
    needs = _needs(context, cluster.namespace)
    found = [_of_build(context, need, _waited_for(room(context, nodes, need, looked_at), waits)) for need in needs]
    launch = _with_wait(together(found), "A launch", context, waits)
    job = next((need for need in needs if need.what == "job"), None)
    endpoint = _endpoint_need(context, job, cluster.namespace)
    if endpoint is None:
        return launch
    # It fails no launch of a job that `deploy` has no node.
    return together([launch, _with_wait(room(context, nodes, endpoint, looked_at), "`deploy`", context, waits)])


def _with_wait(finding: Finding, who: str, context: CheckContext, seconds: float) -> Finding:
    """Return a finding with whether a missing node is waited for."""
    if finding.status == "pass":
        return finding
    name, wait = notebook_names()["node_wait"], context.settings.node_wait
    rest = f"waits up to {wait} ({name}) for an autoscaler" if seconds else f"would not wait: {name} is {wait}"
    return replace(finding, message=f"{finding.message} {who} {rest}.")


def _waited_for(finding: Finding, seconds: int) -> Finding:
    """Return a failure for a node that is missing and that nobody waits for."""
    fails = finding.status == "warn" and not seconds and finding.code not in _MAY_START
    return replace(finding, status="fail") if fails else finding
