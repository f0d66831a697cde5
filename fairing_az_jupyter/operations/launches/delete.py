"""`delete`: launches, and everything created with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fairing_az_jupyter.models import LaunchInfo
from fairing_az_jupyter.operations.declaration import CLUSTER, EVERYWHERE, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import argument

if TYPE_CHECKING:
    from fairing_az_jupyter.operations.calls import Call

__all__ = ["DELETE", "Delete"]


class Delete(Request):
    """Which launches."""

    names: Annotated[
        tuple[str, ...], Field(min_length=1), argument("NAME", "the launch, as status names it", completes="launch")
    ]


def _delete(call: Call[Delete]) -> tuple[LaunchInfo, ...]:
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    return services.delete(call.session, call.request.names)


DELETE = Operation(
    "delete",
    "Delete jobs, endpoints or builds, and everything created with them.",
    Delete,
    _delete,
    section="Look after launches",
    sources=Sources(settings=CLUSTER, notebook="option"),
    answer=tuple[LaunchInfo, ...],
    places=EVERYWHERE,
    exit_codes=(3, 4, 6),
    examples=(Example("delete fairing-endpoint-1a2b3c4d"),),
)
