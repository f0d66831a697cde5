"""Something that tells those who follow it when it has changed."""

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
        self._followers: dict[int, Callable[[], object]] = {}
        self._numbers = itertools.count()

    def follow(self, follower: Callable[[], object]) -> Callable[[], None]:
        """Call somebody after each change, in the thread that has changed it.

        Args:
            follower: What to call; what it raises is logged, and keeps nobody else from knowing.

        Returns:
            What ends it.

        """
        with self.lock:
            number = next(self._numbers)
            self._followers[number] = follower

        def end() -> None:
            with self.lock:
                self._followers.pop(number, None)

        return end

    def changed(self) -> None:
        """Tell all who follow."""
        with self.lock:
            for number, follower in tuple(self._followers.items()):
                if number not in self._followers:
                    continue
                try:
                    follower()
                except Exception:
                    logger.exception("A panel could not show what has changed.")
