"""The command line `fairing-azure`: parse, call the manager, print."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.frontends import grammar, terminal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

CANCELLED = 130


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
        return _COMMANDS[parsed.command](parsed, output)
    except FairingAzureError as error:
        if getattr(parsed, "json", False):
            try:
                (_print_line if parsed.command == "run" else _print_json)({"error": error.to_dict()})
            except terminal.OutputLostError as lost:
                _lost(lost)
        else:
            terminal.tell(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        terminal.tell("cancelled")
        return CANCELLED


def _lost(lost: terminal.OutputLostError) -> int:
    """Return the exit code of a command whose output nobody gets; who closes a pipe (`| head`) has read enough."""
    if lost.reader_gone:
        return 0
    terminal.tell(f"{lost} Send the output elsewhere.")
    return InputError.exit_code


def _run(parsed: argparse.Namespace, output: terminal.Output) -> int:
    from fairing_az_jupyter import manager  # noqa: PLC0415 - each command imports what it needs: help stays quick
    from fairing_az_jupyter.frontends.progress import Progress  # noqa: PLC0415

    request = manager.plan_run(
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
    # The result of a run is the executed notebook: it goes on to its end, whoever has stopped to listen.
    output.optional = True
    if parsed.json:
        result = manager.run(request, lambda event: _print_line({"event": event.to_dict()}))
        _print_line({"result": result.to_dict()})
        return 0
    result = manager.run(request, Progress(output).show)
    sys.stdout.write(f"Executed notebook: {os.path.abspath(result.output)}\n")  # noqa: PTH100 - may be a URL's path
    return 0


def _fill(parsed: argparse.Namespace, _output: terminal.Output) -> int:
    from fairing_az_jupyter import manager, parameters  # noqa: PLC0415

    plan = manager.plan_fill(parsed.notebook, grammar.explicit_settings(parsed), profile=parsed.profile)
    written = not parsed.dry_run and parameters.apply_fill(parsed.notebook, plan)
    if parsed.json:
        _print_json({**plan.to_dict(), "diff": plan.diff(), "written": written})
        return 0
    for warning in plan.warnings:
        terminal.tell(f"warning: {warning}")
    if not plan.changed:
        sys.stdout.write(f"{parsed.notebook} has these values already; nothing to change.\n")
        return 0
    sys.stdout.write(plan.diff())
    sys.stdout.write(f"{parsed.notebook}: {'filled' if written else 'would be filled; nothing was written'}\n")
    return 0


def _settings(parsed: argparse.Namespace, _output: terminal.Output) -> int:
    from fairing_az_jupyter import manager  # noqa: PLC0415
    from fairing_az_jupyter.settings import Settings  # noqa: PLC0415

    if parsed.schema:
        _print_json(Settings.model_json_schema())
        return 0
    resolved = manager.settings_in_force(
        grammar.explicit_settings(parsed),
        notebook=parsed.notebook,
        profile=parsed.profile,
    )
    explained = [each.to_dict() for each in resolved.explain()]
    if parsed.json:
        _print_json(explained if parsed.explain else {each["field"]: each["value"] for each in explained})
        return 0
    if parsed.explain:
        rows = [(each["notebook_name"], _shown(each["value"]), each["source"], _hides(each)) for each in explained]
        _print_table(("NAME", "VALUE", "SOURCE", "HIDES"), rows)
    else:
        _print_table(("NAME", "VALUE"), [(each["notebook_name"], _shown(each["value"])) for each in explained])
    return 0


def _profile(parsed: argparse.Namespace, _output: terminal.Output) -> int:
    from fairing_az_jupyter import manager  # noqa: PLC0415
    from fairing_az_jupyter.settings.profiles import ProfileStore  # noqa: PLC0415

    store = ProfileStore()
    if parsed.action == "list":
        names, active = store.list(), store.active()
        lines = [f"{'*' if name == active else ' '} {name}" for name in names] or ["no profiles"]
        _answer(parsed, {"profiles": list(names), "active": active}, lines)
    elif parsed.action == "show":
        _answer_values(parsed, store.read(parsed.name))
    elif parsed.action == "set":
        _answer_values(parsed, manager.save_profile(parsed.name, grammar.explicit_settings(parsed)))
    elif parsed.action == "remove":
        store.remove(parsed.name)
        _answer(parsed, {"removed": parsed.name}, [f"Profile {parsed.name} is removed."])
    else:
        store.activate(None if parsed.none else parsed.name)
        told = "No profile is active." if parsed.none else f"Profile {parsed.name} is active."
        _answer(parsed, {"active": None if parsed.none else parsed.name}, [told])
    return 0


def _install_fairing(parsed: argparse.Namespace, _output: terminal.Output) -> int:
    from fairing_az_jupyter.fairing import installation  # noqa: PLC0415

    plan = installation.plan_installation()
    done = {"installed": plan.installed, "command": list(plan.command), "environment": plan.environment}
    if not plan.needed:
        _answer(parsed, done, [f"{installation.REQUIREMENT} is installed in {plan.environment}; nothing to do."])
        return 0
    command = " ".join(plan.command)
    if not parsed.json:
        sys.stdout.write(f"{installation.WHY}\n{'Would run' if parsed.dry_run else 'Running'}: {command}\n")
        sys.stdout.flush()
    if not parsed.dry_run:
        installation.install(plan)
        done["installed"] = installation.VERSION
    told = [] if parsed.dry_run else ["Done. In a notebook: from kubeflow.fairing import TrainJob, PredictionEndpoint"]
    _answer(parsed, done, told)
    return 0


def _completion(parsed: argparse.Namespace, _output: terminal.Output) -> int:
    import shtab  # noqa: PLC0415

    sys.stdout.write(shtab.complete(grammar.parser(), shell=parsed.shell) + "\n")
    return 0


def _answer(parsed: argparse.Namespace, for_programs: object, lines: Sequence[str]) -> None:
    if parsed.json:
        _print_json(for_programs)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))


def _answer_values(parsed: argparse.Namespace, values: Mapping[str, Any]) -> None:
    if parsed.json:
        _print_json(dict(values))
    else:
        _print_table(("SETTING", "VALUE"), [(field, _shown(value)) for field, value in values.items()])


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


def _hides(explained: Mapping[str, Any]) -> str:
    return ", ".join(f"{source}: {_shown(value)}" for source, value in explained["overridden"])


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    for row in (titles, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def _print_json(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _print_line(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, terminal.Output], int]] = {
    "run": _run,
    "fill": _fill,
    "settings": _settings,
    "profile": _profile,
    "install-fairing": _install_fairing,
    "completion": _completion,
}
