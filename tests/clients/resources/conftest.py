"""Azure Resource Manager: the fixtures of their tests."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.azure.credentials import ServicePrincipal, choose_credential
from fairing_az_jupyter.clients.azure.resources import ResourceManager
from fairing_az_jupyter.clients.secret_values import SecretValue
from tests.clients.azure_scene import CLIENT_ID, CLIENT_SECRET, OBJECT_ID, SUBSCRIPTION_ID, TENANT_ID
from tests.clients.resources_scene import S
from tests.stand.arm import Arm
from tests.stand.scripted import Scripted


@pytest.fixture
def azure(directory):
    """Azure Resource Manager with a resource group, a registry in another, and an application that may use both."""
    made = Arm(directory, lambda _account: "MARKEDkey")
    made.add_group(SUBSCRIPTION_ID, "contoso-ml")
    made.add_registry(made.add_group(SUBSCRIPTION_ID, "images"), "contosoml", location="westeurope")
    made.assign(OBJECT_ID, "Contributor", S)
    return made


@pytest.fixture
def arm(azure, authority):
    """The address of Azure Resource Manager, where faults can be put before it."""
    with Scripted(azure.answer, authority) as front:
        yield front


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
