"""Endpoints by KServe's InferenceService, on the test stand: real API server, containers and KServe controller."""

from __future__ import annotations

import contextlib
import json
import os
import time

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.exceptions import EndpointError, FairingAzureError, InputError, NotAllowedError, NotFoundError
from fairing_az_jupyter.fairing.cluster.kserve_status import url_in_cluster, what_kserve_says
from fairing_az_jupyter.fairing.cluster.manifests import Placement, Target, finished_pod, inference_service
from fairing_az_jupyter.fairing.endpoints import inference_service as kserve_serving
from fairing_az_jupyter.fairing.endpoints.inference_service import KServeServing
from tests.cluster.serving_scene import Place, ask
from tests.cluster.workloads_scene import cuts_connections
from tests.stand.web import Answer

# What is followed ends here as soon as it is begun: KServe mostly agrees at once that it is ready.
pytestmark = cuts_connections

CRASHES = "print('loading'); import xgboost"
INSTEAD = "set FAIRING_ENDPOINT_KIND = 'deployment'"
OUR_IMAGE = {"containers": [{"name": "model", "image": "contoso.azurecr.io/fairing-job:1"}]}


@pytest.fixture
def place(node, stand, namespace):
    setup = stand.correct_setup(namespace)
    found = Place(stand, setup, node.push_base(setup.login_server, setup.dockerconfig), KServeServing)
    with (
        found.launcher,
        Cluster.connect({**os.environ, **setup.environment}, setup.service_account) as found.launcher.cluster,
    ):
        yield found
        for deployer in found.deployers:
            with contextlib.suppress(FairingAzureError):
                deployer.delete()


def inference_services(place):
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{place.namespace}/inferenceservices"
    return place.admin.get(path)["items"]


def says(place, found, **condition):
    """Let an InferenceService say something, in place of a controller that is paused."""
    meta = found["metadata"]
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{meta['namespace']}/inferenceservices/{meta['name']}/status"
    ready = {"type": "Ready", "status": "False"}
    body = {"status": {"conditions": [condition, ready]}}
    place.admin.patch(path, body, "application/merge-patch+json")


def pods(place):
    return place.admin.get(f"{place.core}/pods")["items"]


def test_an_inference_service_answers_on_this_machine_and_delete_leaves_nothing(kserve, place, capfd):
    deployer, spec = place.serving()

    url = deployer.deploy(spec)

    assert url.startswith("http://127.0.0.1:")
    assert ask(url) == {"pod": place.pods()[0], "path": "/predict"}
    assert [one["metadata"]["name"] for one in inference_services(place)] == [deployer.name]
    deployer.get_logs()
    assert "serving Model\n" in capfd.readouterr().out
    assert spec.containers[0].name == "model"

    deployer.delete()
    deployer.delete()

    assert place.nothing_left()


def test_in_the_cluster_the_service_that_kserve_makes_is_the_way(kserve, place):
    deployer, spec = place.serving(in_cluster=True)

    url = deployer.deploy(spec)

    assert url == f"http://{deployer.name}-predictor.{place.namespace}.svc.cluster.local/predict"
    assert ask(url)["path"] == "/predict"


def test_the_pod_is_the_users_own_and_opts_out_of_istio_and_of_kserves_ingress(kserve, place):
    deployer, spec = place.serving()

    deployer.deploy(spec)

    [pod], [made] = pods(place), inference_services(place)
    assert pod["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"
    assert pod["spec"]["serviceAccountName"] == "default-editor"
    assert {"name": "acrcreds"} in pod["spec"]["imagePullSecrets"]
    [container] = pod["spec"]["containers"]
    assert (container["name"], container["ports"][0]["containerPort"]) == ("kserve-container", 8080)
    limits = {"cpu": "1", "memory": "64Mi"}
    assert container["resources"] == {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": limits}
    assert made["spec"]["predictor"]["minReplicas"] == 1
    assert made["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "RawDeployment"
    labels = made["metadata"]["labels"]
    assert labels["networking.kserve.io/visibility"] == "cluster-local"
    assert (labels["fairing-az-jupyter/kind"], labels["fairing-az-jupyter/launch"]) == ("endpoint", deployer.name)
    assert labels["fairing-az-jupyter/owner"] == "tester"


def test_deploying_again_replaces_what_the_deployer_has_made(kserve, place):
    deployer, spec = place.serving()
    deployer.deploy(spec)
    [before] = place.pods()

    url = deployer.deploy(spec)

    assert ask(url)["pod"] == place.pods()[0] != before
    assert len(inference_services(place)) == len(place.pods()) == 1


def test_a_server_that_ends_at_once_is_told_with_its_last_lines_and_nothing_is_left(kserve, place):
    deployer, spec = place.serving(CRASHES)

    with pytest.raises(EndpointError, match="No module named 'xgboost'") as caught:
        deployer.deploy(spec)

    assert (caught.value.code, caught.value.returncode) == ("crash-loop", 1)
    assert "Add the package that has 'xgboost' to requirements.txt" in caught.value.hint
    assert place.nothing_left()


def test_a_quota_that_lets_no_pod_in_is_told_at_once_and_nothing_is_left(kserve, place):
    hard = {"spec": {"hard": {"pods": "0"}}}
    place.admin.post(f"{place.core}/resourcequotas", {"metadata": {"name": "team"}, **hard})
    time.sleep(1)
    deployer, spec = place.serving()

    began = time.monotonic()
    with pytest.raises(EndpointError, match="exceeded quota: team") as caught:
        deployer.deploy(spec)

    assert time.monotonic() - began < 30
    assert caught.value.code == "quota"
    assert place.nothing_left()


def test_what_keeps_kserve_from_making_a_deployment_is_told_in_its_words_and_nothing_is_left(kserve, place):
    hard = {"spec": {"hard": {"count/deployments.apps": "0"}}}
    place.admin.post(f"{place.core}/resourcequotas", {"metadata": {"name": "team"}, **hard})
    time.sleep(1)
    deployer, spec = place.serving(ready_timeout=5)

    with pytest.raises(EndpointError, match=r"KServe reports: .*exceeded quota: team") as caught:
        deployer.deploy(spec)

    assert caught.value.code == "kserve-failed"
    assert INSTEAD in caught.value.hint
    assert place.nothing_left()


def test_what_kserve_says_of_a_deployment_that_it_did_not_make_is_told(place, kserve, monkeypatch):
    kserve.pause()
    original = place.launcher.workloads.list

    def told(kind, labels):
        for found in inference_services(place):
            says(place, found, type="PredictorReady", status="False", reason="R", message="no quota left")
        return original(kind, labels)

    monkeypatch.setattr(place.launcher.workloads, "list", told)
    deployer, spec = place.serving(ready_timeout=3)

    with pytest.raises(EndpointError, match="KServe reports: PredictorReady: no quota left") as caught:
        deployer.deploy(spec)

    assert caught.value.code == "kserve-failed"
    assert place.nothing_left()


def test_a_controller_that_does_not_run_is_told_long_before_the_time_for_starting_is_up(kserve, place, monkeypatch):
    monkeypatch.setattr(kserve_serving, "_TAKEN_UP_SECONDS", 3)
    kserve.pause()
    deployer, spec = place.serving()

    began = time.monotonic()
    with pytest.raises(EndpointError, match="not processed by KServe within 3 s") as caught:
        deployer.deploy(spec)

    assert time.monotonic() - began < 20
    assert caught.value.code == "kserve-silent"
    assert INSTEAD in caught.value.hint
    assert place.nothing_left()


def test_an_inference_service_whose_ingress_fails_is_told_with_what_kserve_says(kserve, place, monkeypatch):
    monkeypatch.setattr(kserve_serving, "_AGREED_SECONDS", 3)
    original = place.launcher.workloads.wait_ready

    def then_no_gateway(kind, name, **more):
        original(kind, name, **more)
        if kind == "Deployment":
            kserve.pause()
            [found] = inference_services(place)
            says(place, found, type="IngressReady", status="False", message="no gateway")

    monkeypatch.setattr(place.launcher.workloads, "wait_ready", then_no_gateway)
    deployer, spec = place.serving()

    with pytest.raises(
        EndpointError, match="Its pods are ready, but KServe reports: IngressReady: no gateway"
    ) as caught:
        deployer.deploy(spec)

    kserve.resume()
    assert caught.value.code == "not-ready"
    deployer.delete()
    assert place.nothing_left()


def test_connections_that_drop_while_it_starts_are_made_again(kserve, place, stand):
    for path in ("deployments", "inferenceservices"):
        stand.kubernetes_front.drop(path=path, method="GET", times=2)
    deployer, spec = place.serving()

    assert ask(deployer.deploy(spec))["path"] == "/predict"
    deployer.delete()
    assert place.nothing_left()


def test_an_interrupt_while_it_starts_leaves_nothing(kserve, place, monkeypatch):
    deployer, spec = place.serving("import time; time.sleep(600)")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(place.launcher.workloads, "wait_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deployer.deploy(spec)

    assert place.nothing_left()


@pytest.mark.parametrize("status", [403, 404])
def test_a_cluster_without_kserve_is_told_with_the_setting_that_needs_none(place, stand, caplog, status):
    if status == 403:
        # RBAC is asked first, and no role speaks of what is not installed.
        words = 'inferenceservices.serving.kserve.io is forbidden: User "u" cannot create resource "inferenceservices"'
        stand.kubernetes_front.refuse(403, message=words, path="serving.kserve.io")
        groups = json.dumps({"kind": "APIGroupList", "groups": [{"name": "apps"}]}).encode()
        json_type = (("Content-Type", "application/json"),)
        stand.kubernetes_front.answer(Answer(200, groups, json_type), path=r"/apis(\?.*)?$", method="GET")
    else:
        stand.kubernetes_front.answer(Answer(404, b"404 page not found\n"), path="serving.kserve.io")
    deployer, spec = place.serving()

    with pytest.raises(NotFoundError, match="KServe is not installed in the cluster") as caught:
        deployer.deploy(spec)

    assert (caught.value.code, place.namespace in caught.value.message) == ("no-kserve", True)
    assert INSTEAD in caught.value.hint
    assert not [message for message in caplog.messages if "may still exist" in message]
    assert deployer.name == ""
    assert place.nothing_left()


def test_who_may_not_make_inference_services_is_not_told_that_there_is_no_kserve(place, stand):
    words = 'inferenceservices.serving.kserve.io is forbidden: User "u" cannot create resource "inferenceservices"'
    stand.kubernetes_front.refuse(403, message=words, path="serving.kserve.io", method="POST")
    deployer, spec = place.serving()

    with pytest.raises(NotAllowedError, match="verb 'create' on 'inferenceservices'"):
        deployer.deploy(spec)

    assert place.nothing_left()


def test_a_public_address_is_refused_with_what_has_one():
    with pytest.raises(InputError, match="KServe creates its Service") as caught:
        KServeServing(None, "Model", service_type="LoadBalancer")

    assert INSTEAD in caught.value.hint


def test_a_type_of_service_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(InputError, match="LoadBalancer for a public address"):
        KServeServing(None, "Model", service_type="NodePort")


def test_logs_of_nothing_are_an_error_with_what_to_call_and_deleting_nothing_is_none():
    deployer = KServeServing(None, "Model")

    deployer.delete()

    with pytest.raises(FairingAzureError, match=r"Call deploy\(\) first"):
        deployer.get_logs()


def test_only_the_first_container_is_the_one_that_serves_and_the_users_specification_stays():
    spec = {"containers": [*OUR_IMAGE["containers"], {"name": "proxy", "image": "p"}], "volumes": [{"name": "v"}]}
    target = Target("team-a", "default-editor", "acrcreds", "ann")
    accepted = {"key": "pool", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}
    pod = finished_pod(spec, target, Placement(gpus=1, tolerations=[accepted]), ends=False)

    made = inference_service("ames", pod, target, labels={"team": "a"}, annotations={"why": "asked for"})

    predictor = made["spec"]["predictor"]
    assert [container["name"] for container in predictor["containers"]] == ["kserve-container", "proxy"]
    assert [container["name"] for container in pod["containers"]] == ["model", "proxy"]
    assert predictor["volumes"][0] == {"name": "v"}
    assert accepted in predictor["tolerations"]
    assert predictor["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert (made["metadata"]["labels"]["team"], made["metadata"]["annotations"]["why"]) == ("a", "asked for")


def a_service(name="ames-predictor", component="predictor", **spec):
    metadata = {"name": name, "namespace": "team-a", "labels": {"component": component}}
    return {"metadata": metadata, "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80}], **spec}}


@pytest.mark.parametrize(
    ("services", "url"),
    [
        ([a_service()], "http://ames-predictor.team-a.svc.cluster.local"),
        ([a_service(clusterIP="None")], "http://ames-predictor.team-a.svc.cluster.local:8080"),
        ([a_service(ports=[{"port": 8081}])], "http://ames-predictor.team-a.svc.cluster.local:8081"),
        ([a_service("ames", type="ExternalName"), a_service("p")], "http://p.team-a.svc.cluster.local"),
        ([a_service("ames-transformer", "transformer")], "http://told.by.kserve"),
        ([], "http://told.by.kserve"),
    ],
)
def test_the_url_in_the_cluster_is_the_predictors_service_and_else_what_kserve_tells(services, url):
    found = {"status": {"address": {"url": "http://told.by.kserve/"}}}

    assert url_in_cluster(found, services) == url


@pytest.mark.parametrize("found", [{}, {"status": None}, {"status": {"address": None}}])
def test_an_inference_service_without_any_address_has_no_url(found):
    assert url_in_cluster(found, []) == ""


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (None, ""),
        ([{"type": "PredictorReady", "status": "Unknown"}], ""),
        ([{"type": "Ready", "status": "True", "message": "fine"}], ""),
        ([{"type": "Ready", "status": "False", "reason": "Stopped"}], "Ready: Stopped"),
        (
            [
                {"type": "Ready", "status": "False", "message": "no pods"},
                {"type": "PredictorReady", "status": "False", "reason": "R", "message": "no  pods."},
                {"type": "IngressReady", "status": "False", "reason": "NoGateway"},
            ],
            "PredictorReady: no pods; IngressReady: NoGateway",
        ),
    ],
)
def test_what_kserve_says_is_what_is_wrong_and_each_thing_once(conditions, said):
    assert what_kserve_says({"status": {"conditions": conditions}}) == said


def test_what_kserve_says_has_no_value_of_an_environment_variable():
    container = {"name": "kserve-container", "env": [{"name": "TOKEN", "value": "MARK-secret-value"}]}
    condition = {"type": "PredictorReady", "status": "False", "message": 'Invalid value: "MARK-secret-value"'}
    found = {"spec": {"predictor": {"containers": [container]}}, "status": {"conditions": [condition]}}

    assert "MARK" not in what_kserve_says(found)


def test_an_endpoint_that_asks_for_more_cores_than_kserves_own_limit_serves(kserve, place):
    place.launcher.placement = Placement(cpu="1200m", memory="64Mi")
    deployer, spec = place.serving(in_cluster=True)

    deployer.deploy(spec)

    [pod] = place.launcher.workloads.list("Pod", {"serving.kserve.io/inferenceservice": deployer.name})
    resources = pod["spec"]["containers"][0]["resources"]
    assert (resources["requests"]["cpu"], resources["limits"]["cpu"]) == ("1200m", "1200m")
    assert pod["spec"]["automountServiceAccountToken"] is False
    deployer.delete()
