"""How a run tells what happens in it, and how it learns that it should stop."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.models import RunEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from fairing_az_jupyter.models import Metric, RunEventKind


StopReason = Literal["asked", "deadline", "output"]
"""Why a run is to stop: somebody wants it, it has taken too long, or a cell prints too much."""


class Stop:
    """The wish to stop a run.

    It is only ever looked at, never waited for: a signal handler can't take a lock that the code it interrupts
    may hold, and an exception raised by it could hit the middle of writing the notebook.

    Args:
        *cancels: Each is set by another thread to stop the run.

    """

    def __init__(self, *cancels: threading.Event) -> None:
        self._cancels = cancels
        self._asked = 0
        self.why: StopReason = "asked"

    @property
    def asked(self) -> bool:
        """Whether the run is to stop."""
        return self._asked > 0 or any(cancel.is_set() for cancel in self._cancels)

    @property
    def urgent(self) -> bool:
        """Whether it was asked for more than once: it must not take any longer."""
        return self._asked > 1

    def ask(self, why: StopReason = "asked") -> None:
        """Ask the run to stop; a second time to stop at once.

        Args:
            why: Why; the first reason counts.

        """
        if not self.asked:
            self.why = why
        self._asked += 1

    @contextlib.contextmanager
    def at_deadline(self, seconds: float | None) -> Iterator[None]:
        """Ask the run to stop after some time.

        Args:
            seconds: The time; None for never.

        """
        timer = threading.Timer(seconds or 0.0, self.ask, args=("deadline",))
        timer.daemon = True
        if seconds is not None:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as the wish to stop, where this thread can, and put the old handlers back.

        Python lets the main thread alone handle signals. A signal that the process ignores (as under `nohup`)
        stays ignored.
        """
        previous = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    previous[number] = signal.signal(number, self._on_signal)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.ask()


class Reporter:
    """Hands a run's events to whoever listens.

    An error of the listener (a closed pipe, a full disk) stops the run and is kept in `error`: raised inside the
    kernel's message loop it would be taken for an error of the cell.

    Args:
        on_event: The listener.
        stop: What to ask when the listener fails.

    """

    def __init__(self, on_event: Callable[[RunEvent], None], stop: Stop) -> None:
        self._on_event = on_event
        self._stop = stop
        self.error: Exception | None = None
        self.cell: int | None = None
        self.cells: int | None = None
        self.cells_executed = 0
        self.metrics: dict[str, Metric] = {}

    def report(
        self,
        kind: RunEventKind,
        *,
        stream: str | None = None,
        text: str | None = None,
        duration: float | None = None,
        message: str | None = None,
        metric: tuple[str, Metric] | None = None,
        about: tuple[str, str] | None = None,
    ) -> None:
        """Report an event of the cell that is being executed, or of the run if none is.

        Args:
            kind: What happened.
            stream: See `RunEvent`.
            text: See `RunEvent`.
            duration: See `RunEvent`.
            message: See `RunEvent`.
            metric: The name and the value of what the notebook reports.
            about: The name and the value of a launch's phase, or of an event of its pods.

        """
        if metric is not None:
            self.metrics[metric[0]] = metric[1]
        if self.error is not None:
            return
        name, value = metric or about or (None, None)
        event = RunEvent(
            kind,
            time.time(),
            cell=self.cell,
            cells=self.cells,
            stream=stream,
            text=text,
            duration=duration,
            message=message,
            name=name,
            value=value,
        )
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller of the run gets it
            self.error = error
            self._stop.ask()
