"""papermill's own engine, with a listener. Imported when a run starts: papermill takes seconds to import."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Any

import papermill
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.log import logger

from fairing_az_jupyter.runs.text import first_line, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbformat import NotebookNode

    from fairing_az_jupyter.runs.events import Reporter, Stop
    from fairing_az_jupyter.runs.kernel import RunKernel

ENGINE_NAME = "fairing-azure"

# What papermill logs is told by events and errors; without a handler Python would print its errors a second time.
logger.addHandler(logging.NullHandler())


class StoppedError(Exception):
    """The run is to stop, and no cell was being executed."""


@dataclasses.dataclass(frozen=True)
class Watch:
    """What the engine needs beside papermill's own arguments.

    Args:
        kernel: The kernel, connected.
        reporter: Where to tell what happens.
        stop: The wish to stop the run.

    """

    kernel: RunKernel
    reporter: Reporter
    stop: Stop


def run_notebook(
    *,
    notebook: str,
    output: str,
    parameters: Mapping[str, object],
    language: str | None,
    cell_timeout: int | None,
    watch: Watch,
) -> None:
    """Run a notebook as papermill does.

    Args:
        notebook: Path of the notebook, literally: braces in it are no papermill placeholders.
        output: Path of the executed notebook, as literally.
        parameters: The values to inject.
        language: The kernel's language where the notebook does not name one.
        cell_timeout: Seconds that one cell may take.
        watch: The kernel and the listener.

    Raises:
        PapermillException: A cell raised, or papermill can't run this notebook.
        DeadKernelError: The kernel died.
        CellTimeoutError: A cell took too long.
        StoppedError: The run was to stop between two cells.

    """
    papermill.execute_notebook(
        notebook.replace("{", "{{").replace("}", "}}"),
        output.replace("{", "{{").replace("}", "}}"),
        parameters=dict(parameters),
        engine_name=ENGINE_NAME,
        kernel_name=watch.kernel.name,
        language=language,
        progress_bar=False,
        execution_timeout=cell_timeout,
        watch=watch,
    )


class ReportingClient(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client on a kernel that already runs, telling what its cells do.

    Args:
        nb_man: papermill's record of the run, which saves the notebook.
        watch: The kernel and the listener.
        **traits: papermill's and nbclient's own settings.

    """

    def __init__(self, nb_man: Any, watch: Watch, **traits: Any) -> None:  # noqa: ANN401 - papermill has no types
        super().__init__(nb_man, km=watch.kernel.manager, **traits)
        self.kc = watch.kernel.client
        self.watch = watch

    def execute_cell(self, cell: NotebookNode, cell_index: int) -> NotebookNode:
        """Execute one cell and tell how it went."""
        done: NotebookNode = run_sync(self._execute_and_report)(cell, cell_index)
        return done

    async def _execute_and_report(self, cell: NotebookNode, cell_index: int) -> NotebookNode:
        reporter = self.watch.reporter
        if self.watch.stop.asked:
            self.nb_man.cell_exception(cell, cell_index=cell_index)
            raise StoppedError
        done: NotebookNode
        if not self._is_executed(cell):
            done = await self.async_execute_cell(cell, cell_index)
            return done
        reporter.cell, reporter.cells = cell_index + 1, len(self.nb.cells)
        reporter.report("cell-started", text=first_line(cell.source))
        begin = time.monotonic()
        try:
            done = await self.watch.kernel.obeying(self.async_execute_cell(cell, cell_index))
        except BaseException as error:
            duration = time.monotonic() - begin
            if _is_clean_exit(error):
                reporter.report("cell-finished", duration=duration)
            else:
                # papermill itself marks cells that timed out or lost their kernel, and all that follow, as completed.
                self.nb_man.cell_exception(cell, cell_index=cell_index)
                reporter.report("cell-failed", duration=duration, message=_reason(error))
            raise
        finally:
            reporter.cells_executed += 1
        reporter.report("cell-finished", duration=time.monotonic() - begin)
        reporter.cell = None
        return done

    def _is_executed(self, cell: NotebookNode) -> bool:
        """Return whether nbclient sends the cell to the kernel; the others have no events."""
        skipped = self.skip_cells_with_tag in cell.metadata.get("tags", [])
        return bool(cell.cell_type == "code" and cell.source.strip() and not skipped)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Record one message of the kernel in the notebook, and tell the text in it."""
        content = msg["content"]
        if msg["msg_type"] == "stream":
            self.watch.reporter.report("output", stream=content["name"], text=content["text"])
        elif msg["msg_type"] in {"display_data", "execute_result", "update_display_data"}:
            text = content["data"].get("text/plain")
            if text:
                self.watch.reporter.report("output", stream="display", text=text)
        recorded: NotebookNode | None = super().process_message(msg, cell, cell_index)
        return recorded


class ReportingEngine(NBClientEngine):  # type: ignore[misc]
    """papermill's engine with the client above."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,  # noqa: ANN401 - papermill has no types
        kernel_name: str,
        *,
        watch: Watch,
        execution_timeout: int | None = None,
        **_settings: object,
    ) -> NotebookNode:
        """Execute the cells of a notebook that papermill has prepared."""
        client = ReportingClient(
            nb_man, watch, timeout=execution_timeout, kernel_name=kernel_name, log=logger, log_output=False
        )
        executed: NotebookNode = client.execute()
        return executed


papermill_engines.register(ENGINE_NAME, ReportingEngine)


def _is_clean_exit(error: BaseException) -> bool:
    """Return whether a cell ended the run by `sys.exit(0)`: papermill stops there, and takes it as a success."""
    return isinstance(error, CellExecutionError) and error.ename == "SystemExit" and error.evalue in {"", "0"}


def _reason(error: BaseException) -> str:
    if isinstance(error, CellExecutionError):
        return one_line(f"{error.ename}: {error.evalue}")
    return one_line(str(error) or type(error).__name__)
