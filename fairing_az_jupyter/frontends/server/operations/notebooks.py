"""Notebooks: their parameters, what filling them would change, and what can be launched of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters, services
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.server.operations.calls import notebook_file

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.server.operations.calls import Call

NEEDS = {"describe": ("fairing_az_jupyter.runs.places.addresses", "fairing_az_jupyter.runs.parameters.secrets")}


def describe(call: Call) -> dict[str, Any]:
    """List a notebook's parameters."""
    with notebook_file(call, call.body) as path:
        described = services.describe_parameters(services.Session(), path)
        has_cell = bool(parameters.read_parameters(path).cells)
    return {"parameters": [each.to_dict() for each in described], "has_cell": has_cell}


def fill_plan(call: Call) -> dict[str, Any]:
    """Plan how to fill a notebook's parameters cell."""
    with notebook_file(call, call.body.notebook) as path:
        try:
            session = services.Session(call.body.values, profile=call.body.profile)
            return services.plan_fill(session, path).to_dict()
        except InputError as error:
            if error.code != "nothing-to-fill":
                raise
    # A form in which nothing was typed asks for a plan as well; that is not a mistake.
    return {"changed": False, "before_digest": "", "edits": [], "warnings": [], "diff": ""}


def tasks(call: Call) -> dict[str, Any]:
    """List what can be trained or deployed of a notebook or a module."""
    from fairing_az_jupyter.services import list_tasks  # noqa: PLC0415 - see NEEDS

    path = call.contents.place(call.body.path, what="notebook")
    if call.body.content is None:
        path = call.contents.file(call.body.path)
    return {"tasks": [each.to_dict() for each in list_tasks(path, call.body.content)]}
