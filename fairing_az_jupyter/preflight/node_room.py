"""Is there a node with room for a pod, and if not, what keeps the pod off the nodes that are there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.pod_needs import SPOT
from fairing_az_jupyter.preflight.runner import Finding
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairing_az_jupyter.clients.kube.objects.facts import Capacity, NodeCapacity
    from fairing_az_jupyter.preflight.context import CheckContext
    from fairing_az_jupyter.preflight.pod_needs import Need

__all__ = ["room"]

_GIB = 1024**3
_MOST_TAINTS = 3
_MEMORY_PRESSURE = "node.kubernetes.io/memory-pressure"


def room(context: CheckContext, nodes: Sequence[NodeCapacity], need: Need, looked_at: str) -> Finding:
    """Tell whether one of the nodes has room for a pod.

    Args:
        context: What is checked.
        nodes: The cluster's nodes.
        need: What the pod asks for.
        looked_at: See `Finding`.

    Returns:
        The finding; a warning at most, for an autoscaler may add the node that is missing.

    """
    selected = [node for node in nodes if need.selects(node)]
    if never := _nowhere(context, nodes, selected, need, looked_at):
        return never
    usable = [node for node in selected if node.ready and not node.cordoned and not need.barred_by(node)]
    fitting = [node for node in usable if need.fits(node.allocatable if node.free is None else node.free)]
    blind = all(node.free is None for node in usable)
    short = [node for node in selected if _is_short_of_memory(node, need)]
    if fitting:
        unsure = "; no permission to see how much of that is free" if blind else ""
        message = (
            f"{len(fitting)} of {len(nodes)} nodes {'can hold' if blind else 'have capacity for'} {need.named} of "
            f"{need}"
        )
        return Finding("pass", looked_at, f"{message}{unsure}.")
    if short:
        message = (
            f"The nodes that could hold {need.named} of {need} are low on memory now (taint {_MEMORY_PRESSURE}). AKS "
            "lets such pods onto them nevertheless; other clusters do not."
        )
        return Finding("warn", looked_at, message, (fix_commands.kubectl("describe", "nodes"),), code="memory-pressure")
    if not usable:
        taints = _taints(need.barred_by(node) for node in selected if node.ready and not node.cordoned)
        because = f" (taints that go by themselves: {taints})" if taints else ""
        message = f"None of the {len(nodes)} nodes is ready for pods{because}; {need.named} of {need} would wait."
        return Finding("warn", looked_at, message, (fix_commands.kubectl("get", "nodes"),), code="no-usable-node")
    largest = _words(max((node.allocatable if node.free is None else node.free for node in usable), key=_size))
    state = "has" if blind else "has free"
    message = f"No node has capacity for {need.named} of {need} now: the one with the most {state} {largest}."
    wait = fix_commands.text(
        "Wait for an autoscaler or for other pods to end; delete endpoints that are no longer needed."
    )
    return Finding("warn", looked_at, message, (wait, fix_commands.kubectl("describe", "nodes")), code="no-room")


def _nowhere(
    context: CheckContext, nodes: Sequence[NodeCapacity], selected: Sequence[NodeCapacity], need: Need, looked_at: str
) -> Finding | None:
    """Return the finding where no node that is there would ever take the pod; None where one would."""
    if not nodes:
        message = f"No nodes: the pools are scaled to zero, or down; one with {need} has to start first."
        return Finding("warn", looked_at, message, (fix_commands.kubectl("get", "nodes"),), code="no-nodes")
    if not selected:
        return _not_selected(nodes, need, looked_at)
    large = [node for node in selected if need.fits(node.allocatable)]
    if not large:
        return _too_large(selected, need, looked_at)
    if all(need.kept_off_by(node) for node in large):
        return _tainted(context, large, need, looked_at)
    return None


def _too_large(nodes: Sequence[NodeCapacity], need: Need, looked_at: str) -> Finding:
    pools = fix_commands.az("aks", "nodepool", "list", "--resource-group", "GROUP", "--cluster-name", "CLUSTER")
    if need.gpus and not any(node.allocatable.gpus >= need.gpus for node in nodes):
        most = max(node.allocatable.gpus for node in nodes)
        has = f"the most that one has is {most}" if most else "none has any"
        wanted = f"{need.gpus} GPU{'s' if need.gpus > 1 else ''}"
        message = f"No current node has {wanted}, which {need.named} requests: {has}."
        code, lower = "no-gpu-node", f"Lower {notebook_names()['gpus']}, or add a node pool with GPUs."
    else:
        largest = _words(max((node.allocatable for node in nodes), key=_size))
        message = f"No current node can hold {need.named} of {need}: the largest has {largest}."
        code, lower = "job-too-large", f"Lower {need.settings}, or add a node pool of a larger VM size."
    return Finding(
        "warn",
        looked_at,
        message,
        (fix_commands.text(lower), pools, fix_commands.kubectl("describe", "nodes")),
        code=code,
    )


def _not_selected(nodes: Sequence[NodeCapacity], need: Need, looked_at: str) -> Finding:
    """Return the finding where no node has all labels that a pod asks for."""
    show = fix_commands.kubectl("get", "nodes", "--show-labels")
    system, processors = (need.node_selector.get(f"kubernetes.io/{name}") for name in ("os", "arch"))
    if processors and any(need.selects(node, but="kubernetes.io/arch") for node in nodes):
        message = (
            f"No current node has {processors} processors, but images are built for {processors} here; {need.named} "
            "needs such a node."
        )
        change = fix_commands.text(
            f"Add a node pool with {processors} processors. For others, launch from a notebook server on one of their "
            f"nodes, with another {notebook_names()['builder']} than 'acr-tasks'."
        )
        return Finding("warn", looked_at, message, (change, show), code="no-node-of-platform")
    if system and any(need.selects(node, but="kubernetes.io/os") for node in nodes):
        message = f"No current node runs {system.capitalize()}, which {need.named} needs."
        change = fix_commands.text(f"Add a node pool of {system.capitalize()} machines.")
        return Finding("warn", looked_at, message, (change, show), code="no-node-of-platform")
    labels = ",".join(f"{name}={value}" for name, value in need.node_selector.items())
    message = f"None of the {len(nodes)} nodes has the labels that {need.named} requires: {labels}."
    change = fix_commands.text(f"Set {notebook_names()['node_selector']} to labels that nodes have.")
    return Finding("warn", looked_at, message, (change, show), code="no-node-selected")


def _tainted(context: CheckContext, nodes: Sequence[NodeCapacity], need: Need, looked_at: str) -> Finding:
    """Return the finding for nodes that would do, and whose taints keep the pod off."""
    see = fix_commands.kubectl("get", "nodes", "-o=custom-columns=NAME:.metadata.name,TAINTS:.spec.taints")
    shown = _taints(need.kept_off_by(node) for node in nodes)
    tolerable = [need.kept_off_by(node) for node in nodes if need.may_tolerate(node)]
    if not tolerable:
        message = (
            f"The pool for your pods has no node now: each node that could hold {need.named} of {need} is reserved "
            f"for other pods or about to be removed, by its taint ({shown})."
        )
        pools = fix_commands.az("aks", "nodepool", "list", "--resource-group", "GROUP", "--cluster-name", "CLUSTER")
        add = fix_commands.text("Add a node pool without such taints, or let the autoscaler add a node to yours.")
        return Finding("warn", looked_at, message, (add, pools, see), code="no-node-of-pool")
    before = "" if "tolerations" in context.broken else context.settings.tolerations or ""
    wanted = ",".join(map(_written, tolerable[0]))
    accepted = fix_commands.change_setting(context, "tolerations", ",".join(filter(None, [before, wanted])))
    spot = need.what == "job" and any(taint["key"] == SPOT for taints in tolerable for taint in taints)
    first = fix_commands.change_setting(context, "spot", "True") if spot else accepted
    message = f"Every node that could hold {need.named} of {need} has a taint that excludes it: {shown}."
    return Finding("warn", looked_at, message, tuple(dict.fromkeys((first, accepted, see))), code="taint")


def _is_short_of_memory(node: NodeCapacity, need: Need) -> bool:
    """Tell whether a node would take the pod but for its lack of memory.

    AKS gives every pod that asks for memory a toleration of that taint, by the admission plug-in
    PodTolerationRestriction; a cluster without it does not:
    https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-nodes-by-condition
    """
    barred = need.barred_by(node)
    only = bool(barred) and all(taint["key"] == _MEMORY_PRESSURE for taint in barred)
    return only and node.ready and not node.cordoned and need.fits(node.allocatable if node.free is None else node.free)


def _taints(of_nodes: Iterable[Sequence[Mapping[str, str]]]) -> str:
    """Name the taints of some nodes, and of equal nodes once."""
    written = dict.fromkeys(",".join(map(_written, taints)) for taints in of_nodes if taints)
    return "; ".join(list(written)[:_MOST_TAINTS])


def _written(taint: Mapping[str, str]) -> str:
    """Return a taint as `kubectl taint` and the setting write it."""
    value = f"={taint['value']}" if taint["value"] else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _size(capacity: Capacity) -> tuple[float, int]:
    return capacity.cpu, capacity.memory


def _words(capacity: Capacity) -> str:
    return f"{capacity.cpu:g} cpu, {capacity.memory / _GIB:.3g} GiB memory and room for {capacity.pods} pods"
