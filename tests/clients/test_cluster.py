"""What the cluster client reads and writes, against a small API server over TLS."""

from __future__ import annotations

import base64
import json
import logging
import threading

import pytest

from fairing_az_jupyter.clients.cluster import Cluster
from fairing_az_jupyter.clients.hidden import Hidden
from fairing_az_jupyter.clients.kube.facts import Access, node_capacities
from fairing_az_jupyter.exceptions import (
    ConflictError,
    InputError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    UnreachableError,
)
from tests.clients.cluster_servers import (
    MARK,
    TOKEN,
    ApiServer,
    Authority,
    pod_environment,
    pod_folder,
    reset,
    service_account_token,
    serving,
    status,
    written,
)

OPAQUE, DOCKER = "Opaque", "kubernetes.io/dockerconfigjson"


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def api(authority):
    with serving(ApiServer(), authority.certificate()) as api:
        yield api


@pytest.fixture
def cluster(api, authority, tmp_path):
    folder = pod_folder(tmp_path / "pod", authority)
    with Cluster.connect(pod_environment(api), folder, timeout=2, deadline=5) as cluster:
        yield cluster


def test_a_secret_is_read_with_its_values_hidden(api, cluster):
    api.put(
        "secrets",
        "azcreds",
        type=OPAQUE,
        data={"AZ_CLIENT_SECRET": base64_of(f"{MARK}-ü")},
        metadata={
            "annotations": {
                "fairing-az-jupyter/expires": "2027-01-01",
                "kubectl.kubernetes.io/last-applied-configuration": f'{{"data": "{MARK}"}}',
            },
            "labels": {"app.kubernetes.io/managed-by": "fairing-az-jupyter", "team": "a"},
        },
    )

    secret = cluster.read_secret("azcreds")

    assert (secret.name, secret.type) == ("azcreds", OPAQUE)
    assert secret.data["AZ_CLIENT_SECRET"].reveal() == f"{MARK}-ü"
    assert secret.annotations == {"expires": "2027-01-01"}
    assert secret.labels == {"app.kubernetes.io/managed-by": "fairing-az-jupyter"}
    assert secret.created.isoformat() == "2026-11-22T10:00:00+00:00"
    assert secret.resource_version == "1"
    assert MARK not in repr(secret)


def test_bytes_that_are_no_text_survive_a_read_and_a_write(api, cluster):
    binary = base64.b64encode(bytes(range(256))).decode()
    api.put("secrets", "store", type=OPAQUE, data={"key": binary})

    value = cluster.read_secret("store").data["key"]
    assert cluster.apply_secret("store", OPAQUE, {"key": value}, dry_run=False) == "unchanged"
    assert cluster.apply_secret("store", OPAQUE, {"copy": value}, dry_run=False) == "updated"
    assert api.get("secrets", "store")["data"] == {"key": binary, "copy": binary}


def test_a_secret_without_data_has_no_keys(api, cluster):
    api.put("secrets", "empty", type=OPAQUE)
    assert cluster.secret_keys("empty") == ()


def test_a_secret_is_created_then_left_alone_then_updated(api, cluster):
    values = {"B": Hidden("two"), "A": Hidden("one")}

    assert cluster.apply_secret("azcreds", OPAQUE, values, dry_run=False, annotations={"by": "me"}) == "created"
    assert cluster.secret_keys("azcreds") == ("A", "B")
    version = api.version
    assert cluster.apply_secret("azcreds", OPAQUE, values, dry_run=False, annotations={"by": "me"}) == "unchanged"
    assert api.version == version
    assert cluster.apply_secret("azcreds", OPAQUE, {"A": Hidden("three")}, dry_run=False) == "updated"
    stored = api.get("secrets", "azcreds")
    assert stored["data"] == {"A": base64_of("three"), "B": base64_of("two")}
    assert stored["metadata"]["annotations"] == {"fairing-az-jupyter/by": "me"}
    assert stored["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "fairing-az-jupyter"}


def test_an_update_keeps_the_keys_labels_and_annotations_of_others(api, cluster):
    api.put(
        "secrets",
        "azcreds",
        type=OPAQUE,
        data={"THEIRS": "eA=="},
        metadata={"labels": {"team": "a"}, "annotations": {"note": "keep"}},
    )

    cluster.apply_secret("azcreds", OPAQUE, {"A": Hidden("one")}, dry_run=False, annotations={"by": "me"})

    stored = api.get("secrets", "azcreds")
    assert stored["data"] == {"THEIRS": "eA==", "A": base64_of("one")}
    assert stored["metadata"]["labels"] == {"team": "a"}
    assert stored["metadata"]["annotations"] == {"note": "keep", "fairing-az-jupyter/by": "me"}


@pytest.mark.parametrize("existing", [None, OPAQUE, DOCKER])
def test_a_dry_run_says_what_would_be_and_changes_nothing(api, cluster, existing):
    if existing:
        api.put("secrets", "azcreds", type=existing, data={"THEIRS": "eA=="})
    before = json.dumps(list(api.objects.values()))

    outcome = cluster.apply_secret("azcreds", OPAQUE, {"A": Hidden("one")}, dry_run=True, replace=True)

    assert outcome == ("updated" if existing else "created")
    assert json.dumps(list(api.objects.values())) == before


def test_a_secret_of_another_type_is_refused_and_stays(api, cluster):
    api.put("secrets", "acrcreds", type=OPAQUE, data={"x": "eA=="})

    with pytest.raises(ConflictError) as caught:
        cluster.apply_secret("acrcreds", DOCKER, {".dockerconfigjson": Hidden(MARK)}, dry_run=False)

    assert caught.value.code == "secret-fixed"
    assert "'acrcreds' in namespace 'team-a' has the type 'Opaque'" in caught.value.message
    assert "kubectl -n team-a delete secret acrcreds" in caught.value.hint
    assert api.get("secrets", "acrcreds")["type"] == OPAQUE


def test_replacing_brings_along_what_others_have_put_into_it(api, cluster):
    api.put(
        "secrets",
        "acrcreds",
        type=OPAQUE,
        data={"theirs": "eA=="},
        metadata={
            "labels": {"team": "a"},
            "annotations": {"note": "keep", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
    )

    outcome = cluster.apply_secret("acrcreds", DOCKER, {".dockerconfigjson": Hidden("{}")}, dry_run=False, replace=True)

    stored = api.get("secrets", "acrcreds")
    assert (outcome, stored["type"]) == ("updated", DOCKER)
    assert stored["data"] == {"theirs": "eA==", ".dockerconfigjson": base64_of("{}")}
    assert stored["metadata"]["labels"] == {"team": "a", "app.kubernetes.io/managed-by": "fairing-az-jupyter"}
    assert stored["metadata"]["annotations"] == {"note": "keep"}


def test_an_immutable_secret_is_refused_unless_it_holds_the_values_already(api, cluster):
    api.put("secrets", "azcreds", type=OPAQUE, data={"A": base64_of("one")}, immutable=True)

    assert cluster.apply_secret("azcreds", OPAQUE, {"A": Hidden("one")}, dry_run=False) == "unchanged"
    with pytest.raises(ConflictError, match="marked as immutable"):
        cluster.apply_secret("azcreds", OPAQUE, {"A": Hidden("two")}, dry_run=False)


def test_a_replacement_that_the_server_refuses_leaves_the_former_secret(api, cluster):
    api.put("secrets", "acrcreds", type=OPAQUE, data={"x": "eA=="})
    api.fault(status(422, "Invalid", f'Invalid value: "{MARK}"'), method="POST")

    with pytest.raises(ConflictError) as caught:
        cluster.apply_secret("acrcreds", DOCKER, {".dockerconfigjson": Hidden(MARK)}, dry_run=False, replace=True)

    assert MARK not in written(caught.value)
    assert api.get("secrets", "acrcreds")["data"] == {"x": "eA=="}
    assert not api.asked("DELETE")


def test_a_replacement_that_fails_after_the_deletion_puts_the_former_secret_back(api, cluster):
    api.put("secrets", "acrcreds", type=OPAQUE, data={"x": "eA=="}, metadata={"labels": {"team": "a"}})
    quota = status(403, "Forbidden", 'secrets "acrcreds" is forbidden: exceeded quota: few, requested: secrets=1')
    rehearsal = api.answer

    def answer(request):
        deleted = bool(api.asked("DELETE"))
        refused = request["method"] == "POST" and deleted and request["body"]["type"] == DOCKER
        return quota if refused else rehearsal(request)

    api.answer = answer

    with pytest.raises(NotAllowedError) as caught:
        cluster.apply_secret("acrcreds", DOCKER, {".dockerconfigjson": Hidden(MARK)}, dry_run=False, replace=True)

    assert caught.value.code == "not-allowed-by-rule"
    assert "exceeded quota: few" in caught.value.message
    stored = api.get("secrets", "acrcreds")
    assert (stored["type"], stored["data"]) == (OPAQUE, {"x": "eA=="})
    assert stored["metadata"]["labels"] == {"team": "a"}


def test_a_change_of_someone_else_in_between_is_kept(api, cluster):
    api.put("secrets", "azcreds", type=OPAQUE, data={"A": "eA=="})
    rehearsal, meddled = api.answer, []

    def answer(request):
        if request["method"] == "PATCH" and not meddled:
            meddled.append(api.put("secrets", "azcreds", type=OPAQUE, data={"A": "eA==", "THEIRS": "eQ=="}))
        return rehearsal(request)

    api.answer = answer

    assert cluster.apply_secret("azcreds", OPAQUE, {"A": Hidden("one")}, dry_run=False) == "updated"
    assert api.get("secrets", "azcreds")["data"] == {"A": base64_of("one"), "THEIRS": "eQ=="}


def test_endless_conflicts_end_in_an_error(api, cluster):
    api.put("secrets", "azcreds", type=OPAQUE, data={})
    api.fault(status(409, "Conflict", "modified"), times=99, method="PATCH")

    with pytest.raises(ConflictError) as caught:
        cluster.apply_secret("azcreds", OPAQUE, {"A": Hidden("one")}, dry_run=False)

    assert caught.value.code == "conflict"
    assert 2 <= len(api.asked("PATCH")) <= 10


def test_a_creation_whose_answer_is_lost_is_found_done_and_not_sent_twice(api, cluster):
    api.fault(reset, method="POST", after=True)

    assert cluster.apply_secret("azcreds", OPAQUE, {"A": Hidden("one")}, dry_run=False) == "created"
    assert len(api.asked("POST")) == 1


def test_a_creation_that_never_arrived_is_made_after_another_look(api, cluster):
    api.fault(reset, method="POST")

    assert cluster.apply_secret("azcreds", OPAQUE, {"A": Hidden("one")}, dry_run=False) == "created"
    assert api.get("secrets", "azcreds")["data"] == {"A": base64_of("one")}


def test_two_who_create_the_same_secret_at_once_both_succeed(api, cluster):
    outcomes, barrier = [], threading.Barrier(4)

    def apply(number):
        barrier.wait()
        outcomes.append(cluster.apply_secret("azcreds", OPAQUE, {f"K{number}": Hidden("v")}, dry_run=False))

    threads = [threading.Thread(target=apply, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["created", "updated", "updated", "updated"]
    assert sorted(api.get("secrets", "azcreds")["data"]) == ["K0", "K1", "K2", "K3"]


def test_a_pull_secret_is_added_to_the_others_once(api, cluster):
    api.put(
        "serviceaccounts", "default-editor", imagePullSecrets=[{"name": "a"}, {"name": "b"}], secrets=[{"name": "t"}]
    )

    assert cluster.pull_secrets("default-editor") == ("a", "b")
    assert cluster.add_pull_secret("default-editor", "acrcreds", dry_run=True) is True
    assert cluster.pull_secrets("default-editor") == ("a", "b")
    assert cluster.add_pull_secret("default-editor", "acrcreds", dry_run=False) is True
    assert cluster.add_pull_secret("default-editor", "acrcreds", dry_run=False) is False
    assert cluster.pull_secrets("default-editor") == ("a", "b", "acrcreds")
    assert api.get("serviceaccounts", "default-editor")["secrets"] == [{"name": "t"}]


def test_pull_secrets_that_several_add_at_once_all_stay(api, cluster):
    api.put("serviceaccounts", "default-editor")
    names = ["a", "b", "c"]
    threads = [
        threading.Thread(target=cluster.add_pull_secret, args=("default-editor", name), kwargs={"dry_run": False})
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(cluster.pull_secrets("default-editor")) == names


def test_a_service_account_that_is_missing_is_named(cluster):
    with pytest.raises(NotFoundError, match="ServiceAccount 'default-editor' in namespace 'team-a' not found"):
        cluster.add_pull_secret("default-editor", "acrcreds", dry_run=False)


def test_what_one_may_do_is_asked_in_the_namespace_or_for_the_whole_cluster(api, cluster):
    api.allowed = {("create", "jobs", "team-a"), ("list", "nodes", "")}

    assert cluster.can("create", "jobs", group="batch")
    assert not cluster.can("list", "nodes")
    assert cluster.can("list", "nodes", namespace="")
    sent = api.asked("POST", "selfsubjectaccessreviews")[0]["body"]["spec"]["resourceAttributes"]
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
    ("labels", "injected"),
    [
        ({"istio-injection": "enabled"}, True),
        ({"istio-injection": "disabled", "istio.io/rev": "stable"}, False),
        ({"istio.io/rev": "stable"}, True),
        ({"team": "a"}, False),
        (None, False),
    ],
)
def test_istio_is_read_from_the_namespaces_labels(api, cluster, labels, injected):
    api.put("namespaces", "team-a", namespace="", metadata={"labels": labels})
    assert cluster.istio_injection() is injected


def test_a_namespace_that_may_not_be_read_says_nothing_about_istio(api, cluster):
    api.fault(status(403, "Forbidden", 'namespaces "b" is forbidden: User "x" cannot get resource "namespaces"'))
    assert cluster.istio_injection("team-b") is None


def test_quotas_are_listed_with_their_use(api, cluster):
    assert cluster.resource_quota() == ()
    api.lists["resourcequotas"] = [
        {"metadata": {"name": "q"}, "status": {"hard": {"requests.cpu": "4"}, "used": {"requests.cpu": "3500m"}}}
    ]
    (quota,) = cluster.resource_quota("team-b")
    assert (quota.name, quota.hard, quota.used) == ("q", {"requests.cpu": "4"}, {"requests.cpu": "3500m"})


def node(name, **spec):
    allocatable = {"cpu": "3860m", "memory": "12Gi", "pods": "110", "nvidia.com/gpu": "1"}
    conditions = [{"type": "Ready", "status": "True"}]
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": allocatable, "conditions": conditions}}


def pod(on, *requests, phase="Running", init=(), overhead=None):
    def container(amounts):
        policy = {"restartPolicy": amounts.pop("restart")} if "restart" in amounts else {}
        return {"resources": {"requests": amounts}, **policy}

    spec = {
        "nodeName": on,
        "containers": [container(dict(one)) for one in requests],
        "initContainers": [container(dict(one)) for one in init],
        "overhead": overhead,
    }
    return {"spec": spec, "status": {"phase": phase}}


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
    api.fault(status(403, "Forbidden", 'pods is forbidden: User "x" cannot list resource "pods"'), part="/pods")

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


def test_a_namespace_that_is_none_is_refused(authority, tmp_path):
    folder = pod_folder(tmp_path / "pod", authority)
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    with pytest.raises(InputError, match="namespace"):
        Cluster.connect(environ, folder, namespace="../kube-system")


def test_no_secret_is_written_to_any_log(api, cluster, caplog):
    caplog.set_level(logging.DEBUG)
    cluster.apply_secret("azcreds", OPAQUE, {"A": Hidden(MARK)}, dry_run=False)
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
    script = (
        "import sys, fairing_az_jupyter.clients.cluster; print({'kubernetes', 'yaml', 'urllib3'} & set(sys.modules))"
    )
    assert run_python(script).stdout.strip() == "set()"


def test_a_reset_on_the_way_is_tried_again(api, cluster):
    api.fault(reset, times=2)
    assert cluster.server_version() == "v1.34.4"


def test_a_server_that_has_gone_is_unreachable(authority, tmp_path):
    with serving(ApiServer(), authority.certificate()) as api:
        environ = pod_environment(api)
    with Cluster.connect(environ, pod_folder(tmp_path / "pod", authority)) as cluster:
        with pytest.raises(UnreachableError) as caught:
            cluster.server_version()
        assert caught.value.code == "unreachable-refused"
        assert api.address in caught.value.message
