"""What Azure Resource Manager tells of resources and roles, as plain facts.

Sources: the answers in https://learn.microsoft.com/rest/api/resources/resource-groups/get,
https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties,
https://learn.microsoft.com/rest/api/containerregistry/registries/list and
https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ROLES",
    "NameAnswer",
    "Registry",
    "ResourceGroup",
    "RoleAssignment",
    "StorageAccount",
    "registry_facts",
    "resource_group_facts",
    "role_assignment_facts",
    "storage_account_facts",
]

ROLES: Mapping[str, str] = MappingProxyType(
    {
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
        "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
        "acdd72a7-3385-48ef-bd42-f606fba81ae7": "Reader",
        "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
        "8311e382-0749-4cb8-b61a-304f252e45ec": "AcrPush",
        "b93aa761-3e63-49ed-ac28-beffa264f7ac": "Container Registry Repository Reader",
        "2a1e307c-b015-4ebd-883e-5b7698a07328": "Container Registry Repository Writer",
        "2efddaa5-3f1f-4df3-97df-af3f13818f4c": "Container Registry Repository Contributor",
        "fb382eab-e894-4461-af04-94435c366c3f": "Container Registry Tasks Contributor",
        "17d1049b-9a84-46fb-8f53-869881c3d3ab": "Storage Account Contributor",
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    }
)
"""The names of the built-in roles that matter here, by their ids.

Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles.
"""

_GROUP = re.compile(r"/resourceGroups/([^/]+)", re.IGNORECASE)


@dataclass(frozen=True)
class ResourceGroup:
    """A resource group.

    Args:
        id: Its resource id.
        name: Its name.
        location: The region that it is in.

    """

    id: str
    name: str
    location: str


@dataclass(frozen=True)
class StorageAccount:
    """A Storage account.

    Args:
        id: Its resource id.
        name: Its name.
        location: The region that it is in.
        kind: Such as StorageV2; `Storage` is the first generation, which Azure is ending.
        sku: Such as Standard_LRS.
        https_only: Whether it is reached by HTTPS only.
        minimum_tls: Such as TLS1_2.
        shared_key_access: Whether its keys are accepted.
        network_default_action: `Allow`, or `Deny` where only the networks named in its rules get in.
        public_network_access: `Enabled`, `Disabled` (private endpoints only) or `SecuredByPerimeter`.
        public_blob_access: Whether containers may be made readable by anybody.
        hierarchical: Whether it has a hierarchical namespace (Data Lake).
        blob_endpoint: The URL of its blobs, without a slash at its end.
        provisioning_state: `Succeeded` when it can be used.

    """

    id: str
    name: str
    location: str
    kind: str
    sku: str
    https_only: bool
    minimum_tls: str
    shared_key_access: bool
    network_default_action: str
    public_network_access: str
    public_blob_access: bool
    hierarchical: bool
    blob_endpoint: str
    provisioning_state: str

    @property
    def resource_group(self) -> str:
        """The resource group that it is in."""
        return _group(self.id)


@dataclass(frozen=True)
class Registry:
    """A container registry.

    Args:
        id: Its resource id.
        name: Its name.
        login_server: The host that images are pushed to.
        location: The region that it is in.
        resource_group: The resource group that it is in.
        sku: Basic, Standard or Premium.
        admin_enabled: Whether its admin user may log in.
        role_mode: `rbac`: AcrPush and AcrPull count. `abac`: only Container Registry Repository Writer and Reader do.
            None where Azure did not tell.
        public_network_access: `Enabled`, or `Disabled` (private endpoints only).
        provisioning_state: `Succeeded` when it can be used.

    """

    id: str
    name: str
    login_server: str
    location: str
    resource_group: str
    sku: str
    admin_enabled: bool
    role_mode: Literal["rbac", "abac"] | None
    public_network_access: str
    provisioning_state: str


@dataclass(frozen=True)
class RoleAssignment:
    """A role that an identity has.

    Args:
        role_id: The role definition's GUID.
        role: Its name, or the GUID where it is none of `ROLES`.
        scope: The resource, group or subscription that it is for.
        conditional: Whether a condition narrows it.

    """

    role_id: str
    role: str
    scope: str
    conditional: bool


@dataclass(frozen=True)
class NameAnswer:
    """Whether a name could be had.

    Args:
        available: Whether it could.
        reason: `AlreadyExists` or `AccountNameInvalid`; "" if it could.

    """

    available: bool
    reason: str


def resource_group_facts(answer: Mapping[str, Any]) -> ResourceGroup:
    """Read a resource group.

    Args:
        answer: The JSON object.

    Returns:
        The facts.

    """
    return ResourceGroup(_text(answer, "id"), _text(answer, "name"), _text(answer, "location"))


def storage_account_facts(answer: Mapping[str, Any]) -> StorageAccount:
    """Read a Storage account.

    Args:
        answer: The JSON object.

    Returns:
        The facts; what Azure leaves out has its documented default.

    """
    properties = _part(answer, "properties")
    return StorageAccount(
        id=_text(answer, "id"),
        name=_text(answer, "name"),
        location=_text(answer, "location"),
        kind=_text(answer, "kind"),
        sku=_text(_part(answer, "sku"), "name"),
        https_only=properties.get("supportsHttpsTrafficOnly") is not False,
        minimum_tls=_text(properties, "minimumTlsVersion", "TLS1_0"),
        # "The default value is null, which is equivalent to true."
        shared_key_access=properties.get("allowSharedKeyAccess") is not False,
        network_default_action=_text(_part(properties, "networkAcls"), "defaultAction", "Allow"),
        public_network_access=_text(properties, "publicNetworkAccess", "Enabled"),
        public_blob_access=properties.get("allowBlobPublicAccess") is True,
        hierarchical=properties.get("isHnsEnabled") is True,
        blob_endpoint=_text(_part(properties, "primaryEndpoints"), "blob").rstrip("/"),
        provisioning_state=_text(properties, "provisioningState", "Succeeded"),
    )


def registry_facts(answer: Mapping[str, Any]) -> Registry:
    """Read a container registry.

    Args:
        answer: The JSON object.

    Returns:
        The facts.

    """
    properties = _part(answer, "properties")
    identifier = _text(answer, "id")
    modes: dict[str, Literal["rbac", "abac"]] = {
        "legacyregistrypermissions": "rbac",
        "abacrepositorypermissions": "abac",
    }
    return Registry(
        id=identifier,
        name=_text(answer, "name"),
        login_server=_text(properties, "loginServer"),
        location=_text(answer, "location"),
        resource_group=_group(identifier),
        sku=_text(_part(answer, "sku"), "name"),
        admin_enabled=properties.get("adminUserEnabled") is True,
        role_mode=modes.get(_text(properties, "roleAssignmentMode").lower()),
        public_network_access=_text(properties, "publicNetworkAccess", "Enabled"),
        provisioning_state=_text(properties, "provisioningState", "Succeeded"),
    )


def role_assignment_facts(answer: Mapping[str, Any]) -> RoleAssignment:
    """Read a role assignment.

    Args:
        answer: The JSON object.

    Returns:
        The facts.

    """
    properties = _part(answer, "properties")
    role_id = _text(properties, "roleDefinitionId").rpartition("/")[2].lower()
    return RoleAssignment(
        role_id=role_id,
        role=ROLES.get(role_id, role_id),
        scope=_text(properties, "scope"),
        conditional=bool(properties.get("condition")),
    )


def _group(identifier: str) -> str:
    found = _GROUP.search(identifier)
    return found[1] if found else ""


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = answer.get(name)
    return found if isinstance(found, dict) else {}


def _text(answer: Mapping[str, Any], name: str, default: str = "") -> str:
    found = answer.get(name)
    return found if isinstance(found, str) and found else default
