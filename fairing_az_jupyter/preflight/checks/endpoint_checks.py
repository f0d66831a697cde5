"""What the cluster has installed that an endpoint meets, or needs: Istio and KServe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.objects.facts import mapping
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.runner import Check, Finding
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.kube.cluster import Cluster
    from fairing_az_jupyter.preflight.context import CheckContext

# https://istio.io/latest/docs/ambient/usage/add-workloads/
_AMBIENT = "istio.io/dataplane-mode"


def checks(context: CheckContext) -> list[Check]:
    """Return the checks of what endpoints meet in the cluster.

    Args:
        context: What is checked.

    """
    return [
        Check(
            "endpoint.istio",
            "Endpoint exposure",
            "Istio's proxy keeps a Job from ending, and a pod without it is not protected.",
            "Istio and the endpoint's service type",
            lambda given: _istio(context, given["cluster"].value, mesh=given["cluster.namespace"].value),
            needs=("cluster", "cluster.namespace"),
            even_unseen=("cluster.namespace",),
        ),
        Check(
            "endpoint.kserve",
            "KServe",
            "An InferenceService needs KServe, which creates its Deployment; other endpoints do not need KServe.",
            "the cluster's API groups",
            lambda given: _kserve(context, given["cluster"].value),
            needs=("cluster",),
        ),
    ]


def _istio(context: CheckContext, cluster: Cluster, *, mesh: str | None) -> Finding:
    looked_at = f"Istio's injection in namespace {cluster.namespace}"
    unusable = context.unusable("service_type", "endpoint_kind", looks_at=looked_at)
    if unusable is not None:
        return unusable
    # What KServe makes is reached inside the cluster only; `endpoint.kserve` tells that the two don't go together.
    if context.settings.service_type == "LoadBalancer" and context.settings.endpoint_kind == "deployment":
        message = (
            f"{notebook_names()['service_type']} is LoadBalancer, so an endpoint gets a public address, where anyone "
            "can call it without authentication."
        )
        fix = fix_commands.change_setting(context, "service_type", "ClusterIP")
        return Finding("warn", "the endpoint's service type", message, (fix,), code="public-endpoint")
    if mesh is None:
        message = f"Namespace {cluster.namespace} can't be read, so it is unknown whether Istio injects there."
        return Finding("skipped", looked_at, message)
    if mesh == "ambient" and not _opts_out(context, cluster.namespace):
        message = (
            f"Namespace {cluster.namespace} is in Istio's ambient mesh, which has no proxy in a pod to opt out of: "
            "the traffic of a launch's pods goes through the node's ztunnel. Jobs end normally; an "
            "AuthorizationPolicy of the namespace may block this notebook's access to an endpoint."
        )
        see = fix_commands.kubectl("-n", cluster.namespace, "get", "authorizationpolicies.security.istio.io")
        return Finding("warn", looked_at, message, (see,), code="ambient-mesh")
    said = {
        "sidecar": f"Istio injects its proxy into the pods of namespace {cluster.namespace}; those of a launch opt "
        "out, by label and by annotation.",
        "ambient": f"Namespace {cluster.namespace} is in Istio's ambient mesh; pods of a launch opt out, by the label "
        f"{_AMBIENT}=none.",
    }
    nothing = f"Istio injects nothing into the pods of namespace {cluster.namespace}."
    return Finding("pass", looked_at, said.get(mesh, nothing))


def _opts_out(context: CheckContext, namespace: str) -> bool:
    """Tell whether the pods of an endpoint say that they are in no ambient mesh."""
    planned = context.planned("endpoint", namespace) if context.planned else ()
    pods = [mapping(body.get("metadata")) for body in planned if body.get("kind") == "Pod"]
    return bool(pods) and all(mapping(pod.get("labels")).get(_AMBIENT) == "none" for pod in pods)


def _kserve(context: CheckContext, cluster: Cluster) -> Finding:
    looked_at, names = "the cluster's API groups", notebook_names()
    kind = names["endpoint_kind"]
    unusable = context.unusable("endpoint_kind", looks_at=looked_at)
    if unusable is not None:
        return unusable
    if context.settings.endpoint_kind == "deployment":
        there = "is" if cluster.has_kserve() else "is not"
        message = f"KServe {there} installed, and not needed: {kind} is deployment, which serves by itself."
        return Finding("pass", looked_at, message)
    instead = fix_commands.change_setting(context, "endpoint_kind", "deployment")
    if "service_type" not in context.broken and context.settings.service_type == "LoadBalancer":
        message = (
            f"{kind} is inference-service and {names['service_type']} is LoadBalancer: KServe makes the Service of an "
            "InferenceService, which no setting makes public, so a launch would fail."
        )
        keep = fix_commands.change_setting(context, "service_type", "ClusterIP")
        return Finding("fail", "the endpoint's kind and service type", message, (keep, instead), code="service-type")
    if cluster.has_kserve():
        return Finding("pass", looked_at, f"KServe is installed, and {kind} is inference-service.")
    message = f"KServe is not installed, and {kind} is inference-service, so no endpoint could be created."
    ask = fix_commands.text("Or ask the cluster's administrator for KServe: https://kserve.github.io/website")
    return Finding("fail", looked_at, message, (instead, ask), code="no-kserve")
