"""One layer of an image: a tar, gzip-compressed the same way each time, with the digests that tell it from others.

Source: https://github.com/opencontainers/image-spec/blob/main/layer.md, and config.md beside it for DiffID (the digest
of the tar before compression).
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import tarfile
import tempfile
import weakref
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from fairing_az_jupyter.clients.oci.blobs import LocalBlob
from fairing_az_jupyter.exceptions import ContextError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_PIECE = 1 << 20
_BLOCK = 512
_GZIP = b"\x1f\x8b"
_LEVEL = 6


class Layer:
    """A layer, ready to be sent; a context manager that removes what it had to compress.

    Args:
        blob: What is sent, gzip-compressed.
        diff_id: The digest of the tar before compression.
        uncompressed_size: The bytes of that tar.
        scratch: A file of its own that is removed at the end.

    """

    def __init__(self, blob: LocalBlob, *, diff_id: str, uncompressed_size: int, scratch: Path | None = None) -> None:
        self.blob = blob
        self.diff_id = diff_id
        self.uncompressed_size = uncompressed_size
        self.compressed = True
        # Also where nobody closes it: at the latest when Python ends.
        self._removed = weakref.finalize(self, _remove, scratch) if scratch is not None else None

    def __repr__(self) -> str:
        return f"Layer({self.diff_id!r}, size={self.size})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def digest(self) -> str:
        """The digest of what is sent."""
        return self.blob.digest

    @property
    def size(self) -> int:
        """The bytes that are sent."""
        return self.blob.size

    @classmethod
    def from_bytes(cls, content: bytes) -> Layer:
        """Make a layer of a tar in memory.

        Args:
            content: The tar, as it is or gzip-compressed.

        Returns:
            The layer.

        Raises:
            ContextError: It is not a tar.

        """
        return cls._made(io.BytesIO(content), content, "the layer", None)

    @classmethod
    def from_file(cls, path: Path | str, *, scratch_folder: Path | str | None = None) -> Layer:
        """Make a layer of a tar in a file; never more than some MiB of it are in memory.

        Args:
            path: The tar, as it is or gzip-compressed; it must not change until the layer is pushed.
            scratch_folder: Where an uncompressed one is compressed to; the system's folder for temporary files if None.

        Returns:
            The layer.

        Raises:
            ContextError: It is not a tar, can't be read, or there is no room to compress it.

        """
        path = Path(path)
        try:
            with path.open("rb") as stream:
                return cls._made(stream, path, f"'{path}'", scratch_folder)
        except OSError as error:
            raise ContextError(
                f"No layer can be built from '{path}': {error.strerror or error}. Without it the image can't be built.",
                hint="Check that the file exists and is readable, and that there is enough free disk space.",
            ) from None

    @classmethod
    def _made(cls, stream: BinaryIO, source: bytes | Path, name: str, scratch_folder: Path | str | None) -> Layer:
        start = stream.read(len(_GZIP))
        stream.seek(0)
        if start == _GZIP:
            sent = _Hashing(stream)
            try:
                diff_id, size = _digest_of_tar(gzip.GzipFile(fileobj=sent), name)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                raise _no_tar(name, "its compressed data is damaged") from None
            return cls(LocalBlob(source, sent.digest, sent.size), diff_id=diff_id, uncompressed_size=size)
        if isinstance(source, bytes):
            buffer = io.BytesIO()
            written, diff_id, size = _compressed(stream, buffer, name)
            blob = LocalBlob(buffer.getvalue(), written.digest, written.size)
            return cls(blob, diff_id=diff_id, uncompressed_size=size)
        handle, place = tempfile.mkstemp(suffix=".tar.gz", prefix="fairing-layer-", dir=scratch_folder)
        scratch = Path(place)
        try:
            with os.fdopen(handle, "wb") as file:
                written, diff_id, size = _compressed(stream, file, name)
        except BaseException:
            scratch.unlink()
            raise
        blob = LocalBlob(scratch, written.digest, written.size)
        return cls(blob, diff_id=diff_id, uncompressed_size=size, scratch=scratch)

    def close(self) -> None:
        """Remove the compressed form, if it is this layer's own; safe to repeat."""
        if self._removed is not None:
            self._removed()


class _Hashing(io.RawIOBase):
    """Hashes what passes through on its way from or to a file."""

    def __init__(self, inner: IO[bytes]) -> None:
        super().__init__()
        self._inner = inner
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def read(self, size: int = -1, /) -> bytes:
        return self._passed(self._inner.read(size))

    def write(self, content: bytes, /) -> int:  # type: ignore[override] # nothing else is written here
        self._inner.write(content)
        self._passed(content)
        return len(content)

    def _passed(self, content: bytes) -> bytes:
        self._hash.update(content)
        self.size += len(content)
        return content


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _compressed(stream: BinaryIO, target: IO[bytes], name: str) -> tuple[_Hashing, str, int]:
    written = _Hashing(target)
    # Neither a name nor a time: the same tar gives the same bytes.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=written, mtime=0) as packed:
        diff_id, size = _digest_of_tar(stream, name, packed)
    return written, diff_id, size


def _digest_of_tar(stream: BinaryIO | gzip.GzipFile, name: str, copy: gzip.GzipFile | None = None) -> tuple[str, int]:
    """Return digest and size of a tar, and copy it on the way."""
    found = hashlib.sha256()
    size = 0
    while piece := stream.read(_PIECE):
        if not size:
            _check(piece[:_BLOCK], name)
        found.update(piece)
        size += len(piece)
        if copy is not None:
            copy.write(piece)
    if not size:
        raise _no_tar(name, "it is empty")
    return f"sha256:{found.hexdigest()}", size


def _check(block: bytes, name: str) -> None:
    if not any(block) and len(block) == _BLOCK:  # a tar without members
        return
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        raise _no_tar(name, "it does not start like one") from None


def _no_tar(name: str, problem: str) -> ContextError:
    return ContextError(
        f"No layer can be built from {name}: {problem}. A layer is a tar file, plain or gzip-compressed.",
        hint="Create it with tarfile or tar -cf; zip, xz and zstd are not supported.",
    )
