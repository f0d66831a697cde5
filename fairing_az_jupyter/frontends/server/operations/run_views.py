"""Runs as the side panel shows them: with the paths that Jupyter's contents have for their notebooks."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.records import RunStore

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.server.contents_paths import Contents
    from fairing_az_jupyter.frontends.server.operations.calls import Call
    from fairing_az_jupyter.models import RunInfo

ACTIVE = ("waiting", "running")


def found_run(call: Call) -> RunInfo:
    """Return the run that a path names by its whole identifier.

    Args:
        call: The request.

    Raises:
        InputError: No such run exists.

    """
    name = call.names["run"]
    session = services.Session()
    store = session.store
    # Not as the command line takes names: a part of one must not cancel a run that nobody meant.
    if store.get(name) is None and not store.folder(name).is_dir():
        raise InputError(
            f"Run '{name}' not found in '{store.path}'.",
            hint="Refresh the list of runs: its record may have been deleted.",
            code="run-unknown",
        )
    return services.describe_run(session, name)


def view(info: RunInfo, contents: Contents) -> dict[str, Any]:
    """Return a run as JSON has it.

    Args:
        info: The run.
        contents: The files that Jupyter shows.

    """
    notebook, output = info.notebook, info.output
    named = [path for path in (notebook, output) if path and "://" not in path]
    if not all(os.path.isabs(path) for path in named):  # noqa: PTH117 - names of files, of any form
        # They count from the folder that the run was asked for in.
        with contextlib.suppress(FairingAzureError):
            request = RunStore.open().request(info.id)
            notebook = _from_here(request.notebook)
            output = None if request.output is None else _from_here(request.output)
    return {
        **info.to_dict(),
        "notebook_path": contents.path_of(notebook),
        "output_path": contents.path_of(output),
        "is_active": info.state in ACTIVE,
    }


def _from_here(path: str) -> str:
    """Return a path that counts from the current folder, as that of a request does, as an absolute one."""
    return os.path.abspath(path) if "://" not in path else path  # noqa: PTH100 - of any form, as above
