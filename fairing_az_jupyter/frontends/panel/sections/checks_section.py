"""The section 'Checks': everything that a launch needs with results as they come, and how to fix what is missing."""

from __future__ import annotations

import functools
from html import escape
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.panel.sections.secret_form import SecretForm
from fairing_az_jupyter.frontends.panel.sections.section import Section
from fairing_az_jupyter.frontends.panel.state import messages
from fairing_az_jupyter.frontends.panel.state.fix import FixRequest, fix_request_of
from fairing_az_jupyter.frontends.views.checks import check_report, check_report_html

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.panel.parts import Parts
    from fairing_az_jupyter.frontends.panel.state.shared_state import SharedState
    from fairing_az_jupyter.models import CheckResult

__all__ = ["ChecksSection"]

_LEAD = "Checks every Secret, permission and Azure resource that a launch needs. Changes nothing."


class ChecksSection:
    """The section.

    Args:
        parts: Of the panel.
        state: What all panels share.

    """

    def __init__(self, parts: Parts, state: SharedState) -> None:
        self.parts, self._state = parts, state.checks
        self._start = parts.button("Run checks", self._state.start, kind="primary")
        self._cancel = parts.button("Cancel", self._cancel_it)
        self._buttons = parts.row(self._start, css="fairing-az-buttons")
        self._status = parts.html()
        self._fixes = parts.column()
        self._table = parts.html()
        self._offered: tuple[tuple[str, FixRequest], ...] = ()
        self._rows: Parts | None = None
        self._form: SecretForm | None = None
        self._form_parts: Parts | None = None
        self._place = parts.column()
        content = (self._buttons, self._status, self._fixes, self._place, self._table)
        self.section = Section(parts, "Checks", content, is_open=True)
        parts.at_end(self._state.subscribe(self.update))
        self.update()

    def update(self) -> None:
        """Show what is so now."""
        state = self._state
        is_running = state.state == "running"
        self._start.description = "Run checks" if state.state == "none" else "Run checks again"
        self._start.disabled = is_running
        buttons = (self._start, self._cancel) if is_running else (self._start,)
        if self._buttons.children != buttons:
            self._buttons.children = buttons
        lines = [messages.html(each) for each in (*state.fixed, *filter(None, (state.fix_error, state.message)))]
        if state.is_fixing:
            lines.append(messages.html(messages.Message("Fixing …", kind="note")))
        if state.state == "none":
            lines.append(messages.quiet(_LEAD))
        self.parts.put(self._status, "".join(lines))
        shown = state.state != "none" and (state.results or not state.message)
        self.parts.put(self._table, check_report_html.html(state.results, instead=state.instead) if shown else "")
        self.section.note(_note(state.results, is_running=is_running))
        self._offer_fixes(state.results)
        if self._form is not None:
            self._form.set_busy(is_busy=state.is_fixing)
            if is_running:
                # What was asked for is made; what is so now is being found out.
                self._close_form()

    def _offer_fixes(self, results: list[CheckResult]) -> None:
        found = ((result, fix_request_of(result)) for result in results if result.status in check_report.ATTENTION)
        offered = tuple((result.title, fix) for result, fix in found if fix is not None)
        if offered == self._offered:
            return
        self._offered = offered
        self._fixes.children = ()
        if self._rows is not None:
            self._rows.close()
        self._rows = rows = self.parts.part()
        self._fixes.children = tuple(
            rows.row(
                rows.button("Fix", functools.partial(self._open_fix, fix, title), tip=f"Fix: {title}"),
                rows.html(escape(title)),
            )
            for title, fix in offered
        )

    def _open_fix(self, fix: FixRequest, title: str) -> None:
        self._close_form()
        if fix.attach:
            self._state.fix(fix, {})
            return
        self._form_parts = parts = self.parts.part()

        def send(values: dict[str, str]) -> None:
            self._state.fix(fix, values)

        self._form = SecretForm(parts, only_secret=fix.only_secret, send=send, on_close=self._close_form)
        self._place.children = (parts.html(f"Fix: {escape(title)}", css="fairing-az-group"), self._form.shown)
        self._form.focus()

    def _close_form(self) -> None:
        self._place.children = ()
        if self._form_parts is not None:
            self._form_parts.close()
        self._form = self._form_parts = None

    def _cancel_it(self) -> None:
        self._start.focus()
        self._state.cancel()


def _note(results: list[CheckResult], *, is_running: bool) -> str:
    found = check_report.counts(results)
    words = {"fail": "failed", "unknown": "unknown", "warn": "with warnings"}
    shown_counts = [f"{found[status]} {word}" for status, word in words.items() if found[status]]
    return ", ".join([*(["running"] if is_running else []), *shown_counts])
