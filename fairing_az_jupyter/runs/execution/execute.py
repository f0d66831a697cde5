"""Execute one notebook: as papermill does, but telling what happens, and with errors that say what to do."""

from __future__ import annotations

import dataclasses
import functools
import signal
import time
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError, NotebookFileError, RunCancelledError, RunFailedError
from fairing_az_jupyter.models import RunResult
from fairing_az_jupyter.runs import papermill_import
from fairing_az_jupyter.runs.execution.checks import plan
from fairing_az_jupyter.runs.execution.events import Reporter, Stop
from fairing_az_jupyter.runs.execution.saving import NotebookSaver
from fairing_az_jupyter.runs.execution.watch import Watch
from fairing_az_jupyter.runs.text import last_lines, lines_of, one_line

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from fairing_az_jupyter.models import RunEvent, RunRequest
    from fairing_az_jupyter.runs.execution.checks import RunPlan
    from fairing_az_jupyter.runs.execution.kernel import RunKernel


def execute(
    request: RunRequest,
    on_event: Callable[[RunEvent], None],
    *,
    cancels: Sequence[threading.Event] = (),
    settled: RunPlan | None = None,
    saver: NotebookSaver | None = None,
    work: Callable[[Watch], object] | None = None,
) -> RunResult:
    """Execute a notebook with papermill.

    The notebook itself is only read. The executed one is written before and after each cell, so it shows how far the
    run has come. The kernel works in the notebook's own folder unless the request says otherwise (plain papermill:
    in the current one), so that a notebook finds the files beside it, and has the notebook's absolute path in
    JPY_SESSION_NAME.

    SIGINT, SIGTERM (in the main thread) and `cancels` interrupt the cell. It has 3 seconds to end, or until the
    second signal; then the kernel is killed.

    Args:
        request: What to run.
        on_event: Called with each event as it happens, in the order of time. An exception that it raises stops the
            run and is raised again when the kernel has gone.
        cancels: Set one from another thread to cancel the run.
        settled: The request, planned; None to plan it here.
        saver: Where the executed notebook goes; None for where the request says.
        work: What executes the notebook with a kernel that is connected; None for papermill.

    Returns:
        What the run has come to; a run that ends in any other way raises.

    Raises:
        InputError: The run can't start as it was asked for; no kernel was started.
        RunFailedError: A cell raised or took too long, or the kernel died or did not start.
        RunCancelledError: The run was cancelled.

    """
    settled = settled or plan(request)
    saver = saver or NotebookSaver(None, settled.output)
    stop = Stop(*cancels)
    reporter = Reporter(on_event, stop)
    begin = time.monotonic()
    with stop.on_signals(), stop.at_deadline(request.deadline):
        try:
            reporter.report("run-started")
            _run(
                _Run(request, settled, reporter, stop, saver),
                work or functools.partial(_by_papermill, settled, request),
            )
        except FairingAzureError as error:
            reporter.cell = None
            cancelled = isinstance(error, RunCancelledError)
            reporter.report(
                "run-cancelled" if cancelled else "run-failed",
                duration=time.monotonic() - begin,
                message=error.message,
            )
            if reporter.error is not None:
                raise reporter.error from error
            raise
        reporter.cell = None
        duration = time.monotonic() - begin
        reporter.report("run-finished", duration=duration)
        if reporter.error is not None:
            raise reporter.error
    return RunResult(saver.shown, duration, reporter.cells_executed, reporter.metrics)


@dataclasses.dataclass(frozen=True)
class _Run:
    """One run, with all that its errors tell of."""

    request: RunRequest
    settled: RunPlan
    reporter: Reporter
    stop: Stop
    saver: NotebookSaver


def _by_papermill(settled: RunPlan, request: RunRequest, watch: Watch) -> None:
    from fairing_az_jupyter.runs.execution import engine  # noqa: PLC0415 - already loaded

    engine.run_notebook(
        settled.source, request.parameters, watch, language=settled.language, cell_timeout=settled.cell_timeout
    )


def _run(run: _Run, work: Callable[[Watch], object]) -> None:
    """Run the notebook on a kernel of its own, and translate what can go wrong."""
    from fairing_az_jupyter.runs.execution.kernel import KernelStartError, RunKernel  # noqa: PLC0415 - loads ZeroMQ

    settled, stop = run.settled, run.stop
    if stop.asked:
        raise _stopped(run)
    kernel = RunKernel(
        settled.kernel_name,
        cwd=settled.cwd,
        session_name=settled.session_name,
        stop=stop,
        variables=settled.variables,
    )
    try:
        with kernel.running():
            try:
                # The kernel's process starts up while this one imports papermill.
                papermill_import.import_papermill()
                from fairing_az_jupyter.runs.execution import engine  # noqa: F401, PLC0415

                kernel.connect(run.request.start_timeout)
                try:
                    work(
                        Watch(
                            kernel,
                            run.reporter,
                            stop,
                            run.saver,
                            notebook=settled.notebook,
                            output=run.saver.shown,
                            output_limit=run.request.output_limit,
                        )
                    )
                finally:
                    run.saver.close()
            except KernelStartError:
                raise
            except Exception as error:
                explained = _stopped(run) if stop.asked else _failed(error, run, kernel)
                if explained is None:
                    raise
                raise explained from error
    except KernelStartError as error:
        known = _stopped(run) if stop.asked else _not_started(error, run.request, kernel)
        raise known from error
    if stop.asked:
        raise _stopped(run)


def _failed(error: Exception, run: _Run, kernel: RunKernel) -> FairingAzureError | None:  # noqa: PLR0911 - a table
    """Return the error that tells the user what has happened, None if it is a bug."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: PLC0415 - slow to import
    from papermill.exceptions import PapermillException, PapermillExecutionError  # noqa: PLC0415

    request, reporter = run.request, run.reporter
    if isinstance(error, FairingAzureError):
        return error
    if isinstance(error, PapermillExecutionError):
        where = _where(request, error.cell_index + 1, reporter.cells, error.exec_count)
        traceback = "\n".join(error.traceback)
        said = one_line(f"{error.ename}: {error.evalue}")
        return RunFailedError(
            f"{where} failed: {said if said.endswith('...') else said.rstrip('.') + '.'}",
            hint=f"The whole traceback is in the executed notebook: {run.saver.shown}",
            cell=error.cell_index + 1,
            source=str(error.source),
            traceback=lines_of(traceback),
            last_lines=last_lines(traceback),
        )
    if isinstance(error, DeadKernelError):
        return _died(run, kernel)
    if isinstance(error, CellTimeoutError):
        took = (
            f"it took longer than {request.cell_timeout:g} s"
            if request.cell_timeout
            else "the kernel stopped responding"
        )
        return RunFailedError(
            f"{_where(request, reporter.cell, reporter.cells)} failed: {took}.",
            hint=f"Give it a longer time limit. What the cells printed is in the executed notebook: {run.saver.shown}",
            cell=reporter.cell,
            code="cell-timeout",
        )
    if isinstance(error, OSError):
        return RunFailedError(
            f"The executed notebook '{run.saver.shown}' can't be written: {error.strerror or error}.",
            hint="Free some space, or choose another output.",
            code="output",
        )
    if not isinstance(error, PapermillException):
        return None
    return NotebookFileError(
        f"papermill can't run '{request.notebook}': {one_line(str(error))}.",
        hint="Open the notebook in Jupyter, choose a kernel for it and save it.",
    )


def _died(run: _Run, kernel: RunKernel) -> RunFailedError:
    status = kernel.exit_status()
    return RunFailedError(
        f"{_where(run.request, run.reporter.cell, run.reporter.cells)} failed: the kernel died{_cause(status)}.",
        hint=f"What the cells printed is in the executed notebook: {run.saver.shown}",
        cell=run.reporter.cell,
        returncode=status,
        last_lines=kernel.log_tail(),
        code="kernel-died",
    )


def _stopped(run: _Run) -> RunCancelledError | RunFailedError:
    """Return why a run was stopped before its end."""
    request, reporter = run.request, run.reporter
    so_far = f"The cells executed so far are in the executed notebook: {run.saver.shown}"
    if run.stop.why == "deadline":
        return RunFailedError(
            f"{_where(request, reporter.cell, reporter.cells)} was stopped: the run has reached its deadline of "
            f"{request.deadline:g} s.",
            hint=f"Give it more time: --deadline SECONDS. {so_far}",
            cell=reporter.cell,
            code="deadline",
        )
    if run.stop.why == "output":
        return RunFailedError(
            f"{_where(request, reporter.cell, reporter.cells)} was stopped: it printed more than "
            f"{request.output_limit / 1e6:.0f} MB, and such a notebook can't be opened.",
            hint=f"Print less, write it to a file, or allow more: --output-limit MB. {so_far}",
            cell=reporter.cell,
            code="output-limit",
        )
    if reporter.cells is None:
        return RunCancelledError(
            f"The run of '{request.notebook}' was cancelled before its first cell.", hint="Run it again."
        )
    at = f" in cell {reporter.cell} of {reporter.cells}" if reporter.cell else ""
    return RunCancelledError(f"The run of '{request.notebook}' was cancelled{at}.", hint=so_far)


def _not_started(error: Exception, request: RunRequest, kernel: RunKernel) -> RunFailedError:
    lines = kernel.log_tail()
    reason = one_line(lines[-1] if lines else str(error))
    return RunFailedError(
        f"The kernel '{kernel.name}' did not start, so '{request.notebook}' has not run: {reason}",
        hint="Try the kernel in Jupyter, or choose another: --kernel NAME.",
        last_lines=lines,
    )


def _where(request: RunRequest, cell: int | None, cells: int | None, count: int | None = None) -> str:
    """Return the beginning of a message about one cell."""
    if cell is None:
        return f"The run of '{request.notebook}'"
    prompt = f" (In [{count}])" if count else ""
    return f"Cell {cell} of {cells}{prompt} of '{request.notebook}'"


def _cause(status: int | None) -> str:
    """Return how a kernel's process ended."""
    if status is None:
        return ""
    if status == -signal.SIGKILL:
        return " (killed by signal 9: most often the memory ran out)"
    return f" (killed by signal {-status})" if status < 0 else f" (its process ended with status {status})"
