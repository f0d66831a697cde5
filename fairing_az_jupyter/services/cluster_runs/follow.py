"""Notebook runs that the cluster executes: followed from here to their end, and cancelled."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.diagnosis.waits import reports_after
from fairing_az_jupyter.exceptions import (
    FairingAzureError,
    RunCancelledError,
    RunFailedError,
    ThrottledError,
    UnreachableError,
)
from fairing_az_jupyter.models import RunEvent, RunResult
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.events_file import read_events
from fairing_az_jupyter.services.cluster_runs.records import opened
from fairing_az_jupyter.tracking.followed import FollowedRuns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.records import RunStore
    from fairing_az_jupyter.services.session import Session

__all__ = [
    "cancel_cluster_run",
    "follow_cluster_batch",
    "follow_cluster_run",
]

_LOOK_SECONDS = 1.0
_SLOWER_PER_RUN = 0.03
_OUT_OF_REACH_SECONDS = 900.0
_CANCEL_SECONDS = 75.0
_FORGOTTEN_SECONDS = 30.0


def follow_cluster_run(
    session: Session,
    name: str,
    on_event: Callable[[RunEvent], None],
    *,
    report: Callable[[str], object] | None = None,
) -> RunResult:
    """Follow a run in the cluster to its end.

    Args:
        session: The settings in force, the records and the cluster.
        name: The run, as for `describe_run`.
        on_event: Is called with every event, from the first one on, each once.
        report: Gets what could not be done, in a sentence.

    Raises:
        RunFailedError: It has failed.
        RunCancelledError: It was cancelled.
        ServiceError: The cluster or Blob Storage does not tell; the run continues.
        KeyboardInterrupt: The user has interrupted; the run continues.

    """
    store = session.store
    info = store.find(name)
    path = Path(info.folder) / layout.EVENTS
    offset, executed = 0, 0

    def show() -> None:
        nonlocal offset, executed
        for behind, event in read_events(path, offset):
            offset = behind
            executed += event.get("kind") == "cell-finished"
            on_event(_event(event))

    _follow(store, [info], show, report)
    info = store.find(info.id)
    if info.state != "succeeded":
        raise _error(info)
    shown = info.output or str(Path(info.folder) / layout.EXECUTED)
    return RunResult(shown, info.duration or 0.0, executed, info.metrics, run=info.id)


def follow_cluster_batch(
    session: Session,
    names: Sequence[str],
    on_end: Callable[[RunInfo], object],
    *,
    report: Callable[[str], object] | None = None,
    unwanted: Callable[[], bool] | None = None,
) -> list[RunInfo]:
    """Follow the runs of one Job until all have ended.

    Args:
        session: The settings in force, the records and the cluster.
        names: Their whole identifiers.
        on_end: Is called with each run when it has ended.
        report: Gets what could not be done, in a sentence.
        unwanted: Says whether they are to stop; then the Job is deleted.

    Returns:
        The runs, in the order of the names.

    Raises:
        ServiceError: The cluster or Blob Storage does not tell; the runs continue.
        KeyboardInterrupt: The user has interrupted; the runs continue.

    """
    store = session.store
    reported: set[str] = set()

    def show() -> None:
        for name in names:
            if name not in reported and (info := store.find(name)).has_ended:
                reported.add(name)
                on_end(info)

    _follow(store, [store.find(name) for name in names], show, report, unwanted)
    return [store.find(name) for name in names]


def cancel_cluster_run(store: RunStore, info: RunInfo) -> None:
    """Cancel a run in the cluster: its Job is deleted, or, of a Job with several, the one run is asked to stop.

    Args:
        store: The runs.
        info: The run.

    Raises:
        ServiceError: The cluster or Blob Storage does not do what is asked.

    """
    # A sweep that is gone on with leaves alone what somebody did not want.
    with contextlib.suppress(OSError):
        (Path(info.folder) / layout.CANCEL).touch(mode=0o600)
    with opened(store, info) as records:
        others = [each for each in store.list() if each.job == info.job and each.id != info.id]
        if others:
            records.ask_to_stop(info.id)
            return
        records.delete_job(wait=_CANCEL_SECONDS)
        records.refresh([info.id])


def _follow(
    store: RunStore,
    infos: Sequence[RunInfo],
    show: Callable[[], None],
    report: Callable[[str], object] | None,
    unwanted: Callable[[], bool] | None = None,
) -> None:
    """Bring records up to date until all runs have ended; a lost connection is waited for."""
    deleted, reports = False, _Reports()
    left, lost = [info.id for info in infos], None
    pause = _LOOK_SECONDS + _SLOWER_PER_RUN * len(left)
    with opened(store, infos[0]) as records, contextlib.ExitStack() as closing:
        tracked = FollowedRuns(store, infos)
        closing.callback(tracked.leave)
        while left:
            try:
                left = records.refresh(left)
                lost = None
            except (UnreachableError, ThrottledError) as error:
                lost = lost or time.monotonic()
                if time.monotonic() - lost > _OUT_OF_REACH_SECONDS:
                    error.hint = f"It is still running in the cluster. Check it: fairing-azure runs show {infos[0].id}"
                    raise
            show()
            tracked.look()
            if report is not None and reports.is_due(records.reason, time.monotonic()):
                report(f"{records.waiting} To stop it: fairing-azure delete {records.job}")
            if unwanted is not None and not deleted and unwanted():
                records.delete_job()
                deleted = True
            if left:
                time.sleep(pause)
        for note in records.notes if report is not None else ():
            report(note)  # type: ignore[misc] # as the line above says


class _Reports:
    """When what runs wait for is reported: at once where it is new, then less and less often while it lasts."""

    def __init__(self) -> None:
        # By reason: since when, when it was seen last, and after how many seconds it is due.
        self._known: dict[str, tuple[float, float, float]] = {}

    def is_due(self, reason: str, now: float) -> bool:
        """Tell whether it is to be reported now.

        Args:
            reason: What is waited for, as an identifier; empty for nothing.
            now: A monotonic time in seconds.

        """
        # Two that take turns are not new each time.
        self._known = {key: each for key, each in self._known.items() if now - each[1] < _FORGOTTEN_SECONDS}
        if not reason:
            return False
        began, _, due = self._known.get(reason, (now, now, 0.0))
        is_due = now - began >= due
        self._known[reason] = (began, now, reports_after(now - began) if is_due else due)
        return is_due


def _event(found: Mapping[str, Any]) -> RunEvent:
    known = RunEvent.__dataclass_fields__
    return RunEvent(**{name: value for name, value in found.items() if name in known})


def _error(info: RunInfo) -> FairingAzureError:
    error = dict(info.error or {})
    message = str(error.get("message") or f"The run '{info.id}' has ended as {info.state}.")
    hint, code = str(error.get("hint") or f"Show it: fairing-azure runs show {info.id}"), error.get("code")
    if info.state == "cancelled":
        return RunCancelledError(message, hint=hint, code=code)
    lines = tuple(map(str, error.get("traceback") or ()))
    return RunFailedError(
        message, hint=hint, code=code, cell=error.get("cell"), source=str(error.get("source") or ""), traceback=lines
    )
