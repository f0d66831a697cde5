"""The stand's KServe is the real controller, with its webhooks and its errors."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.workloads import Workloads

API = "/apis/serving.kserve.io/v1beta1/namespaces"
RAW = {"serving.kserve.io/deploymentMode": "RawDeployment"}


def inference_service(**resources):
    container = {"name": "kserve-container", "image": "contoso.azurecr.io/model:1", "resources": resources}
    metadata = {"name": "ames", "annotations": RAW, "labels": {"networking.kserve.io/visibility": "cluster-local"}}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": {"containers": [container]}},
    }


@pytest.fixture
def api(kserve, stand, namespace):
    stand.correct_setup(namespace)
    return stand.control_plane.admin


def wait_for_mode(api, namespace):
    from tests.cluster.wait_scene import wait_for

    path = f"{API}/{namespace}/inferenceservices/ames"
    return wait_for(lambda: api.get(path).get("status", {}).get("deploymentMode"))


def test_its_webhook_sets_limits_and_its_controller_makes_the_deployment(api, namespace):
    made = api.post(f"{API}/{namespace}/inferenceservices", inference_service())

    [container] = made["spec"]["predictor"]["containers"]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
    assert wait_for_mode(api, namespace) == "Standard"
    deployments = api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments")["items"]
    assert [one["metadata"]["name"] for one in deployments] == ["ames-predictor"]


def test_an_inference_service_of_the_old_mode_is_deleted_although_kserve_rejects_its_own_update(api, stand, namespace):
    setup = stand.control_plane.token(namespace, "default-editor")
    api.post(f"{API}/{namespace}/inferenceservices", inference_service())
    wait_for_mode(api, namespace)
    path = f"{API}/{namespace}/inferenceservices/ames"
    touched = {"metadata": {"labels": {"a": "b"}}}
    rejected = api.call("PATCH", path, touched, kind="application/merge-patch+json")
    assert "deploymentMode cannot be changed from 'Standard' to 'RawDeployment'" in rejected.text
    environment = stand.control_plane.in_cluster(stand.folder / "pods" / namespace, setup, namespace)

    with Cluster.connect(environment, stand.folder / "pods" / namespace) as cluster, Workloads(cluster) as workloads:
        assert workloads.delete("InferenceService", "ames", wait=20)

    assert api.call("GET", path).status_code == 404
