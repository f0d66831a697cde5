"""Messages of the panel in one line each, and what to do next: errors above all."""

from __future__ import annotations

import dataclasses
import logging
from html import escape
from typing import Literal

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.frontends.commands.wording import in_place
from fairing_az_jupyter.frontends.views.checks.check_report import line

__all__ = ["Message", "html", "in_cell", "message_of", "quiet"]

logger = logging.getLogger(__name__)

Kind = Literal["error", "warning", "note", "done"]

_WORDS: dict[Kind, str] = {"error": "Error", "warning": "Warning", "note": "Note", "done": "Done"}
_SYMBOLS: dict[Kind, str] = {"error": "✗", "warning": "!", "note": "i", "done": "✓"}


@dataclasses.dataclass(frozen=True)
class Message:
    """A message.

    Args:
        text: The message, in one line.
        hint: What to do next; empty where there is nothing to do.
        kind: How much it matters.

    """

    text: str
    hint: str = ""
    kind: Kind = "error"


def message_of(error: BaseException) -> Message:
    """Return the message of an error; only the text is kept: frames hold what was typed.

    Args:
        error: The error. An unexpected one is logged with its traceback.

    """
    if isinstance(error, FairingAzureError):
        return Message(in_cell(error.in_one_line), in_cell(error.hint))
    logger.error("Unexpected error in the panel.", exc_info=error)
    return Message(line(f"{type(error).__name__}: {error}"), "See the kernel's log for the traceback.")


def in_cell(text: str) -> str:
    """Return a text in one line, whose commands are those that a cell takes."""
    return line(in_place(text, "%fairing_azure"))


def html(message: Message | None) -> str:
    """Return a message as HTML; an empty text where there is none.

    Args:
        message: The message.

    """
    if message is None:
        return ""
    hint = f'<div class="fairing-az-hint">{escape(message.hint)}</div>' if message.hint else ""
    role = "alert" if message.kind == "error" else "status"
    return (
        f'<div role="{role}" class="fairing-az-message fairing-az-{message.kind}">'
        f"<strong>{_SYMBOLS[message.kind]} {_WORDS[message.kind]}:</strong> {escape(message.text)}{hint}</div>"
    )


def quiet(text: str) -> str:
    """Return what matters little as HTML; an empty text where there is none."""
    return f'<span class="fairing-az-quiet">{escape(text)}</span>' if text else ""
