"""Something that notifies its observers when it has changed."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

__all__ = ["Observed"]

logger = logging.getLogger(__name__)


class Observed:
    """A part of the state that all panels of a kernel share.

    Args:
        lock: Held while anything of the shared state, or of what shows it, is changed; any thread may do so.

    """

    def __init__(self, lock: threading.RLock) -> None:
        self.lock = lock
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._numbers = itertools.count()

    def subscribe(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call something after each change, in the thread that made it.

        Args:
            callback: What to call; what it raises is logged, and the other callbacks are called nevertheless.

        Returns:
            What ends it.

        """
        with self.lock:
            number = next(self._numbers)
            self._callbacks[number] = callback

        def end() -> None:
            with self.lock:
                self._callbacks.pop(number, None)

        return end

    def changed(self) -> None:
        """Call all subscribed callbacks."""
        with self.lock:
            for number, callback in tuple(self._callbacks.items()):
                if number not in self._callbacks:
                    continue
                try:
                    callback()
                except Exception:
                    logger.exception("A panel could not be updated after a change.")
