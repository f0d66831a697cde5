"""Which credential is chosen and why, and what a user is told when Entra ID gives no token."""

from __future__ import annotations

import io
import logging
import os
import socket
import time

import pytest

from fairing_az_jupyter.clients.azure.clouds import CLOUDS
from fairing_az_jupyter.clients.azure.credentials import (
    choose_credential,
)
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    CredentialError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from tests.clients.azure_scene import CLIENT_ID, CLIENT_SECRET, OBJECT_ID, PAGE, TENANT_ID, TOKENS, entra_error
from tests.clients.credentials_scene import SCOPE, principal, workload
from tests.marked import MARK, printed
from tests.stand.web import DRIP, HANG, RESET, Answer


def test_a_service_principal_of_the_secret_gets_a_token(choose):
    token = choose().token(SCOPE)

    assert token.object_id == OBJECT_ID
    assert token.expires_on > time.time() + 3000
    assert MARK not in repr(token)


def test_a_service_principal_of_the_environment_gets_a_token(choose):
    environ = {"AZURE_CLIENT_ID": CLIENT_ID, "AZURE_TENANT_ID": TENANT_ID, "AZURE_CLIENT_SECRET": CLIENT_SECRET}

    assert choose("environment", None, environ).token(SCOPE).object_id == OBJECT_ID


def test_workload_identity_sends_the_token_file_and_no_secret(choose, entra, token_file):
    choose("workload-identity", None, workload(token_file)).token(SCOPE)

    form = entra.requests[-1].form()
    assert form["client_assertion"] == token_file.read_text()
    assert "client_secret" not in form


def test_the_azure_cli_gives_a_token(choose, cli, monkeypatch):
    monkeypatch.setenv("PATH", cli["PATH"] + os.pathsep + os.environ["PATH"])

    assert choose("azure-cli", None, cli).token(SCOPE).value.reveal() == "header.e30.MARKEDsignature"


def test_an_azure_cli_that_fails_says_what_to_type(choose, cli, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", cli["PATH"] + os.pathsep + os.environ["PATH"])
    (tmp_path / "bin" / "az").write_text("#!/bin/sh\necho \"Please run 'az login' MARKED\" >&2; exit 1\n")

    with pytest.raises(CredentialError, match="the Azure CLI returned no token") as caught:
        choose("azure-cli", None, cli).token(SCOPE)

    assert caught.value.hint == "Type: az login"
    assert MARK not in printed(caught.value, variables=True)


def test_the_authority_of_the_environment_is_used(entra, bundle):
    chosen = choose_credential(
        "secret", secret=principal(), environ={"AZURE_AUTHORITY_HOST": entra.url + "/"}, ca_bundle=bundle
    )

    assert chosen.token(SCOPE).object_id == OBJECT_ID


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=list(CLOUDS))
def test_each_cloud_asks_its_own_authority_whatever_other_cloud_the_environment_names(cloud, monkeypatch):
    asked = []

    def no_such_host(host, *_arguments, **_options):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    other = (
        "https://login.chinacloudapi.cn/" if cloud.name != "AzureChinaCloud" else "https://login.microsoftonline.com/"
    )

    with pytest.raises(UnreachableError) as caught:
        choose_credential("secret", secret=principal(), environ={"AZURE_AUTHORITY_HOST": other}, cloud=cloud).token(
            cloud.arm_scope
        )

    assert set(asked) == {cloud.authority.removeprefix("https://")}
    assert caught.value.code == "no-such-host"


@pytest.mark.parametrize(
    ("number", "code", "told", "fix"),
    [
        ("7000215", "wrong-secret", "client secret", "az ad app credential reset --id " + CLIENT_ID),
        ("7000222", "expired-secret", "has expired", "%fairing_azure secrets create --azure"),
        ("700016", "unknown-application", f"application {CLIENT_ID} not found", "az ad sp show"),
        ("90002", "unknown-tenant", f"tenant {TENANT_ID} not found", "az account show --query tenantId"),
        ("900023", "unknown-tenant", TENANT_ID, "az account show --query tenantId"),
        ("700024", "clock-skew", "clocks differ", "clock"),
        ("700213", "not-federated", "another service account", "federated-credential list"),
        ("7000112", "application-disabled", "disabled", "administrator"),
        ("53003", "conditional-access", "Conditional Access", "administrator"),
        ("9999999", "credential", "rejected the credential", "error?code=9999999"),
    ],
)
def test_a_refusal_of_entra_id_says_what_is_wrong_and_what_to_type(choose, entra, number, code, told, fix):
    entra.answer(entra_error(number), path=TOKENS)

    with pytest.raises(CredentialError) as caught:
        choose().token(SCOPE)

    assert caught.value.code == code
    assert caught.value.service == "entra"
    assert told in caught.value.message
    assert f"AADSTS{number}" in caught.value.message
    assert fix in caught.value.hint
    assert MARK not in printed(caught.value, variables=True)


def test_a_wrong_secret_is_told_by_entra_id_itself(choose):
    with pytest.raises(CredentialError) as caught:
        choose(secret=principal(client_secret=SecretValue("MARKED-wrong"))).token(SCOPE)

    assert caught.value.code == "wrong-secret"
    assert "Use the secret's value, not its ID." in caught.value.hint


def test_a_tenant_that_does_not_exist_is_told(choose):
    with pytest.raises(CredentialError) as caught:
        choose(secret=principal(tenant_id="99999999-9999-9999-9999-999999999999")).token(SCOPE)

    assert caught.value.code == "unknown-tenant"
    assert "99999999-9999" in caught.value.message


def test_the_cure_for_the_environment_s_secret_is_the_variable(choose, entra):
    entra.answer(entra_error("7000222"), path=TOKENS)
    environ = {"AZURE_CLIENT_ID": CLIENT_ID, "AZURE_TENANT_ID": TENANT_ID, "AZURE_CLIENT_SECRET": CLIENT_SECRET}

    with pytest.raises(CredentialError) as caught:
        choose("environment", None, environ).token(SCOPE)

    assert "set AZURE_CLIENT_SECRET to it" in caught.value.hint


@pytest.mark.parametrize("where", ["", TOKENS], ids=["everywhere", "for a token"])
def test_a_proxy_s_page_is_not_taken_for_entra_id(choose, entra, where):
    entra.answer(PAGE, path=where)

    with pytest.raises(UnreachableError) as caught:
        choose().token(SCOPE)

    assert caught.value.code == "not-the-service"
    assert "web page" in caught.value.message
    assert "HTTPS_PROXY" in caught.value.hint
    assert MARK not in printed(caught.value, variables=True)


@pytest.mark.parametrize("body", ["not JSON, MARKED", {"unexpected": "MARKED"}, ["MARKED"], ""])
def test_an_answer_that_is_none_of_entra_id_s_is_not_taken_for_a_refusal(choose, entra, body):
    entra.answer(Answer(200, body))

    with pytest.raises(UnreachableError) as caught:
        choose().token(SCOPE)

    assert caught.value.code == "not-the-service"
    assert MARK not in printed(caught.value, variables=True)


def test_a_busy_entra_id_is_asked_again_as_it_said(choose, entra):
    entra.answer(Answer(429, {"error": "temporarily_unavailable"}, {"Retry-After": "1"}), times=1)
    start = time.monotonic()

    assert choose().token(SCOPE).object_id == OBJECT_ID
    assert 1 <= time.monotonic() - start < 4


def test_a_wait_beyond_the_deadline_is_not_waited_for(choose, entra):
    entra.answer(Answer(429, {"error": "temporarily_unavailable"}, {"Retry-After": "60"}), path=TOKENS)
    start = time.monotonic()

    with pytest.raises(ThrottledError) as caught:
        choose().token(SCOPE)

    assert time.monotonic() - start < 3
    assert caught.value.status == 429


@pytest.mark.parametrize("fault", [RESET, Answer(500), Answer(503, {"error": "server_error"})])
def test_a_passing_failure_is_tried_again(choose, entra, fault):
    entra.answer(fault, times=1)

    assert choose().token(SCOPE).object_id == OBJECT_ID


def test_a_failure_that_stays_is_told_as_the_service_s(choose, entra):
    entra.answer(Answer(500, {"error": "server_error"}), path=TOKENS)

    with pytest.raises(ServiceError) as caught:
        choose(deadline=2).token(SCOPE)

    assert (caught.value.code, caught.value.status) == ("service-failed", 500)


@pytest.mark.parametrize("fault", [HANG, DRIP])
def test_the_deadline_is_kept_whatever_hangs(choose, entra, fault):
    entra.answer(fault)
    start = time.monotonic()

    with pytest.raises(UnreachableError) as caught:
        choose(timeout=1, deadline=2).token(SCOPE)

    assert time.monotonic() - start < 2.5
    assert caught.value.code == "timeout"
    assert "127.0.0.1" in caught.value.message


def test_a_name_service_that_hangs_is_left_behind_in_time(choose, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: time.sleep(4))
    start = time.monotonic()

    with pytest.raises(UnreachableError):
        choose(timeout=1, deadline=1.5, authority="https://login.example").token(SCOPE)

    assert time.monotonic() - start < 2


def test_an_untrusted_certificate_is_told_and_not_tried_again(choose, entra):
    with pytest.raises(UnreachableError) as caught:
        choose(ca_bundle=None).token(SCOPE)

    assert caught.value.code == "untrusted-certificate"
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint


def test_nobody_listening_is_told(choose):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    with pytest.raises(UnreachableError) as caught:
        choose(authority=f"https://localhost:{port}", deadline=1).token(SCOPE)

    assert caught.value.code == "refused"


def test_no_secret_value_reaches_a_log_at_any_level(choose, entra, token_file):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        choose().token(SCOPE)
        choose("workload-identity", None, workload(token_file)).token(SCOPE)
        for answer in (entra_error("7000215"), PAGE, Answer(200, "MARKED no JSON")):
            entra.clear()
            entra.answer(answer, path=TOKENS)
            with pytest.raises(ServiceError):
                choose().token(SCOPE)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    assert "oauth2/v2.0/token" in written.getvalue()
    assert MARK not in written.getvalue()
    assert not [part for part in token_file.read_text().split(".") if part in written.getvalue()]
    assert "Traceback" not in written.getvalue()


def test_a_script_without_any_logging_prints_nothing_beside_our_error(run_python, entra, bundle):
    entra.answer(PAGE, path=TOKENS)
    script = """
import sys
from fairing_az_jupyter.clients.azure.credentials import ServicePrincipal, choose_credential
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import UnreachableError
client, secret, tenant, authority, bundle = sys.argv[1:]
chosen = choose_credential('secret', secret=ServicePrincipal(client, SecretValue(secret), tenant), environ={},
                           authority=authority, ca_bundle=bundle)
try:
    chosen.token('https://management.azure.com/.default')
except UnreachableError as error:
    print(error.code)
"""
    done = run_python(script, CLIENT_ID, CLIENT_SECRET, TENANT_ID, entra.url, bundle)

    assert (done.stdout.strip(), done.stderr) == ("not-the-service", "")


def test_importing_the_clients_loads_no_azure_package(run_python):
    script = """
import sys
from fairing_az_jupyter.clients.azure import clouds as azure_clouds, errors as azure_errors
from fairing_az_jupyter.clients.azure import credentials, resources
from fairing_az_jupyter.clients.azure.blob import storage
print([name for name in sys.modules if name.partition('.')[0] in {'azure', 'msal', 'requests', 'pydantic'}])
"""
    assert run_python(script).stdout.strip() == "[]"
