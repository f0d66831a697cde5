"""What all panels of a kernel share; no widget is in it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from fairing_az_jupyter.frontends.panel.state.background import Tasks
from fairing_az_jupyter.frontends.panel.state.checks_state import ChecksState
from fairing_az_jupyter.frontends.panel.state.endpoints_state import EndpointsState
from fairing_az_jupyter.frontends.panel.state.launches_state import LaunchesState
from fairing_az_jupyter.frontends.panel.state.runs_state import RunsState
from fairing_az_jupyter.frontends.panel.state.settings_state import SettingsState

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["SharedState", "state_of"]

_JOIN_SECONDS = 15.0


class Panel(Protocol):
    """A panel that is open: the cell in which it was asked for, and how it is closed."""

    cell: str

    def close(self) -> None: ...


class SharedState:
    """What is typed, checked, launched and deployed in a kernel's panels.

    It outlives them: who opens a panel again finds what was there. While none is open, nothing of it is done.

    Args:
        ipython: The kernel's shell.

    """

    def __init__(self, ipython: InteractiveShell) -> None:
        self.ipython = ipython
        self.lock = threading.RLock()
        self._panels: list[Panel] = []
        self.settings = SettingsState(self.lock, ipython)
        self._tasks = Tasks()
        self.checks = ChecksState(self.lock, self._tasks, self.settings.session)
        self.endpoints = EndpointsState(self.lock, self._tasks, self.settings.session)
        self.runs = RunsState(self.lock, self._tasks)
        self.launches = LaunchesState(self.lock, self._tasks, self.settings, self.endpoints.refresh)

    @property
    def panels(self) -> tuple[Panel, ...]:
        """The panels that are open."""
        return tuple(self._panels)

    def attach(self, panel: Panel) -> None:
        """Note a panel; with the first one the notebook's variables are followed."""
        with self.lock:
            if not self._panels:
                self.ipython.events.register("post_run_cell", self._after_a_cell)
            self._panels.append(panel)
        self.settings.refresh()
        self.launches.look()

    def detach(self, panel: Panel) -> None:
        """Forget a panel; with the last one all work in the background ends."""
        with self.lock:
            if panel not in self._panels:
                return
            self._panels.remove(panel)
            is_last = not self._panels
            if is_last:
                self.ipython.events.unregister("post_run_cell", self._after_a_cell)
        if is_last:
            # Without the lock: what ends may have something to tell first.
            for part in (self.checks, self.launches, self.runs, self.endpoints):
                part.stop()
            self._tasks.join(_JOIN_SECONDS)

    def _after_a_cell(self, *_: Any) -> None:  # noqa: ANN401 - IPython's result of the cell
        self.settings.refresh_if_changed()
        self.launches.look()


def state_of(ipython: InteractiveShell) -> SharedState:
    """Return what the panels of a kernel share.

    Args:
        ipython: The kernel's shell.

    """
    state = getattr(ipython, "_fairing_az_panels", None)
    if not isinstance(state, SharedState):
        state = SharedState(ipython)
        ipython._fairing_az_panels = state  # type: ignore[attr-defined]  # noqa: SLF001 - of this shell alone
    return state
