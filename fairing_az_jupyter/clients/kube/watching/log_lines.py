"""One container's log as lines, joined over lost connections: none is lost, and none comes twice.

The kubelet puts a time before each line (`timestamps=true`) and can leave out what is older than a second
(`sinceTime`, https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod).
What was given of the last two seconds is remembered, and dropped when it comes again: the lines of standard output and
standard error are not strictly in the order of their times, and many have the same.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from datetime import datetime, timedelta, timezone
from itertools import repeat

# A line without an end would take all memory.
LONGEST_LINE = 16 << 20
_KEPT = LONGEST_LINE + 100  # with its time
_CUT = "… (cut: the line is longer than 16 MiB)"
_SECOND = 19  # of 2026-11-22T10:00:00.123456789Z
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
# What the kubelet writes into the log itself when it can't read it (kubelet's container log manager and CRI client).
_KUBELETS_OWN = re.compile(
    r"unable to retrieve container logs for |failed to try resolving symlinks in path |"
    r"failed to (?:watch|create fsnotify watcher|open log) |rpc error: code = "
)


class Joined:
    """The lines of one container, from one connection after the other."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._rest_size = 0
        # Hashes of the lines given with times of the newest second, and of the one before.
        self._newest: datetime | None = None
        self._second = ""
        self._given, self._given_before = array("q"), array("q")
        # Those of them that are to come again: in their order, and what is left of them once another order is seen.
        self._again, self._at = array("q"), 0
        self._unordered: Counter[int] = Counter()
        self._joining = self._first = False
        self.complaint = ""

    def since(self) -> str | None:
        """Return the time from which on to ask again; None where nothing was given yet."""
        if self._newest is None:
            return None
        return f"{self._newest - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"

    def begin(self) -> None:
        """Start with a new connection: an unfinished line comes again as a whole."""
        self._rest, self._rest_size = [], 0
        self._again, self._at = self._given_before + self._given, 0
        self._unordered.clear()
        self._joining = self._first = self._newest is not None
        self.complaint = ""

    def take(self, part: bytes) -> list[tuple[str, str]]:
        """Take some bytes, and return the lines that they complete.

        Args:
            part: The bytes as they came.

        Returns:
            Time and text of each line; what is not valid UTF-8 stands as U+FFFD.

        """
        ended, end, rest = part.rpartition(b"\n")
        if not end:
            self._keep(part)
            return []
        whole = ended
        if self._rest:
            head, line_end, others = ended.partition(b"\n")
            self._keep(head)
            whole = b"".join([*self._rest, line_end, others])
            self._rest, self._rest_size = [], 0
        self._keep(rest)
        text = whole.decode("utf-8", "replace")
        lines = text.split("\n")
        plain = not self._joining and "\r" not in text and len(text) < LONGEST_LINE
        if plain and self._second and f"\n{text}".count(f"\n{self._second}") == len(lines):
            # As nearly always where there are many: all new, all of one second, and nothing to fix.
            self._given.extend(map(hash, lines))
            return [(time, rest) for time, _, rest in map(str.partition, lines, repeat(" "))]
        return self._new(lines)

    def end(self) -> list[tuple[str, str]]:
        """Return what came after the last line end, once the container has certainly ended."""
        rest, self._rest, self._rest_size = b"".join(self._rest), [], 0
        return self._new([rest.decode("utf-8", "replace")]) if rest else []

    def _keep(self, rest: bytes) -> None:
        # Cut at the same byte whatever the parts are: the line has to be known when it comes again.
        if kept := rest[: _KEPT - self._rest_size]:
            self._rest.append(kept)
            self._rest_size += len(kept)

    def _new(self, lines: list[str]) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for line in lines:
            second = line[:_SECOND]
            if second == self._second:
                mark = hash(line)
                if self._joining and self._came_before(mark, line):
                    continue
                self._given.append(mark)
            elif self._joining and self._came_before(hash(line), line):
                continue
            elif not self._noted(second, line):
                if _KUBELETS_OWN.match(line):
                    self.complaint = line[:300]
                else:
                    found.append(("", shown(line)))
                continue
            time, _, text = line.partition(" ")
            found.append((time, text if "\r" not in text and len(text) < LONGEST_LINE else shown(text)))
        return found

    def _came_before(self, mark: int, line: str) -> bool:
        first, self._first = self._first, False
        if self._at < len(self._again):
            if self._again[self._at] == mark:
                self._at += 1
                # All that was given is through: from here on everything is new.
                self._joining = self._at < len(self._again)
                return True
            # Some have gone, or new ones are among them. Counting takes ten times the memory, and is seldom needed.
            self._unordered = Counter(self._again[self._at :])
            self._again, self._at = array("q"), 0
        if self._unordered.get(mark):
            self._unordered[mark] -= 1
            if not self._unordered[mark]:
                del self._unordered[mark]
            self._joining = bool(self._unordered)
            return True
        # The first line of an answer may be the end of one that began before the time that was asked for.
        at = _moment(line) if first else None
        return at is not None and self._newest is not None and at < self._newest

    def _noted(self, second: str, line: str) -> bool:
        """Remember a line of another second than the newest; tell whether it has a time at all."""
        at = _moment(line)
        if at is None:
            return False
        if self._newest is not None and self._newest - at == timedelta(seconds=1):
            self._given_before.append(hash(line))
        elif self._newest is None or at > self._newest:
            close = self._newest is not None and at - self._newest <= timedelta(seconds=1)
            self._given_before = self._given if close else array("q")
            self._second, self._given, self._newest = second, array("q", [hash(line)]), at
        return True


def shown(text: str) -> str:
    """Return a line as a terminal shows it in the end, which matters for progress bars.

    Args:
        text: The line, with carriage returns.

    Returns:
        What follows the last carriage return, without those at the end.

    """
    last = text.rstrip("\r").rpartition("\r")[2]
    return last if len(last) < LONGEST_LINE else last[: LONGEST_LINE - len(_CUT)] + _CUT


def _moment(line: str) -> datetime | None:
    """Return the second of a line's time, in UTC; the kubelet writes its node's own zone."""
    found = _TIME.match(line)
    if not found:
        return None
    second, zone = found.groups()
    try:
        return datetime.fromisoformat(second + ("+00:00" if zone == "Z" else zone)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
