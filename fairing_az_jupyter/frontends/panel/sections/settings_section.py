"""The section 'Settings': a form made from the settings' JSON schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.panel.sections.fill_preview import FillPreview
from fairing_az_jupyter.frontends.panel.sections.profiles_bar import ProfilesBar
from fairing_az_jupyter.frontends.panel.sections.section import Section
from fairing_az_jupyter.frontends.panel.sections.setting_field import SettingField
from fairing_az_jupyter.frontends.panel.state import messages
from fairing_az_jupyter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fairing_az_jupyter.frontends.panel.parts import Parts, Shown
    from fairing_az_jupyter.frontends.panel.state.shared_state import SharedState

__all__ = ["SettingsSection"]


class SettingsSection:
    """The section.

    Args:
        parts: Of the panel.
        state: What all panels share.

    """

    def __init__(self, parts: Parts, state: SharedState) -> None:
        self.parts, self._state = parts, state.settings
        schema = Settings.model_json_schema()["properties"]
        self._main = {field: each for field, each in schema.items() if each["cell"] == "always"}
        self._rest = {field: each for field, each in schema.items() if field not in self._main}
        self._fields: dict[str, SettingField] = {}
        self._profiles = ProfilesBar(parts, state.settings)
        self._status = parts.html()
        self._more = parts.button("", self._toggle_more, css="fairing-az-head")
        self._more_fields = parts.column()
        self._is_more_open = False
        self._made_more: tuple[Shown, ...] = ()
        self._discard = parts.button("Discard", self._discard_all)
        self._typed = parts.html(css="fairing-az-quiet")
        self._typed_row = parts.row(css="fairing-az-buttons")
        self._fill = FillPreview(parts, state)
        content = (
            self._profiles.shown,
            self._status,
            *self._groups(self._main),
            self._more,
            self._more_fields,
            self._typed_row,
            self._fill.shown,
        )
        self.section = Section(parts, "Settings", content, is_open=True)
        parts.at_end(self._state.subscribe(self.update))
        self.update()

    def update(self) -> None:
        """Show what is so now."""
        state = self._state
        self._profiles.update()
        wrong = [field for field in self._rest if field in state.errors]
        if wrong and not self._is_more_open:
            self._open_more()
        for field in self._fields.values():
            field.update()
        number = len(state.errors) + len(state.other_errors)
        self.section.note(f"{number} invalid" if number else "")
        lines = [messages.html(state.message)] if state.message else []
        lines += [
            messages.html(messages.Message(messages.in_cell(each["message"]), messages.in_cell(each["hint"])))
            for each in state.other_errors
        ]
        if number:
            lines.append(
                messages.html(messages.Message(f"{number} setting{' is' if number == 1 else 's are'} invalid."))
            )
        self.parts.put(self._status, "".join(lines))
        self._draw_more(wrong)
        typed = len(state.typed)
        self.parts.put(self._typed, f"{typed} unsaved change{'' if typed == 1 else 's'}." if typed else "")
        children = (self._typed, self._discard) if typed else ()
        if self._typed_row.children != children:
            self._typed_row.children = children
        self._fill.update()

    def _groups(self, fields: Mapping[str, Mapping[str, Any]]) -> Iterable[Shown]:
        group = ""
        for field, declared in fields.items():
            if declared["group"] != group:
                group = declared["group"]
                yield self.parts.html(group, css="fairing-az-group")
            made = self._fields[field] = SettingField(self.parts, self._state, field, declared)
            yield made.shown

    def _toggle_more(self) -> None:
        if self._is_more_open:
            self._is_more_open = False
            self._more_fields.children = ()
            self._draw_more([])
        else:
            self._open_more()
            self.update()

    def _open_more(self) -> None:
        self._is_more_open = True
        if not self._made_more:
            self._made_more = tuple(self._groups(self._rest))
        self._more_fields.children = self._made_more

    def _draw_more(self, wrong: list[str]) -> None:
        typed = sum(field in self._state.typed for field in self._rest)
        notes = [f"{typed} changed"] if typed else []
        notes += [f"{len(wrong)} invalid"] if wrong else []
        shown_notes = f" ({', '.join(notes)})" if notes else ""
        self._more.description = f"{'▾' if self._is_more_open else '▸'} More settings{shown_notes}"
        self._more.tooltip = "Show only the main settings" if self._is_more_open else "Show all settings"

    def _discard_all(self) -> None:
        self._more.focus()
        self._state.discard(*self._state.typed)
