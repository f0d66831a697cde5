"""What one run hands papermill's engine. papermill loads this module whenever it is imported, so it loads nothing."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairing_az_jupyter.runs.execution.events import Reporter, Stop
    from fairing_az_jupyter.runs.execution.kernel import RunKernel
    from fairing_az_jupyter.runs.execution.saving import NotebookSaver

ENGINE_NAME = "fairing_azure"
"""The name by which papermill finds the engine: an entry point of this distribution."""


class StoppedError(Exception):
    """The run is to stop, and no cell was being executed."""


@dataclasses.dataclass(frozen=True)
class Watch:
    """What the engine needs beside papermill's own arguments.

    Args:
        kernel: The kernel, connected.
        reporter: Where to tell what happens.
        stop: The wish to stop the run.
        saver: Where the executed notebook goes.
        notebook: What the executed notebook says it was made of.
        output: What it says of where it is.
        output_limit: Bytes that one cell may print and show.
        mirror: Whether papermill saves the notebook elsewhere, so that the saver is notified besides.

    """

    kernel: RunKernel
    reporter: Reporter
    stop: Stop
    saver: NotebookSaver
    notebook: str
    output: str
    output_limit: int
    mirror: bool = False
