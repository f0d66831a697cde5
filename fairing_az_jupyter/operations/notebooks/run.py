"""`run` and `launch`: a notebook with parameters, by papermill; `launch` checks before."""

from __future__ import annotations

from typing import Annotated

from fairing_az_jupyter.operations.declaration import ALL, Example, Operation, Sources
from fairing_az_jupyter.operations.notebooks.execution import Execution, KeptOutputs, OnCluster, Parameters
from fairing_az_jupyter.operations.words import Name, flag, option

__all__ = ["LAUNCH", "RUN", "Launch", "Run"]


class NotebookRun(Parameters, Execution):
    """A run of a notebook, and what is kept of it."""

    output: Annotated[
        str | None,
        option(
            "-o",
            "--output",
            metavar="PATH",
            about="the executed notebook, a file or abs://... (default: NOTEBOOK.executed.ipynb)",
            completes="file",
        ),
    ] = None
    name: Name = ""
    junit: Annotated[
        str | None,
        option(
            "--junit",
            metavar="FILE",
            about="also write the run as JUnit XML, a test case for each cell",
            completes="file",
        ),
    ] = None


class Run(NotebookRun, OnCluster, KeptOutputs):
    """A run, here or in the cluster."""


class Launch(NotebookRun):
    """A run whose launches are checked before."""

    skip_checks: Annotated[
        bool, flag("--skip-checks", about="launch without the checks, also where they would say that it fails")
    ] = False


_SOURCES = Sources(settings=ALL, records=True)
RUN = Operation(
    "run",
    "Run a notebook with parameters, by papermill.",
    Run,
    section="Launch",
    sources=_SOURCES,
    excluding=("outputs", "no_outputs"),
    streams=True,
    exit_codes=(3, 4, 5, 6),
    examples=(
        Example("run train.ipynb -p N_ESTIMATORS 200 -o done.ipynb", "cell", assigned="done"),
        Example("run train.ipynb -p N_ESTIMATORS 200 -f more.yaml", "terminal"),
    ),
)
LAUNCH = Operation(
    "launch",
    "Check everything that a notebook's launch needs, and run it: train, deploy, predict and clean up.",
    Launch,
    section="Launch",
    sources=_SOURCES,
    streams=True,
    exit_codes=(3, 4, 5, 6, 7),
    examples=(
        Example("launch train.ipynb --profile team-a"),
        Example("launch train.ipynb --profile team-a --skip-checks"),
    ),
)
