"""`logs`: what a launch has printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fairing_az_jupyter.operations.declaration import CLUSTER, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import argument, flag, option

if TYPE_CHECKING:
    from collections.abc import Generator

    from fairing_az_jupyter.models import LaunchLine
    from fairing_az_jupyter.operations.calls import Call

__all__ = ["LOGS", "Logs", "lines_of"]


class Logs(Request):
    """Of which launch, and how much."""

    name: Annotated[str, argument("NAME", "the launch, as status names it", completes="launch")]
    follow: Annotated[
        bool, flag("-f", "--follow", about="continue as lines come: to the end of a job, else until Ctrl-C")
    ] = False
    tail: Annotated[
        Annotated[int, Field(ge=0)] | None,
        option(
            "--tail",
            metavar="N",
            about="the last N lines of each container (default: all)",
            takes="a whole number, 0 or more",
        ),
    ] = None


def lines_of(call: Call[Logs]) -> Generator[LaunchLine, None, None]:
    """Return the lines, which come as they are printed.

    Args:
        call: The command.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    wanted = call.request
    return services.launch_logs(call.session, wanted.name, follow=wanted.follow, tail=wanted.tail)


LOGS = Operation(
    "logs",
    "Show what a job, an endpoint or a build has printed.",
    Logs,
    section="Look after launches",
    sources=Sources(settings=(*CLUSTER, "node_wait"), notebook="option"),
    streams=True,
    exit_codes=(3, 4, 6),
    examples=(
        Example("logs fairing-job-1a2b3c4d --follow"),
        Example("logs fairing-endpoint-1a2b3c4d --tail 50"),
    ),
)
