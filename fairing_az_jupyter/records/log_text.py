"""A run's events as the text of a log that people read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairing_az_jupyter.models import RunEvent

# ECMA-48: control sequences (colours, cursor), and operating system commands (links, titles).
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")


def without_ansi(text: str) -> str:
    """Return `text` without the codes that colour it or move the cursor."""
    return _ANSI.sub("", text)


class LogText:
    """Turns one event after the other into text; a heading always begins a line."""

    def __init__(self) -> None:
        self._at_line_start = True

    def of(self, event: RunEvent) -> str:
        """Return the text of an event; empty if it has none."""
        if event.kind == "output":
            text = without_ansi(event.text or "")
            if event.stream == "display" and text and not text.endswith("\n"):
                text += "\n"
            self._at_line_start = text.endswith("\n") if text else self._at_line_start
            return text
        heading = self._heading(event)
        if not heading:
            return ""
        text = f"{'' if self._at_line_start else chr(10)}{heading}\n"
        self._at_line_start = True
        return text

    def _heading(self, event: RunEvent) -> str:
        where = f"[{event.cell}/{event.cells}]"
        if event.kind == "cell-started":
            return f"{where} {event.text or ''}".rstrip()
        if event.kind == "cell-retried":
            return f"{where} failed, and is tried again: {event.message}"
        if event.kind == "cell-failed":
            return f"{where} failed: {event.message}"
        if event.kind == "run-finished":
            return f"Finished in {event.duration or 0:.1f} s."
        if event.kind in {"run-failed", "run-cancelled"}:
            return str(event.message)
        return ""
