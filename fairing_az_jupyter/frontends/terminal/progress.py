"""A notebook run as lines in a terminal: which cell, what it prints, how far a launch is, how long it took."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from io import TextIOBase

    from fairing_az_jupyter.models import RunEvent

_INDENT = "  | "
_SHOWN_CODE = 90
_WORTH_SECONDS = 0.5
_ENDS = frozenset({"run-finished", "run-failed", "run-cancelled"})


@dataclasses.dataclass
class _Phase:
    time: float
    timer: threading.Timer
    shown: bool = False


class Progress:
    """Writes events as they happen; the text of cells stands indented under their line.

    Of the phases of a launch those are shown that take long enough to be read.

    Args:
        stream: Where to write.

    """

    def __init__(self, stream: TextIO | TextIOBase) -> None:
        self._stream = stream
        self._at_line_start = True
        self._phases: dict[str, _Phase] = {}
        # A phase that begins is shown by a thread of its own, when it still lasts after a moment.
        self._lock = threading.Lock()

    def show(self, event: RunEvent) -> None:
        """Write one event."""
        with self._lock:
            self._show(event)
            self._stream.flush()

    def _show(self, event: RunEvent) -> None:
        if event.kind == "phase":
            self._show_phase(event)
        elif event.kind == "output":
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
        if event.kind in _ENDS:
            for phase in self._phases.values():
                phase.timer.cancel()
            self._phases.clear()

    def _show_phase(self, event: RunEvent) -> None:
        name, said = str(event.name), f": {event.message}" if event.message else ""
        begun = self._phases.pop(name, None)
        if begun is not None:
            begun.timer.cancel()
        if event.value == "started":
            self._begin(name, event.time)
            return
        seconds = 0.0 if begun is None else event.time - begun.time
        shown = begun is not None and begun.shown
        if event.value == "skipped":
            self._line(f"{name.capitalize()}: skipped{said}")
        elif event.value == "failed":
            self._line(f"{name.capitalize()}: failed{said}")
        elif event.value == "finished" and (shown or seconds >= _WORTH_SECONDS):
            if not shown:
                self._line(f"{name.capitalize()}: started")
            self._line(f"{name.capitalize()}: done in {seconds:.1f} s")

    def _begin(self, name: str, when: float) -> None:
        phase = self._phases[name] = _Phase(when, threading.Timer(_WORTH_SECONDS, self._show_begun, args=(name, when)))
        phase.timer.daemon = True
        phase.timer.start()

    def _show_begun(self, name: str, when: float) -> None:
        # Where the stream is closed, the next event raises it.
        with self._lock, contextlib.suppress(OSError, ValueError):
            phase = self._phases.get(name)
            if phase is not None and phase.time == when and not phase.shown:
                phase.shown = True
                self._line(f"{name.capitalize()}: started")
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
