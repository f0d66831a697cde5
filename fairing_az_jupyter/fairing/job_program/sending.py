"""Sends the files that a program has written: into one archive, with a list of them beside it.

`files.tar` is a blob of blocks, in which each file lies as it was read; `manifest.json` names them, with digests and
with the archive's ETag. It is written after the archive, so that a reader who asks for that ETag never gets files of
another time. While the program runs, files that have rested since the last look are sent, so that not all is lost with
its node.

A reader who finds `complete` true knows: the program has ended, and all that is to be kept was sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING or __package__:
    from fairing_az_jupyter.fairing.job_program.blob_writer import (
        BLOCK_BYTES,
        BlockBlob,
        Limits,
        LostBlocksError,
        StoppedError,
        link_in,
        put_blob,
    )
    from fairing_az_jupyter.fairing.job_program.collecting import FoundFile, LeftOut, Snapshot, select
    from fairing_az_jupyter.fairing.job_program.tar_parts import END, Composition, Member, Segment, header, padding
else:  # beside the user's files
    from fairing_az_blob_writer import (
        BLOCK_BYTES,
        BlockBlob,
        Limits,
        LostBlocksError,
        StoppedError,
        link_in,
        put_blob,
    )
    from fairing_az_collecting import FoundFile, LeftOut, Snapshot, select
    from fairing_az_tar_parts import END, Composition, Member, Segment, header, padding

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from io import FileIO

TAR = "files.tar"
MANIFEST = "manifest.json"
"""The two blobs, and the names of the files that hold the links to them."""

LIMIT_BYTES = 5 * 1024**3
SMALL_BYTES = 1024 * 1024
_READ_TRIES = 2
_LOST_TRIES = 3


class Outcome(NamedTuple):
    """What a program has returned or raised, as the task runner has noted it.

    Args:
        result: `kind`, `path` and `digest` of what it has returned; None for nothing.
        error: `type`, `module`, `message` and `traceback` of what it has raised; None for nothing.
        files: The files of the result.

    """

    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    files: tuple[FoundFile, ...] = ()


class Wanted(NamedTuple):
    """Which files are kept.

    Args:
        patterns: As of `select`; an empty list for none.
        limit: The bytes that all of them may have.
        last: A folder whose files are only sent when the program has ended; empty for none.

    """

    patterns: Sequence[str] | None = None
    limit: int = LIMIT_BYTES
    last: str = ""


class Sender:
    """Sends what is new, again and again, and everything at the end; one thread at a time.

    Args:
        snapshot: The files before the program was started.
        links: The folder with the two links.
        wanted: Which files are kept.
        limits: How long is tried.

    """

    def __init__(self, snapshot: Snapshot, links: str | os.PathLike[str], wanted: Wanted, limits: Limits) -> None:
        self._snapshot, self._links, self._wanted, self._limits = snapshot, os.fspath(links), wanted, limits
        self.attempt = os.urandom(16).hex()
        self._blob = BlockBlob(link_in(self._links, TAR), limits, self.attempt[:8])
        self._archive = Archive(self._blob, snapshot.folder, limits)
        self._tar = self._archive.tar
        self._seen: set[int] = set()
        self._etag = ""
        self._committed: list[str] = []
        self._listed = b""
        self._offered: set[int] = set()
        self.not_sent: list[str] = []
        """The paths of what was to be kept when the last pass failed."""
        self.left_out: list[LeftOut] = []
        """What the last pass has not kept."""

    def send_rested(self) -> None:
        """Send the files that have not changed since the last call.

        Raises:
            SendError: It was not possible; the next call tries again.

        """
        found = self._found(last=False)
        chosen, left_out = select(found, self._wanted.patterns, self._wanted.limit)
        now = {each.version for each in chosen}
        rested = [each for each in chosen if each.version in self._seen]
        self._seen = now
        if rested or self._etag:
            self._pass(chosen, rested, left_out, Outcome(), final=False, complete=False)

    def send_all(self, outcome: Outcome, *, complete: bool, last: bool = True) -> None:
        """Send everything, when the program has ended.

        Args:
            outcome: What it has returned or raised.
            complete: Whether it has come to its own end.
            last: Whether the folder `last` of what is wanted is included.

        Raises:
            SendError: It was not possible; `not_sent` tells which files it is about.

        """
        found = self._found(last=last)
        own = sum(each.size for each in outcome.files)
        if own > self._wanted.limit:
            extra = [LeftOut(each.path, each.size, "limit") for each in outcome.files]
            outcome = Outcome(None, outcome.error)
            own = 0
        else:
            extra = []
        chosen, left_out = select(found, self._wanted.patterns, self._wanted.limit - own)
        chosen += outcome.files
        self._pass(chosen, chosen, extra + left_out, outcome, final=True, complete=complete)

    def abort(self) -> None:
        """End what another thread is sending."""
        self._blob.abort()

    def close(self) -> None:
        """Close the connections."""
        self._blob.close()

    def _found(self, *, last: bool) -> list[FoundFile]:
        below = f"{self._wanted.last}/"
        return [each for each in self._snapshot.changed() if last or below == "/" or not each.path.startswith(below)]

    def _pass(
        self,
        chosen: Sequence[FoundFile],
        ready: Sequence[FoundFile],
        left_out: list[LeftOut],
        outcome: Outcome,
        *,
        final: bool,
        complete: bool,
    ) -> None:
        self.not_sent = [each.path for each in chosen if each.version not in self._offered]
        self._tar.retain({each.path for each in chosen})
        for left in reversed(range(_LOST_TRIES)):
            try:
                found = self._archive.fill(chosen, ready, final=final)
                blocks = self._tar.blocks
                if blocks != self._committed or (final and not self._etag):
                    self._etag = self._blob.commit(blocks, END)
                    self._committed = blocks
            except LostBlocksError:  # noqa: PERF203 - three times at most
                # An older pod of this job still writes, or the service has dropped blocks that waited for a week.
                self._tar.clear()
                self._committed = []
                if not left:
                    raise
            else:
                break
        self.left_out = left_out + found
        listed = self._manifest(self.left_out, outcome, complete=complete)
        if final or listed != self._listed:
            put_blob(link_in(self._links, MANIFEST), self._limits, listed, "application/json")
            self._listed = listed
            self._offered = {member.version for member, _ in self._tar.files()}
        self.not_sent = []

    def _manifest(self, left_out: Iterable[LeftOut], outcome: Outcome, *, complete: bool) -> bytes:
        # Not as one object: ten thousand files would take more memory than the blocks.
        files = [
            json.dumps(
                {
                    "path": member.path,
                    "size": member.size,
                    "sha256": member.sha256.hex(),
                    "modified": member.modified / 1e9,
                    "offset": offset,
                }
            )
            for member, offset in self._tar.files()
        ]
        has = {member.path for member, _ in self._tar.files()}
        result = outcome.result if outcome.result and outcome.result["path"] in has else None
        rest = {
            "format": 1,
            "attempt": self.attempt,
            "complete": complete,
            "tar": {"etag": self._etag, "size": self._tar.size},
            "left_out": [each._asdict() for each in left_out],
            "result": result,
            "error": outcome.error,
        }
        return f'{json.dumps(rest)[:-1]}, "files": [{", ".join(files)}]}}\n'.encode()


class Archive:
    """Files below a folder, as an archive in a blob of blocks.

    Args:
        blob: The blob.
        folder: What paths are relative to.
        limits: How long is tried.

    """

    def __init__(self, blob: BlockBlob, folder: str, limits: Limits) -> None:
        self._blob, self._folder, self._limits = blob, folder, limits
        self.tar = Composition()
        """What it consists of."""

    def fill(self, chosen: Sequence[FoundFile], ready: Sequence[FoundFile], *, final: bool) -> list[LeftOut]:
        """Send the files that the archive does not have yet; the blob stays as it is until its blocks are listed.

        Args:
            chosen: All files of it.
            ready: Those that may be read now.
            final: Whether nothing that is not needed may stay in it.

        Returns:
            Those that can't be had.

        Raises:
            SendError: It is not possible.

        """
        replacing = {each.path: each for each in ready if not self.tar.has(each)}
        by_path = {each.path: each for each in chosen}

        def unchanged(member: Member) -> bool:
            return member.path in by_path and by_path[member.path].version == member.version

        # What has changed before will change again: it shares no segment with what may not.
        restless = {path for path in replacing if self.tar.knows(path)}
        again = self.tar.thin(replaced=replacing.keys(), unchanged=unchanged, wholly=final)
        wanted = [*replacing.values(), *(by_path[path] for path in again)]
        left_out: list[LeftOut] = []
        if wanted:
            self._blob.open()
            try:
                left_out = self._send(wanted, restless)
                self._blob.wait()
            finally:
                self._blob.close()
                self.tar.drop(self._blob.missing)
        self.tar.tidy()
        return left_out

    def _send(self, wanted: Sequence[FoundFile], restless: Collection[str]) -> list[LeftOut]:
        small = [each for each in wanted if each.size <= SMALL_BYTES]
        small.sort(key=lambda each: (each.path in restless, each.path))
        left_out = _Packs(self._blob, self.tar, self._folder, self._limits).send(small)
        for each in wanted:
            if each.size > SMALL_BYTES:
                left_out += _send_large(self._blob, self.tar, self._folder, each, self._limits)
        return left_out


class _ChangedError(Exception):
    """A file has changed since it was found."""


@contextlib.contextmanager
def _opened(folder: str, found: FoundFile) -> Iterator[FileIO]:
    """Open a file as it was found, and make sure at the end that it still is that."""
    path = os.path.join(folder, found.source or found.path)  # noqa: PTH118 - as above
    # Not waiting where a pipe has taken its place.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - as above
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not found.is_now(status):
            raise _ChangedError
        yield file
        if not found.is_now(os.fstat(descriptor)) or not found.is_now(os.stat(path)):  # noqa: PTH116 - as above
            raise _ChangedError


def _tried(folder: str, found: FoundFile, read: Callable[[FoundFile], None]) -> list[LeftOut]:
    """Read a file, once more if it changes meanwhile; return why it can't be had."""
    for _ in range(_READ_TRIES):
        try:
            read(found)
        except _ChangedError:  # noqa: PERF203 - twice at most
            try:
                status = os.stat(os.path.join(folder, found.source or found.path))  # noqa: PTH116, PTH118 - as above
            except OSError:
                # It has been removed: it is not a file of the job any more.
                return []
            found = found._replace(size=status.st_size, modified=status.st_mtime_ns, inode=status.st_ino)
        except FileNotFoundError:
            return []
        except OSError:
            return [LeftOut(found.path, found.size, "unreadable")]
        else:
            return []
    return [LeftOut(found.path, found.size, "changed")]


class _Packs:
    """Sends small files, several in one block.

    Args:
        blob: The archive's blob.
        tar: The archive.
        folder: What paths are relative to.
        limits: How long is tried.

    """

    def __init__(self, blob: BlockBlob, tar: Composition, folder: str, limits: Limits) -> None:
        self._blob, self._tar, self._folder, self._limits = blob, tar, folder, limits
        self._block: bytearray | None = None
        self._size = 0
        self._members: list[Member] = []

    def send(self, files: Iterable[FoundFile]) -> list[LeftOut]:
        """Send files; what can't be had is returned."""
        left_out: list[LeftOut] = []
        try:
            for each in files:
                if self._limits.stopped.is_set():
                    raise StoppedError("interrupted")
                left_out += _tried(self._folder, each, self._add)
            self._end()
        finally:
            if self._block is not None:
                self._blob.give_back(self._block)
        return left_out

    def _add(self, found: FoundFile) -> None:
        head = header(found)
        if found.size > SMALL_BYTES:
            # It has grown since it was found.
            _read_large(self._blob, self._tar, self._folder, found)
            return
        with _opened(self._folder, found) as file:
            content = file.read(found.size + 1)
            while content and len(content) < found.size and (more := file.read(found.size - len(content))):
                content += more
            if len(content) != found.size:
                raise _ChangedError
        whole = head + content + padding(len(content))
        if self._size + len(whole) > BLOCK_BYTES:
            self._end()
        if self._block is None:
            self._block = self._blob.take()
        start = self._size
        self._block[start : start + len(whole)] = whole
        self._size += len(whole)
        digest = hashlib.sha256(content).digest()
        self._members.append(Member(found.path, found.version, found.size, digest, found.modified, start + len(head)))

    def _end(self) -> None:
        if self._block is None:
            return
        name = self._blob.send(self._block, self._size)
        self._tar.add(Segment((name,), self._size, tuple(self._members)))
        self._block, self._size, self._members = None, 0, []


def _send_large(blob: BlockBlob, tar: Composition, folder: str, found: FoundFile, limits: Limits) -> list[LeftOut]:
    if limits.stopped.is_set():
        raise StoppedError("interrupted")
    return _tried(folder, found, lambda now: _read_large(blob, tar, folder, now))


def _read_large(blob: BlockBlob, tar: Composition, folder: str, found: FoundFile) -> None:
    """Send one file as a segment of its own."""
    blocks: list[str] = []
    head, end, digest, left = header(found), padding(found.size), hashlib.sha256(), found.size
    block: bytearray | None = None
    used = 0

    def flush() -> None:
        nonlocal block, used
        if block is not None:
            full, block = block, None
            blocks.append(blob.send(full, used))
        used = 0

    def room() -> bytearray:
        nonlocal block
        if block is None or used == BLOCK_BYTES:
            flush()
            block = blob.take()
        return block

    try:
        room()[: len(head)] = head
        used = len(head)
        with _opened(folder, found) as file:
            while left:
                with memoryview(room()) as whole, whole[used : used + left] as space:
                    count = file.readinto(space)
                    if not count:
                        raise _ChangedError
                    digest.update(space[:count])
                used += count
                left -= count
        if used + len(end) > BLOCK_BYTES:
            flush()
        room()[used : used + len(end)] = end
        used += len(end)
        flush()
    finally:
        if block is not None:
            blob.give_back(block)
    size = len(head) + found.size + len(end)
    member = Member(found.path, found.version, found.size, digest.digest(), found.modified, len(head))
    tar.add(Segment(tuple(blocks), size, (member,)))


def describe(paths: Sequence[str], most: int = 20) -> str:
    """Return a list of paths for a message.

    Args:
        paths: The paths.
        most: How many are named.

    """
    shown = ", ".join(ascii(path)[1:-1] for path in paths[:most])
    return f"{shown} and {len(paths) - most} more" if len(paths) > most else shown


def not_kept(left_out: Sequence[LeftOut], limit: int) -> list[str]:
    """Return what to say about files that were not kept: a line for each reason, without those that nobody wanted.

    Args:
        left_out: The files.
        limit: The bytes that all of them may have.

    """
    beyond = sum(each.size for each in left_out if each.reason == "limit")
    # One that is enough for all of them.
    enough = -(-(limit + beyond) // 1024**3)
    found = []
    for reason, why, then in (
        (
            "limit",
            f"They are larger than {limit} bytes together",
            f". To keep them, raise the limit: --outputs-limit {enough}Gi, or FAIRING_OUTPUTS_LIMIT",
        ),
        ("unreadable", "They can't be read, or have names that can't be kept", ""),
        ("changed", "They were being changed while they were read", ""),
    ):
        names = [each.path for each in left_out if each.reason == reason]
        if names:
            found.append(f"{why}. Not kept: {describe(names)}{then}")
    return found


def say(text: str) -> None:
    """Write a line of our own into the job's output.

    Args:
        text: The line.

    """
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"fairing-az-jupyter: {text}\n")
        sys.stderr.flush()
