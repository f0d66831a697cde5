"""What each sub-command does in a notebook or in IPython: call the services, show, and return a Python object."""

from __future__ import annotations

import collections
import contextlib
import sys
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import ExecutionError
from fairing_az_jupyter.frontends.commands import checks, launches, runs, settings
from fairing_az_jupyter.frontends.grammar.usage_errors import CommandLineError
from fairing_az_jupyter.frontends.magics import launch_process
from fairing_az_jupyter.frontends.magics.screen import StillRunsError
from fairing_az_jupyter.frontends.views import tables
from fairing_az_jupyter.frontends.views.launch import LaunchView
from fairing_az_jupyter.frontends.views.launch_log import LaunchLog
from fairing_az_jupyter.frontends.views.results import NotebookRun, Results, TrainedJob
from fairing_az_jupyter.frontends.views.run_progress import RunView
from fairing_az_jupyter.records.log_text import without_ansi

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint
    from fairing_az_jupyter.frontends.commands.settings import Answer, Caller
    from fairing_az_jupyter.frontends.magics.screen import Screen
    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.services import Session

    Command = Callable[[argparse.Namespace, Caller, Screen], object]

__all__ = ["COMMANDS", "launches_seen", "run"]

_KEPT_NAMES = 200
_STOP = "Interrupt the cell to stop waiting: NAME stays in the cluster. To delete it: %fairing_azure delete NAME"
_seen: collections.deque[str] = collections.deque(maxlen=_KEPT_NAMES)


def run(parsed: argparse.Namespace, words: Sequence[str], caller: Caller, screen: Screen) -> object:
    """Carry out a sub-command, but for those that are about the notebook itself.

    Args:
        parsed: The line.
        words: Its words.
        caller: Who has typed it.
        screen: Where results are shown.

    Returns:
        What was found or made; None where there is nothing, or JSON was printed.

    Raises:
        FairingAzureError: It can't be done, or has failed.

    """
    name = parsed.command
    if name == "launch" or (name == "run" and _needs_terminal(parsed, screen)):
        # What can't be run as it was asked for is one line of this cell.
        runs.plan(settings.session_of(parsed), parsed)
        # In a process of its own: the command line's own progress, streamed.
        launch_process.launch(words)
        return None
    if parsed.json and name != "run":
        _print(parsed, caller)
        return None
    return COMMANDS[name](parsed, caller, screen)


def launches_seen() -> tuple[str, ...]:
    """Return the names of jobs and endpoints that this kernel has launched or shown, the latest first."""
    return tuple(dict.fromkeys(reversed(_seen)))


def _answering(answer_of: settings.AnswerOf) -> Command:
    def command(parsed: argparse.Namespace, caller: Caller, screen: Screen) -> object:
        return screen.show(answer_of(parsed, caller))

    return command


def _settings(parsed: argparse.Namespace, caller: Caller, screen: Screen) -> object:
    if parsed.schema:
        settings.settings(parsed, caller)
        return None
    return screen.show(settings.settings_of(parsed, caller))


def _train(parsed: argparse.Namespace, caller: Caller, screen: Screen) -> TrainedJob:
    from fairing_az_jupyter import services  # noqa: PLC0415 - each command imports what it needs

    session = settings.session_of(parsed, caller)
    backend = session.settings.backend
    view = LaunchView(f"Training {_shown(parsed.task)}", backend=backend, log=LaunchLog(parsed.task), stop=_STOP)
    with screen.launching(view):
        name, lines = services.train(
            session, parsed.task, **launches.task_from(parsed, caller), deadline=parsed.deadline
        )
        view.job = name
        _seen.append(name)
        view.end("succeeded", f"Job {name} succeeded.")
    log = view.log.path if view.log is not None else None
    printed = tuple(map(without_ansi, lines))
    return screen.seen(TrainedJob(name, backend, printed, view.metrics.points, view.seconds, log, view))


def _deploy(parsed: argparse.Namespace, caller: Caller, screen: Screen) -> LaunchedEndpoint:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    session = settings.session_of(parsed, caller)
    view = LaunchView(
        f"Deploying {_shown(parsed.task)}",
        backend=session.settings.backend,
        log=LaunchLog(parsed.task),
        stop=_STOP,
    )
    with screen.launching(view):
        endpoint = services.deploy(session, parsed.task, **launches.task_from(parsed, caller))
        view.job = endpoint.name
        _seen.append(endpoint.name)
        told = launches.ready_lines(endpoint, caller.program)
        view.end("ready", ". ".join(told))
    if screen.handle is None:
        sys.stdout.writelines(f"{line}\n" for line in told)
    return endpoint


def _shown(task: str) -> str:
    return task.rpartition(":")[2] or task


def _status(parsed: argparse.Namespace, caller: Caller, screen: Screen) -> object:
    found = launches.status_of(parsed, caller)
    _seen.extend(str(getattr(info, "name", "")) for info in found.result)
    return screen.show(found)


def _logs(parsed: argparse.Namespace, caller: Caller, screen: Screen) -> object:
    with _only_looked_at(parsed):
        lines = launches.printed_lines(parsed, caller)
    return screen.seen(Results(lines, tables.Table((), [(line,) for line in lines])))


@contextlib.contextmanager
def _only_looked_at(parsed: argparse.Namespace) -> Iterator[None]:
    """Tell who has interrupted the following of a log that this is all that has ended.

    Raises:
        StillRunsError: The user has interrupted it.

    """
    try:
        yield
    except KeyboardInterrupt:
        if not parsed.follow:
            raise
        raise StillRunsError(f"{parsed.name} is not followed any more, and goes on.") from None


def _cleanup(parsed: argparse.Namespace, caller: Caller, _screen: Screen) -> None:
    launches.cleanup(parsed, caller)


def _install(parsed: argparse.Namespace, caller: Caller, _screen: Screen) -> None:
    settings.install_fairing(parsed, caller)


def _needs_terminal(parsed: argparse.Namespace, screen: Screen) -> bool:
    """Tell whether a run is followed best as the command line follows it."""
    return bool(screen.handle is None or parsed.json or parsed.on_cluster or parsed.junit)


def _run(parsed: argparse.Namespace, _caller: Caller, screen: Screen) -> NotebookRun:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    if parsed.input_files:
        # The command line's own refusal.
        runs.refuse_input_files()
    session = settings.session_of(parsed)
    request = runs.planned(session, parsed)
    return _watched(session, services.start_run(session, request), screen)


def _watched(session: Session, info: RunInfo, screen: Screen) -> NotebookRun:
    """Show a run of the background to its end.

    Raises:
        ExecutionError: It has failed.
        StillRunsError: The user has interrupted the looking; the run goes on.

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
                f"Run {info.id} goes on in the background. Follow it: %fairing_azure runs logs {info.id} --follow. "
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


def _runs(parsed: argparse.Namespace, _caller: Caller, screen: Screen) -> object:
    from fairing_az_jupyter import services  # noqa: PLC0415 - as above

    session = settings.session_of(parsed)
    if parsed.action == "logs":
        with _only_looked_at(parsed):
            sys.stdout.writelines(services.run_log(session, parsed.name, follow_it=parsed.follow, tail=parsed.tail))
        return None
    if parsed.action == "retry":
        earlier = services.describe_run(session, parsed.name)
        request = services.plan_retry(session, earlier.id, as_it_was=parsed.as_it_was)
        if earlier.place == "cluster":
            raise CommandLineError(
                "A run of the cluster is repeated from a terminal.",
                hint=f"Type there: fairing-azure runs retry {earlier.id}",
            )
        again = services.start_run(session, request, retry_of=earlier.id)
        return _watched(session, again, screen)
    return screen.show(runs.ANSWERS[parsed.action](parsed))


def _print(parsed: argparse.Namespace, caller: Caller) -> None:
    """Print the answer as JSON, as the command line does."""
    from fairing_az_jupyter.frontends.terminal import output  # noqa: PLC0415 - as above

    if parsed.command == "runs":
        if parsed.action == "retry":
            launch_process.launch(["runs", "retry", parsed.name, "--json"])
            return
        runs.runs(parsed, output.Output(None))
        return
    _PRINTING[parsed.command](parsed, caller)


def _print_deployed(parsed: argparse.Namespace, caller: Caller) -> int:
    # It lives as long as this kernel, which the command line has to stay for.
    launches.deployed(parsed, caller)
    return 0


_ANSWERS: Mapping[str, Callable[[argparse.Namespace, Caller], Answer]] = {
    "secrets": checks.secrets_of,
    "profile": settings.profile_of,
    "example": settings.example_of,
    "delete": launches.deleted_of,
    "predict": launches.predicted_of,
}
COMMANDS: Mapping[str, Command] = {
    **{name: _answering(answer_of) for name, answer_of in _ANSWERS.items()},
    "settings": _settings,
    "train": _train,
    "deploy": _deploy,
    "status": _status,
    "logs": _logs,
    "cleanup": _cleanup,
    "run": _run,
    "runs": _runs,
    "install-fairing": _install,
}
"""What a sub-command does, by its name; `check`, `fill`, `panel` and `launch` are not among them."""

_PRINTING: Mapping[str, Callable[[argparse.Namespace, Caller], int]] = {
    **{name: settings.printing(answer_of) for name, answer_of in _ANSWERS.items()},
    "check": checks.check,
    "settings": settings.settings,
    "status": launches.status,
    "logs": launches.logs,
    "cleanup": launches.cleanup,
    "train": launches.train,
    "deploy": _print_deployed,
    "install-fairing": settings.install_fairing,
}
