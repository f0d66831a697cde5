"""Finds the files that a program has written: what is new or changed below a folder since a snapshot of it.

Stand-alone: it also runs in containers that have nothing else of this package (see `CONTAINER_FILES` of `job.py`).
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OWN_FOLDER = ".fairing-az"
"""The folder of what this program adds to a job's files, such as the encoded result."""

SKIPPED_FOLDERS = frozenset(
    {
        *(
            "__pycache__",
            ".cache",
            ".ipynb_checkpoints",
            ".git",
            ".hg",
            ".svn",
            "node_modules",
            ".venv",
            ".tox",
            ".nox",
        ),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".npm", ".conda", OWN_FOLDER),
    }
)
"""Folders in which nothing is a job's own: caches, and what tools keep for themselves."""

_SKIPPED_FILE = re.compile(r".*\.py[co]|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+|\.DS_Store|core\.[0-9]+")
# Programs write under such a name and rename the file when it is whole.
_TEMPORARY = re.compile(r".*(?:\.tmp|\.temp|\.part|\.partial|\.swp|~)")
_LONGEST_PATH = 4096
_DRIVE = re.compile(r"[A-Za-z]:")
_MOST_BY_PATTERN = 1000


class FoundFile(NamedTuple):
    """A file as it was when it was looked at.

    Args:
        path: Its relative POSIX path.
        size: Its bytes.
        modified: Its time of change, in nanoseconds since 1970.
        inode: Its number in the file system.
        readable: False for a folder that can't be read, and for a file whose name no list of files can have.
        source: Where its bytes are; empty for `path` below the folder.

    """

    path: str
    size: int
    modified: int
    inode: int
    readable: bool = True
    source: str = ""

    @property
    def version(self) -> int:
        """What tells its states apart: changes with path, size, time of change or inode."""
        return hash(self[:4])

    @property
    def temporary(self) -> bool:
        """Whether its name says that it is still being written."""
        return _TEMPORARY.fullmatch(self.path.rpartition("/")[2]) is not None

    def is_now(self, status: os.stat_result) -> bool:
        """Tell whether the file is as it was found.

        Args:
            status: What the file system says about it now.

        """
        return (status.st_size, status.st_mtime_ns, status.st_ino) == (self.size, self.modified, self.inode)


class LeftOut(NamedTuple):
    """A file that is not kept.

    Args:
        path: Its relative POSIX path.
        size: Its bytes.
        reason: `limit`, `pattern`, `unreadable`, or `changed` while it was read.

    """

    path: str
    size: int
    reason: str


class Snapshot:
    """The files below a folder at one time.

    Args:
        folder: The folder; what other file systems have mounted below it is none of it.

    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.path.realpath(folder)
        # Numbers only: an image may have a hundred thousand files.
        self._known = {found.version for found in _walk(self.folder)}

    def changed(self) -> list[FoundFile]:
        """Return the files that are new or have changed since, by path; no caches, pipes, or links to elsewhere."""
        return sorted(found for found in _walk(self.folder) if found.version not in self._known)


class Selection(NamedTuple):
    """Which of the changed files are kept.

    Args:
        files: Those that are, by path.
        left_out: The others, with the reason.

    """

    files: list[FoundFile]
    left_out: list[LeftOut]


def select(found: Iterable[FoundFile], patterns: Sequence[str] | None, limit: int) -> Selection:
    """Choose the files to keep.

    Args:
        found: The changed files.
        patterns: Globs, one of which a file has to match: `*.dat`, `models/**/*.pt`, or a folder; relative to the
            working folder, `*` does not stand for a slash. None for all files.
        limit: The bytes that all of them may have. The smaller ones are kept where not all of them fit.

    """
    matches = None if patterns is None else _matcher(patterns)
    left_out: list[LeftOut] = []
    candidates: list[FoundFile] = []
    by_pattern = 0
    for each in found:
        if matches is not None and not matches.fullmatch(each.path):
            by_pattern += 1
            if by_pattern <= _MOST_BY_PATTERN:
                left_out.append(LeftOut(each.path, each.size, "pattern"))
        elif not each.readable:
            left_out.append(LeftOut(each.path, each.size, "unreadable"))
        elif each.temporary:
            left_out.append(LeftOut(each.path, each.size, "pattern"))
        else:
            candidates.append(each)
    files, total = [], 0
    for each in sorted(candidates, key=lambda each: (each.size, each.path)):
        total += each.size
        if total <= limit:
            files.append(each)
        else:
            left_out.append(LeftOut(each.path, each.size, "limit"))
    return Selection(sorted(files), left_out)


def _walk(folder: str) -> Iterator[FoundFile]:
    device = os.stat(folder).st_dev  # noqa: PTH116 - pathlib costs half a second per 100,000 files
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            entries = list(os.scandir(os.path.join(folder, prefix)))  # noqa: PTH118 - as above
        except FileNotFoundError:
            continue
        except OSError:
            yield FoundFile(prefix.rstrip("/"), 0, 0, 0, readable=False)
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED_FOLDERS and entry.stat(follow_symlinks=False).st_dev == device:
                        waiting.append(f"{prefix}{entry.name}/")
                elif not _SKIPPED_FILE.fullmatch(entry.name):
                    yield from _file(folder, prefix, entry)
            except OSError:  # noqa: PERF203 - each for itself
                # It has gone meanwhile, or is a link to nothing.
                continue


def _file(folder: str, prefix: str, entry: os.DirEntry[str]) -> Iterator[FoundFile]:
    status = entry.stat()
    if not stat.S_ISREG(status.st_mode):
        return
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if not target.startswith(f"{folder.rstrip('/')}/"):
            return
    path = f"{prefix}{entry.name}"
    # A list of files with such a name would be rejected as a whole by its reader.
    odd = "\\" in path or len(path) > _LONGEST_PATH or _DRIVE.match(path) is not None
    yield FoundFile(path, status.st_size, status.st_mtime_ns, status.st_ino, readable=not odd)


def _matcher(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{_expression(pattern)})" for pattern in patterns) or "(?!)", re.DOTALL)


def _expression(pattern: str) -> str:
    """Return a glob as a regular expression; what lies below a folder that it names matches, too."""
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    if not parts:
        return ".*"
    *folders, last = parts
    found = "".join("(?:[^/]+/)*" if part == "**" else f"{_segment(part)}/" for part in folders)
    return f"{found}.+" if last == "**" else f"{found}{_segment(last)}(?:/.*)?"


def _segment(part: str) -> str:
    found, at = "", 0
    while at < len(part):
        letter = part[at]
        end = part.find("]", at + 2) if letter == "[" else -1
        if end > 0:
            found += _set(part[at + 1 : end])
            at = end
        else:
            found += {"*": "[^/]*", "?": "[^/]"}.get(letter, re.escape(letter))
        at += 1
    return found


def _set(inner: str) -> str:
    """Return what stands between brackets as a regular expression for one letter."""
    negated = inner[0] in "!^"
    rest, found = inner[negated:], ""
    while rest:
        if len(rest) > 2 and rest[1] == "-":  # noqa: PLR2004 - such as a-z
            found += f"{re.escape(rest[0])}-{re.escape(rest[2])}" if rest[0] <= rest[2] else ""
            rest = rest[3:]
        else:
            found += re.escape(rest[0])
            rest = rest[1:]
    if not found:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{found}]"
