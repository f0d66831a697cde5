"""Which records may go."""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.records.store import delete, leftovers

if TYPE_CHECKING:
    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.records.store import RunStore

_LEFT_SECONDS = 3600.0


@dataclasses.dataclass(frozen=True)
class Pruned:
    """What was deleted.

    Args:
        deleted: The runs whose records are gone; in a dry run, would be gone.
        failed: Those whose records could not be deleted, and why.

    """

    deleted: tuple[RunInfo, ...] = ()
    failed: tuple[tuple[RunInfo, str], ...] = ()


def prune(
    store: RunStore,
    *,
    keep: int | None = None,
    older_than: float | None = None,
    state: str | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Delete records of runs that have ended, or are lost.

    Args:
        store: The runs.
        keep: The newest ones that stay, so many.
        older_than: Only those that are older, in seconds.
        state: Only those that have ended so.
        dry_run: Whether to delete nothing.

    Returns:
        What was deleted.

    Raises:
        InputError: Nothing says which; or the folder can't be read.

    """
    if keep is None and older_than is None and state is None:
        raise InputError(
            "Nothing says which records may go, so none was deleted.",
            hint="Say it: --keep N, --older-than 30d, or --state failed.",
            code="prune",
        )
    now = time.time()
    runs = [run for run in store.list() if run.has_ended or run.state == "lost"]
    chosen = [
        run
        for run in runs[keep or 0 :]
        if (older_than is None or now - (run.ended or run.created) > older_than)
        and (state is None or run.state == state)
    ]
    if dry_run:
        return Pruned(tuple(chosen))
    problems = [(run, _delete(run)) for run in chosen]
    for left in leftovers(store.path):
        if now - left.stat().st_mtime > _LEFT_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    deleted = tuple(run for run, problem in problems if not problem)
    return Pruned(deleted, tuple((run, problem) for run, problem in problems if problem))


def _delete(run: RunInfo) -> str:
    """Delete a record, and return why it could not be; empty if it was."""
    try:
        delete(Path(run.folder))
    except OSError as error:
        return error.strerror or str(error)
    return ""
