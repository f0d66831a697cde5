"""`profile`: named sets of settings."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

from fairing_az_jupyter.operations.declaration import ALL, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import argument, flag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.operations.calls import Call

__all__ = ["LIST", "REMOVE", "SET", "SHOW", "USE", "Profiles"]

_NAME = argument("NAME", "the profile", completes="profile")


class OneProfile(Request):
    """Which profile."""

    name: Annotated[str, _NAME]


class ListProfiles(Request):
    """Nothing."""


class UseProfile(Request):
    """Which profile, or that none is active."""

    name: Annotated[str | None, _NAME] = None
    none: Annotated[bool, flag("--none", about="no profile is active")] = False


@dataclasses.dataclass(frozen=True)
class Profiles:
    """The profiles that there are.

    Args:
        names: Their names.
        active: The one that is in use; None for none.

    """

    names: tuple[str, ...]
    active: str | None


def _list(_call: Call[ListProfiles]) -> Profiles:
    from fairing_az_jupyter.settings.profiles import ProfileStore  # noqa: PLC0415 - each command imports what it needs

    store = ProfileStore()
    return Profiles(tuple(store.list()), store.active())


def _show(call: Call[OneProfile]) -> Mapping[str, Any]:
    from fairing_az_jupyter.settings.profiles import ProfileStore  # noqa: PLC0415 - as above

    return ProfileStore().read(call.request.name)


def _set(call: Call[OneProfile]) -> Mapping[str, Any]:
    from fairing_az_jupyter.services import session  # noqa: PLC0415 - as above

    return session.save_profile(call.request.name, call.session.given)


def _remove(call: Call[OneProfile]) -> Mapping[str, Any]:
    from fairing_az_jupyter.settings.profiles import ProfileStore  # noqa: PLC0415 - as above

    ProfileStore().remove(call.request.name)
    return {"removed": call.request.name}


def _use(call: Call[UseProfile]) -> Mapping[str, Any]:
    from fairing_az_jupyter.settings.profiles import ProfileStore  # noqa: PLC0415 - as above

    name = None if call.request.none else call.request.name
    ProfileStore().activate(name)
    return {"active": name}


LIST = Operation(
    "profile list",
    "List the profiles; the active one has a star.",
    ListProfiles,
    _list,
    section="Set up",
    exit_codes=(3,),
    examples=(Example("profile list"),),
)
SHOW = Operation(
    "profile show",
    "Show what a profile sets.",
    OneProfile,
    _show,
    section="Set up",
    exit_codes=(3,),
    examples=(Example("profile show team-a"),),
)
SET = Operation(
    "profile set",
    "Make a profile, or change settings of one.",
    OneProfile,
    _set,
    section="Set up",
    sources=Sources(settings=ALL, profile=False),
    exit_codes=(3,),
    examples=(Example("profile set team-a --docker-registry contoso.azurecr.io --azure-resource-group contoso-ml"),),
)
REMOVE = Operation(
    "profile remove",
    "Remove a profile.",
    OneProfile,
    _remove,
    section="Set up",
    exit_codes=(3,),
    examples=(Example("profile remove team-a"),),
)
USE = Operation(
    "profile use",
    "Make a profile the active one.",
    UseProfile,
    _use,
    section="Set up",
    exit_codes=(3,),
    one_of=("name", "none"),
    examples=(Example("profile use team-a"),),
)
