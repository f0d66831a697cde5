"""How what happens in the cluster is shown to who launches: events on Fairing's logger, output on stdout."""

from __future__ import annotations

import collections
import io
import logging
import re
import sys
from typing import TYPE_CHECKING, TextIO

from fairing_az_jupyter.clients.kube.watching.events import (
    Disrupted,
    LogLine,
    Notice,
    Problem,
    Retried,
    Started,
    Waiting,
)
from fairing_az_jupyter.exceptions import JobFailedError
from fairing_az_jupyter.fairing.cluster.own_events import ENDED, STARTED
from fairing_az_jupyter.fairing.outcomes import endpoint_failed, job_failed
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.launch_events import Output, pod_event, publish

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.clients.kube.watching.events import Event
    from fairing_az_jupyter.exceptions import ExecutionError

__all__ = ["KEPT_LINES", "Shown", "reported_after_deletion"]

logger = logging.getLogger(LOGGER_NAME)

KEPT_LINES = 1000
_ENOUGH_LINES = 20
# The cluster's own bookkeeping, and what `Started` says as well, also where events may not be read.
_UNREMARKABLE = frozenset(
    {"SuccessfulCreate", "Created", "Started", "ScalingReplicaSet", "Completed", "Killing", STARTED, ENDED}
)
# Every server that starts fails them at first.
_STARTING = ("Startup probe failed", "Readiness probe failed")
# How every pod begins.
_BEGINNING = frozenset({"ContainerCreating", "PodInitializing"})
_MOST_EVENTS = 200
_ENDED_BY_ITSELF = frozenset({"container-failed", "crash-loop", "init-failed"})
_AT_WHAT_IS_GONE = re.compile(r"[:;,]?\s*(?:(?:or )?[Ss]ee(?: [\w']+)*: )?kubectl -n \S+ (?:describe|logs) .*$")


class Shown:
    """Shows events one after the other, and keeps the last lines.

    Args:
        container: The container whose lines are shown as they are; those of others get their container's name.
        printed: Whether lines go to stdout, as a job's output does; to the logger if not.
        started: Is called when that container starts.
        replaced: Is called when a pod was taken away or has failed, and a new one takes its place.
        launch: The name of the launch, by which it can be deleted; empty where that is useless.

    """

    def __init__(
        self,
        container: str,
        *,
        printed: bool,
        started: Callable[[], object] | None = None,
        replaced: Callable[[], object] | None = None,
        launch: str = "",
    ) -> None:
        self._container, self._printed, self._started = container, printed, started
        self._replaced, self._launch = replaced, launch
        self._reported: dict[tuple[str, str, str], str] = {}
        self._kept: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines, oldest first."""
        return tuple(self._kept)

    def show(self, event: Event) -> None:
        """Show one event.

        Args:
            event: What happened.

        """
        if not isinstance(event, LogLine):
            stop = f" To stop it: fairing-azure delete {self._launch}" if self._launch else ""
            logger.log(_level(event), "%s%s", event, stop if isinstance(event, Problem) else "")
            if isinstance(event, Started) and event.container == self._container and self._started is not None:
                self._started()
            if isinstance(event, (Disrupted, Retried)) and self._replaced is not None:
                self._replaced()
            self._report(event)
            return
        text = event.text if event.container == self._container else f"[{event.container}] {event.text}"
        self._kept.append(text)
        if self._printed:
            # Lines that have come together are seen together: that is several times faster.
            (_write_line if event.more else print_line)(text)
        else:
            logger.info("%s", text)

    def _report(self, event: Event) -> None:
        """Tell a pod's event once; a pod that fails for hours has very many, but what is waited for must be heard."""
        found = _pod_event_of(event)
        if found is None:
            return
        pod, reason, message = found
        if isinstance(event, (Disrupted, Retried)):
            pod_event(pod, reason, message)
            return
        waits = isinstance(event, Problem)
        key = (pod, reason, "" if waits else message)
        if self._reported.get(key) == message or (
            not waits and key not in self._reported and len(self._reported) >= _MOST_EVENTS
        ):
            return
        self._reported[key] = message
        pod_event(pod, reason, message)


def print_line(text: str) -> None:
    """Write one line to stdout, whatever it holds, or to who follows the launch, so that it is seen at once.

    Args:
        text: The line without its end.

    """
    stream = _write_line(text)
    # A kernel's stream sends what it has by itself, several times a second; asking for each line would stop it short.
    if isinstance(stream, io.TextIOWrapper):
        stream.flush()


def _write_line(text: str) -> TextIO | None:
    """Write one line to stdout and return that; it may be seen with the next one only. None where somebody follows."""
    if publish(Output(f"{text}\n")):
        return None
    stream = sys.stdout
    try:
        # In one piece: lines of jobs that run at the same time must not run into each other.
        stream.write(f"{text}\n")
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(f"{text.encode(encoding, 'backslashreplace').decode(encoding)}\n")
    return stream


def reported_after_deletion(error: ExecutionError, what: str, lines: tuple[str, ...]) -> ExecutionError:
    """Return an error whose fix holds also when the objects that it is about have been deleted.

    Args:
        error: What has failed; it is changed.
        what: The job's or the endpoint's class's name.
        lines: The last lines that were seen, in case that the error has none.

    Returns:
        The same error.

    """
    error.last_lines = error.last_lines or lines[-_ENOUGH_LINES:]
    if error.code in _ENDED_BY_ITSELF:
        if isinstance(error, JobFailedError):
            error.hint = job_failed(what, error.returncode, error.last_lines, "see above.").hint
        else:
            error.hint = endpoint_failed(what, "failed", error.returncode, error.last_lines, "see above.").hint
    elif _AT_WHAT_IS_GONE.search(error.hint):
        fix = _AT_WHAT_IS_GONE.sub("", error.hint).rstrip(". ")
        error.hint = f"{fix}." if fix else "See the cluster's message above."
    return error


def _pod_event_of(event: Event) -> tuple[str, str, str] | None:
    """Return the pod, the reason and the message of what says something about a pod, or why there is none."""
    if isinstance(event, Notice):
        says = (event.kind == "Pod" or event.warning) and not event.message.startswith(_STARTING)
        return (event.name, event.reason, event.message) if says else None
    if isinstance(event, Waiting) and event.reason not in _BEGINNING:
        return event.pod, event.reason, event.message
    if isinstance(event, Problem):
        return event.diagnosis.pod or event.name, event.diagnosis.code, str(event)
    if isinstance(event, Disrupted):
        return event.pod, "Disrupted", str(event)
    if isinstance(event, Retried):
        return event.diagnosis.pod or event.name, "Retried", str(event)
    return None


def _level(event: Event) -> int:
    if isinstance(event, Notice):
        if event.message.startswith(_STARTING):
            return logging.DEBUG
        if event.warning:
            return logging.WARNING
        return logging.DEBUG if event.reason in _UNREMARKABLE else logging.INFO
    if isinstance(event, Problem):
        # A container that takes its time is not a reason to warn.
        return logging.INFO if event.diagnosis.rule.group == "start" else logging.WARNING
    if isinstance(event, (Disrupted, Retried)):
        return logging.WARNING
    return logging.INFO if isinstance(event, Started) else logging.DEBUG
