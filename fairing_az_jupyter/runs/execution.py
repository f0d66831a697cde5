"""Execute one notebook: as papermill does, but telling what happens, and with errors that say what to do."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError, NotebookFileError, RunCancelledError, RunFailedError
from fairing_az_jupyter.models import RunResult
from fairing_az_jupyter.runs.checks import plan
from fairing_az_jupyter.runs.events import Reporter, Stop
from fairing_az_jupyter.runs.text import last_lines, one_line

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from fairing_az_jupyter.models import RunEvent, RunRequest
    from fairing_az_jupyter.runs.checks import RunPlan
    from fairing_az_jupyter.runs.kernel import RunKernel


def execute(
    request: RunRequest,
    on_event: Callable[[RunEvent], None],
    *,
    cancel: threading.Event | None = None,
) -> RunResult:
    """Execute a notebook with papermill.

    The notebook itself is only read. The executed one is written before and after each cell, so it shows how far the
    run has come. The kernel works in the notebook's own folder unless the request says otherwise (plain papermill:
    in the current one), so that a notebook finds the files beside it, and has the notebook's absolute path in
    JPY_SESSION_NAME.

    SIGINT, SIGTERM (in the main thread) and `cancel` interrupt the cell. It has 3 seconds to end, or until the
    second signal; then the kernel is killed.

    Args:
        request: What to run.
        on_event: Called with each event as it happens, in the order of time. An exception that it raises stops the
            run and is raised again when the kernel has gone.
        cancel: Set it from another thread to cancel the run.

    Returns:
        What the run has come to; a run that ends in any other way raises.

    Raises:
        InputError: The run can't start as it was asked for; no kernel was started.
        RunFailedError: A cell raised or took too long, or the kernel died or did not start.
        RunCancelledError: The run was cancelled.

    """
    settled = plan(request)
    stop = Stop(cancel)
    reporter = Reporter(on_event, stop)
    begin = time.monotonic()
    with stop.on_signals():
        try:
            reporter.report("run-started")
            _run(request, settled, reporter, stop)
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
    return RunResult(output=request.output, duration=duration, cells_executed=reporter.cells_executed)


def _run(request: RunRequest, settled: RunPlan, reporter: Reporter, stop: Stop) -> None:
    """Run the notebook on a kernel of its own, and translate what can go wrong."""
    from fairing_az_jupyter.runs.kernel import KernelStartError, RunKernel  # noqa: PLC0415 - loads ZeroMQ

    if stop.asked:
        raise _cancelled(request, reporter)
    kernel = RunKernel(settled.kernel_name, cwd=settled.cwd, session_name=settled.session_name, stop=stop)
    try:
        with kernel.running():
            try:
                # The kernel's process starts up while this one imports papermill.
                from fairing_az_jupyter.runs import engine  # noqa: PLC0415

                kernel.connect(request.start_timeout)
                engine.run_notebook(
                    notebook=settled.notebook,
                    output=settled.output,
                    parameters=request.parameters,
                    language=settled.language,
                    cell_timeout=settled.cell_timeout,
                    watch=engine.Watch(kernel, reporter, stop),
                )
            except KernelStartError:
                raise
            except Exception as error:
                explained = _cancelled(request, reporter) if stop.asked else _failed(error, request, reporter, kernel)
                if explained is None:
                    raise
                raise explained from error
    except KernelStartError as error:
        known = _cancelled(request, reporter) if stop.asked else _not_started(error, request, kernel)
        raise known from error
    if stop.asked:
        raise _cancelled(request, reporter)


def _failed(error: Exception, request: RunRequest, reporter: Reporter, kernel: RunKernel) -> FairingAzureError | None:
    """Return the error that tells the user what has happened, None if it is a bug."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: PLC0415 - slow to import
    from papermill.exceptions import PapermillException, PapermillExecutionError  # noqa: PLC0415

    if isinstance(error, PapermillExecutionError):
        where = _where(request, error.cell_index + 1, reporter.cells, error.exec_count)
        return RunFailedError(
            f"{where} failed: {one_line(f'{error.ename}: {error.evalue}')}",
            hint=f"The whole traceback is in the executed notebook: {request.output}",
            last_lines=last_lines("\n".join(error.traceback)),
        )
    if isinstance(error, DeadKernelError):
        return _died(request, reporter, kernel)
    if isinstance(error, CellTimeoutError):
        took = f"it took longer than {request.cell_timeout:g} s" if request.cell_timeout else "the kernel fell silent"
        return RunFailedError(
            f"{_where(request, reporter.cell, reporter.cells)} failed: {took}.",
            hint=f"Give it a longer time limit. What the cells printed is in the executed notebook: {request.output}",
        )
    if isinstance(error, OSError):
        return RunFailedError(
            f"The executed notebook '{request.output}' can't be written: {error.strerror or error}.",
            hint="Free space, or name another output.",
        )
    if not isinstance(error, PapermillException):
        return None
    return NotebookFileError(
        f"papermill can't run '{request.notebook}': {one_line(str(error))}.",
        hint="Open the notebook in Jupyter, choose a kernel for it and save it.",
    )


def _died(request: RunRequest, reporter: Reporter, kernel: RunKernel) -> RunFailedError:
    status = kernel.exit_status()
    return RunFailedError(
        f"{_where(request, reporter.cell, reporter.cells)} failed: the kernel died{_cause(status)}.",
        hint=f"What the cells printed is in the executed notebook: {request.output}",
        returncode=status,
        last_lines=kernel.log_tail(),
    )


def _cancelled(request: RunRequest, reporter: Reporter) -> RunCancelledError:
    if reporter.cells is None:
        return RunCancelledError(
            f"The run of '{request.notebook}' was cancelled before its first cell.", hint="Run it again."
        )
    at = f" in cell {reporter.cell} of {reporter.cells}" if reporter.cell else ""
    return RunCancelledError(
        f"The run of '{request.notebook}' was cancelled{at}.",
        hint=f"What had run until then is in the executed notebook: {request.output}",
    )


def _not_started(error: Exception, request: RunRequest, kernel: RunKernel) -> RunFailedError:
    lines = kernel.log_tail()
    reason = one_line(lines[-1] if lines else str(error))
    return RunFailedError(
        f"The kernel '{kernel.name}' did not start, so '{request.notebook}' has not run: {reason}",
        hint="Try the kernel in Jupyter, or name another one: --kernel NAME.",
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
