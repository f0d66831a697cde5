"""Azure's built-in roles that matter here, and who has which: all doubles ask here whether a call is allowed.

Role definitions: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles .
"""

from __future__ import annotations

import fnmatch
import uuid
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Role:
    """A built-in role.

    Args:
        identifier: Its GUID, the same in every tenant.
        actions: Patterns of what it allows in the Resource Manager.
        data_actions: Patterns of what it allows on data.
        not_actions: Exceptions from `actions`.

    """

    identifier: str
    actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()


_BLOBS = "Microsoft.Storage/storageAccounts/blobServices"
_REPOSITORIES = "Microsoft.ContainerRegistry/registries/repositories"
_READ_ROLES = "Microsoft.Authorization/*/read"
_READ_GROUP = "Microsoft.Resources/subscriptions/resourceGroups/read"
_TASKS = "Microsoft.ContainerRegistry/registries"

ROLES = {
    "Owner": Role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ("*",)),
    "Contributor": Role(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        ("*",),
        not_actions=("Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"),
    ),
    "Reader": Role("acdd72a7-3385-48ef-bd42-f606fba81ae7", ("*/read",)),
    "AcrPush": Role(
        "8311e382-0749-4cb8-b61a-304f252e45ec",
        ("Microsoft.ContainerRegistry/registries/pull/read", "Microsoft.ContainerRegistry/registries/push/write"),
    ),
    "AcrPull": Role("7f951dda-4ed3-4680-a7ca-43fe172d538d", ("Microsoft.ContainerRegistry/registries/pull/read",)),
    "AcrDelete": Role(
        "c2f4ef07-c644-48eb-af81-4b1b4947fb11", ("Microsoft.ContainerRegistry/registries/artifacts/delete",)
    ),
    # https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-directory-reference
    # says what it is for.
    # That it may read the registry is inferred: `az acr build`, which it allows, reads it first.
    "Container Registry Tasks Contributor": Role(
        "fb382eab-e894-4461-af04-94435c366c3f",
        (
            f"{_TASKS}/read",
            f"{_TASKS}/listBuildSourceUploadUrl/action",
            f"{_TASKS}/scheduleRun/action",
            f"{_TASKS}/runs/*",
            f"{_TASKS}/tasks/*",
            f"{_TASKS}/taskruns/*",
            f"{_TASKS}/agentpools/*",
            _READ_GROUP,
        ),
    ),
    "Container Registry Repository Writer": Role(
        "2a1e307c-b015-4ebd-883e-5b7698a07328",
        data_actions=(f"{_REPOSITORIES}/content/read", f"{_REPOSITORIES}/content/write", f"{_REPOSITORIES}/metadata/*"),
    ),
    "Container Registry Repository Reader": Role(
        "b93aa761-3e63-49ed-ac28-beffa264f7ac",
        data_actions=(f"{_REPOSITORIES}/content/read", f"{_REPOSITORIES}/metadata/read"),
    ),
    "Storage Account Contributor": Role(
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",
        ("Microsoft.Storage/storageAccounts/*", _READ_GROUP, _READ_ROLES, "Microsoft.Resources/deployments/*"),
    ),
    "Storage Blob Data Contributor": Role(
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        (
            f"{_BLOBS}/containers/delete",
            f"{_BLOBS}/containers/read",
            f"{_BLOBS}/containers/write",
            f"{_BLOBS}/generateUserDelegationKey/action",
        ),
        (f"{_BLOBS}/containers/blobs/*",),
    ),
    "Storage Blob Data Reader": Role(
        "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
        (f"{_BLOBS}/containers/read", f"{_BLOBS}/generateUserDelegationKey/action"),
        (f"{_BLOBS}/containers/blobs/read",),
    ),
}


@dataclass(frozen=True)
class Assignment:
    """A role assignment.

    Args:
        oid: The principal's object id.
        role: The role's name.
        scope: A resource id; what is below it is covered too.
        name: The assignment's own GUID.

    """

    oid: str
    role: str
    scope: str
    name: str = field(default_factory=lambda: str(uuid.uuid4()))

    def covers(self, resource: str) -> bool:
        """Tell whether it acts on a resource: on its scope and on all below (ids are compared without case)."""
        return below(resource, self.scope)


def below(resource: str, scope: str) -> bool:
    """Tell whether a resource is a scope or lies below it."""
    mine, theirs = resource.lower().rstrip("/"), scope.lower().rstrip("/")
    return mine == theirs or mine.startswith(theirs + "/")


def allowed(assignments: list[Assignment], oid: str, action: str, resource: str, *, data: bool = False) -> bool:
    """Tell whether a principal may do something on a resource."""
    for assignment in assignments:
        if assignment.oid != oid or not assignment.covers(resource):
            continue
        role = ROLES[assignment.role]
        patterns = role.data_actions if data else role.actions
        if _matches(action, patterns) and not (not data and _matches(action, role.not_actions)):
            return True
    return False


def _matches(action: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
