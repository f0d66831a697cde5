"""What a requirements file asks for, as far as a builder has to know.

Source: https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import re

__all__ = ["needs_files", "requirements_shown"]

_OPTIONS_WITH_FILES = re.compile(r"(?:-[rcef]|--(?:requirement|constraint|editable|find-links)(?=[\s=]))[\s=]*(\S+)")
_SCHEME = re.compile(r"(?:git|hg|svn|bzr)\+|https?://|ftp://")
_FILE_SCHEME = re.compile(r"(?:^|@\s*|\+)file:")
_LOCAL = re.compile(r"[./\\~]|.*[/\\]|.*\.(?:whl|zip|tar\.gz|tar\.bz2|tgz)(?:\[|;|\s|$)")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_CONTINUED = re.compile(r"\\\r?\n")
_USER_OF_URL = re.compile(r"(?<=://)[^/@\s]+@")
_LONGEST = 4000


def needs_files(text: str) -> bool:
    """Tell whether a requirements file names other files or folders, so that it can't be installed alone.

    Args:
        text: The file's content.

    Returns:
        Whether it does; where that can't be told for certain, too.

    """
    return any(_names_a_file(line) for line in _lines(text))


def requirements_shown(text: str) -> str:
    """Return the requirements as they may stand in an image's history: in one line, without options and credentials.

    Args:
        text: The file's content.

    """
    asked = [line for line in _lines(text) if not line.startswith("-")]
    # A requirement's own options (--hash) are long and say nothing to who reads the history.
    shown = ", ".join(_USER_OF_URL.sub("***@", line.partition(" --")[0].strip()) for line in asked)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def _lines(text: str) -> list[str]:
    joined = _CONTINUED.sub(" ", text.removeprefix("\ufeff"))
    return [line for raw in joined.splitlines() if (line := _COMMENT.sub("", raw).strip())]


def _names_a_file(line: str) -> bool:
    option = _OPTIONS_WITH_FILES.match(line)
    if option:
        return not _SCHEME.match(option[1])
    if line.startswith("-"):
        return False
    if _FILE_SCHEME.search(line):
        return True
    name = line.partition(";")[0].strip()
    return not _SCHEME.match(name) and "@" not in name and _LOCAL.match(name) is not None
