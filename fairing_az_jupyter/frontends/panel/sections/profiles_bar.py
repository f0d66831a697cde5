"""Chooses, keeps and deletes profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.frontends.panel.parts import Parts
    from fairing_az_jupyter.frontends.panel.state.settings_state import SettingsState

__all__ = ["ProfilesBar"]


class ProfilesBar:
    """The profiles above the form.

    Args:
        parts: Of the panel.
        state: The settings.

    """

    def __init__(self, parts: Parts, state: SettingsState) -> None:
        self.parts, self._state = parts, state
        self._choice = parts.choice("Profile", [("(no active profile)", "")], "")
        parts.on_change(self._choice, lambda name: state.choose(name or None))
        self._save_as = parts.button("Save as …", self._name_it, tip="Save the settings as a new profile")
        self._save = parts.button("Save", self._save_it)
        self._activate = parts.button("Make active", self._activate_it)
        self._remove = parts.button("Delete …", self._ask_to_remove)
        self._buttons = parts.row(css="fairing-az-buttons fairing-az-below")
        self._form = parts.column()
        self._asked: Parts | None = None
        self.shown = parts.column(self._choice, self._buttons, self._form)

    def update(self) -> None:
        """Show what is so now."""
        state = self._state
        active = f"{state.active} (active)" if state.active else "(no active profile)"
        others = [(name, name) for name in state.profiles if name != state.active]
        options = ((active, ""), *others)
        chosen = "" if state.profile == state.active else state.profile or ""
        if tuple(self._choice.options) != options:
            # Options and value go together: a value outside of the options is rejected.
            self.parts.put(self._choice, "", options=options)
        self.parts.put(self._choice, chosen)
        name = state.in_force
        buttons = (self._save_as, self._save, self._activate, self._remove) if name else (self._save_as,)
        if self._buttons.children != buttons:
            self._buttons.children = buttons
        if name:
            is_active = name == state.active
            self._save.tooltip = f"Save the settings to the profile {name}"
            self._activate.description = "Make inactive" if is_active else "Make active"
            self._activate.tooltip = f"Use the profile {name} by default" if not is_active else ""
            self._remove.tooltip = f"Delete the profile {name}"

    def _save_it(self) -> None:
        if self._state.in_force:
            self._state.save(self._state.in_force)

    def _activate_it(self) -> None:
        name = self._state.in_force
        self._state.activate(None if name == self._state.active else name)

    def _name_it(self) -> None:
        asked = self._opened()
        field = asked.text("Name of the profile", hint="for example team-a")

        def save() -> None:
            name = field.value.strip()
            if name in self._state.profiles:
                self._confirm(
                    f"Profile {name} already exists. Its values will be replaced by those in the form.",
                    "Replace",
                    lambda: self._state.save(name),
                )
            elif name and self._state.save(name):
                self._close()

        buttons = asked.row(asked.button("Save profile", save, kind="primary"), asked.button("Cancel", self._close))
        self._form.children = (asked.column(field, buttons, css="fairing-az-form"),)
        field.focus()

    def _ask_to_remove(self) -> None:
        name = self._state.in_force
        if name:
            self._confirm(
                f"The profile {name} will be deleted for all notebooks.", "Delete", lambda: self._state.remove(name)
            )

    def _confirm(self, question: str, word: str, action: Callable[[], object]) -> None:
        asked = self._opened()

        def act() -> None:
            self._close()
            action()

        buttons = asked.row(asked.button(word, act, kind="danger"), asked.button("Cancel", self._close))
        self._form.children = (asked.column(asked.html(question), buttons, css="fairing-az-form"),)

    def _opened(self) -> Parts:
        self._close()
        self._asked = self.parts.part()
        return self._asked

    def _close(self) -> None:
        self._form.children = ()
        if self._asked is not None:
            self._asked.close()
            self._asked = None
