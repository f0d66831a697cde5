"""Names of files that a job has written, as a manifest may have them and as a folder may take them."""

from __future__ import annotations

import difflib
import fnmatch
import re
import unicodedata
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["chosen", "collision_key", "not_portable", "unknown_file", "unsafe"]

_DRIVE = re.compile(r"[A-Za-z]:")
_LONGEST_PATH = 4096
_LONGEST_NAME = 255
# Source: https://learn.microsoft.com/windows/win32/fileio/naming-a-file#naming-conventions
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])[ ]*(?:\..*)?", re.IGNORECASE)
_NOT_IN_WINDOWS = re.compile(r'[<>:"|?*\x00-\x1f]')
_GLOB = re.compile(r"[*?\[]")
_SHOWN = 10


def unsafe(path: str) -> str:
    """Tell why a path may lead out of a folder, on whatever system it is read.

    Args:
        path: A relative POSIX path.

    Returns:
        The reason as the rest of a sentence that begins with the path; empty where the path is safe.

    """
    if not path or len(path) > _LONGEST_PATH:
        return f"has not 1 to {_LONGEST_PATH} characters"
    if "\0" in path or "\\" in path:
        return "contains a backslash or a NUL character"
    if path.startswith("/"):
        return "is absolute"
    parts = path.split("/")
    if _DRIVE.match(parts[0]):
        return "names a drive"
    if any(part in {"", ".", ".."} for part in parts):
        return "has an empty part, '.' or '..'"
    return ""


def not_portable(path: str, *, windows: bool) -> str:
    """Tell why a system can't have a file of this name, which the job's own system has.

    Args:
        path: A safe relative POSIX path.
        windows: Whether the system is Windows; every other takes any name that is not too long.

    Returns:
        The reason as the rest of a sentence that begins with the path; empty where there is none.

    """
    for part in path.split("/"):
        if len(part.encode("utf-8", "surrogateescape" if _encodes(part) else "replace")) > _LONGEST_NAME:
            return "has a name that is too long"
        if windows and (_RESERVED.fullmatch(part) or _NOT_IN_WINDOWS.search(part) or part[-1] in {".", " "}):
            return "has a name that Windows does not allow"
    return ""


def collision_key(path: str) -> str:
    """Return what two paths have in common that are one file where case and Unicode form don't count.

    Args:
        path: A relative POSIX path.

    """
    return unicodedata.normalize("NFC", path).casefold()


def chosen(names: Iterable[str], paths: Sequence[str]) -> list[str]:
    """Return the paths that names stand for, in the order of the paths.

    Args:
        names: Paths, patterns such as `*.png` and `plots/**`, or folders; none for all paths. A `*` also stands for
            slashes, as in `git add`.
        paths: The paths that there are.

    Raises:
        InputError: A name stands for none of them (code `output-unknown`).

    """
    wanted: set[str] = set()
    given = [name.replace("\\", "/") if "\\" in name and name not in paths else name for name in names]
    if not given:
        return list(paths)
    known = set(paths)
    for name in given:
        plain = name.removeprefix("./")
        if plain in known:
            wanted.add(plain)
            continue
        folder = plain.rstrip("/") + "/"
        found = {path for path in paths if path.startswith(folder)} if plain not in {"", "."} else known
        if not found and _GLOB.search(plain):
            found = {path for path in paths if fnmatch.fnmatchcase(path, plain)}
        if not found:
            raise unknown_file(name, paths)
        wanted |= found
    return [path for path in paths if path in wanted]


def unknown_file(name: str, paths: Sequence[str]) -> InputError:
    """Return the error for a name that none of the files has.

    Args:
        name: The name.
        paths: The paths that there are.

    """
    if not paths:
        return InputError(
            f"File {name[:200]!r} not found: the job wrote no files that were kept.",
            hint="Write files below the job's working folder: they are kept when it ends.",
            code="output-unknown",
        )
    own = {path.rpartition("/")[2]: path for path in paths}
    near = difflib.get_close_matches(name, paths, n=1) or difflib.get_close_matches(name.rpartition("/")[2], own, n=1)
    suggestion = f" Did you mean '{own.get(near[0], near[0])}'?" if near else ""
    listed = ", ".join(paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return InputError(
        f"File {name[:200]!r} not found among the {len(paths)} that the job wrote.{suggestion}",
        hint=f"There {'is' if len(paths) == 1 else 'are'}: {listed}{more}",
        code="output-unknown",
    )


def _encodes(part: str) -> bool:
    try:
        part.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
