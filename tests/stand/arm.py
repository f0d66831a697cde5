"""A double for Azure Resource Manager: what a launch asks of it, with role-based access as the roles define it.

Each answer names the page of Azure's REST reference that it follows.
"""

from __future__ import annotations

import copy
import re
import threading
import uuid
from typing import TYPE_CHECKING, Any

from . import acr_tasks, refusals, roles
from .web import json_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .entra import Entra
    from .roles import Assignment
    from .web import Answer, Request

Resource = dict[str, Any]

_STORAGE = "Microsoft.Storage/storageAccounts"
_REGISTRY = "Microsoft.ContainerRegistry/registries"
_AUDIENCES = frozenset({"https://management.azure.com", "https://management.core.windows.net"})
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)")
_GROUP = re.compile(r"/subscriptions/[^/]+/resourceGroups/([^/]+)", re.IGNORECASE)
_ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments"
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")


class Arm:
    """Answers as management.azure.com does; tests set its state.

    Args:
        entra: Issued the tokens.
        keys: Returns a storage account's key by its name.

    """

    def __init__(self, entra: Entra, keys: Callable[[str], str]) -> None:
        self.assignments: list[Assignment] = []
        self.subscriptions: set[str] = set()
        self.resources: dict[str, Resource] = {}
        self.creation_polls = 1
        self.tasks: acr_tasks.Tasks | None = None
        self._entra = entra
        self._keys = keys
        self._operations: dict[str, tuple[int, str]] = {}
        self._lock = threading.RLock()

    def add_group(self, subscription: str, name: str, location: str = "northeurope") -> str:
        """Make a resource group, and its subscription where it is new; return its id."""
        self.subscriptions.add(subscription)
        known = {"subscriptionId": subscription, "displayName": "Test stand", "state": "Enabled"}
        self._put(f"/subscriptions/{subscription}", {"type": "Microsoft.Resources/subscriptions", **known})
        identifier = f"/subscriptions/{subscription}/resourceGroups/{name}"
        self._put(identifier, {"type": "Microsoft.Resources/resourceGroups", "location": location})
        return identifier

    def add_registry(self, group: str, name: str, *, abac: bool = False, location: str = "northeurope") -> str:
        """Make a registry in a group (by its id); return the registry's id."""
        mode = "AbacRepositoryPermissions" if abac else "LegacyRegistryPermissions"
        properties = {
            "loginServer": f"{name.lower()}.azurecr.io",
            "provisioningState": "Succeeded",
            "adminUserEnabled": False,
            "roleAssignmentMode": mode,
            "publicNetworkAccess": "Enabled",
        }
        sku = {"name": "Standard", "tier": "Standard"}
        identifier = f"{group}/providers/{_REGISTRY}/{name}"
        self._put(identifier, {"type": _REGISTRY, "location": location, "sku": sku, "properties": properties})
        return identifier

    def add_account(self, group: str, name: str, location: str = "northeurope") -> str:
        """Make a storage account in a group (by its id); return the account's id."""
        identifier = f"{group}/providers/{_STORAGE}/{name}"
        body = {"location": location, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
        self._put(identifier, _account(name, body))
        return identifier

    def assign(self, oid: str, role: str, scope: str) -> Assignment:
        """Give a principal a built-in role."""
        assignment = roles.Assignment(oid, role, scope)
        self.assignments = [*self.assignments, assignment]
        return assignment

    def revoke(self, oid: str, role: str | None = None) -> None:
        """Take one role from a principal, or all of them."""
        self.assignments = [one for one in self.assignments if one.oid != oid or role not in {None, one.role}]

    def find(self, kind: str, name: str) -> Resource | None:
        """Return a resource by its type and name, whatever group it is in."""
        with self._lock:
            for resource in self.resources.values():
                if resource["type"].lower() == kind.lower() and resource["name"].lower() == name.lower():
                    return resource
        return None

    def allows(self, oid: str, action: str, resource: str, *, data: bool = False) -> bool:
        """Tell whether a principal may do something on a resource."""
        return roles.allowed(self.assignments, oid, action, resource, data=data)

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        who = self._entra.claims(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if who is None or str(who["aud"]).rstrip("/") not in _AUDIENCES:
            # https://learn.microsoft.com/rest/api/gettingstarted/#authentication
            text = "The access token is invalid, has expired, or is meant for another audience."
            return refusals.arm(401, request, "InvalidAuthenticationToken", text)
        if not _VERSION.fullmatch(request.query.get("api-version", "")):
            # https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types
            text = "The api-version query parameter (?api-version=) is required for all requests."
            return refusals.arm(400, request, "MissingApiVersionParameter", text)
        subscription = _SUBSCRIPTION.match(request.path)
        if subscription and subscription[1] not in self.subscriptions:
            text = f"The subscription '{subscription[1]}' could not be found."
            return refusals.arm(404, request, "SubscriptionNotFound", text)
        with self._lock:
            return self._route(request, str(who["oid"]))

    def _route(self, request: Request, oid: str) -> Answer:
        path, method = request.path.rstrip("/"), request.method
        if "/asyncoperations/" in path:
            return self._operation(request, path)
        if path.endswith("/checkNameAvailability") and method == "POST":
            return self._name_availability(request)
        if method == "GET" and path.endswith(_ASSIGNMENTS):
            return self._role_assignments(request, oid, path.removesuffix(_ASSIGNMENTS))
        if method == "GET" and path.endswith((f"/{_STORAGE}", f"/{_REGISTRY}")):
            return self._list(path, oid)
        about_tasks = acr_tasks.needed(method, path)
        action, scope = about_tasks or _action(method, path)
        return (
            self._not_allowed(request, oid, action, scope)
            or self._no_group(request, path)
            or (about_tasks and self.tasks and self.tasks.answer(request, scope, oid))
            or self._on_resource(request, path, scope)
        )

    def _not_allowed(self, request: Request, oid: str, action: str, scope: str) -> Answer | None:
        # https://learn.microsoft.com/azure/role-based-access-control/troubleshooting
        if self.allows(oid, action, scope):
            return None
        text = (
            f"The client '{oid}' with object id '{oid}' does not have authorization to perform action '{action}' "
            f"over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
            "credentials."
        )
        return refusals.arm(403, request, "AuthorizationFailed", text)

    def _no_group(self, request: Request, path: str) -> Answer | None:
        # https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-not-found
        group = _GROUP.match(path)
        if group is None or group[0].lower() in self.resources:
            return None
        text = f"Resource group '{group[1]}' could not be found."
        return refusals.arm(404, request, "ResourceGroupNotFound", text)

    def _on_resource(self, request: Request, path: str, identifier: str) -> Answer:
        if request.method == "PUT" and f"/{_STORAGE}/".lower() in path.lower():
            return self._create_account(request, path)
        resource = self.resources.get(identifier.lower())
        if resource is None:
            group = _GROUP.match(path)
            text = (
                f"The Resource '{identifier.partition('/providers/')[2]}' under resource group "
                f"'{group[1] if group else ''}' was not found. For more details please go to "
                "https://aka.ms/ARMResourceNotFoundFix"
            )
            return refusals.arm(404, request, "ResourceNotFound", text)
        if request.method == "POST" and path.lower().endswith("/listkeys"):
            return self._list_keys(resource["name"])
        if request.method != "GET":
            text = f"The test stand does not know {request.method} for this resource."
            return refusals.arm(405, request, "MethodNotAllowed", text)
        # https://learn.microsoft.com/rest/api/resources/resource-groups/get ,
        # https://learn.microsoft.com/rest/api/resources/subscriptions/get ,
        # https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties ,
        # https://learn.microsoft.com/rest/api/containerregistry/registries/get
        return json_answer(200, resource)

    def _list(self, path: str, oid: str) -> Answer:
        # https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list ,
        # https://learn.microsoft.com/rest/api/containerregistry/registries/list : what the caller may read.
        scope, _, kind = path.partition("/providers/")
        value = [
            one
            for one in self.resources.values()
            if one["type"] == kind and roles.below(one["id"], scope) and self.allows(oid, f"{kind}/read", one["id"])
        ]
        return json_answer(200, {"value": value})

    def _list_keys(self, account: str) -> Answer:
        # https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-keys
        key = self._keys(account)
        made = "2026-01-01T00:00:00.0000000Z"
        keys = [
            {"creationTime": made, "keyName": name, "value": key, "permissions": "FULL"} for name in ("key1", "key2")
        ]
        return json_answer(200, {"keys": keys})

    def _name_availability(self, request: Request) -> Answer:
        # https://learn.microsoft.com/rest/api/storagerp/storage-accounts/check-name-availability
        name = str(request.json().get("name", ""))
        if f"/{_REGISTRY.partition('/')[0]}/".lower() in request.path.lower():
            # https://learn.microsoft.com/rest/api/containerregistry/registries/check-name-availability
            taken = self.find(_REGISTRY, name) is not None
            return json_answer(200, {"nameAvailable": not taken, **({"reason": "AlreadyExists"} if taken else {})})
        if not _ACCOUNT_NAME.fullmatch(name):
            text = (
                f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters "
                "in length and use numbers and lower-case letters only."
            )
            return json_answer(200, {"nameAvailable": False, "reason": "AccountNameInvalid", "message": text})
        if self.find(_STORAGE, name):
            text = f"The storage account named {name} is already taken."
            return json_answer(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": text})
        return json_answer(200, {"nameAvailable": True})

    def _create_account(self, request: Request, path: str) -> Answer:
        # https://learn.microsoft.com/rest/api/storagerp/storage-accounts/create
        name = path.rpartition("/")[2]
        body = request.json()
        if not _ACCOUNT_NAME.fullmatch(name):
            return refusals.arm(400, request, "AccountNameInvalid", f"{name} is not a valid storage account name.")
        for needed in ("location", "kind", "sku"):
            if not body.get(needed):
                text = f"The required property '{needed}' is missing from the request."
                return refusals.arm(400, request, "InvalidRequestContent", text)
        if body["kind"] == "Storage":
            text = "Creation of general-purpose v1 accounts is no longer supported. Use kind StorageV2."
            return refusals.arm(400, request, "AccountKindNotSupported", text)
        known = self.find(_STORAGE, name)
        if known is not None and known["id"].lower() != path.lower():
            text = f"The storage account named {name} is already taken."
            return refusals.arm(409, request, "StorageAccountAlreadyTaken", text)
        if known is not None:
            return json_answer(200, known)
        self._put(path, _account(name, body))
        subscription = path.split("/")[2]
        region = body["location"].replace(" ", "").lower()
        number = str(uuid.uuid4())
        self._operations[number] = (self.creation_polls, path)
        address = f"https://{request.host}/subscriptions/{subscription}/providers/Microsoft.Storage/locations/{region}"
        monitor = f"{address}/asyncoperations/{number}?monitor=true&api-version={request.query['api-version']}"
        # Azure asks for 17 s; a test has no such time.
        return json_answer(202, {}, location=monitor, retry_after="0")

    def _operation(self, request: Request, path: str) -> Answer:
        # https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
        number = path.rpartition("/")[2]
        if number not in self._operations:
            return refusals.arm(404, request, "OperationNotFound", "The operation could not be found.")
        polls, resource = self._operations[number]
        if polls > 0:
            self._operations[number] = (polls - 1, resource)
            return json_answer(202, {}, location=f"https://{request.host}{request.target}", retry_after="0")
        return json_answer(200, self.resources[resource.lower()])

    def _role_assignments(self, request: Request, oid: str, scope: str) -> Answer:
        # https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
        refused = self._not_allowed(request, oid, "Microsoft.Authorization/roleAssignments/read", scope)
        if refused is not None:
            return refused
        filtered = request.query.get("$filter", "")
        wanted = re.search(r"(?:principalId eq|assignedTo\()\s*'([^']+)'", filtered)
        found = [
            one
            for one in self.assignments
            if (one.covers(scope) or ("atScope()" not in filtered and roles.below(one.scope, scope)))
            and (wanted is None or one.oid == wanted[1])
        ]
        subscription = scope.split("/")[2]
        definitions = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions"
        value = [
            {
                "id": f"{one.scope}/providers/Microsoft.Authorization/roleAssignments/{one.name}",
                "name": one.name,
                "type": "Microsoft.Authorization/roleAssignments",
                "properties": {
                    "roleDefinitionId": f"{definitions}/{roles.ROLES[one.role].identifier}",
                    "principalId": one.oid,
                    "principalType": "ServicePrincipal",
                    "scope": one.scope,
                },
            }
            for one in found
        ]
        return json_answer(200, {"value": value})

    def _put(self, identifier: str, content: Resource) -> None:
        with self._lock:
            base = {"id": identifier, "name": identifier.rpartition("/")[2], "tags": {}}
            self.resources[identifier.lower()] = {**base, "properties": {"provisioningState": "Succeeded"}, **content}


def _action(method: str, path: str) -> tuple[str, str]:
    """Return the action that a call needs, and the resource that it is about."""
    before, _, after = path.rpartition("/")
    if after.lower() == "listkeys":
        return f"{_STORAGE}/listKeys/action", before
    verb = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}.get(method, "action")
    if "/providers/" in path:
        return "/".join([*path.partition("/providers/")[2].split("/")[:2], verb]), path
    if "/resourcegroups/" in path.lower():
        return f"Microsoft.Resources/subscriptions/resourceGroups/{verb}", path
    return f"Microsoft.Resources/subscriptions/{verb}", path


def _account(name: str, body: Resource) -> Resource:
    asked = copy.deepcopy(body.get("properties") or {})
    properties = {
        "provisioningState": "Succeeded",
        "primaryLocation": body["location"],
        "statusOfPrimary": "available",
        "supportsHttpsTrafficOnly": True,
        "allowBlobPublicAccess": False,
        "minimumTlsVersion": "TLS1_2",
        "primaryEndpoints": {"blob": f"https://{name}.blob.core.windows.net/"},
        **asked,
    }
    return {
        "type": _STORAGE,
        "location": body["location"],
        "kind": body["kind"],
        "sku": body["sku"],
        "tags": body.get("tags") or {},
        "properties": properties,
    }
