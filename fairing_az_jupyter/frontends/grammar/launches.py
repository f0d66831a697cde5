"""The sub-commands that launch, and that look after what was launched."""

from __future__ import annotations

import argparse

from fairing_az_jupyter.frontends.grammar.parts import (
    FILES,
    Commands,
    add_command,
    add_profile,
    add_settings,
    complete,
    count,
    expecting,
)

LAUNCH_COMMANDS = frozenset({"status", "logs", "delete", "cleanup", "predict", "train", "deploy"})
"""The commands of this module."""


def add_launches(commands: Commands[argparse.ArgumentParser], *, in_cell: bool = False) -> None:
    """Add `train` and `deploy`, `status`, `logs` and `predict`, `delete` and `cleanup`.

    Args:
        commands: Where to add them.
        in_cell: Whether a cell around them may define what is launched.

    """
    _add_train(commands, in_cell=in_cell)
    _add_deploy(commands, in_cell=in_cell)
    status = add_command(commands, "status", "Show what was launched in the cluster: jobs, endpoints, builds.")
    status.add_argument("name", metavar="NAME", nargs="?", help="show only this, with all that is known of it")
    _add_where(status)
    logs = add_command(commands, "logs", "Show what a job, an endpoint or a build has printed.")
    logs.add_argument("name", metavar="NAME", help="the launch, as status names it")
    about = "go on as lines come: to the end of a job, until Ctrl-C else"
    logs.add_argument("-f", "--follow", action="store_true", help=about)
    about = "the last N lines of each container (default: all)"
    logs.add_argument("--tail", metavar="N", type=count, help=about)
    _add_where(logs)
    predict = add_command(commands, "predict", "Ask an endpoint for predictions.")
    predict.add_argument("name", metavar="NAME", help="the endpoint, as status names it, or its URL")
    about = "a CSV file (a first row of names counts as such), a JSON file, or JSON text such as [[1, 2], [3, 4]]"
    complete(predict.add_argument("data", metavar="DATA", help=about), FILES)
    _add_where(predict)
    about = "Delete jobs, endpoints or builds, and everything created with them."
    delete = add_command(commands, "delete", about)
    delete.add_argument("names", metavar="NAME", nargs="+", help="the launch, as status names it")
    _add_where(delete)
    _add_cleanup(commands)


def _add_train(commands: Commands[argparse.ArgumentParser], *, in_cell: bool) -> None:
    train = add_command(commands, "train", "Train a class or a function as a job, and show its output as it comes.")
    about = "FILE.py:CLASS or FILE.py:FUNCTION, also NOTEBOOK.ipynb:CLASS; in a notebook also a name of it"
    _add_task(train, about, in_cell=in_cell)
    about = "end the job after so long (KubeflowAzureBackend; default: never)"
    train.add_argument("--deadline", metavar="SECONDS", type=_seconds, help=about)
    _add_where(train)


def _add_deploy(commands: Commands[argparse.ArgumentParser], *, in_cell: bool) -> None:
    deploy = add_command(commands, "deploy", "Deploy a class as an endpoint, and wait until it is ready.")
    about = "FILE.py:CLASS, also NOTEBOOK.ipynb:CLASS; in a notebook also a class that it defines"
    _add_task(deploy, about, in_cell=in_cell)
    _add_where(deploy)


def _add_task(command: argparse.ArgumentParser, about: str, *, in_cell: bool) -> None:
    about += "; left out, it is the only one that the cell or the notebook defines" if in_cell else ""
    complete(command.add_argument("task", metavar="TASK", nargs="?" if in_cell else None, help=about), FILES)
    about = "files and folders that it needs, below the working directory, such as requirements.txt"
    names = ("--input-files", "--input")
    complete(command.add_argument(*names, metavar="FILE", nargs="+", action="extend", default=[], help=about), FILES)
    about = "a further file, and where it goes in the image; may be given several times"
    command.add_argument("--output-map", metavar="SRC=DST", type=_pair, action="append", default=[], help=about)


def _add_cleanup(commands: Commands[argparse.ArgumentParser]) -> None:
    about = "Clean up leftovers: finished jobs and builds, incomplete endpoints, old Secrets."
    cleanup = add_command(commands, "cleanup", about)
    cleanup.add_argument("-y", "--yes", action="store_true", help="do not ask")
    cleanup.add_argument("-n", "--dry-run", action="store_true", help="show what would be deleted, delete nothing")
    about = "also what may be in use: jobs that run, and endpoints that Kubeflow Fairing has made by itself"
    cleanup.add_argument("--all", action="store_true", help=about)
    about = "also what belongs to others, and what bears nobody's name"
    cleanup.add_argument("--everyone", action="store_true", help=about)
    _add_where(cleanup)


def _add_where(command: argparse.ArgumentParser) -> None:
    about = "a notebook whose parameters cell counts"
    complete(command.add_argument("--notebook", metavar="NOTEBOOK", help=about), FILES)
    add_profile(command)
    add_settings(command)


@expecting("SRC=DST: a file and its place in the image")
def _pair(text: str) -> tuple[str, str]:
    source, equals, target = text.partition("=")
    if not equals or not source or not target:
        msg = "it is not of the form SRC=DST"
        raise argparse.ArgumentTypeError(msg)
    return source, target


@expecting("whole seconds, at least 1")
def _seconds(text: str) -> int:
    value = int(text)
    if value < 1:
        msg = "it has to be at least 1"
        raise argparse.ArgumentTypeError(msg)
    return value
