"""This machine's files for runs: read with errors that say what to do, and replaced as a whole."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from pathlib import Path

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.files import replace_file

__all__ = ["new_mode", "paths", "read", "write"]


def read(path: str) -> bytes:
    """Return a file's bytes.

    Args:
        path: The file.

    Raises:
        InputError: There is none, or it can't be read.

    """
    try:
        # A pipe could block for ever.
        if not stat.S_ISREG(Path(path).stat().st_mode):
            what = "a folder" if Path(path).is_dir() else "not a regular file"
            raise InputError(f"'{path}' is {what}, so it can't be read.", hint="Use a file.", code="no-file")
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        hint = f"Check the path; the current folder is '{Path.cwd()}'."
        raise InputError(f"File '{path}' not found.", hint=hint, code="no-such-file") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"The file {_quoted(path)} can't be read: {_reason(error)}.",
            hint="Check the path and the file's permissions.",
            code="unreadable-file",
        ) from None


def write(path: str, data: bytes) -> None:
    """Replace a file's bytes in one step; what a symbolic link points to is replaced, and permissions are kept.

    Args:
        path: The file; it is made if it is not there, its folder is not.
        data: Its new bytes.

    Raises:
        InputError: It can't be written; what was there before is still there.

    """
    try:
        # Not Path.resolve, which raises RuntimeError where symbolic links go in circles (before Python 3.13).
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            folder = target.parent
            hint = f"Create it: mkdir -p '{folder}'"
            raise InputError(f"The folder '{folder}' of '{path}' does not exist.", hint=hint, code="no-such-folder")
        try:
            found: os.stat_result | None = target.stat()
        except FileNotFoundError:
            found = None
        if found is None:
            replace_file(target, data, mode=new_mode(target.parent))
        elif stat.S_ISCHR(found.st_mode):
            # Such as /dev/null, which must not be replaced by a file.
            target.write_bytes(data)
        else:
            _check(path, found)
            replace_file(target, data, mode=stat.S_IMODE(found.st_mode), owner=(found.st_uid, found.st_gid))
    except (OSError, ValueError) as error:
        full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        raise InputError(
            f"{_quoted(path)} can't be written: {_reason(error)}. Nothing was changed.",
            hint="Free some disk space." if full else "Choose a file in a writable folder.",
            code="unwritable-file",
        ) from None


def paths(prefix: str) -> list[str]:
    """List files: all below a folder, or those whose paths begin with a text.

    Args:
        prefix: A folder, or what paths begin with.

    Returns:
        Their paths, in order.

    """
    folder = prefix if os.path.isdir(prefix) else os.path.dirname(prefix)  # noqa: PTH112, PTH120 - keeps './'
    found = []
    for place, _, names in os.walk(folder or os.curdir):
        joined = (os.path.join(place, name) for name in names)  # noqa: PTH118 - as above
        found += [os.path.relpath(path) if not folder else path for path in joined]
    return sorted(path for path in found if path.startswith(prefix))


def _check(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise InputError(f"'{path}' is {what}, so it can't be written.", hint="Use a file.", code="no-file")
    # By the mode bits: root may write to any file, but a read-only one is supposed to stay as it is.
    if not found.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise InputError(
            f"'{path}' is read-only; nothing was changed.",
            hint=f"Make it writable (chmod u+w '{path}') or choose another file.",
            code="read-only-file",
        )


def new_mode(folder: Path) -> int:
    """Return the permissions of a new file there: by the umask, which can't be read alone, and by the folder's own."""
    trial = folder / f".fairing-az-{uuid.uuid4().hex}.tmp"
    handle = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return stat.S_IMODE(os.fstat(handle).st_mode)
    finally:
        os.close(handle)
        trial.unlink()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _quoted(path: str) -> str:
    return f"'{path}'" if path.isprintable() else ascii(path)
