"""What Blob Storage is asked, against a real Azurite over TLS, and against a server that fails as it is told."""

from __future__ import annotations

import socket
import time
from email.utils import formatdate

import pytest

from fairing_az_jupyter.clients.azure.blob.storage import PROBE_PREFIX, BlobStore
from fairing_az_jupyter.clients.azure.clouds import CLOUDS, STORAGE_SCOPE
from fairing_az_jupyter.clients.azure.credentials import ServicePrincipal, choose_credential
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ThrottledError,
    UnreachableError,
)
from tests.clients.azure_scene import CLIENT_ID, CLIENT_SECRET, PAGE, TENANT_ID, TOKENS, entra_error
from tests.clients.storage_scene import ACCOUNT, KEY, refusal
from tests.marked import MARK, printed
from tests.stand.web import DRIP, HANG, RESET, Answer


@pytest.mark.parametrize(
    ("status", "code", "error", "ours", "told", "fix"),
    [
        (
            403,
            "AuthorizationPermissionMismatch",
            NotAllowedError,
            "no-data-role",
            "Storage Blob Data Contributor",
            "30 minutes",
        ),
        (403, "AuthorizationFailure", NotAllowedError, "network-rules", "network rules", "network-rule add"),
        (
            403,
            "KeyBasedAuthenticationNotPermitted",
            NotAllowedError,
            "shared-key-off",
            "account keys",
            "Data Contributor",
        ),
        (403, "AccountIsDisabled", NotAllowedError, "account-disabled", "disabled", "subscription"),
        (409, "PublicAccessNotPermitted", NotAllowedError, "not-allowed", "anonymous", ""),
        (403, "AuthenticationFailed", CredentialError, "credential", "request's signature", "renewed"),
        (401, "InvalidAuthenticationInfo", CredentialError, "credential", "token", "az account show"),
        (404, "ContainerNotFound", NotFoundError, "not-found", "the container does not exist", "container create"),
        (409, "ContainerBeingDeleted", ConflictError, "being-deleted", "deleted", "minute"),
        (400, "InvalidResourceName", ConflictError, "bad-name", "name", "lower-case"),
        (403, "SomethingNew", NotAllowedError, "not-allowed", "may not", "role assignment list"),
        (418, "SomethingNew", ConflictError, "conflict", "SomethingNew", ""),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_type(service, failing, status, code, error, ours, told, fix):
    service.answer(refusal(status, code))

    with pytest.raises(error) as caught:
        failing().ensure_container("contexts")

    assert (caught.value.code, caught.value.status, caught.value.service) == (ours, status, "blob")
    assert told in caught.value.message
    assert "'contexts' in the storage account 'contosomldata'" in caught.value.message
    assert fix in caught.value.hint
    assert MARK not in printed(caught.value, variables=True)


def test_the_role_s_command_names_the_identity_and_the_account(service, failing):
    service.answer(refusal(403, "AuthorizationPermissionMismatch"))

    with pytest.raises(NotAllowedError) as caught:
        failing().probe("contexts")

    assert (
        f'az role assignment create --assignee {CLIENT_ID} --role "Storage Blob Data Contributor" '
        "--scope /subscriptions/S/storage"
    ) in caught.value.hint


@pytest.mark.parametrize(("offset", "side"), [(1200, "behind"), (-1200, "ahead of")])
def test_a_clock_that_is_wrong_is_told_instead_of_a_wrong_key(service, failing, offset, side):
    service.answer(refusal(403, "AuthenticationFailed", Date=formatdate(time.time() + offset, usegmt=True)))

    with pytest.raises(CredentialError) as caught:
        failing().container_exists("contexts")

    assert caught.value.code == "clock-skew"
    assert f"clock is 20 min {side} Azure's" in caught.value.message


def test_a_role_that_is_missing_is_no_matter_of_clocks(service, failing):
    service.answer(refusal(403, "AuthorizationPermissionMismatch", Date=formatdate(time.time() + 1200, usegmt=True)))

    with pytest.raises(NotAllowedError) as caught:
        failing().container_exists("contexts")

    assert caught.value.code == "no-data-role"


@pytest.mark.parametrize(
    "page", [PAGE, Answer(403, PAGE.body, PAGE.headers), Answer(200, "MARKED"), Answer(404, "MARKED"), Answer(302)]
)
def test_a_proxy_s_answer_is_never_taken_for_a_container(service, failing, page):
    service.answer(page)

    for ask in (BlobStore.container_exists, BlobStore.ensure_container, BlobStore.probe):
        with pytest.raises(UnreachableError) as caught:
            ask(failing(), "contexts")
        assert caught.value.code == "not-the-service"
        assert "proxy" in caught.value.message + caught.value.hint
        assert MARK not in printed(caught.value, variables=True)


def test_a_busy_account_is_asked_again_as_it_said(service, failing):
    service.answer(refusal(429, "TooManyRequests", Retry_After="1"), times=1)
    service.answer(refusal(503, "ServerBusy"), times=1)
    start = time.monotonic()

    assert failing().container_exists("contexts") is True
    assert 1 <= time.monotonic() - start < 4
    assert len(service.requests) == 3


def test_a_wait_beyond_the_deadline_is_not_waited_for(service, failing):
    service.answer(refusal(429, "TooManyRequests", Retry_After="60"))
    start = time.monotonic()

    with pytest.raises(ThrottledError):
        failing().container_exists("contexts")

    assert time.monotonic() - start < 2


@pytest.mark.parametrize("fault", [RESET, refusal(500, "InternalError"), refusal(503, "ServerBusy")])
def test_a_passing_failure_is_tried_again(service, failing, fault):
    service.answer(fault, times=1)

    assert failing().container_exists("contexts") is True


def test_a_container_that_was_made_although_the_answer_was_lost_counts_as_there(service, failing):
    service.answer(RESET, times=1)
    service.answering = lambda _request: refusal(409, "ContainerAlreadyExists")

    assert failing().ensure_container("contexts") is False


@pytest.mark.parametrize("fault", [HANG, DRIP])
def test_the_deadline_is_kept_whatever_hangs(service, failing, fault):
    service.answer(fault)
    store = failing(timeout=1, deadline=2)
    for ask in (store.container_exists, store.ensure_container, store.probe):
        start = time.monotonic()

        with pytest.raises(UnreachableError):
            ask("contexts")

        assert time.monotonic() - start < 2.5


def test_a_probe_that_can_t_be_read_back_is_removed_all_the_same(service, failing):
    def answer(request):
        if request.method == "GET":
            return refusal(403, "AuthorizationPermissionMismatch")
        return Answer({"PUT": 201, "DELETE": 202}[request.method], "", {"x-ms-request-id": "1", "ETag": '"1"'})

    service.answering = answer

    with pytest.raises(NotAllowedError, match="read a blob back"):
        failing().probe("contexts")

    written, removed = service.requests[0], service.requests[-1]
    assert (written.method, removed.method) == ("PUT", "DELETE")
    assert written.path == removed.path
    assert f"/contexts/{PROBE_PREFIX}" in written.path


def test_a_probe_whose_answer_was_lost_is_removed_all_the_same(service, failing):
    service.answering = lambda request: RESET if request.method == "PUT" else Answer(202, "", {"x-ms-request-id": "1"})

    with pytest.raises(UnreachableError) as caught:
        failing(deadline=4).probe("contexts")

    assert caught.value.code == "connection-lost"
    assert service.requests[-1].method == "DELETE"


def test_a_probe_that_was_refused_removes_nothing(service, failing):
    service.answer(refusal(403, "AuthorizationPermissionMismatch"))

    with pytest.raises(NotAllowedError):
        failing().probe("contexts")

    assert [request.method for request in service.requests] == ["PUT"]


def test_a_probe_that_can_t_be_removed_says_what_is_left(service, failing):
    kept = {}

    def answer(request):
        fields = {"x-ms-request-id": "1", "ETag": '"1"', "Content-Type": "application/octet-stream"}
        if request.method == "PUT":
            kept["body"] = request.content
            return Answer(201, "", fields)
        if request.method == "GET":
            length = len(kept["body"])
            return Answer(206, kept["body"], {**fields, "Content-Range": f"bytes 0-{length - 1}/{length}"})
        return refusal(409, "BlobImmutableDueToPolicy")

    service.answering = answer

    with pytest.raises(ConflictError) as caught:
        failing().probe("contexts")

    assert caught.value.code == "immutable"
    assert PROBE_PREFIX in caught.value.message


def test_what_is_read_back_differently_is_told(service, failing):
    fields = {"x-ms-request-id": "1", "ETag": '"1"', "Content-Range": "bytes 0-4/5", "Content-Type": "text/plain"}
    service.answering = lambda request: (
        Answer(206, "other", fields)
        if request.method == "GET"
        else Answer({"PUT": 201}.get(request.method, 202), "", fields)
    )

    with pytest.raises(ConflictError) as caught:
        failing().probe("contexts")

    assert caught.value.code == "changed-on-its-way"
    assert service.requests[-1].method == "DELETE"


def test_an_untrusted_certificate_is_told(service, failing):
    with pytest.raises(UnreachableError) as caught:
        failing(ca_bundle=None).container_exists("contexts")

    assert caught.value.code == "untrusted-certificate"
    assert service.requests == []


def test_a_proxy_that_can_t_be_used_is_told_without_its_password(failing, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:MARKED@127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(UnreachableError) as caught:
        failing(deadline=1).container_exists("contexts")

    assert caught.value.code == "proxy"
    assert MARK not in printed(caught.value, variables=True)


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=list(CLOUDS))
def test_an_account_whose_host_does_not_exist_is_not_there(cloud, monkeypatch):
    asked = []

    def no_such_host(host, *_arguments, **_options):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)

    with pytest.raises(NotFoundError) as caught:
        BlobStore(ACCOUNT, SecretValue(KEY), cloud=cloud).container_exists("contexts")

    assert asked == [f"{ACCOUNT}.{cloud.blob_suffix}"]
    assert caught.value.code == "no-such-account"
    assert f"storage account {ACCOUNT} not found" in caught.value.message


def test_a_name_service_that_does_not_answer_says_nothing_about_the_account(monkeypatch):
    def try_again(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", try_again)

    with pytest.raises(UnreachableError) as caught:
        BlobStore(ACCOUNT, SecretValue(KEY), deadline=1).container_exists("contexts")

    assert caught.value.code == "name-lookup"


@pytest.mark.parametrize("key", ["MARKED not base64", "", "MARKED=", "MÄRKED"])
def test_a_key_that_is_none_is_refused_without_showing_it(key):
    with pytest.raises(CredentialError) as caught:
        BlobStore(ACCOUNT, SecretValue(key))

    assert caught.value.code == "malformed-key"
    assert "az storage account keys list --account-name contosomldata" in caught.value.hint
    assert MARK not in printed(caught.value, variables=True)


def test_without_a_token_it_is_entra_id_that_is_blamed(failing, entra, credential):
    entra.answer(entra_error("7000222"), path=TOKENS)

    with pytest.raises(CredentialError) as caught:
        failing(credential=credential).container_exists("contexts")

    assert (caught.value.service, caught.value.code) == ("entra", "expired-secret")
    assert MARK not in printed(caught.value, variables=True)


def test_an_entra_id_that_hangs_is_blamed_and_not_the_account(service, failing, entra, bundle):
    entra.answer(HANG)
    slow = choose_credential(
        "secret",
        secret=ServicePrincipal(CLIENT_ID, SecretValue(CLIENT_SECRET), TENANT_ID),
        environ={},
        authority=entra.url,
        ca_bundle=bundle,
        deadline=2,
    ).credential
    start = time.monotonic()

    with pytest.raises(UnreachableError) as caught:
        failing(credential=slow, deadline=2).container_exists("contexts")

    assert time.monotonic() - start < 2.5
    assert caught.value.service == "entra"
    assert str(entra.port) in caught.value.message
    assert service.requests == []


def test_a_token_is_asked_for_storage(failing, entra, credential):
    failing(credential=credential).container_exists("contexts")

    assert entra.requests[-1].form()["scope"].split()[0] == STORAGE_SCOPE
