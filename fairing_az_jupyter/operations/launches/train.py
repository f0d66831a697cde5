"""`train`: a class or a function, as a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from fairing_az_jupyter.operations.declaration import Example, Operation
from fairing_az_jupyter.operations.launches.tasks import SOURCES, TaskRequest, arguments_of
from fairing_az_jupyter.operations.words import argument, option

if TYPE_CHECKING:
    from fairing_az_jupyter.operations.calls import Call

__all__ = ["TRAIN", "Train", "train"]

_TASK = argument(
    "TASK",
    "FILE.py:CLASS or FILE.py:FUNCTION, also NOTEBOOK.ipynb:CLASS; in a notebook also a name of it, which may be left "
    "out where the cell or the notebook defines only one",
    completes="task",
)


class Train(TaskRequest):
    """What is trained."""

    task: Annotated[str | None, _TASK] = None
    deadline: Annotated[
        Annotated[int, Field(ge=1)] | None,
        option(
            "--deadline",
            metavar="SECONDS",
            about="end the job after so long (KubeflowAzureBackend; default: never)",
            takes="whole seconds, at least 1",
        ),
    ] = None


def train(call: Call[Train]) -> tuple[str, tuple[str, ...]]:
    """Train; what happens is published as launch events, what is printed goes to standard output.

    Args:
        call: The command.

    Returns:
        The job's name, and the last lines that it has printed.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    task = call.request.task or ""
    return services.train(call.session, task, **arguments_of(call), deadline=call.request.deadline)


TRAIN = Operation(
    "train",
    "Train a class or a function as a job, and show its output as it comes.",
    Train,
    section="Launch",
    sources=SOURCES,
    needed_in_terminal=("task",),
    exit_codes=(3, 4, 5, 6),
    examples=(
        Example("train HousingServe --input-files ames_dataset/train.csv requirements.txt", "cell", assigned="job"),
        Example("train train.py:HousingServe --input-files ames_dataset/train.csv requirements.txt", "terminal"),
        Example("train HousingServe --backend KubeflowAzureBackend --memory 8Gi --deadline 3600", "cell"),
    ),
)
