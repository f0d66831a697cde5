"""Files that a job on this machine has written, kept in a folder with their list."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.outputs.manifest import FILES_FOLDER, MANIFEST, LeftOut, Manifest, OutputFile
from fairing_az_jupyter.outputs.paths import unsafe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["keep"]

_BLOCK = 1 << 20


def keep(
    folder: Path,
    paths: Sequence[str],
    into: Path,
    *,
    limit: int | None = None,
    left_out: Sequence[LeftOut] = (),
    complete: bool = True,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
) -> Manifest:
    """Move files of a job's working folder to where they are kept, and write their list last.

    A file is moved where both folders are on one file system, and copied elsewhere. What an earlier attempt has kept
    there is gone afterwards.

    Args:
        folder: The working folder.
        paths: The files, relative to it, as POSIX paths.
        into: The folder that gets `manifest.json` and `files/`; it is made if it is not there.
        limit: Bytes of all files together; None for no limit. Files beyond it stay where they are.
        left_out: What else was not kept.
        complete: Whether the program has ended.
        result: See `Manifest`.
        error: See `Manifest`.

    Returns:
        The list.

    Raises:
        OSError: The folder can't be written; it has no list then.

    """
    into.mkdir(parents=True, exist_ok=True)
    # First: what is whole has a list, and this is not whole from here on.
    (into / MANIFEST).unlink(missing_ok=True)
    files = into / FILES_FOLDER
    if files.exists():
        shutil.rmtree(files)
    files.mkdir()
    kept: list[OutputFile] = []
    missed: list[LeftOut] = list(left_out)
    size = 0
    for path in paths:
        found = _kept(folder, path, files, None if limit is None else limit - size)
        if isinstance(found, LeftOut):
            missed.append(found)
        else:
            kept.append(found)
            size += found.size
    manifest = Manifest(
        tuple(sorted(kept, key=lambda file: file.path)),
        secrets.token_hex(8),
        complete,
        tuple(missed),
        result=result,
        error=error,
    )
    replace_file(into / MANIFEST, manifest.dump(), mode=0o600)
    return manifest


def _is_inside(folder: Path, path: Path) -> bool:
    """Tell whether a file is below a folder, wherever links on the way lead."""
    return path.resolve().is_relative_to(folder.resolve())


def _kept(folder: Path, path: str, files: Path, room: int | None) -> OutputFile | LeftOut:
    """Keep one file; return why not where it can't be."""
    source, target, size = folder / path, files / path, 0
    try:
        found = source.lstat()
        if stat.S_ISLNK(found.st_mode) and _is_inside(folder, source):
            source = source.resolve()
            found = source.stat()
        size = found.st_size
        if unsafe(path) or not stat.S_ISREG(found.st_mode) or not _is_inside(folder, source):
            return LeftOut(path, size, "unreadable")
        if room is not None and size > room:
            return LeftOut(path, size, "limit")
        opened = source.open("rb")
    except (FileNotFoundError, PermissionError, ValueError):
        return LeftOut(path, size, "unreadable")
    with opened:
        modified = os.fstat(opened.fileno()).st_mtime
        target.parent.mkdir(parents=True, exist_ok=True)
        # A file with other names could be changed through them.
        if found.st_nlink == 1 and source == folder / path and _moved(source, target):
            # It is the same file still, by another name.
            digest, size = _copied(opened, None)
        else:
            with target.open("wb") as copy:
                digest, size = _copied(opened, copy)
    return OutputFile(path, size, digest, modified)


def _moved(source: Path, target: Path) -> bool:
    try:
        source.rename(target)
    except OSError:
        return False
    return True


def _copied(source: Any, target: Any) -> tuple[str, int]:  # noqa: ANN401 - binary files
    digest, size = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        digest.update(block)
        size += len(block)
        if target is not None:
            target.write(block)
    return digest.hexdigest(), size
