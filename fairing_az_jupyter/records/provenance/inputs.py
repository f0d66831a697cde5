"""The digests of the files that a launch was given."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.models import InputFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK = 1 << 20
_MOST_FILES = 10_000


def input_files(names: Iterable[str], folder: Path) -> tuple[InputFile, ...]:
    """Return the digests of files; of a folder, those of all files in it.

    Args:
        names: The files and folders, as they were named.
        folder: The folder that the names count from.

    Returns:
        The files by their paths; without those that can't be read, and of very many the first 10,000.

    """
    found: dict[str, InputFile] = {}
    for name in names:
        for path in _files(folder / name):
            if len(found) >= _MOST_FILES:
                return tuple(found.values())
            shown = _shown(path, folder)
            if shown not in found:
                with contextlib.suppress(OSError):
                    found[shown] = _digested(path, shown)
    return tuple(sorted(found.values(), key=lambda each: each.path))


def _files(path: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError, ValueError):
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            yield path
        elif stat.S_ISDIR(mode):
            for parent, folders, files in os.walk(path):
                folders.sort()
                yield from (each for name in sorted(files) if (each := Path(parent, name)).is_file())


def _shown(path: Path, folder: Path) -> str:
    with contextlib.suppress(ValueError):
        path = path.relative_to(folder)
    return os.path.normpath(path).replace(os.sep, "/")


def _digested(path: Path, shown: str) -> InputFile:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return InputFile(shown, size, digest.hexdigest())
