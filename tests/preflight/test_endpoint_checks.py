"""What endpoints meet in the cluster, against a real API server."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.cluster import Cluster
from fairing_az_jupyter.preflight.endpoint_checks import checks
from fairing_az_jupyter.preflight.runner import Check, Finding, run_checks
from fairing_az_jupyter.preflight.subject import Subject
from fairing_az_jupyter.settings import Settings


@pytest.fixture
def checked(kubernetes, namespace, tmp_path):
    control_plane, opened = kubernetes.control_plane, []
    token = control_plane.profile(namespace).editor

    def checked(injects=None, broken=None, notebook=None, **settings):
        port = kubernetes.kubernetes_front.port
        environ = control_plane.in_cluster(tmp_path / "pod", token, namespace, port=port)
        cluster = Cluster.connect(environ, tmp_path / "pod", timeout=2.0, deadline=2.0)
        opened.append(cluster)
        subject = Subject(Settings(**settings), broken=broken or {}, notebook=notebook)
        given = [standing("cluster", cluster), standing("cluster.namespace", injects)]
        return {result.check: result for result in run_checks([*given, *checks(subject)])}

    yield checked
    for cluster in opened:
        cluster.close()


def standing(name, value):
    return Check(name, name, "why", "thing", lambda _: Finding("pass", "thing", "fine", value=value))


@pytest.mark.parametrize(("injects", "said"), [(True, "opt out"), (False, "injects nothing")])
def test_istio_is_fine_either_way(checked, injects, said):
    result = checked(injects)["endpoint.istio"]

    assert result.status == "pass"
    assert said in result.message


def test_a_namespace_that_may_not_be_looked_at_says_nothing_about_istio(checked):
    assert checked(None)["endpoint.istio"].status == "skipped"


@pytest.mark.parametrize("injects", [True, False, None])
def test_a_public_endpoint_is_warned_of_with_the_way_back(checked, injects):
    result = checked(injects, notebook="my train.ipynb", service_type="LoadBalancer")["endpoint.istio"]

    assert (result.status, result.code) == ("warn", "public-endpoint")
    assert "without authentication" in result.message
    assert result.cures[0].command == "fairing-azure fill 'my train.ipynb' --service-type ClusterIP"
    assert result.cures[0].magic == "%fairing_azure fill 'my train.ipynb' --service-type ClusterIP"


def test_a_broken_service_type_is_not_taken_for_the_default(checked):
    result = checked(broken={"service_type": "it is none"})["endpoint.istio"]

    assert result.status == "skipped"
    assert "FAIRING_SERVICE_TYPE" in result.message


def test_kserve_is_told_and_never_needed(checked, kubernetes):
    result = checked()["endpoint.kserve"]
    assert result.status == "pass"
    assert "is installed" in result.message

    from tests.stand.web import json_answer

    kubernetes.kubernetes_front.answer(json_answer(200, {"kind": "APIGroupList", "groups": []}), path="/apis$")
    result = checked()["endpoint.kserve"]
    assert result.status == "pass"
    assert "is not installed" in result.message


def test_groups_that_can_not_be_listed_are_one_unknown(checked, kubernetes):
    kubernetes.kubernetes_front.refuse(503, path="/apis$")
    results = checked()

    assert results["endpoint.kserve"].status == "unknown"
    assert results["endpoint.istio"].status == "skipped"
