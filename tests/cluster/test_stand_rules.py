"""The stand's namespaces have the rules of a real Kubeflow profile: aggregated roles and Pod Security."""

from __future__ import annotations

import pytest

from tests.stand import kubeflow_roles

POD = {"spec": {"containers": [{"name": "main", "image": "contoso.azurecr.io/job:1"}]}}
ROOT_OF_THE_NODE = {
    "spec": {**POD["spec"], "volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
}


def admitted(stand, namespace, pod):
    path = f"/api/v1/namespaces/{namespace}/pods"
    return stand.control_plane.admin.call("POST", path, {"metadata": {"name": "x"}, **pod}, query={"dryRun": "All"})


def test_the_editors_rights_are_the_sum_of_kubeflows_parts(kubernetes, namespace):
    admin = kubernetes.control_plane.admin
    api = kubernetes.control_plane.api(kubernetes.control_plane.profile(namespace).editor)

    role = admin.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/kubeflow-edit")

    assert role["aggregationRule"]
    assert kubeflow_roles.complete(role)
    assert api.may("create", "notebooks", namespace, "kubeflow.org")
    assert api.may("list", "poddefaults", namespace, "kubeflow.org")
    assert api.may("create", "experiments", namespace, "kubeflow.org")
    assert api.may("get", "events", namespace)
    for verb, resource, group in (
        ("create", "events", ""),
        ("create", "networkpolicies", "cilium.io"),
        ("get", "roles", "rbac.authorization.k8s.io"),
        ("create", "pods/eviction", ""),
    ):
        assert not api.may(verb, resource, namespace, group)


@pytest.mark.parametrize(
    ("level", "host_path", "plain"), [("privileged", 201, 201), ("baseline", 403, 201), ("restricted", 403, 403)]
)
def test_a_namespace_enforces_the_pod_security_level_that_was_asked_for(kubernetes, namespace, level, host_path, plain):
    kubernetes.control_plane.profile(namespace, pod_security=level)

    assert admitted(kubernetes, namespace, ROOT_OF_THE_NODE).status_code == host_path
    assert admitted(kubernetes, namespace, POD).status_code == plain


def test_a_set_up_is_baseline_where_nothing_else_is_said(kubernetes, namespace):
    kubernetes.control_plane.profile(namespace)

    labels = kubernetes.control_plane.admin.get(f"/api/v1/namespaces/{namespace}")["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
