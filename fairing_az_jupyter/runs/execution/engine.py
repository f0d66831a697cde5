"""papermill's own engine, with a listener. Imported when a run starts: papermill takes seconds to import."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import papermill
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.execute import raise_for_execution_errors
from papermill.iorw import papermill_io
from papermill.log import logger

from fairing_az_jupyter.launch_events import LAUNCH_MIME, Phase, event_in
from fairing_az_jupyter.metrics import reported
from fairing_az_jupyter.runs.cell_tags import is_skipped, retries_of
from fairing_az_jupyter.runs.execution.watch import ENGINE_NAME, StoppedError
from fairing_az_jupyter.runs.text import first_line, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import ClassVar

    from nbformat import NotebookNode

    from fairing_az_jupyter.runs.execution.saving import NotebookSaver
    from fairing_az_jupyter.runs.execution.watch import Watch

# What papermill logs is reported by events and errors; without a handler Python would print its errors a second time.
logger.addHandler(logging.NullHandler())


def run_notebook(
    source: str, parameters: Mapping[str, object], watch: Watch, *, language: str | None, cell_timeout: int | None
) -> None:
    """Run a notebook as papermill does.

    Args:
        source: Path of the file to read, literally: braces in it are not papermill placeholders.
        parameters: The values to inject.
        watch: The kernel, the listener, and where the executed notebook goes.
        language: The kernel's language where the notebook does not name one.
        cell_timeout: Seconds that one cell may take.

    Raises:
        PapermillException: A cell raised, or papermill can't run this notebook.
        DeadKernelError: The kernel died.
        CellTimeoutError: A cell took too long.
        StoppedError: The run was to stop between two cells.

    """
    with _kept_by(watch.saver) as output:
        papermill.execute_notebook(
            source.replace("{", "{{").replace("}", "}}"),
            output,
            parameters=dict(parameters),
            engine_name=ENGINE_NAME,
            kernel_name=watch.kernel.name,
            language=language,
            progress_bar=False,
            execution_timeout=cell_timeout,
            watch=watch,
        )


def run_prepared(nb_man: Any, watch: Watch, traits: Mapping[str, object]) -> None:  # noqa: ANN401 - papermill has no types
    """Execute the cells of a notebook that papermill has prepared.

    Args:
        nb_man: papermill's record of the run, which saves the notebook.
        watch: The kernel and the listener.
        traits: papermill's and nbclient's own settings.

    """
    if watch.mirror:
        _mirror(nb_man, watch.saver)
    ReportingClient(nb_man, watch, kernel_name=watch.kernel.name, log=logger, **traits).execute()


def _mirror(nb_man: Any, saver: NotebookSaver) -> None:  # noqa: ANN401 - papermill has no types
    save = nb_man.save

    def both(**changed: object) -> None:
        save(**changed)
        saver.write(_text_of(nb_man.nb))

    nb_man.save = both


def keep_with_its_error(notebook: NotebookNode, watch: Watch) -> None:
    """Save a notebook that papermill itself saves elsewhere, marked as papermill marks one in which a cell raised.

    Args:
        notebook: The executed notebook.
        watch: Where it goes.

    Raises:
        PapermillExecutionError: A cell raised.

    """
    with _kept_by(watch.saver) as output:
        papermill_io.write(_text_of(notebook), output)
        raise_for_execution_errors(copy.deepcopy(notebook), output)


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
        self._printed = self._shown = 0

    def execute_cell(self, cell: NotebookNode, cell_index: int) -> NotebookNode:
        """Execute one cell and tell how it went."""
        done: NotebookNode = run_sync(self._execute_and_report)(cell, cell_index)
        return done

    async def _execute_and_report(self, cell: NotebookNode, cell_index: int) -> NotebookNode:
        if self.watch.stop.asked:
            self.nb_man.cell_exception(cell, cell_index=cell_index)
            raise StoppedError
        if not self._is_executed(cell):
            return cell
        reporter = self.watch.reporter
        reporter.cell, reporter.cells = cell_index + 1, len(self.nb.cells)
        reporter.report("cell-started", text=first_line(cell.source))
        retries = retries_of(cell.metadata.get("tags", []))
        try:
            done = await self._execute_once(cell, cell_index, retries)
            while done is None:
                retries -= 1
                done = await self._execute_once(cell, cell_index, retries)
        finally:
            reporter.cells_executed += 1
        reporter.cell = None
        return done

    async def _execute_once(self, cell: NotebookNode, cell_index: int, retries: int) -> NotebookNode | None:
        """Execute a cell; return None if it raised and is to be tried again."""
        reporter, begin = self.watch.reporter, time.monotonic()
        self._printed = self._shown = 0
        try:
            done: NotebookNode = await self.watch.kernel.obeying(self.async_execute_cell(cell, cell_index))
        except BaseException as error:
            duration = time.monotonic() - begin
            if _is_clean_exit(error):
                reporter.report("cell-finished", duration=duration)
            elif isinstance(error, CellExecutionError) and retries > 0 and not self.watch.stop.asked:
                reporter.report("cell-retried", duration=duration, message=_reason(error))
                return None
            else:
                # papermill itself marks cells that timed out or lost their kernel, and all that follow, as completed.
                self.nb_man.cell_exception(cell, cell_index=cell_index)
                reporter.report("cell-failed", duration=duration, message=_reason(error))
            raise
        reporter.report("cell-finished", duration=time.monotonic() - begin)
        return done

    def _is_executed(self, cell: NotebookNode) -> bool:
        """Return whether the cell is sent to the kernel; the others have no events."""
        tags = cell.metadata.get("tags", [])
        skipped = is_skipped(tags) or self.skip_cells_with_tag in tags
        return bool(cell.cell_type == "code" and cell.source.strip() and not skipped)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Record one message of the kernel in the notebook, and tell the text in it."""
        content, kind = msg["content"], msg["msg_type"]
        data = content.get("data") if kind in {"display_data", "execute_result", "update_display_data"} else None
        if self._is_too_much(kind, content, data):
            self.watch.stop.ask("output")
            return None
        if kind == "stream":
            self.watch.reporter.report("output", stream=content["name"], text=content["text"])
        elif data is not None and self._is_launch_event(data):
            return None
        elif data is not None:
            self._report_display(data)
        recorded: NotebookNode | None = super().process_message(msg, cell, cell_index)
        return recorded

    def _is_too_much(self, kind: str, content: Mapping[str, Any], data: Mapping[str, Any] | None) -> bool:
        """Add what a message prints or shows, and tell whether the cell has come to its limit.

        What is shown in the place of something else, as by an animation, makes the notebook no larger; its text is
        in the log each time.
        """
        if kind == "stream":
            self._printed += len(content["text"])
        elif kind == "clear_output":
            self._shown = 0
        elif kind == "error":
            self._shown += len(json.dumps(content, default=str))
        elif data is not None:
            self._printed += len(str(data.get("text/plain") or ""))
            size = len(json.dumps(data, default=str))
            # What a launch tells is in the record each time.
            if kind == "update_display_data" and LAUNCH_MIME not in data:
                return self._printed + size > self.watch.output_limit
            self._shown += size
        return self._printed + self._shown > self.watch.output_limit

    def _is_launch_event(self, data: Mapping[str, Any]) -> bool:
        """Tell a launch's phase, or an event of its pods, and return whether the message holds nothing else."""
        event = event_in(data)
        if event is None:
            return False
        if isinstance(event, Phase):
            self.watch.reporter.report("phase", message=event.message or None, about=(event.name, event.state))
        else:
            self.watch.reporter.report("pod-event", message=event.message or None, about=(event.pod, event.reason))
        return data.keys() == {LAUNCH_MIME}

    def _report_display(self, data: Mapping[str, Any]) -> None:
        metric = reported(data)
        if metric is not None:
            self.watch.reporter.report("metric", metric=metric)
        text = data.get("text/plain")
        if text:
            # The format allows lists of lines, and kernels of other languages send them.
            shown = "".join(map(str, text)) if isinstance(text, list) else str(text)
            self.watch.reporter.report("output", stream="display", text=shown)


class _Sinks:
    """papermill's way to save a notebook, for those of ours that are being executed.

    papermill writes files in place: a full disk, or a process that is killed, would leave half a notebook.
    """

    SCHEME = "fairing-az-jupyter://"
    _numbers = itertools.count()
    _savers: ClassVar[dict[str, NotebookSaver]] = {}

    @classmethod
    def open(cls, saver: NotebookSaver) -> str:
        path = f"{cls.SCHEME}{next(cls._numbers)}/executed.ipynb"
        cls._savers[path] = saver
        return path

    @classmethod
    def close(cls, path: str) -> None:
        del cls._savers[path]

    @classmethod
    def write(cls, text: str, path: str) -> None:
        cls._savers[path].write(text)

    @classmethod
    def pretty_path(cls, path: str) -> str:
        return path


@contextlib.contextmanager
def _kept_by(saver: NotebookSaver) -> Iterator[str]:
    """Give papermill a path to write to that leads to a saver."""
    path = _Sinks.open(saver)
    try:
        yield path
    finally:
        _Sinks.close(path)


papermill_io.register(_Sinks.SCHEME, _Sinks)


def _text_of(notebook: NotebookNode) -> str:
    import nbformat  # noqa: PLC0415 - papermill has loaded it

    return str(nbformat.writes(notebook))  # type: ignore[no-untyped-call]


def _is_clean_exit(error: BaseException) -> bool:
    """Return whether a cell ended the run by `sys.exit(0)`: papermill stops there, and takes it as a success."""
    return isinstance(error, CellExecutionError) and error.ename == "SystemExit" and error.evalue in {"", "0"}


def _reason(error: BaseException) -> str:
    if isinstance(error, CellExecutionError):
        return one_line(f"{error.ename}: {error.evalue}")
    return one_line(str(error) or type(error).__name__)
