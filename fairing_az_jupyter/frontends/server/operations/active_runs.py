"""Which runs are active: one look a second for all who want to know, and none while nobody does."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.records import RunStore, layout
from fairing_az_jupyter.services.cluster_runs import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.models import RunInfo

_LOOK_SECONDS = 1.0
_WAIT_SECONDS = 0.5
_CLUSTER_LOOKS = 5
"""So many looks pass before the cluster is asked again."""
_FRESH_LOOKS = 30
"""So many looks pass before runs are looked at again that were lost: another process may have taken them up."""


class ActiveRuns:
    """The active runs of one folder.

    Args:
        store: The runs.

    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._listeners = 0
        self._running = False
        self._count = 0
        self._found: tuple[RunInfo, ...] | None = None
        self._ended: set[str] = set()
        self._asking: threading.Thread | None = None

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Look again and again as long as somebody listens."""
        with self._changed:
            self._listeners += 1
            if not self._running:
                self._running = True
                threading.Thread(target=self._watch, name="active-runs", daemon=True).start()
        try:
            yield
        finally:
            with self._changed:
                self._listeners -= 1
                self._changed.notify_all()

    def after(self, seen: int) -> tuple[tuple[RunInfo, ...], int]:
        """Wait a moment for a change; return the active runs, and how often anything has changed so far."""
        with self._changed:
            if self._found is None or self._count == seen:
                self._changed.wait(_WAIT_SECONDS)
            return self._found or (), seen if self._found is None else self._count

    def _watch(self) -> None:
        looks = 0
        while True:
            with self._changed:
                if not self._listeners:
                    # What happens while nobody looks is seen at the next first look.
                    self._running, self._found = False, None
                    return
            try:
                self._look(looks)
            except (FairingAzureError, OSError) as error:
                logging.getLogger(__name__).warning("The runs can't be read: %s", error)
            looks += 1
            with self._changed:
                self._changed.wait_for(lambda: not self._listeners, _LOOK_SECONDS)

    def _look(self, looks: int) -> None:
        if looks == 0:
            self._ended = {info.id for info in self._store.list() if info.has_ended}
        names = {entry.name for entry in _entries(self._store.path) if layout.is_run_id(entry.name)}
        infos = [info for name in sorted(names - self._ended, reverse=True) if (info := self._store.get(name))]
        self._ended |= {info.id for info in infos if info.has_ended or info.state == "lost"}
        if looks % _FRESH_LOOKS == _FRESH_LOOKS - 1:
            self._ended -= {info.id for info in infos if info.state == "lost"}
        active = tuple(info for info in infos if info.state in {"waiting", "running"})
        if looks % _CLUSTER_LOOKS == 0:
            self._ask_cluster(active)
        with self._changed:
            if self._found is None or _glance(active) != _glance(self._found):
                self._count += 1
                self._found = active
                self._changed.notify_all()

    def _ask_cluster(self, active: tuple[RunInfo, ...]) -> None:
        """Bring the records of runs in the cluster up to date, beside the look at those of this machine."""
        there = records.unfinished(active)
        if there and (self._asking is None or not self._asking.is_alive()):
            work = functools.partial(records.refresh, self._store, there, files=False)
            self._asking = threading.Thread(target=work, name="active-runs-cluster", daemon=True)
            self._asking.start()


_watchers: dict[str, ActiveRuns] = {}
_lock = threading.Lock()


def watcher(folder: str) -> ActiveRuns:
    """Return the one that watches a folder of runs."""
    with _lock:
        return _watchers.setdefault(folder, ActiveRuns(RunStore(Path(folder))))


def _glance(infos: tuple[RunInfo, ...]) -> list[tuple[object, ...]]:
    """Return what of runs counts as a change when it changes."""
    return [
        (info.id, info.state, info.cell, info.cells, info.attempt, info.endpoint, info.url, dict(info.metrics))
        for info in infos
    ]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except FileNotFoundError:
        return []
