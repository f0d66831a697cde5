"""The way to the cluster, the namespace and the service account, against a real API server."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from fairing_az_jupyter.preflight.checks.cluster_checks import checks
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.runner import run_checks
from fairing_az_jupyter.settings import Settings, from_notebook

NOWHERE = Path("/nowhere")


@pytest.fixture
def setup(stand, namespace):
    return stand.correct_setup(namespace)


def subject_of(setup, *, pod=True, environ=None, folder=None, seconds=9.0, **settings):
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("KUBE")}
    surroundings |= setup.environment if pod else {"KUBECONFIG": str(setup.kubeconfig)}
    return CheckContext(
        Settings(**{**from_notebook(setup.settings), **settings}),
        environ={**surroundings, **(environ or {})},
        service_account_folder=folder or (setup.service_account if pod else NOWHERE),
        timeout=min(4.0, seconds),
        deadline=seconds,
    )


def found(context):
    return {result.check: result for result in run_checks(checks(context))}


def statuses(results):
    return {name: result.status for name, result in results.items()}


def commands(result):
    return [fix.command for fix in result.fixes]


def account(setup, **fields):
    path = f"/api/v1/namespaces/{setup.namespace}/serviceaccounts/default-editor"
    setup_admin = fields.pop("admin")
    setup_admin.patch(path, fields, "application/merge-patch+json")


def test_a_correct_set_up_passes_and_says_who_asks(stand, setup):
    results = found(subject_of(setup))

    assert set(statuses(results).values()) == {"pass"}
    assert f"service account default-editor of namespace {setup.namespace}" in results["cluster"].message


def test_a_kubeconfig_is_a_way_too_and_is_named(stand, setup):
    results = found(subject_of(setup, pod=False))

    assert set(statuses(results).values()) == {"pass"}
    assert str(setup.kubeconfig) in results["cluster"].message


def test_without_any_cluster_the_command_that_fetches_a_kubeconfig_is_told(stand, setup):
    context = subject_of(setup, pod=False, environ={"KUBECONFIG": "/nowhere/config", "HOME": "/nowhere"})
    results = found(context)

    assert results.pop("cluster").code == "no-cluster"
    assert set(statuses(results).values()) == {"skipped"}
    cluster = found(context)["cluster"]
    assert cluster.status == "fail"
    assert commands(cluster)[0] == "az aks get-credentials --resource-group GROUP --name CLUSTER"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda front: front.certificate("untrusted"), "unreachable-tls-untrusted"),
        (lambda front: front.proxy_page(200), "unreachable-proxy-page"),
        (lambda front: front.refuse(401), "credential"),
        (lambda front: front.hang(), "unreachable-timeout"),
    ],
)
def test_a_cluster_that_can_not_be_used_is_one_finding(stand, setup, fault, code):
    fault(stand.kubernetes_front)
    results = found(subject_of(setup, seconds=1.0))

    cluster = results.pop("cluster")
    assert (cluster.status, cluster.code) == ("unknown" if code.endswith("timeout") else "fail", code)
    assert cluster.fixes
    assert set(statuses(results).values()) == {"skipped"}


def test_a_token_that_is_none_is_told_without_showing_it(stand, setup, tmp_path):
    for name in ("ca.crt", "namespace"):
        (tmp_path / name).write_bytes((setup.service_account / name).read_bytes())
    (tmp_path / "token").write_text("MARKED token with spaces")
    cluster = found(subject_of(setup, folder=tmp_path))["cluster"]

    assert (cluster.status, cluster.code) == ("fail", "credential-malformed")
    assert "MARKED" not in json.dumps(cluster.to_dict())


def test_a_namespace_that_is_not_there_is_the_only_failure(stand, setup):
    admin = stand.control_plane.kubeconfig(
        stand.control_plane._admin_token,  # noqa: SLF001 - nobody else may look at every namespace
        "default",
    )
    environ = {"KUBECONFIG": str(admin)}
    results = found(subject_of(setup, pod=False, environ=environ, namespace="nobodys-team"))

    namespace = results.pop("cluster.namespace")
    assert (namespace.status, namespace.code) == ("fail", "not-found")
    assert "kubectl create namespace nobodys-team" in commands(namespace)
    assert any("FAIRING_NAMESPACE" in command for command in commands(namespace))
    assert statuses(results) == {"cluster": "pass", "cluster.service-account": "skipped"}


def test_a_foreign_namespace_is_unknown_and_the_own_one_is_suggested(stand, setup):
    results = found(subject_of(setup, namespace="kube-system"))

    namespace = results.pop("cluster.namespace")
    assert namespace.status == "unknown"
    assert "not found" not in namespace.message
    assert any(command.endswith(f"--namespace {setup.namespace}") for command in commands(namespace))
    assert statuses(results) == {"cluster": "pass", "cluster.service-account": "skipped"}


def test_a_namespace_that_one_may_work_in_but_not_look_at_keeps_nothing_else_from_being_checked(stand, setup):
    theirs, admin = f"{setup.namespace}-b", stand.control_plane.admin
    stand.control_plane.profile(theirs)
    context = {"kind": "ServiceAccount", "name": "default-editor", "namespace": setup.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kubeflow-edit"}
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{theirs}/rolebindings"
    admin.post(path, {"metadata": {"name": "guests"}, "roleRef": role, "subjects": [context]})
    api = stand.control_plane.api(setup.profile.editor)
    end = time.monotonic() + 10
    while not api.may("list", "pods", theirs) and time.monotonic() < end:
        time.sleep(0.02)
    stand.kubernetes_front.refuse(403, path=rf"/namespaces/{theirs}$")
    results = found(subject_of(setup, namespace=theirs))

    assert results["cluster.namespace"].status == "unknown"
    assert results["cluster.service-account"].status == "pass"


def test_a_namespace_that_may_not_be_looked_at_passes_where_the_pod_is_at_home(stand, setup):
    stand.kubernetes_front.refuse(403, path=rf"/namespaces/{setup.namespace}$")
    results = found(subject_of(setup))

    assert set(statuses(results).values()) == {"pass"}
    assert "no permission to read it" in results["cluster.namespace"].message


def test_a_broken_namespace_setting_is_not_replaced_by_another_namespace(stand, setup):
    context = subject_of(setup)
    broken = CheckContext(
        context.settings,
        broken={"namespace": "FAIRING_NAMESPACE 'Team A' is no name."},
        environ=context.environ,
        service_account_folder=context.service_account_folder,
    )
    results = found(broken)

    assert results["cluster.namespace"].status == "skipped"
    assert "FAIRING_NAMESPACE" in results["cluster.namespace"].message


def test_a_missing_service_account_is_the_only_failure(stand, setup):
    results = found(subject_of(setup, service_account="nobody"))

    missing = results["cluster.service-account"]
    assert (missing.status, missing.code) == ("fail", "not-found")
    assert commands(missing)[0].endswith("--service-account default-editor")
    assert f"kubectl -n {setup.namespace} create serviceaccount nobody" in commands(missing)


def test_a_service_account_that_may_not_be_looked_at_is_never_missing(stand, setup):
    stand.kubernetes_front.refuse(403, path="/serviceaccounts/")
    results = found(subject_of(setup))

    assert statuses(results) == {
        "cluster": "pass",
        "cluster.namespace": "pass",
        "cluster.service-account": "unknown",
    }
    assert "not found" not in results["cluster.service-account"].message


def test_nothing_that_is_found_holds_a_secret(stand, setup):
    account(setup, admin=stand.control_plane.admin, imagePullSecrets=[])
    stand.kubernetes_front.refuse(500, path="/serviceaccounts/", times=20, message=setup.profile.editor)
    written = json.dumps([result.to_dict() for result in found(subject_of(setup, seconds=2.0)).values()])

    assert not [mark for mark in setup.marks if mark in written]
