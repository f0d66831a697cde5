"""`sweep`: one notebook at many points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from fairing_az_jupyter.operations.declaration import ALL, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.notebooks.execution import Execution, KeptOutputs, OnCluster, Parameters
from fairing_az_jupyter.operations.words import Age, age_option, argument, flag, option

if TYPE_CHECKING:
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.declaration import Place
    from fairing_az_jupyter.services.keeping.sweeps import DeletedSweeps
    from fairing_az_jupyter.sweeps.table import SweepTable

__all__ = [
    "CANCEL",
    "DELETE",
    "LIST",
    "PRUNE",
    "RESUME",
    "RUN",
    "SHOW",
    "ListSweeps",
    "ResumeSweep",
    "RunSweep",
    "ShowSweep",
]

_POINTS = "points, from one of --grid, --list, --csv and --sample"
_NAMED = argument("SWEEP", "the sweep: its identifier, a part of it that no other has, or 'last'")
_TERMINAL: frozenset[Place] = frozenset({"terminal"})
Positive = Annotated[int, Field(ge=1)]


class _Sharing(Request):
    """How many runs at the same time, and when no more are started."""

    jobs: Annotated[
        Positive,
        option(
            "-j",
            "--jobs",
            metavar="N",
            about="runs at the same time (default: 1)",
            takes="a whole number, 1 or more",
        ),
    ] = 1
    stop_after: Annotated[
        Positive | None,
        option(
            "--stop-after",
            metavar="N",
            about="start no more runs after N failures (default: run them all)",
            takes="a whole number, 1 or more",
        ),
    ] = None


class RunSweep(Parameters, Execution, OnCluster, KeptOutputs, _Sharing):
    """The notebook, its points, and how its runs are executed."""

    grid: Annotated[
        tuple[tuple[str, ...], ...],
        option(
            "--grid",
            metavar="NAME VALUE ...",
            about="every value of this parameter, with every one of the others; may be given several times",
            words="several",
            group=_POINTS,
        ),
    ] = ()
    list_file: Annotated[
        str | None,
        option(
            "--list",
            metavar="FILE",
            about="a YAML or JSON file with a list of points, a mapping of names to values each",
            completes="file",
            group=_POINTS,
        ),
    ] = None
    csv_file: Annotated[
        str | None,
        option(
            "--csv",
            metavar="FILE",
            about="a CSV file: names of parameters in the first line, a point in each other",
            completes="file",
            group=_POINTS,
        ),
    ] = None
    sample: Annotated[
        int | None,
        option("--sample", metavar="N", about="draw N points at random", takes="a whole number", group=_POINTS),
    ] = None
    ranges: Annotated[
        tuple[tuple[str, ...], ...],
        option(
            "--range",
            metavar="NAME LOW ...",
            about="draw numbers: NAME LOW HIGH, and log or int or both; may be given several times",
            words="several",
            group=_POINTS,
        ),
    ] = ()
    choices: Annotated[
        tuple[tuple[str, ...], ...],
        option(
            "--choice",
            metavar="NAME VALUE ...",
            about="draw one of these values; may be given several times",
            words="several",
            group=_POINTS,
        ),
    ] = ()
    seed: Annotated[
        int | None,
        option(
            "--seed",
            metavar="S",
            about="draw the same points as another sample with this seed",
            takes="a whole number",
            group=_POINTS,
        ),
    ] = None
    output_folder: Annotated[
        str | None,
        option(
            "--output-folder",
            metavar="FOLDER",
            about="a folder or abs://... for the executed notebooks, by point (default: in the records only)",
            completes="folder",
        ),
    ] = None


class ResumeSweep(OnCluster, _Sharing):
    """Which sweep, and how the rest of it is run."""

    name: Annotated[str, _NAMED]
    retry_failed: Annotated[bool, flag("--retry-failed", about="also run again what failed or was cancelled")] = False


class ListSweeps(Request):
    """How many."""

    limit: Annotated[
        int,
        option("-n", "--limit", metavar="N", about="the newest N (default: 20; 0 for all)", takes="a whole number"),
    ] = 20


class ShowSweep(Request):
    """Which sweep, and how."""

    name: Annotated[str, _NAMED]
    csv: Annotated[
        str | None,
        option(
            "--csv",
            metavar="FILE",
            about="also write the table as CSV; - for standard output",
            completes="file",
        ),
    ] = None
    plot: Annotated[
        str | None,
        option(
            "--plot",
            metavar="FILE",
            about="also draw the metric over each parameter: .png, .svg or .pdf",
            completes="file",
        ),
    ] = None
    metric: Annotated[
        str | None,
        option("--metric", metavar="NAME", about="the metric to draw and to find the best of (default: the first)"),
    ] = None
    sort: Annotated[
        str | None,
        option("--sort", metavar="NAME", about="sort by a parameter, a metric, point, duration or state"),
    ] = None
    goal: Annotated[
        Literal["min", "max"] | None,
        option("--goal", metavar="GOAL", about="whether less or more of the metric is better (default: by its name)"),
    ] = None


class OneSweep(Request):
    """Which sweep."""

    name: Annotated[str, _NAMED]


class DeleteSweeps(Request):
    """Which sweeps."""

    names: Annotated[tuple[str, ...], Field(min_length=1), _NAMED]


class PruneSweeps(Request):
    """Which sweeps."""

    keep: Annotated[
        int | None,
        Field(ge=0),
        option("--keep", metavar="N", about="keep the newest N", takes="a whole number, 0 or more"),
    ] = None
    older_than: Annotated[
        Age | None, age_option("--older-than", about="only those that ended longer ago, such as 30d or 12h")
    ] = None
    state: Annotated[
        Literal["done", "incomplete"],
        option("--state", metavar="STATE", about="those of which every point has ended, or others (default: done)"),
    ] = "done"
    dry_run: Annotated[bool, flag("-n", "--dry-run", about="show what would be deleted, delete nothing")] = False


def _list(call: Call[ListSweeps]) -> tuple[SweepTable, ...]:
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    limit = call.request.limit
    return tuple(services.list_sweeps(call.session, limit=limit if limit > 0 else None))


def _cancel(call: Call[OneSweep]) -> SweepTable:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    return services.cancel_sweep(call.session, call.request.name)


def _delete(call: Call[DeleteSweeps]) -> DeletedSweeps:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    return services.delete_sweeps(call.session, call.request.names)


def _prune(call: Call[PruneSweeps]) -> DeletedSweeps:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    wanted = call.request
    return services.prune_sweeps(
        call.session,
        keep=wanted.keep,
        older_than=wanted.older_than,
        state=wanted.state,
        dry_run=wanted.dry_run,
    )


RUN = Operation(
    "sweep run",
    "Run a notebook at many points, each with a record of its own.",
    RunSweep,
    section="Runs and sweeps",
    sources=Sources(settings=ALL, records=True),
    excluding=("outputs", "no_outputs"),
    places=_TERMINAL,
    streams=True,
    exit_codes=(3, 4, 5, 6),
    examples=(Example("sweep run train.ipynb --grid MAX_DEPTH 3 5 7 -j 2", "terminal"),),
)
RESUME = Operation(
    "sweep resume",
    "Run what is missing of a sweep: after a crash, Ctrl-C, or failures.",
    ResumeSweep,
    section="Runs and sweeps",
    sources=Sources(records=True),
    places=_TERMINAL,
    streams=True,
    exit_codes=(3, 4, 5, 6),
    examples=(Example("sweep resume last -j 4", "terminal"),),
)
LIST = Operation(
    "sweep list",
    "List sweeps, the newest first.",
    ListSweeps,
    _list,
    section="Runs and sweeps",
    sources=Sources(records=True),
    places=_TERMINAL,
    exit_codes=(3,),
    examples=(Example("sweep list", "terminal"),),
)
SHOW = Operation(
    "sweep show",
    "Show a sweep as a table: parameters, what was reported, how long it took.",
    ShowSweep,
    section="Runs and sweeps",
    sources=Sources(records=True),
    places=_TERMINAL,
    exit_codes=(3, 5),
    examples=(Example("sweep show last --plot sweep.png", "terminal"),),
)
CANCEL = Operation(
    "sweep cancel",
    "Ask a sweep to stop, wherever it was started.",
    OneSweep,
    _cancel,
    section="Runs and sweeps",
    sources=Sources(records=True),
    places=_TERMINAL,
    examples=(Example("sweep cancel last", "terminal"),),
)
DELETE = Operation(
    "sweep delete",
    "Delete sweeps, and the records of their runs.",
    DeleteSweeps,
    _delete,
    section="Runs and sweeps",
    sources=Sources(records=True),
    places=_TERMINAL,
    exit_codes=(3, 6),
    examples=(Example("sweep delete last", "terminal"),),
)
PRUNE = Operation(
    "sweep prune",
    "Delete sweeps that have ended, and the records of their runs.",
    PruneSweeps,
    _prune,
    section="Runs and sweeps",
    sources=Sources(records=True),
    places=_TERMINAL,
    exit_codes=(3, 6),
    examples=(Example("sweep prune --older-than 30d", "terminal"),),
)
