"""How a notebook is executed, and with which parameters: what `run`, `launch` and `sweep run` have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from fairing_az_jupyter.models import OUTPUT_LIMIT
from fairing_az_jupyter.operations.declaration import Request
from fairing_az_jupyter.operations.words import NoOutputs, Outputs, argument, flag, option, outputs_of

__all__ = ["Execution", "KeptOutputs", "OnCluster", "Parameters", "Seconds"]

_MEGABYTE = 1_000_000
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=True)]


def _bytes(value: Any) -> Any:  # noqa: ANN401 - as it was given
    if not isinstance(value, str):
        return value
    number = float(value)
    if not number > 0:
        msg = "it has to be more than 0"
        raise ValueError(msg)
    return max(1, int(number * _MEGABYTE))


class Parameters(Request):
    """A notebook, and where a run's parameters come from."""

    notebook: Annotated[
        str,
        argument("NOTEBOOK", "the notebook to run, a file or abs://...; it is only read", completes="notebook"),
    ]
    parameters: Annotated[
        tuple[tuple[str, str], ...],
        option(
            "-p",
            "--parameter",
            metavar="NAME VALUE",
            about="a parameter of the notebook; may be given several times",
            completes="parameter",
            words=2,
        ),
    ] = ()
    parameters_file: Annotated[
        str | None,
        option(
            "-f",
            "--parameters-file",
            metavar="FILE",
            about="parameters from a YAML or JSON file, also abs://; -p wins over it",
            completes="file",
        ),
    ] = None
    from_run: Annotated[
        str | None,
        option(
            "--from-run",
            metavar="RUN",
            about="parameters of an earlier run; -p and -f win over them",
            completes="run",
        ),
    ] = None


class Execution(Request):
    """How a notebook is executed."""

    kernel: Annotated[
        str | None,
        option("-k", "--kernel", metavar="NAME", about="the kernel to use (default: the notebook's own)"),
    ] = None
    cwd: Annotated[
        str | None,
        option(
            "--cwd",
            metavar="FOLDER",
            about="the kernel's working directory (default: the notebook's folder)",
            completes="folder",
        ),
    ] = None
    cell_timeout: Annotated[
        Seconds | None,
        option(
            "--cell-timeout",
            metavar="SECONDS",
            about="how long one cell may take (default: any time)",
            takes="seconds, more than 0",
        ),
    ] = None
    deadline: Annotated[
        Seconds | None,
        option(
            "--deadline",
            metavar="SECONDS",
            about="how long the whole run may take (default: any time)",
            takes="seconds, more than 0",
        ),
    ] = None
    output_limit: Annotated[
        int,
        BeforeValidator(_bytes),
        option(
            "--output-limit",
            metavar="MB",
            about=f"how much one cell may print (default: {OUTPUT_LIMIT / _MEGABYTE:.0f})",
            takes="megabytes, more than 0",
        ),
    ] = OUTPUT_LIMIT


class OnCluster(Request):
    """Whether the cluster executes a notebook, and what it gets for that."""

    on_cluster: Annotated[
        bool,
        flag(
            "--on-cluster",
            about="let the cluster execute the notebook, as a Job whose image is built like a training job's",
        ),
    ] = False
    input_files: Annotated[
        tuple[str, ...],
        option(
            "--input-files",
            metavar="FILE",
            about="files and folders beside the notebook that it needs in the cluster; its requirements.txt goes with "
            "it",
            completes="file",
            words="several",
        ),
    ] = ()


class KeptOutputs(Request):
    """Which of the files are kept that a notebook writes in the cluster."""

    outputs: Outputs = ()
    no_outputs: NoOutputs = False

    @property
    def kept(self) -> bool | tuple[str, ...]:
        """Which files, as `RunRequest` has it."""
        return outputs_of(self.outputs, self.no_outputs)
