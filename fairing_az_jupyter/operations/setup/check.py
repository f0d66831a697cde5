"""`check`: everything that a launch needs."""

from __future__ import annotations

from typing import Annotated

from fairing_az_jupyter.operations.declaration import ALL, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import flag

__all__ = ["CHECK", "Check"]


class Check(Request):
    """How much is said."""

    verbose: Annotated[bool, flag("-v", "--verbose", about="say what each check has looked at")] = False


CHECK = Operation(
    "check",
    "Check every secret, permission and Azure resource that a launch needs; each problem comes with its fix.",
    Check,
    section="Set up",
    sources=Sources(settings=ALL, notebook="argument"),
    exit_codes=(3, 7, 8),
    examples=(
        Example("check", "cell", assigned="found"),
        Example("check --profile team-a"),
        Example("check train.ipynb --json", "terminal"),
    ),
)
