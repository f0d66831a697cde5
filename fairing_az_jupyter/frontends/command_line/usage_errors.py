"""Lines that can't be understood: one sentence that repeats no value, for it may be a secret in the wrong place."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, ClassVar

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.command_line.setting_flags import setting_flags
from fairing_az_jupyter.settings import Settings
from fairing_az_jupyter.settings.naming import looks_secret, names_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["CommandLineError", "nearest", "reject_glued", "reject_secrets", "shown_option", "shown_word"]

# What the two Secrets are made of, and what kubectl and az call it; names_secret knows the rest.
_INGREDIENT = re.compile(
    r"(?:az(?:ure)?-|arm-|acr-|docker-|registry-)?(?:client-id|tenant-id|tenant|subscription-id|subscription|app-?id"
    r"|user-?name|user|login|key|pw|pass|passphrase|credentials|sig|from-literal|literal|value|certificate)"
)
_OPTION_NAME = re.compile(r"-{1,2}[A-Za-z][A-Za-z_-]{0,40}")
_COMMAND_NAME = re.compile(r"[A-Za-z][A-Za-z_-]{0,24}")
_ASSIGNMENT = re.compile(r"([A-Za-z][A-Za-z0-9_.-]{0,60})=")
_THREE_WAYS = (
    "Leave it out: 'secrets create' asks for it without showing it, or takes it from environment variables "
    "(--from-env) or a file (--from-file FILE)."
)


class CommandLineError(InputError):
    """A command line, or the line of a magic, that can't be understood or is not accepted."""

    code = "command-line"
    exit_code: ClassVar[int] = 2


def reject_secrets(words: Sequence[str], *, strict: bool, in_notebook: bool = False) -> None:
    """Reject a line that gives a secret, or what belongs to one.

    Args:
        words: The words behind the program.
        strict: Whether the command is about secrets: words such as AZ_CLIENT_SECRET=..., and what has a secret's form,
            are then rejected too. In other commands they may be a setting's value, which has its own rule.
        in_notebook: Whether it is a cell's line.

    Raises:
        CommandLineError: The line gives one; the error has its name and not its value.

    """
    for word in words:
        option = word.startswith("-")
        name = (word.partition("=")[0] if option else _assigned(word)) if option or strict else ""
        bare = name.lstrip("-").lower().replace("_", "-")
        if (_INGREDIENT.fullmatch(bare) or names_secret(bare)) and not _is_nearly_setting(bare):
            raise _rejected(shown_option(word) if option else name, in_notebook=in_notebook)
        if strict and looks_secret(word):
            raise _rejected("", in_notebook=in_notebook)


def _is_nearly_setting(bare: str) -> bool:
    """Tell whether an option is a setting's flag, or a slip for one: the error of that repeats no value either."""
    flags = [flag for field in Settings.model_fields for flag in setting_flags(field)]
    return bool(difflib.get_close_matches(f"--{bare}", flags, n=1, cutoff=0.9))


def _rejected(name: str, *, in_notebook: bool) -> CommandLineError:
    what = f"'{name}'" if name else "What looks like a secret"
    place, kept = (
        ("a cell", "a cell is kept in the notebook and in the history")
        if in_notebook
        else (
            "the command line",
            "a shell keeps its history, and other users of this machine can read a process's arguments",
        )
    )
    return CommandLineError(f"{what} is not taken from {place}: {kept}.", hint=_THREE_WAYS, code="secret-given")


def reject_glued(words: Sequence[str], program: str) -> None:
    """Reject what stands right behind the letter of an option: it may be a secret behind a wrong letter.

    Args:
        words: The words behind the program.
        program: What the user types before them, for the hint.

    Raises:
        CommandLineError: There is such a word; the error names the letter only.

    """
    for word in words:
        if word == "--":
            return
        if word[:1] == "-" and word[1:2] != "-" and word[2:]:
            option = shown_option(word) or "A one-letter option"
            raise CommandLineError(
                f"{option} takes no value that stands right behind it.", hint=f"See: {program} --help"
            )


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the word that was probably meant; empty where none is near.

    Args:
        word: What was typed.
        known: What there is.

    """
    # What options have in common makes none of them like another.
    bare = {each.lstrip("-").lower(): each for each in known}
    typed = word.lstrip("-").lower()
    near = difflib.get_close_matches(typed, list(bare), n=1, cutoff=0.7)
    begun = [each for each in bare if len(typed) > 1 and (each.startswith(typed) or typed.startswith(each))]
    found = near or begun[:1]
    return bare[found[0]] if found else ""


def shown_option(word: str) -> str:
    """Return the name of an option without what could be its value; empty where the two can't be separated.

    Args:
        word: A word that begins with `-`.

    """
    # A value may stand right behind a single letter: -pVALUE.
    name = word.partition("=")[0] if word.startswith("--") else word[:2]
    return name if _OPTION_NAME.fullmatch(name) else ""


def shown_word(word: str) -> str:
    """Return what was typed in the place of a command's name; empty where it does not look like one.

    Args:
        word: The word.

    """
    return word if _COMMAND_NAME.fullmatch(word) and not looks_secret(word) else ""


def _assigned(word: str) -> str:
    found = _ASSIGNMENT.match(word)
    return found[1] if found else ""
