"""The command line `fairing-azure`: parse, call the manager, print."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.frontends import check_commands, commands, grammar, launch_commands, prompts, terminal
from fairing_az_jupyter.frontends.refusals import CommandLineError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.models import RunRequest

CANCELLED = 130
_LINES = frozenset({"run", "launch", "logs"})
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
        if parsed.command == "run":
            return _run(parsed, output, _planned(parsed))
        if parsed.command == "launch":
            return _launch(parsed, output, caller)
        # The result of a check is also its exit code; who asks for JSON wants that. What was launched goes on.
        output.optional = parsed.command in {"check", "train", "deploy"} and not parsed.json
        return _COMMANDS[parsed.command](parsed, caller)
    except FairingAzureError as error:
        if getattr(parsed, "json", False):
            told = {name: commands.as_typed(text, grammar.PROGRAM) for name, text in error.to_dict().items()}
            try:
                (_print_line if parsed.command in _LINES else commands.print_json)({"error": told})
            except terminal.OutputLostError as lost:
                _lost(lost)
        else:
            terminal.tell(commands.as_typed(str(error), grammar.PROGRAM))
        return error.exit_code
    except KeyboardInterrupt as stopped:
        terminal.tell(commands.cancelled(stopped))
        return CANCELLED


def _lost(lost: terminal.OutputLostError) -> int:
    """Return the exit code of a command whose output nobody gets; who closes a pipe (`| head`) has read enough."""
    if lost.reader_gone:
        return 0
    terminal.tell(f"{lost} Send the output elsewhere.")
    return InputError.exit_code


def _planned(parsed: argparse.Namespace) -> RunRequest:
    from fairing_az_jupyter import manager  # noqa: PLC0415 - each command imports what it needs: help stays quick

    plan = manager.plan_launch if parsed.command == "launch" else manager.plan_run
    return plan(
        parsed.notebook,
        pairs=[(name, value) for name, value in parsed.parameters],
        parameters_file=parsed.parameters_file,
        explicit=grammar.explicit_settings(parsed),
        profile=parsed.profile,
        output=parsed.output,
        kernel_name=parsed.kernel,
        cwd=parsed.cwd,
        cell_timeout=parsed.cell_timeout,
    )


def _launch(parsed: argparse.Namespace, output: terminal.Output, caller: commands.Caller) -> int:
    request = _planned(parsed)
    return launch_commands.checked(parsed, caller, request) or _run(parsed, output, request)


def _run(parsed: argparse.Namespace, output: terminal.Output, request: RunRequest) -> int:
    from fairing_az_jupyter import manager  # noqa: PLC0415 - as above
    from fairing_az_jupyter.frontends.progress import Progress  # noqa: PLC0415

    # The result of a run is the executed notebook: it goes on to its end, whoever has stopped to listen.
    output.optional = True
    if parsed.json:
        result = manager.run(request, lambda event: _print_line({"event": event.to_dict()}))
        _print_line({"result": result.to_dict()})
        return 0
    result = manager.run(request, Progress(output).show)
    sys.stdout.write(f"Executed notebook: {os.path.abspath(result.output)}\n")  # noqa: PTH100 - may be a URL's path
    return 0


def _completion(parsed: argparse.Namespace, _caller: commands.Caller) -> int:
    import shtab  # noqa: PLC0415

    sys.stdout.write(shtab.complete(grammar.parser(), shell=parsed.shell) + "\n")
    return 0


def _print_line(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, commands.Caller], int]] = {
    "check": check_commands.check,
    "secrets": check_commands.secrets,
    "fill": commands.fill,
    "settings": commands.settings,
    "profile": commands.profile,
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
