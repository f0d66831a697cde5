"""What to type against a fault: whole commands, filled with the user's own values and safe to paste into a shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from fairing_az_jupyter.models import Fix

if TYPE_CHECKING:
    from fairing_az_jupyter.preflight.context import CheckContext


def ours(*words: str) -> Fix:
    """Return a command of this package.

    Args:
        words: The words after `fairing-azure`; each is quoted where a shell needs it.

    """
    return Fix("fairing-azure", shlex.join(("fairing-azure", *words)))


def kubectl(*words: str) -> Fix:
    """Return a command of kubectl.

    Args:
        words: The words after `kubectl`; each is quoted where a shell needs it.

    """
    return Fix("kubectl", shlex.join(("kubectl", *words)))


def az(*words: str) -> Fix:
    """Return a command of the Azure CLI.

    Args:
        words: The words after `az`; each is quoted where a shell needs it.

    """
    return Fix("az", shlex.join(("az", *words)))


def text(sentence: str) -> Fix:
    """Return what no command does.

    Args:
        sentence: What to do.

    """
    return Fix("text", sentence)


def change_setting(context: CheckContext, field: str, value: str) -> Fix:
    """Return the command that gives a setting another value.

    Args:
        context: What is checked.
        field: The setting.
        value: Its new value.

    """
    flag = f"--{field.replace('_', '-')}"
    if context.notebook:
        return ours("fill", context.notebook, flag, value)
    return ours("profile", "set", "NAME", flag, value)
