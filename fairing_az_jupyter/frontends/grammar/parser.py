"""The sub-commands and their options, one grammar for the command line and the magics; flags come from the settings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.grammar import checks, examples, launches, runs, sweeps, usage_errors
from fairing_az_jupyter.frontends.grammar.parts import (
    FOLDERS,
    SETTING,
    Commands,
    add_command,
    add_notebook,
    add_profile,
    add_settings,
    complete,
    setting_flags,
    without_switch_values,
)
from fairing_az_jupyter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

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
  6    the cluster or an Azure service did not do what was asked
  7    check, launch: something would make a launch fail
  8    check: nothing fails, but something could not be found out
  130  cancelled
"""
_RUNS = frozenset({"run", "launch"})
_TALKATIVE = frozenset({*_RUNS, "sweep", "fill", "settings", "profile", "install-fairing", "completion"})
"""The commands whose errors repeat what was typed; anything else may be a secret on its way to `secrets`."""
_NAMES_ONLY = frozenset({"check", "runs", "panel", "example", "help", *launches.LAUNCH_COMMANDS})
_ARGUMENTS = frozenset({"command", "action", "notebook", "name", "names", "task", "data", "folder", "topic"})


def parser(program: str = PROGRAM, *, discreet: bool = False) -> argparse.ArgumentParser:
    """Return the whole grammar.

    Args:
        program: What the user types before the sub-command.
        discreet: Whether errors are raised in one line that repeats no value, instead of printed by argparse.

    """
    in_cell = program != PROGRAM
    root = (usage_errors.OneLineParser if discreet else argparse.ArgumentParser)(
        prog=program,
        description="Train and serve a model from a notebook on Kubeflow on Azure, or on this machine.",
        epilog=f"Examples of a command: {program} COMMAND --help" if in_cell else EXIT_CODES,
        formatter_class=examples.HelpFormatter,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    checks.add_check(commands)
    checks.add_secrets(commands)
    runs.add_run(commands)
    runs.add_runs(commands)
    sweeps.add_sweep(commands)
    launches.add_launches(commands, in_cell=in_cell)
    # In a cell the notebook around it may be meant.
    _add_fill(commands, named=not in_cell)
    _add_settings(commands)
    _add_profile(commands)
    _add_panel(commands)
    _add_example(commands)
    _add_help(commands)
    _add_install(commands)
    _add_completion(commands)
    examples.add_examples(root, program, in_cell=in_cell)
    return root


def parse(arguments: Sequence[str], *, program: str = PROGRAM) -> argparse.Namespace:
    """Return the parsed arguments of one command.

    The two words behind `-p` are a parameter's name and value, whatever they look like; argparse alone would take
    values such as `-1e-3`, `-abc` and `--` for options.

    Args:
        arguments: The command line without the program.
        program: What the user types before it; any other than the command line's own stands in a notebook.

    Raises:
        CommandLineError: A secret was given, or a line of the commands about secrets or in a notebook can't be
            understood.
        SystemExit: The help was asked for (0), or the command line can't be understood (2); argparse has printed it.

    """
    words, pairs = list(arguments), list[list[str]]()
    if words[:1] == ["help"] and not {"-h", "--help"} & set(words):
        words = [*words[1:], "--help"]
    if not _RUNS.isdisjoint(words[:1]):
        words, pairs = runs.without_pairs(words)
    varying: dict[str, list[list[str]]] = {}
    if words[:2] == ["sweep", "run"]:
        words, pairs = runs.without_pairs(words)
        words, varying = sweeps.without_varying(words)
    words = without_switch_values(words)
    usage_errors.refuse_switch_values(words)
    in_notebook = program != PROGRAM
    talkative = not _TALKATIVE.isdisjoint(words[:1])
    strict = not talkative and _NAMES_ONLY.isdisjoint(words[:1])
    usage_errors.refuse_secrets(words, strict=strict, in_notebook=in_notebook)
    if strict:
        usage_errors.refuse_glued(words, program)
    discreet = in_notebook or not talkative
    grammar = parser(program, discreet=discreet)
    if discreet:
        parsed, unknown = grammar.parse_known_args(words)
        typed = " ".join([program, parsed.command, *([parsed.action] if hasattr(parsed, "action") else [])])
        usage_errors.refuse_unknown(unknown, typed, _options(parsed))
        if parsed.command == "secrets":
            usage_errors.refuse_other_words(parsed.notebook, typed)
    else:
        parsed = grammar.parse_args(words)
    if pairs:
        parsed.parameters = pairs
    for name, given in varying.items():
        setattr(parsed, name, given)
    return parsed


def _options(parsed: argparse.Namespace) -> list[str]:
    """Return the options of the command that was given; each leaves a value in what was parsed."""
    found = list[str]()
    for name in vars(parsed):
        if name.startswith(SETTING):
            found += setting_flags(name.removeprefix(SETTING))
        elif name not in _ARGUMENTS:
            found.append(f"--{name.replace('_', '-')}")
    return found


def explicit_settings(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the settings that were given as flags, by field."""
    found = {name[len(SETTING) :]: value for name, value in vars(arguments).items() if name.startswith(SETTING)}
    return {field: value for field, value in found.items() if value is not None}


def _add_fill(commands: Commands[argparse.ArgumentParser], *, named: bool) -> None:
    fill = add_command(commands, "fill", "Fill the parameters cell of a notebook; every other byte stays as it is.")
    add_notebook(fill, "the notebook to fill", nargs=None if named else "?")
    fill.add_argument("-n", "--dry-run", action="store_true", help="show what would change, write nothing")
    add_profile(fill)
    add_settings(fill)


def _add_settings(commands: Commands[argparse.ArgumentParser]) -> None:
    settings = add_command(commands, "settings", "Show the settings in force.")
    add_notebook(settings, "a notebook whose parameters cell counts", nargs="?")
    settings.add_argument("--explain", action="store_true", help="say where each value comes from, and what it hides")
    settings.add_argument("--schema", action="store_true", help="print the JSON schema of all settings")
    add_profile(settings)
    add_settings(settings)


def _add_profile(commands: Commands[argparse.ArgumentParser]) -> None:
    about = "Keep named sets of settings."
    profile = commands.add_parser("profile", help=about, description=about, allow_abbrev=False)
    actions = profile.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_command(actions, "list", "List the profiles; the active one has a star.")
    add_command(actions, "show", "Show what a profile sets.").add_argument("name", metavar="NAME")
    change = add_command(actions, "set", "Make a profile, or change settings of one.")
    change.add_argument("name", metavar="NAME")
    add_settings(change)
    add_command(actions, "remove", "Remove a profile.").add_argument("name", metavar="NAME")
    use = add_command(actions, "use", "Make a profile the active one.")
    chosen = use.add_mutually_exclusive_group(required=True)
    chosen.add_argument("name", metavar="NAME", nargs="?")
    chosen.add_argument("--none", action="store_true", help="no profile is active")


def _add_panel(commands: Commands[argparse.ArgumentParser]) -> None:
    panel = add_command(commands, "panel", "Show the panel of widgets in a notebook: settings, checks, launches.")
    about = "close all panels of this notebook; nothing of them stays behind"
    panel.add_argument("--close", action="store_true", help=about)


def _add_example(commands: Commands[argparse.ArgumentParser]) -> None:
    about = "Copy the example, with its data and requirements, into a folder; files that are there stay."
    example = add_command(commands, "example", about)
    about = "the folder, which is made if it is not there (default: here)"
    complete(example.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help=about), FOLDERS)


def _add_help(commands: Commands[argparse.ArgumentParser]) -> None:
    about = "Show the help of a command, with examples."
    helping = commands.add_parser("help", help=about, description=about, allow_abbrev=False)
    helping.add_argument("topic", metavar="COMMAND", nargs="*", help="the command (default: all of them)")


def _add_install(commands: Commands[argparse.ArgumentParser]) -> None:
    install = add_command(commands, "install-fairing", "Install Kubeflow Fairing 1.0.2 beside today's Jupyter.")
    install.add_argument("-n", "--dry-run", action="store_true", help="show what would be done, change nothing")
    about = "remove the start-up file from site-packages; Fairing itself stays installed"
    install.add_argument("--remove", action="store_true", help=about)


def _add_completion(commands: Commands[argparse.ArgumentParser]) -> None:
    about = "Print a completion script for a shell."
    completion = commands.add_parser("completion", help=about, description=about)
    completion.add_argument("shell", choices=SHELLS)
