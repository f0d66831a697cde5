"""What is no command: told in one line that repeats no value, for a value may be a secret in the wrong place."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import TYPE_CHECKING, ClassVar, NoReturn

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.grammar.parts import setting_flags
from fairing_az_jupyter.settings import Settings
from fairing_az_jupyter.settings.naming import looks_secret, names_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# What the two Secrets are made of, and what kubectl and az call it; names_secret knows the rest.
_INGREDIENT = re.compile(
    r"(?:az(?:ure)?-|arm-|acr-|docker-|registry-)?(?:client-id|tenant-id|tenant|subscription-id|subscription|app-?id"
    r"|user-?name|user|login|key|pw|pass|passphrase|credentials|sig|from-literal|literal|value|certificate)"
)
_OPTION_NAME = re.compile(r"-{1,2}[A-Za-z][A-Za-z_-]{0,40}")
_ASSIGNMENT = re.compile(r"([A-Za-z][A-Za-z0-9_.-]{0,60})=")
_THREE_WAYS = (
    "Leave it out: 'secrets create' asks for it without showing it, or takes it from environment variables "
    "(--from-env) or a file (--from-file FILE)."
)
_MISSING_WORD = re.compile(r"expected (?:one|at least one|at most one|\d+) arguments?")
_ARGUMENT = re.compile(r"argument ([^:]+): (.*)", re.DOTALL)
_SAYS_ENOUGH = ("invalid choice", "ignored explicit argument", "not allowed with argument")
_MOST_CHOICES = 12
"""So many can be read in one line."""
_CHOICES = re.compile(r"\(choose from (.{0,600})\)\s*$")
_INVALID = re.compile(r"invalid choice: '([A-Za-z-]{1,40})' ")
_REQUIRED = "the following arguments are required: "
_OF_THE_GRAMMAR = ("not allowed with argument ", _REQUIRED, "one of the arguments ")


class CommandLineError(InputError):
    """A command line, or the line of a magic, that can't be understood or is refused."""

    code = "command-line"
    exit_code: ClassVar[int] = 2


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are raised, and repeat nothing that was typed but the names of its own options."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse does not understand.

        Raises:
            CommandLineError: Always.

        """
        told = self._expected(message) or _without_values(message)
        if message.startswith(_REQUIRED):
            # What one can choose from says more than the name of the place.
            choices = [word for action in self._actions if action.required for word in action.choices or ()]
            told += f" ({', '.join(choices[:_MOST_CHOICES])})" if choices else ""
        raise CommandLineError(f"{told}.", hint=f"See: {self.prog} --help")

    def _expected(self, message: str) -> str:
        """Return what an option takes whose value was refused; empty where the message is about something else."""
        found = _ARGUMENT.match(message)
        if found is None or _MISSING_WORD.fullmatch(found[2]) or found[2].startswith(_SAYS_ENOUGH):
            return ""
        for action in self._actions:
            expects = "a whole number" if action.type is int else getattr(action.type, "expects", "")
            if expects and found[1] == "/".join(action.option_strings):
                return f"{action.option_strings[-1]} takes {expects}"
        return ""


def refuse_secrets(words: Sequence[str], *, strict: bool, in_notebook: bool = False) -> None:
    """Refuse a line that gives a secret, or what belongs to one.

    Args:
        words: The words behind the program.
        strict: Whether the command is about secrets: words such as AZ_CLIENT_SECRET=..., and what has a secret's form,
            are then refused too. Elsewhere they may be a setting's value, which has its own rule.
        in_notebook: Whether the line stands in a cell.

    Raises:
        CommandLineError: The line gives one; the error has its name and not its value.

    """
    flags = {flag for field in Settings.model_fields for flag in setting_flags(field)}
    for word in words:
        option = word.startswith("-")
        name = (word.partition("=")[0] if option else _assigned(word)) if option or strict else ""
        bare = name.lstrip("-").lower().replace("_", "-")
        if f"--{bare}" not in flags and (_INGREDIENT.fullmatch(bare) or names_secret(bare)):
            raise _refused(shown_option(word) if option else name, in_notebook=in_notebook)
        if strict and looks_secret(word):
            raise _refused("", in_notebook=in_notebook)


def _refused(name: str, *, in_notebook: bool) -> CommandLineError:
    what = f"'{name}'" if name else "What looks like a secret"
    place, kept = (
        ("a cell", "a cell is kept in the notebook and in the history")
        if in_notebook
        else ("the command line", "a shell keeps its history, and others here can read a process's arguments")
    )
    return CommandLineError(f"{what} is not taken from {place}: {kept}.", hint=_THREE_WAYS, code="secret-given")


def refuse_glued(words: Sequence[str], program: str) -> None:
    """Refuse what stands right behind the letter of an option: some versions of argparse take it for more letters.

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
            told = f"{shown_option(word)} takes no value" if shown_option(word) else "An option takes no value"
            raise CommandLineError(f"{told} that stands right behind it.", hint=f"See: {program} --help")


def refuse_switch_values(words: Sequence[str]) -> None:
    """Refuse a value of a setting's flag that is neither true nor false.

    Args:
        words: The words behind the program, after `without_switch_values`.

    Raises:
        CommandLineError: There is such a value; the error does not repeat it.

    """
    switches = {
        flag: flags for field in Settings.model_fields if len(flags := setting_flags(field)) > 1 for flag in flags
    }
    for word in words:
        if word == "--":
            return
        flag, equals, _ = word.partition("=")
        if equals and flag in switches:
            raise CommandLineError(f"{flag} takes true or false.", hint=f"Write {' or '.join(switches[flag])}.")


def refuse_unknown(words: Sequence[str], program: str, known: Iterable[str] = ()) -> None:
    """Refuse words that no option or argument has taken.

    Args:
        words: Those words.
        program: The program and its sub-command, for the hint.
        known: The options that there are.

    Raises:
        CommandLineError: There are such words; the error names the first option among them, and no value.

    """
    if not words:
        return
    first = next((word for word in words if word.startswith("-")), None)
    name = shown_option(first) if first is not None else ""
    told = (
        "There is a word too many"
        if first is None
        else f"There is no option {name}{nearest_of(name, known)}"
        if name
        else "There is an option that is not known"
    )
    raise CommandLineError(f"{told}.", hint=f"See: {program} --help")


def refuse_other_words(notebook: str | None, program: str) -> None:
    """Refuse a word in the notebook's place that is no notebook.

    Args:
        notebook: The word; None if there is none.
        program: The program and its sub-command, for the hint.

    Raises:
        CommandLineError: It does not end as notebooks do; the error does not repeat it.

    """
    if notebook is not None and not notebook.endswith(".ipynb"):
        raise CommandLineError(
            "There is a word that is no notebook (.ipynb); values are not taken from the command line.",
            hint=f"See: {program} --help",
        )


def shown_option(word: str) -> str:
    """Return the name of an option without what could be its value; empty where that can't be told apart.

    Args:
        word: A word that begins with `-`.

    """
    # A value may stand right behind a single letter: -pVALUE.
    name = word.partition("=")[0] if word.startswith("--") else word[:2]
    return name if _OPTION_NAME.fullmatch(name) else ""


def _assigned(word: str) -> str:
    found = _ASSIGNMENT.match(word)
    return found[1] if found else ""


def _without_values(message: str) -> str:
    """Return argparse's message without any word that was typed."""
    if message.startswith(_OF_THE_GRAMMAR):
        return message[:1].upper() + message[1:]
    before, colon, rest = message.partition(": ")
    where = before.removeprefix("argument ") if colon and before.startswith("argument ") else ""
    if not where:
        return "This line can't be understood"
    if _MISSING_WORD.fullmatch(rest) or rest.startswith(_OF_THE_GRAMMAR):
        return f"{where}: {rest}"
    if rest.startswith("ignored explicit argument"):
        return f"{where} takes no value"
    choices = _CHOICES.search(rest)
    return f"{where} does not take this value" if choices is None else _one_of(where, rest, choices)


def _one_of(where: str, rest: str, choices: re.Match[str]) -> str:
    typed = _INVALID.match(rest)
    known = re.findall(r"[\w-]+", choices[1])
    nearest = nearest_of(typed[1] if typed else "", known)
    if len(known) > _MOST_CHOICES:
        return f"There is no such {where.lower()}{nearest}"
    return f"{where} is one of {choices[1]}{nearest}"


def nearest_of(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names what was probably meant; empty where nothing is near.

    Args:
        word: What was typed; it is not repeated.
        known: What there is.

    """
    # What options have in common makes none of them like another.
    bare = {each.lstrip("-").lower(): each for each in known}
    typed = word.lstrip("-").lower()
    near = difflib.get_close_matches(typed, list(bare), n=1, cutoff=0.7)
    begun = [each for each in bare if len(typed) > 1 and (each.startswith(typed) or typed.startswith(each))]
    found = near or begun[:1]
    return f"; the nearest is '{bare[found[0]]}'" if found else ""
