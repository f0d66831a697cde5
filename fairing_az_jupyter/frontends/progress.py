"""A notebook run as lines in a terminal: which cell, what it prints, how long it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from io import TextIOBase

    from fairing_az_jupyter.models import RunEvent

_INDENT = "  | "
_SHOWN_CODE = 90


class Progress:
    """Writes events as they happen; the text of cells stands indented under their line.

    Args:
        stream: Where to write.

    """

    def __init__(self, stream: TextIO | TextIOBase) -> None:
        self._stream = stream
        self._at_line_start = True

    def show(self, event: RunEvent) -> None:
        """Write one event."""
        if event.kind == "output":
            self._write_output(event.text or "")
        elif event.kind == "cell-started":
            self._line(f"[{_position(event)}] {(event.text or '')[:_SHOWN_CODE]}".rstrip())
        elif event.kind == "cell-finished" and (event.duration or 0.0) >= 1.0:
            self._line(f"[{_position(event)}] done in {event.duration:.1f} s")
        elif event.kind == "cell-retried":
            self._line(f"[{_position(event)}] failed, and is tried again: {event.message}")
        elif event.kind == "cell-failed":
            self._line(f"[{_position(event)}] failed: {event.message}")
        elif event.kind == "run-finished":
            self._line(f"Finished in {event.duration:.1f} s.")
        self._stream.flush()

    def _write_output(self, text: str) -> None:
        for line in text.splitlines(keepends=True):
            if self._at_line_start:
                self._stream.write(_INDENT)
            self._stream.write(line)
            self._at_line_start = line.endswith("\n")

    def _line(self, text: str) -> None:
        self._stream.write(("" if self._at_line_start else "\n") + text + "\n")
        self._at_line_start = True


def _position(event: RunEvent) -> str:
    width = len(str(event.cells))
    return f"{event.cell:>{width}}/{event.cells}"
