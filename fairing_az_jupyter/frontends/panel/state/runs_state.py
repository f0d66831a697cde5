"""The records of runs on this machine and in the cluster: the newest of them, and how they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter import services
from fairing_az_jupyter.frontends.panel.state.messages import Message, message_of
from fairing_az_jupyter.frontends.panel.state.observable import Observed

if TYPE_CHECKING:
    import threading

    from fairing_az_jupyter.frontends.panel.state.background import Task, Tasks
    from fairing_az_jupyter.models import RunInfo

__all__ = ["SHOWN", "RunsState"]

SHOWN = 20
"""How many runs are shown; `fairing-azure runs list` has all."""

_ACTIVE = ("waiting", "running")
_LOOK_SECONDS = 2.0


class RunsState(Observed):
    """The newest runs.

    Args:
        lock: Of the shared state.
        tasks: Of the shared state.

    """

    def __init__(self, lock: threading.RLock, tasks: Tasks) -> None:
        super().__init__(lock)
        self._tasks = tasks
        self._task: Task | None = None
        self._watchers = 0
        self.runs: tuple[RunInfo, ...] | None = None
        """The newest first; None as long as nobody has looked."""
        self.message: Message | None = None
        """Why they can't be listed, or one can't be cancelled."""
        self.note = ""
        """What could not be asked about them."""

    @property
    def is_looking(self) -> bool:
        """Whether they are being listed for the first time."""
        return self._task is not None and self.runs is None

    def watch(self) -> None:
        """Note that somebody sees them: they are looked at again as long as one is active."""
        with self.lock:
            self._watchers += 1
        self.refresh()

    def unwatch(self) -> None:
        """Note that somebody sees them no longer."""
        with self.lock:
            self._watchers = max(0, self._watchers - 1)
            if self._watchers == 0 and self._task is not None:
                self._task.cancel()

    def refresh(self) -> None:
        """List them again."""
        with self.lock:
            if self._task is not None:
                self._task.cancel()
            self._task = self._tasks.begin("runs", self._look)
        self.changed()

    def cancel(self, run: RunInfo) -> None:
        """Ask a run to stop."""

        def work(task: Task) -> None:
            try:
                services.cancel_run(services.Session(), run.id)
                message = Message(f"The run {run.id} was asked to stop.", kind="done")
            except Exception as error:  # noqa: BLE001 - shown in its place, and logged if unexpected
                message = message_of(error)
            with self.lock:
                self.message = message
            self._look(task, keep=True)

        with self.lock:
            if self._task is not None:
                self._task.cancel()
            self._task = self._tasks.begin("cancel run", work)

    def stop(self) -> None:
        """Stop looking."""
        with self.lock:
            self._watchers = 0
            task, self._task = self._task, None
        if task is not None:
            task.interrupt()

    def _look(self, task: Task, *, keep: bool = False) -> None:
        while True:
            notes: list[str] = []
            message = self.message if keep else None
            runs = self.runs
            try:
                runs = tuple(services.list_runs(services.Session(), limit=SHOWN, report=notes.append))
            except Exception as error:  # noqa: BLE001 - as above
                message = message_of(error)
            with self.lock:
                if self._task is not task:
                    return
                is_same = (runs, message, " ".join(notes)) == (self.runs, self.message, self.note)
                self.runs, self.message, self.note = runs, message, " ".join(notes)
                is_over = self._watchers <= 0 or not any(run.state in _ACTIVE for run in runs or ())
                if is_over or task.cancelled.is_set():
                    self._task = None
            if self._task is not task or not is_same:
                self.changed()
            if self._task is not task or task.cancelled.wait(_LOOK_SECONDS):
                break
        with self.lock:
            if self._task is task:
                self._task = None
