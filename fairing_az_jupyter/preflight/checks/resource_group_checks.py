"""Is the resource group of the settings there, and is it the right one?"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import CredentialError, NotAllowedError, NotFoundError
from fairing_az_jupyter.preflight.fix_commands import az, ours, text
from fairing_az_jupyter.preflight.runner import Check, Finding, from_error
from fairing_az_jupyter.preflight.storage_place import KEY_ROLE, Place, place_of, with_fixes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.models import Fix
    from fairing_az_jupyter.preflight.context import CheckContext

__all__ = ["checks", "other_group"]


def checks(context: CheckContext) -> list[Check]:
    """Return the check of the resource group.

    Args:
        context: What is checked.

    Returns:
        The check `azure.resource-group`.

    """
    return [
        Check(
            id="azure.resource-group",
            title="Resource group",
            why="The storage account is in it or is created in it.",
            looks_at=f"Resource group {context.settings.azure_resource_group or ''}".rstrip(),
            run=partial(_resource_group, context),
            needs=("azure.token",),
        ),
    ]


def _resource_group(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    looks_at = f"Resource group {context.settings.azure_resource_group or ''}".rstrip()
    blocked = context.unusable("azure_resource_group", "azure_cloud", looks_at=looks_at)
    if blocked:
        return blocked
    place = place_of(context, given)
    if not place.subscription:
        fixes = (text("Set AZURE_SUBSCRIPTION_ID to the subscription's id."), az("account", "list"))
        message = "It can't be found because no subscription is set: the credential has none."
        return Finding("fail", looks_at, message, fixes, code="no-subscription")
    try:
        with place.resources() as resources:
            found = resources.resource_group(place.group)
    except NotFoundError as error:
        return place.in_another_group() or dataclasses.replace(from_error(error, looks_at), fixes=other_group(place))
    except NotAllowedError as error:
        return place.in_another_group() or _group_not_seen(place, error, looks_at)
    except CredentialError as error:
        return _wrong_tenant(place, error, looks_at)
    return Finding("pass", looks_at, f"Found, in {found.location}.", value=found)


def other_group(place: Place) -> tuple[Fix, ...]:
    """Return what fixes a resource group that is not there.

    Args:
        place: Where it was looked for.

    """
    region, subscription = place.context.settings.azure_region or "REGION", ("--subscription", place.subscription)
    return (
        place.fill("--azure-resource-group", "NAME"),
        az("group", "list", *subscription, "--query", "[].name"),
        az("group", "create", "--name", place.group, "--location", region, *subscription),
    )


def _group_not_seen(place: Place, error: NotAllowedError, looks_at: str) -> Finding:
    if error.code != "subscription-not-visible":
        fixes = (place.assign(KEY_ROLE, place.group_id),) if error.code == NotAllowedError.code else ()
        return with_fixes(from_error(error, looks_at), fixes)
    by_secret = place.chosen.source == "secret"
    fixes = (
        *((ours("secrets", "create", "--azure"),) if by_secret else ()),
        az("account", "list", "--query", "[].{name:name,id:id}"),
        place.assign(KEY_ROLE, place.group_id),
    )
    found = from_error(error, looks_at, fixable=by_secret)
    # That the identity sees no such subscription is an answer: nothing in it can be used.
    return dataclasses.replace(found, status="fail", unseen=False, fixes=fixes)


def _wrong_tenant(place: Place, error: CredentialError, looks_at: str) -> Finding:
    if error.code != "wrong-tenant" or place.chosen.source != "secret":
        return from_error(error, looks_at)
    fixes = (
        ours("secrets", "create", "--azure"),
        az("account", "show", "--subscription", place.subscription, "--query", "tenantId"),
    )
    return dataclasses.replace(from_error(error, looks_at, fixable=True), fixes=fixes)
