"""Where a magic shows what it finds: in a notebook's output, or in a terminal; each thing once."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from typing import TYPE_CHECKING, TypeVar

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.frontends.magics.live_display import LiveDisplay
from fairing_az_jupyter.launch_events import Output, watched_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairing_az_jupyter.frontends.magics.live_display import Handle
    from fairing_az_jupyter.frontends.views.answers import Answer
    from fairing_az_jupyter.frontends.views.launch import LaunchView
    from fairing_az_jupyter.frontends.views.results import ShownOnce
    from fairing_az_jupyter.launch_events import LaunchEvent

    Shown = TypeVar("Shown", bound=ShownOnce)

__all__ = ["Screen", "StillRunsError"]


class StillRunsError(KeyboardInterrupt):
    """The user has interrupted something that is still running; the message says what."""


@dataclasses.dataclass(frozen=True)
class Screen:
    """Where a magic shows what it finds.

    Args:
        handle: Makes a display that can be changed; None in a terminal.
        keep: Notes that the cell that is being run shows a result already.

    """

    handle: Callable[[], Handle] | None
    keep: Callable[[ShownOnce], None]

    def show(self, found: Answer) -> ShownOnce:
        """Show an answer, and return its result.

        Args:
            found: The answer.

        """
        if self.handle is None:
            sys.stdout.writelines(f"{line}\n" for line in found.text())
        else:
            self.handle().display(found.result.shown(), raw=True)
        return self.seen(found.result)

    def seen(self, result: Shown) -> Shown:
        """Note that a result is on the screen, and return it.

        Args:
            result: The result.

        """
        self.keep(result)
        return result

    @contextlib.contextmanager
    def launching(self, view: LaunchView) -> Iterator[None]:
        """Show what this thread launches, and how it has ended where that is an error.

        Args:
            view: What is shown.

        Raises:
            StillRunsError: The user has interrupted it, and something is still running.

        """

        def printed(event: LaunchEvent) -> None:
            # In a terminal lines are printed as they come.
            if isinstance(event, Output):
                sys.stdout.write(event.text)
                sys.stdout.flush()
            view.take(event)

        with self.following(view), watched_by(printed if self.handle is None else view.take):
            yield

    @contextlib.contextmanager
    def following(self, view: LaunchView) -> Iterator[None]:
        """Show what runs outside this kernel; as `launching`.

        Args:
            view: What is shown.

        Raises:
            StillRunsError: See there.

        """
        drawing = contextlib.nullcontext() if self.handle is None else LiveDisplay(view, self.handle())
        with drawing:
            try:
                yield
            except KeyboardInterrupt as stopped:
                still_runs = isinstance(stopped, StillRunsError)
                said = str(stopped) if still_runs else view.interrupted
                left = still_runs or view.remains
                view.end("left" if left else "cancelled", said)
                if not said:
                    raise
                raise StillRunsError(said) from None
            except FairingAzureError as error:
                quoted = view.quote(getattr(error, "last_lines", ()))
                if self.handle is None:
                    sys.stdout.write(quoted)
                view.end("failed", error.in_one_line)
                raise
            except BaseException as error:
                view.end("failed", f"{type(error).__name__}: {error}")
                raise
