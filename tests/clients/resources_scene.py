"""Azure Resource Manager: what their tests share."""

from __future__ import annotations

from tests.clients.azure_scene import SUBSCRIPTION_ID

S = f"/subscriptions/{SUBSCRIPTION_ID}"
GROUP = f"{S}/resourceGroups/contoso-ml"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/contosomldata"
REGISTRY = f"{S}/resourceGroups/images/providers/Microsoft.ContainerRegistry/registries/contosoml"
ELSEWHERE = "99999999-3333-3333-3333-333333333333"
"""A subscription in which the application has no role."""


def registry(name, **properties):
    """Return a registry. https://learn.microsoft.com/rest/api/containerregistry/registries/list."""
    return {
        "id": f"{S}/resourceGroups/images/providers/Microsoft.ContainerRegistry/registries/{name}",
        "name": name,
        "location": "westeurope",
        "sku": {"name": "Basic"},
        "properties": {"loginServer": f"{name}.azurecr.io", "adminUserEnabled": False, **properties},
    }
