"""What the panel tells in one line, and what to do next: errors above all."""

from __future__ import annotations

import dataclasses
import logging
from html import escape
from typing import Literal

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.frontends.commands.wording import in_place
from fairing_az_jupyter.frontends.views.check_report import line

__all__ = ["Told", "here", "html", "quiet", "told_of"]

logger = logging.getLogger(__name__)

Kind = Literal["error", "warning", "note", "done"]

_WORDS: dict[Kind, str] = {"error": "Error", "warning": "Warning", "note": "Note", "done": "Done"}
_SYMBOLS: dict[Kind, str] = {"error": "✗", "warning": "!", "note": "i", "done": "✓"}


@dataclasses.dataclass(frozen=True)
class Told:
    """A message.

    Args:
        message: What is so, in one line.
        hint: What to do next; empty where there is nothing to do.
        kind: How much it matters.

    """

    message: str
    hint: str = ""
    kind: Kind = "error"


def told_of(error: BaseException) -> Told:
    """Return what to tell of an error; only the text is kept: frames hold what was typed.

    Args:
        error: The error. One that no user can mend is logged with its traceback.

    """
    if isinstance(error, FairingAzureError):
        return Told(here(error.in_one_line), here(error.hint))
    logger.error("The panel has met an unexpected error.", exc_info=error)
    return Told(line(f"{type(error).__name__}: {error}"), "The kernel's log has the traceback.")


def here(text: str) -> str:
    """Return a text in one line, whose commands are those that a cell takes."""
    return line(in_place(text, "%fairing_azure"))


def html(told: Told | None) -> str:
    """Return a message as HTML; an empty text where there is none.

    Args:
        told: The message.

    """
    if told is None:
        return ""
    hint = f'<div class="fairing-az-hint">{escape(told.hint)}</div>' if told.hint else ""
    role = "alert" if told.kind == "error" else "status"
    return (
        f'<div role="{role}" class="fairing-az-message fairing-az-{told.kind}">'
        f"<strong>{_SYMBOLS[told.kind]} {_WORDS[told.kind]}:</strong> {escape(told.message)}{hint}</div>"
    )


def quiet(text: str) -> str:
    """Return what matters little as HTML; an empty text where there is none."""
    return f'<span class="fairing-az-quiet">{escape(text)}</span>' if text else ""
