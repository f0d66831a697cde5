"""The lines of a log by their numbers, also of a long one that grows: a window of them, and a search among them."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import os
import threading
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST_LINE = 10_000
"""Characters of a line that are shown."""
SEARCH_BYTES = 5_000_000
"""How much of a log one step of a search reads, about."""
WINDOW_BYTES = 4_000_000
"""How much text a window holds, about; one of longer lines has fewer of them."""

_BLOCK = 1 << 18
_KEPT = 64
# No character of UTF-8 takes more bytes.
_LINE_BYTES = 4 * LONGEST_LINE


@dataclasses.dataclass(frozen=True)
class Window:
    """Some lines of a log.

    Args:
        first: The number of the first one, from 0.
        lines: The lines without their ends: invalid UTF-8 is replaced; of progress that a line wrote over itself the
            last state is left; what is too long is cut, and says so.
        total: How many lines the log has now; a last one without an end counts.

    """

    first: int
    lines: tuple[str, ...]
    total: int


@dataclasses.dataclass(frozen=True)
class Found:
    """What one step of a search has found.

    Args:
        line: The number of the line that holds the text; None if none of those that were read does.
        scanned_to: Where the search continues: the next line that was not read, in its direction. It is over at the
            number of lines; backward at -1.

    """

    line: int | None
    scanned_to: int


class LogLines:
    """The lines of one file that only grows.

    It knows how many lines end before each block of the file: 8 bytes for each 256 kB, made once and continued.

    Args:
        path: The file; one that is not there has no lines.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._forget()

    def window(self, first: int, count: int) -> Window:
        """Return some lines.

        Args:
            first: The number of the first one, from 0; a negative one counts from the end.
            count: How many at most.

        Raises:
            OSError: The file can't be read.

        """
        with self._lock, self._opened() as file:
            total = self._total
            first = max(0, total + first) if first < 0 else min(first, total)
            lines: list[str] = []
            if file is not None and count > 0 and first < total:
                size = 0
                for start, end in self._bounds(file, first, min(count, total - first)):
                    lines.append(_shown(file, start, end))
                    size += len(lines[-1])
                    if size > WINDOW_BYTES:
                        break
            return Window(first, tuple(lines), total)

    def search(self, text: str, first: int, *, backward: bool = False, ignore_case: bool = True) -> Found:
        """Look for the next line that holds a text, as far as one step goes.

        Args:
            text: The text, of one line.
            first: The line to begin with.
            backward: Whether to look at the lines before it, and not at those behind it.
            ignore_case: Whether upper and lower case are the same.

        Returns:
            The line, or where to continue. Of a line that is longer than a step, only its beginning is looked at.

        Raises:
            OSError: The file can't be read.

        """
        wanted = text.lower() if ignore_case else text
        with self._lock, self._opened() as file:
            total = self._total
            if file is None or total == 0:
                return Found(None, -1 if backward else 0)
            begin, behind = self._step(file, min(first, total - 1 if backward else total), backward=backward)
            if begin >= behind:
                return Found(None, behind)
            start, end = self._start_of(file, begin), self._start_of(file, behind)
            file.seek(start)
            found = file.read(min(end - start, 2 * SEARCH_BYTES)).decode("utf-8", "replace")
        searched = found.lower() if ignore_case else found
        at = _last(searched, wanted) if backward else _next(searched, wanted)
        if at is None:
            return Found(None, begin - 1 if backward else behind)
        line = begin + at
        return Found(line, line - 1 if backward else line + 1)

    def _step(self, file: BinaryIO, first: int, *, backward: bool) -> tuple[int, int]:
        """Return the lines that one step reads: the first, and the one behind the last."""
        if backward:
            end = self._start_of(file, first + 1)
            begin = self._line_at(file, max(0, end - SEARCH_BYTES), first)
            return min(begin, first), first + 1
        start = self._start_of(file, first)
        behind = self._line_at(file, start + SEARCH_BYTES, self._total)
        return first, max(behind, min(first + 1, self._total))

    def _line_at(self, file: BinaryIO, offset: int, most: int) -> int:
        """Return the first line that begins at a place or behind it, `most` at most."""
        if offset >= self._size:
            return most
        if offset <= 0:
            return 0
        block = (offset - 1) // _BLOCK
        file.seek(block * _BLOCK)
        return min(most, self._ends[block] + file.read(offset - 1 - block * _BLOCK).count(b"\n") + 1)

    def _start_of(self, file: BinaryIO, line: int) -> int:
        """Return the place in bytes where a line begins; of one behind the last the file's size."""
        if line <= 0:
            return 0
        if line >= self._total:
            return self._size
        block = bisect.bisect_left(self._ends, line) - 1
        file.seek(block * _BLOCK)
        data = file.read(min(_BLOCK, self._size - block * _BLOCK))
        place = -1
        for _ in range(line - self._ends[block]):
            place = data.index(b"\n", place + 1)
        return block * _BLOCK + place + 1

    def _bounds(self, file: BinaryIO, first: int, count: int) -> Iterator[tuple[int, int]]:
        """Yield where lines begin and end, without their ends."""
        start = at = self._start_of(file, first)
        while count:
            file.seek(at)
            data = file.read(min(_BLOCK, self._size - at))
            if not data:
                yield start, self._size
                return
            place = -1
            while count and (place := data.find(b"\n", place + 1)) >= 0:
                yield start, at + place
                start = at + place + 1
                count -= 1
                if start >= self._size:
                    return
            at += len(data)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BinaryIO | None]:
        """Open the file, with all that is known of it up to date; None if it is not there."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            self._forget()
            yield None
            return
        with file:
            self._refresh(file)
            yield file

    def _forget(self) -> None:
        self._identity: tuple[int, int] | None = None
        self._size = self._newlines = 0
        self._ends: list[int] = []
        self._ends_open = True
        self._total = 0

    def _refresh(self, file: BinaryIO) -> None:
        """Continue what is known up to the end that the file has now."""
        found = os.fstat(file.fileno())
        identity = (found.st_dev, found.st_ino)
        if identity != self._identity or found.st_size < self._size:
            self._forget()
            self._identity = identity
        if found.st_size == self._size:
            return
        file.seek(self._size)
        at = self._size
        data = b""
        while at < found.st_size:
            if at % _BLOCK == 0:
                self._ends.append(self._newlines)
            data = file.read(min(_BLOCK - at % _BLOCK, found.st_size - at))
            if not data:
                break
            self._newlines += data.count(b"\n")
            self._ends_open = not data.endswith(b"\n")
            at += len(data)
        self._size = at
        self._total = self._newlines + (1 if self._ends_open and at else 0)


_known: dict[Path, LogLines] = {}
_known_lock = threading.Lock()


def log_lines(path: Path) -> LogLines:
    """Return the lines of a log; what is known of the last few logs is kept.

    Args:
        path: The file.

    """
    with _known_lock:
        lines = _known.pop(path, None) or LogLines(path)
        _known[path] = lines
        while len(_known) > _KEPT:
            del _known[next(iter(_known))]
        return lines


def _shown(file: BinaryIO, start: int, end: int) -> str:
    """Return a line as it is shown, without reading more of it than that takes."""
    if end - start <= 2 * _LINE_BYTES:
        file.seek(start)
        return _cut(_last_state(file.read(end - start).decode("utf-8", "replace")))
    file.seek(end - _LINE_BYTES)
    tail = _last_state(file.read(_LINE_BYTES).decode("utf-8", "replace"), whole=False)
    if tail is not None:
        return _cut(tail)
    file.seek(start)
    head = file.read(_LINE_BYTES).decode("utf-8", "replace")[:LONGEST_LINE]
    return f"{head} ... [{end - start:,} bytes in this line]"


def _last_state(line: str, *, whole: bool = True) -> str | None:
    """Return what a terminal would be left with of a line that returns to its start; None if it is not known."""
    _, returned, last = line.rstrip("\r").rpartition("\r")
    return last if returned or whole else None


def _cut(line: str | None) -> str:
    line = line or ""
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[:LONGEST_LINE]} ... [{len(line):,} characters in this line]"


def _next(text: str, wanted: str) -> int | None:
    """Return the number of the first line of a text that shows what is wanted."""
    at = text.find(wanted)
    while at >= 0:
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if _shows(text, at, end, wanted):
            return text.count("\n", 0, at)
        at = text.find(wanted, end)
    return None


def _last(text: str, wanted: str) -> int | None:
    """Return the number of the last line of a text that shows what is wanted."""
    at = text.rfind(wanted)
    while at >= 0:
        end = text.find("\n", at)
        if _shows(text, at, len(text) if end < 0 else end, wanted):
            return text.count("\n", 0, at)
        at = text.rfind(wanted, 0, text.rfind("\n", 0, at) + 1)
    return None


def _shows(text: str, at: int, end: int, wanted: str) -> bool:
    """Tell whether a line shows what is wanted, and has not written over it."""
    line = text[text.rfind("\n", 0, at) + 1 : end]
    return "\r" not in line or wanted in (_last_state(line) or "")
