"""All checks for a launch: those of its backend, in the order in which they are read."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.checks import (
    acr_tasks_checks,
    capacity_checks,
    clock_checks,
    cluster_checks,
    credential_checks,
    endpoint_checks,
    image_checks,
    launch_checks,
    local_checks,
    permission_checks,
    registry_checks,
    resource_group_checks,
    settings_checks,
    storage_checks,
)
from fairing_az_jupyter.preflight.runner import Check, Finding

if TYPE_CHECKING:
    from fairing_az_jupyter.preflight.context import CheckContext

_EVERYWHERE = (settings_checks, local_checks)
_ON_THE_CLUSTER = (
    cluster_checks,
    permission_checks,
    capacity_checks,
    credential_checks,
    clock_checks,
    resource_group_checks,
    storage_checks,
    registry_checks,
    acr_tasks_checks,
    image_checks,
    endpoint_checks,
    launch_checks,
)
_NAMESPACE = "cluster.namespace"


def all_checks(context: CheckContext) -> list[Check]:
    """Return the checks that make sense in a context.

    Args:
        context: What is checked.

    Returns:
        The checks, as `run_checks` takes them.

    """
    here = [check for room in _EVERYWHERE for check in room.checks(context)]
    if context.settings.backend == "LocalBackend":
        return [*here, _no_cluster()]
    return [*here, *(_in_the_namespace(check) for room in _ON_THE_CLUSTER for check in room.checks(context))]


def _in_the_namespace(check: Check) -> Check:
    """Let what needs the cluster need the namespace too: where that is not there, everything in it is missing."""
    if check.id == _NAMESPACE or "cluster" not in check.needs:
        return check
    needs = tuple(dict.fromkeys((*check.needs, _NAMESPACE)))
    return dataclasses.replace(check, needs=needs, even_unseen=(*check.even_unseen, _NAMESPACE))


def _no_cluster() -> Check:
    looked_at = "FAIRING_BACKEND"
    finding = Finding(
        "skipped",
        looked_at,
        "Skipped: with FAIRING_BACKEND = LocalBackend everything runs on this machine.",
        (fix_commands.ours("check", "--backend", "KubeflowAzureBackend"),),
    )
    return Check(
        "cluster",
        "The cluster, its Secrets, and Azure",
        "Only KubeflowAzureBackend uses them.",
        looked_at,
        lambda _: finding,
    )
