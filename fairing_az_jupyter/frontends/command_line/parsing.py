"""From typed words to a checked request: click takes the options apart, the operation's own model checks them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click
from pydantic import ValidationError

from fairing_az_jupyter.frontends.command_line import help_pages
from fairing_az_jupyter.frontends.command_line.setting_flags import (
    declared,
    fields_of,
    setting_flag,
    setting_flags,
    switch_values,
    without_switch_values,
)
from fairing_az_jupyter.frontends.command_line.usage_errors import (
    CommandLineError,
    nearest,
    reject_glued,
    reject_secrets,
    shown_option,
    shown_word,
)
from fairing_az_jupyter.operations.declaration import MAGIC, PROGRAM, SOURCE_NOTEBOOK
from fairing_az_jupyter.operations.registry import GROUPS, find, in_group, operations
from fairing_az_jupyter.operations.words import Argument, Option
from fairing_az_jupyter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fairing_az_jupyter.operations.declaration import Operation, Request

__all__ = ["Page", "Parsed", "parse"]

_HELP = frozenset({"-h", "--help"})
_SETTING = "setting_"
_COMMON = ("--json", "--debug", "--help")


@dataclasses.dataclass(frozen=True)
class Page:
    """A text that was asked for: help, or the version.

    Args:
        text: The text.

    """

    text: str


@dataclasses.dataclass(frozen=True)
class Parsed:
    """A line that was understood.

    Args:
        operation: The command.
        request: What it was given.
        settings: The settings that were given as flags, by field.
        notebook: The notebook that was named as a source of settings.
        profile: The profile that was named.
        runs_folder: Where the records are.
        json: Whether the answer is for programs.
        debug: Whether errors say where in the program they come from.

    """

    operation: Operation[Any]
    request: Request
    settings: dict[str, str] = dataclasses.field(default_factory=dict)
    notebook: str | None = None
    profile: str | None = None
    runs_folder: str | None = None
    json: bool = False
    debug: bool = False


def parse(arguments: Sequence[str], *, program: str = PROGRAM) -> Parsed | Page:
    """Understand one line.

    Args:
        arguments: The words behind the program.
        program: What the user types before them; any other than the command line's own means a notebook.

    Returns:
        The command, or the help that was asked for.

    Raises:
        CommandLineError: The line can't be understood, or it gives a secret.

    """
    words, in_cell = list(arguments), program != PROGRAM
    if words[:1] == ["help"] and _HELP.isdisjoint(words):
        words = [*words[1:], "--help"]
    if not words or words[0] in _HELP:
        return Page(help_pages.overview(program))
    if words[0] == "--version":
        return Page(f"{PROGRAM} {__version__}\n")
    operation, rest = _resolved(words, program, in_cell=in_cell)
    if operation is None:
        return Page(help_pages.of_group(words[0], program))
    typed = f"{program} {operation.name}"
    line = _Line(operation, rest, typed)
    if line.asks_for_help:
        return Page(help_pages.of_operation(operation, program))
    _check_place(operation, in_cell=in_cell)
    about_secrets = operation.group == "secrets"
    reject_secrets(line.words, strict=about_secrets, in_notebook=in_cell)
    if about_secrets:
        reject_glued(line.words, typed)
    return line.parsed(in_cell=in_cell)


def _resolved(words: list[str], program: str, *, in_cell: bool) -> tuple[Operation[Any] | None, list[str]]:
    """Return the operation that a line names, and the words behind its name; None for the help of a group."""
    first = words[0]
    if (found := find(first)) is not None:
        return found, words[1:]
    if first not in GROUPS:
        # A whole line of a command about secrets may stand behind a name that is misspelt.
        reject_secrets(words, strict=True, in_notebook=in_cell)
        names = dict.fromkeys(each.first_word for each in operations())
        raise _unknown(first, names, "command", program)
    inside = {each.action: each for each in in_group(first)}
    if words[1:2] and words[1] in inside:
        return inside[words[1]], words[2:]
    if not _HELP.isdisjoint(words[1:2]):
        return None, []
    reject_secrets(words, strict=first == "secrets", in_notebook=in_cell)
    if not words[1:]:
        raise CommandLineError(f"'{first}' needs an action: {_listed(inside)}.", hint=f"See: {program} {first} --help")
    raise _unknown(words[1], inside, "action", f"{program} {first}", f" of '{first}'")


def _unknown(word: str, known: Iterable[str], what: str, program: str, of: str = "") -> CommandLineError:
    known = list(known)
    near = nearest(word, known)
    if word.startswith("-"):
        name = shown_option(word)
        said = f"Unknown option{f' {name!r}' if name else ''}."
        meant = f" Did you mean the command '{near}'?" if near else ""
    else:
        said = f"Unknown {what}{f' {word!r}' if shown_word(word) else ''}{of}."
        meant = f" Did you mean '{near}'?" if near else f" Actions: {', '.join(known)}." if of else ""
    return CommandLineError(f"{said}{meant}", hint=f"See: {program} --help")


def _check_place(operation: Operation[Any], *, in_cell: bool) -> None:
    if in_cell and "magic" not in operation.places:
        raise CommandLineError(
            f"'{operation.name}' is a command for a terminal.",
            hint=f"Type there: {PROGRAM} {operation.name} --help",
        )
    if not in_cell and "terminal" not in operation.places:
        raise CommandLineError(
            f"'{operation.name}' is a command for a notebook.",
            hint=f"Type in a cell: %load_ext fairing_az_jupyter, and then: {MAGIC} {operation.name}",
        )


class _Line:
    """The words behind a command's name.

    Args:
        operation: The command.
        words: The words.
        typed: The program and the command's name, for hints.

    """

    def __init__(self, operation: Operation[Any], words: list[str], typed: str) -> None:
        self._operation, self._typed = operation, typed
        self._settings = fields_of(operation)
        self._fields = {field.name: field for field in operation.typed_fields}
        self._options = {
            flag: field
            for field in self._fields.values()
            if isinstance(field.word, Option)
            for flag in field.word.flags
        }
        self._taken: dict[str, list[list[str]]] = {}
        self.words = without_switch_values(self._without_many(words), self._settings)

    @property
    def asks_for_help(self) -> bool:
        """Whether the help was asked for, and not as some option's value."""
        before = self.words[: self.words.index("--")] if "--" in self.words else self.words
        return not _HELP.isdisjoint(before)

    def parsed(self, *, in_cell: bool) -> Parsed:
        """Return the line as it was understood; raises as `parse`."""
        wrong = switch_values(self.words, self._settings)
        if wrong:
            flags = next(found for name in self._settings if wrong in (found := setting_flags(name)))
            raise CommandLineError(f"{wrong} takes true or false.", hint=f"Write {' or '.join(flags)}.")
        given = self._taken_apart()
        notebook = given.get(SOURCE_NOTEBOOK)
        if self._operation.group == "secrets" and notebook is not None and not notebook.endswith(".ipynb"):
            # It may be a value in the wrong place.
            raise self._error("An argument is not a notebook (.ipynb); values can't be given on this line.")
        settings = {
            field: _text(given[f"{_SETTING}{field}"])
            for field in self._settings
            if given[f"{_SETTING}{field}"] is not None
        }
        for field, value in settings.items():
            choices = declared()[field].get("enum")
            if choices is not None and value not in choices:
                raise self._error(_one_of(setting_flag(field), choices, value))
        return Parsed(
            self._operation,
            self._checked(given, in_cell=in_cell),
            settings,
            notebook,
            given.get("profile"),
            given.get("runs_folder"),
            bool(given["as_json"]),
            bool(given["debug"]),
        )

    def _flags(self) -> Iterator[str]:
        yield from self._options
        for field in self._settings:
            yield from setting_flags(field)
        yield from _COMMON

    def _without_many(self, words: Sequence[str]) -> list[str]:
        """Take options with several words out, whose values may look like options, such as `-p RATE -1e-3`.

        The words of a pair are the next two, whatever they are. The others end at the next flag. Where a word is
        missing, the flag stays.
        """
        flags = set(self._flags())
        found: list[str] = []
        rest = list(words)
        while rest and rest[0] != "--":
            word = rest.pop(0)
            field = self._options.get(word)
            number = field.word.words if field is not None and isinstance(field.word, Option) else 1
            if field is None or number == 1:
                found.append(word)
                continue
            end = number if number != "several" else _until(rest, flags)
            if not end or len(rest) < end:
                found.append(word)
                continue
            self._taken.setdefault(field.name, []).append(rest[:end])
            rest = rest[end:]
        found += rest
        self._give_back_notebook(found)
        return found

    def _give_back_notebook(self, words: list[str]) -> None:
        """Let the notebook stand behind the last value of several, where it is seldom meant as one."""
        if not any(field.name == "notebook" and isinstance(field.word, Argument) for field in self._operation.fields):
            return
        several = [groups[-1] for name, groups in self._taken.items() if self._several(name)]
        named = any(word.endswith(".ipynb") for word in words)
        if several and not named and len(several[-1]) > 1 and several[-1][-1].endswith(".ipynb"):
            words.append(several[-1].pop())

    def _several(self, name: str) -> bool:
        word = self._fields[name].word
        return isinstance(word, Option) and word.words == "several"

    def _taken_apart(self) -> dict[str, Any]:
        """Return what click makes of the words, as text."""
        known = set(self._flags())
        for word, following in zip(self.words, self.words[1:], strict=False):
            if word == "--":
                break
            # click would take it for the value.
            if following in known and self._takes_value(word):
                raise self._missing_value(word)
        command = click.Command(
            self._operation.name,
            params=list(self._parameters()),
            add_help_option=False,
            context_settings={"allow_extra_args": True, "help_option_names": []},
        )
        try:
            context = command.make_context(self._typed, list(self.words))
        except click.NoSuchOption as error:
            raise self._unknown_option(error.option_name) from None
        except click.BadOptionUsage as error:
            raise self._missing_value(error.option_name) from None
        except click.UsageError:
            # Nothing else is left to it: all values are text, and none is required.
            raise self._error("This line can't be understood.") from None
        if context.args:
            raise self._too_many()
        return context.params

    def _takes_value(self, word: str) -> bool:
        field = self._options.get(word)
        if field is not None:
            return field.kind != "switch"
        return any(word == setting_flag(name) and len(setting_flags(name)) == 1 for name in self._settings)

    def _parameters(self) -> Iterator[click.Parameter]:
        text = click.UNPROCESSED
        for field in self._fields.values():
            word = field.word
            if isinstance(word, Option):
                switch = field.kind == "switch"
                yield click.Option(
                    [*word.flags, field.name],
                    is_flag=switch,
                    default=False if switch else None,
                    multiple=field.kind == "many",
                    nargs=2 if word.words == 2 else 1,  # noqa: PLR2004 - a pair
                    type=None if switch else text,
                )
            else:
                many = field.kind == "many"
                yield click.Argument([field.name], nargs=-1 if many else 1, required=False, type=text)
        for name in self._settings:
            flags = setting_flags(name)
            two = len(flags) > 1
            yield click.Option(["/".join(flags), f"{_SETTING}{name}"], default=None, type=None if two else text)
        yield click.Option(["--json", "as_json"], is_flag=True)
        yield click.Option(["--debug"], is_flag=True)

    def _checked(self, given: dict[str, Any], *, in_cell: bool) -> Request:
        """Return the request; raises what its model does not accept, in the words of the command line."""
        operation, values = self._operation, dict[str, Any]()
        for field in operation.fields:
            value = given[field.name]
            if field.name in self._taken:
                # Of files there is one list, of points one for each flag.
                lists = self._taken[field.name]
                value = lists if field.nested else [word for each in lists for word in each]
            elif field.kind == "many":
                value = list(value or ())
            if value is not None and value != []:
                values[field.name] = value
        excluding = [field for field in operation.excluding if values.get(field)]
        if len(excluding) > 1:
            flags = " and ".join(self._name_of(field) for field in excluding)
            raise self._error(f"{flags} exclude each other.")
        if operation.one_of and sum(bool(values.get(field)) for field in operation.one_of) != 1:
            raise self._error(f"Give one of these: {' or '.join(self._name_of(field) for field in operation.one_of)}.")
        missing = [
            field for field in operation.fields if field.name not in values and operation.needs(field, in_cell=in_cell)
        ]
        if missing:
            names = [
                f"{field.word.metavar}{f' ({_listed(field.choices)})' if field.choices else ''}" for field in missing
            ]
            raise self._error(f"Missing argument{'s' if len(names) > 1 else ''}: {', '.join(names)}.")
        try:
            found: Request = operation.request.model_validate(values)
        except ValidationError as error:
            wrong = str(error.errors(include_url=False, include_input=False, include_context=False)[0]["loc"][0])
        else:
            return found
        raise self._wrong_value(wrong, values)

    def _name_of(self, name: str) -> str:
        word = self._fields[name].word
        return word.flag if isinstance(word, Option) else word.metavar

    def _wrong_value(self, name: str, values: dict[str, Any]) -> CommandLineError:
        field = self._fields[name]
        if field.choices:
            return self._error(_one_of(self._name_of(name), field.choices, str(values[name])))
        return self._error(f"{self._name_of(name)} takes {field.word.takes or field.word.metavar}.")

    def _missing_value(self, option: str) -> CommandLineError:
        field = self._options.get(option)
        if field is None:
            if option.startswith(("--json", "--debug")) or not self._takes_value(option):
                return self._error(f"{option} takes no value.")
            return self._error(f"{option} needs a value.")
        if field.kind == "switch":
            return self._error(f"{option} takes no value.")
        return self._error(f"{option} needs a value: {field.word.metavar}.")

    def _unknown_option(self, typed: str) -> CommandLineError:
        name = shown_option(typed)
        if not name:
            return self._error("Unknown option.")
        if any(name in setting_flags(field) for field in declared()):
            return self._error(f"'{self._operation.name}' does not use the setting {name}.")
        near = nearest(name, list(self._flags()))
        return self._error(f"Unknown option '{name}'.{f' Did you mean {near!r}?' if near else ''}")

    def _too_many(self) -> CommandLineError:
        places = [field.word.metavar for field in self._fields.values() if isinstance(field.word, Argument)]
        takes = " ".join(places) if places else "no argument"
        return self._error(f"Too many arguments: '{self._operation.name}' takes {takes}.")

    def _error(self, message: str) -> CommandLineError:
        return CommandLineError(message, hint=f"See: {self._typed} --help")


def _until(words: Sequence[str], flags: Iterable[str]) -> int:
    """Return how many words there are before the next flag; a number such as -1e-3 is none."""
    return next(
        (at for at, word in enumerate(words) if word.startswith("--") or word in flags),
        len(words),
    )


def _one_of(name: str, choices: Iterable[str], typed: str) -> str:
    near = nearest(typed, list(choices))
    return f"{name} is one of {_listed(choices)}.{f' Did you mean {near!r}?' if near else ''}"


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
