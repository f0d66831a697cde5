"""Sweeps that the cluster executes: what is missing of one becomes one Indexed Job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter import parameters
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.services.cluster_runs import records
from fairing_az_jupyter.services.cluster_runs.follow import follow_cluster_batch
from fairing_az_jupyter.services.cluster_runs.launch import ClusterPoint, cluster_settings, start_on_cluster
from fairing_az_jupyter.services.cluster_runs.records import launched_with
from fairing_az_jupyter.services.sweeps import describe_sweep
from fairing_az_jupyter.sweeps.steps import Step, newest_runs, step_of
from fairing_az_jupyter.sweeps.store import SweepStore
from fairing_az_jupyter.tracking.followed import reported_sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.records import RunStore
    from fairing_az_jupyter.services.session import Session
    from fairing_az_jupyter.settings import Settings
    from fairing_az_jupyter.sweeps.plans import SweepPlan
    from fairing_az_jupyter.sweeps.table import SweepTable

__all__ = ["describe_cluster_sweep", "resume_on_cluster"]


def resume_on_cluster(
    session: Session,
    name: str,
    on_end: Callable[[RunInfo], object] | None = None,
    *,
    settings: Settings | None = None,
    input_files: Sequence[str] = (),
    stop_after: int | None = None,
    retry_failed: bool = False,
    report: Callable[[str], object] | None = None,
) -> SweepTable:
    """Execute in the cluster what is missing of a sweep, as one Job, and return what the sweep has come to.

    Args:
        session: The settings in force, the records and the cluster.
        name: The sweep: its identifier, a part of one that is unique, or `last`.
        on_end: Is called with each run when it has ended.
        settings: What to launch with; None for those of its earlier Job, or those in force.
        input_files: Files and folders beside the notebook that it needs.
        stop_after: After so many failures no run is begun any more; None for never.
        retry_failed: Whether to run again what has failed or was cancelled before.
        report: Gets a sentence when the Job has been launched, and what could not be done.

    Raises:
        InputError: The sweep does not exist, or it can't be launched as asked for.
        BuildFailedError: The image can't be built.
        ServiceError: The cluster or an Azure service does not do what is asked.
        KeyboardInterrupt: The user has interrupted; what was launched continues.

    """
    store = session.store
    sweeps = SweepStore(store)
    plan = sweeps.find(name)
    steps = _steps(store, plan, retry_failed=retry_failed)
    jobs: dict[str, list[str]] = {}
    for step, info in steps:
        if step.action == "await" and info is not None and info.place == "cluster":
            jobs.setdefault(info.job, []).append(info.id)
    missing = [step for step, _ in steps if step.action in {"begin", "begin-again"}]
    folder = sweeps.folder(plan.id)
    notebook = folder / layout.NOTEBOOK
    with sweeps.at_work(plan.id), reported_sweep(folder, plan.points[0].request, continues=True):
        if missing:
            chosen, files = _chosen(session, plan, steps, str(notebook))
            batch = start_on_cluster(
                session,
                [_point(plan, step) for step in missing],
                settings or chosen,
                input_files=input_files or files,
                max_failed=stop_after,
                content=sweeps.notebook(plan.id),
            )
            jobs[batch.job] = list(batch.runs)
            if report is not None:
                report(f"{len(batch.runs)} runs are Job {batch.job} in namespace {batch.namespace}.")
        for runs in jobs.values():
            follow_cluster_batch(
                session,
                runs,
                on_end or (lambda _info: None),
                report=report,
                unwanted=lambda: sweeps.is_cancelled(plan.id),
            )
    return describe_sweep(session, plan.id)


def describe_cluster_sweep(session: Session, name: str, *, report: Callable[[str], object] | None = None) -> SweepTable:
    """Return what a sweep has come to, with its runs in the cluster as they are now.

    Args:
        session: The settings in force, the records and the cluster.
        name: The sweep, as for `resume_on_cluster`.
        report: Gets a sentence where the cluster can't be asked.

    Raises:
        InputError: The sweep does not exist.

    """
    store = session.store
    plan = SweepStore(store).find(name)
    going = records.unfinished(newest_runs(store, plan).values())
    records.refresh(store, going, files=False, report=report)
    return describe_sweep(session, plan.id)


def _steps(store: RunStore, plan: SweepPlan, *, retry_failed: bool) -> list[tuple[Step, RunInfo | None]]:
    """Return what is to be done about each point, as things are now."""
    records.refresh(store, records.unfinished(newest_runs(store, plan).values()))
    known = newest_runs(store, plan)
    return [
        (step_of(plan, point, known.get(point.number), retry_failed=retry_failed), known.get(point.number))
        for point in plan.points
    ]


def _chosen(
    session: Session,
    plan: SweepPlan,
    steps: Sequence[tuple[Step, RunInfo | None]],
    notebook: str,
) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings and the files to launch with: those of an earlier Job, unless something else is said."""
    earlier = next((info for _, info in steps if info is not None and info.place == "cluster"), None)
    if earlier is not None and not session.given and session.profile is None:
        return launched_with(earlier)
    cell = parameters.read_parameters(notebook, shown=plan.notebook).values
    return cluster_settings(session, {**cell, **plan.points[0].request.parameters}), ()


def _point(plan: SweepPlan, step: Step) -> ClusterPoint:
    facts = {"sweep": plan.id, "point": step.point.number, "retry_of": step.retry_of}
    return ClusterPoint(step.point.request, run=step.run, facts=facts)
