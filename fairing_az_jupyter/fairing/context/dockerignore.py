"""The rules of a `.dockerignore` file: which files stay out of the build context.

Rules as Docker documents them (https://docs.docker.com/build/concepts/context/#dockerignore-files); where that page
leaves a case open, as https://github.com/moby/patternmatcher decides it, which is what `docker build` runs.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import ContextError

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = ".dockerignore"

_SPECIAL = frozenset("*?[]\\")
_ANY_FOLDERS = "(?:.*/)?"
_SYNTAX = "Write a literal '[', '*' or '?' with a backslash before it, close every '[' with ']', or remove the line."


class _MalformedError(ValueError):
    """A pattern breaks the syntax of Go's `filepath.Match`."""


@dataclasses.dataclass(frozen=True)
class _Rule:
    """One line: its cleaned pattern, whether it starts with `!`, and what it matches (children included)."""

    pattern: str
    exception: bool
    regex: re.Pattern[str]

    def may_match_below(self, folder: list[str]) -> bool:
        """Whether the pattern could match a path below a folder without matching the folder itself."""
        parts = self.pattern.split("/")
        for part, name in zip(parts, folder, strict=False):
            if any(special in part for special in ("**", "[", "\\")):
                return True  # it may span folders; reading one too many does no harm
            if not re.fullmatch(_regex(part), name, re.DOTALL):
                return False
        return len(parts) > len(folder)


@dataclasses.dataclass(frozen=True)
class IgnoreRules:
    """The rules of one `.dockerignore` file, in their order.

    Args:
        rules: The parsed lines; without any, nothing is ignored. Use `IgnoreRules.read` or `IgnoreRules.parse`.

    """

    rules: tuple[_Rule, ...] = ()

    @classmethod
    def read(cls, root: Path) -> IgnoreRules:
        """Read the `.dockerignore` of a folder.

        Args:
            root: The folder that the patterns are rooted in.

        Returns:
            Its rules; none where it has no such file.

        Raises:
            ContextError: The file can't be read, is not UTF-8, or has a malformed pattern.

        """
        path = root / FILE_NAME
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            if path.is_symlink():
                raise _unreadable(path, error) from error
            return cls()
        except OSError as error:
            raise _unreadable(path, error) from error
        # UTF-16, as a shell on Windows writes it: no rule would match, and what should stay here would be sent.
        if b"\0" in content or content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise ContextError(
                f"'{path}' is not a text file in UTF-8, so its exclusions can't be applied.",
                hint=f"Save {FILE_NAME} as UTF-8.",
            )
        return cls.parse(content.decode("utf-8", "surrogateescape"), name=str(path))

    @classmethod
    def parse(cls, text: str, *, name: str = FILE_NAME) -> IgnoreRules:
        r"""Parse the text of a `.dockerignore` file.

        Args:
            text: Its lines, ended by `\n` or `\r\n`; a byte order mark at the start is skipped.
            name: What messages call the file.

        Returns:
            Its rules.

        Raises:
            ContextError: A pattern is malformed; the message has its line number.

        """
        rules = []
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
            pattern = line.strip()
            if line.startswith("#") or not pattern:
                continue
            try:
                rules.append(_rule(pattern))
            except _MalformedError as error:
                raise ContextError(
                    f"Line {number} of '{name}' is not a valid pattern: {pattern!r} {error}. Without it, it is "
                    "unclear which files to leave out of the image.",
                    hint=_SYNTAX,
                ) from None
        return cls(tuple(rules))

    def and_folder(self, relative_posix_path: str) -> IgnoreRules:
        """Return these rules and one more, that leaves out a folder whatever the others say.

        Args:
            relative_posix_path: The folder, as in `ignores`.

        """
        escaped = "".join(f"\\{char}" if char in _SPECIAL else char for char in relative_posix_path)
        return IgnoreRules((*self.rules, _rule(escaped)))

    def ignores(self, relative_posix_path: str) -> bool:
        """Tell whether a file or folder stays out of the context.

        Args:
            relative_posix_path: Its path relative to the folder of the `.dockerignore`, with `/` as separator.

        Returns:
            Whether the last rule that matches it, or a folder above it, excludes it. Never for the root itself.

        """
        path = posixpath.normpath(relative_posix_path).lstrip("/")
        if path in {".", ""}:
            return False
        ignored = False
        for rule in self.rules:
            # Only a rule that would change the verdict has to be matched.
            if rule.exception == ignored and rule.regex.fullmatch(path):
                ignored = not rule.exception
        return ignored

    def prunes(self, relative_posix_path: str) -> bool:
        """Tell whether a folder stays out with everything below it, so that it need not be read.

        Args:
            relative_posix_path: The folder, as in `ignores`.

        Returns:
            Whether it is ignored and no `!` rule could match anything below it.

        """
        if not self.ignores(relative_posix_path):
            return False
        folder = posixpath.normpath(relative_posix_path).lstrip("/").split("/")
        return not any(rule.exception and rule.may_match_below(folder) for rule in self.rules)


def _unreadable(path: Path, error: OSError) -> ContextError:
    """Return the error for a `.dockerignore` that exists and can't be read."""
    return ContextError(
        f"'{path}' can't be read ({error.strerror or error}), so its exclusions can't be applied.",
        hint=f"Make {FILE_NAME} a readable text file, or remove it.",
    )


def _rule(line: str) -> _Rule:
    """Return the rule of a stripped line that is neither empty nor a comment."""
    exception = line.startswith("!")
    pattern = line[1:].strip() if exception else line
    if not pattern:
        raise _MalformedError("has nothing after the '!'")
    # POSIX lets two leading slashes stand, Go does not.
    cleaned = posixpath.normpath("/" + pattern.lstrip("/") if pattern.startswith("/") else pattern)
    if len(cleaned) > 1:
        cleaned = cleaned.removeprefix("/")
    # A folder that matches takes everything below it along.
    return _Rule(cleaned, exception, re.compile(f"{_regex(cleaned)}(?:/.*)?", re.DOTALL))


def _regex(pattern: str) -> str:
    """Return the regular expression for one cleaned pattern.

    Raises:
        _MalformedError: As Go's `filepath.Match` reports `ErrBadPattern`.

    """
    if pattern.startswith("**") and _SPECIAL.isdisjoint(pattern[2:]) and not pattern.startswith("**/"):
        return ".*" + re.escape(pattern[2:])  # `**name` is any path that ends so
    pieces: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 3 if pattern.startswith("/", at + 2) else 2
            piece = _ANY_FOLDERS if at < len(pattern) else ".*"
            if piece not in pieces[-1:]:  # twice means the same and is slow to match
                pieces.append(piece)
            continue
        if char == "[":
            piece, at = _character_class(pattern, at)
            pieces.append(piece)
            continue
        if char == "\\":
            at += 1
            if at == len(pattern):
                raise _MalformedError("ends with a backslash")
            pieces.append(re.escape(pattern[at]))
        else:
            pieces.append({"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char))
        at += 1
    return "".join(pieces)


def _character_class(pattern: str, start: int) -> tuple[str, int]:
    """Return the regular expression for the `[...]` that starts at an index, and the index after it."""
    at = start + 1
    negated = pattern.startswith("^", at)
    at += negated
    ranges = ""
    while not (ranges and pattern.startswith("]", at)):
        low, at = _class_character(pattern, at)
        high = low
        if pattern.startswith("-", at):
            high, at = _class_character(pattern, at + 1)
        if high < low:
            raise _MalformedError(f"has the range '{low}-{high}', which is empty")
        ranges += f"{re.escape(low)}-{re.escape(high)}"
    return f"[{'^' if negated else ''}{ranges}]", at + 1


def _class_character(pattern: str, at: int) -> tuple[str, int]:
    """Return one character of a class, and the index after it."""
    escaped = pattern.startswith("\\", at)
    at += escaped
    if at + 1 >= len(pattern):
        raise _MalformedError("has a '[' that is not closed")
    if not escaped and pattern[at] in "-]":
        raise _MalformedError(f"has a '{pattern[at]}' in its '[...]' where a character is expected")
    return pattern[at], at + 1
