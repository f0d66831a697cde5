"""May Azure build images in the registry? Asked by the roles that are given, without a run being started."""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.azure.acr_tasks import ROLE
from fairing_az_jupyter.clients.azure.resource_facts import ROLES
from fairing_az_jupyter.clients.oci.auth.docker_config import registry_host
from fairing_az_jupyter.exceptions import NotAllowedError
from fairing_az_jupyter.models import Fix
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.runner import Check, Finding, from_error
from fairing_az_jupyter.preflight.storage_place import place_of
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fairing_az_jupyter.clients.azure.resources import Registry, ResourceManager
    from fairing_az_jupyter.preflight.context import CheckContext
    from fairing_az_jupyter.preflight.storage_place import Place

__all__ = ["checks", "judged"]

# https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview: what may
# schedule runs. A role of the tenant's own may as well; which it is, only Azure knows.
_MAY_BUILD = frozenset({ROLE, "Contributor", "Owner"})
# In a registry with repository permissions a run pulls and pushes in the name of who has asked for it, and no other
# role lets anybody do that there, Owner among them.
# https://learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions
_WRITER = "Container Registry Repository Writer"
_MAY_WRITE = frozenset({_WRITER, "Container Registry Repository Contributor"})
_MINUTES = fix_commands.text("A new role assignment may take some minutes.")


def checks(context: CheckContext) -> list[Check]:
    """Return the check of the registry's tasks, where these build; nothing where another builder does.

    Args:
        context: What is checked.

    """
    if context.settings.builder != "acr-tasks" or "builder" in context.broken:
        return []
    return [
        Check(
            id="registry.tasks",
            title="Permission to build with ACR Tasks",
            why="With the builder acr-tasks, ACR Tasks build and push each image with the Azure identity.",
            looks_at=f"ACR Tasks of {_host(context) or 'the registry'}",
            run=lambda given: _tasks(context, given),
            needs=("azure.token",),
        )
    ]


def _host(context: CheckContext) -> str:
    registry = "" if "docker_registry" in context.broken else context.settings.docker_registry or ""
    return registry_host(registry) if registry else ""


def _tasks(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    host = _host(context)
    looked_at = f"ACR Tasks of {host or 'the registry'}"
    if blocked := context.unusable("docker_registry", looks_at=looked_at):
        return blocked
    place = place_of(context, given)
    if not place.subscription:
        message = "No subscription is set, so the registry can't be found."
        return Finding("skipped", looked_at, message)
    with place.resources() as resources:
        try:
            registry = resources.registry(host)
        except NotAllowedError as error:
            return _unseen(place, error, looked_at, host)
        if registry.public_network_access.lower() == "disabled":
            message = (
                f"The registry '{host}' is reached by private endpoints only, and Azure's build agents are outside."
            )
            return Finding("fail", looked_at, message, _other_builders(context), code="tasks-blocked")
        try:
            given_roles = _roles(place, resources, registry)
        except NotAllowedError:
            given_roles = None
    return judged(given_roles, registry, place, looked_at)


def _roles(place: Place, resources: ResourceManager, registry: Registry) -> tuple[str, ...] | None:
    """Return the names of the roles that the identity has for a registry; None where that can't be determined.

    Raises:
        NotAllowedError: Roles may not be looked at.

    """
    identity = place.chosen.token(place.context.cloud.arm_scope).object_id
    if not identity:
        return None
    return tuple(sorted({one.role for one in resources.role_assignments(registry.id, identity)}))


def judged(roles: Collection[str] | None, registry: Registry, place: Place, looked_at: str) -> Finding:
    """Tell what an identity's roles let it build.

    Args:
        roles: The names of the roles that it has for the registry; None where they may not be looked at.
        registry: The registry.
        place: Who asks.
        looked_at: See `Finding`.

    """
    who, host = f"The identity {place.chosen.client_id or 'in use'}", registry.login_server
    grants = {ROLE: _MAY_BUILD, **({_WRITER: _MAY_WRITE} if registry.role_mode == "abac" else {})}
    lacks = [role for role, enough in grants.items() if roles is None or enough.isdisjoint(roles)]
    if not lacks:
        return Finding("pass", looked_at, f"{who} may have images built in the registry '{host}'.")
    commands = (*(place.assign(role, registry.id) for role in lacks), _MINUTES)
    wanted = " and ".join(f"'{role}'" for role in lacks)
    if roles is None:
        message = f"{who} can see the registry '{host}' but not its own roles; to build there it needs {wanted}."
        return Finding("unknown", looked_at, message, commands, code="roles-not-visible", unseen=True)
    if own := sorted(set(roles) - set(ROLES.values())):
        # By its id: its name and what it allows are the tenant's affair.
        message = (
            f"{who} has no role {wanted} for the registry '{host}'; only a build "
            f"shows whether one of its other roles allows it ({', '.join(own)})."
        )
        return Finding("unknown", looked_at, message, commands, code="own-roles")
    has = f"; it has only {', '.join(roles)}" if roles else ""
    message = f"{who} has no role {wanted} for the registry '{host}', so Azure would not build for it{has}."
    return Finding("fail", looked_at, message, commands, code="no-tasks-role")


def _unseen(place: Place, error: NotAllowedError, looked_at: str, host: str) -> Finding:
    """Return the failure for a registry that the identity does not see: who may build there, sees it."""
    if error.code != "registry-not-visible":
        return from_error(error, looked_at)
    show = fix_commands.az("acr", "show", "--name", host.partition(".")[0], "--query", "id", "--output", "tsv").command
    who = fix_commands.az("role", "assignment", "create", "--assignee", place.chosen.client_id or "ASSIGNEE").command
    # Not quoted as one word, for the shell is to put the identifier in.
    grant = Fix("az", f'{who} --role {shlex.quote(ROLE)} --scope "$({show})"')
    subscription = fix_commands.text(
        f"Check that the registry is in the subscription {place.subscription}. Or choose another builder:"
    )
    found = from_error(error, looked_at)
    more = (grant, _MINUTES, subscription, *_other_builders(place.context))
    return dataclasses.replace(found, status="fail", unseen=False, fixes=more)


def _other_builders(context: CheckContext) -> tuple[Fix, ...]:
    name = notebook_names()["builder"]
    return (
        fix_commands.change_setting(context, "builder", "layered"),
        fix_commands.text(
            f"With {name} layered or kaniko the cluster builds, with the login of the registry's Secret."
        ),
    )
