"""The classes and functions that may be launched: of a file, and of a running notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    from fairing_az_jupyter.fairing.tasks.declared_tasks import declared_tasks  # noqa: PLC0415 - with all of the bridge

    return declared_tasks(path, text)


def launchable(names: Mapping[str, Any]) -> tuple[TaskInfo, ...]:
    """List what a running notebook has defined and what may be trained or deployed, by its own names.

    Args:
        names: The notebook's variables.

    Returns:
        Its classes and functions, the latest last, and those that it has imported from below the working directory.

    """
    from fairing_az_jupyter.fairing.tasks.lookup import tasks_in  # noqa: PLC0415 - with all of the bridge

    return tasks_in(names)
