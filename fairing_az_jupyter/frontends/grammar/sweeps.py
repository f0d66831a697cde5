"""The sub-commands of sweeps: the same notebook at many points."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.grammar.parts import (
    FILES,
    FOLDERS,
    Commands,
    add_command,
    add_notebook,
    add_profile,
    add_settings,
    complete,
)
from fairing_az_jupyter.frontends.grammar.runs import (
    add_execution,
    add_on_cluster,
    add_parameters,
    add_runs_folder,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

VARYING = {"--grid": "grid", "--range": "ranges", "--choice": "choices"}
"""The options that take any number of words, and what these are called in the parsed arguments."""

_SHORT = frozenset({"-p", "-f", "-k", "-j", "-h"})
_NAMED = "the sweep: its identifier, a part of it that no other has, or 'last'"


def add_sweep(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `sweep` with its actions."""
    about = "Run a notebook at many points: a grid, a list, a CSV file, or a random sample."
    sweep = commands.add_parser("sweep", help=about, description=about, allow_abbrev=False)
    actions = sweep.add_subparsers(dest="action", metavar="ACTION", required=True)
    about = "Run a notebook at many points, each with a record of its own."
    run = add_command(actions, "run", about)
    add_notebook(run, "the notebook to run, a file or abs://...; it is only read")
    _add_points(run)
    add_parameters(run)
    add_profile(run)
    add_settings(run)
    about = "a folder or abs://... for the executed notebooks, by point (default: in the records only)"
    complete(run.add_argument("--output-folder", metavar="FOLDER", help=about), FOLDERS)
    _add_sharing(run)
    add_on_cluster(run)
    add_execution(run)
    resume = add_command(actions, "resume", "Run what is missing of a sweep: after a crash, Ctrl-C, or failures.")
    _add_name(resume)
    about = "also run again what has failed or was cancelled"
    resume.add_argument("--retry-failed", action="store_true", help=about)
    _add_sharing(resume)
    add_on_cluster(resume)
    listed = add_command(actions, "list", "List sweeps, the newest first.")
    listed.add_argument(
        "-n", "--limit", metavar="N", type=int, default=20, help="the newest N (default: 20; 0 for all)"
    )
    add_runs_folder(listed)
    show = add_command(actions, "show", "Show a sweep as a table: parameters, what was reported, how long it took.")
    _add_name(show)
    complete(
        show.add_argument("--csv", metavar="FILE", help="also write the table as CSV; - for standard output"), FILES
    )
    about = "also draw the metric over each parameter: .png, .svg or .pdf"
    complete(show.add_argument("--plot", metavar="FILE", help=about), FILES)
    show.add_argument(
        "--metric", metavar="NAME", help="the metric to draw and to find the best of (default: the first)"
    )
    show.add_argument("--sort", metavar="NAME", help="sort by a parameter, a metric, point, duration or state")
    about = "whether less or more of the metric is better (default: by its name)"
    show.add_argument("--goal", choices=("min", "max"), help=about)
    cancel = add_command(actions, "cancel", "Ask a sweep to stop, wherever it was started.")
    _add_name(cancel)


def without_varying(arguments: Sequence[str]) -> tuple[list[str], dict[str, list[list[str]]]]:
    """Take `--grid NAME V1 V2 ...` and its like out of the arguments: values may look like options, such as -1e-3.

    The words of one go on to the next option. Where there is none, it stays for argparse to complain about.

    Args:
        arguments: The command line without the program.

    Returns:
        The other words, and the words of each option, by what they are called in the parsed arguments.

    """
    words: list[str] = []
    varying: dict[str, list[list[str]]] = {}
    at = 0
    while at < len(arguments):
        word = arguments[at]
        at += 1
        if word not in VARYING:
            words.append(word)
            continue
        begin = at
        while at < len(arguments) and not arguments[at].startswith("--") and arguments[at] not in _SHORT:
            at += 1
        if at == begin:
            words.append(word)
        else:
            varying.setdefault(VARYING[word], []).append(list(arguments[begin:at]))
    if varying and not any(_is_notebook(word) for word in words):
        # It stands behind the last value, where it is seldom meant as one.
        last = list(varying.values())[-1][-1]
        words += [last.pop()] if _is_notebook(last[-1]) else []
    return words, varying


def _is_notebook(word: str) -> bool:
    return word.endswith(".ipynb")


def _add_points(run: argparse.ArgumentParser) -> None:
    points = run.add_argument_group("points, from one of --grid, --list, --csv and --sample")
    about = "every value of this parameter, with every one of the others; may be given several times"
    points.add_argument("--grid", metavar=("NAME", "VALUE"), nargs="+", action="append", default=[], help=about)
    about = "a YAML or JSON file with a list of points, a mapping of names to values each"
    complete(points.add_argument("--list", metavar="FILE", dest="list_file", help=about), FILES)
    about = "a CSV file: names of parameters in the first line, a point in each other"
    complete(points.add_argument("--csv", metavar="FILE", dest="csv_file", help=about), FILES)
    points.add_argument("--sample", metavar="N", type=int, help="draw N points at random")
    about = "draw numbers: NAME LOW HIGH, and log or int or both; may be given several times"
    points.add_argument(
        "--range", metavar=("NAME", "LOW"), nargs="+", action="append", default=[], dest="ranges", help=about
    )
    about = "draw one of these values; may be given several times"
    points.add_argument(
        "--choice", metavar=("NAME", "VALUE"), nargs="+", action="append", default=[], dest="choices", help=about
    )
    points.add_argument("--seed", metavar="S", type=int, help="draw the same points as another sample with this seed")


def _add_sharing(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-j", "--jobs", metavar="N", type=_from_one, default=1, help="runs at the same time (default: 1)"
    )
    about = "begin no run any more after N failures (default: run them all)"
    command.add_argument("--stop-after", metavar="N", type=_from_one, help=about)


def _from_one(text: str) -> int:
    value = int(text)
    if value < 1:
        msg = "it has to be at least 1"
        raise argparse.ArgumentTypeError(msg)
    return value


def _add_name(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="SWEEP", help=_NAMED)
    add_runs_folder(command)
