"""A panel: its sections, how it is displayed, and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.panel import style_sheet
from fairing_az_jupyter.frontends.panel.parts import Parts
from fairing_az_jupyter.frontends.panel.sections.checks_section import ChecksSection
from fairing_az_jupyter.frontends.panel.sections.endpoints_section import EndpointsSection
from fairing_az_jupyter.frontends.panel.sections.launch_section import LaunchSection
from fairing_az_jupyter.frontends.panel.sections.runs_section import RunsSection
from fairing_az_jupyter.frontends.panel.sections.settings_section import SettingsSection
from fairing_az_jupyter.frontends.panel.sections.static_display import StaticDisplay
from fairing_az_jupyter.frontends.panel.state import messages

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.panel.state.shared_state import SharedState

__all__ = ["Panel"]

_WIDGET = "application/vnd.jupyter.widget-view+json"
_RUNNING = (
    "A launch is still running. On this machine it stops when the panel closes; a job in the cluster keeps running."
)


class Panel:
    """A panel; `show()` displays it, `close()` ends it and leaves the static table.

    Args:
        state: What all panels of the kernel share.
        cell: The cell that it is made in; empty where it is not known.

    """

    def __init__(self, state: SharedState, *, cell: str = "") -> None:
        self.cell = cell
        self._state = state
        self._static = StaticDisplay(state)
        self.is_closed = False
        with state.lock:
            self._parts = parts = Parts(self._fail)
            state.attach(self)
            style = parts.html(
                f"<style>{style_sheet.hiding(self._static.name)}{style_sheet.LIVE}</style>", css="fairing-az-style"
            )
            title = parts.html("Fairing on Azure", css="fairing-az-title")
            self._close_button = parts.button(
                "Close", self._close_or_ask, tip="Close this panel and leave a static table"
            )
            self._asked = parts.column()
            self._failed = parts.html()
            sections = (SettingsSection, ChecksSection, LaunchSection, RunsSection, EndpointsSection)
            shown = [made(parts, state).section.shown for made in sections]
            bar = parts.row(title, self._close_button, css="fairing-az-bar")
            self._root = parts.column(style, bar, self._asked, self._failed, *shown, css="fairing-az-panel")
            for part in (state.settings, state.checks, state.launches, state.endpoints):
                parts.at_end(part.subscribe(self._static.update))
            if self._root.comm is not None:
                self._root.comm.on_close(self._closed_by_front_end)

    def __repr__(self) -> str:
        return f"<panel of %fairing_azure, {'closed' if self.is_closed else 'open'}; .close()>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        if self.is_closed:
            return dict(self._static.bundle())
        return self._bundle()

    def show(self) -> None:
        """Display it in the cell that is being run: a table for who opens the notebook later, and the live panel."""
        self._static.show()
        if not self.is_closed:
            self._state.ipython.display_pub.publish(data=self._bundle(), metadata={})

    def close(self) -> None:
        """End it: no widget, comm, thread or callback of it stays; safe to repeat."""
        with self._state.lock:
            if self.is_closed:
                return
            self.is_closed = True
        self._state.detach(self)
        self._static.close()
        with self._state.lock:
            if self._root.comm is not None:
                self._root.comm.on_close(None)
            self._parts.close()

    def _bundle(self) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self._root.model_id}
        return {_WIDGET: view, "text/plain": repr(self)}

    def _fail(self, error: Exception) -> None:
        self._parts.put(self._failed, messages.html(messages.message_of(error)))

    def _close_or_ask(self) -> None:
        if not self._state.launches.is_running or len(self._state.panels) > 1:
            self.close()
            return
        asked = self._parts.part()

        def keep() -> None:
            self._asked.children = ()
            asked.close()

        self._asked.children = (
            asked.column(
                asked.html(_RUNNING),
                asked.row(asked.button("Close anyway", self.close, kind="danger"), asked.button("Keep open", keep)),
                css="fairing-az-form",
            ),
        )

    def _closed_by_front_end(self, _message: object) -> None:
        self.close()
