"""A section of the panel: a heading that opens and closes it, by the mouse and by the keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairing_az_jupyter.frontends.panel.parts import Parts, Shown

__all__ = ["Section"]


class Section:
    """A section, which a panel opens and closes by itself: each panel has its own.

    Args:
        parts: Of the panel.
        title: What it is called.
        content: What is in it.
        is_open: Whether it is open at first.
        on_toggle: Is called with whether it is open, when that changes.

    """

    def __init__(
        self,
        parts: Parts,
        title: str,
        content: Sequence[Shown],
        *,
        is_open: bool = False,
        on_toggle: Callable[[bool], object] | None = None,
    ) -> None:
        self._title, self._content, self._on_toggle = title, tuple(content), on_toggle
        self._note = ""
        self.is_open = is_open
        self._head = parts.button("", self.toggle, css="fairing-az-head")
        self._body = parts.column(css="fairing-az-body")
        self.shown = parts.column(self._head, self._body, css="fairing-az-section")
        self._draw()

    def toggle(self) -> None:
        """Open it, or close it."""
        self.is_open = not self.is_open
        self._draw()
        if self._on_toggle is not None:
            self._on_toggle(self.is_open)

    def note(self, text: str) -> None:
        """Say something beside the title, such as how much is wrong within."""
        if text != self._note:
            self._note = text
            self._draw()

    def _draw(self) -> None:
        self._head.description = (
            f"{'▾' if self.is_open else '▸'} {self._title}{f' ({self._note})' if self._note else ''}"
        )
        self._head.tooltip = f"{'Hide' if self.is_open else 'Show'} the section {self._title}"
        self._body.children = self._content if self.is_open else ()
