"""What to type against a fault: whole commands, filled with the user's own values and safe to paste into a shell."""

from __future__ import annotations

import shlex

from fairing_az_jupyter.models import Cure


def ours(*words: str) -> Cure:
    """Return a command of this package.

    Args:
        words: The words after `fairing-azure`; each is quoted where a shell needs it.

    """
    return Cure("fairing-azure", shlex.join(("fairing-azure", *words)))


def kubectl(*words: str) -> Cure:
    """Return a command of kubectl.

    Args:
        words: The words after `kubectl`; each is quoted where a shell needs it.

    """
    return Cure("kubectl", shlex.join(("kubectl", *words)))


def az(*words: str) -> Cure:
    """Return a command of the Azure CLI.

    Args:
        words: The words after `az`; each is quoted where a shell needs it.

    """
    return Cure("az", shlex.join(("az", *words)))


def text(sentence: str) -> Cure:
    """Return what no command does.

    Args:
        sentence: What to do.

    """
    return Cure("text", sentence)
