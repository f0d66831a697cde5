"""Every command as it prints: for a terminal, and for `--json` in a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.commands import answers, checks, installing, keeping, launches, outputs, runs, sweeps
from fairing_az_jupyter.frontends.terminal.output import print_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.frontends.terminal.output import Output
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.declaration import Operation

__all__ = ["print_command"]


def print_command(operation: Operation[Any], call: Call[Any], output: Output) -> int:
    """Carry out a command, and print what comes of it.

    Args:
        operation: The command.
        call: What was asked for.
        output: Standard output.

    Returns:
        The exit code.

    Raises:
        FairingAzureError: It can't be carried out, or has failed.

    """
    command = _COMMANDS.get(operation.name)
    if command is not None:
        return command(call, output)
    found = answers.answer_of(operation, call)
    print_answer(found.document, found.text(), as_json=call.json)
    return found.exit_code


_COMMANDS: Mapping[str, Callable[[Call[Any], Output], int]] = {
    "check": checks.check,
    "settings": installing.settings,
    "fill": installing.fill,
    "install-fairing": installing.install_fairing,
    "completion": installing.script,
    "train": launches.train,
    "deploy": launches.deploy,
    "logs": launches.logs,
    "fetch": outputs.fetch,
    "cleanup": launches.cleanup,
    "run": runs.run,
    "launch": runs.launch,
    "runs logs": runs.logs,
    "runs prune": keeping.prune,
    "runs retry": runs.retry,
    "sweep run": sweeps.run,
    "sweep resume": sweeps.resume,
    "sweep show": sweeps.show,
}
"""What prints while it runs; everything else is one question with one answer."""
