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
from fairing_az_jupyter.frontends.commands.printing import print_command
from fairing_az_jupyter.frontends.commands.wording import cancelled, error_document, in_place
from fairing_az_jupyter.frontends.terminal import debugging, prompts
from fairing_az_jupyter.frontends.terminal import output as terminal
from fairing_az_jupyter.operations.calls import Caller
from fairing_az_jupyter.operations.declaration import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.frontends.command_line.parsing import Parsed

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
        caller = Caller(ask=prompts.ask, present=prompts.at_terminal(), warn=terminal.warn)
        call = call_of(parsed, caller)
        # The result of a check is also its exit code; who asks for JSON wants that. What was launched is still there.
        output.optional = operation.name in {"check", "train", "deploy"} and not parsed.json
        return print_command(operation, call, output)
    except FairingAzureError as error:
        return _failed(error, in_json=parsed.json, debug=parsed.debug, in_lines=operation.streams)
    except KeyboardInterrupt as stopped:
        terminal.report(cancelled(stopped))
        return CANCELLED


def _failed(error: FairingAzureError, *, in_json: bool, debug: bool, in_lines: bool = False) -> int:
    """Say why a command has failed, and return its exit code."""
    if in_json:
        try:
            (terminal.print_line if in_lines else terminal.print_json)(error_document(error, PROGRAM))
        except terminal.OutputLostError as lost:
            _lost(lost)
        return error.exit_code
    if debug:
        debugging.show(error)
    terminal.report(in_place(str(error), PROGRAM))
    return error.exit_code


def _lost(lost: terminal.OutputLostError) -> int:
    """Return the exit code of a command whose output nobody gets; who closes a pipe (`| head`) has read enough."""
    if lost.reader_gone:
        return 0
    terminal.report(f"{lost} Send the output somewhere else.")
    return InputError.exit_code
