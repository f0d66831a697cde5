"""What Azure Resource Manager is asked, against a double of it; the answers are those of Azure's REST reference."""

from __future__ import annotations

import io
import logging
import time

import pytest

from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from tests.clients.azure_scene import CLIENT_ID, OBJECT_ID, PAGE, SUBSCRIPTION_ID, TOKENS, arm_error, entra_error
from tests.clients.resources_scene import ACCOUNT, ELSEWHERE, GROUP, REGISTRY
from tests.marked import MARK, printed
from tests.stand.scripted import Scripted
from tests.stand.web import DRIP, HANG, RESET, Answer


def test_a_storage_account_is_made_as_promised(manager, arm):
    found = manager().create_storage_account("contoso-ml", "contosomldata", "North Europe")

    body = next(request for request in arm.requests if request.method == "PUT").json()
    assert (body["kind"], body["sku"], body["location"]) == ("StorageV2", {"name": "Standard_LRS"}, "northeurope")
    assert body["properties"] == {
        "supportsHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
        "allowBlobPublicAccess": False,
    }
    assert (found.name, found.kind, found.https_only, found.provisioning_state) == (
        "contosomldata",
        "StorageV2",
        True,
        "Succeeded",
    )


def test_making_one_that_is_there_changes_nothing(manager, arm, azure):
    azure.add_account(GROUP, "contosomldata")

    found = manager().create_storage_account("contoso-ml", "contosomldata", "westus")

    assert found.location == "northeurope"
    assert {request.method for request in arm.requests} == {"GET"}


def test_a_name_that_somebody_else_has_is_told_before_anything_is_made(manager, arm, azure):
    azure.add_account(azure.add_group(ELSEWHERE, "theirs"), "contosomldata")

    with pytest.raises(ConflictError, match="name is taken") as caught:
        manager().create_storage_account("contoso-ml", "contosomldata", "northeurope")

    assert caught.value.code == "name-taken"
    assert "PUT" not in {request.method for request in arm.requests}


def test_without_its_resource_group_nothing_is_made(manager, arm):
    with pytest.raises(NotFoundError) as caught:
        manager().create_storage_account("other", "contosomldata", "northeurope")

    assert caught.value.code == "no-resource-group"
    assert "PUT" not in {request.method for request in arm.requests}


def test_one_that_may_not_be_looked_at_is_not_made(manager, arm):
    arm.answer(arm_error(403, "AuthorizationFailed"), path="/contosomldata", method="GET")

    with pytest.raises(NotAllowedError):
        manager().create_storage_account("contoso-ml", "contosomldata", "northeurope")

    assert "PUT" not in {request.method for request in arm.requests}


def test_one_that_somebody_is_just_making_is_waited_for(manager, arm):
    arm.answer(arm_error(409, "StorageAccountOperationInProgress"), method="PUT", after=True)

    assert manager().create_storage_account("contoso-ml", "contosomldata", "northeurope").name == "contosomldata"


def test_one_that_is_not_ready_in_time_is_told_as_such(manager, azure):
    azure.creation_polls = 1000
    start = time.monotonic()

    with pytest.raises(UnreachableError, match="not ready yet") as caught:
        manager().create_storage_account("contoso-ml", "contosomldata", "northeurope", wait=1)

    assert time.monotonic() - start < 3
    assert caught.value.code == "not-ready"


def test_a_progress_link_to_another_host_is_not_followed(manager, arm, authority):
    with Scripted(lambda _request: Answer(body={}), authority) as other:
        arm.answer(Answer(202, None, {"Location": f"{other.url}/operations/1"}), method="PUT", after=True)
        manager().create_storage_account("contoso-ml", "contosomldata", "northeurope")

    assert other.requests == []


@pytest.mark.parametrize(
    ("status", "code", "kind", "ours", "fix"),
    [
        (403, "RequestDisallowedByPolicy", NotAllowedError, "policy", "az policy assignment list"),
        (409, "MissingSubscriptionRegistration", ConflictError, "provider-not-registered", "az provider register"),
        (409, "ScopeLocked", ConflictError, "locked", "az lock list"),
        (400, "LocationNotAvailableForResourceType", ConflictError, "bad-region", "list-locations"),
        (403, "AuthorizationFailed", NotAllowedError, "not-allowed", '--role "Storage Account Contributor"'),
    ],
)
def test_why_it_can_t_be_made_is_told(manager, arm, status, code, kind, ours, fix):
    arm.answer(arm_error(status, code), method="PUT")

    with pytest.raises(kind) as caught:
        manager().create_storage_account("contoso-ml", "contosomldata", "northeurope")

    assert caught.value.code == ours
    assert "Can't create the storage account 'contosomldata'" in caught.value.message
    assert fix in caught.value.hint


@pytest.mark.parametrize(
    ("status", "code", "kind", "ours", "told"),
    [
        (401, "InvalidAuthenticationToken", CredentialError, "credential", "does not accept the token"),
        (401, "InvalidAuthenticationTokenTenant", CredentialError, "wrong-tenant", "another tenant"),
        (401, "ExpiredAuthenticationToken", CredentialError, "credential", "expired"),
        (403, "AuthorizationFailed", NotAllowedError, "not-allowed", CLIENT_ID),
        (404, "SubscriptionNotFound", NotAllowedError, "subscription-not-visible", SUBSCRIPTION_ID),
        (404, "ResourceGroupNotFound", NotFoundError, "no-resource-group", "contoso-ml"),
        (409, "ReadOnlyDisabledSubscription", ConflictError, "subscription-disabled", "disabled"),
        (500, "InternalServerError", ServiceError, "service-failed", "failed"),
    ],
)
def test_a_refusal_says_what_is_wrong(manager, arm, status, code, kind, ours, told):
    arm.answer(arm_error(status, code))

    with pytest.raises(kind) as caught:
        manager(deadline=1.5).resource_group("contoso-ml")

    assert (caught.value.code, caught.value.status, caught.value.service) == (ours, status, "arm")
    assert told in caught.value.message
    assert "'contoso-ml'" in caught.value.message
    assert MARK not in printed(caught.value, variables=True)


def test_the_role_s_command_names_the_identity_and_the_scope(manager, arm):
    arm.answer(arm_error(403, "AuthorizationFailed"))

    with pytest.raises(NotAllowedError) as caught:
        manager().storage_account("contoso-ml", "contosomldata")

    assert f'az role assignment create --assignee {CLIENT_ID} --role "Reader" --scope {ACCOUNT}' in caught.value.hint


@pytest.mark.parametrize(
    "page",
    [
        PAGE,
        Answer(403, PAGE.body, PAGE.headers),
        Answer(200, "MARKED"),
        Answer(404, "MARKED"),
        Answer(200, ""),
        Answer(200, {}),
        Answer(302),
        Answer(200, ["MARKED"]),
    ],
)
def test_a_proxy_s_answer_is_never_taken_for_azure_s(manager, arm, page):
    arm.answer(page)
    client = manager()
    for ask in (
        lambda: client.resource_group("contoso-ml"),
        lambda: client.storage_account("contoso-ml", "contosomldata"),
        lambda: client.storage_keys("contoso-ml", "contosomldata"),
        lambda: client.name_available("contosomldata"),
        lambda: client.registry("contosoml.azurecr.io"),
        lambda: client.role_assignments(ACCOUNT, OBJECT_ID),
    ):
        with pytest.raises(UnreachableError) as caught:
            ask()
        assert caught.value.code == "not-the-service"
        assert MARK not in printed(caught.value, variables=True)


def test_too_many_requests_are_asked_again_as_azure_said(manager, arm):
    arm.answer(arm_error(429, "TooManyRequests", Retry_After="1"), times=1)
    start = time.monotonic()

    assert manager().resource_group("contoso-ml").name == "contoso-ml"
    assert 1 <= time.monotonic() - start < 4


def test_a_wait_beyond_the_deadline_is_not_waited_for(manager, arm):
    arm.answer(arm_error(429, "TooManyRequests", Retry_After="3600"))
    start = time.monotonic()

    with pytest.raises(ThrottledError):
        manager().resource_group("contoso-ml")

    assert time.monotonic() - start < 2


@pytest.mark.parametrize("fault", [RESET, Answer(502, "Bad gateway"), arm_error(503, "ServiceUnavailable")])
def test_a_passing_failure_is_tried_again(manager, arm, fault):
    arm.answer(fault, times=1)

    assert manager().resource_group("contoso-ml").name == "contoso-ml"


@pytest.mark.parametrize("fault", [HANG, DRIP])
def test_the_deadline_is_kept_whatever_hangs(manager, arm, fault):
    arm.answer(fault)
    client = manager(timeout=1, deadline=2)
    for ask in (
        lambda: client.resource_group("contoso-ml"),
        lambda: client.registry("contosoml.azurecr.io"),
        lambda: client.storage_keys("contoso-ml", "contosomldata"),
    ):
        start = time.monotonic()

        with pytest.raises(UnreachableError) as caught:
            ask()

        assert time.monotonic() - start < 2.5
        assert caught.value.code == "timeout"


def test_all_that_finding_a_registry_takes_is_within_one_deadline(manager, arm, azure):
    del azure.resources[REGISTRY.lower()]
    arm.delay(800)
    start = time.monotonic()

    with pytest.raises(UnreachableError):
        manager(deadline=1.5).registry("contosoml.azurecr.io")

    assert time.monotonic() - start < 2


def test_a_clock_that_is_wrong_is_told_instead_of_a_bad_token(manager, arm):
    arm.answer(arm_error(401, "InvalidAuthenticationToken", Date="Mon, 01 Jan 2024 00:00:00 GMT"))

    with pytest.raises(CredentialError) as caught:
        manager().resource_group("contoso-ml")

    assert caught.value.code == "clock-skew"


def test_an_untrusted_certificate_is_told(manager):
    with pytest.raises(UnreachableError) as caught:
        manager(ca_bundle=None).resource_group("contoso-ml")

    assert caught.value.code == "untrusted-certificate"


def test_a_file_of_authorities_that_is_not_there_is_told(manager, entra, tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))

    with pytest.raises(UnreachableError) as caught:
        manager(ca_bundle=None).resource_group("contoso-ml")

    assert caught.value.code == "no-ca-bundle"
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint


def test_without_a_token_nothing_is_asked(manager, arm, entra):
    entra.answer(entra_error("7000215"), path=TOKENS)

    with pytest.raises(CredentialError) as caught:
        manager().resource_group("contoso-ml")

    assert (caught.value.service, arm.requests) == ("entra", [])


def test_no_token_and_no_key_reaches_a_log_at_any_level(manager, arm, azure):
    azure.add_account(GROUP, "contosomldata")
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        client = manager()
        client.storage_keys("contoso-ml", "contosomldata")
        arm.answer(arm_error(403, "AuthorizationFailed"))
        with pytest.raises(NotAllowedError):
            client.resource_group("contoso-ml")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    assert "/listKeys" in written.getvalue()
    assert MARK not in written.getvalue()
    assert "Bearer ey" not in written.getvalue()
