"""`runs`: the records of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.models import RunState  # noqa: TC001 - pydantic reads it
from fairing_az_jupyter.operations.declaration import CLUSTER, Example, Operation, Request, Sources
from fairing_az_jupyter.operations.words import Age, age_option, argument, flag, option

if TYPE_CHECKING:
    from fairing_az_jupyter.models import ClusterLaunch, RunInfo
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.records.comparing import RunTable
    from fairing_az_jupyter.records.pruning import Pruned

__all__ = ["CANCEL", "COMPARE", "LIST", "LOGS", "PRUNE", "RETRY", "SHOW", "ListRuns", "PruneRuns", "Retry", "RunLogs"]

_NAMED = argument("RUN", "the run: its identifier, a part of it that no other has, or 'last'", completes="run")
_SOURCES = Sources(records=True)
_COUNT = "a whole number, 0 or more"
Count = Annotated[int, Field(ge=0)]


class OneRun(Request):
    """Which run."""

    name: Annotated[str, _NAMED]


class ListRuns(Request):
    """Which runs."""

    limit: Annotated[
        Count,
        option("-n", "--limit", metavar="N", about="the newest N runs (default: 20; 0 for all)", takes=_COUNT),
    ] = 20
    state: Annotated[RunState | None, option("--state", metavar="STATE", about="only runs in this state")] = None
    notebook: Annotated[
        str | None,
        option("--notebook", metavar="NOTEBOOK", about="only runs of this notebook", completes="notebook"),
    ] = None
    cluster: Annotated[
        bool,
        flag("--cluster", about="the trainings of the whole namespace, also those of other notebook servers"),
    ] = False


class RunLogs(OneRun):
    """Of which run, and how much."""

    follow: Annotated[bool, flag("-f", "--follow", about="continue as it prints more, to its end")] = False
    tail: Annotated[
        Count | None, option("--tail", metavar="N", about="the last N lines (default: all)", takes=_COUNT)
    ] = None


class Retry(OneRun):
    """Which run, and with which notebook."""

    as_it_was: Annotated[
        bool,
        flag("--as-it-was", about="in the image, and with the code and files, of then; else what is gone is named"),
    ] = False


class CompareRuns(Request):
    """Which runs."""

    names: Annotated[tuple[str, ...], Field(min_length=1), _NAMED]


class PruneRuns(Request):
    """Which records."""

    keep: Annotated[Count | None, option("--keep", metavar="N", about="keep the newest N", takes=_COUNT)] = None
    older_than: Annotated[
        Age | None, age_option("--older-than", about="only those that are older, such as 30d or 12h")
    ] = None
    state: Annotated[
        Literal["succeeded", "failed", "cancelled", "lost"] | None,
        option("--state", metavar="STATE", about="only those that have ended so"),
    ] = None
    cluster: Annotated[
        bool, flag("--cluster", about="not records, but blobs of launches that no record names (default: a week old)")
    ] = False
    everyone: Annotated[bool, flag("--everyone", about="with --cluster: also blobs that others may need")] = False
    yes: Annotated[bool, flag("-y", "--yes", about="with --cluster: do not ask")] = False
    dry_run: Annotated[bool, flag("-n", "--dry-run", about="show what would be deleted, delete nothing")] = False


def _show(call: Call[OneRun]) -> RunInfo:
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    return services.describe_run(call.session, call.request.name, report=call.caller.warn)


def _cancel(call: Call[OneRun]) -> RunInfo:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    return services.cancel_run(call.session, call.request.name)


def _list(call: Call[ListRuns]) -> tuple[RunInfo, ...] | tuple[ClusterLaunch, ...]:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    asked = call.request
    if asked.cluster:
        most = asked.limit + 1 if asked.limit else None
        of = {"state": asked.state or "", "notebook": asked.notebook or ""}
        return tuple(services.list_cluster_launches(call.session, limit=most, report=call.caller.warn, **of))
    wanted = {key: value for key, value in (("state", asked.state), ("notebook", asked.notebook)) if value}
    # One more tells whether there are older ones.
    most = asked.limit + 1 if asked.limit else None
    return tuple(services.list_runs(call.session, limit=most, report=call.caller.warn, **wanted))


def _compare(call: Call[CompareRuns]) -> RunTable:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    return services.compare_runs(call.session, call.request.names)


def _prune(call: Call[PruneRuns]) -> Pruned:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    wanted = call.request
    if wanted.everyone:
        raise InputError(
            "--everyone counts for blobs only: records of others are never deleted.",
            hint="Add --cluster, or leave it out.",
            code="prune",
        )
    return services.prune_runs(
        call.session,
        keep=wanted.keep,
        older_than=wanted.older_than,
        state=wanted.state,
        dry_run=wanted.dry_run,
    )


LIST = Operation(
    "runs list",
    "List runs, the newest first.",
    ListRuns,
    _list,
    section="Runs and sweeps",
    sources=Sources(settings=(*CLUSTER, "azure_storage_account"), records=True),
    exit_codes=(3, 6),
    examples=(Example("runs list --state failed"), Example("runs list --cluster")),
)
SHOW = Operation(
    "runs show",
    "Show all that is known of a run; of a failed one the cell and its traceback.",
    OneRun,
    _show,
    section="Runs and sweeps",
    sources=_SOURCES,
    exit_codes=(3,),
    examples=(Example("runs show last"),),
)
LOGS = Operation(
    "runs logs",
    "Show what a run has printed.",
    RunLogs,
    section="Runs and sweeps",
    sources=_SOURCES,
    streams=True,
    exit_codes=(3,),
    examples=(Example("runs logs last --follow"),),
)
CANCEL = Operation(
    "runs cancel",
    "Ask a run to stop, wherever it was started.",
    OneRun,
    _cancel,
    section="Runs and sweeps",
    sources=_SOURCES,
    examples=(Example("runs cancel last"),),
)
RETRY = Operation(
    "runs retry",
    "Run again what was run before, with the same parameters.",
    Retry,
    section="Runs and sweeps",
    sources=_SOURCES,
    streams=True,
    exit_codes=(3, 4, 5, 6),
    examples=(Example("runs retry last"),),
)
COMPARE = Operation(
    "runs compare",
    "Compare runs: the parameters that differ, and what they reported.",
    CompareRuns,
    _compare,
    section="Runs and sweeps",
    sources=_SOURCES,
    exit_codes=(3,),
    examples=(Example("runs compare 1a2b 3c4d"),),
)
PRUNE = Operation(
    "runs prune",
    "Delete records of runs that have ended, or blobs that no record names; notebooks outside the records stay.",
    PruneRuns,
    _prune,
    section="Runs and sweeps",
    sources=Sources(settings=(*CLUSTER, "azure_storage_account"), notebook="option", records=True),
    excluding=("cluster", "keep"),
    examples=(Example("runs prune --keep 100"), Example("runs prune --cluster --older-than 30d --dry-run")),
)
