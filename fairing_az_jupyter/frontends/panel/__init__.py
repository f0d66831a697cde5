"""`%fairing_azure panel`: the side panel's sections as ipywidgets, for every front end that shows widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.panel.live_panel import Panel
from fairing_az_jupyter.frontends.panel.state.shared_state import state_of

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Panel", "close_panels", "open_panel"]


def open_panel(ipython: InteractiveShell) -> Panel:
    """Make a panel for a kernel's notebook; it is not displayed yet.

    Several panels of one kernel show the same: what is typed into one of them appears in all. A cell that is run again
    replaces the panel that it has made before.

    Args:
        ipython: The kernel's shell.

    Raises:
        InputError: IPython runs in a terminal, without a kernel.

    """
    if getattr(ipython, "kernel", None) is None:
        raise InputError(
            "The panel needs a notebook: a terminal can't show widgets.",
            hint="Type %fairing_azure check, or in a shell: fairing-azure --help",
            code="no-notebook",
        )
    state = state_of(ipython)
    panel = Panel(state, cell=_cell_of(ipython))
    for other in state.panels:
        if other is not panel and panel.cell and other.cell == panel.cell:
            # After the new one exists: work in the background keeps running.
            other.close()
    return panel


def close_panels(ipython: InteractiveShell) -> int:
    """Close all panels of a kernel's notebook.

    Args:
        ipython: The kernel's shell.

    Returns:
        How many there were.

    """
    panels = state_of(ipython).panels
    for panel in panels:
        panel.close()
    return len(panels)


def _cell_of(ipython: InteractiveShell) -> str:
    """Return JupyterLab's identifier of the cell that is being run; empty where it is not known."""
    parent: dict[str, Any] = getattr(ipython, "get_parent", dict)()
    return str((parent.get("metadata") or {}).get("cellId") or "")
