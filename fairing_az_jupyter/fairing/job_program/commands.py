"""The command of a job, with the program that notes what its task returns or raises. It is not copied to the pod."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from fairing_az_jupyter.fairing.job_program.job import CONTAINER_FILES
from fairing_az_jupyter.fairing.job_program.task import SHIM

if TYPE_CHECKING:
    from collections.abc import Sequence

_TASK = CONTAINER_FILES["task.py"]


def noting_outcome(words: Sequence[str], folder: str) -> list[str]:
    """Return a container's command with our program in the place of Fairing's; another command stays as it is.

    Args:
        words: The command.
        folder: The folder in the image that both programs are in.

    """
    shim, task = posixpath.join(folder, SHIM), posixpath.join(folder, _TASK)
    return [task if word == shim else word for word in words]
