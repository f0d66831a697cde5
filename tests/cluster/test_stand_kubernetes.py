"""The stand's Kubernetes is a real one: what clients rely on holds here as it does on a cluster."""

from __future__ import annotations

import pytest

from tests.cluster.wait_scene import wait_for

SECRET = {"metadata": {"name": "azcreds"}, "stringData": {"AZ_CLIENT_ID": "x"}}
DRY_RUN = {"dryRun": "All"}


def test_the_editor_may_do_what_a_launch_needs_and_no_more(kubernetes, namespace):
    profile = kubernetes.control_plane.profile(namespace, "kubeflow-edit")
    api = kubernetes.control_plane.api(profile.editor)
    for verb in ("get", "list", "create", "patch", "update", "delete"):
        assert api.may(verb, "secrets", namespace)
    assert api.may("patch", "serviceaccounts", namespace)
    assert api.may("create", "jobs", namespace, "batch")
    assert api.may("create", "inferenceservices", namespace, "serving.kserve.io")
    assert api.may("get", "pods/log", namespace)
    assert not api.may("create", "rolebindings", namespace, "rbac.authorization.k8s.io")
    assert not api.may("list", "nodes", "")
    assert not api.may("get", "secrets", "kube-system")


def test_the_viewer_sees_pods_and_no_secrets(kubernetes, namespace):
    api = kubernetes.control_plane.api(kubernetes.control_plane.profile(namespace, "kubeflow-view").editor)
    assert api.may("list", "pods", namespace)
    assert not api.may("get", "secrets", namespace)
    assert not api.may("create", "jobs", namespace, "batch")


def test_without_a_role_a_token_is_known_and_may_nothing(kubernetes, namespace):
    api = kubernetes.control_plane.api(kubernetes.control_plane.profile(namespace, None).editor)
    assert not api.may("list", "pods", namespace)
    assert api.call("GET", f"/api/v1/namespaces/{namespace}/pods").status_code == 403


def test_what_may_not_be_seen_is_403_whether_it_is_there_or_not(kubernetes, namespace):
    profile = kubernetes.control_plane.profile(namespace, "kubeflow-edit")
    editor, viewer = (kubernetes.control_plane.api(token) for token in (profile.editor, profile.viewer))
    path = f"/api/v1/namespaces/{namespace}/secrets/azcreds"
    assert editor.call("GET", path).status_code == 404
    assert viewer.call("GET", path).status_code == 403
    assert kubernetes.control_plane.api("nonsense").call("GET", path).status_code == 401


def test_a_dry_run_is_checked_by_the_server_and_stores_nothing(kubernetes, namespace):
    api = kubernetes.control_plane.api(kubernetes.control_plane.profile(namespace).editor)
    path = f"/api/v1/namespaces/{namespace}/secrets"
    broken = {"metadata": {"name": "acrcreds"}, "type": "kubernetes.io/dockerconfigjson", "stringData": {}}
    assert api.call("POST", path, broken, query=DRY_RUN).status_code == 422
    assert api.call("POST", path, SECRET, query=DRY_RUN).status_code == 201
    assert api.call("GET", f"{path}/azcreds").status_code == 404


def test_a_patch_of_image_pull_secrets_replaces_the_list(kubernetes, namespace):
    api = kubernetes.control_plane.api(kubernetes.control_plane.profile(namespace).editor)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default-editor"
    api.patch(path, {"imagePullSecrets": [{"name": "first"}]})
    merge = "application/merge-patch+json"
    assert api.patch(path, {"imagePullSecrets": [{"name": "second"}]}, merge)["imagePullSecrets"] == [
        {"name": "second"}
    ]
    changed = api.patch(path, {"imagePullSecrets": [{"name": "third"}]})
    assert changed["imagePullSecrets"] == [{"name": "third"}]


def test_a_job_gets_its_pod_and_is_complete_when_the_pod_is(kubernetes, namespace):
    control_plane = kubernetes.control_plane
    api = control_plane.api(control_plane.profile(namespace).editor)
    container = {"name": "train", "image": "python:3.11"}
    pod = {"spec": {"restartPolicy": "Never", "serviceAccountName": "default-editor", "containers": [container]}}
    job = {"metadata": {"name": "train"}, "spec": {"backoffLimit": 0, "template": pod}}
    api.post(f"/apis/batch/v1/namespaces/{namespace}/jobs", job)
    (made,) = wait_for(lambda: api.get(f"/api/v1/namespaces/{namespace}/pods")["items"])
    control_plane.set_pod_phase(namespace, made["metadata"]["name"], "Succeeded")
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/train"
    assert wait_for(lambda: api.get(path)["status"].get("succeeded")) == 1


def test_an_inference_service_can_be_made_and_a_wrong_one_not(kubernetes, namespace):
    api = kubernetes.control_plane.api(kubernetes.control_plane.profile(namespace).editor)
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices"
    head = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "ames"}}
    assert api.call("POST", path, {**head, "spec": {}}).status_code == 422
    assert api.post(path, {**head, "spec": {"predictor": {}}})["metadata"]["name"] == "ames"


def test_nodes_have_the_capacity_they_were_given(kubernetes, namespace):
    control_plane = kubernetes.control_plane
    profile = control_plane.profile(namespace)
    control_plane.node(f"node-{namespace}", cpu="2", memory="7Gi")
    api = control_plane.api(profile.editor)
    assert api.call("GET", "/api/v1/nodes").status_code == 403
    control_plane.let_read_nodes(namespace)
    node = api.get(f"/api/v1/nodes/node-{namespace}")
    assert node["status"]["allocatable"] == {"cpu": "2", "memory": "7Gi", "pods": "110"}
    assert "taints" not in node["spec"]
    control_plane.admin.delete(f"/api/v1/nodes/node-{namespace}")


@pytest.mark.parametrize("way", ["kubeconfig", "in-cluster"])
def test_the_kubernetes_client_gets_in_both_ways(kubernetes, namespace, way, tmp_path):
    from kubernetes import client, config
    from kubernetes.config.incluster_config import InClusterConfigLoader

    control_plane = kubernetes.control_plane
    token = control_plane.profile(namespace).editor
    settings = client.Configuration()
    if way == "kubeconfig":
        config.load_kube_config(str(control_plane.kubeconfig(token, namespace)), client_configuration=settings)
    else:
        environment = control_plane.in_cluster(tmp_path, token, namespace, port=kubernetes.kubernetes_front.port)
        loader = InClusterConfigLoader(str(tmp_path / "token"), str(tmp_path / "ca.crt"), environ=environment)
        loader.load_and_set(settings)
    with client.ApiClient(settings) as connection:
        assert client.CoreV1Api(connection).list_namespaced_pod(namespace).items == []


def test_a_watch_passes_the_front_as_it_happens(kubernetes, namespace):
    from kubernetes import client, config, watch

    control_plane = kubernetes.control_plane
    token = control_plane.profile(namespace).editor
    settings = client.Configuration()
    path = control_plane.kubeconfig(token, namespace, port=kubernetes.kubernetes_front.port)
    config.load_kube_config(str(path), client_configuration=settings)
    control_plane.admin.post(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "one"}})
    with client.ApiClient(settings) as connection:
        core, watcher = client.CoreV1Api(connection), watch.Watch()
        seen = []
        for event in watcher.stream(core.list_namespaced_config_map, namespace, timeout_seconds=15):
            seen.append(event["object"].metadata.name)
            if seen[-1] == "one":
                control_plane.admin.post(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "two"}})
            if seen[-1] == "two":
                watcher.stop()
    assert "two" in seen
