"""Who pulls the images of a launch: its pods' own Secret, another one of the service account, or the node itself."""

from __future__ import annotations

import json

import pytest

from .scene import Scene

_FINE = {"pass", "warn", "skipped"}


@pytest.fixture
def scene(stand, namespace):
    return Scene.of(stand, stand.correct_setup(namespace))


def told(results):
    return {name: result.status for name, result in results.items() if result.status not in _FINE}


def remade(scene, kind, config):
    """Make Secret `acrcreds` anew, with another type."""
    scene.api("DELETE", "secrets/acrcreds")
    data = {".dockerconfigjson": json.dumps(config)}
    scene.api("POST", "secrets", {"metadata": {"name": "acrcreds"}, "type": kind, "stringData": data})


def unread(scene):
    """Let the login in `acrcreds` be for a path in which no image of a launch is."""
    (entry,) = scene.setup.dockerconfig["auths"].values()
    scene.acrcreds({"auths": {f"{scene.setup.login_server}/elsewhere": entry}})


def test_a_service_account_without_the_secret_is_well_since_pods_name_it_themselves(scene):
    scene.api("PATCH", "serviceaccounts/default-editor", {"imagePullSecrets": None})

    results = scene.check()

    assert told(results) == {}
    assert results["cluster.pull-secret"].status == "pass"
    assert "reference Secret 'acrcreds' themselves" in results["cluster.pull-secret"].message


def test_without_the_secret_a_launch_fails_where_it_pushes_and_only_that_is_told(scene):
    scene.api("DELETE", "secrets/acrcreds")
    scene.api("PATCH", "serviceaccounts/default-editor", {"imagePullSecrets": None})

    results = scene.check()

    assert told(results) == {"registry.secret": "fail"}
    assert results["cluster.pull-secret"].status == "skipped"


def test_a_login_that_nodes_do_not_read_is_a_warning_where_their_own_identity_may_pull(scene):
    unread(scene)

    found = scene.check()["cluster.pull-secret"]

    assert (found.status, found.code) == ("warn", "docker-config-unread")
    assert "az aks update --attach-acr" in found.message


def test_a_login_that_nodes_do_not_read_is_well_where_another_secret_of_the_service_account_is_read(scene):
    unread(scene)
    data = {".dockerconfigjson": json.dumps(scene.setup.dockerconfig)}
    body = {"metadata": {"name": "other"}, "type": "kubernetes.io/dockerconfigjson", "stringData": data}
    scene.api("POST", "secrets", body)
    scene.api("PATCH", "serviceaccounts/default-editor", {"imagePullSecrets": [{"name": "gone"}, {"name": "other"}]})

    results = scene.check()

    assert told(results) == {}
    assert results["cluster.pull-secret"].status == "pass"


def other_logins(scene, *passwords, user=None):
    """Name further Secrets in the service account, each with a login of its own."""
    for number, password in enumerate(passwords):
        entry = {"username": user or scene.setup.client, "password": password}
        data = {".dockerconfigjson": json.dumps({"auths": {scene.setup.login_server: entry}})}
        body = {"metadata": {"name": f"other-{number}"}, "type": "kubernetes.io/dockerconfigjson", "stringData": data}
        scene.api("POST", "secrets", body)
    names = [{"name": f"other-{number}"} for number in range(len(passwords))]
    scene.api("PATCH", "serviceaccounts/default-editor", {"imagePullSecrets": names})


@pytest.mark.parametrize(
    ("passwords", "user", "status"),
    [
        (["last-years"], None, "warn"),
        (["last-years", "SECRET"], None, "pass"),
        (["SECRET"], "11111111-2222-3333-4444-555555555555", "warn"),
    ],
)
def test_another_secret_counts_only_if_the_registry_lets_its_login_pull(scene, passwords, user, status):
    unread(scene)
    other_logins(scene, *(scene.setup.secret if each == "SECRET" else each for each in passwords), user=user)

    results = scene.check()

    assert told(results) == {}
    assert results["cluster.pull-secret"].status == status


def test_a_secret_that_can_be_pushed_with_and_not_pulled_is_a_warning(scene):
    remade(scene, "Opaque", scene.setup.dockerconfig)

    results = scene.check()

    assert told(results) == {}
    assert (results["cluster.pull-secret"].status, results["cluster.pull-secret"].code) == ("warn", "secret-type")
    assert results["cluster.pull-secret"].fixes[0].command == "fairing-azure secrets create --acr --replace"
