"""The section 'Endpoints': what was deployed, and a call to try it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.panel.sections.endpoint_item import EndpointItem
from fairing_az_jupyter.frontends.panel.sections.section import Section
from fairing_az_jupyter.frontends.panel.state import messages

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.panel.parts import Parts, Shown
    from fairing_az_jupyter.frontends.panel.state.shared_state import SharedState

__all__ = ["EndpointsSection"]

_NONE = "No endpoints yet. To create one, choose a class under Launch, then Deploy."


class EndpointsSection:
    """The section; the endpoints are looked for when it is opened, and when something was deployed.

    Args:
        parts: Of the panel.
        state: What all panels share.

    """

    def __init__(self, parts: Parts, state: SharedState) -> None:
        self.parts, self._state = parts, state.endpoints
        self._status = parts.html()
        self._list = parts.column()
        self._items: dict[tuple[str, str, str], EndpointItem] = {}
        self._refresh = parts.button("Refresh", self._state.refresh, tip="Refresh the list of endpoints")
        content = (parts.row(self._refresh, css="fairing-az-buttons"), self._status, self._list)
        self.section = Section(parts, "Endpoints", content, on_toggle=self._toggled)
        parts.at_end(self._state.subscribe(self.update))
        self.update()

    def update(self) -> None:
        """Show what is so now."""
        state = self._state
        found = state.endpoints
        lines = [messages.html(state.message)] if state.message else []
        if state.note:
            lines.append(
                messages.html(messages.Message("This list may be incomplete.", messages.in_cell(state.note), "warning"))
            )
        quiet = "Loading endpoints …" if state.is_looking else _NONE if found == () else ""
        self.parts.put(self._status, "".join([*lines, messages.quiet(quiet)]))
        self.section.note(str(len(found)) if found else "")
        shown: list[Shown] = []
        keys = []
        for endpoint in found or ():
            key = (str(endpoint.place), endpoint.namespace, endpoint.name)
            item = self._items.get(key)
            if item is None:
                item = self._items[key] = EndpointItem(self.parts.part(), endpoint, state, self._deleting)
            item.update(endpoint)
            keys.append(key)
            shown.append(item.shown)
        if self._list.children != tuple(shown):
            self._list.children = shown
        for key in [key for key in self._items if key not in keys]:
            self._items.pop(key).parts.close()

    def _toggled(self, is_open: bool) -> None:  # noqa: FBT001 - as sections call it
        if is_open:
            self._state.refresh()

    def _deleting(self) -> None:
        # What has the keyboard goes with the endpoint.
        self._refresh.focus()
