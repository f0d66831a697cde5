"""Objects are made once, whatever happens to the answers."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.workloads import Workloads
from fairing_az_jupyter.exceptions import ConflictError, InputError, NotFoundError, ServiceError, UnreachableError
from tests.clients.cluster_scene import pod_environment, pod_folder, sign_in
from tests.marked import MARK, printed
from tests.stand.api_server import ApiServer, status
from tests.stand.web import HANG, RESET

SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "serve"}, "spec": {"ports": [{"port": 80}]}}


@pytest.fixture
def api(authority):
    with ApiServer(authority) as api:
        yield api


@pytest.fixture
def workloads(api, authority, tmp_path):
    folder = pod_folder(tmp_path / "pod", authority)
    with (
        Cluster.connect(pod_environment(api), folder) as cluster,
        Workloads(cluster, timeout=0.5, deadline=2) as workloads,
    ):
        yield workloads


@pytest.mark.parametrize("fault", [RESET, HANG, status(500, "InternalError", "etcd")])
def test_an_object_whose_answer_was_lost_is_found_and_not_made_twice(api, workloads, fault):
    api.fault(fault, method="POST", after=True)
    assert workloads.create(SERVICE)["metadata"]["name"] == "serve"
    assert len(api.asked("POST")) == 1


@pytest.mark.parametrize(
    "said",
    [
        'failed calling webhook "g.example.com": failed to call webhook: Post "https://g.gate.svc:443/": EOF',
        'failed to call webhook "g.example.com": no endpoints available for service "g"',
        'conversion failed calling webhook "g.example.com": context deadline exceeded',
    ],
)
def test_a_webhook_that_is_silent_for_a_moment_does_not_end_a_launch(api, workloads, said):
    api.fault(status(500, "InternalError", f"Internal error occurred: {said}"), method="POST", times=2)
    assert workloads.create(SERVICE)["metadata"]["name"] == "serve"
    assert len(api.asked("POST")) == 3


def test_a_webhook_that_stays_silent_is_named(api, workloads):
    said = 'Internal error occurred: failed calling webhook "g.example.com": EOF'
    api.fault(status(500, "InternalError", said), method="POST", times=99)

    with pytest.raises(ServiceError, match=r'failed calling webhook "g.example.com"') as caught:
        workloads.create(SERVICE)

    assert caught.value.code == "webhook-unreachable"
    assert "administrator about the webhook g.example.com" in caught.value.hint
    assert len(api.asked("POST")) > 3


def test_a_creation_has_more_time_than_a_call_that_no_webhook_judges(api, workloads):
    api.delay(1000)
    with pytest.raises(UnreachableError, match=r"no answer within"):
        workloads.get("Service", "serve")
    assert workloads.create(SERVICE)["metadata"]["name"] == "serve"
    assert len(api.asked("POST")) == 1


def test_one_of_the_same_name_by_somebody_else_is_not_taken_for_ours(api, workloads):
    api.put("services", "serve")
    api.fault(RESET, method="POST")
    with pytest.raises((ConflictError, UnreachableError)):
        workloads.create(SERVICE)


def test_a_creation_that_certainly_failed_is_told_as_it_failed(api, workloads):
    api.fault(RESET, method="POST", times=9)
    with pytest.raises(UnreachableError) as caught:
        workloads.create(SERVICE)
    assert MARK not in printed(caught.value)
    assert api.get("services", "serve") is None


def test_a_proxys_page_is_told_as_such(api, workloads):
    api.fault(sign_in(), times=9)
    with pytest.raises(UnreachableError, match="web page"):
        workloads.get("Service", "serve")


def test_deleting_what_is_not_there_is_no_error_but_a_missing_namespace_is(api, workloads):
    assert workloads.delete("Service", "serve") is False
    api.fault(status(404, "NotFound", "namespaces not found", kind="namespaces", name="team-a"), method="DELETE")
    with pytest.raises(NotFoundError, match="Namespace 'team-a'"):
        workloads.delete("Service", "serve")


def test_deleting_waits_until_it_is_gone_and_sends_what_was_asked(api, workloads):
    api.put("services", "serve")
    assert workloads.delete("Service", "serve", grace=0, propagation="Background", wait=5)
    (request,) = api.asked("DELETE")
    assert (request.json()["gracePeriodSeconds"], request.json()["propagationPolicy"]) == (0, "Background")
    assert api.get("services", "serve") is None


def test_all_pods_are_never_followed_by_mistake(workloads):
    with pytest.raises(InputError, match="No label"):
        workloads.follow_pods({})
