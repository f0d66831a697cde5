"""The settings in force in a notebook: what is typed, where each value comes from, what is wrong, the profiles."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.frontends.panel.state.messages import Message, message_of
from fairing_az_jupyter.frontends.panel.state.observable import Observed
from fairing_az_jupyter.settings import (
    declarations,
    from_notebook,
    may_be_empty,
    missing_for_launch,
    notebook_names,
    sources,
    to_notebook,
)
from fairing_az_jupyter.settings.profiles import ProfileStore

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from fairing_az_jupyter.settings.sources import Explained, Resolved

__all__ = ["SettingsState"]

# What somebody has chosen, and a profile made from the form takes over.
_CHOSEN = frozenset({"argument", "parameters cell", "environment", "profile"})


class SettingsState(Observed):
    """The settings in force; rejected values are left out of them, and reported at their fields.

    Args:
        lock: Of the shared state.
        ipython: The shell whose variables count.

    """

    def __init__(self, lock: threading.RLock, ipython: InteractiveShell) -> None:
        super().__init__(lock)
        self._ipython = ipython
        self._variables: dict[str, Any] = {}
        self._outside: object = None
        self.typed: dict[str, Any] = {}
        """What stands in the form, by field."""
        self.profile: str | None = None
        """The profile that was chosen here; None for the active one."""
        self.profiles: tuple[str, ...] = ()
        self.active: str | None = None
        self.resolved: Resolved | None = None
        self.explained: Mapping[str, Explained] = {}
        self.errors: Mapping[str, Mapping[str, str]] = {}
        """What is wrong, by field."""
        self.other_errors: tuple[Mapping[str, str], ...] = ()
        """What is wrong, and stands at no field."""
        self.missing: frozenset[str] = frozenset()
        """The fields without which nothing can be launched."""
        self.message: Message | None = None
        """Why the settings are not known, or what became of a profile."""

    def session(self) -> services.Session:
        """Return what the panel works with, as the form is now."""
        with self.lock:
            return services.Session(self.typed, notebook=dict(self._variables) or None, profile=self.profile)

    @property
    def names(self) -> Mapping[str, Any]:
        """The notebook's own variables."""
        found: Mapping[str, Any] = self._ipython.user_ns
        return found

    @property
    def in_force(self) -> str | None:
        """The name of the profile whose values count."""
        return self.profile or self.active

    @property
    def is_typed_wrong(self) -> bool:
        """Whether something that is typed can't be used."""
        return any(field in self.errors for field in self.typed)

    def shown(self, field: str) -> Any:  # noqa: ANN401 - settings are of several types
        """Return what a field shows: what was typed, else the value in force."""
        if field in self.typed:
            return self.typed[field]
        found = self.explained.get(field)
        return None if found is None else found.value

    def type(self, field: str, value: Any) -> None:  # noqa: ANN401 - as above
        """Take what was typed into a field; nothing, where there has to be something, takes it back."""
        with self.lock:
            if value == "" and not may_be_empty(field):
                self.typed.pop(field, None)
            else:
                self.typed[field] = value
        self.refresh()

    def discard(self, *fields: str) -> None:
        """Forget what was typed into some fields; the next source's value is in force."""
        with self.lock:
            for field in fields:
                self.typed.pop(field, None)
        self.refresh()

    def choose(self, name: str | None) -> None:
        """Let a profile count; None for the active one."""
        with self.lock:
            self.profile = name
            self.message = None
        self.refresh()

    def save(self, name: str) -> bool:
        """Keep what somebody has chosen as a profile, and choose it.

        Args:
            name: The profile, which is made if it is not there.

        Returns:
            Whether it was kept.

        """

        def save() -> str:
            chosen = {field: each.value for field, each in self.explained.items() if each.source in _CHOSEN}
            # Invalid values go along, so that they are rejected and not silently left out.
            services.save_profile(name, {**chosen, **self.typed})
            self.profile = name
            return f"Settings saved as profile {name}."

        return self._with_profiles(save)

    def remove(self, name: str) -> bool:
        """Delete a profile."""

        def remove() -> str:
            ProfileStore().remove(name)
            self.profile = None if self.profile == name else self.profile
            return f"Profile {name} deleted."

        return self._with_profiles(remove)

    def activate(self, name: str | None) -> bool:
        """Let a profile count where none is chosen; None for none."""

        def activate() -> str:
            ProfileStore().activate(name)
            self.profile = None
            return f"The profile {name} is active." if name else "No profile is active."

        return self._with_profiles(activate)

    def refresh(self) -> None:
        """Update what is in force."""
        with self.lock:
            self._variables, self._outside = self._found_variables(), self._found_outside()
            try:
                self._find_out()
                self.message = self.message if self.message is not None and self.message.kind == "done" else None
            except FairingAzureError as error:
                self.message = message_of(error)
            except Exception as error:  # noqa: BLE001 - shown in its place, and logged
                self.message = message_of(error)
        self.changed()

    def refresh_if_changed(self) -> None:
        """Update what is in force where any source says something else, as after a cell was run."""
        with self.lock:
            is_same = _same(self._found_variables(), self._variables) and self._found_outside() == self._outside
        if not is_same:
            self.refresh()

    def _found_variables(self) -> dict[str, Any]:
        # A class or a data frame of such a name is not compared, and not shown, but it is what the notebook says.
        return to_notebook(from_notebook(self._ipython.user_ns))

    def _found_outside(self) -> object:
        """Return what the environment and the profiles say."""
        try:
            profile: object = (
                ProfileStore().list(),
                ProfileStore().active(),
                services.Session(profile=self.profile).profile_values,
            )
        except FairingAzureError as error:
            profile = str(error)
        return sources.environment_values(os.environ), profile

    def _find_out(self) -> None:
        store = ProfileStore()
        self.profiles, self.active = store.list(), store.active()
        if self.profile is not None and self.profile not in self.profiles:
            self.profile = None
        self.resolved, errors = self.session().usable
        self.explained = {each.field: each for each in self.resolved.explain()}
        fields = declarations()
        self.errors = {entry["field"]: entry for entry in errors if entry["field"] in fields}
        self.other_errors = tuple(entry for entry in errors if entry["field"] not in fields)
        self.missing = frozenset(missing_for_launch(self.resolved.settings))

    def _with_profiles(self, action: Callable[[], str]) -> bool:
        with self.lock:
            try:
                done = Message(action(), kind="done")
            except Exception as error:  # noqa: BLE001 - shown in its place, and logged if unexpected
                self.message = message_of(error)
            else:
                self.message = done
            message = self.message
        self.refresh()
        with self.lock:
            self.message = message
        self.changed()
        return message.kind == "done"

    def name_of(self, field: str) -> str:
        """Return a setting's name in the notebook."""
        return notebook_names()[field]


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    plain = (str, int, float, bool, type(None))
    return one.keys() == other.keys() and all(
        value is other[name] or (isinstance(value, plain) and isinstance(other[name], plain) and value == other[name])
        for name, value in one.items()
    )
