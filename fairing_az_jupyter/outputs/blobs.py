"""The files that a job in the cluster has written: one archive in Blob Storage, of which any part can be read."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import threading
from typing import TYPE_CHECKING, BinaryIO, Protocol

from fairing_az_jupyter.clients.azure.access import AzureAccess
from fairing_az_jupyter.clients.azure.blob.files import BlobFiles
from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER
from fairing_az_jupyter.clients.azure.blob.urls import SCHEME
from fairing_az_jupyter.clients.azure.clouds import cloud_named
from fairing_az_jupyter.exceptions import ConflictError, NotFoundError
from fairing_az_jupyter.outputs.manifest import MANIFEST, TAR, Manifest
from fairing_az_jupyter.outputs.stored import checked, found_file, nothing_kept, raise_damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fairing_az_jupyter.outputs.manifest import OutputFile
    from fairing_az_jupyter.outputs.stored import StoredOutputs
    from fairing_az_jupyter.settings import Settings

__all__ = ["PREFIX", "BlobOutputs", "BlobPlace", "RangedStore"]

PREFIX = "outputs/"
"""Where in the container outputs are, below the name of the launch."""

_RANGE = 8 * 1024 * 1024
_LEAST_RANGE = 256 * 1024
_PIECE = 1024 * 1024
_FIRST_OPENED = 1024 * 1024
# What lies between two files is read too where that takes less time than another request: some headers of the archive.
_GAP = 512 * 1024


class RangedStore(Protocol):
    """What is needed of Blob Storage: `BlobFiles` and `Places` have it."""

    def read(self, url: str) -> bytes:
        """Read a whole blob."""

    def read_range(self, url: str, start: int, length: int, *, etag: str) -> bytes:
        """Read a part of one state of a blob; see `BlobFiles.read_range`."""


@dataclasses.dataclass(frozen=True)
class BlobPlace:
    """Outputs in Blob Storage, reached with the credential of some settings.

    Args:
        url: The `abs://` URL of their folder, with a slash at the end.
        settings: The settings.

    """

    url: str
    settings: Settings = dataclasses.field(repr=False)

    @classmethod
    def of_launch(cls, settings: Settings, launch: str) -> BlobPlace | None:
        """Return the place of a launch in the cluster; None where the settings name no storage account.

        Args:
            settings: The settings in force.
            launch: The name of its Job.

        """
        account = settings.azure_storage_account
        if not account:
            return None
        host = cloud_named(settings.azure_cloud).blob_url(account).partition("://")[2]
        return cls(f"{SCHEME}{host}/{CONTAINER}/{PREFIX}{launch}/", settings)

    def opened(self) -> StoredOutputs:
        """Return the outputs, to be closed by who asks for them."""
        access = AzureAccess(self.settings)
        files = BlobFiles(access)
        closing = contextlib.ExitStack()
        closing.callback(access.close)
        closing.callback(files.close)
        return BlobOutputs(files, self.url, close=closing.close)


class BlobOutputs:
    """The outputs of one launch in Blob Storage: `manifest.json`, and `files.tar` with the files.

    Args:
        store: How blobs are read.
        url: The `abs://` URL of the folder that both are in.
        close: Is called when this is closed.

    """

    def __init__(self, store: RangedStore, url: str, *, close: Callable[[], object] | None = None) -> None:
        self._store = store
        self._url = url.rstrip("/") + "/"
        self._close = close
        self._manifest: Manifest | None = None
        self._lock = threading.Lock()

    @property
    def where(self) -> str:
        """The folder's URL."""
        return self._url

    @property
    def manifest(self) -> Manifest:
        """See `StoredOutputs`."""
        with self._lock:
            if self._manifest is None:
                try:
                    data = self._store.read(self._url + MANIFEST)
                except NotFoundError as error:
                    if error.code == "no-such-account":
                        raise
                    raise nothing_kept(f"there is no list of files in '{self._url}'") from None
                manifest = Manifest.parse(data, where=self._url + MANIFEST)
                if manifest.etag is None and any(file.size for file in manifest.files):
                    raise nothing_kept(f"the list in '{self._url}' names no archive")
                self._manifest = manifest
            return self._manifest

    def read(self, path: str) -> Iterator[bytes]:
        """See `StoredOutputs`."""
        for file, pieces in self.read_all([found_file(self.manifest, path)]):
            del file
            yield from pieces

    def read_all(self, files: Iterable[OutputFile]) -> Iterator[tuple[OutputFile, Iterator[bytes]]]:
        """See `StoredOutputs`: the archive is read once, from its beginning on, without what nobody wants."""
        manifest = self.manifest
        wanted = sorted(files, key=lambda file: (file.offset or 0, file.size))
        stream = _Stream(_spans(wanted), self._part(manifest))
        for file in wanted:
            yield file, checked(file, stream.pieces(file.offset or 0, file.size), self.where)

    def open(self, path: str) -> BinaryIO:
        """See `StoredOutputs`."""
        manifest = self.manifest
        file = found_file(manifest, path)
        return io.BufferedReader(_OpenedFile(file, self._part(manifest), self.where), _FIRST_OPENED)

    def refresh(self) -> None:
        """See `StoredOutputs`."""
        with self._lock:
            self._manifest = None

    def close(self) -> None:
        """See `StoredOutputs`."""
        if self._close is not None:
            self._close()

    def _part(self, manifest: Manifest) -> Callable[[int, int], bytes]:
        """Return what reads a part of the archive that a manifest belongs to."""
        etag = manifest.etag or ""
        etag = etag if etag.startswith(('"', 'W/"')) else f'"{etag}"'

        def part(start: int, length: int) -> bytes:
            try:
                return self._store.read_range(self._url + TAR, start, length, etag=etag)
            except (ConflictError, NotFoundError) as error:
                gone = isinstance(error, NotFoundError) and error.code != "no-such-account"
                if not gone and error.code != "blob-changed":
                    raise
            raise ConflictError(
                f"The files in '{self._url}' were replaced while they were read: the job has been started again, or "
                "is writing right now.",
                hint="Try again in a minute.",
                code="outputs-changed",
                service="outputs",
            )

        return part


def _spans(files: Iterable[OutputFile]) -> list[tuple[int, int]]:
    """Return what is to be read of an archive: beginnings and ends, in order."""
    spans: list[tuple[int, int]] = []
    for file in files:
        start = file.offset or 0
        end = start + file.size
        if not file.size:
            continue
        if spans and start - spans[-1][1] <= _GAP:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


class _Stream:
    """Parts of an archive in order, each read while the one before is used; memory holds two of them.

    Args:
        spans: What is to be read: beginnings and ends, in order.
        part: Reads a part; may return less than was asked for.

    """

    def __init__(self, spans: list[tuple[int, int]], part: Callable[[int, int], bytes]) -> None:
        self._read_part = part
        self._parts = self._parts_of(spans)
        self._next = _Reading(self._parts)
        self._start, self._data = 0, memoryview(b"")

    def pieces(self, offset: int, size: int) -> Iterator[bytes]:
        """Yield the bytes of a file; what lies before it is passed over.

        Args:
            offset: Where it begins.
            size: How many they are.

        """
        end = offset + size
        while offset < end:
            have = self._start + len(self._data)
            if offset >= have:
                found = self._next.result()
                if found is None:
                    return
                self._next = _Reading(self._parts)
                self._start, self._data = found[0], memoryview(found[1])
                continue
            first = offset - self._start
            piece = self._data[first : min(end - self._start, first + _PIECE)]
            offset += len(piece)
            yield bytes(piece)

    def _parts_of(self, spans: list[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
        most = _RANGE
        for start, end in spans:
            at = start
            while at < end:
                wanted = min(most, end - at)
                found = self._read_part(at, wanted)
                # Where answers are cut, short ones get through.
                most = min(2 * most, _RANGE) if len(found) == wanted else max(len(found), _LEAST_RANGE)
                at += len(found)
                yield at - len(found), found
                del found


class _Reading:
    """A part that is being read by a thread, which no interrupt of the user's waits for.

    Args:
        parts: Reads the parts one after the other.

    """

    def __init__(self, parts: Iterator[tuple[int, bytes]]) -> None:
        self._parts = parts
        self._found: tuple[int, bytes] | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="read a part of outputs", daemon=True)
        self._thread.start()

    def result(self) -> tuple[int, bytes] | None:
        """Wait for the part; None where there is none any more."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._found

    def _read(self) -> None:
        try:
            self._found = next(self._parts, None)
        except BaseException as error:  # noqa: BLE001 - raised again by who waits for this thread
            self._error = error


class _OpenedFile(io.RawIOBase):
    """One file of an archive, as if it were a file of this machine.

    Args:
        file: The file.
        part: Reads a part of the archive.
        where: The place, for errors.

    """

    def __init__(self, file: OutputFile, part: Callable[[int, int], bytes], where: str) -> None:
        super().__init__()
        self._file, self._read_part, self._where = file, part, where
        self._at = 0
        self._digest, self._digested = hashlib.sha256(), 0
        self.name = file.path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        if base + offset < 0:
            msg = f"negative seek position {base + offset}"
            raise ValueError(msg)
        self._at = base + offset
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # a buffer that can be written
        length = min(len(buffer), self._file.size - self._at, _RANGE)
        if length <= 0:
            return 0
        found = self._read_part((self._file.offset or 0) + self._at, length)
        buffer[: len(found)] = found
        if self._at <= self._digested < self._at + len(found):
            self._digest.update(found[self._digested - self._at :])
            self._digested = self._at + len(found)
            if self._digested == self._file.size and self._digest.hexdigest() != self._file.sha256:
                raise_damaged(self._file, self._where)
        self._at += len(found)
        return len(found)

    def readall(self) -> bytes:
        content = bytearray()
        while True:
            piece = bytearray(min(_RANGE, max(self._file.size - self._at, 0)))
            number = self.readinto(piece)
            if not number:
                return bytes(content)
            content += piece[:number]
