"""What the cluster client reads and writes, against a small API server over TLS."""

from __future__ import annotations

import base64
import json
import threading

import pytest

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    ConflictError,
    NotAllowedError,
    NotFoundError,
)
from tests.clients.cluster_scene import DOCKER, OPAQUE, base64_of
from tests.marked import MARK, printed
from tests.stand.api_server import status
from tests.stand.web import RESET


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
    values = {"B": SecretValue("two"), "A": SecretValue("one")}

    assert cluster.apply_secret("azcreds", OPAQUE, values, dry_run=False, annotations={"by": "me"}) == "created"
    assert cluster.secret_keys("azcreds") == ("A", "B")
    version = api.version
    assert cluster.apply_secret("azcreds", OPAQUE, values, dry_run=False, annotations={"by": "me"}) == "unchanged"
    assert api.version == version
    assert cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue("three")}, dry_run=False) == "updated"
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

    cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue("one")}, dry_run=False, annotations={"by": "me"})

    stored = api.get("secrets", "azcreds")
    assert stored["data"] == {"THEIRS": "eA==", "A": base64_of("one")}
    assert stored["metadata"]["labels"] == {"team": "a"}
    assert stored["metadata"]["annotations"] == {"note": "keep", "fairing-az-jupyter/by": "me"}


@pytest.mark.parametrize("existing", [None, OPAQUE, DOCKER])
def test_a_dry_run_says_what_would_be_and_changes_nothing(api, cluster, existing):
    if existing:
        api.put("secrets", "azcreds", type=existing, data={"THEIRS": "eA=="})
    before = json.dumps(list(api.objects.values()))

    outcome = cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue("one")}, dry_run=True, replace=True)

    assert outcome == ("updated" if existing else "created")
    assert json.dumps(list(api.objects.values())) == before


def test_a_secret_of_another_type_is_refused_and_stays(api, cluster):
    api.put("secrets", "acrcreds", type=OPAQUE, data={"x": "eA=="})

    with pytest.raises(ConflictError) as caught:
        cluster.apply_secret("acrcreds", DOCKER, {".dockerconfigjson": SecretValue(MARK)}, dry_run=False)

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

    outcome = cluster.apply_secret(
        "acrcreds", DOCKER, {".dockerconfigjson": SecretValue("{}")}, dry_run=False, replace=True
    )

    stored = api.get("secrets", "acrcreds")
    assert (outcome, stored["type"]) == ("updated", DOCKER)
    assert stored["data"] == {"theirs": "eA==", ".dockerconfigjson": base64_of("{}")}
    assert stored["metadata"]["labels"] == {"team": "a", "app.kubernetes.io/managed-by": "fairing-az-jupyter"}
    assert stored["metadata"]["annotations"] == {"note": "keep"}


def test_an_immutable_secret_is_refused_unless_it_holds_the_values_already(api, cluster):
    api.put("secrets", "azcreds", type=OPAQUE, data={"A": base64_of("one")}, immutable=True)

    assert cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue("one")}, dry_run=False) == "unchanged"
    with pytest.raises(ConflictError, match="marked as immutable"):
        cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue("two")}, dry_run=False)


def test_a_replacement_that_the_server_refuses_leaves_the_former_secret(api, cluster):
    api.put("secrets", "acrcreds", type=OPAQUE, data={"x": "eA=="})
    api.fault(status(422, "Invalid", f'Invalid value: "{MARK}"'), method="POST")

    with pytest.raises(ConflictError) as caught:
        cluster.apply_secret("acrcreds", DOCKER, {".dockerconfigjson": SecretValue(MARK)}, dry_run=False, replace=True)

    assert MARK not in printed(caught.value)
    assert api.get("secrets", "acrcreds")["data"] == {"x": "eA=="}
    assert not api.asked("DELETE")


def test_a_replacement_that_fails_after_the_deletion_puts_the_former_secret_back(api, cluster):
    api.put("secrets", "acrcreds", type=OPAQUE, data={"x": "eA=="}, metadata={"labels": {"team": "a"}})
    quota = status(403, "Forbidden", 'secrets "acrcreds" is forbidden: exceeded quota: few, requested: secrets=1')
    rehearsal = api.answering

    def answer(request):
        deleted = bool(api.asked("DELETE"))
        refused = request.method == "POST" and deleted and request.json()["type"] == DOCKER
        return quota if refused else rehearsal(request)

    api.answering = answer

    with pytest.raises(NotAllowedError) as caught:
        cluster.apply_secret("acrcreds", DOCKER, {".dockerconfigjson": SecretValue(MARK)}, dry_run=False, replace=True)

    assert caught.value.code == "not-allowed-by-rule"
    assert "exceeded quota: few" in caught.value.message
    stored = api.get("secrets", "acrcreds")
    assert (stored["type"], stored["data"]) == (OPAQUE, {"x": "eA=="})
    assert stored["metadata"]["labels"] == {"team": "a"}


def test_a_change_of_someone_else_in_between_is_kept(api, cluster):
    api.put("secrets", "azcreds", type=OPAQUE, data={"A": "eA=="})
    rehearsal, meddled = api.answering, []

    def answer(request):
        if request.method == "PATCH" and not meddled:
            meddled.append(api.put("secrets", "azcreds", type=OPAQUE, data={"A": "eA==", "THEIRS": "eQ=="}))
        return rehearsal(request)

    api.answering = answer

    assert cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue("one")}, dry_run=False) == "updated"
    assert api.get("secrets", "azcreds")["data"] == {"A": base64_of("one"), "THEIRS": "eQ=="}


def test_endless_conflicts_end_in_an_error(api, cluster):
    api.put("secrets", "azcreds", type=OPAQUE, data={})
    api.fault(status(409, "Conflict", "modified"), times=99, method="PATCH")

    with pytest.raises(ConflictError) as caught:
        cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue("one")}, dry_run=False)

    assert caught.value.code == "conflict"
    assert 2 <= len(api.asked("PATCH")) <= 10


def test_a_creation_whose_answer_is_lost_is_found_done_and_not_sent_twice(api, cluster):
    api.fault(RESET, method="POST", after=True)

    assert cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue("one")}, dry_run=False) == "created"
    assert len(api.asked("POST")) == 1


def test_a_creation_that_never_arrived_is_made_after_another_look(api, cluster):
    api.fault(RESET, method="POST")

    assert cluster.apply_secret("azcreds", OPAQUE, {"A": SecretValue("one")}, dry_run=False) == "created"
    assert api.get("secrets", "azcreds")["data"] == {"A": base64_of("one")}


def test_two_who_create_the_same_secret_at_once_both_succeed(api, cluster):
    outcomes, barrier = [], threading.Barrier(4)

    def apply(number):
        barrier.wait()
        outcomes.append(cluster.apply_secret("azcreds", OPAQUE, {f"K{number}": SecretValue("v")}, dry_run=False))

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
