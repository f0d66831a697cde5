"""What several sub-commands have: a notebook, a profile, the flags of settings, and how a shell completes them."""

from __future__ import annotations

import argparse
import functools
from typing import TYPE_CHECKING, TypeVar

from fairing_az_jupyter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

SETTING = "setting_"
"""What the flags of settings are called in the parsed arguments, before the field's name."""

# How each shell completes a path; shtab's own constants, without importing it for every command.
FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}
FOLDERS = {"bash": "_shtab_compgen_dirs", "zsh": "_files -/", "tcsh": "d"}

_SWITCH_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
"""The values that may follow the flag of a setting that is true or false; any other word is somebody else's."""

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def add_command(commands: Commands[argparse.ArgumentParser], name: str, about: str) -> argparse.ArgumentParser:
    """Add a sub-command that can answer in JSON, and tell more about its errors.

    Args:
        commands: Where to add it.
        name: Its name.
        about: What it does, in one sentence.

    Returns:
        The sub-command, for its own options.

    """
    added: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
    added.add_argument("--json", action="store_true", help="print JSON for programs")
    added.add_argument("--debug", action="store_true", help="show where in the program an error has come from")
    return added


def add_notebook(command: argparse.ArgumentParser, about: str, nargs: str | None = None) -> None:
    """Add the notebook that a command works on.

    Args:
        command: The command.
        about: What the notebook is to it.
        nargs: `?` where it may be left out.

    """
    complete(command.add_argument("notebook", metavar="NOTEBOOK", help=about, nargs=nargs), FILES)


def complete(argument: argparse.Action, how: Mapping[str, str]) -> None:
    """Say how shells complete an argument: `FILES` or `FOLDERS`."""
    argument.complete = how  # type: ignore[attr-defined]


def add_profile(command: argparse.ArgumentParser) -> None:
    """Add `--profile`."""
    command.add_argument("--profile", metavar="NAME", help="take settings from this profile")


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add a flag for every setting."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for field, declared in Settings.model_json_schema()["properties"].items():
        title = f"settings: {declared['group']}"
        if title not in groups:
            groups[title] = command.add_argument_group(title)
        add_setting(groups[title], field, declared)


def add_setting(
    group: argparse.ArgumentParser | argparse._ArgumentGroup,
    field: str,
    declared: Mapping[str, object],
) -> None:
    """Add the flag of one setting.

    Args:
        group: Where to add it.
        field: The setting.
        declared: What is declared of it.

    """
    about = f"{declared['description']} ({declared['notebook_name']})"
    if declared.get("type") == "boolean":
        group.add_argument(
            *setting_flags(field), dest=f"{SETTING}{field}", action=_SwitchAction, help=about.replace("%", "%%")
        )
        return
    choices = declared.get("enum")
    group.add_argument(
        setting_flag(field),
        dest=f"{SETTING}{field}",
        metavar="VALUE" if choices is None else None,
        choices=choices if isinstance(choices, list) else None,
        help=about.replace("%", "%%"),
    )


def setting_flag(field: str) -> str:
    """Return the flag of a setting, such as `--docker-registry`."""
    return f"--{field.replace('_', '-')}"


def setting_flags(field: str) -> tuple[str, ...]:
    """Return all flags of a setting: of one that is true or false two, such as `--spot` and `--no-spot`."""
    flag = setting_flag(field)
    return (flag, f"--no-{flag.removeprefix('--')}") if field in _switches() else (flag,)


def without_switch_values(words: Sequence[str]) -> list[str]:
    """Write the flags of settings that are true or false in one way, for argparse: without a value.

    `--spot` alone is how people write it, `--spot true` and `--spot=false` is how programs do that have a value for
    every setting. An option with an optional value would take the notebook behind it for its value.

    Args:
        words: The words of a command line.

    Returns:
        The words, with `--spot` for `--spot=true` and `--spot true`, and `--no-spot` for `--spot=false`.

    """
    switches = {setting_flag(field) for field in _switches()}
    found: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*found, word, *rest]
        flag, equals, value = word.partition("=")
        if flag not in switches:
            found.append(word)
            continue
        if not equals and rest and rest[0].lower() in _SWITCH_WORDS:
            value, equals = rest.pop(0), " "
        is_on = _SWITCH_WORDS.get(value.lower()) if equals else True
        found.append(word if is_on is None else flag if is_on else f"--no-{flag.removeprefix('--')}")
    return found


class _SwitchAction(argparse.Action):
    """Keeps `true` or `false` as text, as the flags of all settings do."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's own signature
        namespace: argparse.Namespace,
        values: object,  # noqa: ARG002 - as above
        option_string: str | None = None,
    ) -> None:
        is_off = option_string == self.option_strings[1]
        setattr(namespace, self.dest, "false" if is_off else "true")

    def format_usage(self) -> str:
        """Return how both flags stand in the line of the usage."""
        return " | ".join(self.option_strings)


@functools.cache
def _switches() -> frozenset[str]:
    """Return the settings that are true or false."""
    properties = Settings.model_json_schema()["properties"]
    return frozenset(field for field, declared in properties.items() if declared.get("type") == "boolean")


def expecting(what: str) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Say of a function that reads an option's value what it takes, for errors that may not repeat the value.

    Args:
        what: What it takes, such as `a whole number`.

    """

    def mark(read: Callable[[str], T]) -> Callable[[str], T]:
        read.expects = what  # type: ignore[attr-defined]
        return read

    return mark


@expecting("a whole number, 0 or more")
def count(text: str) -> int:
    """Return how many something is, as argparse takes it.

    Args:
        text: As it was typed.

    Raises:
        argparse.ArgumentTypeError: It is negative.

    """
    value = int(text)
    if value < 0:
        msg = "it can't be negative"
        raise argparse.ArgumentTypeError(msg)
    return value
