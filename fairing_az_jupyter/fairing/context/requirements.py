"""What a requirements file asks for, as far as a builder has to know, and what of it may be shown.

Source: https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

from __future__ import annotations

import codecs
import re

__all__ = ["asks_for_something", "needs_files", "requirements_shown", "requirements_text", "without_secrets"]

# pip takes an option's name shortened, too, as long as it can mean one only.
_REQUIREMENT = r"-r|--requirem[a-z]*(?=[\s=])"
_EDITABLE = r"-e|--e[a-df-wyz][a-z]*(?=[\s=])"
_CONSTRAINT = r"-c|--c[a-z]*(?=[\s=])"
_WITH_FILES = re.compile(rf"(?:{_REQUIREMENT}|{_EDITABLE}|{_CONSTRAINT}|-f|--f[a-z-]*(?=[\s=]))[\s=]*(\S+)")
_INDEX = re.compile(r"(?:-i|--(?:index|extra|pypi)[a-z-]*(?=[\s=]))[\s=]*(\S+)")
_ASKS = re.compile(rf"{_REQUIREMENT}|{_EDITABLE}")
_EDITABLE_START = re.compile(rf"(?:{_EDITABLE})[\s=]*")
_SCHEME = re.compile(r"(?:git|hg|svn|bzr)\+(?!file:)|https?://|ftp://", re.IGNORECASE)
_FILE_SCHEME = re.compile(r"(?:^|@\s*|\+)file:", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")
_LOCAL = re.compile(r"[./\\~]|.*[/\\]|.*\.(?:whl|zip|tar\.gz|tar\.bz2|tgz)(?:\[|;|\s|$)")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16's, which are their beginnings.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_USER_OF_URL = re.compile(r"(?<=://)[^/\s]*@")
_QUERY_OF_URL = re.compile(r"(\w://[^\s?#]*)\?[^\s#'\")]+")
# As package indexes that put a token into the path do it; a digest may look the same, and tells a reader nothing.
_TOKEN_IN_URL = re.compile(r"(?<=/)(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{24,}(?=/)")
_URL = re.compile(r"\w+://\S+")
_LONGEST = 4000


def requirements_text(content: bytes) -> str:
    """Return the text of a requirements file, read as pip reads it.

    Args:
        content: The file's bytes: UTF-8, UTF-16 or UTF-32 by its byte order mark, or what its first lines declare.

    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    for line in content.split(b"\n", 2)[:2]:
        declared = _CODING.search(line) if line.startswith(b"#") else None
        if declared:
            try:
                return content.decode(declared[1].decode("ascii"), "replace")
            except LookupError:
                break
    return content.decode("utf-8", "replace")


def needs_files(text: str) -> bool:
    """Tell whether a requirements file names other files or folders, so that it can't be installed alone.

    Args:
        text: The file's content.

    Returns:
        Whether it does; where that can't be determined for certain, too.

    """
    return any(_names_a_file(line) for line in _lines(text))


def asks_for_something(text: str) -> bool:
    """Tell whether a requirements file has anything installed: comments, options and constraints alone do not.

    Args:
        text: The file's content.

    """
    return any(not line.startswith("-") or _ASKS.match(line) for line in _lines(text))


def requirements_shown(text: str) -> str:
    """Return the requirements as they may stand in an image's history: in one line, without options and credentials.

    Args:
        text: The file's content.

    Returns:
        The line, of characters that can be printed; of a long file, its beginning.

    """
    lines = [_EDITABLE_START.sub("", line) for line in _lines(text)]
    # A requirement's own options (--hash) are long and say nothing to who reads the history.
    asked = [re.split(r"\s--", line, maxsplit=1)[0].strip() for line in lines if not line.startswith("-")]
    shown = ", ".join(map(without_secrets, asked))
    shown = "".join(character if character.isprintable() else "?" for character in shown)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def without_secrets(text: str) -> str:
    """Return a text whose URLs have no credential any more, wherever pip lets one stand: before the host or behind it.

    Args:
        text: Requirements, or what pip says about them.

    """
    if "://" not in text:
        return text
    shown = _USER_OF_URL.sub("***@", text)
    shown = _QUERY_OF_URL.sub(r"\1?***", shown)
    return _URL.sub(lambda url: _TOKEN_IN_URL.sub("***", url[0]), shown)


def _lines(text: str) -> list[str]:
    """Return the lines that say something, joined and stripped of comments as pip does it."""
    joined: list[str] = []
    started = ""
    for raw in text.removeprefix("\ufeff").splitlines():
        # A comment ends where its line ends, whatever is its last character.
        comment = raw.lstrip().startswith("#")
        if raw.endswith("\\") and not comment:
            started += raw.strip("\\")
            continue
        joined.append(f"{started} {raw}" if comment else started + raw)
        started = ""
    return [line for raw in (*joined, started) if (line := _COMMENT.sub("", raw).strip())]


def _names_a_file(line: str) -> bool:
    option = _WITH_FILES.match(line)
    if option:
        return not _SCHEME.match(option[1])
    option = _INDEX.match(line)
    if option:
        return not _SCHEME.match(option[1]) and not _VARIABLE.search(option[1])
    if line.startswith("-"):
        return False
    if _FILE_SCHEME.search(line):
        return True
    name = line.partition(";")[0].strip()
    return not _SCHEME.match(name) and "@" not in name and _LOCAL.match(name) is not None
