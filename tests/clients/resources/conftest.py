"""Azure Resource Manager: the fixtures of their tests."""

from __future__ import annotations

import pytest
import trustme

from fairing_az_jupyter.clients.azure.credentials import ServicePrincipal, choose_credential
from fairing_az_jupyter.clients.azure.resources import ResourceManager
from fairing_az_jupyter.clients.secret_values import SecretValue
from tests.clients.azure_doubles import (
    CLIENT_ID,
    CLIENT_SECRET,
    SUBSCRIPTION_ID,
    TENANT_ID,
    EntraDouble,
)
from tests.clients.resources_scene import Arm


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture
def bundle(ca, tmp_path):
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def entra(ca):
    double = EntraDouble(ca)
    yield double
    double.close()


@pytest.fixture
def arm(ca):
    double = Arm(ca)
    yield double
    double.close()


@pytest.fixture
def manager(arm, entra, bundle):
    made = []

    def make(**options):
        credential = choose_credential(
            "secret",
            secret=ServicePrincipal(CLIENT_ID, SecretValue(CLIENT_SECRET), TENANT_ID),
            environ={},
            authority=entra.url,
            ca_bundle=bundle,
        ).credential
        options = {"endpoint": arm.url, "ca_bundle": bundle, "assignee": CLIENT_ID, **options}
        made.append(ResourceManager(credential, SUBSCRIPTION_ID, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
