"""Reads what one container prints, start after start, until it is over."""

from __future__ import annotations

import threading
import time
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from fairing_az_jupyter.clients.kube.objects.asking import Asked, CallFailed
from fairing_az_jupyter.clients.kube.objects.kinds import KINDS
from fairing_az_jupyter.clients.kube.objects.rejections import sanitized
from fairing_az_jupyter.clients.kube.watching.container_states import ContainerState
from fairing_az_jupyter.clients.kube.watching.events import LogLine, Notice, Started, Terminated
from fairing_az_jupyter.clients.kube.watching.log_lines import Joined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairing_az_jupyter.clients.kube.transport.streaming import StreamCalls
    from fairing_az_jupyter.clients.kube.watching.container_states import ContainerStates
    from fairing_az_jupyter.clients.kube.watching.events import Event
    from fairing_az_jupyter.clients.streams import Halt, Stream

# A dead connection is no different from a silent container; asking again costs one request and repeats nothing.
_SILENCE_SECONDS = 120.0
# The kubelet ends the answer when the container has ended; where it does not, this is long enough.
_GRACE_SECONDS = 5.0
_STATUS_SECONDS = 1.0
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0
_FAILURES_AFTER_END = 8
# How long the log of a pod that has ended may keep the lines of the one that replaces it back.
_ORDER_SECONDS = 15.0
_TURN_SECONDS = 0.1


class ContainerLog:
    """One container's log, read in a thread of its own.

    Args:
        calls: The API server.
        states: How the container is.
        halt: Ends the reading.
        report: Gets events, or a list of lines; blocks while there are too many.
        namespace: The pod's namespace.
        pod: The pod's name and uid.
        container: The container's name.
        wanted: Whether its lines are wanted, beside its starts and ends.

    """

    def __init__(
        self,
        calls: StreamCalls,
        states: ContainerStates,
        halt: Halt,
        report: Callable[[Event | Sequence[LogLine]], None],
        namespace: str,
        pod: tuple[str, str],
        container: str,
        *,
        wanted: bool = True,
    ) -> None:
        self._calls, self._states, self._halt, self._report = calls, states, halt, report
        self._namespace, self._container, self._wanted = namespace, container, wanted
        self.pod, self._uid = pod
        self.before: tuple[ContainerLog, ...] = ()
        """The logs whose lines come first: those of the pods that this one replaces."""
        self._joined = Joined()
        self._stream: Stream | None = None
        self._ended_at: float | None = None
        self._complained = False
        self.reading = False
        self.thread = threading.Thread(target=self._run, name=f"log-{self.pod}-{container}"[:60], daemon=True)

    def hurry(self) -> None:
        """Break an answer that continues without a word although the container has ended."""
        stream, ended = self._stream, self._ended_at
        if stream is None or not self._state().ended(self._attempt):
            return
        if ended is None:
            self._ended_at = time.monotonic()
        elif time.monotonic() - max(ended, stream.last_seen) > _GRACE_SECONDS:
            stream.cancel()

    _attempt = 0

    def _state(self) -> ContainerState:
        return self._states.state(self._uid, self._container)

    def _run(self) -> None:
        while not self._halt.is_set():
            attempt = self._attempt
            state = self._states.wait(self._uid, self._container, partial(ContainerState.started, restarts=attempt))
            if not state.started(attempt) or self._halt.is_set():
                return
            self._let_others_end()
            self.reading = True
            self._report(Started(self.pod, self._container, attempt))
            if self._wanted:
                self._read(attempt)
            state = self._states.wait(self._uid, self._container, partial(ContainerState.ended, restarts=attempt))
            self.reading = False
            if self._halt.is_set():
                return
            done = state.done if state.restarts == attempt else state.last
            if done is not None:
                code = done.get("exitCode")
                self._report(
                    Terminated(
                        self.pod,
                        self._container,
                        code if isinstance(code, int) else None,
                        str(done.get("reason") or ""),
                        sanitized(str(done.get("message") or ""), {}),
                        attempt,
                    )
                )
            state = self._states.wait(self._uid, self._container, partial(ContainerState.started, restarts=attempt + 1))
            if state.restarts <= attempt:
                return
            self._attempt, self._ended_at = state.restarts, None

    def _let_others_end(self) -> None:
        """Wait until what comes before is read; not for ever, as a lost node's log never ends."""
        end = time.monotonic() + _ORDER_SECONDS
        for other in self.before:
            while other.thread.is_alive() and time.monotonic() < end and not self._halt.wait(_TURN_SECONDS):
                other.hurry()
        self.before = ()

    def _read(self, attempt: int) -> None:
        """Read all lines of one start."""
        failures = 0
        while not self._halt.is_set():
            state = self._state()
            ended = state.ended(attempt)
            try:
                got = self._answer(attempt, follow=not ended, previous=state.restarts > attempt)
            except CallFailed as failed:
                got = False
                if self._final(failed, ended=ended):
                    return
                failures += 1
                if failures > _FAILURES_AFTER_END and ended:
                    self._complain(f"The rest of its log can't be read: {failed.error.message}")
                    return
            else:
                if ended and not self._joined.complaint:
                    self._lines(self._joined.end(), attempt)
                    return
                if self._joined.complaint:
                    failures += 1
                    if failures > _FAILURES_AFTER_END and ended:
                        self._complain(f"The rest of its log can't be read: {self._joined.complaint}")
                        return
            failures = 0 if got else failures
            # A clean end of the answer is the container's end, as a rule; only its status is proof.
            self._states.wait(
                self._uid, self._container, partial(ContainerState.ended, restarts=attempt), _STATUS_SECONDS
            )
            if failures:
                self._halt.wait(min(_LONGEST_WAIT, _FIRST_WAIT * 2**failures))

    def _final(self, failed: CallFailed, *, ended: bool) -> bool:
        """Tell whether a rejection means that there is nothing more to read."""
        status = failed.error.status
        if status == HTTPStatus.NOT_FOUND:
            return True
        if status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}:
            self._complain(f"No permission to read its log: {failed.error.message}")
            return True
        # 'previous terminated container not found', or it never was more than 'waiting to start'.
        return status == HTTPStatus.BAD_REQUEST and ended

    def _complain(self, message: str) -> None:
        if not self._complained:
            self._complained = True
            self._report(Notice("Pod", self.pod, "LogsMissing", message, warning=True))

    def _answer(self, attempt: int, *, follow: bool, previous: bool) -> bool:
        """Read one answer; tell whether it had new lines."""
        query = {"container": self._container, "timestamps": "true"}
        since = self._joined.since()
        query |= {"follow": "true"} if follow else {}
        query |= {"previous": "true"} if previous else {}
        query |= {"sinceTime": since} if since else {}
        path, asked = log_path(self._namespace, self.pod, self._container)
        self._joined.begin()
        got = False
        with self._halt.stream() as stream:
            self._stream = stream
            try:
                for part in self._calls.open(stream, path, asked, query=query, silence=_SILENCE_SECONDS):
                    lines = self._joined.take(part)
                    got = got or bool(lines)
                    self._lines(lines, attempt)
            finally:
                self._stream = None
        return got

    def _lines(self, lines: list[tuple[str, str]], attempt: int) -> None:
        if lines:
            pod, container, make, last = self.pod, self._container, tuple.__new__, len(lines) - 1
            reported = enumerate(lines)
            self._report(
                [make(LogLine, (pod, container, text, at, attempt, place < last)) for place, (at, text) in reported]
            )


def log_path(namespace: str, pod: str, container: str = "") -> tuple[str, Asked]:
    """Return the path of a pod's log, and what a message says about it.

    Args:
        namespace: The pod's namespace.
        pod: Its name.
        container: The container's name.

    """
    what = f"the log of pod '{pod}'{f', container {container!r}' if container else ''}"
    return f"{KINDS['Pod'].path(namespace, pod)}/{quote('log')}", Asked("get", what, "pods/log", namespace)
