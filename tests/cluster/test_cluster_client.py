"""The cluster client against a real API server, as Kubeflow's own service accounts."""

from __future__ import annotations

import base64
import threading

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.objects.facts import Access
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import ConflictError, CredentialError, NotAllowedError, NotFoundError

OPAQUE, DOCKER = "Opaque", "kubernetes.io/dockerconfigjson"
MARK = "MARKED-secret"
DOCKER_CONFIG = SecretValue(
    f'{{"auths": {{"team.azurecr.io": {{"auth": "{base64.b64encode(MARK.encode()).decode()}"}}}}}}'
)


@pytest.fixture
def control_plane(kubernetes):
    return kubernetes.control_plane


@pytest.fixture
def connect(control_plane, namespace, tmp_path):
    """Return a function that connects as a pod with this token would."""
    opened = []

    def connect(token):
        folder = tmp_path / f"pod-{len(opened)}"
        environ = control_plane.in_cluster(folder, token, namespace)
        opened.append(Cluster.connect(environ, folder))
        return opened[-1]

    yield connect
    for cluster in opened:
        cluster.close()


@pytest.fixture
def editor(control_plane, namespace, connect):
    return connect(control_plane.profile(namespace, "kubeflow-edit").editor)


@pytest.fixture
def stored(control_plane, namespace):
    """Return a function that reads an object as the administrator."""
    return lambda kind, name: control_plane.admin.get(f"/api/v1/namespaces/{namespace}/{kind}/{name}")


def test_a_pod_knows_where_it_is_and_as_whom(editor, namespace):
    assert (editor.namespace, editor.in_cluster) == (namespace, True)
    assert editor.service_account == "default-editor"
    assert editor.server_version().startswith("v1.")


def test_a_kubeconfig_leads_to_the_same_cluster(control_plane, namespace, tmp_path):
    token = control_plane.profile(namespace).editor
    path = control_plane.kubeconfig(token, namespace, path=tmp_path / "config")
    with Cluster.connect({"KUBECONFIG": str(path)}, tmp_path / "none") as cluster:
        assert (cluster.namespace, cluster.in_cluster) == (namespace, False)
        assert cluster.service_account == "default-editor"


def test_a_user_without_a_readable_token_is_told_by_the_server(control_plane, namespace, tmp_path):
    path = control_plane.kubeconfig(control_plane._admin_token, namespace, path=tmp_path / "config")  # noqa: SLF001
    with Cluster.connect({}, tmp_path / "none", path) as cluster:
        assert (cluster.user, cluster.service_account) == ("admin", "")


def test_a_secret_is_tried_made_changed_and_read(editor, stored):
    values = {"AZ_CLIENT_ID": SecretValue("id"), "AZ_CLIENT_SECRET": SecretValue(MARK)}

    assert editor.apply_secret("azcreds", OPAQUE, values, dry_run=True) == "created"
    with pytest.raises(NotFoundError):
        editor.read_secret("azcreds")
    assert editor.apply_secret("azcreds", OPAQUE, values, dry_run=False, annotations={"expires": "2027"}) == "created"
    assert editor.apply_secret("azcreds", OPAQUE, values, dry_run=False, annotations={"expires": "2027"}) == "unchanged"
    assert editor.apply_secret("azcreds", OPAQUE, {"AZ_CLIENT_ID": SecretValue("new")}, dry_run=True) == "updated"
    assert editor.read_secret("azcreds").data["AZ_CLIENT_ID"].reveal() == "id"
    assert editor.apply_secret("azcreds", OPAQUE, {"AZ_CLIENT_ID": SecretValue("new")}, dry_run=False) == "updated"

    secret = editor.read_secret("azcreds")
    assert {key: value.reveal() for key, value in secret.data.items()} == {
        "AZ_CLIENT_ID": "new",
        "AZ_CLIENT_SECRET": MARK,
    }
    assert secret.annotations == {"expires": "2027"}
    assert stored("secrets", "azcreds")["metadata"]["resourceVersion"] == secret.resource_version


def test_a_dry_run_of_a_replacement_deletes_nothing(editor, stored):
    editor.apply_secret("acrcreds", OPAQUE, {"theirs": SecretValue("x")}, dry_run=False)
    before = stored("secrets", "acrcreds")

    values = {".dockerconfigjson": DOCKER_CONFIG}
    assert editor.apply_secret("acrcreds", DOCKER, values, dry_run=True, replace=True) == "updated"

    assert stored("secrets", "acrcreds") == before


def test_a_replacement_keeps_what_others_have_put_into_it(editor, stored):
    editor.apply_secret("acrcreds", OPAQUE, {"theirs": SecretValue("x")}, dry_run=False)
    values = {".dockerconfigjson": DOCKER_CONFIG}

    with pytest.raises(ConflictError, match="has the type 'Opaque'"):
        editor.apply_secret("acrcreds", DOCKER, values, dry_run=False)
    assert editor.apply_secret("acrcreds", DOCKER, values, dry_run=False, replace=True) == "updated"

    assert stored("secrets", "acrcreds")["type"] == DOCKER
    assert editor.secret_keys("acrcreds") == (".dockerconfigjson", "theirs")


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("existing", [None, OPAQUE])
def test_values_that_break_a_rule_are_refused_without_a_word_of_them(editor, stored, dry_run, existing):
    if existing:
        editor.apply_secret("acrcreds", existing, {"theirs": SecretValue("x")}, dry_run=False)
    broken = {".dockerconfigjson": SecretValue(f"{MARK}{{")}

    with pytest.raises(ConflictError) as caught:
        editor.apply_secret("acrcreds", DOCKER, broken, dry_run=dry_run, replace=True)

    assert caught.value.code == "invalid"
    assert "data[.dockerconfigjson]" in caught.value.message
    assert MARK not in str(caught.value)
    if existing:
        assert stored("secrets", "acrcreds")["type"] == existing


def test_an_immutable_secret_is_replaced_on_request_only(control_plane, namespace, editor):
    body = {"metadata": {"name": "azcreds"}, "stringData": {"A": "one"}, "immutable": True}
    control_plane.admin.post(f"/api/v1/namespaces/{namespace}/secrets", body)

    with pytest.raises(ConflictError, match="marked as immutable"):
        editor.apply_secret("azcreds", OPAQUE, {"A": SecretValue("two")}, dry_run=False)
    assert editor.apply_secret("azcreds", OPAQUE, {"A": SecretValue("two")}, dry_run=False, replace=True) == "updated"
    assert editor.read_secret("azcreds").data["A"].reveal() == "two"


def test_changes_at_the_same_time_are_all_kept(editor):
    outcomes = []

    def apply(number):
        outcomes.append(editor.apply_secret("azcreds", OPAQUE, {f"K{number}": SecretValue("v")}, dry_run=False))
        editor.add_pull_secret("default-editor", f"s{number}", dry_run=False)

    threads = [threading.Thread(target=apply, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["created", "updated", "updated"]
    assert editor.secret_keys("azcreds") == ("K0", "K1", "K2")
    assert sorted(editor.pull_secrets("default-editor")) == ["s0", "s1", "s2"]


def test_a_pull_secret_joins_the_others_once(editor, stored):
    assert editor.add_pull_secret("default-editor", "first", dry_run=False)
    assert editor.add_pull_secret("default-editor", "acrcreds", dry_run=True)
    assert editor.pull_secrets("default-editor") == ("first",)
    assert editor.add_pull_secret("default-editor", "acrcreds", dry_run=False)
    assert not editor.add_pull_secret("default-editor", "acrcreds", dry_run=False)
    assert stored("serviceaccounts", "default-editor")["imagePullSecrets"] == [{"name": "first"}, {"name": "acrcreds"}]


def test_what_a_notebook_may_do_and_not(editor):
    questions = {
        Access("create", "jobs", "batch"): True,
        Access("get", "pods", subresource="log"): True,
        Access("patch", "serviceaccounts", name="default-editor"): True,
        Access("create", "inferenceservices", "serving.kserve.io"): True,
        Access("create", "rolebindings", "rbac.authorization.k8s.io"): False,
        Access("list", "nodes", namespace=""): False,
        Access("get", "secrets", namespace="kube-system"): False,
    }
    assert editor.can_all(questions) == questions
    assert editor.can("create", "jobs", group="batch")


def test_who_may_not_look_is_not_told_that_it_is_missing(control_plane, namespace, connect):
    viewer = connect(control_plane.profile(namespace).viewer)
    for call in (
        lambda: viewer.read_secret("azcreds"),
        lambda: viewer.apply_secret("azcreds", OPAQUE, {}, dry_run=True),
        viewer.nodes,
    ):
        with pytest.raises(NotAllowedError) as caught:
            call()
        assert f"system:serviceaccount:{namespace}:default-viewer may not" in caught.value.message
        assert caught.value.status == 403


def test_who_may_look_and_not_write_is_told_the_verb(control_plane, namespace, connect):
    viewer = connect(control_plane.profile(namespace).viewer)
    if not viewer.can("get", "serviceaccounts"):
        pytest.fail("the stand's kubeflow-view reads no ServiceAccounts; choose another object here")
    with pytest.raises(NotAllowedError, match="verb 'patch' on 'serviceaccounts'"):
        viewer.add_pull_secret("default-editor", "acrcreds", dry_run=True)


def test_a_token_that_the_cluster_has_not_made_is_not_believed(control_plane, namespace, connect):
    control_plane.profile(namespace)
    with pytest.raises(CredentialError) as caught:
        connect("eyJhbGciOiJSUzI1NiJ9.e30.c2ln").read_secret("azcreds")
    assert caught.value.status == 401


def test_a_namespace_that_is_not_there_is_named(control_plane, tmp_path):
    folder = tmp_path / "pod"
    environ = control_plane.in_cluster(folder, control_plane._admin_token, "no-such-team")  # noqa: SLF001
    with Cluster.connect(environ, folder) as cluster, pytest.raises(NotFoundError) as caught:
        cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue("x")}, dry_run=False)
    assert caught.value.code == "not-found-namespace"


def test_a_full_quota_is_told_from_a_lack_of_rights(control_plane, namespace, editor):
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    control_plane.admin.post(path, {"metadata": {"name": "few"}, "spec": {"hard": {"secrets": "0"}}})
    # The quota acts once its controller has counted what there is.
    for _ in range(100):
        if editor.resource_quota() and editor.resource_quota()[0].used:
            break
        threading.Event().wait(0.1)
    assert editor.resource_quota()[0].hard == {"secrets": "0"}

    with pytest.raises(NotAllowedError) as caught:
        editor.apply_secret("azcreds", OPAQUE, {"A": SecretValue(MARK)}, dry_run=False)

    assert caught.value.code == "not-allowed-by-rule"
    assert "exceeded quota: few" in caught.value.message
    assert MARK not in str(caught.value)


def test_facts_that_matter_for_an_endpoint(editor):
    assert editor.has_kserve()
    assert "batch" in editor.api_groups()
    assert editor.mesh() in {"sidecar", "ambient", "", None}


def test_nodes_are_read_where_that_is_allowed(control_plane, namespace, connect):
    profile = control_plane.profile(namespace)
    control_plane.node(f"node-{namespace}", cpu="4", memory="16Gi")
    control_plane.let_read_nodes(namespace)
    node = next(one for one in connect(profile.editor).nodes() if one.name == f"node-{namespace}")
    assert (node.ready, node.schedulable, node.free) == (True, True, None)
    assert (node.allocatable.cpu, node.allocatable.memory) == (4.0, 16 * 2**30)

    pod = {
        "metadata": {"name": "busy"},
        "spec": {
            "nodeName": node.name,
            "containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1500m", "memory": "1Gi"}}}],
        },
    }
    control_plane.admin.post(f"/api/v1/namespaces/{namespace}/pods", pod)
    administrator = connect(control_plane._admin_token)  # noqa: SLF001 - there is no other who may read all pods
    node = next(one for one in administrator.nodes() if one.name == node.name)
    assert (node.free.cpu, node.free.memory, node.free.pods) == (2.5, 15 * 2**30, 109)
