"""Runs that the cluster executes: whoever follows them tells MLflow of them, for their pods know no server."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError, RunCancelledError, ServiceError
from fairing_az_jupyter.models import ENDED, RunEvent
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.events_file import read_events
from fairing_az_jupyter.records.status import read_status
from fairing_az_jupyter.tracking.place import settings_of
from fairing_az_jupyter.tracking.tracker import launch_tracker, sweep_tracker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fairing_az_jupyter.models import RunInfo, RunRequest, RunState
    from fairing_az_jupyter.records import RunStore
    from fairing_az_jupyter.tracking.tracker import Tracker

__all__ = ["FollowedRuns", "reported_sweep"]

logger = logging.getLogger("kubeflow.fairing")


class FollowedRuns:
    """What tells MLflow of runs whose records are brought up to date from elsewhere.

    Args:
        store: The records.
        infos: The runs.

    """

    def __init__(self, store: RunStore, infos: Iterable[RunInfo]) -> None:
        self._trackers: dict[Path, Tracker] = {}
        self._offsets: dict[Path, int] = {}
        for info in infos:
            if info.has_ended:
                continue
            folder = Path(info.folder)
            try:
                settings = settings_of(store.request(info.id), folder)
                tracker = None if settings is None else launch_tracker(folder, settings)
            except (FairingAzureError, OSError, ValueError) as error:
                logger.warning("The run %s is not reported to MLflow: %s", info.id, error)
                continue
            if tracker is not None:
                self._trackers[folder] = tracker

    def look(self) -> None:
        """Tell what is new in the records, and of runs that have ended how they have."""
        for folder, tracker in list(self._trackers.items()):
            # The state first: what is written before the end is read for certain.
            state = read_status(folder).get("state")
            for behind, event in read_events(folder / layout.EVENTS, self._offsets.get(folder, 0)):
                self._offsets[folder] = behind
                if event.get("kind") == "metric":
                    tracker.event(_event(event))
            if state in ENDED:
                tracker.finish(state)
                del self._trackers[folder]

    def leave(self) -> None:
        """Leave runs that have not ended: nobody follows them any more."""
        for tracker in self._trackers.values():
            tracker.leave()
        self._trackers.clear()


@contextlib.contextmanager
def reported_sweep(folder: Path, request: RunRequest, *, continues: bool = False) -> Iterator[None]:
    """Tell MLflow of a sweep, from its beginning to its end; its runs become children of the sweep's run.

    Args:
        folder: The sweep's folder, with the notebook as it was.
        request: One of its runs.
        continues: Whether it continues without this process, as in the cluster.

    """
    settings = settings_of(request, folder)
    tracker = None if settings is None else sweep_tracker(folder, folder.name, settings)
    state: RunState | None = "succeeded"
    try:
        yield
    except BaseException as error:
        state = "cancelled" if isinstance(error, (RunCancelledError, KeyboardInterrupt)) else "failed"
        if continues and isinstance(error, (KeyboardInterrupt, ServiceError)):
            state = None
        raise
    finally:
        if tracker is not None and state is None:
            tracker.leave()
        elif tracker is not None and state is not None:
            tracker.finish(state)


def _event(found: Mapping[str, object]) -> RunEvent:
    known = RunEvent.__dataclass_fields__
    return RunEvent(**{name: value for name, value in found.items() if name in known})  # type: ignore[arg-type]
