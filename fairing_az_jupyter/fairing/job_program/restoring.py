"""Reads a checkpoint from its blob: every file is held against its digest before any is put into its place.

Stand-alone (see `CONTAINER_FILES` of `job.py`). The blob is an archive whose first file, `.fairing-az/checkpoint.json`,
lists the others; `checkpoints.py` writes it. It is read in pieces, each of which is tried again for itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import posixpath
import re
import shutil
import tarfile
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING or __package__:
    from fairing_az_jupyter.fairing.job_program.blob_writer import StoppedError
    from fairing_az_jupyter.fairing.job_program.collecting import OWN_FOLDER, FoundFile
    from fairing_az_jupyter.fairing.job_program.tar_parts import BLOCK, Composition, Member, Segment, header, padding
else:  # beside the user's files
    from fairing_az_blob_writer import StoppedError
    from fairing_az_collecting import OWN_FOLDER, FoundFile
    from fairing_az_tar_parts import BLOCK, Composition, Member, Segment, header, padding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    if __package__:
        from fairing_az_jupyter.fairing.job_program.blob_writer import Caller, Limits

FORMAT = 1
LIST = f"{OWN_FOLDER}/checkpoint.json"
"""The archive's first file, which lists the others."""

_PIECE_BYTES = 4 * 1024 * 1024
_LARGEST_LIST = 32 * 1024 * 1024
_PARTIAL = 206
_RANGE = re.compile(r"bytes [0-9]+-[0-9]+/([0-9]+)")


class DamagedError(Exception):
    """What is in the blob is not a checkpoint of this job as it was saved; the text says why."""


class Restored(NamedTuple):
    """A checkpoint that was put into its place.

    Args:
        saved: When it was saved, in seconds since 1970.
        size: The bytes of its files.
        versions: The files' versions, as they are found now.
        tar: The archive that the blob is.

    """

    saved: float
    size: int
    versions: frozenset[int]
    tar: Composition


class _Entry(NamedTuple):
    path: str
    size: int
    sha256: str
    modified: int
    offset: int
    segment: int


class _List(NamedTuple):
    saved: float
    start: int
    entries: tuple[_Entry, ...]
    segments: tuple[tuple[int, tuple[str, ...]], ...]


def listed(tar: Composition, job: str, attempt: str, saved: float) -> bytes:
    """Return what an archive begins with: the list of its files, as its first file.

    Args:
        tar: The archive.
        job: The job's identifier.
        attempt: What tells the pod that writes it from others.
        saved: The time, in seconds since 1970.

    """
    numbers = {id(member): n for n, segment in enumerate(tar.segments) for member in segment.members}
    # Not as one object: ten thousand files would take more memory than the blocks.
    files = [
        json.dumps(
            {
                "path": member.path,
                "size": member.size,
                "sha256": member.sha256.hex(),
                "modified": member.modified,
                "offset": offset,
                "segment": numbers[id(member)],
            }
        )
        for member, offset in tar.files()
    ]
    segments = [[segment.size, list(segment.blocks)] for segment in tar.segments]
    rest = {"format": FORMAT, "job": job, "attempt": attempt, "saved": saved, "segments": segments}
    content = f'{json.dumps(rest)[:-1]}, "files": [{", ".join(files)}]}}\n'.encode()
    found = FoundFile(LIST, len(content), int(saved * 1e9), 0)
    return header(found) + content + padding(len(content))


class _Blob:
    """The bytes of one state of a blob, from the front to the back, and some of them at once in memory."""

    def __init__(self, caller: Caller, etag: str, limits: Limits) -> None:
        self._caller, self._etag, self._limits = caller, etag, limits
        self._start, self._piece = 0, b""
        self._size = -1

    def read(self, start: int, size: int) -> Iterator[memoryview]:
        """Yield bytes in pieces."""
        while size:
            at = start - self._start
            if not 0 <= at < len(self._piece):
                self._fetch(start)
                at = 0
            with memoryview(self._piece) as piece, piece[at : at + size] as part:
                start += len(part)
                size -= len(part)
                yield part

    def all_of(self, start: int, size: int) -> bytes:
        """Return bytes at once."""
        return b"".join(bytes(part) for part in self.read(start, size))

    def _fetch(self, start: int) -> None:
        if self._limits.stopped.is_set() or self._limits.end != float("inf"):
            raise StoppedError("interrupted")
        if 0 <= self._size <= start:
            raise DamagedError("it is shorter than its list says")
        self._piece = b""
        wanted = {"Range": f"bytes={start}-{start + _PIECE_BYTES - 1}", "If-Match": self._etag}
        headers, self._piece = self._caller.ask("GET", "", wanted, wanted=_PARTIAL)
        self._start = start
        size = _RANGE.fullmatch(headers.get("content-range", ""))
        if size is None or not self._piece:
            raise DamagedError("it can't be read in parts")
        self._size = int(size.group(1))


def restored(caller: Caller, etag: str, folder: str, job: str, limits: Limits) -> Restored:
    """Put the files of a checkpoint below a folder; all of them or none.

    Args:
        caller: Leads to the blob.
        etag: The state of it that is read.
        folder: The folder.
        job: The identifier of the job that it has to be of.
        limits: How long is tried; once they have an end, nothing is restored any more.

    Raises:
        DamagedError: It is not whole, or another job's.
        SendError: It can't be read.
        StoppedError: It is not wanted any more.
        OSError: The files can't be written.

    """
    blob = _Blob(caller, etag, limits)
    found = _read_list(blob, job)
    # In the folder itself, for that may be a volume of its own; there nobody looks for files.
    aside = os.path.join(folder, OWN_FOLDER)  # noqa: PTH118 - pathlib is not loaded
    shutil.rmtree(aside, ignore_errors=True)
    placed: list[str] = []
    try:
        os.makedirs(aside)  # noqa: PTH103 - as above
        for number, entry in enumerate(found.entries):
            _write(blob, found.start, entry, os.path.join(aside, str(number)))  # noqa: PTH118 - as above
        for number, entry in enumerate(found.entries):
            target = os.path.join(folder, entry.path)  # noqa: PTH118 - as above
            os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - as above
            os.replace(os.path.join(aside, str(number)), target)  # noqa: PTH105, PTH118 - as above
            placed.append(target)
    except BaseException:
        for target in placed:
            with contextlib.suppress(OSError):
                os.remove(target)  # noqa: PTH107 - as above
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return _as_restored(found, folder)


def _as_restored(found: _List, folder: str) -> Restored:
    members: list[list[Member]] = [[] for _ in found.segments]
    starts, start = [], 0
    for size, _ in found.segments:
        starts.append(start)
        start += size
    versions = set()
    for entry in found.entries:
        status = os.stat(os.path.join(folder, entry.path))  # noqa: PTH116, PTH118 - as above
        now = FoundFile(entry.path, status.st_size, status.st_mtime_ns, status.st_ino)
        versions.add(now.version)
        place = entry.offset - starts[entry.segment]
        digest = bytes.fromhex(entry.sha256)
        members[entry.segment].append(Member(entry.path, now.version, now.size, digest, now.modified, place))
    tar = Composition()
    for (size, blocks), inside in zip(found.segments, members):  # noqa: B905 - Python 3.9
        tar.add(Segment(blocks, size, tuple(inside)))
    total = sum(entry.size for entry in found.entries)
    return Restored(found.saved, total, frozenset(versions), tar)


def _write(blob: _Blob, start: int, entry: _Entry, path: str) -> None:
    digest = hashlib.sha256()
    with open(path, "wb") as file:  # noqa: PTH123 - as above
        for part in blob.read(start + entry.offset, entry.size):
            digest.update(part)
            file.write(part)
    if digest.hexdigest() != entry.sha256:
        raise DamagedError(f"the SHA-256 of {entry.path!a} is not the one in its list")
    # Programs look for the newest file.
    os.utime(path, ns=(entry.modified, entry.modified))


def _read_list(blob: _Blob, job: str) -> _List:
    try:
        info = tarfile.TarInfo.frombuf(blob.all_of(0, BLOCK), "utf-8", "surrogateescape")
    except tarfile.TarError as error:
        raise DamagedError("it does not begin with its list") from error
    if info.name != LIST or not 0 < info.size <= _LARGEST_LIST:
        raise DamagedError("it does not begin with its list")
    start = BLOCK + info.size + len(padding(info.size))
    try:
        found = json.loads(blob.all_of(BLOCK, info.size))
        if found["format"] != FORMAT:
            raise DamagedError(f"its format is {found['format']}")
        if found["job"] != job:
            raise DamagedError("it is of another job")
        segments = tuple((_number(size), tuple(map(str, blocks))) for size, blocks in found["segments"])
        entries = sorted((_entry(each, len(segments)) for each in found["files"]), key=lambda each: each.offset)
        return _List(float(found["saved"]), start, tuple(entries), segments)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedError("its list can't be read") from error


def _entry(found: Mapping[str, Any], segments: int) -> _Entry:
    entry = _Entry(
        path=str(found["path"]),
        size=_number(found["size"]),
        sha256=str(found["sha256"]),
        modified=_number(found["modified"]),
        offset=_number(found["offset"]),
        segment=_number(found["segment"]),
    )
    parts: Sequence[str] = entry.path.split("/")
    if posixpath.isabs(entry.path) or any(part in {"", ".", ".."} for part in parts) or "\0" in entry.path:
        raise ValueError(entry.path)
    if entry.segment >= segments:
        raise ValueError(entry.segment)
    return entry


def _number(found: object) -> int:
    if not isinstance(found, int) or isinstance(found, bool) or found < 0:
        raise ValueError(found)
    return found
