"""Probes of pods that end by themselves: they are there, because a cluster's rules may ask for them, and never act.

AKS's deployment safeguards ask for a readiness and a liveness probe in every pod, a Job's not left out:
https://learn.microsoft.com/azure/aks/deployment-safeguards
"""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["give_idle_probes"]

# A kubelet counts from the container's start, and holds it for alive and for not ready until then. Source:
# https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/prober/worker.go (doProbe). The period stays the
# usual one: a kubelet that has just started first sleeps for a part of it.
_TEN_YEARS = 10 * 365 * 24 * 3600
_IDLE = {"exec": {"command": ["true"]}, "initialDelaySeconds": _TEN_YEARS}


def give_idle_probes(pod: dict[str, Any]) -> None:
    """Give the containers of a pod probes that never act; those that a container has itself stay.

    Whether a Job's pod is ready matters to nobody: no Service leads to it, and the Job waits for its end.

    Args:
        pod: The pod's specification; it is changed.

    """
    for container in pod["containers"]:
        for kind in ("readinessProbe", "livenessProbe"):
            container.setdefault(kind, copy.deepcopy(_IDLE))
