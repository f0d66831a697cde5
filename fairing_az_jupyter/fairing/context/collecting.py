"""The build context: which files go into the image, under which names.

`collect` chooses them; `archive` makes one reproducible file of them, and `unpacking` takes it apart again.
"""

from __future__ import annotations

import errno
import logging
import os
import posixpath
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.context.archive import Archive, ArchiveEntry, digest_of, unreadable, write_archive
from fairing_az_jupyter.fairing.context.dockerignore import FILE_NAME, IgnoreRules
from fairing_az_jupyter.fairing.context.unpacking import unpack
from fairing_az_jupyter.folders import LAUNCH_LOGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Archive", "ArchiveEntry", "collect", "digest_of", "unpack", "write_archive"]

logger = logging.getLogger("fairing_az_jupyter")

# What is installed there is listed by its full path, and is needed whatever the user's rules say of their own files.
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def collect(
    context_map: Mapping[str, str | Path], root: Path | None = None, ignore: IgnoreRules | None = None
) -> tuple[ArchiveEntry, ...]:
    """Resolve Fairing's context map to the members of the archive.

    A folder is taken with everything in it. A symlink in such a folder stays a symlink as long as it points into the
    folder; one that is listed itself is followed. What `.dockerignore` excludes is left out, listed or not, as by
    `docker build`; files of installed packages, listed by their full path, are taken in any case. Of a folder the logs
    of launches are left out.

    Args:
        context_map: Destination in the image (such as `/app/train.py`) to source, relative to `root` or absolute.
        root: The working directory; the current one unless given.
        ignore: The rules for sources below `root`; those of its `.dockerignore` unless given.

    Returns:
        The members and the folders above them, sorted by the bytes of their names, each once.

    Raises:
        ContextError: A source is missing, can't be read or is not a file, folder or symlink; a symlink leaves its
            folder; a destination leaves the archive or is taken twice.

    """
    root = Path.cwd() if root is None else Path(root).absolute()
    rules = IgnoreRules.read(root) if ignore is None else ignore
    listed: dict[str, Path] = {}
    members: dict[str, ArchiveEntry] = {}
    for raw_destination, source in sorted(context_map.items(), key=lambda item: item[0]):
        destination = _destination(raw_destination, source)
        real = _located(source, root, raw_destination)
        if listed.setdefault(destination, real) != real:
            raise _taken_twice(destination, listed[destination], real)
        relative = None if _is_installed(source) else _relative(root / source, real, root)
        if relative is not None and rules.prunes(relative):
            logger.warning("'%s' is left out of the image: %s excludes it.", source, root / FILE_NAME)
        elif real.is_dir():
            for entry in _walk(real, destination, rules, relative, Path(os.path.realpath(root))):
                _add(members, entry)
        elif not destination:
            raise ContextError(
                f"'{source}' is a file and has no name in the image: its destination is {raw_destination!r}.",
                hint="Give the destination a file name, such as '/app/train.py'.",
            )
        elif relative is not None and rules.ignores(relative):
            logger.warning("'%s' is left out of the image: %s excludes it.", source, root / FILE_NAME)
        else:
            _add(members, ArchiveEntry(destination, _checked_file(real)))
    return _with_parents(members)


def _destination(raw: str, source: str | Path) -> str:
    """Return a destination as a relative, normalised name."""
    name = posixpath.normpath(raw.lstrip("/"))
    if name == ".." or name.startswith("../"):
        raise ContextError(
            f"The destination {raw!r} of '{source}' is outside the image's file system.",
            hint=f"Put it below the folder of the notebook, or {_mapped(source)}",
        )
    try:
        name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        name = "\0"
    if "\0" in name:
        raise ContextError(
            f"The destination {raw!r} of '{source}' is not a file name.", hint="Use letters, digits, '-', '_' and '.'."
        )
    return "" if name == "." else name


def _located(source: str | Path, root: Path, destination: str) -> Path:
    """Return the real path of a listed source, rejecting what is missing or leaves the working directory unseen."""
    if not str(source) or "\0" in str(source):
        raise ContextError(
            f"The source of '{destination}' is {str(source)!r}, which is not a path.", hint="Give a file or a folder."
        )
    path = root / source
    try:
        path.stat()
    except OSError as error:
        what = f"can't be read ({error.strerror})"
        if isinstance(error, FileNotFoundError):
            what = f"is a symlink to '{path.readlink()}', which does not exist" if path.is_symlink() else "not found"
        raise ContextError(
            (
                f"Source '{source}' of '{destination}' {what} (working directory '{root}'). It would be missing from "
                "the image."
            ),
            hint="Check the name, or change the working directory to the notebook's folder.",
        ) from error
    real = Path(os.path.realpath(path))
    below = Path(os.path.normpath(path)).is_relative_to(os.path.normpath(root))
    if not Path(source).is_absolute() and below and not real.is_relative_to(os.path.realpath(root)):
        raise ContextError(
            f"Source '{source}' is a symlink that leaves the working directory '{root}': it leads to '{real}'.",
            hint=f"Copy it to the working directory, or, if that is intended, {_mapped(real)}",
        )
    return real


def _mapped(source: str | Path) -> str:
    """Return the advice to map a source to a destination of its own."""
    return f"map it with output_map={{{str(source)!r}: '/app/{Path(source).name}'}}."


def _is_installed(source: str | Path) -> bool:
    """Whether a source is a file of an installed package, listed by its full path."""
    path = Path(source)
    return path.is_absolute() and not _INSTALLED.isdisjoint(path.parts)


def _relative(path: Path, real: Path, root: Path) -> str | None:
    """Return a path relative to the working directory, as `.dockerignore` names it; None where it isn't below."""
    for candidate, base in ((os.path.normpath(path), os.path.normpath(root)), (real, os.path.realpath(root))):
        if Path(candidate).is_relative_to(base):
            return Path(candidate).relative_to(base).as_posix()
    return None


def _walk(top: Path, destination: str, rules: IgnoreRules, relative: str | None, root: Path) -> Iterator[ArchiveEntry]:
    """Yield a folder and everything in it that the rules don't exclude; `relative` is its path for the rules."""
    waiting = [(top, destination, relative)]
    while waiting:
        folder, name, ruled = waiting.pop()
        if name and (ruled is None or not rules.ignores(ruled)):
            yield ArchiveEntry(name, folder, "folder")
        try:
            with os.scandir(folder) as scan:
                children = [(child, child.is_dir(follow_symlinks=False), child.is_symlink()) for child in scan]
        except OSError as error:
            raise unreadable(folder, error) from error
        for child, is_folder, is_symlink in children:
            path = Path(child.path)
            inner = posixpath.join(name, child.name)
            below = None if ruled is None else posixpath.join(ruled, child.name)
            if path == root:
                below = ""
            if is_folder:
                # The logs grow with each launch, and would make each image another one.
                if child.name != LAUNCH_LOGS and (below is None or not rules.prunes(below)):
                    waiting.append((path, inner, below))
            elif below is not None and rules.ignores(below):
                continue
            elif is_symlink:
                yield ArchiveEntry(inner, path, "symlink", _link_target(path, top))
            else:
                yield ArchiveEntry(inner, _checked_file(path))


def _link_target(link: Path, top: Path) -> str:
    """Return the target of a symlink in a taken folder, relative to the link's own folder."""
    text = os.readlink(link)  # noqa: PTH115 -- a Path would drop a leading './'
    real = os.path.realpath(link.parent / text)
    if not Path(real).is_relative_to(top):
        raise ContextError(
            f"'{link}' is a symlink to '{text}', outside the folder '{top}' that goes into the image, where it would "
            "point to nothing or to something else.",
            hint=f"Copy what it points to into '{top}', or exclude the link in {FILE_NAME}.",
        )
    # The text can stay if it means the same wherever the folder is put, whichever symlinks it passes through.
    within = posixpath.normpath(posixpath.join(link.parent.relative_to(top).as_posix(), text))
    if not text.startswith("/") and within.partition("/")[0] != ".." and os.path.realpath(top / within) == real:
        return posixpath.normpath(text)
    return Path(os.path.relpath(real, link.parent)).as_posix()


def _checked_file(path: Path) -> Path:
    """Return the path of a regular file that can be read."""
    try:
        mode = path.stat().st_mode
        readable = os.access(path, os.R_OK)
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(mode):
        raise ContextError(
            f"'{path}' is a socket, a pipe or a device, which no image can hold.",
            hint=f"Remove it, or exclude it in {FILE_NAME}.",
        )
    if not readable:
        raise unreadable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return path


def _add(members: dict[str, ArchiveEntry], entry: ArchiveEntry) -> None:
    """Add a member, rejecting a second source for its destination."""
    other = members.setdefault(entry.destination, entry)
    if other is entry or other.kind == entry.kind == "folder":
        return
    if "folder" in {other.kind, entry.kind} or _real(other) != _real(entry):
        raise _taken_twice(entry.destination, other.source, entry.source)
    if other.kind == "symlink":  # listed itself as well, and so followed
        members[entry.destination] = entry


def _real(entry: ArchiveEntry) -> str:
    """Return the file that a member's content comes from."""
    return os.path.realpath(entry.source or "")


def _taken_twice(destination: str, first: Path | None, second: Path | None) -> ContextError:
    """Return the error for two sources with one destination."""
    return ContextError(
        f"'{first}' and '{second}' both have the destination '/{destination}': one would overwrite the other.",
        hint="Give one of them another destination with output_map={source: '/app/name'}.",
    )


def _with_parents(members: dict[str, ArchiveEntry]) -> tuple[ArchiveEntry, ...]:
    """Return the members with the folders above them, sorted."""
    everything = dict(members)
    for entry in members.values():
        parent = posixpath.dirname(entry.destination)
        while parent:
            above = everything.setdefault(parent, ArchiveEntry(parent, None, "folder"))
            if above.kind != "folder":
                raise ContextError(
                    f"'{above.source}' has the destination '/{parent}', which has to be a folder: "
                    f"'{entry.source}' goes to '/{entry.destination}'.",
                    hint="Give one of them another destination with output_map={source: '/app/name'}.",
                )
            parent = posixpath.dirname(parent)
    return tuple(sorted(everything.values(), key=lambda entry: entry.sort_key))
