"""`deploy`: a class, as an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fairing_az_jupyter.operations.declaration import Example, Operation
from fairing_az_jupyter.operations.launches.tasks import SOURCES, TaskRequest, arguments_of
from fairing_az_jupyter.operations.words import argument, option

if TYPE_CHECKING:
    from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint
    from fairing_az_jupyter.operations.calls import Call

__all__ = ["DEPLOY", "Deploy", "deploy"]

_TASK = argument(
    "TASK",
    "FILE.py:CLASS, also NOTEBOOK.ipynb:CLASS; in a notebook also a class that it defines, which may be left out where "
    "the cell or the notebook defines only one",
    completes="task",
)


class Deploy(TaskRequest):
    """What is deployed."""

    task: Annotated[str | None, _TASK] = None
    from_job: Annotated[
        str,
        option(
            "--from",
            metavar="JOB",
            about="deploy with the files that a training has written: a run, a part of its name, 'last', a job, or a "
            "model's version in MLflow: models:/NAME/3",
            completes="run",
        ),
    ] = ""
    from_files: Annotated[
        tuple[str, ...],
        option(
            "--from-files",
            metavar="NAME",
            about="which of these files: names, patterns or folders (default: all)",
            words="several",
        ),
    ] = ()


def deploy(call: Call[Deploy]) -> LaunchedEndpoint:
    """Deploy, and wait until the endpoint is ready; what happens is published as launch events.

    Args:
        call: The command.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    asked = call.request
    return services.deploy(
        call.session,
        asked.task or "",
        **arguments_of(call),
        from_job=asked.from_job,
        from_files=asked.from_files,
    )


DEPLOY = Operation(
    "deploy",
    "Deploy a class as an endpoint, and wait until it is ready.",
    Deploy,
    section="Launch",
    sources=SOURCES,
    needed_in_terminal=("task",),
    exit_codes=(3, 4, 5, 6),
    examples=(
        Example("deploy HousingServe --from last --input-files requirements.txt", "cell", assigned="endpoint"),
        Example("deploy train.py:HousingServe --from last --from-files '*.dat'", "terminal"),
        Example("deploy train.py:HousingServe --input-files trained_ames_model.dat", "terminal"),
    ),
)
