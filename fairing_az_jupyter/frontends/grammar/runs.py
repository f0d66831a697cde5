"""The sub-commands that run notebooks, and that look after the records of runs."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, get_args

from fairing_az_jupyter.frontends.grammar.parts import (
    FILES,
    FOLDERS,
    Commands,
    add_command,
    add_notebook,
    add_profile,
    add_settings,
    complete,
    count,
    expecting,
)
from fairing_az_jupyter.models import OUTPUT_LIMIT, RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

PARAMETER_FLAGS = ("-p", "--parameter")
_NAMED = "the run: its identifier, a part of it that no other has, or 'last'"
_MEGABYTE = 1_000_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def add_run(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `run`, which runs a notebook, and `launch`, which checks before."""
    run = add_command(commands, "run", "Run a notebook with parameters, by papermill.")
    _add_run_options(run)
    add_on_cluster(run)
    add_settings(run)
    about = "Check everything that a notebook's launch needs, and run it: train, deploy, predict and clean up."
    launch = add_command(commands, "launch", about)
    _add_run_options(launch)
    about = "launch without the checks, also where they would say that it fails"
    launch.add_argument("--skip-checks", action="store_true", help=about)
    add_settings(launch)


def add_runs(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `runs` with its actions."""
    about = "Look after the records of runs: every run of a notebook leaves one."
    runs = commands.add_parser("runs", help=about, description=about, allow_abbrev=False)
    actions = runs.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = add_command(actions, "list", "List runs, the newest first.")
    about = "the newest N runs (default: 20; 0 for all)"
    listed.add_argument("-n", "--limit", metavar="N", type=count, default=20, help=about)
    listed.add_argument("--state", choices=get_args(RunState), help="only runs in this state")
    listed.add_argument("--notebook", metavar="NOTEBOOK", help="only runs of this notebook")
    add_runs_folder(listed)
    show = add_command(actions, "show", "Show all that is known of a run; of a failed one the cell and its traceback.")
    _add_name(show)
    logs = add_command(actions, "logs", "Show what a run has printed.")
    _add_name(logs)
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it prints more, to its end")
    logs.add_argument("--tail", metavar="N", type=count, help="the last N lines (default: all)")
    cancel = add_command(actions, "cancel", "Ask a run to stop, wherever it was started.")
    _add_name(cancel)
    retry = add_command(actions, "retry", "Run again what was run before, with the same parameters.")
    _add_name(retry)
    retry.add_argument("--as-it-was", action="store_true", help="the notebook as it was then, not as it is now")
    compare = add_command(actions, "compare", "Compare runs: the parameters that differ, and what they reported.")
    compare.add_argument("names", metavar="RUN", nargs="+", help=_NAMED)
    add_runs_folder(compare)
    prune = add_command(actions, "prune", "Delete the records of runs that have ended; the notebooks elsewhere stay.")
    prune.add_argument("--keep", metavar="N", type=count, help="keep the newest N")
    prune.add_argument("--older-than", metavar="AGE", type=_age, help="only those that are older, such as 30d or 12h")
    ended = [state for state in get_args(RunState) if state not in {"waiting", "running"}]
    prune.add_argument("--state", choices=ended, help="only those that have ended so")
    prune.add_argument("-n", "--dry-run", action="store_true", help="show what would be deleted, delete nothing")
    add_runs_folder(prune)


def add_parameters(command: argparse.ArgumentParser) -> None:
    """Add where a run's parameters come from."""
    command.add_argument(
        *PARAMETER_FLAGS,
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        dest="parameters",
        help="a parameter of the notebook; may be given several times",
    )
    about = "parameters from a YAML or JSON file, also abs://; -p wins over it"
    complete(command.add_argument("-f", "--parameters-file", metavar="FILE", help=about), FILES)
    command.add_argument("--from-run", metavar="RUN", help="parameters of an earlier run; -p and -f win over them")


def add_execution(command: argparse.ArgumentParser) -> None:
    """Add how a notebook is executed."""
    command.add_argument("-k", "--kernel", metavar="NAME", help="the kernel to use (default: the notebook's own)")
    about = "the kernel's working directory (default: the notebook's folder)"
    complete(command.add_argument("--cwd", metavar="FOLDER", help=about), FOLDERS)
    about = "how long one cell may take (default: any time)"
    command.add_argument("--cell-timeout", type=_seconds, metavar="SECONDS", help=about)
    about = "how long the whole run may take (default: any time)"
    command.add_argument("--deadline", type=_seconds, metavar="SECONDS", help=about)
    about = f"how much one cell may print (default: {OUTPUT_LIMIT / _MEGABYTE:.0f})"
    command.add_argument("--output-limit", type=_megabytes, metavar="MB", default=OUTPUT_LIMIT, help=about)
    add_runs_folder(command)


def add_on_cluster(command: argparse.ArgumentParser) -> None:
    """Add that the cluster executes the notebook, and what it gets for that."""
    about = "let the cluster execute the notebook, as a Job whose image is built like a training job's"
    command.add_argument("--on-cluster", action="store_true", help=about)
    about = "files and folders beside the notebook that it needs in the cluster; its requirements.txt goes with it"
    files = command.add_argument("--input-files", metavar="FILE", nargs="+", action="extend", default=[], help=about)
    complete(files, FILES)


def add_runs_folder(command: argparse.ArgumentParser) -> None:
    """Add where the records are."""
    about = "where the records of runs are (default: FAIRING_AZURE_RUNS, or below Jupyter's data folder)"
    complete(command.add_argument("--runs-folder", metavar="FOLDER", help=about), FOLDERS)


def without_pairs(arguments: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Take `-p NAME VALUE` out of the arguments; where a word is missing, it stays for argparse to complain about.

    Args:
        arguments: The command line without the program.

    Returns:
        The other words, and the names and values.

    """
    words: list[str] = []
    pairs: list[list[str]] = []
    at = 0
    while at < len(arguments) and arguments[at] != "--":
        if arguments[at] in PARAMETER_FLAGS and len(arguments) - at > 2:  # noqa: PLR2004 - the flag and two words
            pairs.append([arguments[at + 1], arguments[at + 2]])
            at += 3
        else:
            words.append(arguments[at])
            at += 1
    return [*words, *arguments[at:]], pairs


def _add_run_options(run: argparse.ArgumentParser) -> None:
    add_notebook(run, "the notebook to run, a file or abs://...; it is only read")
    add_parameters(run)
    add_profile(run)
    about = "the executed notebook, a file or abs://... (default: NOTEBOOK.executed.ipynb)"
    complete(run.add_argument("-o", "--output", metavar="PATH", help=about), FILES)
    about = "also write the run as JUnit XML, a test case for each cell"
    complete(run.add_argument("--junit", metavar="FILE", help=about), FILES)
    add_execution(run)


def _add_name(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="RUN", help=_NAMED)
    add_runs_folder(command)


@expecting("seconds, more than 0")
def _seconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        msg = "it has to be more than 0"
        raise argparse.ArgumentTypeError(msg)
    return value


@expecting("megabytes, more than 0")
def _megabytes(text: str) -> int:
    return max(1, int(_seconds(text) * _MEGABYTE))


@expecting("a time such as 30d, 12h or 45m")
def _age(text: str) -> float:
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        msg = "it is no time such as 30d, 12h or 45m"
        raise argparse.ArgumentTypeError(msg)
    return float(match[1]) * _UNITS[match[2]]
