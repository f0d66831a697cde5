"""`status`: what was launched, and how it is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

from fairing_az_jupyter.exceptions import ServiceError
from fairing_az_jupyter.models import LaunchInfo  # noqa: TC001 - pydantic reads it
from fairing_az_jupyter.operations.declaration import CLUSTER, EVERYWHERE, Example, Operation, Request, Route, Sources
from fairing_az_jupyter.operations.words import argument, flag

if TYPE_CHECKING:
    from fairing_az_jupyter.operations.calls import Call

__all__ = ["STATUS", "Launches", "Status"]


class Status(Request):
    """Which launch; all of them where none is named."""

    name: Annotated[
        str | None, argument("NAME", "show only this, with all that is known of it", completes="launch")
    ] = None
    everyone: Annotated[
        bool, flag("--everyone", about="of all namespaces that you may look at, with notebook, run and sweep")
    ] = False


@dataclasses.dataclass(frozen=True)
class Launches:
    """What was launched.

    Args:
        found: The launches; one, where one was asked for.
        is_one: Whether one was asked for.
        note: What could not be seen, in one sentence; empty if everything could.
        of_everyone: Whether those of all namespaces were asked for.

    """

    found: tuple[LaunchInfo, ...]
    is_one: bool = False
    note: str = ""
    of_everyone: bool = False


def _status(call: Call[Status]) -> Launches:
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    session = call.session
    if call.request.name is not None:
        return Launches((services.describe_launch(session, call.request.name),), is_one=True)
    here = services.local_launches(session)
    if session.is_local:
        return Launches(here, note=services.LOCAL)
    try:
        if call.request.everyone:
            found, note = services.list_everyones_launches(session)
            return Launches((*here, *found), note=note, of_everyone=True)
        return Launches((*here, *services.list_launches(session)))
    except ServiceError as error:
        # What runs on this machine needs no cluster to be seen.
        if not here:
            raise
        return Launches(here, note=f"The cluster could not be asked: {' '.join(error.message.split())}")


STATUS = Operation(
    "status",
    "Show what was launched in the cluster: jobs, endpoints, builds.",
    Status,
    _status,
    section="Look after launches",
    sources=Sources(settings=CLUSTER, notebook="option"),
    answer=Launches,
    route=Route("operations/status", "read"),
    places=EVERYWHERE,
    excluding=("name", "everyone"),
    examples=(Example("status"), Example("status fairing-job-1a2b3c4d"), Example("status --everyone")),
)
