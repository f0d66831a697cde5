"""The endpoints that can be asked from here: listed, tried, listened to, deleted."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
from typing import TYPE_CHECKING

from fairing_az_jupyter import services
from fairing_az_jupyter.frontends.panel.state.messages import Message, message_of
from fairing_az_jupyter.frontends.panel.state.observable import Observed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from fairing_az_jupyter.frontends.panel.state.background import Task, Tasks
    from fairing_az_jupyter.models import EndpointInfo, Prediction

__all__ = ["EndpointsState", "Trial"]

_TAIL = 100


@dataclasses.dataclass
class Trial:
    """What is tried with one endpoint.

    Args:
        rows: The sample rows, as typed.
        answer: What it has answered last.
        message: Why it has not answered, or can't be deleted.
        log: Its last lines; None as long as nobody has asked.
        busy: What is being done with it; empty for nothing.

    """

    rows: str = ""
    answer: Prediction | None = None
    message: Message | None = None
    log: str | None = None
    busy: str = ""


class EndpointsState(Observed):
    """The endpoints, and what is tried with each.

    Args:
        lock: Of the shared state.
        tasks: Of the shared state.
        session: Returns what the panel works with, as the form is now.

    """

    def __init__(self, lock: threading.RLock, tasks: Tasks, session: Callable[[], services.Session]) -> None:
        super().__init__(lock)
        self._tasks, self._session = tasks, session
        self._looking: Task | None = None
        self._working: set[Task] = set()
        self.endpoints: tuple[EndpointInfo, ...] | None = None
        """What was found; None as long as nobody has looked."""
        self.note = ""
        """Why the cluster could not be asked."""
        self.message: Message | None = None
        """Why they can't be listed, or what became of one."""
        self.trials: dict[str, Trial] = collections.defaultdict(Trial)
        """What is tried, by the endpoint's name."""

    @property
    def is_looking(self) -> bool:
        """Whether they are being looked for."""
        return self._looking is not None

    def refresh(self, message: Message | None = None) -> None:
        """List them again.

        Args:
            message: What to show meanwhile.

        """
        with self.lock:
            self.message = message
            self._looking = self._begin("endpoints", self._look)
        self.changed()

    def type(self, name: str, rows: str) -> None:
        """Take the sample rows of an endpoint, as typed."""
        with self.lock:
            self.trials[name].rows = rows
        self.changed()

    def ask(self, name: str) -> None:
        """Ask an endpoint for predictions for its sample rows."""
        trial = self.trials[name]

        def work(_task: Task) -> None:
            trial.answer = services.test_endpoint(self._session(), name, trial.rows)

        trial.answer = None
        self._do(name, "Predicting …", work)

    def read_log(self, name: str) -> None:
        """Read an endpoint's last lines."""
        trial = self.trials[name]

        def work(_task: Task) -> None:
            with contextlib.closing(services.launch_logs(self._session(), name, tail=_TAIL)) as lines:
                trial.log = "\n".join(line.text for line in lines)

        self._do(name, "Reading the log …", work)

    def delete(self, name: str) -> None:
        """Delete an endpoint, and look for the others."""

        def work(_task: Task) -> None:
            services.delete(self._session(), [name])
            with self.lock:
                self.trials.pop(name, None)
                self.endpoints = tuple(each for each in self.endpoints or () if each.name != name)
            self.refresh(Message(f"Endpoint {name} deleted.", kind="done"))

        self._do(name, "Deleting …", work)

    def stop(self) -> None:
        """Stop everything."""
        with self.lock:
            tasks = list(self._working)
            self._looking = None
        for task in tasks:
            task.interrupt()

    def _look(self, task: Task) -> None:
        message = None
        found, note = self.endpoints, self.note
        try:
            found, note = services.list_endpoints(self._session())
        except Exception as error:  # noqa: BLE001 - shown in its place, and logged if unexpected
            message = message_of(error)
        with self.lock:
            if self._looking is not task:
                return
            self._looking = None
            self.endpoints, self.note, self.message = found, note, message or self.message
        self.changed()

    def _do(self, name: str, busy: str, work: Callable[[Task], object]) -> None:
        trial = self.trials[name]

        def reporting(task: Task) -> None:
            message = None
            try:
                work(task)
            except Exception as error:  # noqa: BLE001 - as above
                message = message_of(error)
            finally:
                with self.lock:
                    trial.busy = ""
            with self.lock:
                trial.message = message
            self.changed()

        with self.lock:
            if trial.busy:
                return
            trial.busy, trial.message = busy, None
            self._begin(f"endpoint {name}", reporting)
        self.changed()

    def _begin(self, name: str, work: Callable[[Task], object]) -> Task:
        with self.lock:
            task = self._tasks.begin(name, work, self._forget)
            self._working.add(task)
            return task

    def _forget(self, task: Task) -> None:
        with self.lock:
            self._working.discard(task)
