"""`%%fairing_azure train` and `deploy`: the cell is run as any other, and what it defines is launched."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.exceptions import ExecutionError, InputError
from fairing_az_jupyter.frontends.command_line.usage_errors import CommandLineError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from fairing_az_jupyter.frontends.command_line.parsing import Parsed

__all__ = ["choose_task", "execute_cell"]

_METHODS: dict[str, Literal["train", "predict"]] = {"train": "train", "deploy": "predict"}


def execute_cell(ipython: Any, parsed: Parsed, cell: str) -> frozenset[str]:  # noqa: ANN401 - IPython is untyped
    """Run the cell below a magic's line in the notebook, so that it has what the cell defines.

    Args:
        ipython: The notebook's shell.
        parsed: The line.
        cell: The cell.

    Returns:
        The names of the classes and functions that it defines.

    Raises:
        CommandLineError: The line's command takes no cell, or the cell is empty.
        ExecutionError: The cell has failed; its traceback is shown.
        KeyboardInterrupt: The user has interrupted it.

    """
    if parsed.operation.name not in _METHODS:
        name = parsed.operation.name
        raise CommandLineError(
            f"'{name}' takes no cell.",
            hint=f"Write one % instead of two, and the rest in a cell of its own: %fairing_azure {name}",
        )
    if not cell.strip():
        raise CommandLineError(
            "There is nothing below this line.",
            hint=f"Define a class there, or name one: %fairing_azure {parsed.operation.name} CLASS",
        )
    try:
        tree = ast.parse(ipython.transform_cell(cell))
    except SyntaxError:
        tree = ast.Module([], [])  # IPython says it better, below
    done = ipython.run_cell(cell, store_history=False)
    if isinstance(done.error_in_exec, KeyboardInterrupt):
        raise KeyboardInterrupt
    if not done.success:
        raise ExecutionError("The cell has failed, so nothing was launched. See its error above.", code="cell")
    return frozenset(
        node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    )


def choose_task(parsed: Parsed, names: Mapping[str, Any], defined: Collection[str] | None) -> str:
    """Return what is launched where the line names nothing: the only thing that fits.

    Args:
        parsed: The line.
        names: The notebook's variables.
        defined: What the cell below the line defines; None where there is no cell.

    Raises:
        InputError: There is none, or more than one.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - loading the extension stays light

    method = _METHODS[parsed.operation.name]
    found = [
        task.name
        for task in services.launchable(names)
        if (task.can_train if method == "train" else task.can_deploy) and (defined is None or task.name in defined)
    ]
    if len(found) == 1:
        return found[0]
    where = "This notebook" if defined is None else "This cell"
    does = "trained" if method == "train" else "deployed"
    if found:
        raise InputError(
            f"{where} defines {len(found)} things that can be {does}: {', '.join(found[:10])}.",
            hint=f"Name one: %fairing_azure {parsed.operation.name} {found[-1]}",
            code="task",
        )
    signature = "train(self)" if method == "train" else "predict(self, X, feature_names=None)"
    raise InputError(
        f"{where} defines nothing that can be {does}.",
        hint=f"Define a class with the method {signature}, or name one: %fairing_azure {parsed.operation.name} CLASS",
        code="task",
    )
