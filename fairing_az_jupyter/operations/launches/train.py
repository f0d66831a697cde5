"""`train`: a class or a function, as a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from fairing_az_jupyter.operations.declaration import Example, Operation
from fairing_az_jupyter.operations.launches.tasks import SOURCES, TaskRequest, arguments_of
from fairing_az_jupyter.operations.words import NoOutputs, Outputs, argument, option, outputs_of

if TYPE_CHECKING:
    from fairing_az_jupyter.fairing.outcomes import LaunchedJob
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
    outputs: Outputs = ()
    no_outputs: NoOutputs = False
    checkpoints: Annotated[
        str,
        option(
            "--checkpoints",
            metavar="FOLDER",
            about="a folder below the job's working folder that is saved while the job runs, and is there again where "
            "its pod is started anew, such as ckpt/",
        ),
    ] = ""
    register_as: Annotated[
        str,
        option(
            "--register",
            metavar="NAME",
            about="register what it writes as a version of this model in MLflow (needs --mlflow-tracking-uri)",
        ),
    ] = ""


def train(call: Call[Train]) -> LaunchedJob:
    """Train; what happens is published as launch events, what is printed goes to standard output.

    Args:
        call: The command.

    Returns:
        The job's name, which also knows the last lines that it has printed, and its record.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    asked = call.request
    more: dict[str, Any] = {
        "deadline": asked.deadline,
        "outputs": outputs_of(asked.outputs, asked.no_outputs),
        "checkpoints": asked.checkpoints,
        "register": asked.register_as,
    }
    return services.train(call.session, asked.task or "", **arguments_of(call), **more)


TRAIN = Operation(
    "train",
    "Train a class or a function as a job, and show its output as it comes.",
    Train,
    section="Launch",
    sources=SOURCES,
    needed_in_terminal=("task",),
    excluding=("outputs", "no_outputs"),
    exit_codes=(3, 4, 5, 6),
    examples=(
        Example("train HousingServe --input-files ames_dataset/train.csv requirements.txt", "cell", assigned="job"),
        Example("train train.py:HousingServe --input-files ames_dataset/train.csv requirements.txt", "terminal"),
        Example("train HousingServe --backend KubeflowAzureBackend --memory 8Gi --deadline 3600", "cell"),
        Example("train train.py:HousingServe --backend KubeflowAzureBackend --spot --checkpoints ckpt/", "terminal"),
    ),
)
