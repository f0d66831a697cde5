"""What filling a notebook's parameters cell would change."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from fairing_az_jupyter import parameters
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.settings import cell_fields, notebook_names, sources, to_notebook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.services.session import Session


def plan_fill(session: Session, notebook: str) -> parameters.FillPlan:
    """Return what filling a notebook's parameters cell would change.

    What is filled in comes from the arguments, the profile that was named, the environment, and the active profile, in
    this order. Settings that not every notebook has are filled in only where the cell has them, or where they were
    given as arguments.

    Args:
        session: The settings in force, the records and the cluster.
        notebook: Path of the notebook.

    Raises:
        InputError: There is nothing to fill in, a value breaks its rule, or the notebook can't be filled.

    """
    present = parameters.read_parameters(notebook).names
    return parameters.plan_fill(notebook, _wanted(session, f"'{notebook}'", present))


def plan_cell_fill(session: Session, source: str) -> parameters.FillPlan:
    """Return what filling a parameters cell would change whose notebook nobody can read, as `plan_fill` does.

    Args:
        session: The settings in force, the records and the cluster.
        source: The cell's source; empty for a cell that is not there yet.

    Raises:
        InputError: There is nothing to fill in, a value breaks its rule, or the source can't be understood.

    """
    text = text_of_cell(source)
    present = parameters.read_parameters_text(text).names
    return parameters.plan_fill_text(text, _wanted(session, "the parameters cell", present))


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


def _wanted(session: Session, where: str, present: Sequence[str]) -> dict[str, object]:
    """Return the values to fill in, by their names in the notebook.

    Args:
        session: The settings in force, the records and the cluster.
        where: What is filled, for the error.
        present: The names that the cell has.

    """
    given = session.given
    name, values = session.profile_values
    resolved = sources.resolve(
        explicit={**values, **given} if session.profile is not None else given,
        environ=sources.environment_values(os.environ),
        profile=values,
        profile_name=name,
    )
    fields = {each.field for each in resolved.explain() if each.source != "default"}
    names = notebook_names()
    wanted = {field for field in fields if field in cell_fields() or field in given or names[field] in present}
    if not wanted:
        raise InputError(
            f"Nothing to fill into {where}: no setting was given, and no profile is active.",
            hint="Give a setting, such as --docker-registry myregistry.azurecr.io, or --profile NAME.",
            code="nothing-to-fill",
        )
    chosen = resolved.settings.model_dump(mode="json", include=wanted)
    return dict(to_notebook({field: chosen[field] for field in names if field in wanted}))
