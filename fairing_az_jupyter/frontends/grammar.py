"""The sub-commands and their options, one grammar for the command line and the magics; flags come from the settings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fairing_az_jupyter import __version__
from fairing_az_jupyter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAM = "fairing-azure"
SHELLS = ("bash", "zsh", "tcsh")
EXIT_CODES = """\
exit codes:
  0    done
  1    an error of this program; please report it
  2    the command line can't be understood
  3    what was asked for can't be done as it stands: a setting, a parameter, a file
  4    what was started has failed: a cell, a job, an endpoint
  5    something has to be installed first
  130  cancelled
"""
_PARAMETER_FLAGS = ("-p", "--parameter")
# How each shell completes a path; shtab's own constants, without importing it for every command.
_FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}
_FOLDERS = {"bash": "_shtab_compgen_dirs", "zsh": "_files -/", "tcsh": "d"}
SETTING = "setting_"
"""What the flags of settings are called in the parsed arguments, before the field's name."""


def parser() -> argparse.ArgumentParser:
    """Return the whole grammar."""
    root = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Train and serve a model from a notebook on Kubeflow on Azure, or on this machine.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_fill(commands)
    _add_settings(commands)
    _add_profile(commands)
    _add_install(commands)
    _add_completion(commands)
    return root


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed arguments of one command.

    The two words behind `-p` are a parameter's name and value, whatever they look like; argparse alone would take
    values such as `-1e-3`, `-abc` and `--` for options.

    Args:
        arguments: The command line without the program.

    Raises:
        SystemExit: The help was asked for (0), or the command line can't be understood (2); argparse has printed it.

    """
    words, pairs = list(arguments), list[list[str]]()
    if words[:1] == ["run"]:
        words, pairs = _without_pairs(words)
    parsed = parser().parse_args(words)
    if pairs:
        parsed.parameters = pairs
    return parsed


def _without_pairs(arguments: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Take `-p NAME VALUE` out of the arguments; where a word is missing, it stays for argparse to complain about."""
    words: list[str] = []
    pairs: list[list[str]] = []
    at = 0
    while at < len(arguments) and arguments[at] != "--":
        if arguments[at] in _PARAMETER_FLAGS and len(arguments) - at > 2:  # noqa: PLR2004 - the flag and two words
            pairs.append([arguments[at + 1], arguments[at + 2]])
            at += 3
        else:
            words.append(arguments[at])
            at += 1
    return [*words, *arguments[at:]], pairs


def explicit_settings(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the settings that were given as flags, by field."""
    found = {name[len(SETTING) :]: value for name, value in vars(arguments).items() if name.startswith(SETTING)}
    return {field: value for field, value in found.items() if value is not None}


_Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def _command(commands: _Commands[argparse.ArgumentParser], name: str, about: str) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
    added.add_argument("--json", action="store_true", help="print JSON for programs")
    return added


def _add_run(commands: _Commands[argparse.ArgumentParser]) -> None:
    run = _command(commands, "run", "Run a notebook with parameters, by papermill.")
    _add_notebook(run, "the notebook to run; it is only read")
    run.add_argument(
        *_PARAMETER_FLAGS,
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        dest="parameters",
        help="a parameter of the notebook; may be given several times",
    )
    about = "parameters from a YAML or JSON file; -p wins over it"
    _complete(run.add_argument("-f", "--parameters-file", metavar="FILE", help=about), _FILES)
    _add_setting(run, "backend", Settings.model_json_schema()["properties"]["backend"])
    _add_profile_option(run)
    about = "the executed notebook (default: NOTEBOOK.executed.ipynb)"
    _complete(run.add_argument("-o", "--output", metavar="PATH", help=about), _FILES)
    run.add_argument("-k", "--kernel", metavar="NAME", help="the kernel to use (default: the notebook's own)")
    about = "the kernel's working directory (default: the notebook's folder)"
    _complete(run.add_argument("--cwd", metavar="FOLDER", help=about), _FOLDERS)
    about = "how long one cell may take (default: any time)"
    run.add_argument("--cell-timeout", type=_seconds, metavar="SECONDS", help=about)


def _add_fill(commands: _Commands[argparse.ArgumentParser]) -> None:
    fill = _command(commands, "fill", "Fill the parameters cell of a notebook; every other byte stays as it is.")
    _add_notebook(fill, "the notebook to fill")
    fill.add_argument("-n", "--dry-run", action="store_true", help="show what would change, write nothing")
    _add_profile_option(fill)
    _add_all_settings(fill)


def _add_settings(commands: _Commands[argparse.ArgumentParser]) -> None:
    settings = _command(commands, "settings", "Show the settings in force.")
    _add_notebook(settings, "a notebook whose parameters cell counts", nargs="?")
    settings.add_argument("--explain", action="store_true", help="say where each value comes from, and what it hides")
    settings.add_argument("--schema", action="store_true", help="print the JSON schema of all settings")
    _add_profile_option(settings)
    _add_all_settings(settings)


def _add_profile(commands: _Commands[argparse.ArgumentParser]) -> None:
    about = "Keep named sets of settings."
    profile = commands.add_parser("profile", help=about, description=about, allow_abbrev=False)
    actions = profile.add_subparsers(dest="action", metavar="ACTION", required=True)
    _command(actions, "list", "List the profiles; the active one has a star.")
    _command(actions, "show", "Show what a profile sets.").add_argument("name", metavar="NAME")
    change = _command(actions, "set", "Make a profile, or change settings of one.")
    change.add_argument("name", metavar="NAME")
    _add_all_settings(change)
    _command(actions, "remove", "Remove a profile.").add_argument("name", metavar="NAME")
    use = _command(actions, "use", "Make a profile the active one.")
    chosen = use.add_mutually_exclusive_group(required=True)
    chosen.add_argument("name", metavar="NAME", nargs="?")
    chosen.add_argument("--none", action="store_true", help="no profile is active")


def _add_install(commands: _Commands[argparse.ArgumentParser]) -> None:
    install = _command(commands, "install-fairing", "Install Kubeflow Fairing 1.0.2 beside today's Jupyter.")
    install.add_argument("-n", "--dry-run", action="store_true", help="show what would be run, install nothing")


def _add_completion(commands: _Commands[argparse.ArgumentParser]) -> None:
    about = "Print a completion script for a shell."
    completion = commands.add_parser("completion", help=about, description=about)
    completion.add_argument("shell", choices=SHELLS)


def _add_notebook(command: argparse.ArgumentParser, about: str, nargs: str | None = None) -> None:
    _complete(command.add_argument("notebook", metavar="NOTEBOOK", help=about, nargs=nargs), _FILES)


def _complete(argument: argparse.Action, how: Mapping[str, str]) -> None:
    argument.complete = how  # type: ignore[attr-defined]


def _add_profile_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--profile", metavar="NAME", help="take settings from this profile")


def _add_all_settings(command: argparse.ArgumentParser) -> None:
    groups: dict[str, argparse._ArgumentGroup] = {}
    for field, declared in Settings.model_json_schema()["properties"].items():
        title = f"settings: {declared['group']}"
        if title not in groups:
            groups[title] = command.add_argument_group(title)
        _add_setting(groups[title], field, declared)


def _add_setting(
    group: argparse.ArgumentParser | argparse._ArgumentGroup,
    field: str,
    declared: Mapping[str, object],
) -> None:
    about = f"{declared['description']} ({declared['notebook_name']})"
    choices = declared.get("enum")
    group.add_argument(
        f"--{field.replace('_', '-')}",
        dest=f"{SETTING}{field}",
        metavar="VALUE" if choices is None else None,
        choices=choices if isinstance(choices, list) else None,
        help=about.replace("%", "%%"),
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        msg = "it has to be more than 0"
        raise argparse.ArgumentTypeError(msg)
    return value
