"""The commands that run notebooks, in a terminal; a notebook shares how a run is planned."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError, RunCancelledError, RunFailedError
from fairing_az_jupyter.frontends.commands import launches
from fairing_az_jupyter.frontends.terminal import output as terminal
from fairing_az_jupyter.frontends.views import runs as run_tables
from fairing_az_jupyter.frontends.views.checks import check_report
from fairing_az_jupyter.operations.notebooks.run import Launch, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.frontends.terminal.output import Output
    from fairing_az_jupyter.frontends.views.junit import JUnitReport
    from fairing_az_jupyter.models import RunEvent, RunRequest, RunResult
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.notebooks.runs import Retry, RunLogs
    from fairing_az_jupyter.operations.notebooks.sweeps import RunSweep
    from fairing_az_jupyter.services import ClusterPoint
    from fairing_az_jupyter.settings import Settings

_LAST_TRACEBACK_LINES = 12
_LONGEST_LINE = 500


def run(call: Call[Run], output: Output) -> int:
    """Run a notebook."""
    with _report(call.request) as report:
        if call.request.on_cluster:
            return _run_on_cluster(call, output, report)
        reject_cluster_only(call.request)
        return _execute(call, output, planned(call), report)


def launch(call: Call[Launch], output: Output) -> int:
    """Check what a notebook's launch needs, unless asked not to, and run it."""
    with _report(call.request) as report:
        request = planned(call)
        failing = 0 if call.request.skip_checks else launches.checked(call, request)
        if failing:
            report.of(request)
            report.not_started("The run was not started: a check has found what would make its launch fail.")
            if not call.json:
                again = "To launch it without the checks, add --skip-checks."
                sys.stdout.write(f"{again}\n")
            return failing
        return _execute(call, output, request, report)


def reject_cluster_only(asked: Run | RunSweep) -> None:
    """Reject what only means something in the cluster, of a run on this machine.

    Args:
        asked: The run.

    Raises:
        InputError: There is some.

    """
    if asked.input_files:
        raise InputError(
            "--input-files names what a notebook needs in the cluster, and this run is local.",
            hint="Leave it out, or add --on-cluster.",
            code="input-files",
        )
    if asked.outputs:
        raise InputError(
            "--outputs says which files a run in the cluster keeps, and this run is local: the notebook writes its "
            "files into its own folder, and there they stay.",
            hint="Leave it out, or add --on-cluster.",
            code="outputs-here",
        )


def planned(call: Call[Run] | Call[Launch]) -> RunRequest:
    """Return the run that a command asks for.

    Args:
        call: The command.

    """
    request, environment = plan(call)
    # The notebook's kernel is this process's child.
    os.environ.update(environment)
    return request


def plan(call: Call[Run] | Call[Launch]) -> tuple[RunRequest, Mapping[str, str]]:
    """Return the run that a command asks for, and what the environment of its kernel needs.

    Args:
        call: The command.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs: help stays quick

    session, asked = call.session, call.request
    if isinstance(asked, Launch):
        return services.plan_launch(session, asked.notebook, **_wanted(call))
    if asked.on_cluster:
        return services.plan_cluster_run(session, asked.notebook, **_wanted(call))[0], {}
    return services.plan_run(session, asked.notebook, **_wanted(call)), {}


def _wanted(call: Call[Run] | Call[Launch]) -> dict[str, Any]:
    """Return what a command says of a run, as `plan_run` takes it."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    asked = call.request
    earlier = services.describe_run(call.session, asked.from_run).parameters if asked.from_run else None
    return {
        "pairs": asked.parameters,
        "parameters_file": asked.parameters_file,
        "output": asked.output,
        "from_run": earlier,
        "kernel_name": asked.kernel,
        "cwd": asked.cwd,
        "cell_timeout": asked.cell_timeout,
        "deadline": asked.deadline,
        "output_limit": asked.output_limit,
        "name": asked.name,
        **({"outputs": asked.kept} if isinstance(asked, Run) else {}),
    }


def _run_on_cluster(call: Call[Run], output: Output, report: JUnitReport) -> int:
    """Let the cluster execute a notebook, and follow it."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    request, settings = services.plan_cluster_run(call.session, call.request.notebook, **_wanted(call))
    point = services.ClusterPoint(request)
    return _follow_on_cluster(call, output, report, point, settings, call.request.input_files)


def _follow_on_cluster(
    call: Call[Any],
    output: Output,
    report: JUnitReport,
    point: ClusterPoint,
    settings: Settings,
    files: Sequence[str],
) -> int:
    """Start a run in the cluster, and follow it."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    session, request = call.session, point.request
    report.of(request)
    batch = services.start_on_cluster(session, [point], settings, input_files=files)
    name = batch.runs[0]
    terminal.report_lines([f"Run {name} is Job {batch.job} in namespace {batch.namespace}."])

    def follow(listen: Callable[[RunEvent], None]) -> RunResult:
        return services.follow_cluster_run(session, name, listen, report=call.caller.warn)

    try:
        return _execute(call, output, request, report, carry_out=follow)
    except KeyboardInterrupt:
        terminal.report_lines(
            [
                f"Run {name} is still running in the cluster. Follow it: fairing-azure runs logs -f {name}",
                f"Cancel it: fairing-azure runs cancel {name}",
            ]
        )
        return RunCancelledError.exit_code


def _report(asked: Run | Launch | None = None) -> JUnitReport:
    from fairing_az_jupyter.frontends.views.junit import JUnitReport  # noqa: PLC0415 - as above

    return JUnitReport(None, "") if asked is None else JUnitReport(asked.junit, asked.notebook)


def _execute(
    call: Call[Any],
    output: Output,
    request: RunRequest,
    report: JUnitReport,
    *,
    retry_of: str = "",
    carry_out: Callable[[Callable[[RunEvent], None]], RunResult] | None = None,
) -> int:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above
    from fairing_az_jupyter.frontends.terminal.progress import Progress  # noqa: PLC0415

    # The result of a run is the executed notebook: it continues to its end, even if nobody listens any more.
    output.optional = True
    show: Callable[[RunEvent], None] = Progress(output).show
    if call.json:
        show = lambda event: terminal.print_line({"event": event.to_dict()})  # noqa: E731 - as short as the other
    report.of(request)
    try:
        listen = report.listening(show)
        if carry_out is not None:
            result = carry_out(listen)
        else:
            result = services.run(call.session, request, listen, retry_of=retry_of)
    except RunFailedError as error:
        if not call.json:
            _report_failure(error, request)
        raise
    if call.json:
        terminal.print_line({"result": result.to_dict()})
        return 0
    sys.stdout.writelines(f"{name} = {run_tables.value(value)}\n" for name, value in result.metrics.items())
    where = result.output if "://" in result.output else os.path.abspath(result.output)  # noqa: PTH100 - links stay
    sys.stdout.write(f"Executed notebook: {where}\nRecord: {result.run}\n")
    kept = services.kept_files(call.session.store.find(result.run)) if carry_out is not None else None
    if kept is not None and kept.files:
        sys.stdout.write(f"Files: {kept.files}, fetch them: fairing-azure fetch {result.run}\n")
    return 0


def _report_failure(error: RunFailedError, request: RunRequest) -> None:
    """Show the end of a traceback and the parameters above the one line that says what failed."""
    lines = [f"  {run_tables.short(line, _LONGEST_LINE)}" for line in error.traceback[-_LAST_TRACEBACK_LINES:]]
    if request.parameters:
        values = (f"{name}={run_tables.value(value)}" for name, value in request.parameters.items())
        lines.append(f"Parameters: {check_report.line(', '.join(values))}")
    if lines:
        sys.stdout.flush()
        terminal.report_lines(lines)


def logs(call: Call[RunLogs], _output: Output) -> int:
    """Show what a run has printed."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    session, asked = call.session, call.request
    if call.json:
        for offset, event in services.run_events(session, asked.name, follow_it=asked.follow):
            terminal.print_line({"offset": offset, "event": event})
        return 0
    for text in services.run_log(session, asked.name, follow_it=asked.follow, tail=asked.tail):
        sys.stdout.write(text)
        sys.stdout.flush()
    return 0


def retry(call: Call[Retry], output: Output) -> int:
    """Run again what was run before."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    session, asked = call.session, call.request
    info = services.describe_run(session, asked.name, report=call.caller.warn)
    request = services.plan_retry(session, info.id, as_it_was=asked.as_it_was)
    if info.place == "cluster":
        settings, files = services.launched_with(info)
        point = services.ClusterPoint(request, facts={"retry_of": info.id})
        return _follow_on_cluster(call, output, _report(), point, settings, files)
    if info.kind != "notebook":
        again = services.start_run(session, request, retry_of=info.id)
        said = f"Run {again.id} is running in the background. Follow it: fairing-azure runs logs -f {again.id}"
        terminal.print_answer({"run": again.to_dict()}, [said], as_json=call.json)
        return 0
    os.environ.update(services.launch_environment(session, request))
    return _execute(call, output, request, _report(), retry_of=info.id)
