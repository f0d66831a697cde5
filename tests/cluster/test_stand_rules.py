"""The stand's namespaces have the rules of a real Kubeflow profile: aggregated roles and Pod Security."""

from __future__ import annotations

import json
import socket

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


GOOD = {
    "name": "main",
    "image": "contoso.azurecr.io/job:1",
    "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    "securityContext": {"runAsNonRoot": True, "readOnlyRootFilesystem": True},
    "livenessProbe": {"tcpSocket": {"port": 8080}},
    "readinessProbe": {"tcpSocket": {"port": 8080}},
}
LACKS = {
    "limits": {"resources": {"limits": {"cpu": "1"}}},
    "registries": {"image": "docker.io/library/python:3.11"},
    "read-only-root": {"securityContext": {"runAsNonRoot": True}},
    "non-root": {"securityContext": {"readOnlyRootFilesystem": True}},
    "probes": {"livenessProbe": None},
}


@pytest.mark.parametrize("rule", sorted(LACKS))
def test_a_policy_refuses_what_breaks_it_and_only_in_its_namespace(kubernetes, policies, namespace, rule):
    other = f"{namespace}-other"
    for name in (namespace, other):
        kubernetes.control_plane.profile(name)
    policies.require(namespace, rule, registries=("contoso.azurecr.io",))
    bad = {"spec": {"containers": [{**GOOD, **LACKS[rule]}]}}

    refused = admitted(kubernetes, namespace, bad)

    assert (refused.status_code, f"safeguard-{rule}" in refused.json()["message"]) == (422, True)
    assert admitted(kubernetes, namespace, {"spec": {"containers": [GOOD]}}).ok
    assert admitted(kubernetes, other, bad).ok


@pytest.mark.parametrize("restart", ["Never", "OnFailure", "Always"])
def test_probes_are_asked_of_every_pod_whether_it_ends_or_not_and_of_no_init_container(
    kubernetes, policies, namespace, restart
):
    kubernetes.control_plane.profile(namespace)
    policies.require(namespace, "probes")
    first = {"name": "first", "image": "contoso.azurecr.io/job:1"}
    spec = {"restartPolicy": restart, "initContainers": [first]}

    assert admitted(kubernetes, namespace, {"spec": {**spec, "containers": [GOOD]}}).ok
    refused = admitted(kubernetes, namespace, {"spec": {**spec, "containers": [GOOD, {**first, "name": "more"}]}})
    assert "safeguard-probes" in refused.json()["message"]


def test_a_limit_range_a_quota_on_limits_and_a_silent_webhook_refuse_in_the_servers_words(
    kubernetes, policies, namespace
):
    kubernetes.control_plane.profile(namespace)
    policies.limit_range(namespace, max={"memory": "512Mi"})
    assert (
        "maximum memory usage per Container is 512Mi"
        in admitted(kubernetes, namespace, {"spec": {"containers": [GOOD]}}).text
    )
    policies.quota(namespace, limits_cpu="2")
    said = admitted(kubernetes, namespace, POD).text
    assert "failed quota: team: must specify limits.cpu" in said
    name = policies.silent_webhook(namespace)
    assert "failed calling webhook" in admitted(kubernetes, namespace, POD).text
    policies.end_webhook(name)


def test_a_registry_is_shut_off_from_the_notebook_or_from_a_node(stand):
    names = stand.names
    names.add("contoso.azurecr.io", 443)

    names.shut("contoso.azurecr.io", "node", unknown=True)
    names.shut("contoso.azurecr.io", "pods")

    known = {place: json.loads(file.read_text()).get("contoso.azurecr.io") for place, file in names.files.items()}
    assert (known["notebook"], known["node"]) == (443, None)
    with socket.create_connection(("127.0.0.1", known["pods"])) as reset, pytest.raises(ConnectionResetError):
        reset.recv(1)
    stand.reset()
    assert {json.loads(file.read_text())["contoso.azurecr.io"] for file in names.files.values()} == {443}
    names.remove("contoso.azurecr.io")
