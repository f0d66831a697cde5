"""Which credential is chosen and why, and what a user is told when Entra ID gives no token."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from fairing_az_jupyter.clients.azure.credentials import (
    secret_expiry,
    secret_problems,
    service_principal,
)
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    CredentialError,
    NotAllowedError,
    NotFoundError,
)
from tests.clients.azure_scene import CLIENT_ID, CLIENT_SECRET, SUBSCRIPTION_ID, TENANT_ID
from tests.clients.credentials_scene import principal, secret_data, workload
from tests.marked import MARK


def test_a_whole_secret_becomes_a_service_principal():
    found = service_principal(secret_data())

    assert (found.client_id, found.tenant_id, found.subscription_id) == (CLIENT_ID, TENANT_ID, SUBSCRIPTION_ID)
    assert found.client_secret.reveal() == CLIENT_SECRET
    assert CLIENT_SECRET not in repr(found)


@pytest.mark.parametrize(
    ("changes", "key", "kind", "told"),
    [
        ({"AZ_CLIENT_ID": None}, "AZ_CLIENT_ID", "missing", "is missing"),
        ({"AZ_TENANT_ID": None, "AZURE_TENANT_ID": TENANT_ID}, "AZ_TENANT_ID", "missing", "'AZURE_TENANT_ID' instead"),
        ({"AZ_CLIENT_ID": None, "clientId": CLIENT_ID}, "AZ_CLIENT_ID", "missing", "'clientId' instead"),
        ({"AZ_CLIENT_SECRET": ""}, "AZ_CLIENT_SECRET", "empty", "is empty"),
        ({"AZ_CLIENT_SECRET": " \n"}, "AZ_CLIENT_SECRET", "empty", "is empty"),
        ({"AZ_CLIENT_SECRET": CLIENT_SECRET + "\n"}, "AZ_CLIENT_SECRET", "malformed", "line end"),
        ({"AZ_CLIENT_SECRET": CLIENT_SECRET + "\r\n"}, "AZ_CLIENT_SECRET", "malformed", "line end"),
        ({"AZ_TENANT_ID": " " + TENANT_ID}, "AZ_TENANT_ID", "malformed", "blank"),
        ({"AZ_CLIENT_ID": "\ufeff" + CLIENT_ID}, "AZ_CLIENT_ID", "malformed", "byte order mark"),
        ({"AZ_CLIENT_ID": f'"{CLIENT_ID}"'}, "AZ_CLIENT_ID", "malformed", "quotes"),
        ({"AZ_CLIENT_ID": "<client-id>"}, "AZ_CLIENT_ID", "malformed", "placeholder"),
        ({"AZ_CLIENT_ID": "my-app-MARKED"}, "AZ_CLIENT_ID", "malformed", "not a GUID"),
        ({"AZ_TENANT_ID": "common"}, "AZ_TENANT_ID", "malformed", "tenant's domain"),
        ({"AZ_SUBSCRIPTION_ID": "Pay-As-You-Go"}, "AZ_SUBSCRIPTION_ID", "malformed", "not a GUID"),
        (
            {"AZ_CLIENT_ID": "MTExMTExMTEtMTExMS0xMTExLTExMTEtMTExMTExMTExMTEx"},
            "AZ_CLIENT_ID",
            "malformed",
            "base64 twice",
        ),
        ({"AZ_CLIENT_SECRET": "MARKED\u200bsecret"}, "AZ_CLIENT_SECRET", "malformed", "characters"),
    ],
)
def test_a_broken_secret_is_refused_by_the_key_and_not_by_its_value(changes, key, kind, told):
    data = secret_data(**changes)

    problems = secret_problems(data)
    with pytest.raises(CredentialError) as caught:
        service_principal(data, namespace="team-a")

    assert [(problem.key, problem.kind) for problem in problems] == [(key, kind)]
    assert told in problems[0].text
    assert caught.value.code == f"secret-{kind}"
    assert f"{key} {problems[0].text}" in caught.value.message
    assert "'azcreds' in the namespace 'team-a'" in caught.value.message
    assert "%fairing_azure secrets create --azure" in caught.value.hint
    assert MARK not in str(caught.value)


def test_a_tenant_may_be_named_by_its_domain():
    assert service_principal(secret_data(AZ_TENANT_ID="contoso.onmicrosoft.com")).tenant_id == "contoso.onmicrosoft.com"


def test_all_broken_keys_are_told_at_once():
    with pytest.raises(CredentialError, match=r"AZ_CLIENT_ID is missing; AZ_CLIENT_SECRET is empty"):
        service_principal(secret_data(AZ_CLIENT_ID=None, AZ_CLIENT_SECRET=""))


def test_an_empty_secret_names_all_four_keys():
    assert [problem.key for problem in secret_problems({})] == [
        "AZ_CLIENT_ID",
        "AZ_CLIENT_SECRET",
        "AZ_TENANT_ID",
        "AZ_SUBSCRIPTION_ID",
    ]


def test_a_key_that_is_really_somebody_s_secret_is_not_printed():
    data = secret_data(AZ_CLIENT_SECRET=None)
    data[CLIENT_SECRET] = SecretValue("x")

    with pytest.raises(CredentialError) as caught:
        service_principal(data)

    assert MARK not in str(caught.value)


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        ("2027-03-01", datetime(2027, 3, 1, tzinfo=timezone.utc)),
        ("2027-03-01T10:00:00Z", datetime(2027, 3, 1, 10, tzinfo=timezone.utc)),
        ("2027-03-01T12:00:00+02:00", datetime(2027, 3, 1, 10, tzinfo=timezone.utc)),
        ("next year", None),
        ("", None),
    ],
)
def test_the_expiry_is_read_from_the_annotation(noted, expected):
    assert secret_expiry({"fairing-az-jupyter/expires": noted}) == expected


def test_the_expiry_is_read_from_what_the_cluster_client_hands_on_without_the_prefix():
    assert secret_expiry({"expires": "2027-03-01"}) == datetime(2027, 3, 1, tzinfo=timezone.utc)


def test_an_expiry_that_was_never_noted_is_not_known():
    assert secret_expiry(None) is None
    assert secret_expiry({"other": "2027-03-01"}) is None


def test_the_secret_comes_first_even_where_all_others_apply(choose, token_file, cli):
    environ = {**cli, **workload(token_file), "AZURE_CLIENT_SECRET": CLIENT_SECRET}

    chosen = choose("auto", principal(), environ)

    assert (chosen.source, chosen.reasons) == ("secret", ())
    assert (chosen.client_id, chosen.tenant_id, chosen.subscription_id) == (CLIENT_ID, TENANT_ID, SUBSCRIPTION_ID)


def test_without_a_cluster_workload_identity_comes_next(choose, token_file, cli):
    environ = {
        **cli,
        **workload(token_file),
        "AZURE_CLIENT_SECRET": CLIENT_SECRET,
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION_ID,
    }

    chosen = choose("auto", None, environ)

    assert chosen.source == "workload-identity"
    assert chosen.reasons == (("secret", "no cluster whose Secret could be read"),)
    assert chosen.subscription_id == SUBSCRIPTION_ID


def test_the_environment_comes_before_the_azure_cli(choose, cli):
    environ = {**cli, "AZURE_CLIENT_ID": CLIENT_ID, "AZURE_TENANT_ID": TENANT_ID, "AZURE_CLIENT_SECRET": CLIENT_SECRET}

    chosen = choose("auto", None, environ)

    assert chosen.source == "environment"
    assert dict(chosen.reasons)["workload-identity"] == "AZURE_FEDERATED_TOKEN_FILE is not set"


def test_the_azure_cli_comes_last_and_brings_its_subscription(choose, cli):
    chosen = choose("auto", NotFoundError("Secret 'azcreds' not found in namespace 'team-a'."), cli)

    assert chosen.source == "azure-cli"
    assert [name for name, _reason in chosen.reasons] == ["secret", "workload-identity", "environment"]
    assert chosen.reasons[0][1] == "Secret 'azcreds' not found in namespace 'team-a'"
    assert chosen.subscription_id == SUBSCRIPTION_ID


def test_with_no_credential_at_all_every_reason_is_told(choose):
    forbidden = NotAllowedError("ServiceAccount 'default-editor' may not read Secrets in namespace 'team-a'.")

    with pytest.raises(CredentialError) as caught:
        choose("auto", forbidden, {"PATH": ""})

    text = caught.value.message
    assert "secret: ServiceAccount 'default-editor' may not read Secrets in namespace 'team-a'" in text
    assert "workload-identity: AZURE_CLIENT_ID and AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE are not set" in text
    assert "azure-cli: the Azure CLI (az) is not installed" in text
    assert "az login" in caught.value.hint


def test_asked_for_the_secret_alone_its_own_error_is_raised(choose):
    forbidden = NotAllowedError("May not read Secrets.", service="kubernetes", status=403)

    with pytest.raises(NotAllowedError) as caught:
        choose("secret", forbidden)

    assert caught.value is forbidden


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "can't be read: No such file"), ("", "is empty"), ("\n", "is empty")]
)
def test_a_token_file_that_is_no_use_is_named(choose, token_file, content, reason):
    token_file.unlink()
    if content is not None:
        token_file.write_text(content)

    with pytest.raises(CredentialError) as caught:
        choose("workload-identity", None, workload(token_file))

    assert str(token_file) in caught.value.message
    assert reason in caught.value.message
    assert "azure.workload.identity/use=true" in caught.value.hint


def test_an_environment_with_a_stray_line_end_is_told_by_its_variable(choose):
    environ = {"AZURE_CLIENT_ID": CLIENT_ID, "AZURE_TENANT_ID": TENANT_ID, "AZURE_CLIENT_SECRET": CLIENT_SECRET + "\n"}

    with pytest.raises(CredentialError, match="AZURE_CLIENT_SECRET ends with a line end") as caught:
        choose("environment", None, environ)

    assert MARK not in str(caught.value)


def test_an_azure_cli_that_is_not_logged_in_is_told(choose, cli):
    with pytest.raises(CredentialError, match="not logged in") as caught:
        choose("azure-cli", None, {"PATH": cli["PATH"], "AZURE_CONFIG_DIR": "/nonexistent"})

    assert caught.value.hint == "Type: az login"


@pytest.mark.parametrize("content", ["", "[]", "null", '{"subscriptions": []}', '{"subscriptions": [1]}', "\udcff"])
def test_a_broken_profile_of_the_azure_cli_is_no_login(choose, cli, tmp_path, content):
    (tmp_path / "azureProfile.json").write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(CredentialError, match="not logged in"):
        choose("azure-cli", None, cli)
