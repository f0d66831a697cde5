"""The commands that a terminal and a notebook share: call the services, print to standard output."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.grammar import parser
from fairing_az_jupyter.frontends.terminal import output
from fairing_az_jupyter.frontends.views import tables
from fairing_az_jupyter.frontends.views.results import Results, Values

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.models import Question
    from fairing_az_jupyter.services import Session

    AnswerOf = Callable[[argparse.Namespace, "Caller"], "Answer"]

# Both forms of the commands that a terminal and a cell share; what only a terminal has keeps its form.
_COMMAND = re.compile(
    r"(?:%fairing_azure|\bfairing-azure)(?= (?:check|secrets|settings|profile|install-fairing|"
    r"launch|run|runs|train|deploy|status|logs|predict|delete|cleanup|example|help)\b)"
)


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who has typed a command.

    Args:
        ask: Asks that person.
        variables: The settings that the notebook's own variables hold, by their names there; they count as its
            parameters cell where no other notebook is named.
        program: What that person types before a sub-command.
        present: Whether there is such a person for certain: questions may then be asked also beside a file.
        names: All of the notebook's own variables, in which a task may be named; None where there is no notebook.

    """

    ask: Callable[[Question], str]
    variables: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    program: str = parser.PROGRAM
    present: bool = False
    names: Mapping[str, Any] | None = None

    def notebook(self, parsed: argparse.Namespace) -> str | Mapping[str, Any] | None:
        """Return the notebook whose settings count: the one that was named, else the one that is running, if any."""
        return parsed.notebook if parsed.notebook is not None else self.variables or None


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command has found: for programs, for Python, and for people.

    Args:
        document: The answer as `--json` prints it.
        result: What a magic returns, and shows.
        lines: What a terminal shows; None for the result's own table.

    """

    document: object
    result: Results[Any] | Values
    lines: Sequence[str] | None = None

    def told(self) -> list[str]:
        """Return the lines for a terminal."""
        return self.result.table.lines() if self.lines is None else list(self.lines)


def session_of(parsed: argparse.Namespace, caller: Caller | None = None) -> Session:
    """Return what a command works with: what its words say of settings, notebook, profile and records.

    Args:
        parsed: The command line.
        caller: Who has typed it; None where the notebook of the command is what it runs, and no source of settings.

    """
    from fairing_az_jupyter.services import Session  # noqa: PLC0415 - each command imports what it needs

    return Session(
        parser.explicit_settings(parsed),
        notebook=caller.notebook(parsed) if caller is not None else None,
        profile=getattr(parsed, "profile", None),
        runs_folder=getattr(parsed, "runs_folder", None),
    )


def printing(answer_of: AnswerOf) -> Callable[[argparse.Namespace, Caller], int]:
    """Return a command that prints what another one finds.

    Args:
        answer_of: Finds it.

    """

    def command(parsed: argparse.Namespace, caller: Caller) -> int:
        found = answer_of(parsed, caller)
        answer(parsed, found.document, found.told())
        return 0

    return command


def fill(parsed: argparse.Namespace, _caller: Caller) -> int:
    """Fill a parameters cell, or show what would change."""
    from fairing_az_jupyter import parameters, services  # noqa: PLC0415 - each command imports what it needs

    plan = services.plan_fill(session_of(parsed), parsed.notebook)
    written = not parsed.dry_run and parameters.apply_fill(parsed.notebook, plan)
    if parsed.json:
        print_json({**plan.to_dict(), "diff": plan.diff(), "written": written})
        return 0
    for warning in plan.warnings:
        output.tell(f"warning: {warning}")
    if not plan.changed:
        sys.stdout.write(f"{parsed.notebook} has these values already; nothing to change.\n")
        return 0
    sys.stdout.write(plan.diff())
    sys.stdout.write(f"{parsed.notebook}: {'filled' if written else 'would be filled; nothing was written'}\n")
    return 0


def settings(parsed: argparse.Namespace, caller: Caller) -> int:
    """Show the settings in force, or their schema."""
    from fairing_az_jupyter.settings import Settings  # noqa: PLC0415

    if parsed.schema:
        print_json(Settings.model_json_schema())
        return 0
    return printing(settings_of)(parsed, caller)


def settings_of(parsed: argparse.Namespace, caller: Caller) -> Answer:
    """Find the settings in force."""
    explained = [each.to_dict() for each in session_of(parsed, caller).resolved.explain()]
    values = {str(each["field"]): each["value"] for each in explained}
    table = tables.of_explained(explained, sources=parsed.explain)
    return Answer(explained if parsed.explain else values, Values(values, table))


def profile_of(parsed: argparse.Namespace, _caller: Caller) -> Answer:
    """Keep named sets of settings."""
    from fairing_az_jupyter import services  # noqa: PLC0415
    from fairing_az_jupyter.settings.profiles import ProfileStore  # noqa: PLC0415

    store = ProfileStore()
    if parsed.action == "list":
        names, active = store.list(), store.active()
        lines = [f"{'*' if name == active else ' '} {name}" for name in names] or ["no profiles"]
        rows = [(name, "active" if name == active else "") for name in names]
        found = Results(names, tables.Table(("PROFILE", "IN USE"), rows, (), "no profiles"))
        return Answer({"profiles": list(names), "active": active}, found, lines)
    if parsed.action in {"show", "set"}:
        changes = parser.explicit_settings(parsed) if parsed.action == "set" else None
        values = store.read(parsed.name) if changes is None else services.save_profile(parsed.name, changes)
        return Answer(dict(values), Values(values, tables.of_values(values)))
    if parsed.action == "remove":
        store.remove(parsed.name)
        return _done({"removed": parsed.name}, f"Profile {parsed.name} is removed.")
    store.activate(None if parsed.none else parsed.name)
    told = "No profile is active." if parsed.none else f"Profile {parsed.name} is active."
    return _done({"active": None if parsed.none else parsed.name}, told)


def example_of(parsed: argparse.Namespace, caller: Caller) -> Answer:
    """Copy the example."""
    from fairing_az_jupyter import services  # noqa: PLC0415

    copied = services.copy_example(parsed.folder)
    kept = [each.path for each in copied if each.outcome == "kept"]
    notes = [f"{path} is another file than the example's, and stays as it is." for path in kept]
    notebook = copied[0].path
    in_terminal = caller.program == parser.PROGRAM
    notes.append(f"Run it: {caller.program} run {notebook}" if in_terminal else f"Open it: {notebook}")
    table = tables.Table(("FILE", "STATE"), [(each.path, each.outcome) for each in copied], notes)
    return Answer({"files": [each.to_dict() for each in copied]}, Results(copied, table))


def _done(facts: Mapping[str, Any], told: str) -> Answer:
    return Answer(dict(facts), Values(facts, tables.Table((), (), (), told)))


def install_fairing(parsed: argparse.Namespace, caller: Caller) -> int:
    """Install Kubeflow Fairing and the start-up file, or remove the latter."""
    from fairing_az_jupyter.fairing.upstream import installation, start_up  # noqa: PLC0415

    if parsed.remove:
        return _remove_start_up_file(parsed)
    plan = installation.plan_installation()
    file, writes = str(start_up.start_up_file()), not start_up.is_written()
    done = {
        "installed": plan.installed,
        "command": list(plan.command),
        "environment": plan.environment,
        "start_up_file": file,
        "start_up_file_written": writes and not parsed.dry_run,
    }
    if not plan.needed and not writes:
        answer(parsed, done, [f"{installation.REQUIREMENT} is installed in {plan.environment}; nothing to do."])
        return 0
    if plan.needed and not parsed.json:
        command = " ".join(plan.command)
        sys.stdout.write(f"{installation.WHY}\n{'Would run' if parsed.dry_run else 'Running'}: {command}\n")
        sys.stdout.flush()
    if parsed.dry_run:
        answer(parsed, done, [f"Would write the start-up file {file}"] if writes else [])
        return 0
    installation.install(plan)
    done["installed"] = installation.VERSION
    start_up.write()
    lines = ["Done. In a notebook: from kubeflow.fairing import TrainJob, PredictionEndpoint"] if plan.needed else []
    if writes:
        lines.insert(
            0,
            f"Wrote the start-up file {file}: 'import kubeflow.fairing' works in every new Python process of this "
            f"environment. To undo it: {caller.program} install-fairing --remove",
        )
    answer(parsed, done, lines)
    return 0


def _remove_start_up_file(parsed: argparse.Namespace) -> int:
    from fairing_az_jupyter.fairing.upstream import start_up  # noqa: PLC0415

    file = start_up.start_up_file()
    removes = file.exists() if parsed.dry_run else start_up.remove()
    line = f"There is no start-up file {file}; nothing to do."
    if removes and parsed.dry_run:
        line = f"Would remove the start-up file {file}"
    elif removes:
        line = f"Removed the start-up file {file}. Kubeflow Fairing stays installed, and works after: {start_up.BRIDGE}"
    done = {"start_up_file": str(file), "start_up_file_removed": removes and not parsed.dry_run}
    answer(parsed, done, [line])
    return 0


def as_typed(text: str, program: str) -> str:
    """Return a text whose commands are those that the user can type right here.

    Args:
        text: A hint or a message; its commands may be written for a terminal or for a cell.
        program: What the user types before a sub-command.

    """
    return _COMMAND.sub(program, text)


def cancelled(stopped: KeyboardInterrupt) -> str:
    """Return what to tell who has stopped a command, with what it had done by then where that matters."""
    from fairing_az_jupyter.setup.writes import Stopped  # noqa: PLC0415 - seldom needed

    return f"cancelled. {stopped}" if isinstance(stopped, Stopped) else "cancelled"


def answer(parsed: argparse.Namespace, for_programs: object, lines: Sequence[str]) -> None:
    """Print an answer as JSON or as lines, as it was asked for."""
    if parsed.json:
        print_json(for_programs)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))


def print_json(document: object) -> None:
    """Print one document."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
