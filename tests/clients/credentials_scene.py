"""Credentials, and what Entra ID answers: what their tests share."""

from __future__ import annotations

from fairing_az_jupyter.clients.azure.clouds import CLOUDS
from fairing_az_jupyter.clients.azure.credentials import (
    ServicePrincipal,
)
from fairing_az_jupyter.clients.secret_values import SecretValue
from tests.clients.azure_scene import CLIENT_ID, CLIENT_SECRET, SUBSCRIPTION_ID, TENANT_ID

SCOPE = CLOUDS["AzurePublicCloud"].arm_scope


def principal(**changes):
    values = {
        "client_id": CLIENT_ID,
        "client_secret": SecretValue(CLIENT_SECRET),
        "tenant_id": TENANT_ID,
        "subscription_id": SUBSCRIPTION_ID,
    }
    return ServicePrincipal(**{**values, **changes})


def secret_data(**changes):
    values = {
        "AZ_CLIENT_ID": CLIENT_ID,
        "AZ_CLIENT_SECRET": CLIENT_SECRET,
        "AZ_TENANT_ID": TENANT_ID,
        "AZ_SUBSCRIPTION_ID": SUBSCRIPTION_ID,
        **changes,
    }
    return {key: SecretValue(value) for key, value in values.items() if value is not None}


def workload(token_file):
    return {
        "AZURE_CLIENT_ID": CLIENT_ID,
        "AZURE_TENANT_ID": TENANT_ID,
        "AZURE_FEDERATED_TOKEN_FILE": str(token_file),
    }
