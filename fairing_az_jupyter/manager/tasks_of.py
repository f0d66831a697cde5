"""The classes and functions of a file that may be launched."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairing_az_jupyter.models import TaskInfo


def list_tasks(path: str, text: str | None = None) -> tuple[TaskInfo, ...]:
    """List what of a notebook or a Python file may be trained or deployed; nothing of it is run.

    Args:
        path: The .ipynb or .py file; tasks are called by its name, from its own folder.
        text: Its text, as an editor has it now; None to read the file.

    Returns:
        The classes and functions of its top level, in their order.

    Raises:
        InputError: It can't be read, or is neither a notebook in Python nor a Python file.

    """
    from fairing_az_jupyter.fairing.declared_tasks import declared_tasks  # noqa: PLC0415 - with all of the bridge

    return declared_tasks(path, text)
