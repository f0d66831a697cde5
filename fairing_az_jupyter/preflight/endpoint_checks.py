"""What the cluster has installed that matters for an endpoint: Istio and KServe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.preflight.cluster_checks import change_setting
from fairing_az_jupyter.preflight.runner import Check, Finding
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.cluster import Cluster
    from fairing_az_jupyter.preflight.subject import Subject


def checks(subject: Subject) -> list[Check]:
    """Return the checks of what endpoints meet in the cluster.

    Args:
        subject: What is checked.

    """
    return [
        Check(
            "endpoint.istio",
            "The endpoint is reached as meant",
            "Istio's proxy keeps a Job from ending, and a pod without it is guarded by nobody.",
            "Istio and the endpoint's service type",
            lambda given: _istio(subject, given["cluster"].value, injects=given["cluster.namespace"].value),
            needs=("cluster", "cluster.namespace"),
            even_unseen=("cluster.namespace",),
        ),
        Check(
            "endpoint.kserve",
            "KServe is known",
            "It tells whether InferenceServices can be made beside the endpoints of this package.",
            "the cluster's API groups",
            lambda given: _kserve(given["cluster"].value),
            needs=("cluster",),
        ),
    ]


def _istio(subject: Subject, cluster: Cluster, *, injects: bool | None) -> Finding:
    looked_at = f"Istio's injection in namespace {cluster.namespace}"
    unusable = subject.unusable("service_type", looks_at=looked_at)
    if unusable is not None:
        return unusable
    if subject.settings.service_type == "LoadBalancer":
        message = (
            f"{notebook_names()['service_type']} is LoadBalancer, so an endpoint gets a public address, where anyone "
            "can call it without authentication."
        )
        mend = change_setting(subject, "service_type", "ClusterIP")
        return Finding("warn", "the endpoint's service type", message, (mend,), code="public-endpoint")
    if injects is None:
        message = f"Namespace {cluster.namespace} may not be looked at, so nobody can say whether Istio injects there."
        return Finding("skipped", looked_at, message)
    message = (
        f"Istio injects its proxy into the pods of namespace {cluster.namespace}; those of a launch opt out, by label "
        "and by annotation."
        if injects
        else f"Istio injects nothing into the pods of namespace {cluster.namespace}."
    )
    return Finding("pass", looked_at, message)


def _kserve(cluster: Cluster) -> Finding:
    message = (
        "KServe is installed, and not needed: endpoints are Deployments, and InferenceServices can be made beside them."
        if cluster.has_kserve()
        else "KServe is not installed, and not needed: endpoints are Deployments, which serve by themselves."
    )
    return Finding("pass", "the cluster's API groups", message)
