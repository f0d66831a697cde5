"""Sweeps that are deleted, each with the records of its runs."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.records.pruning import delete_records
from fairing_az_jupyter.services.sweeps import describe_sweep
from fairing_az_jupyter.sweeps.pruned import keep_end
from fairing_az_jupyter.sweeps.steps import newest_runs
from fairing_az_jupyter.sweeps.store import SweepStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.records import RunStore
    from fairing_az_jupyter.services.session import Session
    from fairing_az_jupyter.sweeps.table import SweepTable

__all__ = ["DeletedSweeps", "delete_sweeps", "prune_sweeps"]


@dataclasses.dataclass(frozen=True)
class DeletedSweeps:
    """What was deleted.

    Args:
        deleted: The sweeps that are gone; in a dry run, would be gone.
        records: How many records of their runs are gone with them, or would be.
        failed: The sweeps that could not be deleted as a whole, and why; once more continues.

    """

    deleted: tuple[SweepTable, ...] = ()
    records: int = 0
    failed: tuple[tuple[str, str], ...] = ()


def delete_sweeps(session: Session, names: Sequence[str]) -> DeletedSweeps:
    """Delete sweeps with the records of their runs.

    Args:
        session: The settings in force, the records and the cluster.
        names: The sweeps; if one of them can't be deleted, none is.

    Raises:
        InputError: A sweep does not exist, or one is still running.

    """
    store = session.store
    tables = list({table.sweep: table for table in (describe_sweep(session, name) for name in names)}.values())
    for table in tables:
        running = _running(store, table)
        if running:
            raise InputError(
                f"The sweep '{table.sweep}' can't be deleted: {running}.",
                hint=f"Stop it: fairing-azure sweep cancel {table.sweep}, or its runs: fairing-azure runs cancel RUN",
                code="sweep-active",
            )
    return _delete(store, tables)


def prune_sweeps(
    session: Session,
    *,
    keep: int | None = None,
    older_than: float | None = None,
    state: Literal["done", "incomplete"] = "done",
    dry_run: bool = False,
) -> DeletedSweeps:
    """Delete sweeps with the records of their runs; none that is still running.

    Args:
        session: The settings in force, the records and the cluster.
        keep: The newest ones of that state that stay, so many.
        older_than: Only those whose last run has ended longer ago, in seconds.
        state: Which ones: those of which every point has ended, or those that could be continued.
        dry_run: Whether to delete nothing.

    Raises:
        InputError: Nothing says which; or the folder can't be read.

    """
    if keep is None and older_than is None:
        raise InputError(
            "No sweeps selected, so none were deleted.",
            hint="Select sweeps: --keep N, or --older-than 30d.",
            code="prune",
        )
    store, now = session.store, time.time()
    found: list[SweepTable] = []
    for name in SweepStore(store).names():
        # One whose plan can't be read is for its user to look at.
        with contextlib.suppress(InputError):
            table = describe_sweep(session, name)
            if table.state == state and not _running(store, table):
                found.append(table)
    chosen = [table for table in found[keep or 0 :] if older_than is None or now - _last(store, table) > older_than]
    if dry_run:
        return DeletedSweeps(tuple(chosen), sum(len(_runs(store, table)) for table in chosen))
    return _delete(store, chosen)


def _delete(store: RunStore, tables: Sequence[SweepTable]) -> DeletedSweeps:
    sweeps, deleted, failed, records = SweepStore(store), [], [], 0
    for table in tables:
        # Its runs first, and how they have ended is kept: where this is interrupted, it does not look unfinished.
        done = delete_records(store, _runs(store, table), lambda info: keep_end(store, info))
        records += len(done.deleted)
        problem = next((f"record {info.id}: {why}" for info, why in done.failed), "")
        if not problem:
            try:
                sweeps.delete(table.sweep)
            except OSError as error:
                problem = error.strerror or str(error)
        if problem:
            failed.append((table.sweep, problem))
        else:
            deleted.append(table)
    return DeletedSweeps(tuple(deleted), records, tuple(failed))


def _runs(store: RunStore, table: SweepTable) -> list[RunInfo]:
    return store.list(sweep=table.sweep)


def _running(store: RunStore, table: SweepTable) -> str:
    """Return why a sweep has not stopped, as the rest of a sentence; empty if it has."""
    if table.state == "running":
        return "a process executes it"
    going = [run for run in _runs(store, table) if not run.has_ended and run.state != "lost"]
    if not going:
        return ""
    where = f" in the cluster (Job '{going[0].job}')" if going[0].place == "cluster" else ""
    return f"{len(going)} of its runs {'has' if len(going) == 1 else 'have'} not ended{where}"


def _last(store: RunStore, table: SweepTable) -> float:
    """Return when a sweep's last run has ended; when it was planned where none has."""
    runs = newest_runs(store, SweepStore(store).find(table.sweep)).values()
    return max((run.ended or run.created for run in runs), default=table.created)
