"""The objects of a launch, judged by the real API server."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.fairing import pod_objects
from fairing_az_jupyter.fairing.pod_objects import Placement, Target, finished_pod

SPEC = {"containers": [{"name": "model", "image": "contoso.azurecr.io/fairing-job:1", "command": ["python", "x.py"]}]}
TARGET = Target("team-a", "default-editor", "acrcreds", "my notebook!")


def pod(spec=SPEC, **placement):
    return finished_pod(spec, TARGET, Placement(**placement), ends=True)


def made(kind):
    name = pod_objects.new_name("endpoint")
    return {
        "Job": ("batch/v1", "jobs", pod_objects.job(name, pod(spot=True, gpus=1), TARGET, deadline=60)),
        "Deployment": (
            "apps/v1",
            "deployments",
            pod_objects.deployment(name, finished_pod(SPEC, TARGET, Placement(), ends=False), TARGET),
        ),
        "Service": ("v1", "services", pod_objects.service(name, TARGET, public=True)),
    }[kind]


@pytest.mark.parametrize("kind", ["Job", "Deployment", "Service"])
def test_the_api_server_takes_it_with_strict_validation(kubernetes, namespace, kind):
    kubernetes.control_plane.profile(namespace)
    version, resource, body = made(kind)
    body["metadata"]["namespace"] = namespace
    base = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    path = f"{base}/namespaces/{namespace}/{resource}"

    answer = kubernetes.control_plane.admin.call("POST", path, body, query={"fieldValidation": "Strict"})

    assert answer.status_code == 201, answer.text


def test_pods_opt_out_of_istio_by_label_and_annotation():
    for body in (made("Job")[2], made("Deployment")[2]):
        metadata = body["spec"]["template"]["metadata"]
        assert metadata["labels"]["sidecar.istio.io/inject"] == "false"
        assert metadata["annotations"]["sidecar.istio.io/inject"] == "false"


def test_pods_run_as_the_notebooks_service_account_and_pull_with_its_secret():
    assert pod()["serviceAccountName"] == "default-editor"
    assert pod()["imagePullSecrets"] == [{"name": "acrcreds"}]


def test_what_a_mutator_has_set_stays():
    container = {**SPEC["containers"][0], "resources": {"requests": {"cpu": "4"}, "limits": {"memory": "8Gi"}}}
    spec = {"containers": [container], "serviceAccountName": "mine", "nodeSelector": {"pool": "big"}}
    spec["tolerations"] = [{"key": "mine", "operator": "Exists"}]

    found = pod(spec, spot=True, node_selector={"pool": "small", "disk": "ssd"})

    assert found["serviceAccountName"] == "mine"
    assert found["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "big", "disk": "ssd"}
    assert found["containers"][0]["resources"] == {
        "requests": {"cpu": "4", "memory": "2Gi"},
        "limits": {"memory": "8Gi"},
    }
    assert [each["key"] for each in found["tolerations"]] == ["mine", "kubernetes.azure.com/scalesetpriority"]
    assert spec["containers"][0]["resources"] == {"requests": {"cpu": "4"}, "limits": {"memory": "8Gi"}}


def test_the_service_finds_the_pods_of_its_deployment_and_no_others():
    one = pod_objects.deployment("one", pod(), TARGET)
    labels = one["spec"]["template"]["metadata"]["labels"]

    assert pod_objects.service("one", TARGET)["spec"]["selector"].items() <= labels.items()
    assert not pod_objects.service("two", TARGET)["spec"]["selector"].items() <= labels.items()


def test_a_service_is_not_public_unless_it_was_asked_for():
    assert pod_objects.service("one", TARGET)["spec"]["type"] == "ClusterIP"


@pytest.mark.parametrize(
    ("owner", "label"), [("my notebook!", "my-notebook"), ("", None), ("***", None), ("x" * 80, "x" * 63)]
)
def test_the_owners_label_is_one_that_kubernetes_takes(owner, label):
    assert pod_objects.labels_of("job", "fairing-job-1", owner).get("fairing-az-jupyter/owner") == label
