"""Profiles as files: TOML that keeps its comments when a value changes, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import ProfileError
from fairing_az_jupyter.files import locked, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tomlkit import TOMLDocument

_BOM = "\ufeff"
_NEW_FILE_MODE = 0o600
_WRITABLE = 0o222


@contextlib.contextmanager
def profile_errors(action: str, path: Path) -> Iterator[None]:
    """Turn the operating system's errors into errors of ours that name the file and the fix.

    Args:
        action: What was tried, as in "read".
        path: The file or folder.

    Yields:
        Nothing.

    Raises:
        ProfileError: The operating system reported an error.

    """
    try:
        yield
    except OSError as rejected:
        message = f"Can't {action} {path}: {rejected.strerror or rejected}."
        hint = "Make it readable and writable for you, or choose another folder with FAIRING_AZURE_CONFIG_DIR."
        if isinstance(rejected, TimeoutError):
            hint = "End or resume that process (a stopped kernel or terminal), then try again."
        raise ProfileError(message, hint=hint, code="profile-file") from rejected


def load(path: Path) -> str:
    """Read a file as text: UTF-8, with or without a byte order mark, with any line ends.

    Args:
        path: The file.

    Returns:
        The text with its line ends as they are, without the byte order mark.

    Raises:
        ProfileError: It can't be read, or is not UTF-8.

    """
    with profile_errors("read", path):
        raw = path.read_bytes()
    try:
        return raw.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ProfileError(
            f"{path} is not UTF-8 (line {line}), so it can't be read as TOML.",
            hint="Save it again with the encoding UTF-8.",
            code="profile-file",
        ) from None


def parse(text: str, path: Path) -> TOMLDocument:
    """Read text as TOML.

    Args:
        text: The text.
        path: The file that it comes from, for messages.

    Returns:
        The document with its comments and blanks.

    Raises:
        ProfileError: It is not valid TOML; the message names the line.

    """
    import tomlkit  # noqa: PLC0415 - as slow as the rest of this module, and needed only where there is a profile
    from tomlkit.exceptions import ParseError, TOMLKitError  # noqa: PLC0415 - as above

    where = ""
    try:
        return tomlkit.parse(text)
    except ParseError as error:
        where = f" in line {error.line}"
    except (TOMLKitError, ValueError, ArithmeticError, LookupError, RecursionError):
        where = ""
    # The parser's own words are left out, and its error too: they may repeat what stands in the file.
    raise ProfileError(
        f"{path} is not TOML: the mistake is{where or ' somewhere in it'}. A broken profile is not used.",
        hint='Write one setting a line, text in quotes, each name once: docker_registry = "contosoml.azurecr.io"',
        code="profile-file",
    )


def edit(text: str, values: Mapping[str, Any], remove: Iterable[str], path: Path) -> str:
    """Change some values of a TOML text, and leave every other line alone.

    Args:
        text: The text; its line ends are kept for new lines.
        values: The values to set; None is written as "".
        remove: The names to take out.
        path: The file that it comes from, for messages.

    Returns:
        The changed text; the same text where it says all this already.

    Raises:
        ProfileError: The text is not valid TOML, or can't be changed by a program.

    """
    import tomlkit  # noqa: PLC0415 - see `parse`

    document = parse(text, path)
    before = document.unwrap()
    wanted = {name: "" if value is None else value for name, value in values.items()}
    removed = [name for name in remove if name in document]
    for name in removed:
        document.remove(name)
    for name, value in wanted.items():
        if name not in before or before[name] != value or type(before[name]) is not type(value):
            document[name] = value
    edited = tomlkit.dumps(document)
    if "\r\n" in text and not re.search(r"(?<!\r)\n", text):
        edited = re.sub(r"(?<!\r)\n", "\r\n", edited)
    expected = {name: value for name, value in before.items() if name not in removed} | wanted
    if parse(edited, path).unwrap() != expected:
        message = f"{path} can't be edited without breaking its formatting."
        raise ProfileError(message, hint="Change the file in an editor.", code="profile-file")
    return edited


def line_of(name: str, text: str) -> int:
    """Return the line on which a name is given a value.

    Args:
        name: The name.
        text: The TOML text.

    Returns:
        The line's number from 1; 0 if there is none.

    """
    found = re.search(rf"(?m)^[ \t]*(?:\[+)?[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*[=.\]]", text)
    return text.count("\n", 0, found.start()) + 1 if found else 0


def write(path: Path, text: str) -> None:
    """Put text into a file, all of it or none: other processes see the old file or the new one.

    A byte order mark, the file's mode and a symbolic link to it stay. A file that is the same already is not touched.

    Args:
        path: The file.
        text: The text.

    Raises:
        ProfileError: It can't be written; the old file is as it was.

    """
    with profile_errors("write", path):
        target = Path(os.path.realpath(path))
        old = target.read_bytes() if target.exists() else None
        new = (_BOM if old is not None and old.startswith(_BOM.encode()) else "").encode() + text.encode()
        if new == old:
            return
        mode = target.stat().st_mode & 0o7777 if old is not None else _NEW_FILE_MODE
        if not mode & _WRITABLE:
            raise PermissionError(None, "it is read-only")
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(target, new, mode=mode)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process or thread at a time change what is in a folder.

    The lock ends with its process. Some network file systems have none; there, each file is still whole, but of two
    changes at the same moment the later one stays.

    Args:
        folder: The folder; it is made if it is not there.

    Yields:
        Nothing.

    Raises:
        ProfileError: The folder can't be used, or another process keeps the lock.

    """
    with contextlib.ExitStack() as held:
        with profile_errors("use", folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            held.enter_context(locked(folder / ".lock"))
        yield
