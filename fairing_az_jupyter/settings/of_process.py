"""What the sources of settings say in this process: its environment, the profile in use, the pod that it is in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.settings import sources
from fairing_az_jupyter.settings.profiles import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["profile_values", "source_values"]


def source_values(
    explicit: Mapping[str, Any] | None = None,
    cell: Mapping[str, Any] | None = None,
    profile: tuple[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return what every source says, as `sources.resolve` and `sources.resolve_usable` take it.

    Args:
        explicit: Values given as arguments, by field.
        cell: The variables of a parameters cell.
        profile: Name and values of a profile; None for the one in use.

    Raises:
        ProfileError: The profile in use is not there, or can't be used.

    """
    name, values = profile_values(None) if profile is None else profile
    return {
        "explicit": explicit,
        "cell": cell,
        "environ": sources.environment_values(),
        "profile": values,
        "cluster": sources.cluster_values(),
        "profile_name": name,
    }


def profile_values(name: str | None) -> tuple[str, dict[str, Any]]:
    """Return the name and the values of a profile.

    Args:
        name: The profile; None for the one in use, whose name is empty if there is none.

    Raises:
        ProfileError: It is not there, or can't be used.

    """
    profiles = ProfileStore()
    if name is not None:
        return name, profiles.read(name)
    return profiles.active() or "", profiles.active_values()
