"""Reads a notebook's bytes and replaces them, so that no reader ever sees half a notebook and no change is lost."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

from fairing_az_jupyter.exceptions import NotebookFileError
from fairing_az_jupyter.files import locked, replace_file

_CHANGED_HINT = "Run it again: it then reads the notebook as it is now."


def read_bytes(path: str | os.PathLike[str], *, shown: str | None = None) -> bytes:
    """Return a notebook file's bytes.

    Args:
        path: The file.
        shown: The notebook's name in messages, where the file is a copy of it; None for the path.

    Raises:
        NotebookFileError: The file does not exist, it is not a regular file, or it can't be read.

    """
    shown = os.fspath(path) if shown is None else shown
    try:
        # A pipe or a device would block or never end.
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise NotebookFileError(
                f"{shown!r} is a folder, not a notebook.", hint="Give the path of a notebook file (*.ipynb) in it."
            )
        if not stat.S_ISREG(mode):
            raise NotebookFileError(
                f"{shown!r} is not a regular file, so it can't be a notebook.",
                hint="Give the path of a notebook file (*.ipynb).",
            )
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise NotebookFileError(
            f"Notebook {shown!r} not found.", hint="Check the spelling and the current folder."
        ) from None
    except (OSError, ValueError) as error:
        raise NotebookFileError(
            f"Notebook {shown!r} can't be read: {_reason(error)}.",
            hint="Check the path and the file's permissions.",
        ) from None


def decode(data: bytes, where: str) -> str:
    """Return a notebook's text; a byte order mark stays its first character.

    Raises:
        NotebookFileError: The bytes are not UTF-8.

    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise NotebookFileError(
            f"The {where} is not UTF-8 (byte {error.start}), as every notebook has to be.",
            hint="Save it as UTF-8, for instance by opening and saving it in JupyterLab.",
        ) from None


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def replace_bytes(path: str | os.PathLike[str], data: bytes, *, expected_digest: str) -> None:
    """Replace a notebook file's bytes in one step.

    A symbolic link stays: its target is replaced. Permissions and, where allowed, the owner are kept. Either the whole
    new notebook is there afterwards or the old one, also when the machine stops half-way.

    Args:
        path: The notebook.
        data: Its new bytes.
        expected_digest: The `digest_of` the bytes that `data` was made from.

    Raises:
        NotebookFileError: The file has other bytes already, is read-only, or can't be written.

    """
    shown = os.fspath(path)
    # Not Path.resolve, which raises RuntimeError where symbolic links go in circles (before Python 3.13).
    target = Path(os.path.realpath(path))
    try:
        # The folder and not the file: a file is replaced, and on SMB shares a locked one can't be read.
        with locked(target.parent, create=False):
            before = _checked(target, shown, expected_digest)

            def check() -> None:
                if _identity(target.stat()) != _identity(before):
                    raise _changed(shown)

            owner = (before.st_uid, before.st_gid)
            replace_file(target, data, mode=stat.S_IMODE(before.st_mode), owner=owner, check=check)
    except TimeoutError:
        raise NotebookFileError(
            f"The folder of notebook {shown!r} is locked by another program; nothing was changed.",
            hint="Run it again when the other program has finished.",
        ) from None
    except OSError as error:
        raise _not_written(shown, target, error) from None


def _checked(target: Path, shown: str, expected_digest: str) -> os.stat_result:
    """Return what the file system says of the file, once its bytes and permissions are what they should be."""
    try:
        before = target.stat()
    except OSError:
        raise _changed(shown) from None
    if digest_of(read_bytes(target)) != expected_digest:
        raise _changed(shown)
    # By the mode bits: root may write to any file, but a read-only notebook is supposed to stay as it is.
    if not before.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise NotebookFileError(
            f"Notebook {shown!r} is read-only; nothing was changed.",
            hint=f"Make it writable (chmod u+w {shown!r}) or fill a copy of it.",
        )
    return before


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _changed(shown: str) -> NotebookFileError:
    return NotebookFileError(
        f"Notebook {shown!r} has changed since it was read; nothing was written.", hint=_CHANGED_HINT
    )


def _not_written(shown: str, target: Path, error: OSError) -> NotebookFileError:
    folder = str(target.parent)
    hint = f"Check that the folder {folder!r} is writable."
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        hint = f"Free some space on the disk of {folder!r}, and run it again."
    return NotebookFileError(f"Notebook {shown!r} can't be written: {_reason(error)}. It is unchanged.", hint=hint)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
