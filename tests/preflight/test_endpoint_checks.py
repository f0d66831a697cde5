"""What endpoints meet in the cluster, against a real API server."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.preflight.checks.endpoint_checks import checks
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.runner import Check, Finding, run_checks
from fairing_az_jupyter.settings import Settings
from tests.stand.web import json_answer


@pytest.fixture
def checked(kubernetes, namespace, tmp_path):
    control_plane, opened = kubernetes.control_plane, []
    token = control_plane.profile(namespace).editor

    def checked(injects=None, broken=None, notebook=None, planned=None, **settings):
        port = kubernetes.kubernetes_front.port
        environ = control_plane.in_cluster(tmp_path / "pod", token, namespace, port=port)
        cluster = Cluster.connect(environ, tmp_path / "pod", timeout=2.0, deadline=2.0)
        opened.append(cluster)
        context = CheckContext(Settings(**settings), broken=broken or {}, notebook=notebook, planned=planned)
        given = [standing("cluster", cluster), standing("cluster.namespace", injects)]
        return {result.check: result for result in run_checks([*given, *checks(context)])}

    yield checked
    for cluster in opened:
        cluster.close()


def standing(name, value):
    return Check(name, name, "why", "thing", lambda _: Finding("pass", "thing", "fine", value=value))


@pytest.mark.parametrize(("mesh", "said"), [("sidecar", "opt out"), ("", "injects nothing")])
def test_istio_is_fine_either_way(checked, mesh, said):
    result = checked(mesh)["endpoint.istio"]

    assert result.status == "pass"
    assert said in result.message


def test_the_ambient_mesh_is_named_since_no_pod_has_a_proxy_to_opt_out_of(checked):
    result = checked("ambient")["endpoint.istio"]

    assert (result.status, result.code) == ("warn", "ambient-mesh")
    assert "ztunnel" in result.message


def test_the_ambient_mesh_is_fine_where_pods_opt_out_of_it(checked):
    def planned(_kind, namespace):
        labels = {"istio.io/dataplane-mode": "none"}
        return ({"kind": "Pod", "metadata": {"name": "x", "namespace": namespace, "labels": labels}},)

    result = checked("ambient", planned=planned)["endpoint.istio"]

    assert result.status == "pass"
    assert "opt out, by the label istio.io/dataplane-mode=none" in result.message


def test_a_namespace_that_may_not_be_looked_at_says_nothing_about_istio(checked):
    assert checked(None)["endpoint.istio"].status == "skipped"


@pytest.mark.parametrize("injects", ["sidecar", "ambient", "", None])
def test_a_public_endpoint_is_warned_of_with_the_way_back(checked, injects):
    result = checked(injects, notebook="my train.ipynb", service_type="LoadBalancer")["endpoint.istio"]

    assert (result.status, result.code) == ("warn", "public-endpoint")
    assert "without authentication" in result.message
    assert result.fixes[0].command == "fairing-azure fill 'my train.ipynb' --service-type ClusterIP"
    assert result.fixes[0].magic == "%fairing_azure fill 'my train.ipynb' --service-type ClusterIP"


def test_a_broken_service_type_is_not_taken_for_the_default(checked):
    result = checked(broken={"service_type": "it is none"})["endpoint.istio"]

    assert result.status == "skipped"
    assert "FAIRING_SERVICE_TYPE" in result.message


@pytest.fixture
def without_kserve(kubernetes):
    kubernetes.kubernetes_front.answer(json_answer(200, {"kind": "APIGroupList", "groups": []}), path="/apis$")


def test_kserve_is_told_and_not_needed_where_endpoints_are_deployments(checked):
    result = checked()["endpoint.kserve"]

    assert result.status == "pass"
    assert "is installed, and not needed" in result.message


def test_endpoints_that_are_deployments_need_no_kserve(checked, without_kserve):
    result = checked()["endpoint.kserve"]

    assert result.status == "pass"
    assert "is not installed, and not needed" in result.message


def test_inference_services_need_kserve_and_the_way_without_it_is_told(checked, without_kserve):
    result = checked(notebook="train.ipynb", endpoint_kind="inference-service")["endpoint.kserve"]

    assert (result.status, result.code) == ("fail", "no-kserve")
    assert result.fixes[0].command == "fairing-azure fill train.ipynb --endpoint-kind deployment"
    assert "not needed" not in result.message


def test_a_public_inference_service_is_one_failure_and_not_called_public(checked):
    results = checked(endpoint_kind="inference-service", service_type="LoadBalancer")

    assert (results["endpoint.kserve"].status, results["endpoint.kserve"].code) == ("fail", "service-type")
    assert results["endpoint.istio"].status != "warn"
    assert [fix.command for fix in results["endpoint.kserve"].fixes] == [
        "fairing-azure profile set NAME --service-type ClusterIP",
        "fairing-azure profile set NAME --endpoint-kind deployment",
    ]


def test_a_broken_kind_of_endpoint_is_not_taken_for_the_default(checked):
    results = checked(broken={"endpoint_kind": "it is none"})

    assert {results["endpoint.kserve"].status, results["endpoint.istio"].status} == {"skipped"}
    assert "FAIRING_ENDPOINT_KIND" in results["endpoint.kserve"].message


def test_groups_that_can_not_be_listed_are_one_unknown(checked, kubernetes):
    kubernetes.kubernetes_front.refuse(503, path="/apis$")
    results = checked()

    assert results["endpoint.kserve"].status == "unknown"
    assert results["endpoint.istio"].status == "skipped"
