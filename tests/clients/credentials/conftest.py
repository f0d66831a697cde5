"""Credentials, and what Entra ID answers: the fixtures of their tests."""

from __future__ import annotations

import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fairing_az_jupyter.clients.azure.credentials import (
    choose_credential,
)
from tests.clients.azure_scene import CLIENT_ID, SUBSCRIPTION_ID, TENANT_ID
from tests.clients.credentials_scene import principal


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
def token_file(tmp_path, directory):
    """The token of a service account that the application trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    trusted = issuer, subject, audience = (
        "https://oidc.example",
        "system:serviceaccount:team-a:x",
        "api://AzureADTokenExchange",
    )
    directory.issuer_key = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    directory.apps[CLIENT_ID].federated.add(trusted)
    claims = {"iss": issuer, "sub": subject, "aud": [audience], "exp": int(time.time()) + 3600}
    path = tmp_path / "azure-identity-token"
    path.write_text(jwt.encode(claims, key, algorithm="ES256"))
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
