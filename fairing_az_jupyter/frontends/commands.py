"""The commands that a terminal and a notebook share: call the manager, print to standard output."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends import grammar, terminal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.models import Question


# Both forms of the commands that a terminal and a cell share; what only a terminal has keeps its form.
_COMMAND = re.compile(
    r"(?:%fairing_azure|\bfairing-azure)(?= (?:check|secrets|settings|profile|install-fairing|"
    r"launch|train|deploy|status|logs|predict|delete|cleanup)\b)"
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
    program: str = grammar.PROGRAM
    present: bool = False
    names: Mapping[str, Any] | None = None

    def notebook(self, parsed: argparse.Namespace) -> str | Mapping[str, Any] | None:
        """Return the notebook whose settings count: the one that was named, else the one that is running, if any."""
        return parsed.notebook if parsed.notebook is not None else self.variables or None


def fill(parsed: argparse.Namespace, _caller: Caller) -> int:
    """Fill a parameters cell, or show what would change."""
    from fairing_az_jupyter import manager, parameters  # noqa: PLC0415

    plan = manager.plan_fill(parsed.notebook, grammar.explicit_settings(parsed), profile=parsed.profile)
    written = not parsed.dry_run and parameters.apply_fill(parsed.notebook, plan)
    if parsed.json:
        print_json({**plan.to_dict(), "diff": plan.diff(), "written": written})
        return 0
    for warning in plan.warnings:
        terminal.tell(f"warning: {warning}")
    if not plan.changed:
        sys.stdout.write(f"{parsed.notebook} has these values already; nothing to change.\n")
        return 0
    sys.stdout.write(plan.diff())
    sys.stdout.write(f"{parsed.notebook}: {'filled' if written else 'would be filled; nothing was written'}\n")
    return 0


def settings(parsed: argparse.Namespace, caller: Caller) -> int:
    """Show the settings in force."""
    from fairing_az_jupyter import manager  # noqa: PLC0415
    from fairing_az_jupyter.settings import Settings  # noqa: PLC0415

    if parsed.schema:
        print_json(Settings.model_json_schema())
        return 0
    resolved = manager.settings_in_force(
        grammar.explicit_settings(parsed),
        notebook=caller.notebook(parsed),
        profile=parsed.profile,
    )
    explained = [each.to_dict() for each in resolved.explain()]
    if parsed.json:
        print_json(explained if parsed.explain else {each["field"]: each["value"] for each in explained})
        return 0
    if parsed.explain:
        rows = [(each["notebook_name"], _shown(each["value"]), each["source"], _hides(each)) for each in explained]
        print_table(("NAME", "VALUE", "SOURCE", "HIDES"), rows)
    else:
        print_table(("NAME", "VALUE"), [(each["notebook_name"], _shown(each["value"])) for each in explained])
    return 0


def profile(parsed: argparse.Namespace, _caller: Caller) -> int:
    """Keep named sets of settings."""
    from fairing_az_jupyter import manager  # noqa: PLC0415
    from fairing_az_jupyter.settings.profiles import ProfileStore  # noqa: PLC0415

    store = ProfileStore()
    if parsed.action == "list":
        names, active = store.list(), store.active()
        lines = [f"{'*' if name == active else ' '} {name}" for name in names] or ["no profiles"]
        answer(parsed, {"profiles": list(names), "active": active}, lines)
    elif parsed.action == "show":
        _answer_values(parsed, store.read(parsed.name))
    elif parsed.action == "set":
        _answer_values(parsed, manager.save_profile(parsed.name, grammar.explicit_settings(parsed)))
    elif parsed.action == "remove":
        store.remove(parsed.name)
        answer(parsed, {"removed": parsed.name}, [f"Profile {parsed.name} is removed."])
    else:
        store.activate(None if parsed.none else parsed.name)
        told = "No profile is active." if parsed.none else f"Profile {parsed.name} is active."
        answer(parsed, {"active": None if parsed.none else parsed.name}, [told])
    return 0


def install_fairing(parsed: argparse.Namespace, _caller: Caller) -> int:
    """Install Kubeflow Fairing."""
    from fairing_az_jupyter.fairing import installation  # noqa: PLC0415

    plan = installation.plan_installation()
    done = {"installed": plan.installed, "command": list(plan.command), "environment": plan.environment}
    if not plan.needed:
        answer(parsed, done, [f"{installation.REQUIREMENT} is installed in {plan.environment}; nothing to do."])
        return 0
    command = " ".join(plan.command)
    if not parsed.json:
        sys.stdout.write(f"{installation.WHY}\n{'Would run' if parsed.dry_run else 'Running'}: {command}\n")
        sys.stdout.flush()
    if not parsed.dry_run:
        installation.install(plan)
        done["installed"] = installation.VERSION
    told = [] if parsed.dry_run else ["Done. In a notebook: from kubeflow.fairing import TrainJob, PredictionEndpoint"]
    answer(parsed, done, told)
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
    from fairing_az_jupyter.mending.writes import Stopped  # noqa: PLC0415 - seldom needed

    return f"cancelled. {stopped}" if isinstance(stopped, Stopped) else "cancelled"


def answer(parsed: argparse.Namespace, for_programs: object, lines: Sequence[str]) -> None:
    """Print an answer as JSON or as lines, as it was asked for."""
    if parsed.json:
        print_json(for_programs)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))


def _answer_values(parsed: argparse.Namespace, values: Mapping[str, Any]) -> None:
    if parsed.json:
        print_json(dict(values))
    else:
        print_table(("SETTING", "VALUE"), [(field, _shown(value)) for field, value in values.items()])


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


def _hides(explained: Mapping[str, Any]) -> str:
    return ", ".join(f"{source}: {_shown(value)}" for source, value in explained["overridden"])


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under titles; every row has as many cells as there are titles."""
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    for row in (titles, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def print_json(document: object) -> None:
    """Print one document."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
