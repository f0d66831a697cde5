"""What a launch would create, planned without one: the same as what launches create, and what the cluster accepts."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.cluster.manifests import Target, placement_of
from fairing_az_jupyter.fairing.images.build_pods import images_of
from fairing_az_jupyter.fairing.jobs.notebook_jobs import NotebookJob, notebook_object
from fairing_az_jupyter.fairing.planned_pods import planned_objects
from fairing_az_jupyter.settings import Settings

KIND = "fairing-az-jupyter/kind"
GIVEN = {
    "backend": "KubeflowAzureBackend",
    "docker_registry": "contosoml.azurecr.io/team",
    "azure_resource_group": "ml",
    "azure_storage_account": "contosomldata",
}
PATHS = {
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
}


def planned(namespace="team-a", **more):
    target = Target(namespace, "default-editor", "acrcreds", "tester")
    return {body["metadata"]["labels"][KIND]: body for body in planned_objects(Settings(**GIVEN, **more), target)}


def spec_of(body):
    return body["spec"]["predictor"] if body["kind"] == "InferenceService" else body["spec"]["template"]["spec"]


@pytest.mark.parametrize("kind", ["job", "build", "endpoint"])
@pytest.mark.parametrize("security", ["baseline", "restricted"])
def test_a_real_api_server_accepts_them_strictly_under_the_level_that_they_keep_to(
    kubernetes, namespace, kind, security
):
    kubernetes.control_plane.profile(namespace)
    admin = kubernetes.control_plane.admin
    labels = {"pod-security.kubernetes.io/enforce": security}
    admin.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
    more = {"gpus": 1, "spot": True, "cpu_limit": "4", "node_selector": "pool=a", "tolerations": "x=y:NoSchedule"}
    body = planned(namespace, pod_security=security, retries=2, **more).get(kind)
    if body is None:
        assert (kind, security) == ("build", "restricted")
        return
    dry = {"dryRun": "All", "fieldValidation": "Strict"}

    answer = admin.call("POST", PATHS[body["kind"]].format(namespace), body, query=dry)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "dry"}, "spec": spec_of(body)}
    pod_answer = admin.call("POST", f"/api/v1/namespaces/{namespace}/pods", pod, query=dry)

    assert answer.status_code == 201, answer.text
    assert pod_answer.status_code == 201, pod_answer.text


def test_they_tell_apart_by_their_kind_and_name_images_as_launches_do():
    found = planned(builder="kaniko", endpoint_kind="inference-service")

    assert list(found) == ["job", "build", "endpoint"]
    assert [body["kind"] for body in found.values()] == ["Job", "Job", "InferenceService"]
    for kind in ("job", "endpoint"):
        assert spec_of(found[kind])["containers"][0]["image"].startswith("contosoml.azurecr.io/team/fairing-job:")
    arguments = spec_of(found["build"])["containers"][0]["args"]
    assert any(each.startswith("--destination=contosoml.azurecr.io/team/fairing-job:") for each in arguments)
    assert "--cache-repo=contosoml.azurecr.io/team/fairing-cache" in arguments


def test_a_backends_arguments_go_before_the_settings_and_reach_its_pods():
    from kubeflow.fairing.backends import KubeflowAzureBackend

    settings = Settings(**GIVEN, gpus=2, retries=3, pod_token=True)
    backend = KubeflowAzureBackend(
        settings=settings, gpus=0, cpu_limit="4", retries=1, pod_security="restricted", pod_token=False
    )

    found = backend.get_training_deployer()._launcher.placement  # noqa: SLF001 - nothing is asked of the cluster

    assert (found.gpus, found.cpu_limit, found.retries, found.pod_security, found.pod_token) == (
        0,
        "4",
        1,
        "restricted",
        False,
    )
    with pytest.raises(InputError, match="'Restricted'"):
        KubeflowAzureBackend(settings=settings, pod_security="Restricted")


@pytest.mark.parametrize("more", [{"builder": "acr-tasks"}, {"pod_security": "restricted"}])
def test_there_is_no_build_where_none_is_made_in_the_cluster(more):
    assert list(planned(**more)) == ["job", "endpoint"]


def test_the_images_of_a_build_are_named_as_its_pod_has_them():
    images = images_of(planned(base_image="python:3.11-slim")["build"])

    assert images["base_image"].startswith("docker.io/library/python@sha256:")
    assert images["builder_image"] == "ghcr.io/osscontainertools/kaniko:v1.28.3"


def test_what_settings_say_reaches_every_pod():
    found = planned(
        cpu_limit="1500m", build_cpu="2", node_selector="pool=a", tolerations="x:NoSchedule", spot=True, gpus=1
    )

    for kind, body in found.items():
        pod = spec_of(body)
        assert pod["nodeSelector"]["pool"] == "a"
        assert {"key": "x", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]
        assert pod["automountServiceAccountToken"] is False
        limit = "2" if kind == "build" else "1500m"
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["resources"]["limits"]["cpu"] == limit
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert ("affinity" in pod) is (kind != "endpoint")
        assert ("nvidia.com/gpu" in str(pod["containers"][0]["resources"])) is (kind != "build")


@pytest.mark.parametrize("kind", ["deployment", "inference-service"])
def test_an_endpoint_is_watched_by_three_probes_of_which_none_ends_a_busy_server_soon(kind):
    body = planned(endpoint_kind=kind)["endpoint"]
    [container] = spec_of(body)["containers"]

    probes = {name: container[f"{name}Probe"] for name in ("startup", "readiness", "liveness")}
    assert probes["liveness"]["httpGet"]["path"] == "/v2/health/live"
    assert probes["liveness"]["periodSeconds"] * probes["liveness"]["failureThreshold"] >= 600
    assert probes["startup"]["periodSeconds"] * probes["startup"]["failureThreshold"] == 600
    if kind == "deployment":
        # Waiting for a node is no failure of the endpoint's.
        assert body["spec"]["progressDeadlineSeconds"] > 600 + 1800


def test_the_specification_is_the_one_that_fairing_and_the_builders_make():
    from kubeflow.fairing.preprocessors.base import BasePreProcessor

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.cluster.outputs_pod import WantedOutputs, with_outputs
    from fairing_az_jupyter.fairing.cluster.pod_spec import plain_spec
    from fairing_az_jupyter.fairing.images.layered import LayeredBuilder

    class AtAzure(LayeredBuilder):
        platform = "linux/amd64"

    with Launcher(Settings(**GIVEN)) as launcher:
        files = BasePreProcessor(command=["python", "/app/function_shim.py"])
        builder = AtAzure(launcher, files, "docker.io/library/python:3.11-slim")
        spec = builder.generate_pod_spec("x:1")
        made = with_outputs(plain_spec(spec, (), "team-a"), "fairing-job-1", spec.job_program, WantedOutputs())

    pod = spec_of(planned()["job"])
    [container] = pod["containers"]
    assert pod["volumes"][0]["secret"]["secretName"].endswith("-outputs")
    assert {name: container[name] for name in made["containers"][0]} | {"image": "x:1"} == made["containers"][0]
    assert made["nodeSelector"].items() <= pod["nodeSelector"].items()


def of_notebooks(runs=1, **more):
    settings, target = Settings(**GIVEN, **more), Target("team-a", "default-editor", "acrcreds", "tester")
    wanted = NotebookJob("fairing-job-1", "abs://x/y/batch.json", runs, parallelism=runs)
    spec = {"containers": [{"name": "model", "image": "x:1", "command": ["python"], "workingDir": "/app/"}]}
    return notebook_object(wanted, spec, settings, target, placement_of(settings))["spec"]


@pytest.mark.parametrize(
    ("more", "token"),
    [
        ({}, True),
        ({"credential": "secret"}, True),
        ({"credential": "workload-identity"}, False),
        ({"credential": "workload-identity", "pod_token": True}, True),
    ],
)
def test_a_notebook_has_a_token_where_it_reads_its_credential_by_it_or_asks_for_it(more, token):
    assert of_notebooks(**more)["template"]["spec"]["automountServiceAccountToken"] is token


def test_each_run_of_a_notebooks_job_has_its_own_retries_and_outlives_disruptions():
    one, several = of_notebooks(retries=2), of_notebooks(runs=3, retries=2)

    assert (one["backoffLimit"], several["backoffLimitPerIndex"]) == (2, 2)
    assert "backoffLimit" not in several
    for spec in (one, several):
        assert spec["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["type"] == "DisruptionTarget"
        assert spec["template"]["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"


def test_a_real_api_server_accepts_the_pods_of_notebooks_under_restricted(kubernetes, namespace):
    kubernetes.control_plane.profile(namespace)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    admin = kubernetes.control_plane.admin
    admin.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
    spec = of_notebooks(runs=3, retries=1, pod_security="restricted")["template"]["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "dry"}, "spec": spec}

    query = {"dryRun": "All", "fieldValidation": "Strict"}
    answer = admin.call("POST", f"/api/v1/namespaces/{namespace}/pods", pod, query=query)

    assert answer.status_code == 201, answer.text
