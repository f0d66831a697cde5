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


SPOT_LABEL = "kubernetes.azure.com/scalesetpriority"
GPU_TAINTS = {("sku", "gpu", "NoSchedule"), ("nvidia.com/gpu", None, "NoSchedule")}


def taints(found):
    return {(each["key"], each.get("value"), each.get("effect")) for each in found.get("tolerations", [])}


def with_first(**more):
    first = {"name": "first", "image": "contoso.azurecr.io/fairing-job:1"}
    return {"initContainers": [first], "containers": [dict(SPEC["containers"][0])], **more}


@pytest.mark.parametrize("ends", [True, False])
def test_pods_that_ask_for_gpus_tolerate_the_taints_of_gpu_nodes_and_their_init_containers_ask_for_none(ends):
    found = finished_pod(with_first(), TARGET, Placement(gpus=2), ends=ends)

    assert taints(found) == GPU_TAINTS
    assert found["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    [first] = found["initContainers"]
    assert "nvidia.com/gpu" not in str(first["resources"])
    assert first["resources"]["limits"] == {"memory": "2Gi"}
    assert "tolerations" not in finished_pod(with_first(), TARGET, Placement(), ends=ends)


def test_jobs_under_spot_rather_take_spot_nodes_and_endpoints_never_do():
    found = pod(spot=True)
    served = finished_pod(SPEC, TARGET, Placement(spot=True), ends=False)

    [preferred] = found["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["preference"]["matchExpressions"] == [{"key": SPOT_LABEL, "operator": "In", "values": ["spot"]}]
    assert taints(found) == {(SPOT_LABEL, "spot", "NoSchedule")}
    assert "affinity" not in served
    assert "tolerations" not in served


def test_every_pod_selects_linux_unless_its_user_says_otherwise():
    assert pod()["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert pod(node_selector={"kubernetes.io/os": "windows"})["nodeSelector"] == {"kubernetes.io/os": "windows"}
    assert pod({**SPEC, "nodeSelector": {"kubernetes.io/os": "x"}})["nodeSelector"] == {"kubernetes.io/os": "x"}


def test_a_processor_limit_is_every_containers_and_never_less_than_what_it_asks_for():
    spec = with_first()
    spec["containers"] += [{"name": "more", "image": "x:1", "resources": {"requests": {"cpu": "6"}}}]

    found = pod(spec, cpu="2", cpu_limit="4")

    limits = [each["resources"]["limits"]["cpu"] for each in [*found["initContainers"], *found["containers"]]]
    assert limits == ["4", "4", "6"]
    assert "cpu" not in pod()["containers"][0]["resources"]["limits"]


def test_pods_get_no_token_but_for_jobs_that_ask_for_it():
    assert pod()["automountServiceAccountToken"] is False
    assert pod(pod_token=True)["automountServiceAccountToken"] is True
    assert finished_pod(SPEC, TARGET, Placement(pod_token=True), ends=False)["automountServiceAccountToken"] is False
    assert pod({**SPEC, "automountServiceAccountToken": True})["automountServiceAccountToken"] is True


def test_a_job_replaces_pods_that_the_cluster_takes_away_and_stays_where_it_is():
    spec = pod_objects.job("one", pod(), TARGET, retries=2)["spec"]

    assert spec["backoffLimit"] == 2
    [rule] = spec["podFailurePolicy"]["rules"]
    assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    stays = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
    assert stays.items() <= spec["template"]["metadata"]["annotations"].items()
    served = pod_objects.deployment("one", finished_pod(SPEC, TARGET, Placement(), ends=False), TARGET)
    assert not stays.keys() & served["spec"]["template"]["metadata"]["annotations"].keys()


@pytest.mark.parametrize(("cpu_limit", "expected"), [("", "3"), ("4", "4")])
def test_an_inference_service_has_limits_so_that_kserve_sets_none_below_its_requests(cpu_limit, expected):
    served = finished_pod(SPEC, TARGET, Placement(cpu="3", memory="5Gi", cpu_limit=cpu_limit), ends=False)

    [container] = pod_objects.inference_service("one", served, TARGET)["spec"]["predictor"]["containers"]

    assert container["resources"]["limits"] == {"cpu": expected, "memory": "5Gi"}
    assert "cpu" not in served["containers"][0]["resources"]["limits"] or cpu_limit


def test_restricted_pods_have_no_root_no_rights_and_write_in_three_places_only():
    container = {**SPEC["containers"][0], "workingDir": "/app/", "securityContext": {"runAsUser": 0}}
    found = pod({"containers": [container]}, pod_security="restricted", gpus=1)

    assert found["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for each in [*found["initContainers"], *found["containers"]]:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
    [served], [first] = found["containers"], found["initContainers"]
    assert {mount["mountPath"] for mount in served["volumeMounts"]} == {"/app", "/tmp", "/home/fairing"}  # noqa: S108
    assert first["image"] == served["image"]
    assert "nvidia.com/gpu" not in str(first["resources"])


def test_restricted_leaves_what_a_mutator_has_set():
    mounts = [{"name": "mine", "mountPath": "/app"}, {"name": "scratch", "mountPath": "/tmp/"}]  # noqa: S108
    own = {"runAsUser": 2000, "readOnlyRootFilesystem": False}
    container = {**SPEC["containers"][0], "workingDir": "/app/", "volumeMounts": mounts, "securityContext": own}
    container["env"] = [{"name": "HOME", "value": "/mine"}]
    spec = {"containers": [container], "securityContext": {"fsGroup": 100}, "volumes": [{"name": "mine"}]}

    found = pod(spec, pod_security="restricted")

    assert found["securityContext"]["fsGroup"] == 100
    context = found["containers"][0]["securityContext"]
    assert (context["runAsUser"], context["readOnlyRootFilesystem"]) == (2000, False)
    assert "initContainers" not in found
    assert [volume["name"] for volume in found["volumes"]] == ["mine", "fairing-home"]
    assert {"name": "HOME", "value": "/mine"} in found["containers"][0]["env"]


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
