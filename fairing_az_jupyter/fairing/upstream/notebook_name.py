"""Which notebook this kernel runs, asked of whatever started it."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# How many words follow these options of papermill's command (`papermill --help`); all others are flags.
_VALUES_OF_OPTIONS = {
    **dict.fromkeys(("-p", "--parameters", "-r", "--parameters_raw"), 2),
    **dict.fromkeys(
        (
            *("-f", "--parameters_file", "-y", "--parameters_yaml", "-b", "--parameters_base64", "--engine", "--cwd"),
            *("-k", "--kernel", "-l", "--language", "--autosave-cell-every", "--stdout-file", "--stderr-file"),
            *("--start-timeout", "--start_timeout", "--execution-timeout", "--log-level"),
        ),
        1,
    ),
}

SESSION_VARIABLE = "JPY_SESSION_NAME"
"""Jupyter Server 2 sets it in a kernel's environment to the path of its notebook; so do our own runs."""


def get_notebook_name() -> str | None:
    """Return the file name of the running notebook, without folders.

    Knows notebooks in JupyterLab and Notebook 7 (their server names it in the environment), in VS Code (which names it
    in the kernel's namespace), under the command `papermill` and in our own runs.

    Returns:
        The name, such as `train.ipynb`; None where there is no notebook or nothing tells which, as in plain IPython.

    """
    if "ipykernel" not in sys.modules:
        return None
    path = _from_vscode() or _from_papermill() or _from_server()
    return PurePath(path.replace("\\", "/")).name if path else None


def get_notebook_path() -> Path | None:
    """Return the file of the running notebook.

    Returns:
        The file, if it is there; None where nothing tells which it is, or where it is on another machine.

    """
    if "ipykernel" not in sys.modules:
        return None
    reported = _from_vscode() or _from_server()
    if not reported:
        return None
    # A server tells its own path, and a kernel begins in its notebook's folder.
    for path in (Path(reported), Path.cwd() / PurePath(reported.replace("\\", "/")).name):
        if path.is_absolute() and path.is_file():
            return path
    return None


def _from_vscode() -> str | None:
    ipython = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    path = getattr(ipython, "user_ns", {}).get("__vsc_ipynb_file__")
    return path if isinstance(path, str) else None


def _from_papermill() -> str | None:
    import psutil  # noqa: PLC0415 - ipykernel has it loaded already

    try:
        return notebook_of_command(psutil.Process(os.getppid()).cmdline())
    except psutil.Error:
        return None


def notebook_of_command(command: Sequence[str]) -> str | None:
    """Return the notebook that a `papermill` command line runs; None if it is another command.

    Args:
        command: The program and its arguments.

    """
    program = next((i for i, word in enumerate(command[:4]) if PurePath(word).stem == "papermill"), None)
    if program is None:
        return None
    words = iter(command[program + 1 :])
    for word in words:
        if not word.startswith("-") or word == "-":
            return word if word.lower().endswith(".ipynb") else None
        for _ in range(0 if "=" in word else _VALUES_OF_OPTIONS.get(word, 0)):
            next(words, None)
    return None


def _from_server() -> str | None:
    name = os.environ.get(SESSION_VARIABLE, "")
    if not name.lower().endswith(".ipynb"):
        return None
    import psutil  # noqa: PLC0415

    try:
        inherited = psutil.Process(os.getppid()).environ().get(SESSION_VARIABLE)
    except psutil.Error:
        inherited = None
    # A kernel that another notebook's code has started inherits that notebook's name: it isn't its own.
    return None if inherited == name else name
