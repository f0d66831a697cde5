"""What filling a notebook's parameters cell would change."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.services.session import profile_values
from fairing_az_jupyter.settings import cell_fields, notebook_names, sources, to_notebook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def plan_fill(
    notebook: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    profile: str | None = None,
) -> parameters.FillPlan:
    """Return what filling a notebook's parameters cell would change.

    What is filled in comes from the arguments, the profile that was named, the environment, and the active profile, in
    this order. Settings that not every notebook has are filled in only where the cell has them, or where they were
    given as arguments.

    Args:
        notebook: Path of the notebook.
        explicit: Settings given as arguments, by field.
        profile: The profile to use; None for the active one.

    Raises:
        InputError: There is nothing to fill in, a value breaks its rule, or the notebook can't be filled.

    """
    present = parameters.read_parameters(notebook).names
    return parameters.plan_fill(notebook, _wanted(f"'{notebook}'", present, explicit, profile))


def plan_cell_fill(
    source: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    profile: str | None = None,
) -> parameters.FillPlan:
    """Return what filling a parameters cell would change whose notebook nobody can read, as `plan_fill` does.

    Args:
        source: The cell's source; empty for a cell that is not there yet.
        explicit: Settings given as arguments, by field.
        profile: The profile to use; None for the active one.

    Raises:
        InputError: There is nothing to fill in, a value breaks its rule, or the source can't be understood.

    """
    text = text_of_cell(source)
    present = parameters.read_parameters_text(text).names
    return parameters.plan_fill_text(text, _wanted("the parameters cell", present, explicit, profile))


def text_of_cell(source: str) -> str:
    """Return a notebook's text whose only cell is a parameters cell.

    Args:
        source: The cell's source.

    """
    cell: dict[str, object] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "parameters",
        "metadata": {"tags": [parameters.PARAMETERS_TAG]},
        "outputs": [],
        "source": source,
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def _wanted(
    where: str, present: Sequence[str], explicit: Mapping[str, Any] | None, profile: str | None
) -> dict[str, object]:
    """Return the values to fill in, by their names in the notebook.

    Args:
        where: What is filled, for the error.
        present: The names that the cell has.
        explicit: Settings given as arguments, by field.
        profile: The profile to use; None for the active one.

    """
    given = dict(explicit or {})
    name, values = profile_values(profile)
    resolved = sources.resolve(
        explicit={**values, **given} if profile is not None else given,
        environ=sources.environment_values(os.environ),
        profile=values,
        profile_name=name or "",
    )
    fields = {each.field for each in resolved.explain() if each.source != "default"}
    names = notebook_names()
    wanted = {field for field in fields if field in cell_fields() or field in given or names[field] in present}
    if not wanted:
        raise InputError(
            f"There is nothing to fill into {where}: no setting was given, and no profile is active.",
            hint="Give one, such as --docker-registry myregistry.azurecr.io, or --profile NAME.",
            code="nothing-to-fill",
        )
    chosen = resolved.settings.model_dump(mode="json", include=wanted)
    return dict(to_notebook({field: chosen[field] for field in names if field in wanted}))
