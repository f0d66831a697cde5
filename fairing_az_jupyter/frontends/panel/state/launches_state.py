"""What is launched from the panels: classes and functions of the notebook, and each launch while it runs."""

from __future__ import annotations

import dataclasses
import itertools
import time
from typing import TYPE_CHECKING, Any, Literal

from fairing_az_jupyter import services
from fairing_az_jupyter.frontends.panel.state.messages import Message, message_of
from fairing_az_jupyter.frontends.panel.state.observable import Observed
from fairing_az_jupyter.frontends.views.launch import LaunchView
from fairing_az_jupyter.frontends.views.launch_log import LaunchLog
from fairing_az_jupyter.launch_events import Output, watched_by

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.frontends.panel.state.background import Task, Tasks
    from fairing_az_jupyter.frontends.panel.state.settings_state import SettingsState
    from fairing_az_jupyter.models import TaskInfo

__all__ = ["Launch", "LaunchesState"]

Action = Literal["train", "deploy"]

_LOCAL = "LocalBackend"
_SHOWN = 5
_LOOK_SECONDS = 0.25
_CLOCK_SECONDS = 1.0
"""How often the durations in a view are brought up to date where nothing else changes."""


@dataclasses.dataclass(eq=False)
class Launch:
    """One launch.

    Args:
        number: Tells it from the others.
        action: What is done.
        name: The class or function.
        view: What is seen of it.
        session: What it was begun with.
        backend: The backend that it runs on.
        task: The thread that it runs in; None before and after.
        is_left: Whether what runs in the cluster keeps running when the thread is interrupted.

    """

    number: int
    action: Action
    name: str
    view: LaunchView
    session: services.Session
    backend: str
    task: Task | None = None
    is_left: bool = False

    @property
    def is_running(self) -> bool:
        """Whether it is running."""
        return self.task is not None


class LaunchesState(Observed):
    """The launches of a kernel's panels, the newest first.

    Args:
        lock: Of the shared state.
        tasks: Of the shared state.
        settings: The settings.
        on_endpoint: Is called when an endpoint was deployed.

    """

    def __init__(
        self, lock: threading.RLock, tasks: Tasks, settings: SettingsState, on_endpoint: Callable[[], object]
    ) -> None:
        super().__init__(lock)
        self._tasks, self._settings, self._on_endpoint = tasks, settings, on_endpoint
        self._numbers = itertools.count(1)
        self._ticker: Task | None = None
        self._seen: dict[str, int] = {}
        self._names: Mapping[str, Any] = settings.names
        # As long as these are kept, their URLs lead to them.
        self._endpoints: dict[str, object] = {}
        self.launches: tuple[Launch, ...] = ()
        self.tasks: tuple[TaskInfo, ...] = ()
        """The classes and functions of the notebook."""
        self.chosen = ""
        """The one that is to be launched."""
        self.input_files = ""
        """The files that it needs, one a line, as typed."""
        self.message: Message | None = None
        """Why the notebook's classes are not known, or why nothing was begun."""

    @property
    def is_running(self) -> bool:
        """Whether any launch is running."""
        return any(each.is_running for each in self.launches)

    def look(self) -> None:
        """Look for classes and functions of the notebook, if it has others than before."""
        with self.lock:
            found = {name: id(value) for name, value in self._names.items() if callable(value) and name[:1] != "_"}
            if found == self._seen:
                return
            self._seen = found
            try:
                self.tasks, self.message = services.launchable(self._names), None
            except Exception as error:  # noqa: BLE001 - shown in its place, and logged if unexpected
                self.tasks, self.message = (), message_of(error)
            names = [task.name for task in self.tasks]
            if self.chosen not in names:
                self.chosen = next(
                    (task.name for task in reversed(self.tasks) if task.can_train or task.can_deploy), ""
                )
        self.changed()

    def choose(self, name: str) -> None:
        """Choose what is launched."""
        with self.lock:
            self.chosen = name
        self.changed()

    def type_files(self, text: str) -> None:
        """Take the files that are needed, as typed."""
        with self.lock:
            self.input_files = text
        self.changed()

    def task_of(self, name: str) -> TaskInfo | None:
        """Return what is known of a class or a function."""
        return next((task for task in self.tasks if task.name == name), None)

    def start(self, action: Action) -> None:
        """Train or deploy what was chosen."""
        with self.lock:
            resolved = self._settings.resolved
            backend = resolved.settings.backend if resolved is not None else _LOCAL
            name = self.chosen
            what = f"{'Training' if action == 'train' else 'Deploying'} {name}"
            # A link in a widget leads nowhere: front ends look after those of outputs only.
            view = LaunchView(what, backend=backend, log=LaunchLog(name, linked=False))
            launch = Launch(next(self._numbers), action, name, view, self._settings.session(), backend)
            files = tuple(line.strip() for line in self.input_files.splitlines() if line.strip())
            self.message = None
            self.launches = (launch, *self.launches)[:_SHOWN] if not self.is_running else (launch, *self.launches)

            def work(task: Task) -> None:
                self._work(launch, task, files)

            launch.task = self._tasks.begin(what, work, lambda _task: self._end(launch))
            if self._ticker is None:
                self._ticker = self._tasks.begin("view", self._tick)
        self.changed()

    def cancel(self, launch: Launch) -> None:
        """Stop a launch; a job in the cluster is deleted as well."""
        if launch.task is not None:
            launch.view.take(Output("Cancelling ...\n"))
            launch.task.interrupt()
        self.changed()

    def stop(self) -> None:
        """Stop everything here, and leave what runs in the cluster."""
        for launch in self.launches:
            task = launch.task
            if task is not None:
                launch.is_left = launch.backend != _LOCAL
                task.interrupt()
        ticker = self._ticker
        if ticker is not None:
            ticker.cancel()

    def _work(self, launch: Launch, task: Task, files: tuple[str, ...]) -> None:
        try:
            with watched_by(launch.view.take):
                if launch.action == "train":
                    services.train(launch.session, launch.name, names=self._names, input_files=files)
                    ended: tuple[Any, str] = ("succeeded", "")
                else:
                    endpoint = services.deploy(launch.session, launch.name, names=self._names, input_files=files)
                    with self.lock:
                        self._endpoints[endpoint.name] = endpoint
                    ended = ("ready", f"The endpoint {endpoint.name} is ready: {endpoint.url}")
        except Exception as error:  # noqa: BLE001 - shown in its place, and logged if unexpected
            if task.cancelled.is_set():
                # Whatever the interrupt has become on its way.
                return
            launch.view.quote(getattr(error, "last_lines", ()))
            message = message_of(error)
            ended = ("failed", f"{message.text} {message.hint}".strip())
        launch.view.end(*ended)

    def _end(self, launch: Launch) -> None:
        """Say how it has ended; what was interrupted in the cluster is deleted there."""
        if launch.view.state == "running":
            launch.view.end(*self._interrupted(launch))
        with self.lock:
            launch.task = None
        self.changed()
        if launch.view.state == "ready":
            self._on_endpoint()

    def _interrupted(self, launch: Launch) -> tuple[Any, str]:
        job = launch.view.job
        if launch.backend == _LOCAL or not job:
            return "cancelled", ""
        if launch.is_left:
            return "left", launch.view.interrupted or f"To follow it, type: %fairing_azure logs {job} --follow"
        try:
            services.delete(launch.session, [job])
        except Exception as error:  # noqa: BLE001 - shown in its place, and logged if unexpected
            message = message_of(error)
            return "left", f"{job} could not be deleted: {message.text} {message.hint}".strip()
        return "cancelled", f"{job} was deleted in the cluster."

    def _tick(self, task: Task) -> None:
        """Let the views be drawn again where they have changed, as long as any launch is running."""
        drawn: dict[int, int] = {}
        last = 0.0
        while not task.cancelled.wait(_LOOK_SECONDS):
            with self.lock:
                running = [each for each in self.launches if each.is_running]
                if not running:
                    self._ticker = None
                    return
            now = {each.number: each.view.revision for each in running}
            if now != drawn or time.monotonic() - last >= _CLOCK_SECONDS:
                drawn, last = now, time.monotonic()
                self.changed()
        with self.lock:
            self._ticker = None
