"""What this process and all that it starts print, line by line: also what writes past `sys.stdout`."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

_READ_BYTES = 65_536
_LINE_SECONDS = 0.3
"""So long a part of a line may wait for the rest of it, as a progress bar does."""
_END_SECONDS = 2.0
_STREAMS = {1: "stdout", 2: "stderr"}


class CapturedOutput:
    """Takes standard output and standard error as text as they come; use it as a context.

    Args:
        on_text: Gets the stream's name and the text: whole lines, or a part of one that stays unfinished. Called from
            threads of its own.
        on_error: Called once if `on_text` raises; what is printed after that is lost.

    """

    def __init__(self, on_text: Callable[[str, str], None], on_error: Callable[[], None]) -> None:
        self.error: Exception | None = None
        """What `on_text` has raised first."""
        self._on_text = on_text
        self._on_error = on_error
        self._saved: dict[int, int] = {}
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()

    def __enter__(self) -> Self:
        _flush()
        for number, name in _STREAMS.items():
            reading, writing = os.pipe()
            self._saved[number] = os.dup(number)
            os.dup2(writing, number)
            os.close(writing)
            thread = threading.Thread(target=self._read, args=(reading, name), name=f"captured-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True)
        return self

    def __exit__(self, *_: object) -> None:
        _flush()
        for number, saved in self._saved.items():
            os.dup2(saved, number)
            os.close(saved)
        # A process that was left behind may keep the other end open for ever.
        self._over.set()
        for thread in self._threads:
            thread.join(_END_SECONDS)

    def _read(self, reading: int, name: str) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        unfinished = ""
        try:
            while True:
                if not select.select([reading], [], [], _LINE_SECONDS)[0]:
                    self._report(name, unfinished)
                    unfinished = ""
                    if self._over.is_set():
                        return
                    continue
                data = os.read(reading, _READ_BYTES)
                text = unfinished + decoder.decode(data, final=not data)
                whole = text.rfind("\n") + 1
                if not data or len(text) - whole > _READ_BYTES:
                    whole = len(text)
                self._report(name, text[:whole])
                unfinished = text[whole:]
                if not data:
                    return
        finally:
            os.close(reading)

    def _report(self, name: str, text: str) -> None:
        if not text or self.error is not None:
            return
        try:
            self._on_text(name, text)
        except Exception as error:  # noqa: BLE001 - whoever prints must never wait for ever for a reader
            self.error = error
            self._on_error()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
