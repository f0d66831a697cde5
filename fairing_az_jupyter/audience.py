"""Who follows a launch: what it prints and tells in that one's own thread goes there, and not to standard output."""

from __future__ import annotations

import contextlib
import contextvars
import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Audience", "attended_by", "here"]

logger = logging.getLogger(__name__)


class Audience(Protocol):
    """What a view of a launch hears; each call comes from the thread that launches, or from one that sends for it."""

    def output(self, text: str) -> None:
        """Take what is printed: of the job itself, and what is said about it.

        Args:
            text: Any piece of text, line ends included.

        """

    def event(self, kind: str, name: str, value: str, message: str) -> None:
        """Take a phase or a pod's event, as `RunEvent` has them.

        Args:
            kind: `phase` or `pod-event`.
            name: The phase, or the pod.
            value: The phase's state, or the event's reason.
            message: What there is to say; may be empty.

        """

    def progress(self, what: str, done: int, size: int) -> None:
        """Take how far something has come that is sent.

        Args:
            what: What it is, such as `build context`.
            done: Bytes that are sent.
            size: Bytes that there are.

        """


_attending: contextvars.ContextVar[Audience | None] = contextvars.ContextVar("fairing_az_audience", default=None)


def here() -> Audience | None:
    """Return who follows the launch of this thread; None where what it prints goes to standard output."""
    return _attending.get()


@contextlib.contextmanager
def attended_by(audience: Audience) -> Iterator[None]:
    """Let somebody follow what this thread launches; launches of other threads are no business of theirs.

    Args:
        audience: Who hears it. What it raises is logged: it must not end what it looks at.

    """
    token = _attending.set(_Calm(audience))
    try:
        yield
    finally:
        _attending.reset(token)


class _Calm:
    """An audience whose own failures end no launch."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience

    def output(self, text: str) -> None:
        self._hand(lambda: self._audience.output(text))

    def event(self, kind: str, name: str, value: str, message: str) -> None:
        self._hand(lambda: self._audience.event(kind, name, value, message))

    def progress(self, what: str, done: int, size: int) -> None:
        self._hand(lambda: self._audience.progress(what, done, size))

    @staticmethod
    def _hand(call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            logger.warning("What follows a launch has failed; the launch goes on.", exc_info=True)
