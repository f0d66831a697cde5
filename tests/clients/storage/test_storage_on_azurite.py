"""What Blob Storage is asked, against a real Azurite over TLS, and against a server that fails as it is told."""

from __future__ import annotations

import base64
import io
import logging
import ssl
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from fairing_az_jupyter.clients.azure.blob.storage import BlobStore
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
)
from tests.clients.storage_scene import KEY, blob_names
from tests.marked import MARK


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


def test_a_probe_of_a_container_that_is_not_there_says_so(store):
    with pytest.raises(NotFoundError) as caught:
        store.probe("no-such-container")

    assert "the container does not exist" in caught.value.message
    assert "'no-such-container' of the storage account 'contosomldata'" in caught.value.message
    assert "az storage container create --account-name contosomldata" in caught.value.hint


def test_a_name_that_azure_does_not_accept_is_told(store):
    with pytest.raises(ServiceError) as caught:
        store.ensure_container("Not A Name")

    assert "Not A Name" in caught.value.message


def test_a_link_reads_its_blob_and_nothing_else(store, bundle):
    container = f"linked-{time.time_ns()}"
    store.ensure_container(container)
    client = store._client().get_container_client(container)  # noqa: SLF001
    client.upload_blob("folder/context ä.tar.gz", b"content")
    client.upload_blob("other", b"other")

    link = store.read_sas(container, "folder/context ä.tar.gz")

    context = ssl.create_default_context(cafile=bundle)
    with urlopen(link.reveal(), context=context, timeout=10) as answer:
        assert answer.read() == b"content"
    for method, url in (
        ("PUT", link.reveal()),
        ("DELETE", link.reveal()),
        ("GET", link.reveal().replace("folder/context%20%C3%A4.tar.gz", "other")),
    ):
        wrong = Request(
            url, method=method, data=b"x" if method == "PUT" else None, headers={"x-ms-blob-type": "BlockBlob"}
        )
        with pytest.raises(HTTPError) as caught:
            urlopen(wrong, context=context, timeout=10)
        assert caught.value.code == 403
        caught.value.close()
    assert "sig" not in repr(link)


@pytest.mark.parametrize("hours", [0, -1, 24 * 8])
def test_a_link_that_is_too_short_or_too_long_is_refused(store, hours):
    with pytest.raises(ValueError, match="hours"):
        store.read_sas("container", "blob", hours)


def test_a_wrong_account_key_is_no_matter_of_permission(blobs, bundle):
    other = SecretValue(base64.b64encode(b"other" * 10).decode())

    with pytest.raises(CredentialError, match="'any' in the storage account 'contosomldata'"):
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
