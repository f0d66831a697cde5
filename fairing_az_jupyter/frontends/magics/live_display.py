"""Keeps one display of a notebook up to date while something runs, and leaves its last state."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from fairing_az_jupyter.frontends.views.launch import LaunchView

__all__ = ["Handle", "LiveDisplay"]

_LOOK_SECONDS = 0.25
_ELAPSED_SECONDS = 1.0
"""So often the time that has gone is written anew where nothing else changes."""


class Handle(Protocol):
    """A display that can be changed, as IPython's `DisplayHandle`."""

    def display(self, data: Mapping[str, str], **options: Any) -> object:  # noqa: ANN401 - IPython's own
        """Show data by their types."""

    def update(self, data: Mapping[str, str], **options: Any) -> object:  # noqa: ANN401 - IPython's own
        """Show other data in their place."""


class LiveDisplay:
    """Shows a view from its first sign of life to the end of a context; its thread ends with the context.

    What fails before it has begun, such as for a name that is none, shows its error and nothing else.
    However much is printed, it is drawn at most four times a second, and a saved notebook has the last drawing only.

    Args:
        view: What is shown.
        handle: Where.

    """

    def __init__(self, view: LaunchView, handle: Handle) -> None:
        self._view, self._handle = view, handle
        self._over = threading.Event()
        self._shown = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        # What a thread displays belongs to the cell whose context it has.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._draw,), name="fairing-az live display", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._shown or error is None or self._view.lines:
            self._show()

    def _draw(self) -> None:
        drawn, when = 0, time.monotonic()
        while not self._over.wait(_LOOK_SECONDS):
            revision = self._view.revision
            if revision == drawn and (not self._shown or time.monotonic() - when < _ELAPSED_SECONDS):
                continue
            # A front end that has gone must not end what runs.
            with contextlib.suppress(Exception):
                self._show()
            drawn, when = revision, time.monotonic()

    def _show(self) -> None:
        drawn = {"text/html": self._view.html(), "text/plain": self._view.plain()}
        (self._handle.update if self._shown else self._handle.display)(drawn, raw=True)
        self._shown = True
