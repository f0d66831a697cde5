"""Runs with a record: each is a folder that tells afterwards what was asked for, what happened and how it ended."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import RunCancelledError, RunFailedError
from fairing_az_jupyter.models import OUTPUT_LIMIT, Provenance, RunRequest, RunResult
from fairing_az_jupyter.records import Recorder, RunStore, layout
from fairing_az_jupyter.records.errors import explained
from fairing_az_jupyter.records.infos import read_request
from fairing_az_jupyter.records.provenance.gathering import ProvenanceFile
from fairing_az_jupyter.records.store import RUNS_VARIABLE
from fairing_az_jupyter.runs.execution.checks import RunPlan, plan
from fairing_az_jupyter.runs.execution.execute import execute
from fairing_az_jupyter.runs.execution.saving import NotebookSaver
from fairing_az_jupyter.runs.parameters.values import check_plain, reject_secrets
from fairing_az_jupyter.runs.places.addresses import Places, is_remote
from fairing_az_jupyter.tracking.tracker import track

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping

    from nbformat import NotebookNode

    from fairing_az_jupyter.models import RunEvent
    from fairing_az_jupyter.runs.execution.watch import Watch


def begin(store: RunStore, request: RunRequest, notebook: bytes | None, **facts: object) -> Path:
    """Make the record of a run.

    Args:
        store: Where records are.
        request: The run.
        notebook: The notebook's bytes; None if they are nowhere but in the request.
        **facts: See `RunStore.create`.

    Returns:
        The record's folder.

    Raises:
        RunFailedError: It can't be made. That is noted where notes go in this case, so that the run is in the list.
        FileExistsError: There is a run of the identifier that the facts name.

    """
    reject_secrets(request.parameters)
    check_plain(request.parameters)
    try:
        return store.create(request, notebook, **facts)  # type: ignore[arg-type]
    except FileExistsError:
        raise
    except OSError as error:
        failed = RunFailedError(
            f"The run of '{request.notebook}' was not started: its record can't be created in '{store.path}' "
            f"({error.strerror or error}).",
            hint="Free space there, or keep records elsewhere: --runs-folder FOLDER, or FAIRING_AZURE_RUNS.",
            code="record",
        )
        with contextlib.suppress(OSError):
            store.reject(request, explained(failed))
        raise failed from error


def run_recorded(
    store: RunStore,
    folder: Path,
    on_event: Callable[[RunEvent], None],
    *,
    places: Places,
    cancels: tuple[threading.Event, ...] = (),
    made_of: Provenance | None = None,
    tracked: bool = True,
) -> RunResult:
    """Execute a run that has a record, from its first cell to its end.

    Args:
        store: Where records are.
        folder: The run's record.
        on_event: Called with each event once it is recorded; see `execute`.
        places: How other places than this machine's files are reached.
        cancels: Set one from another thread to cancel the run.
        made_of: What is known already of what the run is made of, such as its image.
        tracked: Whether it is reported to MLflow; of a run in the cluster whoever follows it does so.

    Returns:
        What the run has come to; a run that ends in any other way raises.

    Raises:
        ConflictError: Another process executes it.
        FairingAzureError: It has failed, as the record says.

    """
    request = store.request(folder.name)
    with recording(folder) as recorder:
        if tracked:
            track(recorder, request)
        saver = NotebookSaver(folder / layout.EXECUTED, request.output, places)
        settled = plan(request, str(folder / layout.NOTEBOOK))
        settled = dataclasses.replace(settled, variables=_variables(folder))
        provenance = _provenance(folder, request, settled, made_of)
        if request.output is not None and is_remote(request.output):
            places.check_writable(request.output)
        try:
            result = execute(
                request,
                _both(recorder, on_event),
                cancels=(*cancels, recorder.cancel),
                settled=settled,
                saver=saver,
            )
        finally:
            provenance.finish()
        recorder.finish("succeeded", duration=result.duration)
    return RunResult(result.output, result.duration, result.cells_executed, result.metrics, run=folder.name)


def run_for_papermill(
    notebook: NotebookNode, kernel_name: str, work: Callable[[Watch], NotebookNode], options: Mapping[str, Any]
) -> NotebookNode:
    """Execute a notebook that papermill has prepared, and will save by itself, and keep a record of it.

    Args:
        notebook: The notebook.
        kernel_name: The kernel.
        work: papermill's own execution.
        options: papermill's own.

    Returns:
        The executed notebook; papermill finds in it by itself whether a cell raised.

    Raises:
        FairingAzureError: Something else than a cell has failed.

    """
    import nbformat  # noqa: PLC0415 - papermill has loaded it

    reported = notebook.metadata.papermill
    named, output = reported.get("input_path"), reported.get("output_path")
    source = _from_papermill(named) if isinstance(named, str) else "notebook.ipynb"
    timeout = options.get("execution_timeout")
    beside = os.path.dirname(os.path.abspath(source))  # noqa: PTH100, PTH120 - links stay
    request = RunRequest(
        source,
        _from_papermill(output) if isinstance(output, str) else None,
        dict(reported.get("parameters") or {}),
        kernel_name=kernel_name,
        cwd=None if beside == str(Path.cwd()) else str(Path.cwd()),
        cell_timeout=timeout,
        start_timeout=float(options.get("start_timeout") or 60.0),
        deadline=options.get("deadline"),
        output_limit=options.get("output_limit") or OUTPUT_LIMIT,
    )
    original = None
    if isinstance(named, str) and not is_remote(named):
        with contextlib.suppress(OSError):
            original = Path(source).read_bytes()
    store = RunStore.open()
    if original is None:
        original = str(nbformat.writes(notebook)).encode("utf-8", "backslashreplace")  # type: ignore[no-untyped-call]
    folder = begin(store, request, original)
    settled = RunPlan(
        source=source,
        notebook=source,
        output=request.output,
        session_name=source if is_remote(source) else os.path.abspath(source),  # noqa: PTH100 - links stay
        cwd=str(Path.cwd()),
        kernel_name=kernel_name,
        language="",
        cell_timeout=timeout,
        variables=_variables(folder),
    )
    executed = notebook

    def watched(watch: Watch) -> None:
        nonlocal executed
        from fairing_az_jupyter.runs.execution import engine  # noqa: PLC0415 - loads papermill

        executed = work(dataclasses.replace(watch, mirror=True))
        engine.keep_with_its_error(executed, watch)

    with contextlib.suppress(_RaisedInCell), recording(folder, _RaisedInCell) as recorder:
        track(recorder, request)
        provenance = _provenance(folder, request, settled)
        saver = NotebookSaver(folder / layout.EXECUTED, None)
        result = execute(request, recorder, cancels=(recorder.cancel,), settled=settled, saver=saver, work=watched)
        recorder.finish("succeeded", duration=result.duration)
        provenance.finish()
    return executed


def _variables(folder: Path) -> dict[str, str]:
    """Return what a run's kernel has to know, so that what its notebook launches is recorded as launched by it."""
    sweep = str(read_request(folder).get("sweep") or "")
    return {RUNS_VARIABLE: str(folder.parent), layout.RUN_VARIABLE: folder.name, layout.SWEEP_VARIABLE: sweep}


def _provenance(
    folder: Path, request: RunRequest, settled: RunPlan, made_of: Provenance | None = None
) -> ProvenanceFile:
    """Begin to find out what a notebook's run is made of."""
    code = ""
    with contextlib.suppress(OSError):
        code = hashlib.sha256((folder / layout.NOTEBOOK).read_bytes()).hexdigest()
    made_of = made_of or Provenance()
    settings = {**made_of.settings, **request.settings}
    known = dataclasses.replace(made_of, code=code, parameters=dict(request.parameters), settings=settings)
    found = ProvenanceFile(folder, known)
    found.gather(Path(settled.cwd))
    return found


def _from_papermill(path: str) -> str:
    """Return a path as it counts from here: papermill's own count from where it was called, with --cwd elsewhere."""
    from papermill.iorw import papermill_io  # noqa: PLC0415 - papermill has loaded it

    if is_remote(path) or path == "-" or os.path.isabs(path):  # noqa: PTH117 - as it was named
        return path
    handler = papermill_io.get_handler("local")
    called_in = handler.cwd(None)
    handler.cwd(called_in)
    moved = called_in is not None and os.path.realpath(called_in) != os.path.realpath(Path.cwd())
    return os.path.join(called_in, path) if moved else path  # noqa: PTH118 - as above


class _RaisedInCell(Exception):  # noqa: N818 - it ends a block, and nobody sees it
    """A cell raised, and papermill reports it to its caller."""


@contextlib.contextmanager
def recording(folder: Path, instead: type[Exception] | None = None) -> Iterator[Recorder]:
    """Claim a run, and record how it ends if it ends in an error.

    Args:
        folder: The record.
        instead: What to raise in the place of an error of a cell; None to raise that.

    Yields:
        What records the run.

    Raises:
        ConflictError: Another process executes it.
        RunFailedError: The record can't be written.

    """
    with Recorder(folder) as recorder:
        try:
            yield recorder
        except BaseException as error:
            cancelled = isinstance(error, (RunCancelledError, KeyboardInterrupt))
            # What went wrong is reported even where it can't be written.
            with contextlib.suppress(RunFailedError):
                recorder.finish("cancelled" if cancelled else "failed", error=explained(error))
            if instead is not None and isinstance(error, RunFailedError) and error.traceback:
                raise instead from error
            raise


def _both(first: Callable[[RunEvent], None], second: Callable[[RunEvent], None]) -> Callable[[RunEvent], None]:
    def report(event: RunEvent) -> None:
        first(event)
        second(event)

    return report
