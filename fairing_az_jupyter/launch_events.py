"""What a notebook reports of itself, and a launch of how far it has come: both stand in the run's record."""

from __future__ import annotations

import contextlib
import logging
import math
import sys
import threading
from typing import TYPE_CHECKING, Any, Literal, get_args

from fairing_az_jupyter import audience
from fairing_az_jupyter.exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeGuard

    from typing_extensions import Self

    Listener = Callable[[str, str, str, str], object]

logger = logging.getLogger(__name__)

PhaseName = Literal["context", "build", "push", "schedule", "run", "serve"]
"""What a launch goes through, in this order; no launch goes through all of it."""

PhaseState = Literal["started", "finished", "skipped", "failed"]

METRIC_MIME = "application/vnd.fairing-az-jupyter.metric+json"
"""What a reported value is called in the output of its cell; version 1 has `name` and `value`."""

LAUNCH_MIME = "application/vnd.fairing-az-jupyter.launch+json"
"""What a phase or a pod's event is called in a kernel's message; version 1 has `kind`, `name`, `value`, `message`."""

_LONGEST_NAME = 120
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/: a DNS subdomain.
_LONGEST_POD = 253
_LONGEST_MESSAGE = 1_000
_LONGEST_TEXT = 10_000
_LONGEST_NUMBER = 1024
"""Bits: as far as floats reach. Python writes no numbers that are much longer."""


def report(name: str, value: object) -> None:
    """Report a value, such as a metric of a trained model; of several by the same name the last one counts.

    In a notebook the value is also an output of the cell; elsewhere, as in a training job, it is printed.

    Args:
        name: What it is called, such as `rmse`.
        value: A number (also one of NumPy's), a text, True, False or None.

    Raises:
        InputError: The name is empty or too long, or the value is something else.

    """
    if not _is_name(name):
        raise InputError(
            f"What is reported needs a name: a text of 1 to {_LONGEST_NAME} printable characters.",
            hint="Write: report('rmse', value)",
            code="report",
        )
    plain = _plain(name, value)
    # Half characters, as of file names in an odd encoding, are no text that a kernel can send.
    text = f"{name}: {plain}".encode("utf-8", "backslashreplace").decode()
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        sys.stdout.write(f"{text}\n")
        return
    # JSON knows no NaN and no infinity.
    odd = isinstance(plain, str) or (isinstance(plain, float) and not math.isfinite(plain))
    sent = text.removeprefix(f"{name}: ") if odd else plain
    shell.display_pub.publish({METRIC_MIME: {"name": name, "value": sent}, "text/plain": text})


def reported(data: Mapping[str, Any]) -> tuple[str, float | int | str | bool | None] | None:
    """Return the name and the value that an output of a cell reports; None if it reports none.

    Args:
        data: The output's data by their types. Anything can show such data, so what `report` refuses counts as none.

    """
    found = data.get(METRIC_MIME)
    if not isinstance(found, dict):
        return None
    name, value = found.get("name"), found.get("value")
    if not _is_name(name) or not isinstance(value, (str, int, float, type(None))):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    return (name, value) if not isinstance(value, str) or len(value) <= _LONGEST_TEXT else None


def phase(name: PhaseName, state: PhaseState, message: str = "") -> None:
    """Tell that a launch has come to another phase, or through one; what can't be told is left out.

    Args:
        name: The phase.
        state: What has become of it.
        message: What there is to say; of several lines they become one.

    """
    _tell("phase", name, state, message)


def pod_event(pod: str, reason: str, message: str = "") -> None:
    """Tell what the cluster says about a pod of a launch; what can't be told is left out.

    Args:
        pod: The pod's name, or that of what is to make it.
        reason: One word, such as `Pulling`.
        message: The cluster's own words.

    """
    _tell("pod-event", pod, reason, message)


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
        """Note what is told when the phase has finished.

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
            error: Why; its first line is told.

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
    """Hear of phases and pods' events, whichever thread of this process tells them.

    Args:
        callback: Is called with the kind (`phase` or `pod-event`), the name, the value and the message, as
            `RunEvent` has them; never twice at once. What it raises is logged, and what it tells itself it does not
            hear. Where several listen, each hears everything, and one that listens twice hears it once.

    """
    listener = _Listening(callback)
    with _changing:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _changing:
            _listeners.remove(listener)


def told(data: Mapping[str, Any]) -> tuple[Literal["phase", "pod-event"], str, str, str] | None:
    """Return the phase or the pod's event that a message of a kernel tells; None if it tells none.

    Args:
        data: The message's data by their types. Anything can send such data, so what `phase` and `pod_event` would not
            send counts as none.

    Returns:
        The kind, the name, the value and the message.

    """
    found = data.get(LAUNCH_MIME)
    if not isinstance(found, dict):
        return None
    message = found.get("message", "")
    if not isinstance(message, str) or len(message) > _LONGEST_MESSAGE:
        return None
    return _checked(found.get("kind"), found.get("name"), found.get("value"), message)


class _Listening:
    def __init__(self, callback: Listener) -> None:
        self.callback = callback
        self._lock = threading.RLock()
        self._hears = False

    def hear(self, kind: str, name: str, value: str, message: str) -> None:
        with self._lock:
            if self._hears:
                return
            self._hears = True
            try:
                self.callback(kind, name, value, message)
            except Exception:
                # A record that can't be written must not end what runs in the cluster.
                logger.warning("What listens to a launch has failed; the launch goes on.", exc_info=True)
            finally:
                self._hears = False


_listeners: list[_Listening] = []
_changing = threading.Lock()


def _tell(kind: str, name: object, value: object, message: object) -> None:
    ipython, follower = sys.modules.get("IPython"), audience.here()
    if not _listeners and ipython is None and follower is None:
        return
    try:
        checked = _checked(kind, name, value, _one_line(message))
        if checked is None:
            logger.debug("A launch tells what nobody can show: %s %r %r", kind, name, value)
            return
        hearing: list[_Listening] = []
        with _changing:
            for listener in _listeners:
                if all(listener.callback != other.callback for other in hearing):
                    hearing.append(listener)
        for listener in hearing:
            listener.hear(*checked)
        if follower is not None:
            follower.event(*checked)
        if not hearing and ipython is not None:
            _send(ipython, *checked)
    except Exception:
        logger.warning("A launch can't tell how far it has come; it goes on.", exc_info=True)


def _send(ipython: Any, kind: str, name: str, value: str, message: str) -> None:  # noqa: ANN401 - a module
    """Send what is told as an update of a display that nobody shows: no front end draws it, and no notebook keeps it.

    Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html#update-display-data
    """
    shell = ipython.get_ipython()
    if shell is not None:
        data = {LAUNCH_MIME: {"kind": kind, "name": name, "value": value, "message": message}}
        shell.display_pub.publish(data, transient={"display_id": "fairing-az-jupyter-launch"}, update=True)


def _checked(
    kind: object, name: object, value: object, message: str
) -> tuple[Literal["phase", "pod-event"], str, str, str] | None:
    if not isinstance(name, str) or not isinstance(value, str):
        return None
    message = _one_line(message)
    if kind == "phase":
        known = name in get_args(PhaseName) and value in get_args(PhaseState)
        return ("phase", name, value, message) if known else None
    if kind == "pod-event" and _is_name(name, _LONGEST_POD) and _is_name(value):
        return "pod-event", name, value, message
    return None


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


def _is_name(name: object, longest: int = _LONGEST_NAME) -> TypeGuard[str]:
    return isinstance(name, str) and bool(name.strip()) and len(name) <= longest and name.isprintable()


def _plain(name: str, value: object) -> float | int | str | bool | None:
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "size", 1) == 1:
        # A number of NumPy's, or an array or a tensor that holds one.
        value = item()
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and value.bit_length() <= _LONGEST_NUMBER:
        return int(value)
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        return str(value)
    if not isinstance(value, (str, bytes, bytearray, int)):
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            pass
    raise InputError(
        f"'{name}' can't be reported: its value is {_what(value)}.",
        hint="Report one number, text, True, False or None at a time.",
        code="report",
    )


def _what(value: object) -> str:
    if isinstance(value, int):
        return "a number with too many digits"
    return f"a text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"
