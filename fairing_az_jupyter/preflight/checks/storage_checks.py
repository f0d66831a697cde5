"""Where build contexts are kept: the Storage account, and who may write blobs there."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER, BlobStore
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
)
from fairing_az_jupyter.preflight.checks.resource_group_checks import other_group
from fairing_az_jupyter.preflight.fix_commands import az, text
from fairing_az_jupyter.preflight.runner import Check, Finding, from_error
from fairing_az_jupyter.preflight.storage_place import DATA_ROLE, KEY_ROLE, Place, place_of, with_fixes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.azure.resources import ResourceManager, StorageAccount
    from fairing_az_jupyter.models import Fix
    from fairing_az_jupyter.preflight.context import CheckContext

__all__ = ["checks"]

_BILLED = "Its contents and calls are billed to the subscription."


def checks(context: CheckContext) -> list[Check]:
    """Return the checks of the Storage account.

    Args:
        context: What is checked.

    Returns:
        The checks `storage.account`, `storage.access` and `storage.probe`.

    """
    account = f"Storage account {context.settings.azure_storage_account or ''}".rstrip()
    return [
        Check(
            id="storage.account",
            title="Storage account",
            why="Build contexts are stored in it; launches fail without it.",
            looks_at=account,
            run=partial(_account, context),
            needs=("azure.token", "azure.resource-group"),
            even_unseen=("azure.resource-group",),
        ),
        Check(
            id="storage.access",
            title="Blob storage reachable",
            why="A launch writes its build context with a data role, or else with the account's key.",
            looks_at=account,
            run=partial(_access, context),
            # A signature by key is of a time, and rejected where the clock is wrong.
            needs=("azure.token", "azure.clock", "storage.account"),
            even_unseen=("azure.clock",),
        ),
        Check(
            id="storage.probe",
            title="Writing a blob",
            why="Network rules, policies and locks only show when a blob is written.",
            looks_at=f"Container {CONTAINER} in {account}",
            run=partial(_probe, context),
            needs=("azure.token", "storage.account", "storage.access"),
        ),
    ]


@dataclasses.dataclass(frozen=True)
class _UnseenAccount:
    """A Storage account that is there, and whose description may not be read; it has the fields that are needed."""

    id: str
    blob_endpoint: str
    shared_key_access: bool = True
    public_network_access: str = "Enabled"


def _account(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    place = place_of(context, given)
    blocked = context.unusable("azure_storage_account", "azure_resource_group", looks_at=place.looks_at.rstrip())
    if blocked:
        return blocked
    with place.resources() as resources:
        try:
            return _seen_account(place, resources.storage_account(place.group, place.name))
        except NotFoundError as error:
            if error.code == "no-resource-group":
                return dataclasses.replace(from_error(error, place.looks_at), fixes=other_group(place))
            return place.in_another_group() or _missing_account(place, error, resources)
        except NotAllowedError:
            return _account_not_seen(place)


def _seen_account(place: Place, found: StorageAccount) -> Finding:
    described = f"a {found.kind} account ({found.sku}) in {found.location}"
    if found.kind == "FileStorage":
        message = f"It is {described}, which has no blobs."
        return Finding("fail", place.looks_at, message, _other_account(place), code="no-blobs")
    if found.kind == "Storage":
        # Source: https://learn.microsoft.com/azure/storage/common/storage-account-upgrade
        upgrade = ("--set", "kind=StorageV2", "--access-tier", "Hot")
        message = f"It is {described}, of the first generation, which Azure is retiring."
        fixes = (az("storage", "account", "update", *place.words, *upgrade),)
        return Finding("warn", place.looks_at, message, fixes, code="first-generation", value=found)
    if found.provisioning_state.lower() != "succeeded":
        fixes = (text("Check again in a minute."),)
        message = f"It is {described}, and not ready: its state is {found.provisioning_state}."
        return Finding("warn", place.looks_at, message, fixes, code="not-ready", value=found)
    return Finding("pass", place.looks_at, f"It is {described}.", value=found)


def _other_account(place: Place) -> tuple[Fix, ...]:
    query = ("--query", "[].{name:name,group:resourceGroup,kind:kind}")
    return (
        place.fill("--azure-storage-account", "NAME"),
        az("storage", "account", "list", "--subscription", place.subscription, *query),
    )


def _create_account(place: Place) -> Fix:
    region = ("--location", place.context.settings.azure_region or "REGION")
    kind = ("--sku", "Standard_LRS", "--kind", "StorageV2", "--https-only", "true")
    return az("storage", "account", "create", *place.words, *region, *kind)


def _missing_account(place: Place, error: NotFoundError, resources: ResourceManager) -> Finding:
    if "azure_region" in place.context.broken:
        message = "It does not exist and can't be created: AZURE_REGION is not set to a usable value."
        return Finding("skipped", place.looks_at, message)
    free = _name_is_free(place, resources)
    where = f"in the resource group {place.group}"
    if free == "no":
        message = (
            f"It does not exist {where}, and its name is taken: by an account in another resource group or "
            "subscription."
        )
        return Finding("fail", place.looks_at, message, _other_account(place), code="name-taken")
    region = place.context.settings.azure_region
    if region is None:
        fill = place.fill("--azure-region", "REGION")
        advice = text(f"With AZURE_REGION set, the first launch creates the account. {_BILLED}")
        _, listed = _other_account(place)
        found = from_error(error, place.looks_at)
        message = f"It does not exist {where}, and AZURE_REGION is not set, so it can't be created."
        return dataclasses.replace(found, message=message, fixes=(fill, _create_account(place), listed, advice))
    if roles := place.roles_that_make_none(resources):
        message = (
            f"It does not exist {where} yet, and the launch may not create it: the identity "
            f"{place.chosen.client_id or 'in use'} has only {', '.join(roles)} there."
        )
        fixes = (_create_account(place), place.assign(KEY_ROLE, place.group_id))
        return Finding("fail", place.looks_at, message, fixes, code="may-not-be-created")
    unsure = "; whether its name is free could not be checked" if free == "unknown" else ""
    message = (
        f"It does not exist {where} yet: the first launch creates it in {region}, billed to the subscription{unsure}."
    )
    fixes = (_create_account(place), text("If the launch should create it, nothing needs to be done."))
    return Finding("warn", place.looks_at, message, fixes, code="will-be-created")


def _name_is_free(place: Place, resources: ResourceManager) -> Literal["yes", "no", "unknown"]:
    try:
        return "yes" if resources.name_available(place.name).available else "no"
    except NotAllowedError:
        # It takes a role in the whole subscription to ask Resource Manager; the name service is there for everybody.
        pass
    except ServiceError:
        return "unknown"
    try:
        return "no" if place.host_exists() else "yes"
    except ServiceError:
        return "unknown"


def _account_not_seen(place: Place) -> Finding:
    if not place.host_exists():
        message = "It does not exist: DNS knows neither its host nor a private endpoint of it."
        fixes = (*_other_account(place), _create_account(place), place.assign(KEY_ROLE, place.group_id))
        return Finding("fail", place.looks_at, message, fixes, code="no-such-account")
    message = "It exists; no permission to read its description."
    value = _UnseenAccount(place.account_id, place.context.cloud.blob_url(place.name))
    return Finding("pass", place.looks_at, message, value=value)


def _access(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    place = place_of(context, given)
    account: StorageAccount | _UnseenAccount | None = given["storage.account"].value
    if account is None:
        return Finding("skipped", place.looks_at, "Skipped: the account is created at the first launch.")
    by_token = place.blobs(place.chosen.credential, account.blob_endpoint)
    try:
        with closing(by_token):
            reached, rejected = by_token.reached_by_token(CONTAINER)
            if reached:
                message = "Blobs are accessed with a Microsoft Entra ID token, by a data role."
                return Finding("pass", place.looks_at, message, value=by_token)
    except NotFoundError as error:
        return _no_host(place, error)
    # What bars token and key alike, such as network rules, the probe tells.
    return _access_by_key(place, account, rejected)


def _access_by_key(place: Place, account: StorageAccount | _UnseenAccount, rejected: ServiceError | None) -> Finding:
    if not account.shared_key_access:
        return _no_way(place, rejected, account.id, keys=False)
    try:
        with place.resources() as resources:
            key = resources.storage_keys(place.group, place.name)
    except NotAllowedError:
        return _no_way(place, rejected, account.id, keys=True)
    except (ConflictError, NotFoundError) as error:
        # A lock, no key that may write, or an account that has just gone: no role for keys would fix that.
        if not _lacks_role(rejected):
            return _no_way(place, rejected, account.id, keys=True)
        found = from_error(error, place.looks_at)
        gone = error.code == NotFoundError.code
        more = text("Check again: the account existed a moment ago.") if gone else place.assign(DATA_ROLE, account.id)
        return dataclasses.replace(found, fixes=(*found.fixes, more))
    why = (
        f"its token was rejected ({rejected.code})"
        if rejected and not _lacks_role(rejected)
        else "no data role is assigned"
    )
    message = f"Blobs are accessed with the account's key; {why}."
    return Finding("pass", place.looks_at, message, value=place.blobs(key, account.blob_endpoint))


def _lacks_role(rejected: ServiceError | None) -> bool:
    return rejected is None or rejected.code == "no-data-role"


def _no_host(place: Place, error: NotFoundError) -> Finding:
    found = from_error(error, place.looks_at)
    if error.code != "no-such-account":
        return found
    message = "The account exists in Azure, but this network's DNS can't resolve it."
    fixes = (
        az("storage", "account", "show", *place.words, "--query", "primaryEndpoints.blob"),
        text(
            "If the account has a private endpoint, link its private DNS zone (privatelink.blob...) to the network of "
            "the cluster."
        ),
    )
    return dataclasses.replace(found, message=message, fixes=fixes, code="no-such-host")


def _no_way(place: Place, rejected: ServiceError | None, scope: str, *, keys: bool) -> Finding:
    """Return the failure of both ways; a rejection of the token that no role would fix is reported as it is."""
    if rejected is not None and not _lacks_role(rejected):
        return _barred(place, rejected, place.looks_at, scope)
    role = f"The identity {place.chosen.client_id or 'in use'} has no data role for its blobs, and"
    wait = text("A role assignment may take 30 minutes.")
    if not keys:
        message = f"{role} the account accepts no keys (its shared key access is off)."
        fixes: tuple[Fix, ...] = (place.assign(DATA_ROLE, scope), wait)
        return Finding("fail", place.looks_at, message, fixes, code="shared-key-off")
    fixes = (place.assign(DATA_ROLE, scope), place.assign(KEY_ROLE, scope), wait)
    return Finding("fail", place.looks_at, f"{role} may not get its keys either.", fixes, code="no-data-role")


def _probe(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    place = place_of(context, given)
    account: StorageAccount | _UnseenAccount = given["storage.account"].value
    looks_at = f"Container {CONTAINER} in {place.looks_at}"
    store: BlobStore = given["storage.access"].value
    with closing(store):
        try:
            made = store.ensure_container(CONTAINER)
            store.probe(CONTAINER)
        except (NotAllowedError, CredentialError, ConflictError) as error:
            return _barred(place, error, looks_at, account.id, private=account.public_network_access == "Disabled")
    now = "was created" if made else "exists"
    return Finding("pass", looks_at, f"It {now}; a blob was written, read back and removed.")


def _barred(place: Place, error: ServiceError, looks_at: str, scope: str, *, private: bool = False) -> Finding:
    """Return the failure for a rejection: whether blobs may be written is what was asked, and this is the answer."""
    by_code: Mapping[str, tuple[Fix, ...]] = {
        "network-rules": _open_network(place, private=private),
        "immutable": (
            az("storage", "container", "immutability-policy", "show", "--account-name", place.name, "-c", CONTAINER),
            place.fill("--azure-storage-account", "NAME"),
        ),
        "no-data-role": (place.assign(DATA_ROLE, scope),),
        "shared-key-off": (place.assign(DATA_ROLE, scope),),
        "not-allowed": (place.assign(DATA_ROLE, scope),),
    }
    found = dataclasses.replace(from_error(error, looks_at), status="fail", unseen=False)
    return with_fixes(found, by_code.get(error.code, ()))


def _open_network(place: Place, *, private: bool) -> tuple[Fix, ...]:
    if private:
        return (text("The account is reached by private endpoints only: create one in the network of the cluster."),)
    _, name, *group = place.words
    rule = ("network-rule", "add", "--account-name", name, *group, "--ip-address", "ADDRESS")
    return (
        az("storage", "account", *rule),
        text("ADDRESS is the outgoing address of the cluster; within one region, add its subnet instead (--subnet)."),
    )
