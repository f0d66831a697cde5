"""What a Kubeflow cluster has before any user comes: its roles, and the API group of InferenceService."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]


def _rule(group: str, resources: str, verbs: list[str]) -> Object:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs}


# What kubeflow/manifests (common/kubeflow-roles/base/cluster-roles.yaml) and KServe's overlay for it grant together,
# kept to what a notebook's launch could want. Nobody here gets nodes, roles or events to write, as there.
_VIEW = [
    _rule(
        "",
        "configmaps endpoints persistentvolumeclaims pods serviceaccounts services events limitranges"
        " pods/log pods/status resourcequotas namespaces",
        _READ,
    ),
    _rule("apps", "deployments deployments/scale deployments/status replicasets statefulsets", _READ),
    _rule("batch", "cronjobs cronjobs/status jobs jobs/status", _READ),
    _rule("networking.k8s.io", "ingresses networkpolicies", _READ),
    _rule("serving.kserve.io", "inferenceservices", _READ),
]
_EDIT = [
    *_VIEW,
    _rule("", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", _READ),
    _rule(
        "",
        "pods pods/attach pods/exec pods/portforward configmaps endpoints persistentvolumeclaims secrets"
        " serviceaccounts services",
        _WRITE,
    ),
    _rule("apps", "deployments deployments/scale replicasets statefulsets", _WRITE),
    _rule("batch", "cronjobs jobs", _WRITE),
    _rule("networking.k8s.io", "ingresses networkpolicies", _WRITE),
    _rule("serving.kserve.io", "inferenceservices", _WRITE),
]


def cluster_role(name: str, rules: list[Object]) -> Object:
    """Return a ClusterRole."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }


CLUSTER_ROLES = (
    cluster_role("kubeflow-edit", _EDIT),
    cluster_role("kubeflow-view", _VIEW),
    cluster_role("read-nodes", [_rule("", "nodes", _READ)]),
)

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


def namespace(name: str) -> Object:
    """Return a namespace as a Kubeflow profile owns it."""
    labels = {"app.kubernetes.io/part-of": "kubeflow-profile", "istio-injection": "enabled"}
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
