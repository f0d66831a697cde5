"""The commands that write files: a parameters cell, Kubeflow Fairing; and the settings' schema, a shell's script."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.frontends.command_line import completion
from fairing_az_jupyter.frontends.commands import answers
from fairing_az_jupyter.frontends.terminal import output
from fairing_az_jupyter.frontends.terminal.output import print_answer, print_json
from fairing_az_jupyter.operations.setup import settings as operation

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.terminal.output import Output
    from fairing_az_jupyter.frontends.views.answers import Answer
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.notebooks.fill import Fill
    from fairing_az_jupyter.operations.setup.settings import ShowSettings
    from fairing_az_jupyter.operations.setup.tool import Completion, InstallFairing


def fill(call: Call[Fill], _output: Output | None = None, *, dry_run: bool = False) -> int:
    """Fill a parameters cell, or show what would change.

    Args:
        call: The command.
        dry_run: Whether nothing is written in any case.

    """
    from fairing_az_jupyter import parameters, services  # noqa: PLC0415 - each command imports what it needs

    notebook = call.request.notebook or ""
    plan = services.plan_fill(call.session, notebook)
    written = not (dry_run or call.request.dry_run) and parameters.apply_fill(notebook, plan)
    if call.json:
        print_json({**plan.to_dict(), "diff": plan.diff(), "written": written})
        return 0
    for warning in plan.warnings:
        output.warn(warning)
    if not plan.changed:
        sys.stdout.write(f"{notebook} has these values already; nothing to change.\n")
        return 0
    sys.stdout.write(plan.diff())
    sys.stdout.write(f"{notebook}: {'filled' if written else 'would be filled; nothing was written'}\n")
    return 0


def settings(call: Call[ShowSettings], _output: Output) -> int:
    """Show the settings in force, or their schema."""
    if call.request.as_schema:
        print_json(operation.schema())
        return 0
    found = settings_of(call)
    print_answer(found.document, found.text(), as_json=call.json)
    return 0


def settings_of(call: Call[ShowSettings]) -> Answer:
    """Find the settings in force.

    Args:
        call: The command.

    """
    return answers.of_settings(operation.explained(call), sources=call.request.explain)


def script(call: Call[Completion], _output: Output) -> int:
    """Print a completion script."""
    sys.stdout.write(completion.script(call.request.shell))
    return 0


def install_fairing(call: Call[InstallFairing], _output: Output | None = None) -> int:
    """Install Kubeflow Fairing and the start-up file, or remove the latter.

    Args:
        call: The command.

    """
    from fairing_az_jupyter.fairing.upstream import installation, start_up  # noqa: PLC0415

    if call.request.remove:
        return _remove_start_up_file(call)
    plan = installation.plan_installation()
    file, writes = str(start_up.start_up_file()), not start_up.is_written()
    done = {
        "installed": plan.installed,
        "command": list(plan.command),
        "environment": plan.environment,
        "start_up_file": file,
        "start_up_file_written": writes and not call.request.dry_run,
    }
    if not plan.needed and not writes:
        print_answer(
            done, [f"{installation.REQUIREMENT} is installed in {plan.environment}; nothing to do."], as_json=call.json
        )
        return 0
    if plan.needed and not call.json:
        command = " ".join(plan.command)
        sys.stdout.write(f"{installation.WHY}\n{'Would run' if call.request.dry_run else 'Running'}: {command}\n")
        sys.stdout.flush()
    if call.request.dry_run:
        print_answer(done, [f"Would write the start-up file {file}"] if writes else [], as_json=call.json)
        return 0
    installation.install(plan)
    done["installed"] = installation.VERSION
    start_up.write()
    lines = ["Done. In a notebook: from kubeflow.fairing import TrainJob, PredictionEndpoint"] if plan.needed else []
    if writes:
        lines.insert(
            0,
            f"Wrote the start-up file {file}: 'import kubeflow.fairing' works in every new Python process of this "
            f"environment. To undo it: {call.caller.program} install-fairing --remove",
        )
    print_answer(done, lines, as_json=call.json)
    return 0


def _remove_start_up_file(call: Call[InstallFairing]) -> int:
    from fairing_az_jupyter.fairing.upstream import start_up  # noqa: PLC0415

    file = start_up.start_up_file()
    removes = file.exists() if call.request.dry_run else start_up.remove()
    line = f"Start-up file {file} not found; nothing to do."
    if removes and call.request.dry_run:
        line = f"Would remove the start-up file {file}"
    elif removes:
        line = f"Removed the start-up file {file}. Kubeflow Fairing stays installed, and works after: {start_up.BRIDGE}"
    done = {"start_up_file": str(file), "start_up_file_removed": removes and not call.request.dry_run}
    print_answer(done, [line], as_json=call.json)
    return 0
