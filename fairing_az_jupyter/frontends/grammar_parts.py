"""What several sub-commands have: a notebook, a profile, the flags of settings, and how a shell completes them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeVar

from fairing_az_jupyter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

SETTING = "setting_"
"""What the flags of settings are called in the parsed arguments, before the field's name."""

# How each shell completes a path; shtab's own constants, without importing it for every command.
FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}
FOLDERS = {"bash": "_shtab_compgen_dirs", "zsh": "_files -/", "tcsh": "d"}

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
