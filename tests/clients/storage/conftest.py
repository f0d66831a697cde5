"""Blob Storage: the fixtures of their tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time

import pytest
import trustme

from fairing_az_jupyter.clients.azure.blob.storage import BlobStore
from fairing_az_jupyter.clients.azure.credentials import ServicePrincipal, choose_credential
from fairing_az_jupyter.clients.secret_values import SecretValue
from tests.clients.azure_doubles import (
    CLIENT_ID,
    CLIENT_SECRET,
    TENANT_ID,
    Answer,
    Double,
    EntraDouble,
)
from tests.clients.storage_scene import ACCOUNT, KEY
from tests.stand.binaries import MissingError, azurite


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
def service(ca):
    double = Double(ca, lambda _request: Answer(200, "", {"x-ms-request-id": "1"}))
    yield double
    double.close()


@pytest.fixture
def failing(service, bundle):
    """Return a store on the server that answers as it is told."""

    def make(**options):
        names = {"assignee": CLIENT_ID, "scope": "/subscriptions/S/storage"}
        options = {"credential": SecretValue(KEY), "ca_bundle": bundle, "names": names, **options}
        return BlobStore(f"{service.url}/{ACCOUNT}", **options)

    return make
