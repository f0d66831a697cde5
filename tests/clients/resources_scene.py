"""Azure Resource Manager: what their tests share."""

from __future__ import annotations

from tests.clients.azure_doubles import (
    SUBSCRIPTION_ID,
    Answer,
    Double,
    arm_error,
)

S = f"/subscriptions/{SUBSCRIPTION_ID}"


GROUP = f"{S}/resourceGroups/contoso-ml"


ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/contosomldata"


class Arm(Double):
    """Azure Resource Manager with one resource group, one registry, and Storage accounts as they are made."""

    def __init__(self, ca):
        super().__init__(ca, self.reply)
        self.accounts = {}
        self.taken = set()
        self.registries = [registry("contosoml")]
        self.replies = {}
        self.polls = 1

    def reply(self, request):
        for (method, end), answer in self.replies.items():
            if request.method == method and request.path.endswith(end):
                return answer
        for end, reply in {
            "/listKeys": self.keys,
            "Microsoft.Storage/checkNameAvailability": self.storage_name,
            "Microsoft.ContainerRegistry/checkNameAvailability": self.registry_name,
            "/registries": lambda _request: Answer(body={"value": self.registries}),
            "/roleAssignments": self.roles,
        }.items():
            if request.path.endswith(end):
                return reply(request)
        if "/storageAccounts/" in request.path:
            return self.account(request)
        if "/operations/" in request.path:
            self.polls -= 1
            return Answer(202, None, {"Retry-After": "0"}) if self.polls > 0 else self.finish(request)
        if request.path.lower() == GROUP.lower():
            return Answer(body={"id": GROUP, "name": "contoso-ml", "location": "northeurope", "properties": {}})
        return arm_error(404, "ResourceGroupNotFound")

    def account(self, request):
        name = request.path.rpartition("/")[2]
        if "/contoso-ml/" not in request.path:
            return arm_error(404, "ResourceGroupNotFound")
        if request.method == "PUT":
            self.accounts[name] = account_answer(name, request.json())
            self.accounts[name]["properties"]["provisioningState"] = "Creating"
            place = f"{self.url}{S}/providers/Microsoft.Storage/operations/{name}?api-version=2023-05-01"
            return Answer(202, None, {"Location": place, "Retry-After": "0"})
        if name not in self.accounts:
            return arm_error(404, "ResourceNotFound")
        return Answer(body=self.accounts[name])

    def finish(self, request):
        found = self.accounts[request.path.rpartition("/")[2]]
        found["properties"]["provisioningState"] = "Succeeded"
        return Answer(body=found)

    def keys(self, request):
        # https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-keys
        keys = [
            {"keyName": "key1", "permissions": "Read", "value": "MARKEDread"},
            {"keyName": "key2", "permissions": "Full", "value": "MARKEDkey"},
        ]
        return Answer(body={"keys": keys})

    def storage_name(self, request):
        name = request.json()["name"]
        if name in self.taken:
            return Answer(body={"nameAvailable": False, "reason": "AlreadyExists", "message": f"{name} is taken"})
        return Answer(body={"nameAvailable": True})

    def registry_name(self, request):
        return Answer(body={"nameAvailable": request.json()["name"] not in self.taken})

    def roles(self, request):
        # https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
        role = f"{S}/providers/Microsoft.Authorization/roleDefinitions/"
        found = [
            {"properties": {"roleDefinitionId": f"{role}ba92f5b4-2d11-453d-a403-e96b0029c9fe", "scope": ACCOUNT}},
            {
                "properties": {
                    "roleDefinitionId": f"{role}12345678-0000-0000-0000-000000000000",
                    "scope": S,
                    "condition": "x",
                }
            },
        ]
        return Answer(body={"value": found})


def account_answer(name, body=None):
    """Return a Storage account. https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties."""
    body = body or {"kind": "StorageV2", "location": "northeurope", "sku": {"name": "Standard_LRS"}, "properties": {}}
    return {
        "id": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{name}",
        "name": name,
        **body,
        "properties": {
            "provisioningState": "Succeeded",
            "primaryEndpoints": {"blob": f"https://{name}.blob.core.windows.net/"},
            **body["properties"],
        },
    }


def registry(name, **properties):
    """Return a registry. https://learn.microsoft.com/rest/api/containerregistry/registries/list."""
    return {
        "id": f"{S}/resourceGroups/images/providers/Microsoft.ContainerRegistry/registries/{name}",
        "name": name,
        "location": "westeurope",
        "sku": {"name": "Basic"},
        "properties": {"loginServer": f"{name}.azurecr.io", "adminUserEnabled": False, **properties},
    }
