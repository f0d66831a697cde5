"""Azure Resource Manager: what there is, who may use it, and the one thing that is made on request, a Storage account.

Plain REST by azure-core and not the azure-mgmt packages: azure-mgmt-storage alone is 3.5 MB, takes longer to import
than azure-identity, and broke its callers in each of the releases 22 to 25; a dated REST version stays as it is.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from fairing_az_jupyter.clients.azure.arm import ACCEPTED, ArmCalls
from fairing_az_jupyter.clients.azure.clouds import CLOUDS, AzureCloud
from fairing_az_jupyter.clients.azure.errors import Asked, from_answer
from fairing_az_jupyter.clients.azure.resource_facts import (
    NameAnswer,
    Registry,
    ResourceGroup,
    RoleAssignment,
    StorageAccount,
    registry_facts,
    resource_group_facts,
    role_assignment_facts,
    storage_account_facts,
)
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    ConflictError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure.core.credentials import TokenCredential

__all__ = [
    "NameAnswer",
    "Registry",
    "ResourceGroup",
    "ResourceManager",
    "RoleAssignment",
    "StorageAccount",
]

# Source: https://learn.microsoft.com/rest/api/resources/resource-groups/get
_GROUPS_VERSION = "2021-04-01"
# Source: https://learn.microsoft.com/rest/api/storagerp/storage-accounts
_STORAGE_VERSION = "2023-05-01"
# Source: https://learn.microsoft.com/rest/api/containerregistry/registries; the first stable one with
# roleAssignmentMode, and one for clouds that do not know that yet.
_REGISTRY_VERSIONS = ("2025-11-01", "2023-07-01")
# Source: https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
_ROLES_VERSION = "2022-04-01"
# Seconds between two looks at what is being made.
_SHORTEST_PAUSE, _USUAL_PAUSE = 0.5, 3.0


class ResourceManager:
    """One subscription, as a credential sees it.

    Args:
        credential: `ChosenCredential.credential`.
        subscription_id: The subscription.
        cloud: The Azure cloud; the public one if None.
        endpoint: Azure Resource Manager's URL, if not the cloud's own.
        timeout: Seconds for one attempt of a call.
        deadline: Seconds for all attempts of a call.
        ca_bundle: A file with the certificate authorities to trust; None for those of `requests`.
        assignee: The identity's client id, for texts.

    """

    def __init__(
        self,
        credential: TokenCredential,
        subscription_id: str,
        cloud: AzureCloud | None = None,
        *,
        endpoint: str | None = None,
        timeout: float = 5.0,
        deadline: float = 12.0,
        ca_bundle: str | None = None,
        assignee: str | None = None,
    ) -> None:
        self.cloud = cloud or CLOUDS["AzurePublicCloud"]
        self.endpoint = (endpoint or self.cloud.arm_endpoint).rstrip("/")
        self.subscription_id = subscription_id
        self.deadline = deadline
        self._assignee = assignee
        self._scope = f"/subscriptions/{quote(subscription_id, safe='')}"
        self._calls = ArmCalls(
            credential, self.endpoint, self.cloud.arm_scope, timeout=timeout, deadline=deadline, ca_bundle=ca_bundle
        )

    def resource_group(self, name: str) -> ResourceGroup:
        """Look at a resource group.

        Args:
            name: Its name.

        Returns:
            What is known of it.

        Raises:
            NotFoundError: There is none of that name.
            NotAllowedError: This identity may not look.
            ServiceError: It can't be determined.

        """
        asked = self._asked(
            f"read the resource group '{name}'", self._group(name), "The Storage account is in it.", resource_group=name
        )
        return resource_group_facts(self._calls.get(self._group(name), _GROUPS_VERSION, asked))

    def storage_account(self, resource_group: str, name: str) -> StorageAccount:
        """Look at a Storage account.

        Args:
            resource_group: The resource group that it is in.
            name: Its name.

        Returns:
            What is known of it.

        Raises:
            NotFoundError: There is none of that name in that resource group, or no such group.
            NotAllowedError: This identity may not look.
            ServiceError: It can't be determined.

        """
        path = self._account(resource_group, name)
        asked = self._account_asked("read", path, resource_group, name)
        return storage_account_facts(self._calls.get(path, _STORAGE_VERSION, asked))

    def find_storage_account(self, name: str) -> StorageAccount | None:
        """Look for a Storage account in whatever resource group of the subscription it is.

        Args:
            name: Its name.

        Returns:
            What is known of it; None where this identity sees none of that name, which does not say that there is none.

        Raises:
            ServiceError: It can't be determined.

        """
        asked = self._asked(f"look for the storage account '{name}'", self._scope, account=name)
        path = f"{self._scope}/providers/Microsoft.Storage/storageAccounts"
        for each in self._calls.pages(self._calls.url(path, _STORAGE_VERSION), asked):
            if str(each.get("name") or "").lower() == name.lower():
                return storage_account_facts(each)
        return None

    def storage_keys(self, resource_group: str, name: str) -> SecretValue:
        """Get a key of a Storage account; it opens everything in it.

        Args:
            resource_group: The resource group that it is in.
            name: Its name.

        Returns:
            The first key that may write.

        Raises:
            NotFoundError: The account does not exist.
            NotAllowedError: This identity may not have the keys.
            ServiceError: There is none to be had.

        """
        path = self._account(resource_group, name)
        asked = self._account_asked("get the keys of", path, resource_group, name)
        url = self._calls.url(f"{path}/listKeys", _STORAGE_VERSION)
        answer = self._calls.send("POST", url, asked, expected=("keys", list))[2]
        for key in answer["keys"]:
            if isinstance(key, dict) and str(key.get("permissions", "")).lower() == "full" and key.get("value"):
                return SecretValue(str(key["value"]))
        raise NotFoundError(
            f"Can't {asked.action}: it has no key with write access.",
            hint=f"az storage account keys renew --account-name {name} --key primary creates one.",
            code="no-key",
            service="arm",
        )

    def name_available(self, name: str) -> NameAnswer:
        """Tell whether a Storage account could have a name; names are unique in all of an Azure cloud.

        Args:
            name: The name.

        Returns:
            Whether it could, and why not.

        Raises:
            ServiceError: It can't be determined.

        """
        asked = self._asked(f"ask whether the name '{name}' is free", self._scope, account=name)
        body = {"name": name, "type": "Microsoft.Storage/storageAccounts"}
        path = f"{self._scope}/providers/Microsoft.Storage/checkNameAvailability"
        url = self._calls.url(path, _STORAGE_VERSION)
        answer = self._calls.send("POST", url, asked, body=body, expected=("nameAvailable", bool))[2]
        return NameAnswer(answer["nameAvailable"], str(answer.get("reason") or ""))

    def create_storage_account(
        self, resource_group: str, name: str, region: str, *, wait: float = 180.0
    ) -> StorageAccount:
        """Make a Storage account that is billed: StorageV2, locally redundant, HTTPS only, no public blobs.

        Safe to repeat: one that is there stays as it is.

        Args:
            resource_group: The resource group to make it in.
            name: Its name.
            region: The Azure region, in either spelling.
            wait: Seconds to wait until it can be used.

        Returns:
            What is known of it.

        Raises:
            ConflictError: The name is taken, or the region or a policy does not allow it.
            UnreachableError: It was asked for, and is not ready after that time.
            ServiceError: It can't be made.

        """
        end = time.monotonic() + wait
        path = self._account(resource_group, name)
        asked = self._account_asked("create", path, resource_group, name)
        try:
            found: StorageAccount | None = self.storage_account(resource_group, name)
        except NotFoundError as missing:
            if missing.code == "no-resource-group":
                raise
            self._need_free_name(name, asked)
            self._make_account(path, region, asked, end)
            found = self._look(resource_group, name)
        while found is None or found.provisioning_state.lower() != "succeeded":
            self._pause(1.0, end, asked)
            found = self._look(resource_group, name)
        return found

    def registry(self, login_server: str) -> Registry:
        """Find a container registry by its login server, wherever in the subscription it is.

        Args:
            login_server: Such as `contosoml.azurecr.io`; a path after it is passed over.

        Returns:
            What is known of it.

        Raises:
            NotFoundError: No registry has that name.
            NotAllowedError: There may be one that this identity can't see: AcrPush alone does not show it.
            ServiceError: It can't be determined.

        """
        host = login_server.partition("/")[0].lower()
        asked = self._asked(
            f"look for the registry '{host}' in the subscription {self.subscription_id}",
            self._scope,
            "Images are kept in it.",
        )
        end = time.monotonic() + self.deadline
        for each in self._registries(asked, end):
            facts = registry_facts(each)
            if facts.login_server.lower() == host:
                return facts
        raise self._unseen_registry(host, asked, end)

    def role_assignments(self, scope: str, principal_id: str) -> tuple[RoleAssignment, ...]:
        """List the roles that an identity has for a resource: there, above it, and by its groups.

        Args:
            scope: The resource's id, such as `StorageAccount.id`.
            principal_id: The identity's object id, as `Token.object_id`; not the client id.

        Returns:
            The roles.

        Raises:
            NotAllowedError: This identity may not look at roles; that says nothing about which it has.
            ServiceError: It can't be determined.

        """
        path = f"/{scope.strip('/')}/providers/Microsoft.Authorization/roleAssignments"
        wanted = f"atScope() and assignedTo('{principal_id}')"
        asked = self._asked(f"list the roles that the identity {principal_id} has for {scope}", scope)
        pages = self._calls.pages(f"{self._calls.url(path, _ROLES_VERSION)}&$filter={quote(wanted)}", asked)
        return tuple(role_assignment_facts(each) for each in pages)

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()

    def _group(self, name: str) -> str:
        return f"{self._scope}/resourceGroups/{quote(name, safe='()')}"

    def _account(self, resource_group: str, name: str) -> str:
        provider = "providers/Microsoft.Storage/storageAccounts"
        return f"{self._group(resource_group)}/{provider}/{quote(name, safe='')}"

    def _account_asked(self, verb: str, path: str, resource_group: str, name: str) -> Asked:
        return self._asked(
            f"{verb} the storage account '{name}' in the resource group '{resource_group}'",
            path if verb != "create" else self._group(resource_group),
            "Build contexts are kept in it.",
            account=name,
            resource_group=resource_group,
            role="Reader" if verb == "read" else "Storage Account Contributor",
        )

    def _asked(self, action: str, scope: str, why: str = "", **names: str) -> Asked:
        known = {
            "cloud": self.cloud.name,
            "subscription": self.subscription_id,
            "scope": scope,
            "role": "Reader",
            **names,
        }
        if self._assignee:
            known |= {"assignee": self._assignee, "client_id": self._assignee}
        return Asked("arm", action, urlsplit(self.endpoint).netloc, why=why, names=known)

    def _need_free_name(self, name: str, asked: Asked) -> None:
        try:
            answer = self.name_available(name)
        except NotAllowedError:
            # Making it tells as well, if less early.
            return
        if not answer.available:
            code = "AccountNameInvalid" if answer.reason == "AccountNameInvalid" else "StorageAccountAlreadyTaken"
            raise from_answer(asked, None, code)

    def _make_account(self, path: str, region: str, asked: Asked, end: float) -> None:
        from fairing_az_jupyter.settings.regions import region_name  # noqa: PLC0415 - brings pydantic

        body = {
            "sku": {"name": "Standard_LRS"},
            "kind": "StorageV2",
            "location": region_name(region),
            "properties": {
                "supportsHttpsTrafficOnly": True,
                "minimumTlsVersion": "TLS1_2",
                "allowBlobPublicAccess": False,
            },
            "tags": {"created-by": "fairing-az-jupyter"},
        }
        try:
            status, headers, _made = self._calls.send("PUT", self._calls.url(path, _STORAGE_VERSION), asked, body=body)
        except ConflictError as error:
            # Somebody else is making it just now, or our own first try did not come to nothing.
            if error.code != "in-progress":
                raise
            return
        place = urljoin(f"{self.endpoint}/", headers.get("location", ""))
        # Nothing but a host that the token is for is asked, whatever the answer says.
        while status == ACCEPTED and headers.get("location") and self._calls.is_ours(place):
            self._pause(_retry_after(headers), end, asked)
            status, later, _made = self._calls.send("GET", place, asked)
            headers = {**headers, **later}

    def _look(self, resource_group: str, name: str) -> StorageAccount | None:
        try:
            return self.storage_account(resource_group, name)
        except NotFoundError:
            return None

    def _pause(self, seconds: float, end: float, asked: Asked) -> None:
        if time.monotonic() + seconds >= end:
            raise UnreachableError(
                f"Can't {asked.action}: Azure accepted it, but it is not ready yet. {asked.why}",
                hint="Check again in a minute: %fairing_azure check.",
                code="not-ready",
                service="arm",
            )
        time.sleep(seconds)

    def _registries(self, asked: Asked, end: float) -> Iterator[dict[str, Any]]:
        path = f"{self._scope}/providers/Microsoft.ContainerRegistry/registries"
        newest, older = _REGISTRY_VERSIONS
        try:
            yield from self._calls.pages(self._calls.url(path, newest), asked, end)
        except ConflictError as error:
            if error.code != "unknown-api-version":
                raise
            yield from self._calls.pages(self._calls.url(path, older), asked, end)

    def _unseen_registry(self, host: str, asked: Asked, end: float) -> ServiceError:
        """Tell a registry that does not exist from one that can't be seen."""
        name = host.partition(".")[0]
        path = f"{self._scope}/providers/Microsoft.ContainerRegistry/checkNameAvailability"
        body = {"name": name, "type": "Microsoft.ContainerRegistry/registries"}
        url = self._calls.url(path, _REGISTRY_VERSIONS[-1])
        free = False
        # A hyphen stands before the hash of a name that is unique in its tenant only: that can't be asked for.
        if "-" not in name:
            with contextlib.suppress(NotAllowedError):
                answer = self._calls.send("POST", url, asked, body=body, expected=("nameAvailable", bool), end=end)[2]
                free = answer["nameAvailable"]
        if free:
            return NotFoundError(
                f"Can't find the registry '{host}': registry '{name}' does not exist in Azure. {asked.why}",
                hint="Set docker_registry to an existing registry (az acr list --query [].loginServer), or create it: "
                f"az acr create --name {name} --resource-group GROUP --sku Basic.",
                service="arm",
            )
        identity = self._assignee or "this identity"
        return NotAllowedError(
            f"Can't see the registry '{host}' in the subscription {self.subscription_id}: it may be in another one, "
            f"or {identity} may not read it (AcrPush alone is not enough). {asked.why}",
            hint=f"az acr show --name {name} --query id prints its id; az role assignment create --assignee "
            f"{self._assignee or '<assignee>'} --role Reader --scope ID grants read access.",
            code="registry-not-visible",
            service="arm",
        )


def _retry_after(headers: Mapping[str, str]) -> float:
    text = headers.get("retry-after", "")
    return max(float(text), _SHORTEST_PAUSE) if text.isdecimal() else _USUAL_PAUSE
