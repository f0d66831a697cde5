"""Commands in messages as the user can type them right here: in a terminal or in a cell."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.operations.declaration import MAGIC, PROGRAM
from fairing_az_jupyter.operations.registry import operations

if TYPE_CHECKING:
    from fairing_az_jupyter.exceptions import FairingAzureError

__all__ = ["cancelled", "error_document", "in_place"]


def in_place(text: str, program: str) -> str:
    """Return a text whose commands are those that the user can type right here.

    Args:
        text: A hint or a message of ours; its commands may be written for a terminal or for a cell.
        program: What the user types before a command.

    """
    return _command().sub(program, text)


@functools.cache
def _command() -> re.Pattern[str]:
    """Return what finds the program before a command that both a terminal and a cell have."""
    both = {each.first_word for each in operations("magic") if "terminal" in each.places and each.same_in_cell}
    return re.compile(rf"(?:{MAGIC}|\b{PROGRAM})(?= (?:{'|'.join(sorted(both))})\b)")


def error_document(error: FairingAzureError, program: str) -> dict[str, dict[str, str]]:
    """Return an error as `--json` prints it.

    Args:
        error: The error.
        program: What the user types before a command.

    """
    return {"error": {name: in_place(text, program) for name, text in error.to_dict().items()}}


def cancelled(stopped: KeyboardInterrupt) -> str:
    """Return what to say to who has stopped a command, with what it had done where that matters."""
    from fairing_az_jupyter.setup.writes import Stopped  # noqa: PLC0415 - seldom needed

    return f"cancelled. {stopped}" if isinstance(stopped, Stopped) else "cancelled"
