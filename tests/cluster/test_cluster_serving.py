"""Endpoints on the test stand, by real containers: reached from here, and nothing left when they are deleted."""

from __future__ import annotations

import contextlib
import gc
import threading
import time

import pytest
import requests

from fairing_az_jupyter.exceptions import EndpointError, FairingAzureError, InputError, NotAllowedError
from fairing_az_jupyter.fairing.cluster.forwarding import Forward
from fairing_az_jupyter.fairing.cluster.manifests import Placement, labels_of
from fairing_az_jupyter.fairing.endpoints.deployment import ClusterServing
from tests.cluster.serving_scene import SERVER, ask


@pytest.fixture
def place(endpoint_place):
    return endpoint_place


def test_an_endpoint_answers_on_this_machine_as_soon_as_it_is_deployed_and_delete_leaves_nothing(place, capfd):
    deployer, spec = place.serving()

    url = deployer.deploy(spec)

    assert url.startswith("http://127.0.0.1:")
    assert ask(url) == {"pod": place.pods()[0], "path": "/predict"}
    deployer.get_logs()
    assert "serving Model\n" in capfd.readouterr().out
    assert spec.containers[0].command == ["python", "x.py"]

    deployer.delete()
    deployer.delete()

    assert place.left() == []
    with pytest.raises(requests.ConnectionError):
        ask(url)


def test_in_the_cluster_the_services_own_name_is_the_way(place):
    deployer, spec = place.serving(in_cluster=True)

    url = deployer.deploy(spec)

    assert url == f"http://{deployer.name}.{place.namespace}.svc.cluster.local/predict"
    assert ask(url)["path"] == "/predict"


def test_the_way_leads_to_the_pod_that_replaces_a_deleted_one(place):
    deployer, spec = place.serving()
    url = deployer.deploy(spec)
    [before] = place.pods()

    place.admin.delete(f"{place.core}/pods/{before}")

    end, answer = time.monotonic() + 40, {}
    while answer.get("pod") in {None, before}:
        assert time.monotonic() < end
        with contextlib.suppress(requests.RequestException):
            answer = ask(url)
        time.sleep(0.2)
    assert answer["pod"] == place.pods()[0]


def test_deploying_again_replaces_what_the_deployer_has_made(place):
    deployer, spec = place.serving()
    deployer.deploy(spec)
    [before] = place.pods()

    url = deployer.deploy(spec)

    assert ask(url)["pod"] == place.pods()[0] != before
    assert len(place.pods()) == 1


def test_the_way_ends_with_the_deployer(place):
    deployer, spec = place.serving()
    url = deployer.deploy(spec)
    name = deployer.name
    place.deployers.clear()

    del deployer
    gc.collect()

    with pytest.raises(requests.ConnectionError):
        ask(url)
    assert not [thread for thread in threading.enumerate() if thread.name == "endpoint-forward"]
    assert place.launcher.workloads.get("Deployment", name)["status"]["availableReplicas"] == 1
    for kind in ("Deployment", "Service"):
        place.launcher.workloads.delete(kind, name, wait=30)


def test_a_way_of_ones_own_leads_to_an_endpoint_and_ends_when_it_is_closed(place):
    deployer, spec = place.serving()
    url = deployer.deploy(spec)

    way = Forward(place.launcher.workloads, labels_of("endpoint", deployer.name))

    assert way.url != url.removesuffix("/predict")
    assert ask(f"{way.url}/predict")["pod"] == place.pods()[0]
    way.check()
    way.close()
    way.close()
    with pytest.raises(requests.ConnectionError):
        ask(f"{way.url}/predict")


def test_there_is_no_way_to_an_endpoint_without_a_ready_pod(place):
    with pytest.raises(EndpointError, match="The endpoint has no ready pod in namespace") as caught:
        Forward(place.launcher.workloads, labels_of("endpoint", "fairing-endpoint-none"))

    assert (caught.value.code, place.namespace in caught.value.hint) == ("not-ready", True)
    assert not [thread for thread in threading.enumerate() if thread.name == "endpoint-forward"]


def test_a_server_that_ends_at_once_is_told_with_its_last_lines_and_nothing_is_left(place):
    deployer, spec = place.serving("print('loading'); import xgboost")

    with pytest.raises(EndpointError, match="No module named 'xgboost'") as caught:
        deployer.deploy(spec)

    assert (caught.value.code, caught.value.returncode) == ("crash-loop", 1)
    assert "Add the package that has 'xgboost' to requirements.txt" in caught.value.hint
    assert "kubectl" not in caught.value.hint
    assert place.left() == []


def test_an_image_that_is_not_there_is_told_and_nothing_is_left(place):
    deployer, spec = place.serving(image=f"{place.setup.login_server}/team/nothing:1")

    with pytest.raises(EndpointError, match="team/nothing:1") as caught:
        deployer.deploy(spec)

    assert caught.value.code == "image-not-found"
    assert place.left() == []


def test_a_server_that_never_gets_ready_is_told_after_the_time_for_it_with_what_it_printed(place):
    deployer, spec = place.serving("import time; print('loading forever'); time.sleep(600)", ready_timeout=6)

    began = time.monotonic()
    with pytest.raises(EndpointError, match="was not ready within 6 s") as caught:
        deployer.deploy(spec)

    assert time.monotonic() - began < 20

    assert caught.value.last_lines == ("loading forever",)
    assert place.left() == []


def test_a_service_that_is_refused_leaves_no_deployment(place):
    hard = {"spec": {"hard": {"services": "0"}}}
    place.admin.post(f"/api/v1/namespaces/{place.namespace}/resourcequotas", {"metadata": {"name": "team"}, **hard})
    time.sleep(1)
    deployer, spec = place.serving()

    with pytest.raises(NotAllowedError, match="exceeded quota: team"):
        deployer.deploy(spec)

    assert place.left() == []


def test_an_interrupt_while_it_starts_leaves_nothing(place, monkeypatch):
    deployer, spec = place.serving("import time; time.sleep(600)")
    place.launcher.placement = Placement(cpu="64", memory="64Mi")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(place.launcher.workloads, "wait_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deployer.deploy(spec)

    assert place.left() == []


@pytest.mark.parametrize(
    ("ingress", "url"),
    [
        ({"ip": "20.50.1.2"}, "http://20.50.1.2/predict"),
        ({"hostname": "model.northeurope.cloudapp.azure.com"}, "http://model.northeurope.cloudapp.azure.com/predict"),
    ],
)
def test_a_load_balancer_is_said_to_be_public_and_its_address_is_waited_for(place, caplog, ingress, url):
    def give_address():
        while not (services := place.admin.get(f"{place.core}/services")["items"]):
            time.sleep(0.1)
        path = f"{place.core}/services/{services[0]['metadata']['name']}/status"
        time.sleep(3)
        status = {"status": {"loadBalancer": {"ingress": [ingress]}}}
        place.admin.call("PATCH", path, status, kind="application/merge-patch+json")

    deployer, spec = place.serving(service_type="LoadBalancer", address_timeout=40)
    thread = threading.Thread(target=give_address)
    thread.start()

    assert deployer.deploy(spec) == url
    thread.join()
    assert any("public address: anyone who finds it can use it" in message for message in caplog.messages)


def test_a_load_balancer_is_said_to_be_public_before_there_is_one(place, caplog):
    hard = {"spec": {"hard": {"services": "0"}}}
    place.admin.post(f"/api/v1/namespaces/{place.namespace}/resourcequotas", {"metadata": {"name": "team"}, **hard})
    time.sleep(1)
    deployer, spec = place.serving(service_type="LoadBalancer")

    with pytest.raises(NotAllowedError):
        deployer.deploy(spec)

    assert [message for message in caplog.messages if "public address: anyone who finds it can use it" in message]
    assert place.left() == []


def test_an_endpoint_that_is_not_public_is_not_said_to_be(place, caplog):
    deployer, spec = place.serving()

    deployer.deploy(spec)

    assert not [message for message in caplog.messages if "public" in message]


def test_a_load_balancer_without_an_address_is_told_after_the_time_for_it_and_nothing_is_left(place):
    deployer, spec = place.serving(service_type="LoadBalancer", address_timeout=1)

    with pytest.raises(EndpointError, match="not get a public address within 1 s") as caught:
        deployer.deploy(spec)

    assert caught.value.last_lines == ()
    assert caught.value.code == "no-address"
    assert place.left() == []


def test_a_type_of_service_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(InputError, match="LoadBalancer for a public address"):
        ClusterServing(None, "Model", service_type="NodePort")


def test_logs_of_nothing_are_an_error_with_what_to_call_and_deleting_nothing_is_none():
    deployer = ClusterServing(None, "Model")

    deployer.delete()

    with pytest.raises(FairingAzureError, match=r"Call deploy\(\) first"):
        deployer.get_logs()


def test_an_endpoint_that_a_kernel_has_left_behind_is_taken_over_by_the_same_launch(place, caplog):
    first, spec = place.serving()
    first.deploy(spec)
    [pod] = place.pods()
    # As when its kernel is restarted: nothing here knows it any more.
    place.deployers.remove(first)
    name = first.name
    del first
    gc.collect()

    second, _ = place.serving(secret=place.secret)
    url = second.deploy(spec)

    assert (second.name, ask(url)["pod"]) == (name, pod)
    assert any(f"Endpoint {name} serves the same" in message for message in caplog.messages)
    second.delete()
    assert place.left() == []


def test_an_endpoint_that_is_looked_after_is_left_alone(place):
    first, spec = place.serving()
    first.deploy(spec)

    second, _ = place.serving(secret=place.secret)
    second.deploy(spec)

    assert first.name != second.name
    assert len(place.pods()) == 2


def test_of_an_earlier_endpoint_that_serves_something_else_the_user_is_told(place, caplog):
    first, spec = place.serving()
    first.deploy(spec)
    place.deployers.remove(first)
    name = first.name
    del first
    gc.collect()

    second, changed = place.serving(SERVER + "# changed\n")
    second.deploy(changed)

    assert second.name != name
    assert any(f"fairing-azure delete {name}" in message for message in caplog.messages)
    assert len(place.pods()) == 2
