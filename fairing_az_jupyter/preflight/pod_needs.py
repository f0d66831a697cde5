"""What one pod of a launch asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.scheduling import may_be_tolerated, passes
from fairing_az_jupyter.clients.kube.objects.facts import quantity, tolerated
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairing_az_jupyter.clients.kube.objects.facts import Capacity, NodeCapacity
    from fairing_az_jupyter.preflight.context import Planned

GPU = "nvidia.com/gpu"
SPOT = "kubernetes.azure.com/scalesetpriority"
# What the quota may count besides pods: a build keeps the link to its context in a Secret.
_JOBS = frozenset({"pods", "count/pods", "count/jobs.batch"})
_BUILDS = _JOBS | {"secrets", "count/secrets"}
# What every node has, so that a pod loses nothing by asking for it where labels are not shown.
_EVERYWHERE = frozenset({"kubernetes.io/os", "kubernetes.io/arch"})


@dataclass(frozen=True)
class Need:
    """What one pod asks for.

    Args:
        cpu: Processor cores, as the setting has them.
        memory: Memory, as the setting has it.
        what: What the pod is for.
        cpu_limit: Processor cores that it may use at most; empty for no limit.
        gpus: Graphics processors.
        node_selector: Labels that its node has to have.
        tolerations: Taints that it accepts, as Kubernetes writes them.

    """

    cpu: str
    memory: str
    what: Planned = "job"
    cpu_limit: str = ""
    gpus: int = 0
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()

    def __str__(self) -> str:
        gpus = f", {self.gpus} GPU{'s' if self.gpus > 1 else ''}" if self.gpus else ""
        return f"{self.cpu} cpu and {self.memory} memory{gpus}"

    @property
    def named(self) -> str:
        """What it is, with its article."""
        return f"{'an' if self.what == 'endpoint' else 'a'} {self.what}"

    @property
    def settings(self) -> str:
        """The settings that it comes from, as a notebook names them."""
        return settings_of(self.what, ["cpu", "memory", *([f"requests.{GPU}"] if self.gpus else [])])

    def amount(self, resource: str) -> str:
        """Return what it takes of a quota's resource, as its setting writes it.

        Args:
            resource: The resource's name in a ResourceQuota.

        """
        if resource in {"cpu", "requests.cpu"}:
            return self.cpu
        if resource == "limits.cpu":
            return self.cpu_limit or "0"
        return self.memory if resource.endswith("memory") else f"{self.of(resource):f}"

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
        if resource == f"requests.{GPU}":
            return Decimal(self.gpus)
        return Decimal(resource in (_BUILDS if self.what == "build" else _JOBS))

    def fits(self, capacity: Capacity) -> bool:
        """Tell whether the pod has room in a capacity.

        Args:
            capacity: What there is.

        """
        enough = Decimal(str(capacity.cpu)) >= quantity(self.cpu) and capacity.memory >= quantity(self.memory)
        return enough and capacity.gpus >= self.gpus and capacity.pods >= 1

    def selects(self, node: NodeCapacity, but: str = "") -> bool:
        """Tell whether a node has the labels that the pod asks for.

        Args:
            node: The node.
            but: A label that does not matter.

        """
        return all(
            node.labels.get(name) == value or (name in _EVERYWHERE and name not in node.labels)
            for name, value in self.node_selector.items()
            if name != but
        )

    def barred_by(self, node: NodeCapacity) -> tuple[Mapping[str, str], ...]:
        """Return a node's taints that keep the pod off it now.

        Args:
            node: The node.

        """
        return tuple(taint for taint in node.taints if not tolerated(taint, self.tolerations))

    def kept_off_by(self, node: NodeCapacity) -> tuple[Mapping[str, str], ...]:
        """Return a node's taints that keep the pod off it, without those that go by themselves.

        Args:
            node: The node.

        """
        return tuple(taint for taint in self.barred_by(node) if not passes(taint["key"]))

    def may_tolerate(self, node: NodeCapacity) -> bool:
        """Tell whether a setting may well let the pod onto a node whose taints keep it off.

        Args:
            node: The node.

        """
        keys = {taint["key"] for taint in self.kept_off_by(node)}
        return all(map(may_be_tolerated, keys)) and not (self.what == "endpoint" and SPOT in keys)


def settings_of(what: Planned, resources: Iterable[str]) -> str:
    """Return the settings that some of a quota's resources come from, as a notebook names them.

    Args:
        what: What the pod is for.
        resources: Their names in a ResourceQuota.

    Returns:
        Such as `FAIRING_CPU or FAIRING_MEMORY`; empty where the resources count objects only.

    """
    names, prefix = notebook_names(), "build_" if what == "build" else ""
    fields: list[str] = []
    for resource in resources:
        amount = resource.rpartition(".")[2]
        if resource == "limits.cpu":
            # A build's limit is not less than what it asks for.
            fields += ["cpu_limit", *(["build_cpu"] if prefix else [])]
        elif resource == f"requests.{GPU}":
            fields.append("gpus")
        elif amount in {"cpu", "memory"}:
            fields.append(f"{prefix}{amount}")
    return " or ".join(names[each] for each in dict.fromkeys(fields))
