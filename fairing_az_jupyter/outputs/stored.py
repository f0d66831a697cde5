"""Where the files that jobs have written lie: what every such place can do, and a folder of this machine as one."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat
from typing import TYPE_CHECKING, BinaryIO, NoReturn, Protocol

from fairing_az_jupyter.exceptions import ConflictError, InputError, NotFoundError
from fairing_az_jupyter.outputs.manifest import FILES_FOLDER, MANIFEST, Manifest
from fairing_az_jupyter.outputs.paths import unknown_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from fairing_az_jupyter.outputs.manifest import OutputFile

__all__ = [
    "LocalOutputs",
    "LocalPlace",
    "OutputsPlace",
    "StoredOutputs",
    "checked",
    "found_file",
    "nothing_kept",
    "raise_damaged",
]

_PIECE = 1 << 20


class StoredOutputs(Protocol):
    """The files that one job has written."""

    @property
    def where(self) -> str:
        """The place, as messages name it."""

    @property
    def manifest(self) -> Manifest:
        """What is there; read once.

        Raises:
            NotFoundError: Nothing was kept (code `nothing-kept`).
            FairingAzureError: It can't be read, or is not to be trusted.

        """

    def read(self, path: str) -> Iterator[bytes]:
        """Read a file piece by piece; at its end its SHA-256 is checked.

        Args:
            path: Its path in the manifest.

        Raises:
            InputError: The file does not exist.
            ConflictError: It is not what the job has written (code `outputs-damaged`), or was replaced meanwhile (code
                `outputs-changed`).
            FairingAzureError: It can't be read.

        """

    def read_all(self, files: Iterable[OutputFile]) -> Iterator[tuple[OutputFile, Iterator[bytes]]]:
        """Read many files at once, in the order that suits the place; raises as `read`.

        Args:
            files: Files of the manifest.

        Yields:
            A file and its pieces, to be read before the next file, or not at all.

        """

    def open(self, path: str) -> BinaryIO:
        """Open a file to read any part of it; raises as `read`.

        Its SHA-256 is checked where it is read from its beginning to its end.

        Args:
            path: Its path in the manifest.

        """

    def refresh(self) -> None:
        """Read the manifest anew when it is next needed: the job may have written again."""

    def close(self) -> None:
        """Close the connections."""


class OutputsPlace(Protocol):
    """Where outputs are, before anything was read of them."""

    def opened(self) -> StoredOutputs:
        """Return the outputs, to be closed by who asks for them."""


@dataclasses.dataclass(frozen=True)
class LocalPlace:
    """A folder of this machine with outputs.

    Args:
        folder: The folder.

    """

    folder: Path

    def opened(self) -> StoredOutputs:
        """Return the outputs."""
        return LocalOutputs(self.folder)


class LocalOutputs:
    """The files of a job in a folder of this machine: `manifest.json`, and `files/` with them.

    Args:
        folder: The folder.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manifest: Manifest | None = None

    @property
    def where(self) -> str:
        """The folder."""
        return str(self._folder)

    @property
    def manifest(self) -> Manifest:
        """See `StoredOutputs`."""
        if self._manifest is None:
            try:
                data = (self._folder / MANIFEST).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise nothing_kept(f"there is no list of files in '{self._folder}'") from None
            except OSError as error:
                raise self._unreadable(MANIFEST, error) from None
            self._manifest = Manifest.parse(data, where=str(self._folder / MANIFEST))
        return self._manifest

    def read(self, path: str) -> Iterator[bytes]:
        """See `StoredOutputs`."""
        file = found_file(self.manifest, path)
        return checked(file, self._pieces(file), self.where)

    def read_all(self, files: Iterable[OutputFile]) -> Iterator[tuple[OutputFile, Iterator[bytes]]]:
        """See `StoredOutputs`."""
        for file in files:
            yield file, checked(file, self._pieces(file), self.where)

    def open(self, path: str) -> BinaryIO:
        """See `StoredOutputs`."""
        file = found_file(self.manifest, path)
        opened = self._opened(file)
        if os.fstat(opened.fileno()).st_size != file.size:
            opened.close()
            raise_damaged(file, self.where)
        return opened

    def refresh(self) -> None:
        """See `StoredOutputs`."""
        self._manifest = None

    def close(self) -> None:
        """See `StoredOutputs`; there is nothing to close."""

    def _pieces(self, file: OutputFile) -> Iterator[bytes]:
        with self._opened(file) as opened:
            try:
                while piece := opened.read(_PIECE):
                    yield piece
            except OSError as error:
                raise self._unreadable(file.path, error) from None

    def _opened(self, file: OutputFile) -> BinaryIO:
        """Open a plain file below the folder; a link on the way is none of the job's files."""
        path = self._folder / FILES_FOLDER
        try:
            for part in file.path.split("/"):
                path /= part
                mode = path.lstat().st_mode
                if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                    raise_damaged(file, self.where)
            return path.open("rb")
        except FileNotFoundError:
            raise_damaged(file, self.where)
        except (OSError, ValueError) as error:
            raise self._unreadable(file.path, error) from None

    def _unreadable(self, path: str, error: Exception) -> InputError:
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        return InputError(
            f"The file {path!r} in '{self._folder}' can't be read: {why}.",
            hint="Check who owns the folder, and whether its disk is mounted.",
            code="outputs-unreadable",
        )


def checked(file: OutputFile, pieces: Iterable[bytes], where: str) -> Iterator[bytes]:
    """Hand on a file's bytes, and make sure that they are what the job has written.

    Args:
        file: The file.
        pieces: Its bytes.
        where: The place, for the error.

    Yields:
        The pieces; the last one only when the whole was found right: who counts bytes takes no other for whole.

    Raises:
        ConflictError: They are others (code `outputs-damaged`).

    """
    digest, size, held = hashlib.sha256(), 0, b""
    for piece in pieces:
        size += len(piece)
        if size > file.size:
            break
        digest.update(piece)
        if held:
            yield held
        held = piece
    if size != file.size or digest.hexdigest() != file.sha256:
        raise_damaged(file, where)
    if held:
        yield held


def found_file(manifest: Manifest, path: str) -> OutputFile:
    """Return a file of a manifest.

    Args:
        manifest: The manifest.
        path: The file's path.

    Raises:
        InputError: There is none of that path.

    """
    file = manifest.by_path.get(path) or manifest.by_path.get(path.removeprefix("./"))
    if file is None:
        raise unknown_file(path, [each.path for each in manifest.written])
    return file


def nothing_kept(why: str, hint: str = "") -> NotFoundError:
    """Return the error for a job of which no file was kept.

    Args:
        why: Why not, as the rest of a sentence.
        hint: What to type next.

    """
    return NotFoundError(
        f"No files of this launch were kept: {why}.",
        hint=hint or "Run the job again: what it writes in its working folder is kept when it ends.",
        code="nothing-kept",
        service="outputs",
    )


def raise_damaged(file: OutputFile, where: str) -> NoReturn:
    """Raise the error for a file that is not what the job has written.

    Args:
        file: The file.
        where: The place that it was read from.

    Raises:
        ConflictError: Always.

    """
    raise ConflictError(
        f"The file {file.path!r} in '{where}' is not what the job wrote: its size or SHA-256 differs from the "
        "manifest's. It can't be trusted.",
        hint="Try again. If it happens again, something has changed or damaged the file: run the job again.",
        code="outputs-damaged",
        service="outputs",
    )
