"""The files of an earlier job in the image of an endpoint: no name twice, and the tar that they are there."""

from __future__ import annotations

import contextlib
import tarfile
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.context.archive import ArchiveEntry, member_header
from fairing_az_jupyter.models import InputFile

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from fairing_az_jupyter.outputs.manifest import OutputFile
    from fairing_az_jupyter.outputs.sources import FileSource

__all__ = ["JobTar", "check_apart", "provenance_of"]


def check_apart(source: FileSource, entries: Iterable[ArchiveEntry], prefix: str) -> None:
    """Reject files of a job whose names the endpoint has otherwise: nobody can tell which of the two it is to have.

    Args:
        source: The job's files.
        entries: The endpoint's own, by their names in the image.
        prefix: The application's folder in the image, without slashes around it.

    Raises:
        ContextError: A name is in both, or a file of the one is a folder of the other (code `files-twice`).

    """
    own = {entry.destination: entry.kind for entry in entries}
    for file in source.files:
        place = _placed(prefix, file.path)
        above = [place[:at] for at, letter in enumerate(place) if letter == "/"]
        if place in own or any(own.get(folder, "folder") != "folder" for folder in above):
            raise ContextError(
                f"'{file.path}' is both a file that the job '{source.name}' has written and one that the endpoint gets "
                "otherwise, so it is unclear which one it is to have.",
                hint="Leave it out of the input files; or choose the job's files: --from-files PATTERN, in Python "
                "from_files=[...].",
                code="files-twice",
            )


def provenance_of(source: FileSource | None) -> dict[str, Any]:
    """Return what a record tells of the files of a job, by the names of `Provenance`; nothing is read for it.

    Args:
        source: The files; None for none.

    """
    if source is None:
        return {}
    files = tuple(InputFile(file.path, file.size, file.sha256) for file in source.known_files)
    return {"from_job": source.name, "from_files": files}


class JobTar:
    """The tar that the files of a job are in an image: the same files have the same bytes, whoever has written them.

    Args:
        source: The files; they are read each time that the bytes are made.
        prefix: The application's folder in the image, without slashes around it.

    """

    def __init__(self, source: FileSource, prefix: str) -> None:
        self._source, self._prefix = source, prefix
        self._folders = b"".join(member_header(ArchiveEntry(name, kind="folder")) for name in self._folder_names())
        size = len(self._folders) + sum(len(self._header(file)) + _padded(file.size) for file in source.files)
        self._end = 2 * tarfile.BLOCKSIZE + -(size + 2 * tarfile.BLOCKSIZE) % tarfile.RECORDSIZE
        self.size = size + self._end
        """Its bytes."""

    def pieces(self) -> Generator[bytes, None, None]:
        """Make its bytes; the files are read meanwhile, and checked against their SHA-256.

        Raises:
            ConflictError: A file is damaged, or was replaced.
            FairingAzureError: The files can't be read.

        """
        if self._folders:
            yield self._folders
        with self._source.opened() as outputs, contextlib.closing(self._source.read_all(outputs)) as files:
            for file, data in files:
                yield self._header(file)
                yield from data
                if padding := bytes(_padded(file.size) - file.size):
                    yield padding
        yield bytes(self._end)

    def _header(self, file: OutputFile) -> bytes:
        return member_header(ArchiveEntry(_placed(self._prefix, file.path)), file.size)

    def _folder_names(self) -> list[str]:
        """Return the folders of the files below the application's: any other keeps what it is in the base image."""
        if not self._prefix:
            return []
        names = {
            _placed(self._prefix, file.path[:at])
            for file in self._source.files
            for at, letter in enumerate(file.path)
            if letter == "/"
        }
        return sorted(names, key=lambda name: name.encode("utf-8", "surrogateescape"))


def _placed(prefix: str, path: str) -> str:
    return f"{prefix}/{path}" if prefix else path


def _padded(size: int) -> int:
    return size + -size % tarfile.BLOCKSIZE
