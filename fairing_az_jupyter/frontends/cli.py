"""The command line `fairing-azure`: parse, call the manager, print."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.frontends import (
    check_commands,
    commands,
    debugging,
    grammar,
    launch_commands,
    prompts,
    run_commands,
    sweep_commands,
    terminal,
)
from fairing_az_jupyter.frontends.refusals import CommandLineError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

CANCELLED = 130
_LINES = frozenset({"run", "launch", "logs", "runs logs", "runs retry", "sweep run", "sweep resume"})
"""The commands whose JSON is one document a line, printed as things happen."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program; None for this process's own.

    Returns:
        The exit code, as the help of `fairing-azure` lists them.

    """
    output = terminal.prepare()
    with contextlib.redirect_stdout(output):
        try:
            code = _dispatch(grammar.parse(sys.argv[1:] if arguments is None else arguments), output)
        except CommandLineError as refused:
            terminal.tell(str(refused))
            code = refused.exit_code
        except SystemExit as ended:
            # argparse has printed the help, or what it does not understand.
            code = ended.code if isinstance(ended.code, int) else 1
        except terminal.OutputLostError as lost:
            code = _lost(lost)
        try:
            output.flush()
        except terminal.OutputLostError as lost:
            code = code or _lost(lost)
    return code


def _dispatch(parsed: argparse.Namespace, output: terminal.Output) -> int:
    try:
        caller = commands.Caller(ask=prompts.ask, present=prompts.at_terminal())
        if parsed.command == "launch":
            return run_commands.launch(parsed, output, caller)
        if parsed.command in _RUNS:
            return _RUNS[parsed.command](parsed, output)
        # The result of a check is also its exit code; who asks for JSON wants that. What was launched goes on.
        output.optional = parsed.command in {"check", "train", "deploy"} and not parsed.json
        return _COMMANDS[parsed.command](parsed, caller)
    except FairingAzureError as error:
        if getattr(parsed, "json", False):
            told = {name: commands.as_typed(text, grammar.PROGRAM) for name, text in error.to_dict().items()}
            try:
                (run_commands.print_line if _is_in_lines(parsed) else commands.print_json)({"error": told})
            except terminal.OutputLostError as lost:
                _lost(lost)
        else:
            if getattr(parsed, "debug", False):
                debugging.show(error)
            terminal.tell(commands.as_typed(str(error), grammar.PROGRAM))
        return error.exit_code
    except KeyboardInterrupt as stopped:
        terminal.tell(commands.cancelled(stopped))
        return CANCELLED


def _is_in_lines(parsed: argparse.Namespace) -> bool:
    return not _LINES.isdisjoint({parsed.command, f"{parsed.command} {getattr(parsed, 'action', '')}"})


def _lost(lost: terminal.OutputLostError) -> int:
    """Return the exit code of a command whose output nobody gets; who closes a pipe (`| head`) has read enough."""
    if lost.reader_gone:
        return 0
    terminal.tell(f"{lost} Send the output elsewhere.")
    return InputError.exit_code


def _panel(_parsed: argparse.Namespace, _caller: commands.Caller) -> int:
    raise CommandLineError(
        "The panel of widgets is for a notebook.",
        hint="Type in a cell: %load_ext fairing_az_jupyter, and then: %fairing_azure panel",
    )


def _completion(parsed: argparse.Namespace, _caller: commands.Caller) -> int:
    import shtab  # noqa: PLC0415

    sys.stdout.write(shtab.complete(grammar.parser(), shell=parsed.shell) + "\n")
    return 0


_RUNS: Mapping[str, Callable[[argparse.Namespace, terminal.Output], int]] = {
    "run": run_commands.run,
    "runs": run_commands.runs,
    "sweep": sweep_commands.sweep,
}
_COMMANDS: Mapping[str, Callable[[argparse.Namespace, commands.Caller], int]] = {
    "check": check_commands.check,
    "secrets": check_commands.secrets,
    "fill": commands.fill,
    "settings": commands.settings,
    "profile": commands.printing(commands.profile_of),
    "example": commands.printing(commands.example_of),
    "panel": _panel,
    "install-fairing": commands.install_fairing,
    "completion": _completion,
    "status": launch_commands.status,
    "logs": launch_commands.logs,
    "delete": launch_commands.delete,
    "cleanup": launch_commands.cleanup,
    "predict": launch_commands.predict,
    "train": launch_commands.train,
    "deploy": launch_commands.deploy,
}
