"""Asking before something is deleted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.models import Question

if TYPE_CHECKING:
    from fairing_az_jupyter.operations.calls import Call

__all__ = ["agreed", "need_answer"]


def agreed(what: str, call: Call[Any]) -> bool:
    """Ask whether something is to be deleted; only a clear yes is one.

    Args:
        what: What, such as `these 3 objects`.
        call: The command.

    Raises:
        InputError: There is nobody to ask.

    """
    sys.stdout.flush()
    try:
        answer = call.caller.ask(Question("confirm", f"Delete {what}? [y/N]", optional=True))
    except InputError as error:
        raise _nobody(error.message.rpartition(": ")[2].rstrip(".")) from None
    return answer.strip().lower() in {"y", "yes"}


def need_answer(call: Call[Any]) -> None:
    """Reject a deletion that has to be agreed to where nobody can be asked.

    Args:
        call: The command; its request has `yes` and `dry_run`.

    Raises:
        InputError: It is for a program, and says neither.

    """
    if call.json and not call.request.yes and not call.request.dry_run:
        raise _nobody("JSON is for programs")


def _nobody(reason: str) -> InputError:
    return InputError(
        f"Nothing was deleted: nobody can be asked whether to ({reason}).",
        hint="Delete without a question: --yes. See what would be deleted: --dry-run.",
        code="nobody-to-ask",
    )
