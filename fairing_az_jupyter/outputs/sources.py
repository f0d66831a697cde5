"""Files of an earlier launch that go into a new one: which they are, and whether they can be used."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import ConflictError, InputError
from fairing_az_jupyter.outputs.paths import chosen

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from contextlib import AbstractContextManager

    from fairing_az_jupyter.outputs.manifest import Manifest, OutputFile
    from fairing_az_jupyter.outputs.stored import StoredOutputs

__all__ = ["FileSource"]


@dataclasses.dataclass(frozen=True)
class FileSource:
    """The files that an earlier launch has written, as what a new launch needs.

    Args:
        name: That launch: the identifier of its record, or its job's name where it has none.
        opened: Opens its files; may be called several times.
        names: Which files: paths, patterns or folders; none for all.

    """

    name: str
    opened: Callable[[], AbstractContextManager[StoredOutputs]] = dataclasses.field(repr=False)
    names: tuple[str, ...] = ()

    @functools.cached_property
    def files(self) -> tuple[OutputFile, ...]:
        """The files, by path; read once.

        Raises:
            InputError: The launch has failed (code `source-failed`), has not ended or was ended before it could keep
                its files (code `source-unfinished`), has written none (code `source-empty`), or a name stands for
                none (code `output-unknown`).
            NotFoundError: Nothing was kept of it (code `nothing-kept`).
            FairingAzureError: They can't be read.

        """
        with self.opened() as outputs:
            manifest = outputs.manifest
        self._check(manifest)
        return tuple(manifest.by_path[path] for path in chosen(self.names, [file.path for file in manifest.written]))

    @property
    def known_files(self) -> tuple[OutputFile, ...]:
        """The files as far as they were read; nothing is read for it."""
        found: tuple[OutputFile, ...] = vars(self).get("files", ())
        return found

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of names and contents of the files, in hexadecimal digits; raises as `files`."""
        lines = [f"{file.sha256} {file.size} {file.path}\n" for file in self.files]
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()

    def read_all(self, outputs: StoredOutputs) -> Generator[tuple[OutputFile, Iterator[bytes]], None, None]:
        """Read all files, ordered by their paths; each is checked against its SHA-256.

        Args:
            outputs: What `opened` has opened.

        Yields:
            A file and its pieces, to be read before the next file.

        Raises:
            ConflictError: They are not the files that were there before, or are damaged.
            FairingAzureError: They can't be read.

        """
        now = outputs.manifest.by_path
        for file in self.files:
            if file.path not in now or now[file.path].sha256 != file.sha256:
                raise ConflictError(
                    f"The files of '{self.name}' were replaced meanwhile: the job has been started again.",
                    hint="Wait until it has ended, and try again.",
                    code="outputs-changed",
                    service="outputs",
                )
        # As many at once as lie in this order in the archive that they are read from.
        together: list[OutputFile] = []
        for file in (now[file.path] for file in self.files):
            if together and (file.offset or 0) < (together[-1].offset or 0):
                yield from outputs.read_all(together)
                together = []
            together.append(file)
        yield from outputs.read_all(together)

    def _check(self, manifest: Manifest) -> None:
        fetch = f"Fetch what it has written (fairing-azure fetch {self.name}) and name the files with --input-files"
        if manifest.error is not None:
            raised = f"{manifest.error.get('type') or 'an error'}: {manifest.error.get('message') or ''}".rstrip(": ")
            raise InputError(
                f"The job '{self.name}' has failed ({raised[:200]}), so its files may not be what it was to write.",
                hint=f"Run it again, and deploy from that run. {fetch} if they are good.",
                code="source-failed",
            )
        if not manifest.complete:
            raise InputError(
                f"The job '{self.name}' has not ended, or was ended before it could keep all its files.",
                hint=f"Wait until it has ended, or run it again. {fetch} if they are good.",
                code="source-unfinished",
            )
        if not manifest.written:
            raise InputError(
                f"The job '{self.name}' has written no files that were kept, so there is nothing to deploy.",
                hint="Let train() write the model below its working folder, and run the job again.",
                code="source-empty",
            )
