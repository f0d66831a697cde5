"""Files that a job has written, copied into a folder of the user's: never over a file of theirs unless they say so."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import secrets
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.exceptions import ConflictError, InputError
from fairing_az_jupyter.outputs.paths import chosen, collision_key, not_portable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fairing_az_jupyter.outputs.manifest import OutputFile
    from fairing_az_jupyter.outputs.stored import StoredOutputs

__all__ = ["EXISTS", "Fetched", "FetchedFile", "fetch"]

Outcome = Literal["fetched", "there", "rejected"]

EXISTS = "a different file of that name already exists"
"""Why a file is not fetched that `overwrite` would let be fetched."""

_BLOCK = 1 << 20
_TRIES = 3
_WAIT_SECONDS = 1.0
# Nothing that another file could do about it: the rest would fail in the same way.
_HOPELESS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


@dataclasses.dataclass(frozen=True)
class FetchedFile:
    """What became of one file.

    Args:
        name: Its path, as the job had it.
        path: Where it is now, or would be.
        size: Its bytes.
        outcome: `fetched`, `there` if the same file was there already, or `rejected`.
        reason: Why it was rejected, as the rest of a sentence; empty otherwise.

    """

    name: str
    path: Path
    size: int
    outcome: Outcome
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What became of the files that were to be fetched.

    Args:
        to: The folder.
        files: The files, in the manifest's order.
        complete: Whether the job had ended when it kept them.

    """

    to: Path
    files: tuple[FetchedFile, ...]
    complete: bool = True

    @property
    def rejected(self) -> tuple[FetchedFile, ...]:
        """The files that were not fetched and are not there."""
        return tuple(file for file in self.files if file.outcome == "rejected")

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where the files are that are there now."""
        return tuple(file.path for file in self.files if file.outcome != "rejected")

    def problem(self, again: str) -> InputError | None:
        """Return the error for what was rejected; None where nothing was.

        Args:
            again: What lets existing files be replaced, such as `--overwrite`.

        """
        rejected = self.rejected
        if not rejected:
            return None
        first = rejected[0]
        others = len(rejected) - 1
        more = f" {others} other{'' if others == 1 else 's'} could not be fetched either." if others else ""
        existing = [file for file in rejected if file.reason == EXISTS]
        return InputError(
            f"The file '{first.name}' was not fetched to '{first.path.parent.absolute()}': {first.reason}.{more}",
            hint=f"Replace what exists: {again}. Or fetch into another folder."
            if existing
            else "Fetch into another folder, or only the files that can be fetched.",
            code="output-exists" if existing else "output-rejected",
        )


def fetch(
    outputs: StoredOutputs,
    names: Sequence[str] = (),
    to: Path = Path(),
    *,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    windows: bool = os.name == "nt",
) -> Fetched:
    """Copy files into a folder; interrupted and called again it continues with the files that are missing.

    Args:
        outputs: The files.
        names: Which of them: paths, patterns or folders; none for all.
        to: The folder; it is made if it is not there. Sub-folders are kept.
        overwrite: Whether files are replaced that exist and differ.
        progress: Is called with the bytes that are there now, and all of them.
        windows: Whether names have to be those that Windows allows.

    Returns:
        What became of each file. Those that are rejected stop none of the others.

    Raises:
        InputError: A name stands for no file, or the folder can't be made.
        ConflictError: A file is damaged, or files were replaced meanwhile again and again.
        FairingAzureError: They can't be read.

    """
    for _ in range(_TRIES - 1):
        try:
            return _Fetching(outputs, to, overwrite=overwrite, windows=windows).fetch(names, progress)
        except ConflictError as error:
            if error.code != "outputs-changed":
                raise
        # Whoever replaces the archive writes the list right after it.
        time.sleep(_WAIT_SECONDS)
        outputs.refresh()
    return _Fetching(outputs, to, overwrite=overwrite, windows=windows).fetch(names, progress)


class _RejectedError(Exception):
    """A file can't be written where it belongs; the text says why."""


class _Fetching:
    """Copies the files of one job into one folder."""

    def __init__(self, outputs: StoredOutputs, to: Path, *, overwrite: bool, windows: bool) -> None:
        self._outputs, self._to = outputs, to
        self._overwrite, self._windows = overwrite, windows
        self._folders: set[str] = set()
        # Of files in the same folder, only the first looks.
        self._ways: set[str] = set()
        self._token, self._number = secrets.token_hex(6), 0
        self._known: dict[tuple[int, int], str] = {}

    def fetch(self, names: Sequence[str], progress: Callable[[int, int], None] | None) -> Fetched:
        manifest = self._outputs.manifest
        wanted = [manifest.by_path[path] for path in chosen(names, [file.path for file in manifest.written])]
        self._make_target()
        done = {file.path: found for file in wanted if (found := self._looked_at(file)) is not None}
        missing = [file for file in wanted if file.path not in done]
        whole = sum(file.size for file in missing)
        have = 0

        def count(number: int) -> None:
            nonlocal have
            have += number
            if progress is not None:
                progress(have, whole)

        count(0)
        for file, pieces in self._outputs.read_all(missing):
            done[file.path] = self._written(file, _counted(pieces, count))
        return Fetched(self._to, tuple(done[file.path] for file in wanted), manifest.complete)

    def _written(self, file: OutputFile, pieces: Iterator[bytes]) -> FetchedFile:
        try:
            self._write(file, pieces)
        except _RejectedError as rejected:
            return self._result(file, "rejected", str(rejected))
        return self._result(file, "fetched")

    def _result(self, file: OutputFile, outcome: Outcome, reason: str = "") -> FetchedFile:
        return FetchedFile(file.path, self._target(file), file.size, outcome, reason)

    def _target(self, file: OutputFile) -> Path:
        return self._to.joinpath(file.path)

    def _make_target(self) -> None:
        try:
            self._to.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or "it is not a folder's name"
            raise InputError(
                f"The folder '{self._to}' can't be used for the files: {why}.",
                hint="Choose another folder: --to FOLDER",
                code="output-folder",
            ) from None

    def _looked_at(self, file: OutputFile) -> FetchedFile | None:
        """Return what is known of a file before anything is read of it; None where it is to be fetched."""
        try:
            found = self._same(file)
        except FileNotFoundError:
            return None
        except _RejectedError as rejected:
            return self._result(file, "rejected", str(rejected))
        except (OSError, ValueError) as error:
            return self._result(file, "rejected", _reason(error))
        if found is None:
            return None
        self._known[found.st_dev, found.st_ino] = file.path
        return self._result(file, "there")

    def _same(self, file: OutputFile) -> os.stat_result | None:
        """Return what the file system says of the same file in its place; None where another one may be replaced."""
        problem = not_portable(file.path, windows=self._windows)
        if problem:
            raise _RejectedError(f"it {problem}")
        self._check_way(file)
        found = self._target(file).lstat()
        if stat.S_ISDIR(found.st_mode):
            raise _RejectedError("a folder of that name already exists")
        if stat.S_ISREG(found.st_mode) and found.st_size == file.size and _digest(self._target(file)) == file.sha256:
            return found
        self._check_replaceable()
        return None

    def _check_replaceable(self) -> None:
        if not self._overwrite:
            raise _RejectedError(EXISTS)

    def _check_way(self, file: OutputFile) -> None:
        """Reject a way that leads through a link or a file: the folder's own files are all that may change."""
        folder = file.path.rpartition("/")[0]
        if folder in self._ways:
            return
        way = self._to
        for part in folder.split("/") if folder else ():
            way /= part
            if str(way) in self._folders:
                continue
            try:
                mode = way.lstat().st_mode
            except FileNotFoundError:
                return
            if not stat.S_ISDIR(mode):
                what = "a link" if stat.S_ISLNK(mode) else "not a folder"
                raise _RejectedError(f"'{way}' is {what}")
            self._folders.add(str(way))
        self._ways.add(folder)

    def _write(self, file: OutputFile, pieces: Iterator[bytes]) -> None:
        target = self._target(file)
        # Its name may be as long as the system allows, which leaves no room for an ending.
        folder, self._number = target.parent, self._number + 1
        temporary = folder / f".fairing-az-{self._token}-{self._number}.tmp"
        made = False
        try:
            self._check_way(file)
            if file.path.rpartition("/")[0] not in self._ways:
                folder.mkdir(parents=True, exist_ok=True)
                self._folders.add(str(folder))
                self._ways.add(file.path.rpartition("/")[0])
            with temporary.open("xb") as opened:
                made = True
                for piece in pieces:
                    opened.write(piece)
                written = os.fstat(opened.fileno())
            self._check_taken(file, target)
            temporary.replace(target)
            made = False
            self._known[written.st_dev, written.st_ino] = file.path
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in _HOPELESS:
                raise InputError(
                    f"The file '{file.path}' can't be written to '{target.parent}': {_reason(error)}.",
                    hint="Make room, or choose another folder: --to FOLDER. What was fetched before is kept.",
                    code="output-folder",
                ) from None
            raise _RejectedError(_reason(error)) from None
        finally:
            if made:
                with contextlib.suppress(OSError):
                    temporary.unlink()

    def _check_taken(self, file: OutputFile, target: Path) -> None:
        """Look once more at what is there: it may have come meanwhile, also as another file of the same job."""
        try:
            found = target.lstat()
        except FileNotFoundError:
            return
        other = self._known.get((found.st_dev, found.st_ino))
        if other is not None and other != file.path and collision_key(other) == collision_key(file.path):
            raise _RejectedError(f"'{other}' has the same name on this file system, but for case")
        self._check_replaceable()


def _counted(pieces: Iterable[bytes], count: Callable[[int], None]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        count(len(piece))


def _digest(path: Path) -> str:
    """Return a file's SHA-256; empty where it can't be read, and then it is taken for another one."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "its name can't be written on this file system"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
