"""Is there room for a training job, and for the pod that builds its image: in the quotas, and on a node?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.clients.kube.facts import quantity
from fairing_az_jupyter.exceptions import NotAllowedError
from fairing_az_jupyter.preflight import cures
from fairing_az_jupyter.preflight.runner import Check, Finding
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fairing_az_jupyter.clients.cluster import Cluster
    from fairing_az_jupyter.clients.kube.facts import Capacity, NodeCapacity, QuotaState
    from fairing_az_jupyter.preflight.subject import Subject

_GIB = 1024**3
# What a pod without limits may not be made beside, unless a LimitRange gives it some.
# https://kubernetes.io/docs/concepts/policy/resource-quotas/#compute-resource-quota
_LIMITS = frozenset({"limits.cpu"})


# What the quota may count besides pods: a build keeps the link to its context in a Secret.
_JOBS = frozenset({"pods", "count/pods", "count/jobs.batch"})
_BUILDS = _JOBS | {"secrets", "count/secrets"}
_WORST = ("fail", "unknown", "warn", "skipped", "pass")


@dataclass(frozen=True)
class Need:
    """What one pod asks for.

    Args:
        cpu: Processor cores, as the setting has them.
        memory: Memory, as the setting has it.
        what: What the pod is for: `job` or `build`.

    """

    cpu: str
    memory: str
    what: Literal["job", "build"] = "job"

    def __str__(self) -> str:
        return f"{self.cpu} cpu and {self.memory} memory"

    @property
    def settings(self) -> str:
        """The settings that it comes from, as a notebook names them."""
        names, prefix = notebook_names(), "build_" if self.what == "build" else ""
        return f"{names[f'{prefix}cpu']} or {names[f'{prefix}memory']}"

    def of(self, resource: str) -> Decimal:
        """Return what it takes of a quota's resource; 0 where it takes nothing.

        Args:
            resource: The resource's name in a ResourceQuota.

        """
        if resource in {"cpu", "requests.cpu"}:
            return quantity(self.cpu)
        # The memory that a pod asks for is its limit as well; of processor cores it has none.
        if resource in {"memory", "requests.memory", "limits.memory"}:
            return quantity(self.memory)
        return Decimal(resource in (_BUILDS if self.what == "build" else _JOBS))

    def fits(self, capacity: Capacity) -> bool:
        """Tell whether the pod has room in a capacity.

        Args:
            capacity: What there is.

        """
        enough = Decimal(str(capacity.cpu)) >= quantity(self.cpu) and capacity.memory >= quantity(self.memory)
        return enough and capacity.pods >= 1


def checks(subject: Subject) -> list[Check]:
    """Return the checks of the room that a training job needs, and the build of its image where a pod does that.

    Args:
        subject: What is checked.

    """
    what = "a job and a build" if _builds_in_the_cluster(subject) else "a job"
    return [
        Check(
            "cluster.quota",
            f"The quotas leave room for {what}",
            "Where a quota is used up, the Job is there and its pod is never made.",
            "the ResourceQuotas of the namespace",
            lambda given: _quota(subject, given["cluster"].value),
            needs=("cluster", "cluster.namespace"),
            even_unseen=("cluster.namespace",),
        ),
        Check(
            "cluster.nodes",
            f"A node has room for {what}",
            "A pod that fits on no node stays Pending.",
            "the nodes of the cluster",
            lambda given: _nodes(subject, given["cluster"].value),
            needs=("cluster",),
        ),
    ]


def _builds_in_the_cluster(subject: Subject) -> bool:
    return subject.settings.builder != "acr-tasks"


def _needs(subject: Subject) -> list[Need]:
    """Return what has to find room; one after the other, for the job starts when its image is built."""
    settings = subject.settings
    job = Need(settings.cpu, settings.memory)
    build = Need(settings.build_cpu, settings.build_memory, "build")
    return [job, build] if _builds_in_the_cluster(subject) else [job]


def _unusable(subject: Subject, looks_at: str) -> Finding | None:
    built = ("builder", "build_cpu", "build_memory") if _builds_in_the_cluster(subject) else ()
    return subject.unusable("cpu", "memory", *built, looks_at=looks_at)


def together(findings: Iterable[Finding]) -> Finding:
    """Return one finding for several of the same kind: the worst of them, with all that is as bad.

    Args:
        findings: One for each pod that needs room.

    """
    found = list(findings)
    worst = min(found, key=lambda finding: _WORST.index(finding.status))
    alike = [finding for finding in found if (finding.status, finding.code) == (worst.status, worst.code)]
    message = " ".join(dict.fromkeys(finding.message for finding in alike))
    cures = tuple(dict.fromkeys(cure for finding in alike for cure in finding.cures))
    return replace(worst, message=message, cures=cures)


def _quota(subject: Subject, cluster: Cluster) -> Finding:
    namespace = cluster.namespace
    looked_at = f"ResourceQuotas of namespace {namespace}"
    unusable = _unusable(subject, looked_at)
    if unusable is not None:
        return unusable
    try:
        quotas = cluster.resource_quota()
    except NotAllowedError:
        return Finding("skipped", looked_at, f"Whether namespace {namespace} has quotas may not be looked at.")
    return together(quota_room(quotas, need, namespace) for need in _needs(subject))


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
    describe = cures.kubectl("-n", namespace, "describe", "quota")
    quotas = [quota for quota in quotas if not quota.for_others]
    for quota in sorted(quotas, key=lambda quota: quota.scoped):
        short = "; ".join(shortages(quota, need))
        if short:
            return _no_quota_left(quota, need, short, namespace)
    limited = [quota.name for quota in quotas if _LIMITS & quota.hard.keys()]
    if limited:
        message = (
            f"ResourceQuota {', '.join(limited)} counts limits of processor cores, and a pod that has none is refused "
            "unless a LimitRange of the namespace gives it some."
        )
        see = cures.kubectl("-n", namespace, "describe", "limitrange")
        return Finding("warn", looked_at, message, (see, describe), code="quota-on-limits")
    if not quotas:
        return Finding("pass", looked_at, f"Namespace {namespace} has no quota.")
    listed = ", ".join(quota.name for quota in quotas)
    return Finding("pass", looked_at, f"A {need.what} of {need} fits into ResourceQuota {listed}.")


def _no_quota_left(quota: QuotaState, need: Need, short: str, namespace: str) -> Finding:
    looked_at = f"ResourceQuotas of namespace {namespace}"
    describe = cures.kubectl("-n", namespace, "describe", "quota", quota.name)
    if quota.scoped:
        # Which pods it counts depends on their priority and deadline, which a job may or may not have.
        message = f"ResourceQuota {quota.name}, which counts only some pods, has no room for a {need.what}: {short}."
        return Finding("warn", looked_at, message, (describe,), code="quota-scoped")
    lower = cures.text(
        f"Delete what is no longer needed, lower {need.settings}, or ask the owner of the profile {namespace} for more."
    )
    message = f"ResourceQuota {quota.name} has no room for a {need.what}: {short}."
    return Finding("fail", looked_at, message, (describe, lower), code="quota-exceeded")


def shortages(quota: QuotaState, need: Need) -> Iterator[str]:
    """Name what of a quota a pod does not fit into.

    Args:
        quota: The quota.
        need: What the pod asks for.

    Yields:
        Such as `requests.cpu: 1 is needed, 3500m of 4 is used`.

    """
    for resource, hard in quota.hard.items():
        wanted = need.of(resource)
        used = quota.used.get(resource, "0")
        if wanted and quantity(used) + wanted > quantity(hard):
            asked = need.cpu if resource.endswith("cpu") else need.memory if resource.endswith("memory") else "1"
            yield f"{resource}: {asked} is needed, {used} of {hard} is used"


def _nodes(subject: Subject, cluster: Cluster) -> Finding:
    looked_at = "the nodes of the cluster"
    unusable = _unusable(subject, looked_at)
    if unusable is not None:
        return unusable
    try:
        nodes = cluster.nodes()
    except NotAllowedError:
        return Finding(
            "skipped",
            looked_at,
            "A notebook's service account usually may not look at nodes; a pod that fits on none stays Pending, with "
            "'FailedScheduling: Insufficient cpu' or 'Insufficient memory' among its events.",
        )
    return together(room(nodes, need, looked_at) for need in _needs(subject))


def room(nodes: Sequence[NodeCapacity], need: Need, looked_at: str) -> Finding:
    """Tell whether one of the nodes has room for a pod.

    Args:
        nodes: The cluster's nodes.
        need: What the pod asks for.
        looked_at: See `Finding`.

    Returns:
        The finding.

    """
    see = cures.kubectl("describe", "nodes")
    if not nodes:
        message = f"There is no node: the pools are scaled to zero, or down; one with {need} has to start first."
        return Finding("warn", looked_at, message, (cures.kubectl("get", "nodes"),), code="no-nodes")
    if not any(need.fits(node.allocatable) for node in nodes):
        largest = _words(max((node.allocatable for node in nodes), key=_size))
        return Finding(
            "fail",
            looked_at,
            f"No node can ever hold a {need.what} of {need}: the largest has {largest}.",
            (
                cures.text(f"Lower {need.settings}, or add a node pool of a larger VM size."),
                cures.az("aks", "nodepool", "list", "--resource-group", "GROUP", "--cluster-name", "CLUSTER"),
                see,
            ),
            code="job-too-large",
        )
    usable = [node for node in nodes if node.ready and node.schedulable]
    fitting = [node for node in usable if need.fits(node.allocatable if node.free is None else node.free)]
    blind = all(node.free is None for node in usable)
    if fitting:
        unsure = "; how much of that is free may not be looked at" if blind else ""
        message = (
            f"{len(fitting)} of {len(nodes)} nodes {'can hold' if blind else 'have room for'} a {need.what} of {need}"
        )
        return Finding("pass", looked_at, f"{message}{unsure}.")
    if not usable:
        message = (
            f"None of the {len(nodes)} nodes is ready and takes ordinary pods; a {need.what} of {need} would wait."
        )
        return Finding("warn", looked_at, message, (cures.kubectl("get", "nodes"),), code="no-usable-node")
    largest = _words(max((node.allocatable if node.free is None else node.free for node in usable), key=_size))
    state = "has" if blind else "has free"
    message = f"No node has room for a {need.what} of {need} now: the one with the most {state} {largest}."
    wait = cures.text("Wait for an autoscaler or for other pods to end; delete endpoints that are no longer needed.")
    return Finding("warn", looked_at, message, (wait, see), code="no-room")


def _size(capacity: Capacity) -> tuple[float, int]:
    return capacity.cpu, capacity.memory


def _words(capacity: Capacity) -> str:
    return f"{capacity.cpu:g} cpu, {capacity.memory / _GIB:.3g} GiB memory and room for {capacity.pods} pods"
