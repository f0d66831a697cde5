"""The settings in force, and profiles of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.settings import field_for, sources
from fairing_az_jupyter.settings.profiles import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairing_az_jupyter.settings.sources import Resolved

    Notebook = str | Mapping[str, Any] | None


def settings_in_force(
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
) -> Resolved:
    """Return the settings in force and where each comes from.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.

    Raises:
        FairingAzureError: A source can't be read, or a value in force breaks its rule.

    """
    return sources.resolve(**_sources(explicit, notebook, profile))


def usable_settings(
    explicit: Mapping[str, Any] | None, notebook: Notebook, profile: str | None
) -> tuple[Resolved, Sequence[Mapping[str, str]]]:
    """Return the settings in force that can be used, and what is wrong with the others; arguments as above."""
    return sources.resolve_usable(**_sources(explicit, notebook, profile))


def _sources(explicit: Mapping[str, Any] | None, notebook: Notebook, profile: str | None) -> dict[str, Any]:
    """Return what every source says, as `sources.resolve` takes it."""
    name, values = profile_values(profile)
    return {
        "explicit": explicit,
        "cell": variables_of(notebook),
        "environ": sources.environment_values(os.environ),
        "profile": values,
        "cluster": sources.cluster_values(),
        "profile_name": name or "",
    }


def save_profile(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Make a profile, or change some settings of one; return its values.

    Args:
        name: The profile.
        changes: Values by field.

    Raises:
        InputError: There is nothing to change, a value breaks its rule, or the profile can't be written.

    """
    if not changes:
        raise InputError(
            f"There is nothing to set in profile '{name[:64]}': no setting was given.",
            hint="Give one, such as --docker-registry myregistry.azurecr.io",
            code="nothing-to-set",
        )
    store = ProfileStore()
    changes = {field_for(field): value for field, value in changes.items()}
    if name in store.list():
        store.set_values(name, changes)
    else:
        store.save(name, changes)
    return store.read(name)


def profile_values(name: str | None) -> tuple[str | None, dict[str, Any]]:
    """Return a profile's name and values; those of the active one unless a name is given."""
    store = ProfileStore()
    if name is not None:
        return name, store.read(name)
    return store.active(), store.active_values()


def variables_of(notebook: Notebook) -> Mapping[str, Any] | None:
    """Return the variables of a notebook's parameters cell, however the notebook is given."""
    return parameters.read_parameters(notebook).values if isinstance(notebook, str) else notebook
