"""Keeps the static table of a displayed panel up to date, not more often than anybody reads."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.panel.sections import static_table
from fairing_az_jupyter.frontends.panel.state.background import Task

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.panel.state.shared_state import SharedState

__all__ = ["StaticDisplay"]

logger = logging.getLogger(__name__)

_REST_SECONDS = 2.0


class StaticDisplay:
    """The static table of one panel.

    Args:
        state: What all panels share.

    """

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self.name = f"fairing-az-{uuid.uuid4().hex[:12]}"
        """The class by which the live panel hides it; also its display's identifier."""
        self._lock = threading.Lock()
        self._publisher: Any = None
        self._last, self._sent = 0.0, ""
        self._later: Task | None = None
        self._is_pending, self._is_over = False, False

    def bundle(self) -> dict[str, str]:
        """Return it by MIME type."""
        with self._state.lock:
            return {
                "text/html": static_table.html(self._state, self.name),
                "text/plain": static_table.plain(self._state),
            }

    def show(self) -> None:
        """Display it in the cell that is being run."""
        # Not looked up later: `%%capture` in another cell puts its own in this one's place.
        self._publisher = self._state.ipython.display_pub
        self._publish(update=False)

    def update(self) -> None:
        """Bring it up to date, now or in a moment."""
        with self._lock:
            if self._publisher is None or self._is_over or self._is_pending:
                return
            wait = self._last + _REST_SECONDS - time.monotonic()
            if wait > 0:
                self._is_pending = True
                self._later = Task("static table", lambda task: self._update_later(task, wait)).start()
                return
        self._publish(update=True)

    def close(self) -> None:
        """Bring it up to date for the last time; no thread of it stays."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
            later = self._later
        if later is not None:
            later.cancel()
            later.join(_REST_SECONDS)
        if self._publisher is not None:
            self._publish(update=True)

    def _update_later(self, task: Task, seconds: float) -> None:
        if task.cancelled.wait(seconds):
            return
        with self._lock:
            self._is_pending = False
        self._publish(update=True)

    def _publish(self, *, update: bool) -> None:
        bundle = self.bundle()
        self._last = time.monotonic()
        if update and bundle["text/html"] == self._sent:
            return
        self._sent = bundle["text/html"]
        try:
            self._publisher.publish(data=bundle, metadata={}, transient={"display_id": self.name}, update=update)
        except Exception:
            logger.warning("The static table of a panel could not be updated.", exc_info=True)
