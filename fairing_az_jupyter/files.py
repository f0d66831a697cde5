"""Files that several processes share: replaced whole or not at all, changed by one process at a time."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

LOCK_SECONDS = 10.0
_POLL_SECONDS = 0.02


def replace_file(
    target: Path,
    data: bytes,
    *,
    mode: int,
    owner: tuple[int, int] | None = None,
    check: Callable[[], None] | None = None,
    durable: bool = True,
) -> None:
    """Give a file new bytes in one step: either all of them are there afterwards or the old file is.

    That also holds when the machine stops half-way. Nothing else is left in the folder.

    Args:
        target: The file itself, not a symbolic link to it.
        data: Its new bytes.
        mode: Its permission bits.
        owner: Its user and group, if they are to be kept; passed over where the system does not allow it.
        check: Called when the new file is complete, right before it takes the old one's place; what it raises stops
            the replacement.
        durable: Whether to wait until the bytes are on the disk. Without it the file may be lost, or be an old one,
            if the machine stops right afterwards; not if this process does.

    Raises:
        OSError: The folder or the disk does not allow it.

    """
    handle, name = tempfile.mkstemp(prefix=".fairing-az-", suffix=".tmp", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        made = temporary.stat()
        if owner is not None and owner != (made.st_uid, made.st_gid) and hasattr(os, "chown"):
            with contextlib.suppress(OSError):
                os.chown(temporary, *owner)
        temporary.chmod(mode)
        if check is not None:
            check()
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the replacement itself last; where a file system can't, it lasts as soon as the system writes it back."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def locked(path: Path, *, seconds: float | None = None, create: bool = True) -> Iterator[None]:
    """Let one process or thread at a time continue; the lock ends with its process.

    Some network file systems have no locks, and Windows has none of this kind: there nobody waits.

    Args:
        path: The file to lock, or a folder.
        seconds: How long to wait; None for LOCK_SECONDS.
        create: Whether to make the file. If not, what can't be opened is not locked.

    Yields:
        Nothing.

    Raises:
        TimeoutError: Another process has kept the lock all the time.
        OSError: The file can't be made.

    """
    handle = None
    if create:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    else:
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_RDONLY)
    try:
        seconds = LOCK_SECONDS if seconds is None else seconds
        deadline = time.monotonic() + seconds
        while handle is not None and not _take_lock(handle):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    None, f"another process has kept it locked for {seconds:.0f} seconds; nothing was changed"
                )
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _take_lock(handle: int) -> bool:
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system without locks
    return True
