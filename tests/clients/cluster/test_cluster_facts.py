"""What the cluster client reads and writes, against a small API server over TLS."""

from __future__ import annotations

import logging
import threading

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.objects.facts import Access, node_capacities
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    InputError,
    ServiceError,
    UnreachableError,
)
from tests.clients.cluster_access_scene import PlainAuthority
from tests.clients.cluster_scene import OPAQUE, base64_of, node, pod, pod_environment, pod_folder, service_account_token
from tests.marked import MARK
from tests.stand.api_server import TOKEN, ApiServer, status
from tests.stand.web import RESET


def test_what_one_may_do_is_asked_in_the_namespace_or_for_the_whole_cluster(api, cluster):
    api.allowed = {("create", "jobs", "team-a"), ("list", "nodes", "")}

    assert cluster.can("create", "jobs", group="batch")
    assert not cluster.can("list", "nodes")
    assert cluster.can("list", "nodes", namespace="")
    sent = api.asked("POST", "selfsubjectaccessreviews")[0].json()["spec"]["resourceAttributes"]
    assert sent == {
        "namespace": "team-a",
        "verb": "create",
        "group": "batch",
        "resource": "jobs",
        "subresource": "",
        "name": "",
    }


def test_many_questions_are_answered_in_their_order(api, cluster):
    api.allowed = {("get", f"r{number}", "team-a") for number in range(0, 40, 2)}
    questions = [Access("get", f"r{number}") for number in range(40)]

    answers = cluster.can_all([*questions, questions[0]])

    assert list(answers) == questions
    assert [answers[question] for question in questions] == [number % 2 == 0 for number in range(40)]


def test_a_question_that_fails_is_no_no(api, cluster):
    api.fault(status(500, "InternalError", "etcd is away"), times=99)
    with pytest.raises(ServiceError, match="etcd is away"):
        cluster.can_all([Access("get", "pods"), Access("get", "jobs")])


def test_facts_about_the_cluster(api, cluster):
    assert cluster.server_version() == "v1.34.4"
    assert cluster.api_groups() == {"apps", "batch"}
    assert cluster.has_kserve() is False
    api.groups.append("serving.kserve.io")
    assert cluster.has_kserve() is True


@pytest.mark.parametrize(
    ("labels", "mesh"),
    [
        ({"istio-injection": "enabled"}, "sidecar"),
        ({"istio-injection": "disabled", "istio.io/rev": "stable"}, ""),
        ({"istio.io/rev": "stable"}, "sidecar"),
        ({"team": "a"}, ""),
        (None, ""),
    ],
)
def test_istio_is_read_from_the_namespaces_labels(api, cluster, labels, mesh):
    api.put("namespaces", "team-a", namespace="", metadata={"labels": labels})
    assert cluster.mesh() == mesh


@pytest.mark.parametrize(
    ("labels", "mesh"),
    [
        ({"istio.io/dataplane-mode": "ambient"}, "ambient"),
        ({"istio.io/dataplane-mode": "ambient", "istio-injection": "enabled"}, "sidecar"),
        ({"istio.io/dataplane-mode": "none"}, ""),
        ({}, ""),
    ],
)
def test_the_ambient_mesh_is_told_from_proxies_in_the_pods(api, cluster, labels, mesh):
    api.put("namespaces", "team-a", namespace="", metadata={"labels": labels})
    assert cluster.mesh() == mesh


def test_a_namespace_that_may_not_be_read_says_nothing_about_istio(api, cluster):
    api.fault(status(403, "Forbidden", 'namespaces "b" is forbidden: User "x" cannot get resource "namespaces"'))
    assert cluster.mesh("team-b") is None


def test_quotas_are_listed_with_their_use(api, cluster):
    assert cluster.resource_quota() == ()
    api.lists["resourcequotas"] = [
        {"metadata": {"name": "q"}, "status": {"hard": {"requests.cpu": "4"}, "used": {"requests.cpu": "3500m"}}}
    ]
    (quota,) = cluster.resource_quota("team-b")
    assert (quota.name, quota.hard, quota.used) == ("q", {"requests.cpu": "4"}, {"requests.cpu": "3500m"})


def test_free_capacity_is_what_running_pods_leave(api, cluster):
    api.lists["nodes"] = [node("n2", unschedulable=True), node("n1")]
    api.lists["pods"] = [pod("n1", {"cpu": "1m"}) for _ in range(600)]
    api.lists["pods"] += [pod("n1", {"memory": "4Gi", "nvidia.com/gpu": "1"}), pod("n1", {"cpu": "9"}, phase="Failed")]

    first, second = cluster.nodes()

    assert (first.name, first.ready, first.schedulable) == ("n1", True, True)
    assert (first.allocatable.cpu, first.allocatable.gpus) == (3.86, 1)
    assert (first.free.cpu, first.free.memory, first.free.gpus) == (3.26, 8 * 2**30, 0)
    assert (second.name, second.schedulable, second.free.cpu) == ("n2", False, 3.86)


@pytest.mark.parametrize(
    ("asked", "free"),
    [
        (pod("n", {"cpu": "1"}, {"cpu": "500m"}), 2.36),
        (pod("n", {"cpu": "1"}, init=[{"cpu": "3"}, {"cpu": "2"}]), 0.86),
        (pod("n", {"cpu": "1"}, init=[{"cpu": "1", "restart": "Always"}, {"cpu": "2"}]), 0.86),
        (pod("n", {"cpu": "1"}, init=[{"cpu": "2"}, {"cpu": "1", "restart": "Always"}]), 1.86),
        (pod("n", {"cpu": "1"}, overhead={"cpu": "250m"}), 2.61),
        (pod("n", {"cpu": "nonsense"}), 3.86),
        (pod("other", {"cpu": "1"}), 3.86),
        ({"spec": {"containers": [{}]}, "status": {}}, 3.86),
    ],
)
def test_requests_of_a_pod_are_counted_as_the_scheduler_does(asked, free):
    assert node_capacities([node("n")], [asked])[0].free.cpu == free


def test_without_the_right_to_read_pods_nothing_is_said_about_free_capacity(api, cluster):
    api.lists["nodes"] = [node("n1")]
    api.fault(status(403, "Forbidden", 'pods is forbidden: User "x" cannot list resource "pods"'), path="/pods")

    assert cluster.nodes()[0].free is None


def test_a_tainted_node_is_not_for_ordinary_pods():
    found = node_capacities([node("n", taints=[{"key": "gpu", "effect": "NoSchedule"}])], None)
    assert not found[0].schedulable


def test_the_service_account_is_read_from_the_token(api, authority, tmp_path):
    token = service_account_token()
    api.tokens = {token}
    folder = pod_folder(tmp_path / "pod", authority, token=token)
    with Cluster.connect(pod_environment(api), folder) as cluster:
        assert cluster.service_account == "default-editor"
        assert cluster.user == "system:serviceaccount:team-a:default-editor"
    assert api.requests == []


def test_a_user_who_is_no_service_account_is_asked_for(api, cluster):
    assert (cluster.user, cluster.service_account) == ("ada@example.com", "")
    assert len(api.requests) == 1


def test_an_old_cluster_does_not_know_the_user(api, cluster):
    api.fault((404, {"Content-Type": "text/plain"}, b"404 page not found\n"))
    assert (cluster.user, cluster.service_account) == ("", "")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../secrets", "a?b", "A", "a b", "a..b", "-a", "a" * 254, "a\n"]
)
def test_a_name_that_would_lead_elsewhere_is_refused(api, cluster, name):
    for call in (
        lambda: cluster.read_secret(name),
        lambda: cluster.apply_secret(name, OPAQUE, {}, dry_run=False),
        lambda: cluster.pull_secrets(name),
        lambda: cluster.add_pull_secret("default-editor", name, dry_run=False),
    ):
        with pytest.raises(InputError):
            call()
    assert api.requests == []


def test_a_namespace_that_is_none_is_refused(tmp_path):
    folder = pod_folder(tmp_path / "pod", PlainAuthority(tmp_path))
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    with pytest.raises(InputError, match="namespace"):
        Cluster.connect(environ, folder, namespace="../kube-system")


def test_no_secret_is_written_to_any_log(api, cluster, caplog):
    caplog.set_level(logging.DEBUG)
    cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue(MARK)}, dry_run=False)
    cluster.read_secret("azcreds")

    assert MARK not in caplog.text
    assert base64_of(MARK) not in caplog.text
    assert TOKEN not in caplog.text


def test_one_client_serves_several_threads_and_leaves_nothing_open(api, cluster):
    api.put("secrets", "azcreds", type=OPAQUE, data={"A": "eA=="})
    results = []
    threads = [threading.Thread(target=lambda: results.append(cluster.secret_keys("azcreds"))) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [("A",)] * 24


def test_connecting_changes_no_settings_of_other_code(api, authority, tmp_path):
    from kubernetes import client

    logger = logging.getLogger("urllib3")
    logger.setLevel(logging.INFO)
    try:
        with Cluster.connect(pod_environment(api), pod_folder(tmp_path / "pod", authority)) as cluster:
            cluster.server_version()
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(logging.NOTSET)
    assert client.Configuration.get_default_copy().host == "http://localhost"


def test_a_closed_client_can_still_be_asked(cluster):
    cluster.close()
    assert cluster.server_version() == "v1.34.4"


def test_importing_the_client_loads_no_heavy_package(run_python):
    asks = "print({'kubernetes', 'yaml', 'urllib3'} & set(sys.modules))"
    script = f"import sys, fairing_az_jupyter.clients.kube.cluster; {asks}"
    assert run_python(script).stdout.strip() == "set()"


def test_a_reset_on_the_way_is_tried_again(api, cluster):
    api.fault(RESET, times=2)
    assert cluster.server_version() == "v1.34.4"


def test_a_server_that_has_gone_is_unreachable(authority, tmp_path):
    with ApiServer(authority) as api:
        environ = pod_environment(api)
    with Cluster.connect(environ, pod_folder(tmp_path / "pod", authority)) as cluster:
        with pytest.raises(UnreachableError) as caught:
            cluster.server_version()
        assert caught.value.code == "unreachable-refused"
        assert api.host in caught.value.message


@pytest.mark.parametrize(
    ("amounts", "gpus"),
    [
        ({"nvidia.com/gpu": "2"}, 2),
        ({"amd.com/gpu": "2"}, 0),
        ({"nvidia.com/gpu": "1", "amd.com/gpu": "4", "nvidia.com/mig-1g.5gb": "7"}, 1),
    ],
)
def test_only_graphics_processors_that_launches_ask_for_are_counted(amounts, gpus):
    found = node_capacities([{"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "4", **amounts}}}], [])

    assert (found[0].allocatable.gpus, found[0].free.gpus) == (gpus, gpus)
