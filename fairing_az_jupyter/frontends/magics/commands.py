"""What each sub-command does in a notebook or in IPython: call the services, show, and return a Python object."""

from __future__ import annotations

import collections
import contextlib
import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import ExecutionError
from fairing_az_jupyter.frontends.command_line.usage_errors import CommandLineError
from fairing_az_jupyter.frontends.commands import answers, installing, keeping, launches, runs
from fairing_az_jupyter.frontends.commands.printing import print_command
from fairing_az_jupyter.frontends.magics import launch_process
from fairing_az_jupyter.frontends.magics.screen import StillRunsError
from fairing_az_jupyter.frontends.terminal.output import Output
from fairing_az_jupyter.frontends.views import tables
from fairing_az_jupyter.frontends.views.launch import LaunchView
from fairing_az_jupyter.frontends.views.launch_log import LaunchLog
from fairing_az_jupyter.frontends.views.results import NotebookRun, Results, TrainedJob
from fairing_az_jupyter.frontends.views.run_progress import RunView
from fairing_az_jupyter.operations.launches.deploy import deploy
from fairing_az_jupyter.operations.launches.train import train
from fairing_az_jupyter.operations.notebooks.runs import PRUNE
from fairing_az_jupyter.records.log_text import without_ansi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint
    from fairing_az_jupyter.frontends.command_line.parsing import Parsed
    from fairing_az_jupyter.frontends.magics.screen import Screen
    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.operations.calls import Call
    from fairing_az_jupyter.operations.launches.deploy import Deploy
    from fairing_az_jupyter.operations.launches.logs import Logs
    from fairing_az_jupyter.operations.launches.train import Train
    from fairing_az_jupyter.operations.notebooks.run import Run
    from fairing_az_jupyter.operations.notebooks.runs import PruneRuns, Retry, RunLogs
    from fairing_az_jupyter.operations.setup.settings import ShowSettings
    from fairing_az_jupyter.services import Session

    Command = Callable[[Call[Any], Screen], object]

__all__ = ["COMMANDS", "launches_seen", "run"]

_KEPT_NAMES = 200
_STOP = "Interrupt the cell to stop waiting: NAME stays in the cluster. To delete it: %fairing_azure delete NAME"
_seen: collections.deque[str] = collections.deque(maxlen=_KEPT_NAMES)


def run(parsed: Parsed, call: Call[Any], words: Sequence[str], screen: Screen) -> object:
    """Carry out a command, but for those that are about the notebook itself.

    Args:
        parsed: The line.
        call: What was asked for.
        words: The line's words.
        screen: Where results are shown.

    Returns:
        What was found or made; None where there is nothing, or JSON was printed.

    Raises:
        FairingAzureError: It can't be done, or has failed.

    """
    name = parsed.operation.name
    if name == "launch" or (name == "run" and _needs_terminal(call, screen)):
        # What can't be run as it was asked for is one line of this cell.
        runs.plan(call)
        # In a process of its own: the command line's own progress, streamed.
        launch_process.launch(words)
        return None
    if parsed.json and name != "run":
        _print(parsed, call)
        return None
    command = COMMANDS.get(name)
    if command is not None:
        return command(call, screen)
    found = answers.answer_of(parsed.operation, call)
    if name == "status":
        _seen.extend(str(getattr(info, "name", "")) for info in found.result)
    return screen.show(found)


def launches_seen() -> tuple[str, ...]:
    """Return the names of jobs and endpoints that this kernel has launched or shown, the latest first."""
    return tuple(dict.fromkeys(reversed(_seen)))


def _settings(call: Call[ShowSettings], screen: Screen) -> object:
    if call.request.as_schema:
        installing.settings(call, Output(None))
        return None
    return screen.show(installing.settings_of(call))


def _train(call: Call[Train], screen: Screen) -> TrainedJob:
    task, backend = call.request.task or "", call.session.settings.backend
    view = LaunchView(f"Training {_shown(task)}", backend=backend, log=LaunchLog(task), stop=_STOP)
    with screen.launching(view):
        job = train(call)
        view.job = str(job)
        _seen.append(view.job)
        said = [f"Job {job} succeeded.", *launches.record_lines(job.record, call.caller.program)]
        view.end("succeeded", " ".join(said))
    log = view.log.path if view.log is not None else None
    printed = tuple(map(without_ansi, job.lines))
    metrics = view.metrics.points
    return screen.seen(TrainedJob(job, backend, printed, metrics, view.seconds, log, view, job.record))


def _deploy(call: Call[Deploy], screen: Screen) -> LaunchedEndpoint:
    task, backend = call.request.task or "", call.session.settings.backend
    view = LaunchView(f"Deploying {_shown(task)}", backend=backend, log=LaunchLog(task), stop=_STOP)
    with screen.launching(view):
        endpoint = deploy(call)
        view.job = endpoint.name
        _seen.append(endpoint.name)
        lines = launches.ready_lines(endpoint, call.caller.program)
        view.end("ready", ". ".join(lines))
    if screen.handle is None:
        sys.stdout.writelines(f"{line}\n" for line in lines)
    return endpoint


def _shown(task: str) -> str:
    return task.rpartition(":")[2] or task


def _logs(call: Call[Logs], screen: Screen) -> object:
    with _only_looked_at(call):
        lines = launches.printed_lines(call)
    return screen.seen(Results(lines, tables.Table((), [(line,) for line in lines])))


@contextlib.contextmanager
def _only_looked_at(call: Call[Logs] | Call[RunLogs]) -> Iterator[None]:
    """Tell who has interrupted the following of a log that this is all that has ended.

    Raises:
        StillRunsError: The user has interrupted it.

    """
    try:
        yield
    except KeyboardInterrupt:
        if not call.request.follow:
            raise
        raise StillRunsError(f"{call.request.name} is still running.") from None


def _cleanup(call: Call[Any], _screen: Screen) -> None:
    launches.cleanup(call)


def _prune(call: Call[PruneRuns], screen: Screen) -> object:
    if call.request.cluster:
        keeping.prune_blobs(call)
        return None
    return screen.show(answers.answer_of(PRUNE, call))


def _install(call: Call[Any], _screen: Screen) -> None:
    installing.install_fairing(call)


def _needs_terminal(call: Call[Run], screen: Screen) -> bool:
    """Tell whether a run is followed best as the command line follows it."""
    return bool(screen.handle is None or call.json or call.request.on_cluster or call.request.junit)


def _run(call: Call[Run], screen: Screen) -> NotebookRun:
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs

    runs.reject_cluster_only(call.request)
    return _watched(call.session, services.start_run(call.session, runs.planned(call)), screen)


def _watched(session: Session, info: RunInfo, screen: Screen) -> NotebookRun:
    """Show a run of the background to its end.

    Raises:
        ExecutionError: It has failed.
        StillRunsError: The user has stopped watching; the run continues.

    """
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    view = RunView(f"Running {info.notebook}", backend="this machine")
    view.job = info.id
    with screen.following(view):
        try:
            for _, event in services.run_events(session, info.id, follow_it=True):
                view.show(event)
            ended = services.describe_run(session, info.id)
        except KeyboardInterrupt:
            raise StillRunsError(
                f"Run {info.id} is still running in the background. "
                f"Follow it: %fairing_azure runs logs {info.id} --follow. "
                f"Cancel it: %fairing_azure runs cancel {info.id}"
            ) from None
        if ended.state != "succeeded":
            error = ended.error or {}
            raise ExecutionError(
                str(error.get("message") or f"The run is {ended.state}."),
                hint=f"See all of it: %fairing_azure runs show {ended.id}",
                code=str(error.get("code") or "run-failed"),
            )
        view.end("succeeded", f"Executed notebook: {ended.output or ended.folder}")
    return screen.seen(NotebookRun(ended, view))


def _run_logs(call: Call[RunLogs], _screen: Screen) -> None:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    asked = call.request
    with _only_looked_at(call):
        lines = services.run_log(call.session, asked.name, follow_it=asked.follow, tail=asked.tail)
        sys.stdout.writelines(lines)


def _retry(call: Call[Retry], screen: Screen) -> NotebookRun:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    session, asked = call.session, call.request
    earlier = services.describe_run(session, asked.name)
    request = services.plan_retry(session, earlier.id, as_it_was=asked.as_it_was)
    if earlier.place == "cluster":
        raise CommandLineError(
            "A run of the cluster is repeated from a terminal.",
            hint=f"Type there: fairing-azure runs retry {earlier.id}",
        )
    return _watched(session, services.start_run(session, request, retry_of=earlier.id), screen)


def _print(parsed: Parsed, call: Call[Any]) -> None:
    """Print the answer as JSON, as the command line does."""
    name = parsed.operation.name
    if name == "runs retry":
        launch_process.launch(["runs", "retry", call.request.name, "--json"])
    elif name == "deploy":
        # It lives as long as this kernel, which the command line has to stay for.
        launches.deployed(call)
    else:
        print_command(parsed.operation, call, Output(None))


COMMANDS: Mapping[str, Command] = {
    "settings": _settings,
    "train": _train,
    "deploy": _deploy,
    "logs": _logs,
    "cleanup": _cleanup,
    "run": _run,
    "runs logs": _run_logs,
    "runs prune": _prune,
    "runs retry": _retry,
    "install-fairing": _install,
}
"""What shows something while it runs; `check`, `fill`, `panel` and `launch` are not among them."""
