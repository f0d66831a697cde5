"""Paths of Jupyter's contents as paths of files, never outside of the contents' folder."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from fairing_az_jupyter.exceptions import InputError

_SHARED = "RTC:"
"""The drive of shared editing (jupyter-collaboration); its files are those of the contents."""
_DRIVE = re.compile(r"[A-Za-z][\w.-]*:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_NAME = 255


@dataclasses.dataclass(frozen=True)
class Contents:
    """The folder that Jupyter's contents show.

    Args:
        root: The folder; None where the contents are not files of this machine.
        hidden: Whether hidden files are shown.

    """

    root: str | None
    hidden: bool = False

    def file(self, path: str, *, what: str = "notebook") -> str:
        """Return the path of a file that is there.

        Args:
            path: Its path in the contents.
            what: What it is, for messages.

        Raises:
            InputError: It is not there, or not in the contents.

        """
        found = self.place(path, what=what)
        if not os.path.isfile(found):  # noqa: PTH113 - raises for no name, and `Path` does for those that are too long
            raise _missing(path, what)
        return found

    def place(self, path: str, *, what: str = "file") -> str:
        """Return the path of a file that need not be there; its folder must be.

        Args:
            path: Its path in the contents; `RTC:` in front of it is taken off.
            what: What it is, for messages.

        Raises:
            InputError: It leads out of the contents, is hidden, or is not a path.

        """
        if self.root is None:
            raise InputError(
                f"The {what} {path[:80]!r} can't be used: this Jupyter server does not keep its contents as files.",
                hint="Use the command line where the notebook is a file: fairing-azure --help",
                code="contents",
            )
        names = self._names(path.removeprefix(_SHARED), path, what)
        root = os.path.realpath(self.root)
        found = os.path.join(self.root, *names)  # noqa: PTH118 - as the user named it, links included
        real = os.path.realpath(found)
        if real != root and os.path.commonpath([root, real]) != root:
            raise _rejected(path, what, "it leads outside Jupyter's root folder")
        if not self.hidden and self._is_hidden(names, real, root):
            raise _missing(path, what)
        if not Path(real).parent.is_dir():
            raise _missing(path, what)
        return found

    def path_of(self, file: str | None) -> str | None:
        """Return the path in the contents of a file that is there; None if the contents do not show it.

        Args:
            file: The file's path.

        """
        if self.root is None or not file or not os.path.isabs(file):  # noqa: PTH117 - as above
            return None
        root = os.path.realpath(self.root)
        try:
            real = os.path.realpath(file)
            if os.path.commonpath([root, real]) != root or not os.path.isfile(real):  # noqa: PTH113 - as above
                return None
        except ValueError:
            return None
        # As it was named, where that is below the folder as it is named: a link keeps its own name.
        for base, named in ((self.root, os.path.normpath(file)), (root, real)):
            relative = os.path.relpath(named, base)
            if Path(relative).parts[:1] != (os.pardir,):
                names = list(Path(relative).parts)
                return "/".join(names) if self.hidden or not self._is_hidden(names, real, root) else None
        return None

    def _names(self, path: str, given: str, what: str) -> list[str]:
        if _CONTROL.search(path):
            raise _rejected(given, what, "it contains a control character")
        try:
            path.encode()
        except UnicodeEncodeError:
            raise _rejected(given, what, "it contains half a surrogate pair") from None
        if "\\" in path:
            raise _rejected(given, what, "it contains a backslash; separate folders with /")
        if path.startswith("/"):
            raise _rejected(given, what, "it begins with /; give it relative to Jupyter's root folder")
        names = [name for name in path.split("/") if name not in {"", "."}]
        if not names:
            raise _rejected(given, what, "it does not name a file")
        if _DRIVE.match(names[0]):
            raise _rejected(given, what, "it is on another drive than Jupyter's own files")
        if os.pardir in names:
            raise _rejected(given, what, "it contains ..")
        if any(len(name.encode()) > _LONGEST_NAME for name in names):
            raise _rejected(given, what, "a name in it is too long")
        return names

    def _is_hidden(self, names: list[str], real: str, root: str) -> bool:
        # Jupyter's rule: a name that begins with a dot, of the file or of any folder on the way; also behind a link.
        behind = Path(os.path.relpath(real, root)).parts
        return any(name.startswith(".") and name not in {".", ".."} for name in (*names, *behind))


def _missing(path: str, what: str) -> InputError:
    return InputError(
        f"{what.capitalize()} {path[:200]!r} not found among the files that Jupyter shows.",
        hint="Check the name and folder in the file browser. Save the file first if it is new.",
        code="file-missing",
    )


def _rejected(path: str, what: str, why: str) -> InputError:
    return InputError(
        f"The path {path[:200]!r} of the {what} can't be used: {why}.",
        hint="Give the path that the file browser shows, such as work/notebook.ipynb.",
        code="contents-path",
    )
