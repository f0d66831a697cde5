"""Is there room for a training job, and for the pod that builds its image: in the quotas, and on a node?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.clients.kube.facts import (
    entries,
    limits_of_pod,
    mapping,
    quantity,
    requests_of_pod,
    tolerated,
)
from fairing_az_jupyter.exceptions import NotAllowedError
from fairing_az_jupyter.preflight import cures
from fairing_az_jupyter.preflight.builds import only_some_launches
from fairing_az_jupyter.preflight.cluster_checks import change_setting
from fairing_az_jupyter.preflight.runner import Check, Finding
from fairing_az_jupyter.settings import notebook_names
from fairing_az_jupyter.settings.scheduling import seconds_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fairing_az_jupyter.clients.cluster import Cluster
    from fairing_az_jupyter.clients.kube.facts import Capacity, NodeCapacity, QuotaState
    from fairing_az_jupyter.preflight.subject import Subject

_GIB = 1024**3
# What the quota may count besides pods: a build keeps the link to its context in a Secret.
_JOBS = frozenset({"pods", "count/pods", "count/jobs.batch"})
_BUILDS = _JOBS | {"secrets", "count/secrets"}
_COUNTED = frozenset({"count/jobs.batch", "secrets", "count/secrets"})
_WORST = ("fail", "unknown", "warn", "skipped", "pass")
_GPU = "nvidia.com/gpu"
# What every node has, so that a pod loses nothing by asking for it where labels are not shown.
_EVERYWHERE = frozenset({"kubernetes.io/os", "kubernetes.io/arch"})
# The node controller sets these by itself, and takes them away again.
_PASSING = "node.kubernetes.io/"
_MOST_TAINTS = 3
_SPOT = "kubernetes.azure.com/scalesetpriority"


@dataclass(frozen=True)
class Need:
    """What one pod asks for.

    Args:
        cpu: Processor cores, as the setting has them.
        memory: Memory, as the setting has it.
        what: What the pod is for: `job` or `build`.
        cpu_limit: Processor cores that it may use at most; empty for no limit.
        gpus: Graphics processors.
        node_selector: Labels that its node has to have.
        tolerations: Taints that it accepts, as Kubernetes writes them.

    """

    cpu: str
    memory: str
    what: Literal["job", "build"] = "job"
    cpu_limit: str = ""
    gpus: int = 0
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()

    def __str__(self) -> str:
        gpus = f", {self.gpus} GPU{'s' if self.gpus > 1 else ''}" if self.gpus else ""
        return f"{self.cpu} cpu and {self.memory} memory{gpus}"

    @property
    def settings(self) -> str:
        """The settings that it comes from, as a notebook names them."""
        names, prefix = notebook_names(), "build_" if self.what == "build" else ""
        gpus = f" or {names['gpus']}" if self.gpus else ""
        return f"{names[f'{prefix}cpu']} or {names[f'{prefix}memory']}{gpus}"

    def of(self, resource: str) -> Decimal:
        """Return what it takes of a quota's resource; 0 where it takes nothing.

        Args:
            resource: The resource's name in a ResourceQuota.

        """
        if resource in {"cpu", "requests.cpu"}:
            return quantity(self.cpu)
        # The memory that a pod asks for is its limit as well; of processor cores it has one only if that is set.
        if resource in {"memory", "requests.memory", "limits.memory"}:
            return quantity(self.memory)
        if resource == "limits.cpu":
            return quantity(self.cpu_limit) if self.cpu_limit else Decimal()
        if resource == f"requests.{_GPU}":
            return Decimal(self.gpus)
        return Decimal(resource in (_BUILDS if self.what == "build" else _JOBS))

    def fits(self, capacity: Capacity) -> bool:
        """Tell whether the pod has room in a capacity.

        Args:
            capacity: What there is.

        """
        enough = Decimal(str(capacity.cpu)) >= quantity(self.cpu) and capacity.memory >= quantity(self.memory)
        return enough and capacity.gpus >= self.gpus and capacity.pods >= 1

    def selects(self, node: NodeCapacity) -> bool:
        """Tell whether a node has the labels that the pod asks for.

        Args:
            node: The node.

        """
        return all(
            node.labels.get(name) == value or (name in _EVERYWHERE and name not in node.labels)
            for name, value in self.node_selector.items()
        )

    def barred_by(self, node: NodeCapacity) -> tuple[Mapping[str, str], ...]:
        """Return a node's taints that keep the pod off it.

        Args:
            node: The node.

        """
        return tuple(
            taint
            for taint in node.taints
            if not taint["key"].startswith(_PASSING) and not tolerated(taint, self.tolerations)
        )


def checks(subject: Subject) -> list[Check]:
    """Return the checks of the room that a training job needs, and the build of its image where a pod does that.

    Args:
        subject: What is checked.

    """
    what = "a job and a build" if subject.builds_in_cluster else "a job"
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
            "A pod that fits on no node waits for one, which an autoscaler may add.",
            "the nodes of the cluster",
            lambda given: _nodes(subject, given["cluster"].value),
            needs=("cluster",),
        ),
    ]


def _needs(subject: Subject, namespace: str) -> list[Need]:
    """Return what has to find room; one after the other, for the job starts when its image is built."""
    kinds: tuple[Literal["job", "build"], ...] = ("job", "build") if subject.builds_in_cluster else ("job",)
    return [need for kind in kinds if (need := _need(subject, kind, namespace)) is not None]


def _need(subject: Subject, what: Literal["job", "build"], namespace: str) -> Need | None:
    """Return what a pod asks for, as its settings have it; where it may run, as its own specification says.

    None where there is no such pod.
    """
    settings, prefix = subject.settings, "build_" if what == "build" else ""
    need = Need(getattr(settings, f"{prefix}cpu"), getattr(settings, f"{prefix}memory"), what)
    if subject.planned is None or subject.unusable("docker_registry", looks_at=""):
        return need
    pods = [body for body in subject.planned(what, namespace) if body.get("kind") == "Pod"]
    if not pods:
        return None
    spec = mapping(pods[0].get("spec"))
    limit = limits_of_pod(spec).get("cpu")
    return replace(
        need,
        cpu_limit=str(limit) if limit else "",
        gpus=int(requests_of_pod(spec).get(_GPU, 0)),
        node_selector=dict(mapping(spec.get("nodeSelector"))),
        tolerations=tuple(entries(spec.get("tolerations"))),
    )


def _unusable(subject: Subject, looks_at: str) -> Finding | None:
    built = ("builder", "build_cpu", "build_memory") if subject.builds_in_cluster else ()
    placed = ("cpu_limit", "gpus", "node_selector", "tolerations", "node_wait")
    broken = tuple(name for name in placed if name in subject.broken)
    return subject.unusable("cpu", "memory", *built, *broken, looks_at=looks_at)


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
    return together(
        _of_build(subject, need, quota_room(quotas, need, namespace)) for need in _needs(subject, namespace)
    )


def _of_build(subject: Subject, need: Need, finding: Finding) -> Finding:
    return only_some_launches(subject, finding) if need.what == "build" else finding


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
        short = "; ".join(shortages(quota, need))
        if short:
            return _no_quota_left(quota, need, short, namespace)
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
    if _passes(quota, need):
        wait = cures.text(f"Wait for other pods to end, or delete what is no longer needed; lower {need.settings}.")
        message = (
            f"ResourceQuota {quota.name} has no room for a {need.what} now: {short}. A launch waits some minutes for "
            "other pods to end."
        )
        return Finding("warn", looked_at, message, (describe, wait), code="quota-used-up")
    lower = cures.text(
        f"Delete what is no longer needed, lower {need.settings}, or ask the owner of the profile {namespace} for more."
    )
    message = f"ResourceQuota {quota.name} has no room for a {need.what}: {short}."
    return Finding("fail", looked_at, message, (describe, lower), code="quota-exceeded")


def _passes(quota: QuotaState, need: Need) -> bool:
    """Tell whether a pod has room in a quota once other pods have ended.

    An object that is counted itself, such as a Job, is refused at once and for good.
    """
    return all(
        resource not in _COUNTED and need.of(resource) <= quantity(hard)
        for resource, hard in quota.hard.items()
        if _lacks(quota, need, resource, hard)
    )


def _lacks(quota: QuotaState, need: Need, resource: str, hard: str) -> bool:
    wanted = need.of(resource)
    return bool(wanted) and quantity(quota.used.get(resource, "0")) + wanted > quantity(hard)


def shortages(quota: QuotaState, need: Need) -> Iterator[str]:
    """Name what of a quota a pod does not fit into.

    Args:
        quota: The quota.
        need: What the pod asks for.

    Yields:
        Such as `requests.cpu: 1 is needed, 3500m of 4 is used`.

    """
    for resource, hard in quota.hard.items():
        if _lacks(quota, need, resource, hard):
            used = quota.used.get(resource, "0")
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
    waits = 0 if "node_wait" in subject.broken else seconds_in(subject.settings.node_wait)
    found = [
        _of_build(subject, need, _waited_for(room(subject, nodes, need, looked_at), waits))
        for need in _needs(subject, cluster.namespace)
    ]
    worst, name, wait = together(found), notebook_names()["node_wait"], subject.settings.node_wait
    if worst.status == "pass":
        return worst
    rest = f"waits up to {wait} ({name}) for an autoscaler" if waits else f"would not wait: {name} is {wait}"
    return replace(worst, message=f"{worst.message} A launch {rest}.")


def _waited_for(finding: Finding, seconds: int) -> Finding:
    """Return a failure for a node that is missing and that nobody waits for."""
    return replace(finding, status="fail") if finding.status == "warn" and not seconds else finding


def room(subject: Subject, nodes: Sequence[NodeCapacity], need: Need, looked_at: str) -> Finding:
    """Tell whether one of the nodes has room for a pod.

    Args:
        subject: What is checked.
        nodes: The cluster's nodes.
        need: What the pod asks for.
        looked_at: See `Finding`.

    Returns:
        The finding; a warning at most, for an autoscaler may add the node that is missing.

    """
    selected = [node for node in nodes if need.selects(node)]
    if never := _nowhere(subject, nodes, selected, need, looked_at):
        return never
    usable = [node for node in selected if node.ready and not node.cordoned and not need.barred_by(node)]
    fitting = [node for node in usable if need.fits(node.allocatable if node.free is None else node.free)]
    blind = all(node.free is None for node in usable)
    if fitting:
        unsure = "; how much of that is free may not be looked at" if blind else ""
        message = (
            f"{len(fitting)} of {len(nodes)} nodes {'can hold' if blind else 'have room for'} a {need.what} of {need}"
        )
        return Finding("pass", looked_at, f"{message}{unsure}.")
    if not usable:
        message = f"None of the {len(nodes)} nodes is ready and takes pods; a {need.what} of {need} would wait."
        return Finding("warn", looked_at, message, (cures.kubectl("get", "nodes"),), code="no-usable-node")
    largest = _words(max((node.allocatable if node.free is None else node.free for node in usable), key=_size))
    state = "has" if blind else "has free"
    message = f"No node has room for a {need.what} of {need} now: the one with the most {state} {largest}."
    wait = cures.text("Wait for an autoscaler or for other pods to end; delete endpoints that are no longer needed.")
    return Finding("warn", looked_at, message, (wait, cures.kubectl("describe", "nodes")), code="no-room")


def _nowhere(
    subject: Subject, nodes: Sequence[NodeCapacity], selected: Sequence[NodeCapacity], need: Need, looked_at: str
) -> Finding | None:
    """Return the finding where no node that is there would ever take the pod; None where one would."""
    if not nodes:
        message = f"There is no node: the pools are scaled to zero, or down; one with {need} has to start first."
        return Finding("warn", looked_at, message, (cures.kubectl("get", "nodes"),), code="no-nodes")
    if not selected:
        labels = ",".join(f"{name}={value}" for name, value in need.node_selector.items())
        message = f"None of the {len(nodes)} nodes has the labels that a {need.what} asks for: {labels}."
        change = cures.text(f"Set {notebook_names()['node_selector']} to labels that nodes have.")
        show = cures.kubectl("get", "nodes", "--show-labels")
        return Finding("warn", looked_at, message, (change, show), code="no-node-selected")
    large = [node for node in selected if need.fits(node.allocatable)]
    if not large:
        return _too_large(selected, need, looked_at)
    if all(need.barred_by(node) for node in large):
        return _tainted(subject, large, need, looked_at)
    return None


def _too_large(nodes: Sequence[NodeCapacity], need: Need, looked_at: str) -> Finding:
    pools = cures.az("aks", "nodepool", "list", "--resource-group", "GROUP", "--cluster-name", "CLUSTER")
    if need.gpus and not any(node.allocatable.gpus >= need.gpus for node in nodes):
        most = max(node.allocatable.gpus for node in nodes)
        has = f"the most that one has is {most}" if most else "none has any"
        message = f"No node that is there now has {need.gpus} GPUs, which a {need.what} asks for: {has}."
        code, lower = "no-gpu-node", f"Lower {notebook_names()['gpus']}, or add a node pool with GPUs."
    else:
        largest = _words(max((node.allocatable for node in nodes), key=_size))
        message = f"No node that is there now can hold a {need.what} of {need}: the largest has {largest}."
        code, lower = "job-too-large", f"Lower {need.settings}, or add a node pool of a larger VM size."
    return Finding(
        "warn", looked_at, message, (cures.text(lower), pools, cures.kubectl("describe", "nodes")), code=code
    )


def _tainted(subject: Subject, nodes: Sequence[NodeCapacity], need: Need, looked_at: str) -> Finding:
    """Return the finding for nodes that would do, and whose taints keep the pod off."""
    written = list(dict.fromkeys(",".join(map(_written, need.barred_by(node))) for node in nodes))
    shown = "; ".join(written[:_MOST_TAINTS])
    spot = any(taint["key"] == _SPOT for node in nodes for taint in need.barred_by(node))
    before = "" if "tolerations" in subject.broken else subject.settings.tolerations or ""
    accepted = change_setting(subject, "tolerations", ",".join(filter(None, [before, written[0]])))
    first = change_setting(subject, "spot", "True") if spot and need.what == "job" else accepted
    message = f"Every node that could hold a {need.what} of {need} has a taint that keeps it off: {shown}."
    see = cures.kubectl("get", "nodes", "-o=custom-columns=NAME:.metadata.name,TAINTS:.spec.taints")
    return Finding("warn", looked_at, message, tuple(dict.fromkeys((first, accepted, see))), code="taint")


def _written(taint: Mapping[str, str]) -> str:
    """Return a taint as `kubectl taint` and the setting write it."""
    value = f"={taint['value']}" if taint["value"] else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _size(capacity: Capacity) -> tuple[float, int]:
    return capacity.cpu, capacity.memory


def _words(capacity: Capacity) -> str:
    return f"{capacity.cpu:g} cpu, {capacity.memory / _GIB:.3g} GiB memory and room for {capacity.pods} pods"
