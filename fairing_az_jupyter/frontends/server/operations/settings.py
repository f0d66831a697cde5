"""Settings and profiles."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.frontends.server.operations.calls import session_of
from fairing_az_jupyter.frontends.server.problems import field_problem
from fairing_az_jupyter.settings import InvalidSettingsError, Settings, field_for, missing_for_launch
from fairing_az_jupyter.settings.profiles import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.frontends.server.operations.calls import Call
    from fairing_az_jupyter.settings.sources import Explained


def schema(_call: Call) -> dict[str, Any]:
    """Describe every setting."""
    return {"schema": Settings.model_json_schema()}


def resolve(call: Call) -> dict[str, Any]:
    """Tell the settings in force, and what is wrong with them: a form is right only bit by bit."""
    session = session_of(call, call.body)
    known, errors = _known(session.given)
    resolved, more = session.with_given(known).usable
    profile = call.body.profile or ProfileStore().active() or ""
    return {
        "values": resolved.settings.model_dump(mode="json"),
        "fields": [_explained(each, profile) for each in resolved.explain()],
        "errors": [field_problem(entry) for entry in (*errors, *more)],
        "missing": list(missing_for_launch(resolved.settings)),
    }


def profiles(_call: Call) -> dict[str, Any]:
    """List the profiles; one that can't be used says why."""
    store = ProfileStore()
    return {"active": store.active(), "profiles": [_listed(store, name) for name in store.list()]}


def save_profile(call: Call) -> dict[str, Any]:
    """Make a profile, or change values of one; null takes a value away."""
    store, name = ProfileStore(), call.names["profile"]
    given = {field_for(field): value for field, value in call.body.values.items()}
    values = {field: value for field, value in given.items() if value is not None}
    if name in store.list():
        if values:
            store.set_values(name, values)
        store.unset_values(name, [field for field, value in given.items() if value is None])
    else:
        store.save(name, values)
    return {"name": name, "values": store.read(name)}


def delete_profile(call: Call) -> None:
    """Delete a profile."""
    ProfileStore().remove(call.names["profile"])


def activate_profile(call: Call) -> dict[str, Any]:
    """Choose the profile in use."""
    store = ProfileStore()
    store.activate(call.body.name)
    # The environment may choose another one.
    return {"active": store.active()}


def _known(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Mapping[str, str]]]:
    """Return what is a setting, and what is to be said about the rest."""
    known: dict[str, Any] = {}
    errors: list[Mapping[str, str]] = []
    for name, value in given.items():
        try:
            field = field_for(name)
        except InvalidSettingsError as invalid:  # noqa: PERF203 - a few names
            errors += invalid.errors
        else:
            known.setdefault(field, value)
    return known, errors


def _listed(store: ProfileStore, name: str) -> dict[str, Any]:
    try:
        return {"name": name, "values": store.read(name), "problem": None}
    except FairingAzureError as error:
        return {"name": name, "values": {}, "problem": str(error)}


def _explained(each: Explained, profile: str) -> dict[str, Any]:
    origin = {"profile": profile, "environment": each.notebook_name if each.notebook_name in os.environ else ""}
    overridden = [f"{value!r} of the {source}" for source, value in each.overridden]
    parts = [origin.get(each.source, ""), f"overrides {', '.join(overridden)}" if overridden else ""]
    return {
        "field": each.field,
        "notebook_name": each.notebook_name,
        "value": each.value,
        "source": each.source,
        "detail": "; ".join(part for part in parts if part),
    }
