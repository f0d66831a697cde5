"""What each command's result looks like to people and to programs."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fairing_az_jupyter.exceptions import ServiceError
from fairing_az_jupyter.frontends.commands.wording import in_place
from fairing_az_jupyter.frontends.views import answers, cluster_launches, outputs, run_lists, tables
from fairing_az_jupyter.frontends.views import runs as run_tables
from fairing_az_jupyter.frontends.views.answers import Answer
from fairing_az_jupyter.frontends.views.checks import check_report
from fairing_az_jupyter.frontends.views.results import Results, Values
from fairing_az_jupyter.operations.declaration import PROGRAM
from fairing_az_jupyter.outputs.fetching import Fetched
from fairing_az_jupyter.outputs.listing import readable_size
from fairing_az_jupyter.records.provenance.files import read_provenance
from fairing_az_jupyter.services.outputs.launch_outputs import kept_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.models import ClusterLaunch, LaunchInfo, Prediction, RunInfo, SecretChange, SecretState
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.declaration import Operation
    from fairing_az_jupyter.operations.launches.status import Launches
    from fairing_az_jupyter.operations.setup.profiles import Profiles
    from fairing_az_jupyter.records.comparing import RunTable
    from fairing_az_jupyter.records.pruning import Pruned
    from fairing_az_jupyter.services.example import Copied
    from fairing_az_jupyter.services.keeping.sweeps import DeletedSweeps
    from fairing_az_jupyter.services.outputs.launch_outputs import LaunchOutputs
    from fairing_az_jupyter.sweeps.table import SweepTable

__all__ = ["answer_of", "of_settings", "shown"]

_WIDE = 200


def answer_of(operation: Operation[Any], call: Call[Any]) -> Answer:
    """Carry out a command that is one question with one answer, and return the answer.

    Args:
        operation: The command.
        call: What was asked.

    """
    if operation.run is None:
        msg = f"'{operation.name}' is carried out by the front ends"
        raise TypeError(msg)
    return shown(operation, call, operation.run(call))


def shown(operation: Operation[Any], call: Call[Any], found: Any) -> Answer:  # noqa: ANN401 - each operation's own
    """Return what a command has found as its answer.

    Args:
        operation: The command.
        call: What was asked.
        found: What its `run` has returned.

    """
    own = _SHOWN.get(operation.name)
    return answers.of_anything(found) if own is None else own(call, found)


def of_settings(explained: Sequence[Mapping[str, Any]], *, sources: bool) -> Answer:
    """Return the settings in force.

    Args:
        explained: What is known of each.
        sources: Whether to say where each comes from.

    """
    values = {str(each["field"]): each["value"] for each in explained}
    table = tables.of_explained(explained, sources=sources)
    return Answer(list(explained) if sources else values, Values(values, table))


def _status(_call: Call[Any], found: Launches) -> Answer:
    if found.is_one:
        info = found.found[0]
        return Answer({"launch": info.to_dict()}, Results([info], tables.of_launch(info)))
    note = check_report.line(found.note)
    table = (tables.of_everyones_launches if found.of_everyone else tables.of_launches)(found.found, note)
    if note and not found.found:
        table = tables.Table((), (), (), note)
    document: dict[str, Any] = {"launches": [info.to_dict() for info in found.found]}
    return Answer({**document, "note": note} if note else document, Results(found.found, table))


def _prediction(_call: Call[Any], found: Prediction) -> Answer:
    table = tables.of_prediction(found)
    document = found.to_dict()
    return Answer(
        {**document, "values": _without_nan(document["values"])},
        Results(found.values, table),
        [*(json.dumps(value) for value in found.values), *table.notes],
    )


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - as it came
    """Return an answer with null for what JSON has no number for: other programs could not read the document."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return {key: _without_nan(each) for key, each in value.items()} if isinstance(value, dict) else value


def _deleted(_call: Call[Any], deleted: Sequence[LaunchInfo]) -> Answer:
    lines = [
        f"{info.kind.capitalize()} {info.name}{f' in namespace {info.namespace}' if info.namespace else ''} is deleted."
        for info in deleted
    ]
    document = {"deleted": [info.to_dict() for info in deleted]}
    return Answer(document, Results(deleted, tables.Table((), (), lines)), lines)


def _fetched(_call: Call[Any], found: Fetched | LaunchOutputs) -> Answer:
    if isinstance(found, Fetched):
        paths = [file.path for file in found.files if file.outcome != "rejected"]
        return Answer(outputs.document_of_fetched(found), Results(paths, outputs.of_fetched(found)))
    return Answer(found.to_dict(), Results(found.files, outputs.of_outputs(found)))


def _secret_states(_call: Call[Any], states: Sequence[SecretState]) -> Answer:
    return Answer({"secrets": [state.to_dict() for state in states]}, Results(states, tables.of_secrets(states)))


def _secret_changes(call: Call[Any], found: Sequence[SecretChange]) -> Answer:
    dry_run, program = call.request.dry_run, call.caller.program
    lines = [each for change in found for each in _change_lines(change, program, dry_run=dry_run)]
    if dry_run:
        lines.append("Nothing was changed: this was a dry run.")
    elif any(change.outcome != "unchanged" for change in found):
        lines.append(f"Check whether a launch would work now: {program} check")
    else:
        lines.append("Nothing had to be changed.")
    document = {"changes": [{**change.to_dict(), "note": in_place(change.note, program)} for change in found]}
    return Answer({**document, "dry_run": dry_run}, Results(found, tables.Table((), (), lines)), lines)


def _change_lines(change: SecretChange, program: str, *, dry_run: bool) -> list[str]:
    would = "would be " if dry_run and change.outcome != "unchanged" else ""
    keys = f" ({', '.join(change.keys)})" if change.keys else ""
    said = f"{change.kind} {change.name} in namespace {change.namespace}: {would}{change.outcome}{keys}"
    note = check_report.line(in_place(change.note, program))
    return [check_report.line(said), *([f"  {note}"] if note else [])]


def _profiles(_call: Call[Any], found: Profiles) -> Answer:
    lines = [f"{'*' if name == found.active else ' '} {name}" for name in found.names] or ["no profiles"]
    rows = [(name, "active" if name == found.active else "") for name in found.names]
    result = Results(found.names, tables.Table(("PROFILE", "IN USE"), rows, (), "no profiles"))
    return Answer({"profiles": list(found.names), "active": found.active}, result, lines)


def _profile(_call: Call[Any], values: Mapping[str, Any]) -> Answer:
    return Answer(dict(values), Values(values, tables.of_values(values)))


def _profile_removed(_call: Call[Any], facts: Mapping[str, Any]) -> Answer:
    return _done(facts, f"Profile {facts['removed']} is removed.")


def _profile_in_use(_call: Call[Any], facts: Mapping[str, Any]) -> Answer:
    active = facts["active"]
    return _done(facts, "No profile is active." if active is None else f"Profile {active} is active.")


def _example(call: Call[Any], copied: Sequence[Copied]) -> Answer:
    kept = [each.path for each in copied if each.outcome == "kept"]
    notes = [f"{path} is another file than the example's, and stays as it is." for path in kept]
    notebook, program = copied[0].path, call.caller.program
    notes.append(f"Run it: {program} run {notebook}" if call.caller.in_terminal else f"Open it: {notebook}")
    table = tables.Table(("FILE", "STATE"), [(each.path, each.outcome) for each in copied], notes)
    return Answer({"files": [each.to_dict() for each in copied]}, Results(copied, table))


def _done(facts: Mapping[str, Any], said: str) -> Answer:
    return Answer(dict(facts), Values(facts, tables.Table((), (), (), said)))


def _runs(call: Call[Any], found: Sequence[RunInfo] | Sequence[ClusterLaunch]) -> Answer:
    limit = call.request.limit or None
    shown = found if limit is None else found[:limit]
    if call.request.cluster:
        return _cluster_launches(call, cast("Sequence[ClusterLaunch]", shown), are_more=len(found) > len(shown))
    shown = cast("Sequence[RunInfo]", shown)
    wanted = call.request.state or call.request.notebook
    more = f"There are older ones: {call.caller.program} runs list --limit {limit * 10 if limit else 0}"
    note = more if len(found) > len(shown) else ""
    table = run_lists.of_runs(shown, note=note, empty=f"No run{' like that' if wanted else ''} is recorded.")
    lines = [*run_lists.lines_of_runs(shown, _columns()), *([note] if note else [])] if shown else table.lines()
    return Answer({"runs": [info.to_dict() for info in shown]}, Results(shown, table), lines)


def _cluster_launches(call: Call[Any], shown: Sequence[ClusterLaunch], *, are_more: bool) -> Answer:
    program, limit = call.caller.program, call.request.limit
    notes = [f"There are older ones: {program} runs list --cluster --limit {limit * 10}"] if are_more else []
    if any(each.size for each in shown):
        notes.append(f"Fetch the files of one: {program} fetch JOB")
    lines = [*cluster_launches.lines_of_cluster_launches(shown, _columns()), *notes]
    table = cluster_launches.of_cluster_launches(shown, notes)
    return Answer({"launches": [each.to_dict() for each in shown]}, Results(shown, table), lines)


def _columns() -> int:
    """Return the width of the terminal; what goes to a file or to another program is cut later."""
    named = os.environ.get("COLUMNS", "")
    return shutil.get_terminal_size().columns if named or sys.stdout.isatty() else _WIDE


def _run(_call: Call[Any], info: RunInfo) -> Answer:
    made, kept = read_provenance(Path(info.folder)), kept_files(info)
    document = {"run": info.to_dict(), "provenance": made.to_dict(), **({"kept": kept.to_dict()} if kept else {})}
    table, lines = run_tables.of_run(info, made, kept), run_tables.lines_of_run(info, made, kept)
    return Answer(document, Results([info], table), lines)


def _run_cancelled(call: Call[Any], info: RunInfo) -> Answer:
    lines = [f"Run {info.id} is asked to stop. See its state: {call.caller.program} runs show {info.id}"]
    return Answer({"cancelling": info.to_dict()}, Results([info], tables.Table((), (), lines)), lines)


def _compared(_call: Call[Any], compared: RunTable) -> Answer:
    return Answer(compared.to_dict(), Results(compared.runs, run_tables.of_comparison(compared)))


def _pruned(call: Call[Any], done: Pruned) -> Answer:
    dry_run, number = call.request.dry_run, len(done.deleted)
    lines = [f"{info.id}  {info.state}  {run_tables.when(info.created)}" for info in done.deleted if dry_run]
    records = f"{number} record{'' if number == 1 else 's'}"
    lines.append(f"{records} would be deleted; this was a dry run." if dry_run else f"{records} deleted.")
    lines += [f"{info.id} could not be deleted: {why}" for info, why in done.failed]
    if done.environments:
        number = len(done.environments)
        environments = f"{number} unused environment{'' if number == 1 else 's'} ({readable_size(done.freed)})"
        lines.append(f"{environments} {'would be ' if dry_run else ''}deleted.")
    document = {
        "deleted": [info.id for info in done.deleted],
        "failed": [{"run": info.id, "why": why} for info, why in done.failed],
        "environments": list(done.environments),
        "freed": done.freed,
        "dry_run": dry_run,
    }
    code = ServiceError.exit_code if done.failed else 0
    return Answer(document, Results(done.deleted, tables.Table((), (), lines)), lines, code)


def _sweeps(_call: Call[Any], found: Sequence[SweepTable]) -> Answer:
    rows = []
    for table in found:
        counts = ", ".join(f"{number} {state}" for state, number in table.counts.items())
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(table.created))
        rows.append([table.sweep, table.state, when, str(len(table.rows)), counts, ", ".join(table.parameters)])
    titles = ("SWEEP", "STATE", "CREATED", "POINTS", "RUNS", "VARIED")
    document = {"sweeps": [{**table.to_dict(), "rows": []} for table in found]}
    return Answer(document, Results(found, tables.Table(titles, rows, (), "No sweep is recorded.")))


def _sweep_cancelled(_call: Call[Any], table: SweepTable) -> Answer:
    said = (
        f"Sweep {table.sweep} is asked to stop; runs that are still running end as cancelled. "
        f"Continue it later: {PROGRAM} sweep resume {table.sweep}"
    )
    return _done({"cancelling": table.sweep}, said)


def _sweeps_deleted(call: Call[Any], done: DeletedSweeps) -> Answer:
    dry_run, number = getattr(call.request, "dry_run", False), len(done.deleted)
    would = "would be deleted; this was a dry run" if dry_run else "deleted"
    lines = [f"{table.sweep}  {table.state}  {run_tables.when(table.created)}" for table in done.deleted if dry_run]
    records = f"{done.records} record{'' if done.records == 1 else 's'} of runs"
    lines.append(f"{number} sweep{'' if number == 1 else 's'} with {records} {would}.")
    lines += [f"{sweep} could not be deleted: {why}" for sweep, why in done.failed]
    document = {
        "deleted": [table.sweep for table in done.deleted],
        "records": done.records,
        "failed": [{"sweep": sweep, "why": why} for sweep, why in done.failed],
        "dry_run": dry_run,
    }
    code = ServiceError.exit_code if done.failed else 0
    return Answer(document, Results(done.deleted, tables.Table((), (), lines)), lines, code)


_SHOWN: Mapping[str, Callable[[Call[Any], Any], Answer]] = {
    "status": _status,
    "predict": _prediction,
    "delete": _deleted,
    "fetch": _fetched,
    "secrets show": _secret_states,
    "secrets create": _secret_changes,
    "secrets rotate": _secret_changes,
    "secrets attach": _secret_changes,
    "profile list": _profiles,
    "profile show": _profile,
    "profile set": _profile,
    "profile remove": _profile_removed,
    "profile use": _profile_in_use,
    "example": _example,
    "runs list": _runs,
    "runs show": _run,
    "runs cancel": _run_cancelled,
    "runs compare": _compared,
    "runs prune": _pruned,
    "sweep list": _sweeps,
    "sweep cancel": _sweep_cancelled,
    "sweep delete": _sweeps_deleted,
    "sweep prune": _sweeps_deleted,
}
"""What has a form of its own; anything else is shown as its fields."""
