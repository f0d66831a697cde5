"""Unpack the archive of a build context, and nothing that such an archive never holds."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import posixpath
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from fairing_az_jupyter.exceptions import ContextError

if TYPE_CHECKING:
    import io

_BLOCK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"


class _ForeignError(Exception):
    """The archive holds what `write_archive` never writes."""


# What reading a damaged archive may raise.
_DAMAGES = (OSError, EOFError, tarfile.TarError, zlib.error, _ForeignError)


def unpack(archive_path: Path, folder: Path, *, digest: str | None = None) -> None:
    """Unpack an archive of `write_archive` into an empty folder.

    Files are written with the current time and the permissions 0755 less the umask. What no such archive holds is
    rejected: absolute names, `..`, members below a symlink, symlinks that leave the folder, hard links and devices.
    This doesn't rest on `tarfile.data_filter`, which early releases of Python 3.10 and 3.11 lack.

    Args:
        archive_path: The archive, compressed or not.
        folder: Where to: an empty folder, or one that does not exist yet below one that does.
        digest: The digest that the archive has to have; not checked unless given.

    Raises:
        ContextError: The archive can't be read, is damaged or isn't one of ours; the folder is not empty or can't be
            written. The folder is left as it was.

    """
    folder = Path(folder)
    created = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()):
            raise ContextError(
                f"The folder '{folder}' is not empty, and its contents would be mixed with the archive's files.",
                hint="Choose a new or an empty folder.",
            )
    except OSError as error:
        raise ContextError(
            f"'{archive_path}' can't be unpacked into '{folder}' ({error.strerror or error}).",
            hint="Choose a new folder inside an existing, writable folder.",
        ) from error
    try:
        _unpack_all(Path(archive_path), folder, digest)
    except BaseException as error:
        _empty(folder, remove=created)
        if isinstance(error, _DAMAGES):
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise ContextError(
                f"'{archive_path}' can't be unpacked into '{folder}': {reason}.",
                hint="Build the archive again. If the archive is intact, check free disk space and permissions.",
            ) from error
        raise


class _TarBytes:
    """The tar inside an archive as a stream, and what is needed to tell that it is whole."""

    def __init__(self, stream: gzip.GzipFile | io.BufferedReader) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0
        self.used = 0  # up to the last byte that is not zero

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        filled = len(data.rstrip(b"\0"))
        if filled:
            self.used = self.size + filled
        self.size += len(data)
        return data


def _unpack_all(archive: Path, folder: Path, digest: str | None) -> None:
    """Unpack every member, then check that the archive was whole."""
    end = 0
    kinds: dict[str, bytes] = {}
    with archive.open("rb") as stream:
        is_gzip = stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    with gzip.open(archive) if is_gzip else archive.open("rb") as stream:
        source = _TarBytes(stream)
        with tarfile.open(fileobj=cast("BinaryIO", source), mode="r|", bufsize=_BLOCK, encoding="utf-8") as tar:
            for member in tar:
                _reject_foreign(member, kinds)
                kinds[member.name] = member.type
                _unpack_member(tar, member, folder / member.name)
                end = member.offset_data + member.size + -member.size % tarfile.BLOCKSIZE
        while source.read(_BLOCK):
            pass
    # `tarfile` stops at a broken header as at the end: whatever follows the last member has to be zeros.
    if source.used > end or source.size < end + 2 * tarfile.BLOCKSIZE or source.size % tarfile.RECORDSIZE:
        raise _ForeignError("it is damaged or truncated")
    if digest is not None and source.digest != digest:
        raise _ForeignError(f"its digest is {source.digest}, not {digest}")


def _reject_foreign(member: tarfile.TarInfo, kinds: dict[str, bytes]) -> None:
    """Reject a member that `write_archive` would not have written after those before."""
    name = member.name
    if not {"", ".", ".."}.isdisjoint(name.split("/")) or "\0" in name + member.linkname or name in kinds:
        raise _ForeignError(f"it has a member named {name!r}, which is unsafe or a duplicate")
    parent = posixpath.dirname(name)
    if parent and kinds.get(parent) != tarfile.DIRTYPE:
        raise _ForeignError(f"its member {name!r} is not in a folder of the archive")
    if member.type not in {tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE} or member.issparse():
        raise _ForeignError(f"its member {name!r} is neither a file nor a folder nor a symlink")
    if member.issym():
        target = posixpath.normpath(posixpath.join(parent, member.linkname))
        if member.linkname.startswith("/") or target.partition("/")[0] == "..":
            raise _ForeignError(f"its symlink {name!r} leaves the folder: it points to {member.linkname!r}")


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write one member that was found to be safe."""
    if member.isdir():
        path.mkdir(0o755)
    elif member.issym():
        path.symlink_to(member.linkname)
    else:
        contents = tar.extractfile(member)
        if contents is None:
            raise _ForeignError(f"its member {member.name!r} has no contents")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o755)
        with contents, os.fdopen(descriptor, "wb", buffering=0) as target:
            shutil.copyfileobj(contents, target, _BLOCK)


def _empty(folder: Path, *, remove: bool) -> None:
    """Remove what was unpacked, and the folder itself where it was made for it."""
    for child in list(folder.iterdir()):
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)
    if remove:
        with contextlib.suppress(OSError):
            folder.rmdir()
