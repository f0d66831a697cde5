"""Which records may go."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.records.provenance.named import note_deleted
from fairing_az_jupyter.records.store import delete, orphans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.records.store import RunStore

_LEFT_SECONDS = 3600.0


@dataclasses.dataclass(frozen=True)
class Pruned:
    """What was deleted.

    Args:
        deleted: The runs whose records are gone; in a dry run, would be gone.
        failed: Those whose records could not be deleted, and why.
        environments: The folders of LocalBackend's isolated environments that are gone, or would be.
        freed: The bytes of those environments.

    """

    deleted: tuple[RunInfo, ...] = ()
    failed: tuple[tuple[RunInfo, str], ...] = ()
    environments: tuple[str, ...] = ()
    freed: int = 0


def prune(
    store: RunStore,
    *,
    keep: int | None = None,
    older_than: float | None = None,
    state: str | None = None,
    dry_run: bool = False,
    before: Callable[[RunInfo], object] | None = None,
) -> Pruned:
    """Delete records of runs that have ended, or are lost.

    Args:
        store: The runs.
        keep: The newest ones that stay, so many; of those in `state`, if that is given.
        older_than: Only those that are older, in seconds.
        state: Only those that have ended so.
        dry_run: Whether to delete nothing.
        before: Called with each run before its record is deleted; a record that it raises an OSError for stays.

    Returns:
        What was deleted.

    Raises:
        InputError: Nothing says which; or the folder can't be read.

    """
    if keep is None and older_than is None and state is None:
        raise InputError(
            "No records selected, so none were deleted.",
            hint="Select records: --keep N, --older-than 30d, or --state failed.",
            code="prune",
        )
    now = time.time()
    runs = [run for run in store.list() if _may_go(run) and (state is None or run.state == state)]
    old = [run for run in runs[keep or 0 :] if older_than is None or now - (run.ended or run.created) > older_than]
    if dry_run:
        return Pruned(tuple(old))
    # One that was lost may have been begun again meanwhile.
    chosen = [run for run in old if run.has_ended or _may_go(store.get(run.id) or run)]
    return delete_records(store, chosen, before)


def delete_records(
    store: RunStore, runs: Iterable[RunInfo], before: Callable[[RunInfo], object] | None = None
) -> Pruned:
    """Delete records, and what processes have left that died while they made or deleted one.

    What a record names outside of this machine is kept: it tells who has made what is left there.

    Args:
        store: The runs.
        runs: Those to delete.
        before: As for `prune`.

    Returns:
        What was deleted.

    """
    problems = [(run, _delete(store, run, before)) for run in runs]
    now = time.time()
    for left in orphans(store.path):
        with contextlib.suppress(FileNotFoundError):
            if now - left.stat().st_mtime > _LEFT_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    store.forget()
    deleted = tuple(run for run, problem in problems if not problem)
    return Pruned(deleted, tuple((run, problem) for run, problem in problems if problem))


def _may_go(run: RunInfo) -> bool:
    return run.has_ended or run.state == "lost"


def _delete(store: RunStore, run: RunInfo, before: Callable[[RunInfo], object] | None) -> str:
    """Delete a record, and what is noted elsewhere of its end; return why it could not be, empty if it was."""
    try:
        if before is not None:
            before(run)
        with contextlib.suppress(InputError):
            note_deleted(store, run)
        for folder in (store.folder(run.id), Path(run.folder)):
            # Where it is not there, another process was quicker.
            with contextlib.suppress(FileNotFoundError):
                delete(folder)
    except OSError as error:
        return error.strerror or str(error)
    return ""
