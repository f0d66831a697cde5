"""`fetch` in a terminal: with its progress, where a person sees it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.commands.answers import shown
from fairing_az_jupyter.frontends.terminal.output import print_answer
from fairing_az_jupyter.operations.launches.fetch import FETCH, fetched
from fairing_az_jupyter.outputs.listing import readable_size

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.terminal.output import Output
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.launches.fetch import Fetch

_STEP_SECONDS = 0.2
_WORTH_SECONDS = 1.0


def fetch(call: Call[Fetch], _output: Output) -> int:
    """Copy the files that a launch has written."""
    line = _Line()
    try:
        found = fetched(call, None if call.json else line.show)
    finally:
        line.end()
    answer = shown(FETCH, call, found)
    print_answer(answer.document, answer.text(), as_json=call.json)
    return answer.exit_code


class _Line:
    """One line of standard error that says how much is there; none where nobody looks or where it is quick."""

    def __init__(self) -> None:
        self._wanted = sys.stderr is not None and sys.stderr.isatty()
        self._begun = self._next = time.monotonic()
        self._width = 0

    def show(self, have: int, whole: int) -> None:
        """Say how much is there.

        Args:
            have: The bytes that are there.
            whole: All bytes.

        """
        now = time.monotonic()
        if not self._wanted or now < self._next or now - self._begun < _WORTH_SECONDS:
            return
        self._next = now + _STEP_SECONDS
        self._write(f"Fetched {readable_size(have)} of {readable_size(whole)}")

    def end(self) -> None:
        """Take the line away."""
        if self._width:
            self._write("")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text.ljust(self._width)}" if text else f"\r{' ' * self._width}\r")
        sys.stderr.flush()
        self._width = len(text)
