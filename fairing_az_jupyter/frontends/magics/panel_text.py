"""What is said where no panel of widgets can be shown."""

from __future__ import annotations

__all__ = ["instead_of_panel"]

_COMMANDS = "%fairing_azure settings, %fairing_azure check, %fairing_azure train, %fairing_azure status"


def instead_of_panel(*, in_kernel: bool, present: bool) -> str:
    """Return what to use instead of the panel; empty where it can be shown.

    Args:
        in_kernel: Whether there is a notebook at all.
        present: Whether a person sits before it.

    """
    if not in_kernel:
        return f"The panel needs a notebook's widgets. The same in a terminal: {_COMMANDS}"
    if not present:
        return f"This notebook runs unattended, so the panel is left out. The same without widgets: {_COMMANDS}"
    return ""
