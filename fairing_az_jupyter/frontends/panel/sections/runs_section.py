"""The section 'Runs': what was run lately, here and from elsewhere, and how it is."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.panel.sections.section import Section
from fairing_az_jupyter.frontends.panel.state import messages
from fairing_az_jupyter.frontends.panel.state.runs_state import SHOWN
from fairing_az_jupyter.frontends.views.checks.check_report import line
from fairing_az_jupyter.frontends.views.launch import badge, duration

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.panel.parts import Parts, Shown
    from fairing_az_jupyter.frontends.panel.state.shared_state import SharedState
    from fairing_az_jupyter.models import RunInfo

__all__ = ["RunsSection"]

_ACTIVE = ("waiting", "running")
_NONE = "No runs yet. Start one: %fairing_azure launch NOTEBOOK in a cell, or fairing-azure run NOTEBOOK in a terminal."


class RunsSection:
    """The section; runs are listed while it is open.

    Args:
        parts: Of the panel.
        state: What all panels share.

    """

    def __init__(self, parts: Parts, state: SharedState) -> None:
        self.parts, self._state = parts, state.runs
        self._status = parts.html()
        self._list = parts.column()
        self._items: dict[str, _RunItem] = {}
        refresh = parts.button("Refresh", self._state.refresh, tip="Refresh the list of runs")
        content = (parts.row(refresh, css="fairing-az-buttons"), self._status, self._list)
        self.section = Section(parts, "Runs", content, on_toggle=self._toggled)
        parts.at_end(self._state.subscribe(self.update))
        parts.at_end(lambda: self._toggled(is_open=False) if self.section.is_open else None)
        self.update()

    def update(self) -> None:
        """Show what is so now."""
        state = self._state
        runs = state.runs or ()
        lines = [messages.html(state.message)] if state.message else []
        if state.note:
            lines.append(messages.html(messages.Message(messages.in_cell(state.note), kind="warning")))
        quiet = "Loading runs …" if state.is_looking else _NONE if state.runs == () else ""
        quiet = f"The last {SHOWN} runs" if len(runs) == SHOWN else quiet
        self.parts.put(self._status, "".join([*lines, messages.quiet(quiet)]))
        shown: list[Shown] = []
        for run in runs:
            item = self._items.get(run.id)
            if item is None:
                item = self._items[run.id] = _RunItem(self.parts.part(), run, self)
            item.update(run)
            shown.append(item.shown)
        if self._list.children != tuple(shown):
            self._list.children = shown
        known = {run.id for run in runs}
        for name in [name for name in self._items if name not in known]:
            self._items.pop(name).parts.close()
        active = sum(run.state in _ACTIVE for run in runs)
        self.section.note(f"{active} active" if active else "")

    def cancel(self, run: RunInfo) -> None:
        """Ask a run to stop."""
        self._state.cancel(run)

    def _toggled(self, is_open: bool) -> None:  # noqa: FBT001 - as sections call it
        if is_open:
            self._state.watch()
        else:
            self._state.unwatch()


class _RunItem:
    """One run in one line."""

    def __init__(self, parts: Parts, run: RunInfo, section: RunsSection) -> None:
        self.parts = parts
        self._text = parts.html()
        self._cancel = parts.button("Cancel", lambda: section.cancel(run), tip=f"Cancel the run {run.id}")
        self.shown = parts.row(self._text, css="fairing-az-item")

    def update(self, run: RunInfo) -> None:
        self.parts.put(self._text, described(run))
        children = (self._text, self._cancel) if run.state in _ACTIVE else (self._text,)
        if self.shown.children != children:
            self.shown.children = children


def described(run: RunInfo) -> str:
    """Return a run as HTML, in a line or two.

    Args:
        run: The run.

    """
    state = "running" if run.state == "waiting" else "failed" if run.state == "lost" else run.state
    what = {"train": "Training ", "deploy": "Deploying "}.get(run.kind, "")
    name = run.name or what + (run.task or PurePath(run.notebook).name)
    facts = [
        datetime.fromtimestamp(run.created).strftime("%Y-%m-%d %H:%M"),  # noqa: DTZ006 - as the user's clock has it
        duration(run.duration) if run.duration is not None else "",
        f"cell {run.cell} of {run.cells}" if run.cell and run.cells and run.state == "running" else "",
        "in the cluster" if run.place == "cluster" else "",
        run.id,
    ]
    error = f"<div>{escape(line(str(run.error.get('message', ''))))}</div>" if run.error else ""
    return (
        f"<div>{badge(run.state, state)} <strong>{escape(line(name))}</strong></div>"
        f'<div class="fairing-az-quiet">{escape(" · ".join(filter(None, facts)))}</div>{error}'
    )
