"""The command line `fairing-azure`: understand, carry out, print."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.frontends.command_line import completion
from fairing_az_jupyter.frontends.command_line.calls import call_of
from fairing_az_jupyter.frontends.command_line.parsing import Page, parse
from fairing_az_jupyter.frontends.command_line.usage_errors import CommandLineError
from fairing_az_jupyter.frontends.commands import answers, checks, installing, launches, runs, sweeps
from fairing_az_jupyter.frontends.commands.wording import cancelled, in_place
from fairing_az_jupyter.frontends.terminal import debugging, prompts
from fairing_az_jupyter.frontends.terminal import output as terminal
from fairing_az_jupyter.operations.calls import Caller
from fairing_az_jupyter.operations.declaration import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from fairing_az_jupyter.frontends.command_line.parsing import Parsed
    from fairing_az_jupyter.operations.calls import Call

    Command = Callable[[Call[Any], terminal.Output], int]

CANCELLED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program; None for this process's own.

    Returns:
        The exit code, as the help of `fairing-azure` lists them.

    """
    output = terminal.prepare()
    words = sys.argv[1:] if arguments is None else list(arguments)
    with contextlib.redirect_stdout(output):
        try:
            asked = os.environ.get(completion.VARIABLE)
            if arguments is None and asked:
                completion.answer_shell(asked)
                code = 0
            else:
                code = _understood(words, output)
        except terminal.OutputLostError as lost:
            code = _lost(lost)
        try:
            output.flush()
        except terminal.OutputLostError as lost:
            code = code or _lost(lost)
    return code


def _understood(words: Sequence[str], output: terminal.Output) -> int:
    try:
        parsed = parse(words)
    except CommandLineError as error:
        return _failed(error, in_json="--json" in words, debug="--debug" in words)
    if isinstance(parsed, Page):
        sys.stdout.write(parsed.text)
        return 0
    return _carried_out(parsed, output)


def _carried_out(parsed: Parsed, output: terminal.Output) -> int:
    operation = parsed.operation
    try:
        caller = Caller(ask=prompts.ask, present=prompts.at_terminal(), warn=_warn)
        call = call_of(parsed, caller)
        # The result of a check is also its exit code; who asks for JSON wants that. What was launched is still there.
        output.optional = operation.name in {"check", "train", "deploy"} and not parsed.json
        command = _COMMANDS.get(operation.name)
        if command is not None:
            return command(call, output)
        found = answers.answer_of(operation, call)
        terminal.print_answer(found.document, found.text(), as_json=parsed.json)
    except FairingAzureError as error:
        return _failed(error, in_json=parsed.json, debug=parsed.debug, in_lines=operation.streams)
    except KeyboardInterrupt as stopped:
        terminal.report(cancelled(stopped))
        return CANCELLED
    return found.exit_code


def _failed(error: FairingAzureError, *, in_json: bool, debug: bool, in_lines: bool = False) -> int:
    """Say why a command has failed, and return its exit code."""
    if in_json:
        said = {name: in_place(text, PROGRAM) for name, text in error.to_dict().items()}
        try:
            (terminal.print_line if in_lines else terminal.print_json)({"error": said})
        except terminal.OutputLostError as lost:
            _lost(lost)
        return error.exit_code
    if debug:
        debugging.show(error)
    terminal.report(in_place(str(error), PROGRAM))
    return error.exit_code


def _warn(note: str) -> None:
    terminal.report(f"warning: {note}")


def _lost(lost: terminal.OutputLostError) -> int:
    """Return the exit code of a command whose output nobody gets; who closes a pipe (`| head`) has read enough."""
    if lost.reader_gone:
        return 0
    terminal.report(f"{lost} Send the output somewhere else.")
    return InputError.exit_code


_COMMANDS: Mapping[str, Command] = {
    "check": checks.check,
    "settings": installing.settings,
    "fill": installing.fill,
    "install-fairing": installing.install_fairing,
    "completion": installing.script,
    "train": launches.train,
    "deploy": launches.deploy,
    "logs": launches.logs,
    "cleanup": launches.cleanup,
    "run": runs.run,
    "launch": runs.launch,
    "runs logs": runs.logs,
    "runs retry": runs.retry,
    "sweep run": sweeps.run,
    "sweep resume": sweeps.resume,
    "sweep show": sweeps.show,
}
"""What prints while it runs; everything else is one question with one answer."""
