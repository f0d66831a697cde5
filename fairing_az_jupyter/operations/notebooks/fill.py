"""`fill`: the parameters cell of a notebook."""

from __future__ import annotations

from typing import Annotated

from fairing_az_jupyter.operations.declaration import ALL, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import argument, flag

__all__ = ["FILL", "Fill"]


class Fill(Request):
    """Which notebook; in a cell, the one around it unless another is named."""

    notebook: Annotated[
        str | None,
        argument("NOTEBOOK", "the notebook to fill; in a cell it may be left out", completes="notebook"),
    ] = None
    dry_run: Annotated[bool, flag("-n", "--dry-run", about="show what would change, write nothing")] = False


FILL = Operation(
    "fill",
    "Fill the parameters cell of a notebook; every other byte stays as it is.",
    Fill,
    section="Set up",
    sources=Sources(settings=ALL),
    needed_in_terminal=("notebook",),
    same_in_cell=False,
    exit_codes=(3,),
    examples=(
        Example("fill --docker-registry contoso.azurecr.io", "cell"),
        Example("fill train.ipynb --backend KubeflowAzureBackend --docker-registry contoso.azurecr.io", "terminal"),
        Example("fill --profile team-a --dry-run", "cell"),
    ),
)
