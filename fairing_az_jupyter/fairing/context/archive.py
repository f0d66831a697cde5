"""The reproducible archive of a build context.

The same files give the same tar bytes, and so the same digest, on any machine: an archive that is already where it is
needed is not sent again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import stat
import struct
import tarfile
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from fairing_az_jupyter.exceptions import ContextError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

_BLOCK = 1 << 20
_WINDOW = 1 << 15  # how far back deflate may refer (RFC 1951)
_LEVEL = 6
_RAW_DEFLATE = -15  # zlib's manual: negative window bits mean neither header nor trailer
# RFC 1952: deflate, no flags and so no name, no time stamp, unknown operating system.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclasses.dataclass(frozen=True)
class ArchiveEntry:
    """One member of the archive.

    Args:
        destination: Its name in the archive: relative, `/` as separator.
        source: Where it is on disk; None for a folder that only holds other members.
        kind: What it is.
        target: Where a symlink points to, relative to the folder that it is in.

    """

    destination: str
    source: Path | None = None
    kind: Literal["file", "folder", "symlink"] = "file"
    target: str = ""

    @property
    def sort_key(self) -> bytes:
        """The bytes of the name, which sort alike in every locale."""
        return self.destination.encode("utf-8", "surrogateescape")


@dataclasses.dataclass(frozen=True)
class Archive:
    """An archive that was written.

    Args:
        path: The file; None where it was written to a stream.
        digest: The SHA-256 of the tar bytes before compression, as 64 hexadecimal digits.
        size: The bytes of what was written.
        uncompressed_size: The bytes of the tar.
        members: How many files, folders and symlinks are in it.

    """

    path: Path | None
    digest: str
    size: int
    uncompressed_size: int
    members: int


def digest_of(entries: Iterable[ArchiveEntry]) -> str:
    """Return the digest that `write_archive` would give, without writing.

    Args:
        entries: What `collect` returned.

    Returns:
        The SHA-256 of the tar bytes before compression, as 64 hexadecimal digits.

    Raises:
        ContextError: A file can't be read, or changed while it was read.

    """
    packing = _Packing(entries)
    with contextlib.closing(packing.blocks()) as blocks:
        for _ in blocks:
            pass
    return packing.digest


def write_archive(
    entries: Iterable[ArchiveEntry],
    output: Path | BinaryIO,
    *,
    compression: Literal["gzip", "none"] = "gzip",
    threads: int = 2,
    on_bytes: Callable[[int], None] | None = None,
) -> Archive:
    """Pack members into a tar archive whose bytes depend on nothing but their names and contents.

    Members are sorted by the bytes of their names. Time stamps, owners and permissions are not those on disk: mtime 0,
    uid and gid 0 without names, mode 0755 for every file and folder (so that a script stays executable), 0777 for
    symlinks. Otherwise the umask, Windows, and Azure Files mounts, where everything is 0777, would change the digest.
    The format is POSIX.1-2001 (pax) with names in UTF-8, which GNU tar and Python's `tarfile` read.

    Memory is bounded: a few blocks of 1 MiB a thread, whatever the files' sizes.

    Args:
        entries: What `collect` returned.
        output: A file, which appears when it is complete, replaces an older one in one step and is its owner's alone;
            or a binary stream, written from where it stands and left open.
        compression: `gzip` (deterministic for one version of zlib-ng) or `none`.
        threads: How many compress, while this one reads, hashes and writes.
        on_bytes: Called in this thread with the number of tar bytes that were packed since the last call.

    Returns:
        Where it is, its digest, its sizes in bytes and its number of members.

    Raises:
        ContextError: A file can't be read, or changed while it was packed; the output can't be written or is itself one
            of the members. Nothing is left behind then, an older output excepted.

    """
    members = tuple(entries)
    packing = _Packing(members, on_bytes)
    if not isinstance(output, (str, os.PathLike)):
        size = packing.write_to(output, compression, threads)
        return Archive(None, packing.digest, size, packing.size, len(members))
    path = Path(output)
    if any(entry.source is not None and entry.source.name == path.name for entry in members):
        real = Path(os.path.realpath(path))
        if any(entry.source == real for entry in members):
            raise ContextError(
                f"The archive '{path}' is in a folder that goes into it, so it would contain its own previous version.",
                hint="Write it to another folder, or exclude it in .dockerignore.",
            )
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".fairing-", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as stream:
                size = packing.write_to(stream, compression, threads)
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise ContextError(
            f"The archive '{path}' can't be written ({error.strerror or error}), so nothing can be built from it.",
            hint="Free some disk space, or choose an existing, writable folder.",
        ) from error
    return Archive(path, packing.digest, size, packing.size, len(members))


class _Packing:
    """One pass over the members: the tar bytes, and what is counted on the way."""

    def __init__(self, entries: Iterable[ArchiveEntry], on_bytes: Callable[[int], None] | None = None) -> None:
        self._entries = sorted(entries, key=lambda entry: entry.sort_key)
        self._on_bytes = on_bytes
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def blocks(self) -> Generator[bytes, None, None]:
        """Yield the tar in blocks of 1 to 2 MiB, hashed and counted."""
        pieces: list[bytes] = []
        length = 0
        with contextlib.closing(self._pieces()) as source:
            for piece in source:
                pieces.append(piece)
                length += len(piece)
                if length >= _BLOCK:
                    yield self._counted(b"".join(pieces))
                    pieces, length = [], 0
        end = self.size + length + 2 * tarfile.BLOCKSIZE
        pieces.append(bytes(2 * tarfile.BLOCKSIZE + -end % tarfile.RECORDSIZE))
        yield self._counted(b"".join(pieces))

    def write_to(self, stream: BinaryIO, compression: str, threads: int) -> int:
        """Write the archive to a stream and return the number of bytes written."""
        if compression not in {"gzip", "none"}:
            raise ValueError(f"compression is 'gzip' or 'none', not {compression!r}")
        written = 0
        with contextlib.closing(self.blocks()) as blocks:
            packed = _gzipped(blocks, threads) if compression == "gzip" else blocks
            with contextlib.closing(packed):
                for data in packed:
                    view = memoryview(data)
                    while view:
                        taken = stream.write(view)
                        # A raw stream may take less than it is given; others tell nothing, and take all.
                        view = view[len(view) if taken is None else taken :]
                    written += len(data)
        return written

    def _counted(self, block: bytes) -> bytes:
        self._hash.update(block)
        self.size += len(block)
        if self._on_bytes is not None:
            self._on_bytes(len(block))
        return block

    def _pieces(self) -> Generator[bytes, None, None]:
        for entry in self._entries:
            if entry.kind == "file":
                yield from _file_member(entry)
            else:
                yield member_header(entry)


def member_header(entry: ArchiveEntry, size: int = 0) -> bytes:
    """Return the tar header of a member, with a pax header before it where its name or size needs one.

    Args:
        entry: The member.
        size: The bytes of its content.

    """
    info = tarfile.TarInfo(entry.destination)  # mtime, uid and gid are 0 there, the owner's names empty
    info.size = size
    info.mode = 0o777 if entry.kind == "symlink" else 0o755
    info.type = {"file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE}[entry.kind]
    info.linkname = entry.target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _file_member(entry: ArchiveEntry) -> Iterator[bytes]:
    """Yield the header, the contents and the padding of a file."""
    if entry.source is None:
        raise ValueError(f"the member {entry.destination!r} has no source")
    try:
        # Non-blocking: what was a file when it was collected may be a pipe already.
        descriptor = os.open(entry.source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise _changed(entry.source) from error
    except OSError as error:
        raise _changed(entry.source) if error.errno == errno.ELOOP else unreadable(entry.source, error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _changed(entry.source)
        yield member_header(entry, status.st_size)
        missing = status.st_size
        while missing:
            piece = _read(descriptor, min(missing, _BLOCK), entry.source)
            if not piece:
                raise _changed(entry.source)
            missing -= len(piece)
            yield piece
        if _read(descriptor, 1, entry.source):
            raise _changed(entry.source)
        yield bytes(-status.st_size % tarfile.BLOCKSIZE)
    finally:
        os.close(descriptor)


def _read(descriptor: int, size: int, source: Path) -> bytes:
    """Read from a source, as the error that names it."""
    try:
        return os.read(descriptor, size)
    except OSError as error:
        raise unreadable(source, error) from error


def unreadable(path: Path, error: OSError) -> ContextError:
    """Return the error for a file or folder that can't be read.

    Args:
        path: The file or folder.
        error: What the operating system says.

    """
    return ContextError(
        f"'{path}' can't be read ({error.strerror or error}). It would be missing from the image.",
        hint="Grant yourself permission (chmod u+rX), or exclude it in .dockerignore.",
    )


def _changed(source: Path) -> ContextError:
    """Return the error for a file that is not what it was."""
    return ContextError(
        f"'{source}' changed while it was packed, so the image would contain a mix of old and new contents.",
        hint="Try again when nothing writes to it, or exclude it in .dockerignore.",
    )


def _gzipped(blocks: Iterable[bytes], threads: int) -> Generator[bytes, None, None]:
    """Yield one gzip member (RFC 1952), its blocks compressed in parallel.

    The bytes don't depend on the number of threads. `zlib_ng.gzip_ng_threaded` does the same for a file, but would wait
    for ever where an interrupt comes between two of its queues; here workers wait for nothing but their own block.
    """
    from zlib_ng import zlib_ng  # noqa: PLC0415 -- an uncompressed archive can do without

    def deflate(block: bytes, before: bytes) -> tuple[bytes, int, int]:
        compressor = zlib_ng.compressobj(_LEVEL, zlib_ng.DEFLATED, _RAW_DEFLATE, zdict=before)
        body = compressor.compress(block) + compressor.flush(zlib_ng.Z_SYNC_FLUSH)
        return body, zlib_ng.crc32(block), len(block)

    checksum = size = 0
    before = b""
    running: deque[Future[tuple[bytes, int, int]]] = deque()
    pool = ThreadPoolExecutor(threads, "fairing-context")

    def finished() -> bytes:
        nonlocal checksum, size
        body, own_checksum, length = running.popleft().result()
        checksum = zlib_ng.crc32_combine(checksum, own_checksum, length)
        size += length
        return body

    try:
        yield _GZIP_HEADER
        for block in blocks:
            running.append(pool.submit(deflate, block, before))
            before = block[-_WINDOW:]
            if len(running) > threads:
                yield finished()
        while running:
            yield finished()
        yield zlib_ng.compress(b"", wbits=_RAW_DEFLATE) + struct.pack("<LL", checksum, size & 0xFFFFFFFF)
    finally:
        pool.shutdown(cancel_futures=True)
