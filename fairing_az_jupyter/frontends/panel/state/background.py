"""Work beside the kernel's cells: a daemon thread that is there only as long as it works."""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Task", "Tasks"]


class Task:
    """One piece of work in a thread of its own.

    Args:
        name: What it does, as the thread's name.
        work: Does it; gets the task, whose `cancelled` it may look at. A `KeyboardInterrupt` that it lets through is
            an end like any other. It handles all other errors itself.
        on_end: Is called in the thread when the work has ended.

    """

    def __init__(
        self, name: str, work: Callable[[Task], object], on_end: Callable[[Task], object] | None = None
    ) -> None:
        self.cancelled = threading.Event()
        """Set once nobody wants the result any more."""
        self.interrupted = False
        """Whether the work has ended by an interrupt."""
        self._work: Callable[[Task], object] | None = work
        self._on_end = on_end
        self._gate = threading.Lock()
        self._can_interrupt, self._is_interrupting = False, False
        self._thread = threading.Thread(target=self._run, name=f"fairing-azure panel: {name}", daemon=True)

    def start(self) -> Task:
        """Begin."""
        self._can_interrupt = True
        self._thread.start()
        return self

    @property
    def is_running(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Say that nobody wants the result; the work ends when it looks."""
        self.cancelled.set()

    def interrupt(self) -> None:
        """Raise `KeyboardInterrupt` in the work, once, as Ctrl-C does in a cell; a call of C is not interrupted."""
        with self._gate:
            if not self._can_interrupt or self._is_interrupting or self._thread.ident is None:
                return
            self._is_interrupting = True
            self.cancelled.set()
            # https://docs.python.org/3/c-api/init.html#c.PyThreadState_SetAsyncExc
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident), ctypes.py_object(KeyboardInterrupt)
            )

    def join(self, seconds: float) -> bool:
        """Wait until the thread has gone.

        Args:
            seconds: How long at most.

        Returns:
            Whether it has gone.

        """
        if self._thread is threading.current_thread() or self._thread.ident is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            try:
                if self._work is not None:
                    self._work(self)
            finally:
                # What it holds may be secret, and the task may be kept for a while.
                self._work = None
                with self._gate:
                    self._can_interrupt = False
                _let_pending_interrupts_come()
        except KeyboardInterrupt:
            self.interrupted = True
        with self._gate:
            self._can_interrupt = False
        if self._on_end is not None:
            with contextlib.suppress(KeyboardInterrupt):
                self._on_end(self)


class Tasks:
    """The tasks that are there; so that the last one to go can wait for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: list[Task] = []

    def begin(self, name: str, work: Callable[[Task], object], on_end: Callable[[Task], object] | None = None) -> Task:
        """Begin a task; arguments as of `Task`."""
        task = Task(name, work, on_end)
        with self._lock:
            self._tasks = [each for each in self._tasks if each.is_running]
            self._tasks.append(task.start())
        return task

    def join(self, seconds: float) -> bool:
        """Wait until all threads have gone.

        Args:
            seconds: How long at most, for all of them.

        Returns:
            Whether they have gone.

        """
        end = time.monotonic() + seconds
        while True:
            with self._lock:
                tasks, self._tasks = self._tasks, []
            if not tasks:
                return True
            # The end of one may have begun another.
            for task in tasks:
                if not task.join(max(0.0, end - time.monotonic())):
                    return False


def _let_pending_interrupts_come() -> None:
    """Take a few turns: Python raises in another thread only between two of these."""
    for _ in range(8):
        threading.get_ident()
