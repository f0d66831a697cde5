"""Lines that are appended to a file by one process, and read by others while they come."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class AppendedFile:
    """A file that only grows. What can't be written whole is not written at all.

    Args:
        path: The file; made if it is not there, continued if it is.

    Raises:
        OSError: It can't be opened.

    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._handle = os.open(path, flags, 0o600)
        self._size = os.fstat(self._handle).st_size

    def append(self, data: bytes) -> None:
        """Append some bytes.

        Args:
            data: The bytes.

        Raises:
            OSError: The disk is full, or the folder is gone; the file is as it was before.

        """
        written = 0
        try:
            while written < len(data):
                written += os.write(self._handle, data[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._size)
            raise
        self._size += written

    def close(self) -> None:
        """Close the file; what was appended stays."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def append_event(path: Path, event: Mapping[str, object]) -> None:
    """Append one event as a line of its own.

    Args:
        path: The file; made if it is not there.
        event: The event.

    Raises:
        OSError: It can't be kept; the file is as it was before.

    """
    line = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    file = AppendedFile(path)
    try:
        # A process that was killed here may have left the beginning of a line.
        file.append(f"\n{line}\n".encode("utf-8", "backslashreplace"))
    finally:
        file.close()


def read_lines(path: Path, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Read the whole lines of a file from a place on.

    Args:
        path: The file; one that is not there has no lines.
        offset: The place in bytes, at the start of a line.

    Yields:
        Each line without its end, and the place behind it. A last line without an end is still being written.

    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        offset = file.seek(max(0, offset))
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield offset, line[:-1]


def read_events(path: Path, offset: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read events from a place on; a line that is none, as after a crash, is left out.

    Args:
        path: The file.
        offset: The place in bytes, as an earlier event has given it.

    Yields:
        The place behind the event, and the event.

    """
    for behind, line in read_lines(path, offset):
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                yield behind, event
