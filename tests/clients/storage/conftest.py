"""Blob Storage: the fixtures of their tests."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

import pytest

from fairing_az_jupyter.clients.azure.blob.storage import BlobStore
from fairing_az_jupyter.clients.azure.credentials import ServicePrincipal, choose_credential
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.fairing import job_program
from fairing_az_jupyter.fairing.job_program.job import CONTAINER_FILES
from tests.clients.azure_scene import CLIENT_ID, CLIENT_SECRET, TENANT_ID
from tests.clients.job_files_scene import CONTAINER, Job
from tests.clients.storage_scene import ACCOUNT, KEY
from tests.stand.blob import Blob
from tests.stand.fixtures import all_there
from tests.stand.scripted import Scripted
from tests.stand.web import Answer


@pytest.fixture(scope="session")
def blobs(authority, servers_guard, tmp_path_factory):
    """Start Azurite; return the URL of its one account's blobs."""
    with all_there():
        azurite = Blob(authority, tmp_path_factory.mktemp("azurite") / "data", servers_guard, {ACCOUNT: KEY})
    yield azurite.account_url(ACCOUNT)
    azurite.close()


@pytest.fixture
def credential(entra, bundle):
    return choose_credential(
        "secret",
        secret=ServicePrincipal(CLIENT_ID, SecretValue(CLIENT_SECRET), TENANT_ID),
        environ={},
        authority=entra.url,
        ca_bundle=bundle,
    ).credential


@pytest.fixture(params=["token", "key"])
def store(request, blobs, bundle):
    signer = SecretValue(KEY) if request.param == "key" else request.getfixturevalue("credential")
    with_names = {"assignee": CLIENT_ID}
    store = BlobStore(blobs, signer, ca_bundle=bundle, names=with_names)
    yield store
    store.close()


@pytest.fixture
def service(authority):
    with Scripted(lambda _request: Answer(200, "", {"x-ms-request-id": "1"}), authority) as server:
        yield server


@pytest.fixture
def failing(service, bundle):
    """Return a store on the server that answers as it is told."""

    def make(**options):
        names = {"assignee": CLIENT_ID, "scope": "/subscriptions/S/storage"}
        options = {"credential": SecretValue(KEY), "ca_bundle": bundle, "names": names, **options}
        return BlobStore(f"{service.url}/{ACCOUNT}", **options)

    return make


@pytest.fixture
def storage(blobs, bundle):
    store = BlobStore(blobs, SecretValue(KEY), ca_bundle=bundle)
    store.ensure_container(CONTAINER)
    yield store
    store.close()


@pytest.fixture
def job(storage, bundle, tmp_path):
    folder, links = tmp_path / "app", tmp_path / "links"
    folder.mkdir()
    links.mkdir()
    here = Path(job_program.__file__).parent
    for source, name in CONTAINER_FILES.items():
        shutil.copy(here / source, folder / name)
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    environ |= {"SSL_CERT_FILE": bundle, "PYTHONUNBUFFERED": "1"}
    found = Job(storage, folder, links, f"fairing-job-{secrets.token_hex(4)}", environ)
    found.link("files.tar")
    found.link("manifest.json")
    (links / "key").write_text("0123456789abcdef")
    return found
