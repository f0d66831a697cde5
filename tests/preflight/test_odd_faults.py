"""Faults that are none of the table's rows: in odd places, two at once, or such that a wrong fix lies near."""

from __future__ import annotations

import base64
import gc
import json
import logging
import threading

import pytest

from tests.stand.web import Answer

from .scene import Scene

_FINE = {"pass", "warn", "skipped"}
_JSON = (("Content-Type", "application/json"),)


@pytest.fixture
def scene(request, stand, namespace):
    options = getattr(request, "param", {})
    return Scene.of(stand, stand.correct_setup(namespace, **options))


def told(results):
    return {name: (result.status, result.code) for name, result in results.items() if result.status not in _FINE}


def commands(result):
    return " | ".join(fix.command for fix in result.fixes)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def login_of(scene):
    return encoded(f"{scene.setup.client}:{scene.setup.secret}")


# What the nodes make of a docker config is more narrow than what Docker's own readers do.


@pytest.mark.parametrize(
    ("spelling", "says"),
    [
        (str.upper, "capital letters"),
        ("https://{}/v1".format, "only for images below '/v1'"),
        ("{}/team".format, "only for images below '/team'"),
        ("HTTPS://{}".format, "in a form that nodes do not support"),
    ],
)
def test_a_login_that_nodes_would_not_find_is_warned_of_since_their_own_identity_may_pull(scene, spelling, says):
    scene.acrcreds({"auths": {spelling(scene.setup.login_server): {"auth": login_of(scene)}}})

    results = scene.check()

    assert told(results) == {}
    found = results["cluster.pull-secret"]
    assert (found.status, found.code) == ("warn", "docker-config-unread")
    assert says in found.message
    assert found.fixable
    assert commands(found).startswith("fairing-azure secrets create --acr")


@pytest.mark.parametrize("spelling", ["https://{}", "http://{}/", "https://{}/v1/", "{}/", "{}/v2/"])
def test_spellings_of_a_host_that_nodes_know_are_well(scene, spelling):
    scene.acrcreds({"auths": {spelling.format(scene.setup.login_server): {"auth": login_of(scene)}}})

    assert told(scene.check()) == {}


def test_a_login_for_the_path_of_the_images_is_well(scene):
    scene.settings["DOCKER_REGISTRY"] = f"{scene.setup.login_server}/team/ml"
    scene.acrcreds({"auths": {f"{scene.setup.login_server}/team": {"auth": login_of(scene)}}})

    assert told(scene.check()) == {}


def test_an_identity_token_is_warned_of_since_nodes_pass_over_it(scene):
    auth = encoded("00000000-0000-0000-0000-000000000000:")
    scene.acrcreds({"auths": {scene.setup.login_server: {"auth": auth, "identitytoken": "eyJhbGciOi"}}})

    results = scene.check()

    assert told(results) == {"registry.pull": ("fail", "credential")}
    assert "az acr login --name" in commands(results["registry.pull"])
    assert results["cluster.pull-secret"].status == "warn"
    assert "identity token" in results["cluster.pull-secret"].message


def test_of_two_logins_the_one_with_the_plain_host_counts(scene):
    host = scene.setup.login_server
    scene.acrcreds({"auths": {f"https://{host}": {"auth": encoded("a:b")}, host: {"auth": login_of(scene)}}})

    assert told(scene.check()) == {}


@pytest.mark.parametrize(
    ("user", "fix"),
    [
        ("{name}", "az acr credential renew --name {name} --password-name password"),
        ("pusher", "az acr token credential generate --name pusher --registry {name} --password1"),
        ("00000000-0000-0000-0000-000000000000", "az acr login --name {name} --expose-token"),
    ],
)
def test_the_wrong_password_of_who_is_no_service_principal_is_not_to_be_mended_by_a_client_secret(scene, user, fix):
    name = scene.setup.login_server.partition(".")[0]
    scene.login("wrong", user=user.format(name=name))

    results = scene.check()

    assert told(results) == {"registry.pull": ("fail", "credential")}
    given = commands(results["registry.pull"])
    assert fix.format(name=name) in given
    assert "secrets rotate" not in given
    assert "az ad" not in given


def test_a_refusal_against_the_rights_of_the_token_does_not_say_that_it_may_only_push(scene):
    scene.stand.registry_front.refuse(403, path="/uploads/", method="POST")

    results = scene.check()

    assert told(results) == {"registry.push": ("fail", "not-allowed-push")}
    message = results["registry.push"].message
    assert "only" not in message
    assert "a rule or lock of the registry" in message


# Keys that nobody can have are not always a matter of roles.


@pytest.mark.parametrize(
    ("answer", "code", "fix", "not_fix"),
    [
        ({"status": 409, "code": "ScopeLocked"}, "locked", "az lock list", "Storage Account Contributor"),
        ({"status": 404}, "not-found", "Check again", "role assignment"),
    ],
)
def test_a_lock_on_the_keys_or_an_account_that_goes_is_no_lack_of_a_role(scene, answer, code, fix, not_fix):
    scene.stand.arm_front.refuse(answer["status"], code=answer.get("code", ""), path="/listKeys", method="POST")

    results = scene.check()

    assert told(results) == {"storage.access": ("fail", code)}
    assert fix in commands(results["storage.access"])
    assert not_fix not in commands(results["storage.access"])
    assert "may not get its keys" not in results["storage.access"].message


def test_an_account_without_a_key_that_may_write_says_so(scene):
    scene.stand.arm_front.answer(Answer(200, b'{"keys": []}', _JSON), path="/listKeys")

    results = scene.check()

    assert told(results) == {"storage.access": ("fail", "no-key")}
    assert "az storage account keys renew" in commands(results["storage.access"])


def test_a_download_that_is_refused_leaves_no_traceback_in_any_log(scene, caplog):
    caplog.set_level(logging.DEBUG)
    scene.stand.blob_front.refuse(403, path="probe", method="GET")

    assert told(scene.check()) == {"storage.probe": ("fail", "no-data-role")}
    assert "Traceback" not in caplog.text


def test_a_blob_without_the_headers_of_a_part_is_no_bug_of_ours(scene):
    copied = Answer(200, b"abc", (("x-ms-version", "2025-01-05"),))
    scene.stand.blob_front.answer(copied, path="probe", method="GET")

    results = scene.check()
    gc.collect()

    assert told(results) == {"storage.probe": ("fail", "not-the-service")}


@pytest.mark.parametrize(("service", "check"), [("arm", "azure.resource-group"), ("blob", "storage.probe")])
def test_a_refusal_of_unknown_reason_has_something_to_do_next(scene, service, check):
    method = "PUT" if service == "blob" else ".*"
    getattr(scene.stand, f"{service}_front").refuse(409, code="SomethingNew", method=method)

    results = scene.check()

    assert set(told(results)) == {check}
    assert results[check].fixes


@pytest.mark.parametrize("service", ["kubernetes", "entra", "arm", "blob"])
def test_who_is_asked_to_come_back_in_an_hour_is_not_told_to_do_so_in_a_minute(scene, service):
    getattr(scene.stand, f"{service}_front").throttle(3600)

    (found,) = [result for result in scene.check().values() if result.status not in _FINE]

    assert found.status == "unknown"
    assert commands(found) == "Try again in 60 minutes."


@pytest.mark.parametrize(
    ("answer", "path", "check"),
    [
        (Answer(204, b""), r"/resourceGroups/[^/]+\?", "azure.resource-group"),
        (Answer(200, b"[" * 100_000, _JSON), r"/resourceGroups/[^/]+\?", "azure.resource-group"),
        (Answer(204, b""), "/listKeys", "storage.access"),
        (Answer(200, b"[" * 100_000, _JSON), "/listKeys", "storage.access"),
    ],
)
def test_an_answer_of_resource_manager_without_sense_is_neither_a_pass_nor_a_bug_of_ours(scene, answer, path, check):
    scene.stand.arm_front.answer(answer, path=path)

    assert told(scene.check()) == {check: ("fail", "not-the-service")}


@pytest.mark.parametrize(
    ("role", "expected"),
    [("Reader", {"storage.account": ("fail", "may-not-be-created")}), ("Contributor", {})],
)
def test_an_account_that_the_identity_may_not_make_is_not_promised(scene, role, expected):
    setup, arm = scene.setup, scene.stand.arm
    del arm.resources[setup.account_id.lower()]
    arm.revoke(setup.oid, "Storage Account Contributor")
    arm.assign(setup.oid, role, f"/subscriptions/{setup.subscription}")
    scene.settings |= {"AZURE_REGION": "northeurope", "AZURE_STORAGE_ACCOUNT": scene.stand.blob.take()}

    results = scene.check()

    assert told(results) == expected
    if expected:
        found = results["storage.account"]
        assert "has only Reader there" in found.message
        assert f"az role assignment create --assignee {setup.client}" in commands(found)
        assert "--location northeurope" in commands(found)
    else:
        assert results["storage.account"].code == "will-be-created"


# The cluster.


def test_a_version_that_nobody_may_see_hinders_nothing(scene):
    scene.stand.kubernetes_front.refuse(403, path="^/version")

    results = scene.check()

    assert told(results) == {}
    assert results["cluster"].message.startswith("It answers, to service account default-editor")


def test_a_kubeconfig_without_a_credential_fails_at_the_cluster(scene):
    config = json.loads(json.dumps(_kubeconfig(scene)))
    config["users"][0]["user"] = {}
    _use(scene, config)

    results = scene.check()

    assert told(results) == {"cluster": ("fail", "credential-missing")}
    assert "az aks get-credentials" in commands(results["cluster"])


def test_a_namespace_that_is_not_there_is_named_once(scene):
    config = _kubeconfig(scene)
    config["users"][0]["user"] = {"token": scene.stand.control_plane._admin_token}  # noqa: SLF001 - may see all
    _use(scene, config)
    scene.settings["FAIRING_NAMESPACE"] = "nosuch"

    results = scene.check()

    assert told(results) == {"cluster.namespace": ("fail", "not-found")}
    assert results["cluster.namespace"].message.startswith("Namespace 'nosuch' not found in the cluster")
    assert "-n nosuch" not in commands(results["cluster.namespace"])


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (["BestEffort"], {}),
        (["NotBestEffort"], {"cluster.quota": ("fail", "quota-exceeded")}),
    ],
)
def test_a_quota_counts_for_the_pods_that_a_job_has(scene, scopes, expected):
    spec = {"hard": {"pods": "0"}, "scopes": scopes}
    scene.api("POST", "resourcequotas", {"metadata": {"name": "some"}, "spec": spec})

    results = scene.check()

    assert told(results) == expected
    assert (results["cluster.quota"].status == "pass") == (not expected)


def test_a_port_that_is_none_is_no_name_that_can_not_be_resolved(scene):
    scene.environ["KUBERNETES_SERVICE_PORT"] = "tcp"

    results = scene.check()

    assert told(results) == {"cluster": ("fail", "no-cluster")}
    assert "KUBERNETES_SERVICE_PORT is not a port" in results["cluster"].message


def test_how_long_was_waited_for_the_api_server_is_told_and_not_how_long_the_last_attempt_took(scene):
    scene.deadline = 3.0
    scene.stand.kubernetes_front.hang(path="/secrets/acrcreds")

    results = scene.check()

    assert told(results) == {"registry.secret": ("unknown", "unreachable-timeout")}
    assert "no answer within 3" in results["registry.secret"].message


def test_without_the_azure_cli_its_login_comes_after_its_installation(scene):
    scene.settings["FAIRING_CREDENTIAL"] = "azure-cli"

    results = scene.check()

    assert told(results) == {"azure.token": ("fail", "no-credential")}
    assert commands(results["azure.token"]).startswith("Install the Azure CLI")


def _kubeconfig(scene):
    import yaml

    return yaml.safe_load(scene.setup.kubeconfig.read_text(encoding="utf-8"))


def _use(scene, config):
    file = scene.setup.service_account / "another-kubeconfig"
    file.write_text(json.dumps(config), encoding="utf-8")
    del scene.environ["KUBERNETES_SERVICE_HOST"]
    scene.environ["KUBECONFIG"] = str(file)


# Once more, and all at once.


@pytest.mark.parametrize("scene", [{}, {"data_role": True}], indirect=True, ids=str)
def test_four_checks_at_once_on_a_new_account_are_all_green(scene):
    found = []
    threads = [threading.Thread(target=lambda: found.append(told(scene.check()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert found == [{}] * 4


def test_a_check_leaves_no_connection_open(scene):
    import psutil

    def connections():
        ports = {scene.stand.kubernetes_front.port, scene.stand.entra_front.port, scene.stand.registry_front.port}
        process = psutil.Process()
        ours = process.net_connections() if hasattr(process, "net_connections") else process.connections()
        return sum(bool(one.raddr) and one.raddr.port in ports and one.status == "ESTABLISHED" for one in ours)

    gc.collect()
    before = connections()
    for _ in range(3):
        assert told(scene.check()) == {}

    assert connections() <= before
