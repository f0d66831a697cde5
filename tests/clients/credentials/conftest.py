"""Credentials, and what Entra ID answers: the fixtures of their tests."""

from __future__ import annotations

import json
import time

import pytest
import trustme

from fairing_az_jupyter.clients.azure.credentials import (
    choose_credential,
)
from tests.clients.azure_doubles import (
    SUBSCRIPTION_ID,
    TENANT_ID,
    EntraDouble,
)
from tests.clients.credentials_scene import principal


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture
def entra(ca):
    double = EntraDouble(ca)
    yield double
    double.close()


@pytest.fixture
def bundle(ca, tmp_path):
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def choose(entra, bundle):
    def make(kind="secret", secret=None, environ=None, **options):
        return choose_credential(
            kind,
            secret=principal() if secret is None and kind == "secret" else secret,
            environ=environ or {"PATH": ""},
            authority=options.pop("authority", entra.url),
            ca_bundle=options.pop("ca_bundle", bundle),
            **options,
        )

    return make


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "azure-identity-token"
    path.write_text("header.MARKEDassertion.signature")
    return path


@pytest.fixture
def cli(tmp_path):
    """Return the environment of somebody who has an Azure CLI that is logged in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "az"
    answer = json.dumps({"accessToken": "header.e30.MARKEDsignature", "expires_on": int(time.time()) + 3600})
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    profile = {"subscriptions": [{"id": "other"}, {"id": SUBSCRIPTION_ID, "tenantId": TENANT_ID, "isDefault": True}]}
    (tmp_path / "azureProfile.json").write_text(json.dumps(profile), encoding="utf-8-sig")
    return {"PATH": str(folder), "AZURE_CONFIG_DIR": str(tmp_path)}
