"""`fetch`: the files that a launch has written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fairing_az_jupyter.operations.declaration import CLUSTER, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import argument, flag, option

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.outputs.fetching import Fetched
    from fairing_az_jupyter.services.outputs.launch_outputs import LaunchOutputs

__all__ = ["FETCH", "Fetch", "fetched"]

OVERWRITE = "--overwrite"


class Fetch(Request):
    """Of which launch, which files, and where to."""

    launch: Annotated[
        str,
        argument(
            "LAUNCH", "the launch: a run's identifier, a part of one, 'last', or the name of its job", completes="run"
        ),
    ]
    files: Annotated[
        tuple[str, ...],
        argument(
            "FILE",
            "a file as --list names it, a pattern such as '*.png', or a folder (default: all files)",
            completes="output",
        ),
    ] = ()
    to: Annotated[
        str,
        option(
            "--to",
            metavar="FOLDER",
            about="the folder to copy to, made if it is not there (default: the current one)",
            completes="folder",
        ),
    ] = "."
    overwrite: Annotated[bool, flag(OVERWRITE, about="replace files that exist and differ")] = False
    only_list: Annotated[bool, flag("--list", about="list the files, and copy none")] = False


def fetched(call: Call[Fetch], progress: Callable[[int, int], None] | None = None) -> Fetched | LaunchOutputs:
    """Copy the files, or list them.

    Args:
        call: The command.
        progress: Is called with the bytes that are there now, and all of them.

    Returns:
        What became of each file, or what there is.

    Raises:
        InputError: The launch or a file does not exist, or a file was not copied over another one.
        FairingAzureError: Nothing was kept, or it can't be read.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    wanted = call.request
    if wanted.only_list:
        return services.list_outputs(call.session, wanted.launch, names=wanted.files)
    found = services.fetch_outputs(
        call.session,
        wanted.launch,
        wanted.files,
        Path(wanted.to).expanduser(),
        overwrite=wanted.overwrite,
        progress=progress,
    )
    problem = found.problem(OVERWRITE)
    if problem is not None:
        raise problem
    return found


FETCH = Operation(
    "fetch",
    "Copy the files that a launch has written here.",
    Fetch,
    fetched,
    section="Look after launches",
    sources=Sources(settings=(*CLUSTER, "azure_storage_account"), notebook="option", records=True),
    excluding=("only_list", "overwrite"),
    exit_codes=(3, 6),
    examples=(
        Example("fetch last --list"),
        Example("fetch last model.dat"),
        Example("fetch fairing-job-1a2b3c4d 'plots/*.png' --to results"),
    ),
)
