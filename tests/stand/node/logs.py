"""Reads a container's log in the format of the Container Runtime Interface, as the API server's `log` asks for it.

Source: https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md: each line is
`TIME stdout|stderr F|P CONTENT`; P says that the line goes on in the next.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PART = 1 << 18
_TIME = 35  # 2026-11-22T13:01:31.432167570+00:00


@dataclass(frozen=True)
class LogQuery:
    """What part of a log is wanted.

    Args:
        tail: The number of lines from the end; None for all.
        since: Nothing older, as the log writes times; nothing if all.
        timestamps: Put the time before each line.
        follow: Go on until the container has ended.
        previous: The log of the run before.
        limit: The number of bytes; None for all.

    """

    tail: int | None = None
    since: str = ""
    timestamps: bool = False
    follow: bool = False
    previous: bool = False
    limit: int | None = None

    @classmethod
    def read(cls, query: Mapping[str, str]) -> LogQuery:
        """Read the query that the API server sends.

        Raises:
            ValueError: A number or a time is none.

        """
        since = ""
        if query.get("sinceTime"):
            since = _stamp(datetime.fromisoformat(query["sinceTime"].replace("Z", "+00:00")))
        if query.get("sinceSeconds"):
            since = _stamp(datetime.now(timezone.utc) - timedelta(seconds=int(query["sinceSeconds"])))
        return cls(
            tail=int(query["tailLines"]) if query.get("tailLines") else None,
            since=since,
            timestamps=query.get("timestamps") == "true",
            follow=query.get("follow") == "true",
            previous=query.get("previous") == "true",
            limit=int(query["limitBytes"]) if query.get("limitBytes") else None,
        )


class LogReader:
    """Reads a log file from where it was read last.

    Args:
        path: The file; it may not be there yet.
        query: What is wanted.

    """

    def __init__(self, path: Path, query: LogQuery) -> None:
        self._path, self._query = path, query
        self._position = tail_position(path, query.tail) if query.tail is not None else 0
        self._rest = b""
        self._within = False
        self._left = query.limit

    def read(self) -> bytes:
        """Return what has come since the last call, up to some size; nothing if there is nothing new."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                part = file.read(_PART)
        except FileNotFoundError:
            return b""
        self._position += len(part)
        *lines, self._rest = (self._rest + part).split(b"\n")
        shown = self._shown(lines)
        if self._left is not None:
            shown = shown[: self._left]
            self._left -= len(shown)
        # Lines were read but none is wanted: that is no reason to stop.
        return shown or (self.read() if lines and self._left != 0 else b"")

    @property
    def done(self) -> bool:
        """Tell whether all bytes that were asked for have been read."""
        return self._left == 0

    def _shown(self, lines: list[bytes]) -> bytes:
        since, stamped = self._query.since.encode(), self._query.timestamps
        shown: list[bytes] = []
        for line in lines:
            if since and line[:_TIME] < since:
                continue
            stamp, _, rest = line.partition(b" ")
            kind, content = rest[7:8], rest[9:]
            if stamped and not self._within:
                shown.append(stamp.replace(b"+00:00", b"Z") + b" ")
            shown.append(content)
            self._within = kind == b"P"
            if not self._within:
                shown.append(b"\n")
        return b"".join(shown)


def tail_position(path: Path, lines: int) -> int:
    """Return where the last lines of a log begin; parts of one line count as one."""
    try:
        with path.open("rb") as file:
            end = position = file.seek(0, os.SEEK_END)
            found, held = 0, b""
            while position and found <= lines:
                size = min(_PART, position)
                position -= size
                file.seek(position)
                held = file.read(size) + held
                found = sum(1 for line in held.split(b"\n") if line[_TIME + 8 : _TIME + 9] == b"F")
    except FileNotFoundError:
        return 0
    start, wanted = end, lines
    for line in reversed(held.splitlines(keepends=True)):
        if line[_TIME + 8 : _TIME + 9] == b"F":
            wanted -= 1
            if wanted < 0:
                break
        start -= len(line)
    return start


def _stamp(when: datetime) -> str:
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f000+00:00")
