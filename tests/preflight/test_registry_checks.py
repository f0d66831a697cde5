"""The registry's Secret and what its login may do, on a real API server and a real registry behind ACR's sign-in."""

from __future__ import annotations

import base64
import json
import time
import uuid
from types import SimpleNamespace

import pytest

from fairing_az_jupyter.clients.azure.service_principal import ServicePrincipal
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import NotAllowedError, NotFoundError
from fairing_az_jupyter.preflight.checks.registry_checks import checks
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.runner import Finding
from fairing_az_jupyter.settings import Settings
from tests.preflight.registry_scene import NAMES, checked, login, statuses, write_login
from tests.stand.web import Answer

CREATE = "fairing-azure secrets create --acr"
ROTATE = "fairing-azure secrets rotate"
REFUSED = Finding("fail", "", "")


def only(results, name, status="fail"):
    """Return the one result that is not well: those before it passed, those after it are skipped."""
    at = NAMES.index(name)
    assert statuses(results) == ["pass"] * at + [status] + ["skipped"] * (len(NAMES) - at - 1), results
    return results[name]


def commands(result):
    return [fix.command for fix in result.fixes if fix.tool != "text"]


def grant(setup, role):
    acr = setup.login_server.partition(".")[0]
    return (
        f"az role assignment create --assignee {setup.client} --role {role} "
        f'--scope "$(az acr show --name {acr} --query id --output tsv)"'
    )


@pytest.fixture
def setup(stand, namespace):
    return stand.correct_setup(namespace)


def test_a_correct_set_up_passes_and_tells_who_may_do_what_where(stand, setup):
    stand.registry_front.forbidden = set(setup.marks)

    results = checked(setup)

    assert statuses(results) == ["pass"] * 4
    assert f"User '{setup.client}' may push to 'fairing-job' on registry '{setup.login_server}'" in (
        results["registry.push"].message
    )
    assert stand.registry_front.count("uploads", "DELETE") == 1
    assert stand.registry_front.count("manifests", "PUT") == 0
    assert not any(call.leak for call in stand.registry_front.calls)


def test_a_path_in_docker_registry_is_part_of_the_repository_that_is_tried(stand, setup):
    results = checked(setup, changed={"DOCKER_REGISTRY": f"{setup.login_server}/team/a"})

    assert statuses(results) == ["pass"] * 4
    assert results["registry.push"].looked_at == f"repository team/a/fairing-job on registry {setup.login_server}"


def test_without_a_docker_registry_only_the_secret_is_looked_at(stand, setup):
    results = checked(setup, changed={"DOCKER_REGISTRY": None})

    assert statuses(results) == ["pass", "skipped", "skipped", "skipped"]
    assert "DOCKER_REGISTRY" in results["registry.secret-login"].message


def test_a_missing_secret_fails_with_the_commands_that_make_it(stand, namespace):
    setup = stand.correct_setup(namespace, prepared=False)

    result = only(checked(setup), "registry.secret")

    assert "'acrcreds'" in result.message
    assert result.fixable
    assert result.looked_at == f"Secret acrcreds in namespace {namespace}"
    assert commands(result) == [
        CREATE,
        f"kubectl create secret docker-registry acrcreds -n {namespace} --from-file=.dockerconfigjson=FILE",
    ]


def test_a_secret_of_the_wrong_type_fails_and_has_to_be_made_anew(stand, setup):
    admin, path = stand.control_plane.admin, f"/api/v1/namespaces/{setup.namespace}/secrets"
    admin.delete(f"{path}/acrcreds")
    data = {"config.json": json.dumps(setup.dockerconfig)}
    admin.post(path, {"metadata": {"name": "acrcreds"}, "type": "Opaque", "stringData": data})

    result = only(checked(setup), "registry.secret")

    assert (result.code, result.fixable) == ("secret-type", True)
    assert "'Opaque'" in result.message
    delete = f"kubectl delete secret acrcreds -n {setup.namespace}"
    create = f"kubectl create secret docker-registry acrcreds -n {setup.namespace} --from-file=.dockerconfigjson=FILE"
    assert commands(result) == [f"{CREATE} --replace", f"{delete} && {create}"]


def test_who_may_not_read_secrets_is_not_told_that_one_is_missing(stand, namespace):
    setup = stand.correct_setup(namespace, role="kubeflow-view")

    result = only(checked(setup), "registry.secret", "unknown")

    assert "may not" in result.message
    assert not result.fixable
    assert CREATE not in commands(result)


@pytest.mark.parametrize(("status", "expected"), [(403, "unknown"), (429, "unknown"), (500, "unknown"), (404, "fail")])
def test_an_api_server_that_gives_no_answer_tells_nothing(stand, setup, status, expected):
    stand.kubernetes_front.refuse(status, path="secrets/acrcreds")
    only(checked(setup), "registry.secret", expected)


def test_a_login_for_a_similar_host_fails_and_offers_both_ways(stand, setup):
    other = setup.login_server.replace("acr", "acx", 1)
    write_login(stand, setup, login(other, setup.client, setup.secret))

    settings = {"DOCKER_REGISTRY": f"{setup.login_server}/team"}
    result = only(checked(setup, changed=settings, notebook="my train.ipynb"), "registry.secret-login")

    assert (result.code, result.fixable) == ("docker-config-host", True)
    assert other in result.message
    assert commands(result)[:2] == [CREATE, f"fairing-azure fill 'my train.ipynb' --docker-registry {other}/team"]


def test_a_login_for_quite_another_host_does_not_become_the_registry(stand, setup):
    write_login(stand, setup, login("ghcr.io", setup.client, setup.secret))
    result = only(checked(setup), "registry.secret-login")
    assert not any("fill" in command for command in commands(result))


@pytest.mark.parametrize("auth", [{"auth": "!"}, {}, {"auth": base64.b64encode(b"only-a-user").decode()}])
def test_a_broken_login_fails_and_can_be_mended(stand, setup, auth):
    write_login(stand, setup, {"auths": {setup.login_server: auth}})
    result = only(checked(setup), "registry.secret-login")
    assert (result.code, result.fixable, commands(result)[0]) == ("docker-config", True, CREATE)


def test_an_entry_that_docker_left_empty_for_another_host_does_no_harm(stand, setup):
    config = {"auths": {"https://index.docker.io/v1/": {}, **setup.dockerconfig["auths"]}}
    write_login(stand, setup, config)
    assert statuses(checked(setup)) == ["pass"] * 4


def test_an_unreadable_entry_of_another_host_is_not_said_to_be_fixable(stand, setup):
    write_login(stand, setup, {"auths": {"ghcr.io": {"auth": "!"}, **setup.dockerconfig["auths"]}})
    result = only(checked(setup), "registry.secret-login")
    assert not result.fixable
    assert commands(result)[0] == f"kubectl delete secret acrcreds -n {setup.namespace} && {CREATE}"


def test_a_client_secret_in_the_place_of_the_user_name_is_told_and_not_shown(stand, setup):
    write_login(stand, setup, login(setup.login_server, setup.secret, setup.client))
    result = only(checked(setup), "registry.secret-login")
    assert (result.code, result.fixable) == ("docker-config-swapped", True)


def test_a_registry_of_another_cloud_is_only_mentioned(stand, setup):
    host = setup.login_server.replace("azurecr.io", "azurecr.us")
    write_login(stand, setup, login(host, setup.client, setup.secret))

    results = checked(setup, changed={"DOCKER_REGISTRY": host})

    assert results["registry.secret-login"].status == "pass"
    assert "AzureUSGovernment" in results["registry.secret-login"].message
    result = only(results, "registry.pull")
    assert (result.code, commands(result)[0]) == (
        "dns-unknown",
        f"fairing-azure fill NOTEBOOK --docker-registry {setup.login_server}",
    )


def test_a_registry_that_does_not_exist_fails_with_the_command_that_tells_its_name(stand, setup):
    host = f"gone{uuid.uuid4().hex[:8]}.azurecr.io"
    write_login(stand, setup, login(host, setup.client, setup.secret))

    result = only(checked(setup, changed={"DOCKER_REGISTRY": host}), "registry.pull")

    acr = host.partition(".")[0]
    assert commands(result) == [f"az acr show --name {acr} --query loginServer --output tsv"]
    assert "Check DOCKER_REGISTRY" in result.fixes[-1].command


def test_a_pull_only_login_fails_at_the_push_with_the_role_that_it_needs(stand, setup):
    stand.arm.revoke(setup.oid, "AcrPush")
    stand.arm.assign(setup.oid, "AcrPull", setup.registry)

    result = only(checked(setup), "registry.push")

    assert (result.code, result.fixable) == ("not-allowed-push", False)
    assert f"'{setup.client}' may not push" in result.message
    assert commands(result) == [grant(setup, "AcrPush"), grant(setup, "'Container Registry Repository Writer'")]


def test_a_login_without_a_role_is_told_from_a_wrong_password(stand, setup):
    stand.arm.revoke(setup.oid, "AcrPush")

    result = only(checked(setup), "registry.pull")

    assert (result.code, result.fixable) == ("no-role", False)
    assert commands(result)[0] == grant(setup, "AcrPush")


def test_in_abac_mode_acrpush_is_no_role_and_the_repository_role_is_offered(stand, namespace):
    setup = stand.correct_setup(namespace, abac=True)
    assert statuses(checked(setup)) == ["pass"] * 4

    stand.arm.revoke(setup.oid, "Container Registry Repository Writer")
    stand.arm.assign(setup.oid, "AcrPush", setup.registry)

    result = only(checked(setup), "registry.pull")
    assert grant(setup, "'Container Registry Repository Writer'") in commands(result)


@pytest.mark.parametrize("principal", ["azcreds", None])
def test_a_password_that_is_not_accepted_fails_and_can_be_mended(stand, setup, principal):
    write_login(stand, setup, login(setup.login_server, setup.client, "MARK-wrong"))

    result = only(checked(setup, principal=principal), "registry.pull")

    assert (result.code, result.fixable) == ("credential", True)
    assert commands(result)[:2] == ([CREATE, ROTATE] if principal else [ROTATE, CREATE])
    assert ("'azcreds' has another one" in result.message) == bool(principal)
    assert "MARK" not in repr(result)


def test_one_expired_secret_in_both_places_is_one_failure_and_the_registry_is_not_asked(stand, setup):
    result = only(checked(setup, token=REFUSED), "registry.pull", "skipped")

    assert "same client secret" in result.message
    assert "azure.token" in result.message
    assert not stand.registry_front.calls


@pytest.mark.parametrize("changed", [{}, {"FAIRING_CREDENTIAL": "workload-identity"}])
def test_a_refused_token_of_another_identity_does_not_keep_the_login_from_being_tried(stand, setup, changed):
    other = ServicePrincipal(setup.client, SecretValue("MARK-other"), setup.tenant) if not changed else "azcreds"
    assert statuses(checked(setup, token=REFUSED, principal=other, changed=changed)) == ["pass"] * 4


def test_a_firewall_fails_with_the_rule_that_lets_this_address_in(stand, setup):
    stand.registry_front.refuse(403, code="DENIED", message="client with IP '203.0.113.7' is not allowed access.")

    result = only(checked(setup), "registry.pull")

    acr = setup.login_server.partition(".")[0]
    assert (result.code, commands(result)) == (
        "firewall",
        [f"az acr network-rule add --name {acr} --ip-address 203.0.113.7"],
    )


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (lambda front: front.refuse(403), "fail"),
        (lambda front: front.throttle(60), "unknown"),
        (lambda front: front.refuse(503), "unknown"),
        (lambda front: front.hang(), "unknown"),
        (lambda front: front.drop(), "fail"),
        (lambda front: front.proxy_page(200), "fail"),
        (lambda front: front.certificate("untrusted"), "fail"),
        (lambda front: front.certificate("expired"), "fail"),
        (lambda front: front.certificate("other-name"), "fail"),
        (lambda front: front.refuse(401, path="/oauth2/token"), "fail"),
        (lambda front: front.refuse(401, path="tags/list|manifests"), "fail"),
    ],
    ids=["403", "429", "503", "hang", "drop", "html", "untrusted", "expired", "other-name", "login-401", "token-401"],
)
def test_each_fault_of_the_registry_is_one_finding_within_its_time(stand, setup, fault, status):
    fault(stand.registry_front)
    begin = time.monotonic()

    result = only(checked(setup, timeout=0.8, deadline=2.0), "registry.pull", status)

    assert time.monotonic() - begin < 8
    assert result.message
    assert result.fixes


@pytest.mark.parametrize(("status", "code"), [(405, "read-only"), (403, "not-allowed-push"), (404, "not-found")])
def test_a_registry_that_takes_no_upload_fails_at_the_push_only(stand, setup, status, code):
    stand.registry_front.refuse(status, path="/blobs/uploads/", method="POST")
    assert only(checked(setup), "registry.push").code == code


@pytest.mark.parametrize(("status", "says"), [(204, "was cancelled"), (500, "removes it after")])
def test_an_upload_that_can_not_be_cancelled_is_mentioned_and_no_failure(stand, setup, status, says):
    stand.registry_front.answer(Answer(status), path="/blobs/uploads/", method="DELETE")
    results = checked(setup, timeout=0.5)
    assert results["registry.push"].status == "pass"
    assert says in results["registry.push"].message


@pytest.mark.parametrize("error", [NotFoundError("gone", code="not-found-namespace"), NotAllowedError("no")])
def test_a_namespace_that_is_not_there_is_not_mended_by_a_secret(error):
    def read_secret(_):
        raise error

    cluster = SimpleNamespace(namespace="team-a", read_secret=read_secret)
    check = checks(CheckContext(Settings(), environ={}))[0]
    finding = check.run({"cluster": Finding("pass", "", "", value=cluster)})
    assert not finding.fixable
