"""The whole output of a launch, in a file beside the notebook that the notebook links to."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.folders import LAUNCH_LOGS, data_folder

if TYPE_CHECKING:
    from io import TextIOWrapper

__all__ = ["LaunchLog"]

_KEPT_LOGS = 20
_TRIES = 100


class LaunchLog:
    """A log file; made with its first text, in `fairing-azure-logs` below the working directory.

    Where nothing can be written there, it lies in this package's data folder, and can't be linked to; where nothing can
    be written at all, there is none. Of its folder the newest 20 stay.

    Args:
        what: What is launched, as a part of the file's name.
        linked: Whether who shows it can link to it.

    """

    def __init__(self, what: str, *, linked: bool = True) -> None:
        self._linked = linked
        self._what = re.sub(r"[^\w-]+", "-", what).strip("-")[:60] or "launch"
        self._file: TextIOWrapper | None = None
        self._ended = False
        self.path: Path | None = None
        """Where it is; None as long as nothing was written."""
        self.link = ""
        """What a notebook of the working directory links to; empty where it can't."""

    def write(self, text: str) -> None:
        """Write a text; one that can't be written is left out: the launch does not need it.

        Args:
            text: The text.

        """
        if self._file is None and not self._ended:
            self._open()
        if self._file is not None:
            with contextlib.suppress(OSError, ValueError):
                self._file.write(text)
                self._file.flush()

    def close(self) -> None:
        """End it; safe to repeat."""
        self._ended = True
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _open(self) -> None:
        # Where the working directory itself is gone, there is no place beside the notebook.
        with contextlib.suppress(OSError):
            if self._opened_in(Path.cwd() / LAUNCH_LOGS):
                self.link = quote(f"{LAUNCH_LOGS}/{self.path.name}") if self.path is not None and self._linked else ""
                return
        with contextlib.suppress(InputError, OSError):
            self._opened_in(data_folder("logs"))
        self._ended = self._file is None

    def _opened_in(self, folder: Path) -> bool:
        name = f"{self._what}-{time.strftime('%Y%m%d-%H%M%S')}"
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            for number in range(_TRIES):
                path = folder / f"{name}{f'-{number}' if number else ''}.log"
                with contextlib.suppress(FileExistsError):
                    self._file = path.open("x", encoding="utf-8", errors="backslashreplace")
                    self.path = path
                    _prune(folder)
                    return True
        return False


def _prune(folder: Path) -> None:
    """Remove the oldest logs; those of running launches are among the newest."""
    logs = []
    for path in folder.glob("*.log"):
        # Another kernel may just have removed it.
        with contextlib.suppress(OSError):
            logs.append((path.lstat().st_mtime, path))
    for _, old in sorted(logs)[:-_KEPT_LOGS]:
        with contextlib.suppress(OSError):
            old.unlink()
