"""The commands that run notebooks, and that look after the records of runs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from fairing_az_jupyter.exceptions import InputError, RunCancelledError, RunFailedError, ServiceError
from fairing_az_jupyter.frontends.commands import launches
from fairing_az_jupyter.frontends.commands import settings as commands
from fairing_az_jupyter.frontends.terminal import output as terminal
from fairing_az_jupyter.frontends.views import check_report
from fairing_az_jupyter.frontends.views import runs as run_tables
from fairing_az_jupyter.frontends.views import tables as result_tables
from fairing_az_jupyter.frontends.views.results import Results

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.frontends.commands.settings import Caller
    from fairing_az_jupyter.frontends.terminal.output import Output
    from fairing_az_jupyter.frontends.views.junit import JUnitReport
    from fairing_az_jupyter.models import RunEvent, RunInfo, RunRequest, RunResult
    from fairing_az_jupyter.services import Session

_LAST_TRACEBACK_LINES = 12
_LONGEST_LINE = 500


def run(parsed: argparse.Namespace, output: Output) -> int:
    """Run a notebook."""
    with _report(parsed) as report:
        if parsed.on_cluster:
            return _run_on_cluster(parsed, output, report)
        if parsed.input_files:
            refuse_input_files()
        session = commands.session_of(parsed)
        return _execute(session, parsed, output, planned(session, parsed), report)


def launch(parsed: argparse.Namespace, output: Output, caller: Caller) -> int:
    """Check what a notebook's launch needs, unless told not to, and run it."""
    with _report(parsed) as report:
        session = commands.session_of(parsed)
        request = planned(session, parsed)
        failing = 0 if parsed.skip_checks else launches.checked(parsed, caller, request)
        if failing:
            report.of(request)
            report.not_started("The run was not started: a check has found what would make its launch fail.")
            if not parsed.json:
                again = "To launch it without the checks, add --skip-checks."
                sys.stdout.write(f"{again}\n")
            return failing
        return _execute(session, parsed, output, request, report)


def refuse_input_files() -> NoReturn:
    """Refuse input files of a run on this machine.

    Raises:
        InputError: Always.

    """
    raise InputError(
        "--input-files names what a notebook needs in the cluster, and this one runs here.",
        hint="Leave it out, or add --on-cluster.",
        code="input-files",
    )


def planned(session: Session, parsed: argparse.Namespace) -> RunRequest:
    """Return the run that a command line asks for.

    Args:
        session: The settings in force, the records and the cluster.
        parsed: The command line of `run` or `launch`.

    """
    request, environment = plan(session, parsed)
    # The notebook's kernel is this process's child.
    os.environ.update(environment)
    return request


def plan(session: Session, parsed: argparse.Namespace) -> tuple[RunRequest, Mapping[str, str]]:
    """Return the run that a command line asks for, and what the environment of its kernel needs.

    Args:
        session: The settings in force, the records and the cluster.
        parsed: The command line of `run` or `launch`.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    if parsed.command == "launch":
        return services.plan_launch(session, parsed.notebook, **_wanted(session, parsed))
    if parsed.on_cluster:
        return services.plan_cluster_run(session, parsed.notebook, **_wanted(session, parsed))[0], {}
    return services.plan_run(session, parsed.notebook, **_wanted(session, parsed)), {}


def _wanted(session: Session, parsed: argparse.Namespace) -> dict[str, Any]:
    """Return what a command line says of a run, as `plan_run` takes it."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    earlier = services.describe_run(session, parsed.from_run).parameters if parsed.from_run else None
    return {
        "pairs": [(name, value) for name, value in parsed.parameters],
        "parameters_file": parsed.parameters_file,
        "output": parsed.output,
        "from_run": earlier,
        "kernel_name": parsed.kernel,
        "cwd": parsed.cwd,
        "cell_timeout": parsed.cell_timeout,
        "deadline": parsed.deadline,
        "output_limit": parsed.output_limit,
    }


def _run_on_cluster(
    parsed: argparse.Namespace, output: Output, report: JUnitReport, earlier: RunInfo | None = None
) -> int:
    """Let the cluster execute a notebook, or again what it has executed before, and follow it."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    session = commands.session_of(parsed)
    if earlier is None:
        request, settings = services.plan_cluster_run(session, parsed.notebook, **_wanted(session, parsed))
        files, facts = parsed.input_files, {}
    else:
        request = services.plan_retry(session, earlier.id, as_it_was=parsed.as_it_was)
        settings, files = services.launched_with(earlier)
        facts = {"retry_of": earlier.id}
    report.of(request)
    point = services.ClusterPoint(request, facts=facts)
    batch = services.start_on_cluster(session, [point], settings, input_files=files)
    name = batch.runs[0]
    terminal.tell_lines([f"Run {name} is Job {batch.job} in namespace {batch.namespace}."])

    def follow(listen: Callable[[RunEvent], None]) -> RunResult:
        return services.follow_cluster_run(session, name, listen, tell=_warn)

    try:
        return _execute(session, parsed, output, request, report, carry_out=follow)
    except KeyboardInterrupt:
        terminal.tell_lines(
            [
                f"Run {name} goes on in the cluster. Follow it: fairing-azure runs logs -f {name}",
                f"Cancel it: fairing-azure runs cancel {name}",
            ]
        )
        return RunCancelledError.exit_code


def _warn(note: str) -> None:
    terminal.tell(f"warning: {note}")


def _report(parsed: argparse.Namespace) -> JUnitReport:
    from fairing_az_jupyter.frontends.views.junit import JUnitReport  # noqa: PLC0415 - as above

    return JUnitReport(getattr(parsed, "junit", None), getattr(parsed, "notebook", ""))


def _execute(
    session: Session,
    parsed: argparse.Namespace,
    output: Output,
    request: RunRequest,
    report: JUnitReport,
    *,
    retry_of: str = "",
    carry_out: Callable[[Callable[[RunEvent], None]], RunResult] | None = None,
) -> int:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above
    from fairing_az_jupyter.frontends.terminal.progress import Progress  # noqa: PLC0415

    # The result of a run is the executed notebook: it goes on to its end, whoever has stopped to listen.
    output.optional = True
    show: Callable[[RunEvent], None] = Progress(output).show
    if parsed.json:
        show = lambda event: print_line({"event": event.to_dict()})  # noqa: E731 - as short as the other
    report.of(request)
    try:
        listen = report.listening(show)
        if carry_out is not None:
            result = carry_out(listen)
        else:
            result = services.run(session, request, listen, retry_of=retry_of)
    except RunFailedError as error:
        if not parsed.json:
            _tell_failure(error, request)
        raise
    if parsed.json:
        print_line({"result": result.to_dict()})
        return 0
    sys.stdout.writelines(f"{name} = {run_tables.value(value)}\n" for name, value in result.metrics.items())
    where = result.output if "://" in result.output else os.path.abspath(result.output)  # noqa: PTH100 - links stay
    sys.stdout.write(f"Executed notebook: {where}\nRecord: {result.run}\n")
    return 0


def _tell_failure(error: RunFailedError, request: RunRequest) -> None:
    """Show the end of a traceback and the parameters above the one line that says what failed."""
    told = [f"  {run_tables.short(line, _LONGEST_LINE)}" for line in error.traceback[-_LAST_TRACEBACK_LINES:]]
    if request.parameters:
        values = (f"{name}={run_tables.value(value)}" for name, value in request.parameters.items())
        told.append(f"Parameters: {check_report.line(', '.join(values))}")
    if told:
        sys.stdout.flush()
        terminal.tell_lines(told)


def runs(parsed: argparse.Namespace, output: Output) -> int:
    """Look after the records of runs."""
    return _ACTIONS[parsed.action](parsed, output)


def listed_of(parsed: argparse.Namespace, _caller: Caller | None = None) -> commands.Answer:
    """Find runs."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    wanted = {key: getattr(parsed, key) for key in ("state", "notebook") if getattr(parsed, key)}
    limit = parsed.limit or None
    most = None if limit is None else limit + 1
    found = services.list_runs(commands.session_of(parsed), limit=most, tell=_warn, **wanted)
    shown = found if limit is None else found[:limit]
    more = f"There are older ones: fairing-azure runs list --limit {limit * 10 if limit else 0}"
    table = run_tables.of_runs(
        shown,
        note=more if len(found) > len(shown) else "",
        empty=f"No run{' like that' if wanted else ''} is recorded.",
    )
    lines = [line for line in table.lines() if line]
    return commands.Answer({"runs": [info.to_dict() for info in shown]}, Results(shown, table), lines)


def shown_of(parsed: argparse.Namespace, _caller: Caller | None = None) -> commands.Answer:
    """Find all that is known of a run."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    info = services.describe_run(commands.session_of(parsed), parsed.name, tell=_warn)
    table = run_tables.of_run(info)
    return commands.Answer({"run": info.to_dict()}, Results([info], table), run_tables.lines_of_run(info))


def _logs(parsed: argparse.Namespace, _output: Output) -> int:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    if parsed.json:
        for offset, event in services.run_events(commands.session_of(parsed), parsed.name, follow_it=parsed.follow):
            print_line({"offset": offset, "event": event})
        return 0
    session = commands.session_of(parsed)
    for text in services.run_log(session, parsed.name, follow_it=parsed.follow, tail=parsed.tail):
        sys.stdout.write(text)
        sys.stdout.flush()
    return 0


def cancelling_of(parsed: argparse.Namespace, _caller: Caller | None = None) -> commands.Answer:
    """Ask a run to stop."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    info = services.cancel_run(commands.session_of(parsed), parsed.name)
    told = [f"Run {info.id} is asked to stop. See how it goes: fairing-azure runs show {info.id}"]
    document = {"cancelling": info.to_dict()}
    return commands.Answer(document, Results([info], result_tables.Table((), (), told)), told)


def _retry(parsed: argparse.Namespace, output: Output) -> int:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    session = commands.session_of(parsed)
    info = services.describe_run(session, parsed.name, tell=_warn)
    if info.place == "cluster":
        return _run_on_cluster(parsed, output, _report(parsed), info)
    request = services.plan_retry(session, info.id, as_it_was=parsed.as_it_was)
    if info.kind != "notebook":
        again = services.start_run(session, request, retry_of=info.id)
        told = f"Run {again.id} goes on in the background. Follow it: fairing-azure runs logs -f {again.id}"
        commands.answer(parsed, {"run": again.to_dict()}, [told])
        return 0
    os.environ.update(services.launch_environment(session, request))
    return _execute(session, parsed, output, request, _report(parsed), retry_of=info.id)


def compared_of(parsed: argparse.Namespace, _caller: Caller | None = None) -> commands.Answer:
    """Put runs beside each other."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    compared = services.compare_runs(commands.session_of(parsed), parsed.names)
    return commands.Answer(compared.to_dict(), Results(compared.runs, run_tables.of_comparison(compared)))


def pruned_of(parsed: argparse.Namespace, _caller: Caller | None = None) -> commands.Answer:
    """Delete the records of runs that have ended."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    done = services.prune_runs(
        commands.session_of(parsed),
        keep=parsed.keep,
        older_than=parsed.older_than,
        state=parsed.state,
        dry_run=parsed.dry_run,
    )
    number = len(done.deleted)
    told = [f"{info.id}  {info.state}  {run_tables.when(info.created)}" for info in done.deleted if parsed.dry_run]
    told.append(
        f"{number} record{'' if number == 1 else 's'} {'would be' if parsed.dry_run else 'deleted'}"
        f"{' deleted; this was a dry run' if parsed.dry_run else ''}."
    )
    told += [f"{info.id} could not be deleted: {why}" for info, why in done.failed]
    document = {
        "deleted": [info.id for info in done.deleted],
        "failed": [{"run": info.id, "why": why} for info, why in done.failed],
        "dry_run": parsed.dry_run,
    }
    return commands.Answer(document, Results(done.deleted, result_tables.Table((), (), told)), told)


def _prune(parsed: argparse.Namespace, _output: Output) -> int:
    done = pruned_of(parsed)
    commands.answer(parsed, done.document, done.told())
    failed = isinstance(done.document, dict) and done.document["failed"]
    return ServiceError.exit_code if failed else 0


def _answering(answer_of: Callable[[argparse.Namespace], commands.Answer]) -> Callable[..., int]:
    def action(parsed: argparse.Namespace, _output: Output) -> int:
        found = answer_of(parsed)
        commands.answer(parsed, found.document, found.told())
        return 0

    return action


def print_line(document: object) -> None:
    """Print one document in one line, at once."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


ANSWERS: Mapping[str, Callable[[argparse.Namespace], commands.Answer]] = {
    "list": listed_of,
    "show": shown_of,
    "cancel": cancelling_of,
    "compare": compared_of,
    "prune": pruned_of,
}
"""What `runs ACTION` finds, where that is an answer and nothing that goes on."""

_ACTIONS: Mapping[str, Callable[[argparse.Namespace, Output], int]] = {
    **{name: _answering(answer_of) for name, answer_of in ANSWERS.items()},
    "logs": _logs,
    "retry": _retry,
    "prune": _prune,
}
