"""The command line `fairing-azure`: parse, call the services, print."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.frontends.commands import checks, launches, runs, settings, sweeps
from fairing_az_jupyter.frontends.grammar import parser
from fairing_az_jupyter.frontends.grammar.usage_errors import CommandLineError
from fairing_az_jupyter.frontends.terminal import debugging, prompts
from fairing_az_jupyter.frontends.terminal import output as terminal

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
            code = _dispatch(parser.parse(sys.argv[1:] if arguments is None else arguments), output)
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
        caller = settings.Caller(ask=prompts.ask, present=prompts.at_terminal())
        if parsed.command == "launch":
            return runs.launch(parsed, output, caller)
        if parsed.command in _RUNS:
            return _RUNS[parsed.command](parsed, output)
        # The result of a check is also its exit code; who asks for JSON wants that. What was launched goes on.
        output.optional = parsed.command in {"check", "train", "deploy"} and not parsed.json
        return _COMMANDS[parsed.command](parsed, caller)
    except FairingAzureError as error:
        if getattr(parsed, "json", False):
            told = {name: settings.as_typed(text, parser.PROGRAM) for name, text in error.to_dict().items()}
            try:
                (runs.print_line if _is_in_lines(parsed) else settings.print_json)({"error": told})
            except terminal.OutputLostError as lost:
                _lost(lost)
        else:
            if getattr(parsed, "debug", False):
                debugging.show(error)
            terminal.tell(settings.as_typed(str(error), parser.PROGRAM))
        return error.exit_code
    except KeyboardInterrupt as stopped:
        terminal.tell(settings.cancelled(stopped))
        return CANCELLED


def _is_in_lines(parsed: argparse.Namespace) -> bool:
    return not _LINES.isdisjoint({parsed.command, f"{parsed.command} {getattr(parsed, 'action', '')}"})


def _lost(lost: terminal.OutputLostError) -> int:
    """Return the exit code of a command whose output nobody gets; who closes a pipe (`| head`) has read enough."""
    if lost.reader_gone:
        return 0
    terminal.tell(f"{lost} Send the output elsewhere.")
    return InputError.exit_code


def _panel(_parsed: argparse.Namespace, _caller: settings.Caller) -> int:
    raise CommandLineError(
        "The panel of widgets is for a notebook.",
        hint="Type in a cell: %load_ext fairing_az_jupyter, and then: %fairing_azure panel",
    )


def _completion(parsed: argparse.Namespace, _caller: settings.Caller) -> int:
    import shtab  # noqa: PLC0415

    sys.stdout.write(shtab.complete(parser.parser(), shell=parsed.shell) + "\n")
    return 0


_RUNS: Mapping[str, Callable[[argparse.Namespace, terminal.Output], int]] = {
    "run": runs.run,
    "runs": runs.runs,
    "sweep": sweeps.sweep,
}
_COMMANDS: Mapping[str, Callable[[argparse.Namespace, settings.Caller], int]] = {
    "check": checks.check,
    "secrets": checks.secrets,
    "fill": settings.fill,
    "settings": settings.settings,
    "profile": settings.printing(settings.profile_of),
    "example": settings.printing(settings.example_of),
    "panel": _panel,
    "install-fairing": settings.install_fairing,
    "completion": _completion,
    "status": launches.status,
    "logs": launches.logs,
    "delete": launches.delete,
    "cleanup": launches.cleanup,
    "predict": launches.predict,
    "train": launches.train,
    "deploy": launches.deploy,
}
