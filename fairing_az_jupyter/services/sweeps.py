"""Sweeps: kept, executed on this machine, gone on with, looked at afterwards.

Planning (`sweep_planning`) knows nothing of executing: `plan_sweep` returns the identifier and the request of every
run, `keep_sweep` writes that down with the notebook as it is now, and whatever executes it reads both from there.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError, NotebookFileError, ParameterError
from fairing_az_jupyter.records import RunStore, layout
from fairing_az_jupyter.services.session import Session
from fairing_az_jupyter.services.sweep_planning import PlannedSweep, plan_sweep, sweep_points
from fairing_az_jupyter.sweeps.points import Axis, PointsRequest, Range
from fairing_az_jupyter.sweeps.steps import newest_runs
from fairing_az_jupyter.sweeps.store import SweepStore
from fairing_az_jupyter.sweeps.table import SweepTable, tabulate
from fairing_az_jupyter.tracking.followed import reported_sweep

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.sweeps.execution import SweepEvent
    from fairing_az_jupyter.sweeps.plans import SweepPlan
    from fairing_az_jupyter.sweeps.table import Goal

__all__ = [
    "cancel_sweep",
    "describe_sweep",
    "keep_sweep",
    "list_sweeps",
    "plan_sweep",
    "plot_sweep",
    "resume_sweep",
    "run_sweep",
    "sweep_points",
    "work",
]

# The folder that a `-c` runs in may have modules of any name, so it is not a place to import from.
_WORKER = """\
import sys
sys.path[:] = [path for path in sys.path if path] + sys.argv[3:]
from fairing_az_jupyter.services.sweeps import work
work(sys.argv[1], sys.argv[2])
"""


def keep_sweep(session: Session, planned: PlannedSweep) -> str:
    """Write a sweep down, so that it can be executed and gone on with; return its identifier.

    Args:
        session: The settings in force, the records and the cluster.
        planned: The sweep.

    Raises:
        InputError: The folder for the executed notebooks can't be made.
        RunFailedError: It can't be kept.

    """
    first = planned.plan.points[0].request
    if first.output is not None:
        _make_output_folder(session, first.output, first.parameters)
    SweepStore(session.store).create(planned.plan, planned.notebook)
    return planned.plan.id


def resume_sweep(
    session: Session,
    name: str,
    on_event: Callable[[SweepEvent], None] | None = None,
    *,
    jobs: int = 1,
    stop_after: int | None = None,
    retry_failed: bool = False,
    cancel: threading.Event | None = None,
) -> SweepTable:
    """Execute what is missing of a sweep on this machine, and return what it has come to.

    Args:
        session: The settings in force, the records and the cluster.
        name: The sweep: its identifier, a part of one that is unique, or `last`.
        on_event: Called with each event as it happens.
        jobs: How many runs are executed at the same time.
        stop_after: After so many failures no run is begun any more; None for never.
        retry_failed: Whether to run again what has failed or was cancelled before.
        cancel: Set it from another thread to stop.

    Raises:
        InputError: The sweep does not exist.
        RunFailedError: There were as many failures as `stop_after` allows, or runs can't be recorded.
        RunCancelledError: It was cancelled; what has not run runs with the next call.

    """
    from fairing_az_jupyter.sweeps.execution import execute  # noqa: PLC0415 - loads ZeroMQ

    _check_numbers(jobs, stop_after)
    store = session.store
    sweeps = SweepStore(store)
    plan = sweeps.find(name)
    sweeps.notebook(plan.id)
    _reject_while_in_the_cluster(store, plan.id)
    with reported_sweep(sweeps.folder(plan.id), plan.points[0].request):
        execute(
            plan,
            store,
            sweeps,
            on_event or (lambda _event: None),
            command=_worker_command(store, sweeps, plan.id),
            jobs=jobs,
            stop_after=stop_after,
            retry_failed=retry_failed,
            cancel=cancel,
        )
    return _table(store, sweeps, plan)


def _reject_while_in_the_cluster(store: RunStore, sweep: str) -> None:
    """Fail rather than wait for runs that only the cluster can end: from here nobody would see their end."""
    there = [run for run in store.list(sweep=sweep) if run.place == "cluster" and not run.has_ended]
    if there:
        raise InputError(
            f"{len(there)} run{'' if len(there) == 1 else 's'} of the sweep '{sweep}' are still running in the "
            f"cluster (Job '{there[0].job}'), so the rest can't be run here.",
            hint=f"Watch them: fairing-azure sweep resume {sweep} --on-cluster",
            code="sweep-in-cluster",
        )


def run_sweep(  # noqa: PLR0913 - the public call: each is a source or a limit of its own
    session: Session,
    notebook: str,
    parameters: Mapping[str, object],
    *,
    grid: Mapping[str, Sequence[object]] | None = None,
    points: Sequence[Mapping[str, object]] | str | None = None,
    csv: str | None = None,
    sample: int | None = None,
    ranges: Mapping[str, Sequence[object]] | None = None,
    choices: Mapping[str, Sequence[object]] | None = None,
    seed: int | None = None,
    jobs: int = 1,
    stop_after: int | None = None,
    on_event: Callable[[SweepEvent], None] | None = None,
    cancel: threading.Event | None = None,
    **options: Any,  # noqa: ANN401 - handed on to plan_sweep
) -> SweepTable:
    """Plan a sweep with values as Python has them, and carry it out.

    Args:
        session: The settings in force, the records and the cluster.
        notebook: The notebook.
        parameters: Parameters of all points.
        grid: Values by name; each combination is a point.
        points: The points, or the path of a YAML or JSON file with them.
        csv: Path of a CSV file with the points.
        sample: How many points to draw.
        ranges: What numbers are drawn from, by name: low, high, and `log` or `int` or both.
        choices: What other values are drawn from, by name.
        seed: Makes the same draw again.
        jobs: How many runs are executed at the same time.
        stop_after: After so many failures no run is begun any more.
        on_event: Called with each event as it happens.
        cancel: Set it from another thread to stop.
        **options: See `plan_sweep`.

    Raises:
        InputError: A point can't run as it was asked for.
        ExecutionError: See `resume_sweep`.

    """
    _check_numbers(jobs, stop_after)
    drawn = [Range.parse([name, *map(str, words)]) for name, words in (ranges or {}).items()]
    asked = PointsRequest(
        grid=_axes(grid),
        rows=points if points is not None and not isinstance(points, str) else None,
        list_file=points if isinstance(points, str) else None,
        csv_file=csv,
        sample=sample,
        ranges=drawn,
        choices=_axes(choices),
        seed=seed,
    )
    planned = plan_sweep(session, notebook, asked, values=parameters, **options)
    sweep = keep_sweep(session, planned)
    return resume_sweep(session, sweep, on_event, jobs=jobs, stop_after=stop_after, cancel=cancel)


def list_sweeps(session: Session, *, limit: int | None = None) -> list[SweepTable]:
    """List sweeps, the newest first; one whose plan can't be read is left out.

    Args:
        session: The settings in force, the records and the cluster.
        limit: How many at most.

    Raises:
        InputError: The folder can't be read.

    """
    store = session.store
    sweeps = SweepStore(store)
    found: list[SweepTable] = []
    for name in sweeps.names():
        if limit is not None and len(found) >= limit:
            break
        with contextlib.suppress(InputError):
            found.append(_table(store, sweeps, sweeps.find(name)))
    return found


def describe_sweep(session: Session, name: str) -> SweepTable:
    """Return what a sweep has come to so far.

    Args:
        session: The settings in force, the records and the cluster.
        name: The sweep, as for `resume_sweep`.

    Raises:
        InputError: The sweep does not exist.

    """
    store = session.store
    sweeps = SweepStore(store)
    return _table(store, sweeps, sweeps.find(name))


def cancel_sweep(session: Session, name: str) -> SweepTable:
    """Ask whoever executes a sweep to stop it.

    Args:
        session: The settings in force, the records and the cluster.
        name: The sweep, as for `resume_sweep`.

    Raises:
        InputError: The sweep does not exist, or nobody executes it.

    """
    table = describe_sweep(session, name)
    if table.state != "running":
        done = table.state == "done"
        raise InputError(
            f"The sweep '{table.sweep}' can't be cancelled: "
            f"{'all of its points have ended' if done else 'no process executes it'}.",
            hint=f"Show it: fairing-azure sweep show {table.sweep}",
            code="sweep-ended",
        )
    SweepStore(session.store).cancel(table.sweep)
    return table


def plot_sweep(table: SweepTable, path: str, *, metric: str | None = None, goal: Goal | None = None) -> Path:
    """Draw a metric over each parameter of a sweep; see `sweeps.plot.plot`."""
    from fairing_az_jupyter.sweeps.plot import plot  # noqa: PLC0415 - seldom needed

    return plot(table, path, metric=metric, goal=goal)


def work(folder: str, notebook: str) -> None:
    """Be a worker process of a sweep; see `sweeps.worker`.

    Args:
        folder: Where records are.
        notebook: The file with the notebook's bytes.

    """
    from fairing_az_jupyter.sweeps.worker import serve  # noqa: PLC0415 - workers only

    serve(folder, notebook, lambda given: Session(notebook=given).places())


def _check_numbers(jobs: int, stop_after: int | None) -> None:
    if jobs < 1 or (stop_after is not None and stop_after < 1):
        raise InputError(
            f"A sweep can't have {jobs} jobs." if jobs < 1 else "A sweep can't stop after less than one failure.",
            hint="Give a number from 1: -j N, --stop-after N",
            code="sweep-jobs",
        )


def _make_output_folder(session: Session, output: str, given: Mapping[str, object]) -> None:
    from fairing_az_jupyter.runs.places.addresses import is_remote  # noqa: PLC0415 - as above

    if is_remote(output):
        places = session.with_cell(given).places()
        try:
            places.check_writable(output)
        finally:
            places.close()
        return
    folder = Path(output).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NotebookFileError(
            f"The folder for the executed notebooks '{folder}' can't be used: {error.strerror or error}.",
            hint="Choose a writable folder: --output-folder FOLDER",
        ) from error


def _worker_command(store: RunStore, sweeps: SweepStore, sweep: str) -> list[str]:
    package = str(Path(__file__).parents[2])
    return [sys.executable, "-c", _WORKER, str(store.path), str(sweeps.folder(sweep) / layout.NOTEBOOK), package]


def _axes(given: Mapping[str, Sequence[object]] | None) -> list[Axis]:
    for name, values in (given or {}).items():
        if isinstance(values, (str, bytes)):
            raise ParameterError(
                f"The values of '{name}' are a single string; a sweep needs a list of values.",
                hint=f"Write: {{'{name}': [V1, V2]}}",
                code="sweep-points",
            )
    return [Axis(name, list(values), typed=False) for name, values in (given or {}).items()]


def _table(store: RunStore, sweeps: SweepStore, plan: SweepPlan) -> SweepTable:
    worked_on = sweeps.is_worked_on(plan.id)
    return tabulate(plan, newest_runs(store, plan), worked_on=worked_on, folder=str(sweeps.folder(plan.id)))
