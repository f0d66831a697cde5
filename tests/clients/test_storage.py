"""What Blob Storage is asked, against a real Azurite over TLS, and against a server that fails as it is told."""

from __future__ import annotations

import base64
import io
import logging
import os
import signal
import socket
import ssl
import subprocess
import time
from email.utils import formatdate
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import trustme

from fairing_az_jupyter.clients.azure.clouds import CLOUDS, STORAGE_SCOPE
from fairing_az_jupyter.clients.credentials import ServicePrincipal, choose_credential
from fairing_az_jupyter.clients.hidden import Hidden
from fairing_az_jupyter.clients.storage import PROBE_PREFIX, BlobStore
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from tests.clients.azure_doubles import (
    CLIENT_ID,
    CLIENT_SECRET,
    DRIP,
    HANG,
    MARK,
    PAGE,
    RESET,
    TENANT_ID,
    Answer,
    Double,
    EntraDouble,
    entra_error,
    everything_of,
)
from tests.stand.binaries import MissingError, azurite

ACCOUNT = "contosomldata"
# The mark is at the place of a whole number of base64's groups, so that the key has it too.
KEY = base64.b64encode(base64.b64decode("MARKEDkey+MARKEDkey/") + bytes(49)).decode()


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(ca, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="module")
def blobs(ca, tmp_path_factory):
    """Start Azurite; return the URL of its one account's blobs."""
    try:
        node, script = azurite()
    except MissingError as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"Azurite is needed, and npm to install it: {missing}")
    folder = tmp_path_factory.mktemp("azurite")
    pair = ca.issue_cert("127.0.0.1", "localhost")
    pair.private_key_pem.write_to_path(str(folder / "key.pem"))
    pair.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(str(node), str(script), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)),
        *("--oauth", "basic", "--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")),
        *("--silent", "--disableTelemetry", "--skipApiVersionCheck"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"},
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < end, "Azurite did not start within a minute"
                time.sleep(0.1)
        yield f"https://127.0.0.1:{port}/{ACCOUNT}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


@pytest.fixture
def entra(ca):
    double = EntraDouble(ca)
    yield double
    double.close()


@pytest.fixture
def credential(entra, bundle):
    return choose_credential(
        "secret",
        secret=ServicePrincipal(CLIENT_ID, Hidden(CLIENT_SECRET), TENANT_ID),
        environ={},
        authority=entra.url,
        ca_bundle=bundle,
    ).credential


@pytest.fixture(params=["token", "key"])
def store(request, blobs, bundle):
    signer = Hidden(KEY) if request.param == "key" else request.getfixturevalue("credential")
    with_names = {"assignee": CLIENT_ID}
    store = BlobStore(blobs, signer, ca_bundle=bundle, names=with_names)
    yield store
    store.close()


@pytest.fixture
def service(ca):
    double = Double(ca, lambda _request: Answer(200, "", {"x-ms-request-id": "1"}))
    yield double
    double.close()


@pytest.fixture
def failing(service, bundle):
    """Return a store on the server that answers as it is told."""

    def make(**options):
        names = {"assignee": CLIENT_ID, "scope": "/subscriptions/S/storage"}
        options = {"credential": Hidden(KEY), "ca_bundle": bundle, "names": names, **options}
        return BlobStore(f"{service.url}/{ACCOUNT}", **options)

    return make


def refusal(status, code, **headers):
    """Return an error answer as Blob Storage gives it.

    Source: https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2.
    """
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>MARKED text\nRequestId:1</Message></Error>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {"x-ms-request-id": "1", "x-ms-error-code": code, "Content-Type": "application/xml", **named}
    return Answer(status, body, fields)


# --- on Azurite


def test_a_container_is_made_once_and_then_there(store, request):
    name = f"made-{time.time_ns()}"

    assert store.container_exists(name) is False
    assert store.ensure_container(name) is True
    assert store.ensure_container(name) is False
    assert store.container_exists(name) is True


def test_a_probe_leaves_nothing_behind(store):
    name = f"probed-{time.time_ns()}"
    store.ensure_container(name)

    store.probe(name)

    assert blob_names(store, name) == []


def blob_names(store, container):
    return [blob.name for blob in store._client().get_container_client(container).list_blobs()]  # noqa: SLF001


def test_a_probe_of_a_container_that_is_not_there_says_so(store):
    with pytest.raises(NotFoundError) as caught:
        store.probe("no-such-container")

    assert "there is no such container" in caught.value.message
    assert "'no-such-container' of the Storage account 'contosomldata'" in caught.value.message
    assert "az storage container create --account-name contosomldata" in caught.value.hint


def test_a_name_that_azure_does_not_accept_is_told(store):
    with pytest.raises(ServiceError) as caught:
        store.ensure_container("Not A Name")

    assert "Not A Name" in caught.value.message


def test_a_link_reads_its_blob_and_nothing_else(store, ca, bundle):
    container = f"linked-{time.time_ns()}"
    store.ensure_container(container)
    client = store._client().get_container_client(container)  # noqa: SLF001
    client.upload_blob("folder/context ä.tar.gz", b"content")
    client.upload_blob("other", b"other")

    link = store.read_sas(container, "folder/context ä.tar.gz")

    context = ssl.create_default_context(cafile=bundle)
    with urlopen(link.reveal(), context=context, timeout=10) as answer:  # noqa: S310
        assert answer.read() == b"content"
    for method, url in (
        ("PUT", link.reveal()),
        ("DELETE", link.reveal()),
        ("GET", link.reveal().replace("folder/context%20%C3%A4.tar.gz", "other")),
    ):
        wrong = Request(  # noqa: S310
            url, method=method, data=b"x" if method == "PUT" else None, headers={"x-ms-blob-type": "BlockBlob"}
        )
        with pytest.raises(HTTPError) as caught:
            urlopen(wrong, context=context, timeout=10)  # noqa: S310
        assert caught.value.code == 403
        caught.value.close()
    assert "sig" not in repr(link)


@pytest.mark.parametrize("hours", [0, -1, 24 * 8])
def test_a_link_that_is_too_short_or_too_long_is_refused(store, hours):
    with pytest.raises(ValueError, match="hours"):
        store.read_sas("container", "blob", hours)


def test_a_wrong_account_key_is_no_matter_of_permission(blobs, bundle):
    other = Hidden(base64.b64encode(b"other" * 10).decode())

    with pytest.raises(CredentialError, match="'any' in the Storage account 'contosomldata'"):
        BlobStore(blobs, other, ca_bundle=bundle).container_exists("any")


def test_a_token_for_another_service_is_refused(blobs, bundle, entra, credential):
    class ForArm:
        def get_token(self, *_scopes, **options):
            return credential.get_token("https://management.azure.com/.default", **options)

    with pytest.raises((CredentialError, NotAllowedError)):
        BlobStore(blobs, ForArm(), ca_bundle=bundle).container_exists("any")


def test_no_key_and_no_token_reaches_a_log_at_any_level(store, entra):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        store.ensure_container("logged")
        store.probe("logged")
        link = store.read_sas("logged", "blob").reveal()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    assert "/logged" in written.getvalue()
    assert MARK not in written.getvalue()
    assert KEY not in written.getvalue()
    assert link.partition("sig=")[2] not in written.getvalue()
    assert "Bearer ey" not in written.getvalue()


# --- on a server that fails


@pytest.mark.parametrize(
    ("status", "code", "error", "ours", "told", "cure"),
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
        (403, "AuthenticationFailed", CredentialError, "credential", "signed with", "renewed"),
        (401, "InvalidAuthenticationInfo", CredentialError, "credential", "token", "az account show"),
        (404, "ContainerNotFound", NotFoundError, "not-found", "no such container", "container create"),
        (409, "ContainerBeingDeleted", ConflictError, "being-deleted", "deleted", "minute"),
        (400, "InvalidResourceName", ConflictError, "bad-name", "name", "lower-case"),
        (403, "SomethingNew", NotAllowedError, "not-allowed", "may not", "role assignment list"),
        (418, "SomethingNew", ConflictError, "conflict", "SomethingNew", ""),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_type(service, failing, status, code, error, ours, told, cure):
    service.always = refusal(status, code)

    with pytest.raises(error) as caught:
        failing().ensure_container("contexts")

    assert (caught.value.code, caught.value.status, caught.value.service) == (ours, status, "blob")
    assert told in caught.value.message
    assert "'contexts' in the Storage account 'contosomldata'" in caught.value.message
    assert cure in caught.value.hint
    assert MARK not in everything_of(caught.value)


def test_the_role_s_command_names_the_identity_and_the_account(service, failing):
    service.always = refusal(403, "AuthorizationPermissionMismatch")

    with pytest.raises(NotAllowedError) as caught:
        failing().probe("contexts")

    assert (
        f'az role assignment create --assignee {CLIENT_ID} --role "Storage Blob Data Contributor" '
        "--scope /subscriptions/S/storage"
    ) in caught.value.hint


@pytest.mark.parametrize(("offset", "side"), [(1200, "behind"), (-1200, "ahead of")])
def test_a_clock_that_is_wrong_is_told_instead_of_a_wrong_key(service, failing, offset, side):
    service.always = refusal(403, "AuthenticationFailed", Date=formatdate(time.time() + offset, usegmt=True))

    with pytest.raises(CredentialError) as caught:
        failing().container_exists("contexts")

    assert caught.value.code == "clock-skew"
    assert f"clock is 20 min {side} Azure's" in caught.value.message


def test_a_role_that_is_missing_is_no_matter_of_clocks(service, failing):
    service.always = refusal(403, "AuthorizationPermissionMismatch", Date=formatdate(time.time() + 1200, usegmt=True))

    with pytest.raises(NotAllowedError) as caught:
        failing().container_exists("contexts")

    assert caught.value.code == "no-data-role"


@pytest.mark.parametrize(
    "page", [PAGE, Answer(403, PAGE.body, PAGE.headers), Answer(200, "MARKED"), Answer(404, "MARKED"), Answer(302)]
)
def test_a_proxy_s_answer_is_never_taken_for_a_container(service, failing, page):
    service.always = page

    for ask in (BlobStore.container_exists, BlobStore.ensure_container, BlobStore.probe):
        with pytest.raises(UnreachableError) as caught:
            ask(failing(), "contexts")
        assert caught.value.code == "not-the-service"
        assert "proxy" in caught.value.message + caught.value.hint
        assert MARK not in everything_of(caught.value)


def test_a_busy_account_is_asked_again_as_it_said(service, failing):
    service.faults = [refusal(429, "TooManyRequests", Retry_After="1"), refusal(503, "ServerBusy")]
    start = time.monotonic()

    assert failing().container_exists("contexts") is True
    assert 1 <= time.monotonic() - start < 4
    assert len(service.requests) == 3


def test_a_wait_beyond_the_deadline_is_not_waited_for(service, failing):
    service.always = refusal(429, "TooManyRequests", Retry_After="60")
    start = time.monotonic()

    with pytest.raises(ThrottledError):
        failing().container_exists("contexts")

    assert time.monotonic() - start < 2


@pytest.mark.parametrize("fault", [RESET, refusal(500, "InternalError"), refusal(503, "ServerBusy")])
def test_a_passing_failure_is_tried_again(service, failing, fault):
    service.faults = [fault]

    assert failing().container_exists("contexts") is True


def test_a_container_that_was_made_although_the_answer_was_lost_counts_as_there(service, failing):
    service.faults = [RESET]
    service.answer = lambda _request: refusal(409, "ContainerAlreadyExists")

    assert failing().ensure_container("contexts") is False


@pytest.mark.parametrize("fault", [HANG, DRIP])
def test_the_deadline_is_kept_whatever_hangs(service, failing, fault):
    service.always = fault
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

    service.answer = answer

    with pytest.raises(NotAllowedError, match="read a blob back"):
        failing().probe("contexts")

    written, removed = service.requests[0], service.requests[-1]
    assert (written.method, removed.method) == ("PUT", "DELETE")
    assert written.path == removed.path
    assert f"/contexts/{PROBE_PREFIX}" in written.path


def test_a_probe_whose_answer_was_lost_is_removed_all_the_same(service, failing):
    service.answer = lambda request: RESET if request.method == "PUT" else Answer(202, "", {"x-ms-request-id": "1"})

    with pytest.raises(UnreachableError) as caught:
        failing(deadline=4).probe("contexts")

    assert caught.value.code == "connection-lost"
    assert service.requests[-1].method == "DELETE"


def test_a_probe_that_was_refused_removes_nothing(service, failing):
    service.always = refusal(403, "AuthorizationPermissionMismatch")

    with pytest.raises(NotAllowedError):
        failing().probe("contexts")

    assert [request.method for request in service.requests] == ["PUT"]


def test_a_probe_that_can_t_be_removed_says_what_is_left(service, failing):
    kept = {}

    def answer(request):
        fields = {"x-ms-request-id": "1", "ETag": '"1"', "Content-Type": "application/octet-stream"}
        if request.method == "PUT":
            kept["body"] = request.body
            return Answer(201, "", fields)
        if request.method == "GET":
            length = len(kept["body"])
            return Answer(206, kept["body"], {**fields, "Content-Range": f"bytes 0-{length - 1}/{length}"})
        return refusal(409, "BlobImmutableDueToPolicy")

    service.answer = answer

    with pytest.raises(ConflictError) as caught:
        failing().probe("contexts")

    assert caught.value.code == "immutable"
    assert PROBE_PREFIX in caught.value.message


def test_what_is_read_back_differently_is_told(service, failing):
    fields = {"x-ms-request-id": "1", "ETag": '"1"', "Content-Range": "bytes 0-4/5", "Content-Type": "text/plain"}
    service.answer = lambda request: (
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
    assert MARK not in everything_of(caught.value)


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=list(CLOUDS))
def test_an_account_whose_host_does_not_exist_is_not_there(cloud, monkeypatch):
    asked = []

    def no_such_host(host, *_arguments, **_options):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)

    with pytest.raises(NotFoundError) as caught:
        BlobStore(ACCOUNT, Hidden(KEY), cloud=cloud).container_exists("contexts")

    assert asked == [f"{ACCOUNT}.{cloud.blob_suffix}"]
    assert caught.value.code == "no-such-account"
    assert f"there is no Storage account {ACCOUNT}" in caught.value.message


def test_a_name_service_that_does_not_answer_says_nothing_about_the_account(monkeypatch):
    def try_again(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", try_again)

    with pytest.raises(UnreachableError) as caught:
        BlobStore(ACCOUNT, Hidden(KEY), deadline=1).container_exists("contexts")

    assert caught.value.code == "name-lookup"


@pytest.mark.parametrize("key", ["MARKED not base64", "", "MARKED=", "MÄRKED"])
def test_a_key_that_is_none_is_refused_without_showing_it(key):
    with pytest.raises(CredentialError) as caught:
        BlobStore(ACCOUNT, Hidden(key))

    assert caught.value.code == "malformed-key"
    assert "az storage account keys list --account-name contosomldata" in caught.value.hint
    assert MARK not in everything_of(caught.value)


def test_without_a_token_it_is_entra_id_that_is_blamed(failing, entra, credential):
    entra.refusal = entra_error("7000222")

    with pytest.raises(CredentialError) as caught:
        failing(credential=credential).container_exists("contexts")

    assert (caught.value.service, caught.value.code) == ("entra", "expired-secret")
    assert MARK not in everything_of(caught.value)


def test_an_entra_id_that_hangs_is_blamed_and_not_the_account(service, failing, entra, bundle):
    entra.always = HANG
    slow = choose_credential(
        "secret",
        secret=ServicePrincipal(CLIENT_ID, Hidden(CLIENT_SECRET), TENANT_ID),
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
