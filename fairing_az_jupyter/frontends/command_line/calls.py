"""From what was understood of a line to a call with its session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.operations.calls import Call, Caller

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.command_line.parsing import Parsed

__all__ = ["call_of"]


def call_of(parsed: Parsed, caller: Caller) -> Call[Any]:
    """Return a command with the session that it works with.

    Args:
        parsed: What was typed.
        caller: Who has typed it.

    Returns:
        The call. The caller's own notebook counts where none is named, but for commands whose notebook is what they
        run.

    """
    from fairing_az_jupyter.services import Session  # noqa: PLC0415 - help and errors need none

    cell = (parsed.notebook or caller.variables or None) if parsed.operation.sources.notebook else None
    session = Session(parsed.settings, notebook=cell, profile=parsed.profile, runs_folder=parsed.runs_folder)
    return Call(parsed.request, session, caller, parsed.notebook, parsed.json)
