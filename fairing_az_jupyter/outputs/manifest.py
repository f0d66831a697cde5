"""The list of the files that a job has written: `manifest.json`, read with distrust and written by the same rules.

Whoever can write to the folder or the container can write a manifest: what it names must stay below the folder that
its files are fetched into.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.outputs.paths import unsafe

__all__ = ["FILES_FOLDER", "FORMAT", "MANIFEST", "OWN_FOLDER", "TAR", "LeftOut", "Manifest", "OutputFile"]

FORMAT = 1
"""The format that this package writes, and the only one that it reads."""
MANIFEST = "manifest.json"
TAR = "files.tar"
FILES_FOLDER = "files"
OWN_FOLDER = ".fairing-az/"
"""What paths begin with that this package has written, and not the user's code."""

_MOST = 2**63 - 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ATTEMPT = re.compile(r"[0-9a-f]{1,64}")
_ETAG = re.compile(r"[\x21-\x7e]{1,200}")
_REASONS = ("limit", "pattern", "unreadable", "changed")
_LINKS = frozenset({"link", "linkname", "target"})


@dataclasses.dataclass(frozen=True)
class OutputFile:
    """A file that a job has written.

    Args:
        path: Its relative POSIX path, as the job had it in its working folder.
        size: Its bytes.
        sha256: Their SHA-256, in hexadecimal digits.
        modified: When it was last changed, in seconds since 1970-01-01 UTC.
        offset: Where its bytes begin in `files.tar`; None where it is a file of its own.

    """

    path: str
    size: int
    sha256: str
    modified: float
    offset: int | None = None

    @property
    def name(self) -> str:
        """What `fetch` and `open` call it: its path."""
        return self.path


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A file that a job has written and that was not kept.

    Args:
        path: Its path, as it was found.
        size: Its bytes.
        reason: `limit`, `pattern`, `unreadable`, or `changed` while it was read.

    """

    path: str
    size: int
    reason: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a job has written.

    Args:
        files: The files that were kept, by path.
        attempt: Which start of the program has written them, in hexadecimal digits.
        complete: Whether the program had ended when they were kept, and all of them were.
        left_out: The files that were not kept.
        etag: The ETag of `files.tar`; None where there is none.
        tar_size: The bytes of `files.tar`; None where there is none.
        result: What the program has returned: `kind`, `path` and `digest`; None for nothing.
        error: What the program has raised: `type`, `module`, `message` and `traceback`; None for nothing.

    """

    files: tuple[OutputFile, ...]
    attempt: str
    complete: bool = True
    left_out: tuple[LeftOut, ...] = ()
    etag: str | None = None
    tar_size: int | None = None
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None

    @property
    def size(self) -> int:
        """The bytes of the files that the user's code has written."""
        return sum(file.size for file in self.written)

    @functools.cached_property
    def by_path(self) -> Mapping[str, OutputFile]:
        """The files by their paths."""
        return {file.path: file for file in self.files}

    @functools.cached_property
    def written(self) -> tuple[OutputFile, ...]:
        """The files without this package's own, such as the encoded result."""
        return tuple(file for file in self.files if not file.path.startswith(OWN_FOLDER))

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Manifest:
        """Read a manifest.

        Args:
            data: The bytes of `manifest.json`.
            where: The place that it comes from, for errors; holds no secret.

        Raises:
            InputError: It is of a newer format (code `outputs-format`), or is not one (code `outputs-manifest`).

        """
        try:
            document = json.loads(data, parse_constant=_not_finite)
        except (ValueError, RecursionError):
            raise _Reader(where).rejected("it is not JSON") from None
        reader = _Reader(where)
        document = reader.mapping(document, "the manifest")
        reader.check_format(document.get("format"))
        tar = document.get("tar")
        etag, tar_size = (None, None) if tar is None else reader.tar(reader.mapping(tar, "'tar'"))
        files = tuple(reader.file(each, tar_size) for each in reader.sequence(document.get("files"), "'files'"))
        reader.check_apart(files)
        left_out = tuple(reader.left_out(each) for each in reader.sequence(document.get("left_out", []), "'left_out'"))
        attempt, complete = document.get("attempt"), document.get("complete")
        if not isinstance(attempt, str) or not _ATTEMPT.fullmatch(attempt):
            reader.reject("'attempt' is not hexadecimal digits")
        if not isinstance(complete, bool):
            reader.reject("'complete' is neither true nor false")
        result, error = reader.result(document.get("result")), document.get("error")
        if error is not None:
            error = reader.mapping(error, "'error'")
        by_path = tuple(sorted(files, key=lambda file: file.path))
        return cls(by_path, attempt, complete, left_out, etag, tar_size, result, error)

    def dump(self) -> bytes:
        """Return the bytes of `manifest.json`."""
        files = [{name: value for name, value in vars(file).items() if value is not None} for file in self.files]
        document: dict[str, Any] = {"format": FORMAT, "attempt": self.attempt, "complete": self.complete}
        if self.etag is not None:
            document["tar"] = {"etag": self.etag, "size": self.tar_size}
        document |= {
            "files": files,
            "left_out": [vars(each) for each in self.left_out],
            "result": None if self.result is None else dict(self.result),
            "error": None if self.error is None else dict(self.error),
        }
        # Names that are not UTF-8 are halves of surrogate pairs here, which only escapes can express.
        return (json.dumps(document, ensure_ascii=True, allow_nan=False) + "\n").encode()


class _Reader:
    """Checks the parts of one manifest.

    Args:
        where: The place that it comes from.

    """

    def __init__(self, where: str) -> None:
        self._where = where

    def rejected(self, problem: str) -> InputError:
        return InputError(
            f"The list of files in '{self._where}' can't be used: {problem}. Nothing was read of its files.",
            hint="Run the job again. If it happens again, report it as a bug.",
            code="outputs-manifest",
        )

    def reject(self, problem: str) -> NoReturn:
        raise self.rejected(problem)

    def mapping(self, value: object, what: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self.reject(f"{what} is not an object")
        return value

    def sequence(self, value: object, what: str) -> list[Any]:
        if not isinstance(value, list):
            self.reject(f"{what} is not a list")
        return value

    def number(self, value: object, what: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
            self.reject(f"{what} is not a whole number, 0 or more")
        return value

    def check_format(self, value: object) -> None:
        if isinstance(value, int) and not isinstance(value, bool) and value != FORMAT:
            raise InputError(
                f"The list of files in '{self._where}' has format {value}; this version of fairing-az-jupyter reads "
                f"format {FORMAT}.",
                hint="Update this package: pip install --upgrade fairing-az-jupyter",
                code="outputs-format",
            )
        if value != FORMAT or isinstance(value, bool):
            self.reject("it does not name its format")

    def tar(self, tar: Mapping[str, Any]) -> tuple[str, int]:
        etag = tar.get("etag")
        # It becomes a header of a request.
        if not isinstance(etag, str) or not _ETAG.fullmatch(etag):
            self.reject("the ETag of its archive is not one")
        return etag, self.number(tar.get("size"), "the size of its archive")

    def file(self, value: object, tar_size: int | None) -> OutputFile:
        found = self.mapping(value, "a file")
        path = self.path(found.get("path"))
        shown = _shown(path)
        if not _LINKS.isdisjoint(found) or found.get("type", "file") != "file":
            self.reject(f"'{shown}' is a link, or another thing than a file")
        size = self.number(found.get("size"), f"the size of '{shown}'")
        digest, modified = found.get("sha256"), found.get("modified")
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            self.reject(f"the SHA-256 of '{shown}' is not one")
        if not isinstance(modified, (int, float)) or isinstance(modified, bool) or not _is_time(modified):
            self.reject(f"the time of '{shown}' is not a number of seconds")
        offset = found.get("offset")
        if tar_size is None:
            if offset is not None:
                self.reject(f"'{shown}' has a place in an archive, and there is none")
        elif self.number(offset, f"the place of '{shown}'") + size > tar_size:
            self.reject(f"'{shown}' ends behind the end of the archive")
        return OutputFile(path, size, digest, float(modified), offset)

    def path(self, value: object) -> str:
        if not isinstance(value, str):
            self.reject("a path is not text")
        problem = unsafe(value)
        if problem:
            self.reject(f"the path '{_shown(value)}' {problem}")
        return value

    def check_apart(self, files: tuple[OutputFile, ...]) -> None:
        """Reject files in each other's place: in the archive, and in the folder that they are fetched into."""
        paths = {file.path for file in files}
        if len(paths) < len(files):
            self.reject("a path is in it twice")
        for path in paths:
            folder = path.rpartition("/")[0]
            while folder:
                if folder in paths:
                    self.reject(f"'{_shown(folder)}' is both a file and a folder")
                folder = folder.rpartition("/")[0]
        end = 0
        for file in sorted(files, key=lambda file: (file.offset or 0, file.size)):
            if file.offset is None:
                return
            if file.size and file.offset < end:
                self.reject(f"'{_shown(file.path)}' overlaps another file in the archive")
            end = max(end, file.offset + file.size)

    def left_out(self, value: object) -> LeftOut:
        found = self.mapping(value, "a file that was left out")
        path, reason = found.get("path"), found.get("reason")
        # It is shown only: a name that could not be kept may be an odd one.
        if not isinstance(path, str) or reason not in _REASONS:
            self.reject("a file that was left out has no path or no known reason")
        return LeftOut(path, self.number(found.get("size"), "the size of a file that was left out"), reason)

    def result(self, value: object) -> Mapping[str, Any] | None:
        if value is None:
            return None
        found = self.mapping(value, "'result'")
        self.path(found.get("path"))
        digest = found.get("digest")
        if not isinstance(found.get("kind"), str) or not (digest is None or isinstance(digest, str)):
            self.reject("the kind or the digest of its result is not one")
        return found


def _is_time(seconds: float) -> bool:
    try:
        return math.isfinite(float(seconds))
    except OverflowError:
        return False


def _not_finite(_name: str) -> NoReturn:
    raise ValueError


def _shown(text: str) -> str:
    """Return text of a manifest as an error may show it: no longer than a line, and nothing that moves a cursor."""
    return ascii(text[:120])[1:-1]
