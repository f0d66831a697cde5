"""Where the Storage account is looked for, by whom, and the commands that name it."""

from __future__ import annotations

import dataclasses
import shlex
from contextlib import closing
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER, BlobStore
from fairing_az_jupyter.clients.azure.resources import ResourceManager
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
)
from fairing_az_jupyter.models import Fix
from fairing_az_jupyter.preflight.fix_commands import az, ours
from fairing_az_jupyter.preflight.runner import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.azure.credentials import ChosenCredential
    from fairing_az_jupyter.preflight.context import CheckContext

__all__ = ["DATA_ROLE", "KEY_ROLE", "Place", "place_of", "with_fixes"]

DATA_ROLE = "Storage Blob Data Contributor"
"""The role that reads and writes blobs by token."""

KEY_ROLE = "Storage Account Contributor"
"""The role of the documented set-up, which may get the account's keys."""

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles: none has storageAccounts/write.
_MAKE_NONE = frozenset(
    {
        "Reader",
        "AcrPull",
        "AcrPush",
        "Container Registry Repository Reader",
        "Container Registry Repository Writer",
        "Storage Blob Data Reader",
        DATA_ROLE,
    }
)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the Storage account is or should be, and who looks for it.

    Args:
        context: What is checked.
        chosen: Who looks.
        subscription: The subscription; empty where none is known.
        group: The resource group of the settings.
        name: The Storage account of the settings.

    """

    context: CheckContext
    chosen: ChosenCredential
    subscription: str
    group: str
    name: str

    @property
    def group_id(self) -> str:
        """The resource group's id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"

    @property
    def account_id(self) -> str:
        """The Storage account's id."""
        return f"{self.group_id}/providers/Microsoft.Storage/storageAccounts/{self.name}"

    @property
    def looks_at(self) -> str:
        """The Storage account in words."""
        return f"Storage account {self.name}"

    @property
    def words(self) -> tuple[str, ...]:
        """The options by which `az storage account` finds it."""
        return "--name", self.name, "--resource-group", self.group, "--subscription", self.subscription

    def resources(self) -> closing[ResourceManager]:
        """Return Azure Resource Manager, to be closed after its use."""
        context, chosen = self.context, self.chosen
        return closing(
            ResourceManager(
                chosen.credential,
                self.subscription,
                context.cloud,
                timeout=context.timeout,
                deadline=context.deadline,
                assignee=chosen.client_id,
            )
        )

    def blobs(self, credential: object, url: str = "") -> BlobStore:
        """Return the account's blobs.

        Args:
            credential: A token credential, or an account key.
            url: Where they are; the usual place if empty.

        """
        names = {"scope": self.account_id}
        if self.chosen.client_id:
            names["assignee"] = self.chosen.client_id
        return BlobStore(
            url or self.name,
            credential,
            cloud=self.context.cloud,
            timeout=self.context.timeout,
            deadline=self.context.deadline,
            names=names,
        )

    def assign(self, role: str, scope: str) -> Fix:
        """Return the command that gives the identity a role.

        Args:
            role: The role's name.
            scope: The id of what it is for.

        """
        command = az("role", "assignment", "create", "--assignee", self.chosen.client_id or "ASSIGNEE").command
        # Spelled as in the hints of the errors and in Azure's documentation, and as shells other than POSIX's take it.
        return Fix("az", f'{command} --role "{role}" --scope {shlex.quote(scope)}')

    def fill(self, *words: str) -> Fix:
        """Return the command that changes settings in the notebook.

        Args:
            words: Flags and their values.

        """
        return ours("fill", self.context.notebook or "NOTEBOOK", *words)

    def in_another_group(self) -> Finding | None:
        """Look for the account in other resource groups.

        Returns:
            The failure that names the right group; None where the identity sees the account in none.

        """
        try:
            with self.resources() as resources:
                found = resources.find_storage_account(self.name) if self.name else None
        except ServiceError:
            return None
        if found is None or not found.resource_group or found.resource_group.lower() == self.group.lower():
            return None
        message = f"Storage account {self.name} is in the resource group {found.resource_group}, not in {self.group}."
        fixes = (self.fill("--azure-resource-group", found.resource_group),)
        return Finding("fail", f"Resource group {self.group}", message, fixes, code="other-resource-group")

    def roles_that_make_none(self, resources: ResourceManager) -> tuple[str, ...]:
        """Tell by which roles the identity can see the resource group, if none of them allows to make an account there.

        Args:
            resources: Azure Resource Manager.

        Returns:
            The roles' names; nothing where one allows it, or where that can't be determined: a role of the tenant's own
            may.

        """
        try:
            identity = self.chosen.token(self.context.cloud.arm_scope).object_id
            found = resources.role_assignments(self.group_id, identity) if identity else ()
        except ServiceError:
            return ()
        names = {role.role for role in found}
        return tuple(sorted(names)) if names <= _MAKE_NONE else ()

    def host_exists(self) -> bool:
        """Tell by its host whether the account is there: whoever is rejected by it has found it."""
        with closing(self.blobs(self.chosen.credential)) as store:
            try:
                store.container_exists(CONTAINER)
            except NotFoundError as error:
                return error.code != "no-such-account"
            except (CredentialError, NotAllowedError, ConflictError) as error:
                if error.service != "blob":
                    raise
        return True


def place_of(context: CheckContext, given: Mapping[str, Finding]) -> Place:
    """Return where the Storage account is looked for.

    Args:
        context: What is checked.
        given: The findings, `azure.token` among them.

    """
    chosen: ChosenCredential = given["azure.token"].value
    settings = context.settings
    group, name = settings.azure_resource_group or "", settings.azure_storage_account or ""
    return Place(context, chosen, chosen.subscription_id or "", group, name)


def with_fixes(found: Finding, fixes: tuple[Fix, ...]) -> Finding:
    """Put whole commands in the place of the error's own hint, where there are some.

    Args:
        found: The finding.
        fixes: The commands.

    """
    return dataclasses.replace(found, fixes=fixes) if fixes else found
