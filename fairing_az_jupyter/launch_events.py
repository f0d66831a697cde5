"""What happens while something is launched, as objects: reported once, and heard by displays, records and the terminal.

Whoever launches publishes an event; whoever shows or keeps it listens, for one thread's launches or for those of the
whole process. Nobody has to read again what was written for people.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from typing_extensions import Self

    Listener = Callable[["LaunchEvent"], object]

__all__ = [
    "LAUNCH_MIME",
    "Interrupted",
    "LaunchEvent",
    "Launched",
    "Output",
    "Phase",
    "PhaseName",
    "PhaseState",
    "Phases",
    "PodEvent",
    "Progress",
    "event_in",
    "listening",
    "phase",
    "pod_event",
    "publish",
    "recorded_by",
    "timed_phase",
    "watched_by",
    "watcher",
]

logger = logging.getLogger(__name__)

PhaseName = Literal["context", "build", "push", "schedule", "run", "serve"]
"""What a launch goes through, in this order; no launch goes through all of it."""

PhaseState = Literal["started", "finished", "skipped", "failed"]

LAUNCH_MIME = "application/vnd.fairing-az-jupyter.launch+json"
"""What a phase or a pod's event is called in a kernel's message; version 1 has `kind`, `name`, `value`, `message`."""

_LONGEST_NAME = 120
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/: a DNS subdomain.
_LONGEST_POD = 253
_LONGEST_MESSAGE = 1_000


@dataclasses.dataclass(frozen=True)
class Phase:
    """A launch has come to another phase, or through one.

    Args:
        name: The phase.
        state: What has become of it.
        message: What there is to say, in one line; may be empty.

    """

    name: PhaseName
    state: PhaseState
    message: str = ""


@dataclasses.dataclass(frozen=True)
class PodEvent:
    """What the cluster says of a pod of a launch.

    Args:
        pod: The pod's name, or that of what is to make it.
        reason: One word, such as `Pulling`.
        message: The cluster's own words, in one line; may be empty.

    """

    pod: str
    reason: str
    message: str = ""


@dataclasses.dataclass(frozen=True)
class Launched:
    """Something has been made that has a name by which it can be asked for and deleted.

    Args:
        kind: What it is.
        name: Its name.
        namespace: Its namespace; empty on this machine.

    """

    kind: Literal["job", "endpoint", "build"]
    name: str
    namespace: str = ""


@dataclasses.dataclass(frozen=True)
class Interrupted:
    """The user has interrupted a launch, and this is what becomes of it.

    Args:
        message: What to tell, in one line.
        remains: Whether something of it is still there, or may be.

    """

    message: str
    remains: bool


@dataclasses.dataclass(frozen=True)
class Output:
    """What a launch prints: the job itself, and what is said about it.

    Args:
        text: Any piece of text, line ends included.

    """

    text: str


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far something has come that is sent.

    Args:
        what: What it is, such as `build context`.
        done: Bytes that are sent.
        size: Bytes that there are.

    """

    what: str
    done: int
    size: int


LaunchEvent: TypeAlias = Phase | PodEvent | Launched | Interrupted | Output | Progress


def publish(event: LaunchEvent) -> bool:
    """Tell what has happened to all who listen; it never raises.

    Where nobody listens and this is a kernel, phases and pods' events go to whoever runs the notebook.

    Args:
        event: What has happened; of several lines in its message they become one.

    Returns:
        Whether somebody watches this thread's launch: its output then need not be printed.

    """
    here, record = watcher(), _recording.get()
    ipython = sys.modules.get("IPython")
    if here is None and record is None and not _listeners and ipython is None:
        return False
    try:
        checked = _checked(event)
        if checked is None:
            logger.debug("A launch sent an event that can't be shown: %r", event)
            return here is not None
        hearing = [] if isinstance(event, (Output, Progress)) else _distinct_listeners()
        if record is not None:
            record(checked)
        for listener in hearing:
            listener.hear(checked)
        if here is not None:
            here(checked)
        if not hearing and ipython is not None and isinstance(checked, (Phase, PodEvent)):
            _send(ipython, checked)
    except Exception:
        logger.warning("The progress of a launch can't be shown; the launch continues.", exc_info=True)
    return here is not None


def phase(name: PhaseName, state: PhaseState, message: str = "") -> None:
    """Tell that a launch has come to another phase, or through one; what can't be determined is left out.

    Args:
        name: The phase.
        state: What has become of it.
        message: What there is to say; of several lines they become one.

    """
    publish(Phase(name, state, message))


def pod_event(pod: str, reason: str, message: str = "") -> None:
    """Tell what the cluster says about a pod of a launch; what can't be determined is left out.

    Args:
        pod: The pod's name, or that of what is to make it.
        reason: One word, such as `Pulling`.
        message: The cluster's own words.

    """
    publish(PodEvent(pod, reason, message))


class Phases:
    """Phases of one launch that follow each other: where one begins, the one before has finished.

    As a context, it finishes the last one, or marks it as failed by the error that ends the context.
    """

    def __init__(self) -> None:
        self._now: PhaseName | None = None
        self._end = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None:
            self.finish()
        else:
            self.fail(error)

    def begin(self, name: PhaseName) -> None:
        """Begin a phase, unless it has begun already.

        Args:
            name: The phase.

        """
        if name == self._now:
            return
        self.finish()
        self._now = name
        phase(name, "started")

    def say(self, message: str) -> None:
        """Note what is reported when the phase has finished.

        Args:
            message: What there is to say.

        """
        self._end = message

    def skip(self, name: PhaseName, why: str) -> None:
        """Tell that a phase is not needed.

        Args:
            name: The phase.
            why: Why not.

        """
        self.finish()
        phase(name, "skipped", why)

    def finish(self) -> None:
        """Finish the phase that has begun, if any."""
        self._leave("finished", self._end)

    def fail(self, error: BaseException) -> None:
        """Mark the phase that has begun, if any, as failed.

        Args:
            error: Why; its first line is reported.

        """
        self._leave("failed", _first_line(error))

    def _leave(self, state: PhaseState, message: str) -> None:
        left, self._now, self._end = self._now, None, ""
        if left is not None:
            phase(left, state, message)


@contextlib.contextmanager
def timed_phase(name: PhaseName) -> Iterator[None]:
    """Tell that a phase has started, and at the end of the context that it has finished or failed.

    Args:
        name: The phase.

    """
    with Phases() as phases:
        phases.begin(name)
        yield


@contextlib.contextmanager
def listening(callback: Listener) -> Iterator[None]:
    """Hear of phases, pods' events and names, whichever thread of this process tells them.

    Args:
        callback: Gets each event but output and progress; never two at once. What it raises is logged, and what it
            tells itself it does not hear. Where several listen, each hears everything, and one that listens twice
            hears it once.

    """
    listener = _Listener(callback)
    with _changing:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _changing:
            _listeners.remove(listener)


@contextlib.contextmanager
def watched_by(callback: Listener) -> Iterator[None]:
    """Let somebody watch what this thread launches, with its output; other threads' launches are not theirs.

    Args:
        callback: Gets each event, from the thread that launches or from one that sends for it. What it raises is
            logged: it must not end what it looks at.

    """
    token = _watching.set(_Listener(callback).take)
    try:
        yield
    finally:
        _watching.reset(token)


@contextlib.contextmanager
def recorded_by(callback: Listener) -> Iterator[None]:
    """Let a record hear what this thread launches, with its output; whoever shows the launch does so as before.

    Args:
        callback: Gets each event, as with `watched_by`.

    """
    token = _recording.set(_Listener(callback).take)
    try:
        yield
    finally:
        _recording.reset(token)


def watcher() -> Listener | None:
    """Return what hands events to who watches the launch of this thread; None where nobody does."""
    return _watching.get()


def event_in(data: Mapping[str, Any]) -> Phase | PodEvent | None:
    """Return the phase or the pod's event that a message of a kernel tells; None if it tells none.

    Args:
        data: The message's data by their types. Anything can send such data, so what `publish` would not send counts
            as none.

    """
    found = data.get(LAUNCH_MIME)
    if not isinstance(found, dict):
        return None
    name, value, message = found.get("name"), found.get("value"), found.get("message", "")
    if not all(isinstance(each, str) for each in (name, value, message)) or len(message) > _LONGEST_MESSAGE:
        return None
    kinds: dict[object, Callable[..., Phase | PodEvent]] = {"phase": Phase, "pod-event": PodEvent}
    kind = kinds.get(found.get("kind")) if isinstance(found.get("kind"), str) else None
    checked = None if kind is None else _checked(kind(name, value, message))
    return checked if isinstance(checked, (Phase, PodEvent)) else None


class _Listener:
    """Somebody whose own failures end no launch."""

    def __init__(self, callback: Listener) -> None:
        self.callback = callback
        self._lock = threading.RLock()
        self._hears = False

    def take(self, event: LaunchEvent) -> None:
        """Hand on an event."""
        try:
            self.callback(event)
        except Exception:
            # A record that can't be written must not end what runs in the cluster.
            logger.warning("An event listener of a launch failed; the launch continues.", exc_info=True)

    def hear(self, event: LaunchEvent) -> None:
        """Hand on an event, one at a time, and none that comes of another."""
        with self._lock:
            if self._hears:
                return
            self._hears = True
            try:
                self.take(event)
            finally:
                self._hears = False


_listeners: list[_Listener] = []
_changing = threading.Lock()
_watching: contextvars.ContextVar[Listener | None] = contextvars.ContextVar("fairing_az_watching", default=None)
_recording: contextvars.ContextVar[Listener | None] = contextvars.ContextVar("fairing_az_recording", default=None)


def _distinct_listeners() -> list[_Listener]:
    found: list[_Listener] = []
    with _changing:
        for listener in _listeners:
            if all(listener.callback != other.callback for other in found):
                found.append(listener)
    return found


def _send(ipython: Any, event: Phase | PodEvent) -> None:  # noqa: ANN401 - a module
    """Send an event as an update of a display that nobody shows: no front end draws it, no notebook keeps it.

    Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html#update-display-data
    """
    shell = ipython.get_ipython()
    if shell is None:
        return
    if isinstance(event, Phase):
        reported = {"kind": "phase", "name": event.name, "value": event.state, "message": event.message}
    else:
        reported = {"kind": "pod-event", "name": event.pod, "value": event.reason, "message": event.message}
    shell.display_pub.publish(
        {LAUNCH_MIME: reported}, transient={"display_id": "fairing-az-jupyter-launch"}, update=True
    )


def _checked(event: LaunchEvent) -> LaunchEvent | None:
    """Return an event with its message in one line; None if no record and no message could hold it."""
    if isinstance(event, Phase):
        known = event.name in get_args(PhaseName) and event.state in get_args(PhaseState)
        return dataclasses.replace(event, message=_one_line(event.message)) if known else None
    if isinstance(event, PodEvent):
        named = _is_name(event.pod, _LONGEST_POD) and _is_name(event.reason)
        return dataclasses.replace(event, message=_one_line(event.message)) if named else None
    return event


def _one_line(text: object) -> str:
    """Return a text as one line of bounded length that any terminal and any file can show."""
    words = " ".join(str(text)[: 4 * _LONGEST_MESSAGE].split())
    line = "".join(character if character.isprintable() else "?" for character in words)
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[: _LONGEST_MESSAGE - 4]} ..."


def _first_line(error: BaseException) -> str:
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001 - whatever an error of somebody else's raises when it is asked
        lines = []
    first = lines[0] if lines else type(error).__name__
    # The lines of a log that it announces follow it nowhere.
    whole, period, _ = first.rpartition(". ")
    return f"{whole}." if period and first.endswith(":") else first


def _is_name(name: object, longest: int = _LONGEST_NAME) -> bool:
    return isinstance(name, str) and bool(name.strip()) and len(name) <= longest and name.isprintable()
