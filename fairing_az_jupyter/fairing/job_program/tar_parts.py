"""A tar archive that is put together from blocks of a blob, and changed by another list of them.

Each segment of the archive is a row of blocks: one large file, or several small ones. A file that has changed gets a
new segment at the end, and segments of which nothing is needed any more are left out of the next list of blocks.
Readers that unpack the archive take the last member of a name, so that an old version of a file does no harm before.

Sources: https://learn.microsoft.com/rest/api/storageservices/put-block-list, and POSIX pax for the format.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    if __package__:
        from fairing_az_jupyter.fairing.job_program.collecting import FoundFile

BLOCK = 512
"""The archive's unit, in bytes."""

END = bytes(2 * BLOCK)
"""What an archive ends with."""


class Member(NamedTuple):
    """A file in the archive.

    Args:
        path: Its relative POSIX path.
        version: What tells this version of it from others.
        size: Its bytes.
        sha256: Their SHA-256.
        modified: Its time of change, in nanoseconds since 1970.
        place: Where its bytes begin in its segment.

    """

    path: str
    version: int
    size: int
    sha256: bytes
    modified: int
    place: int


class Segment(NamedTuple):
    """A part of the archive that is kept or dropped as a whole.

    Args:
        blocks: The names of its blocks, in their order.
        size: Its bytes.
        members: The files in it.

    """

    blocks: tuple[str, ...]
    size: int
    members: tuple[Member, ...]


class Composition:
    """What the archive consists of at the moment."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._members: dict[str, Member] = {}

    def copy(self) -> Composition:
        """Return one that is the same, and stays so when this one is changed."""
        found = Composition()
        found._segments, found._members = list(self._segments), dict(self._members)
        return found

    def has(self, found: FoundFile) -> bool:
        """Tell whether a file is in the archive as it was found.

        Args:
            found: The file.

        """
        member = self._members.get(found.path)
        return member is not None and member.version == found.version

    def knows(self, path: str) -> bool:
        """Tell whether any version of a file is in the archive.

        Args:
            path: The file's path.

        """
        return path in self._members

    def add(self, segment: Segment) -> None:
        """Put a segment at the end; its files take the place of older versions.

        Args:
            segment: The segment, whose blocks were sent.

        """
        self._segments.append(segment)
        self._members.update((member.path, member) for member in segment.members)

    def retain(self, paths: Collection[str]) -> None:
        """Forget all files but some.

        Args:
            paths: Those that stay.

        """
        for path in [path for path in self._members if path not in paths]:
            del self._members[path]

    def thin(self, *, replaced: Collection[str], unchanged: Callable[[Member], bool], wholly: bool) -> list[str]:
        """Drop segments of which little is needed, and return the paths of files that have to be sent again for it.

        Args:
            replaced: Paths of files that will be sent anew anyway.
            unchanged: Tells whether a file can be sent again as it was.
            wholly: Whether nothing that is not needed may stay; otherwise up to half of each segment may.

        """
        again: list[str] = []
        kept: list[Segment] = []
        for segment in self._segments:
            needed = [each for each in segment.members if self._members.get(each.path) is each]
            fresh = [each for each in needed if each.path not in replaced]
            # Of one file alone nothing is gained, and its old version is needed until the new one is there.
            partly = 0 < len(fresh) < len(segment.members)
            if partly and (wholly or 2 * _weight(fresh) < segment.size) and all(map(unchanged, fresh)):
                again += [each.path for each in fresh]
                for each in needed:
                    del self._members[each.path]
            elif needed:
                kept.append(segment)
        self._segments = kept
        return again

    def drop(self, missing: Collection[str]) -> None:
        """Drop segments whose blocks could not be sent.

        Args:
            missing: The names of those blocks.

        """
        lost = [segment for segment in self._segments if any(block in missing for block in segment.blocks)]
        for segment in lost:
            for member in segment.members:
                if self._members.get(member.path) is member:
                    del self._members[member.path]
            self._segments.remove(segment)

    def tidy(self) -> None:
        """Drop segments of which nothing is needed any more."""
        members = self._members
        self._segments = [
            segment
            for segment in self._segments
            if any(members.get(member.path) is member for member in segment.members)
        ]

    def clear(self) -> None:
        """Forget everything: none of the blocks is there any more."""
        self._segments.clear()
        self._members.clear()

    @property
    def blocks(self) -> list[str]:
        """The names of all blocks, in their order, without the end of the archive."""
        return [block for segment in self._segments for block in segment.blocks]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments, in their order."""
        return tuple(self._segments)

    @property
    def size(self) -> int:
        """The archive's bytes, with its end."""
        return sum(segment.size for segment in self._segments) + len(END)

    def files(self) -> Iterator[tuple[Member, int]]:
        """Yield the files, each with where its bytes begin in the archive."""
        start = 0
        for segment in self._segments:
            for member in segment.members:
                if self._members.get(member.path) is member:
                    yield member, start + member.place
            start += segment.size


def _weight(members: Iterable[Member]) -> int:
    return sum(2 * BLOCK + member.size for member in members)


def header(found: FoundFile) -> bytes:
    """Return what precedes a file's bytes in the archive.

    Args:
        found: The file.

    """
    info = tarfile.TarInfo(found.path)
    info.size, info.mtime, info.mode = found.size, max(0, found.modified // 10**9), 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def padding(size: int) -> bytes:
    """Return what follows a file's bytes.

    Args:
        size: How many they are.

    """
    return bytes(-size % BLOCK)
