"""What a Kubeflow cluster has before any user comes: the API group of InferenceService, namespaces, nodes."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

# The least that makes the API group exist: no webhooks, no defaults.
# https://kserve.github.io/website/docs/reference/crd-api
INFERENCE_SERVICE: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "inferenceservices.serving.kserve.io"},
    "spec": {
        "group": "serving.kserve.io",
        "names": {
            "kind": "InferenceService",
            "listKind": "InferenceServiceList",
            "plural": "inferenceservices",
            "singular": "inferenceservice",
            "shortNames": ["isvc"],
        },
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["predictor"],
                                "properties": {
                                    "predictor": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                                },
                                "x-kubernetes-preserve-unknown-fields": True,
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


def role_binding(namespace: str, service_account: str, role: str) -> Object:
    """Return the binding that Kubeflow's profile controller makes for a service account."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": service_account, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": service_account, "namespace": namespace}],
    }


def namespace(name: str, pod_security: str = "baseline") -> Object:
    """Return a namespace as a Kubeflow profile owns it.

    Args:
        name: Its name.
        pod_security: The Pod Security level that is enforced there; Kubeflow's example profiles have `baseline`:
            https://github.com/kubeflow/manifests/tree/master/experimental/security/PSS

    """
    labels = {
        "app.kubernetes.io/part-of": "kubeflow-profile",
        "istio-injection": "enabled",
        "pod-security.kubernetes.io/enforce": pod_security,
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def node(name: str, cpu: str, memory: str, pods: int, labels: dict[str, str]) -> tuple[Object, Object]:
    """Return a node and the patch of its status that says it is ready and what it has."""
    capacity = {"cpu": cpu, "memory": memory, "pods": str(pods)}
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "lastHeartbeatTime": "2026-01-01T00:00:00Z",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    return body, {"status": {"capacity": capacity, "allocatable": capacity, "conditions": [ready]}}
