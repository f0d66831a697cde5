"""`python -m fairing_az_jupyter` is `fairing-azure`."""

from __future__ import annotations

import signal
import sys
from typing import Any

_CANCELLED = 130


def entry() -> int:
    """Run the command line; Ctrl-C is an answer also while it is still being loaded.

    Returns:
        The exit code.

    """
    early: list[int] = []

    def note(number: int, _frame: Any) -> None:  # noqa: ANN401 - a frame, if the interpreter has one
        early.append(number)

    # Raised in the middle of loading an extension, an interrupt makes some of them end with messages of their own.
    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    try:
        if default:
            signal.signal(signal.SIGINT, note)
        from fairing_az_jupyter.frontends.cli import main  # noqa: PLC0415 - loading it takes longest
        from fairing_az_jupyter.runs import papermill_import  # noqa: PLC0415 - likewise

        if default:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if early:
            return _cancelled()
        papermill_import.in_own_process()

        return main()
    except KeyboardInterrupt:
        return _cancelled()


def _cancelled() -> int:
    if sys.stderr is not None:
        sys.stderr.write("fairing-azure: cancelled\n")
    return _CANCELLED


if __name__ == "__main__":
    sys.exit(entry())
