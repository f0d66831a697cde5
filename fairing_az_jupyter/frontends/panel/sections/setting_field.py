"""One field of the settings' form: what its JSON schema says of it, its value and its source, and what is wrong."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.panel.state import messages
from fairing_az_jupyter.frontends.views.checks.check_report import line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.frontends.panel.parts import Parts, Shown
    from fairing_az_jupyter.frontends.panel.state.settings_state import SettingsState

__all__ = ["SettingField", "source_word", "text_of"]

_WORDS = {
    "argument": "form",
    "parameters cell": "notebook's variables",
    "environment": "environment",
    "cluster": "cluster",
    "default": "default",
}


class SettingField:
    """One field.

    Args:
        parts: Of the panel.
        state: The settings.
        field: The setting.
        declared: What its JSON schema says.

    """

    def __init__(self, parts: Parts, state: SettingsState, field: str, declared: Mapping[str, Any]) -> None:
        self.parts, self._state, self._field, self._declared = parts, state, field, declared
        self._input = self._made_input()
        parts.on_change(self._input, lambda value: state.type(field, value))
        self._source = parts.html(css="fairing-az-source")
        self._entry = parts.row(self._input, self._source, css="fairing-az-entry")
        self._below = parts.html(css="fairing-az-below")
        self._extra = parts.row(css="fairing-az-below")
        self.shown = parts.column(self._entry, self._below, self._extra, css="fairing-az-field")
        self._suggested = ""
        self._suggestion: Parts | None = None
        self._undo: Parts | None = None

    def update(self) -> None:
        """Show what is so now."""
        state, field = self._state, self._field
        error = state.errors.get(field)
        is_typed = field in state.typed
        value = state.shown(field)
        css = [*([] if is_typed else ["fairing-az-inherited"]), *(["fairing-az-wrong"] if error else [])]
        self.parts.put(self._input, value is True if self._is_switch else text_of(value), _dom_classes=tuple(css))
        self.parts.put(self._source, self._source_html(is_typed=is_typed))
        self.parts.put(self._below, self._below_html(error))
        self._offer_undo(is_typed=is_typed)
        self._offer((error or {}).get("suggestion", ""))

    @property
    def _is_switch(self) -> bool:
        return _type_of(self._declared) == "boolean"

    def _made_input(self) -> Shown:
        declared, parts = self._declared, self.parts
        title = declared.get("title", self._field)
        tip = f"{declared['notebook_name']}: {declared['rule'] or declared.get('description', '')}"
        if self._is_switch:
            return parts.tick(title, value=False, tip=tip)
        choices = declared.get("enum")
        if choices is not None:
            none = [("(none)", "")] if _may_be_null(declared) else []
            options = [*none, *((text_of(choice), text_of(choice)) for choice in choices)]
            return parts.choice(title, options, options[0][1], tip=tip)
        examples = declared.get("examples") or ()
        return parts.text(title, hint=f"for example {text_of(examples[0])}" if examples else "", tip=tip)

    def _source_html(self, *, is_typed: bool) -> str:
        found = self._state.explained.get(self._field)
        if found is None:
            return ""
        word = source_word("argument" if is_typed else found.source, self._state.in_force)
        overridden = "; ".join(f"{text_of(value) or 'nothing'} of the {source}" for source, value in found.overridden)
        title = f"This value comes from: {word}{f' (overrides {overridden})' if overridden else ''}"
        return f'<span class="fairing-az-badge" title="{escape(line(title))}">{escape(word)}</span>'

    def _below_html(self, error: Mapping[str, str] | None) -> str:
        wrong = ""
        if error is not None:
            wrong = messages.html(messages.Message(messages.in_cell(error["message"]), messages.in_cell(error["hint"])))
        needed = "<strong>Required for a launch.</strong> " if self._field in self._state.missing else ""
        help_text = escape(self._declared.get("description", ""))
        return f'{wrong}<div class="fairing-az-help">{needed}{help_text}</div>'

    def _offer_undo(self, *, is_typed: bool) -> None:
        if is_typed == (self._undo is not None):
            return
        if self._undo is not None:
            self._entry.children = (self._input, self._source)
            self._undo.close()
            self._undo = None
            return
        self._undo = self.parts.part()
        title = self._declared.get("title", self._field)
        button = self._undo.button("Reset", self._reset, tip=f"Discard this change: {title}")
        self._entry.children = (self._input, self._source, button)

    def _offer(self, suggestion: str) -> None:
        if suggestion == self._suggested:
            return
        self._suggested = suggestion
        self._extra.children = ()
        if self._suggestion is not None:
            self._suggestion.close()
            self._suggestion = None
        if suggestion:
            self._suggestion = self.parts.part()
            self._extra.children = (self._suggestion.button(f"Use {suggestion}", self._take_suggestion),)

    def _reset(self) -> None:
        # The button goes; the keyboard stays at the field.
        self._input.focus()
        self._state.discard(self._field)

    def _take_suggestion(self) -> None:
        self._input.focus()
        self._state.type(self._field, self._suggested)


def source_word(source: str, profile: str | None) -> str:
    """Return what a source is called.

    Args:
        source: The source.
        profile: The profile that counts.

    """
    if source == "profile":
        return f"profile {profile}" if profile else "profile"
    return _WORDS.get(source, source)


def text_of(value: object) -> str:
    """Return a value as a field shows it."""
    return "" if value is None else str(value)


def _type_of(declared: Mapping[str, Any]) -> str:
    kinds = [declared, *declared.get("anyOf", ())]
    return next((str(kind["type"]) for kind in kinds if kind.get("type") not in (None, "null")), "string")


def _may_be_null(declared: Mapping[str, Any]) -> bool:
    return any(kind.get("type") == "null" for kind in declared.get("anyOf", ()))
