"""The link between a kernel and JupyterLab's side panel: it says that it is there, and fills the open notebook.

A kernel can't ask a browser whether it has the panel: nothing comes back before the cell has ended. So the kernel opens
a comm when the extension is loaded; the panel answers on it, also after its page was reloaded, and what is to be
filled goes the same way (https://jupyter-client.readthedocs.io/en/stable/messaging.html#custom-messages).
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell

TARGET = "fairing-az-jupyter"
"""The name by which the panel knows this comm; version 1."""

_VERSION = 1


class LabLink:
    """What a kernel knows of the side panel."""

    def __init__(self) -> None:
        self._comm: Any = None
        self._path = ""
        self._present = False

    def open(self) -> None:
        """Let the panel know of this kernel; without one nothing happens."""
        import comm  # noqa: PLC0415 - ipykernel has it loaded; a terminal needs none

        self._comm = comm.create_comm(target_name=TARGET, data={"version": _VERSION})
        self._comm.on_msg(self._on_message)
        self._comm.on_close(self._on_close)

    @property
    def present(self) -> bool:
        """Whether a panel has said that it is there, and has not gone."""
        return self._present

    def is_notebook(self, path: str | None) -> bool:
        """Tell whether a path names the notebook that the panel has open with this kernel.

        Args:
            path: The path; None for this notebook, whatever its name.

        """
        if path is None:
            return True
        wanted, own = PurePath(path).parts, PurePath(self._path).parts
        length = min(len(wanted), len(own))
        return length > 0 and wanted[-length:] == own[-length:]

    def fill(self, values: Mapping[str, Any], profile: str | None) -> None:
        """Ask the panel to fill the notebook's parameters cell.

        Args:
            values: Settings given as arguments, by field.
            profile: The profile to use; None for the active one.

        """
        self._comm.send({"fill": {"values": dict(values), "profile": profile}})

    def _on_message(self, message: Mapping[str, Any]) -> None:
        data = message["content"]["data"]
        self._present = bool(data.get("present"))
        self._path = str(data.get("path") or "")

    def _on_close(self, _message: object) -> None:
        self._present = False


def link_of(ipython: InteractiveShell) -> LabLink | None:
    """Return the link of a kernel; None in a terminal.

    Args:
        ipython: The shell.

    """
    if getattr(ipython, "kernel", None) is None:
        return None
    link = getattr(ipython, "_fairing_az_link", None)
    if not isinstance(link, LabLink):
        link = LabLink()
        ipython._fairing_az_link = link  # type: ignore[attr-defined]  # noqa: SLF001 - of this shell alone
        link.open()
    return link
