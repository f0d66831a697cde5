"""Runs and their records: carried out, found again, cancelled, repeated, compared, deleted."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.records import RunStore, comparing, follow, layout, pruning
from fairing_az_jupyter.records.provenance.files import read_packages, read_provenance
from fairing_az_jupyter.services.cluster_runs import records
from fairing_az_jupyter.services.cluster_runs.follow import cancel_cluster_run
from fairing_az_jupyter.services.cluster_runs.unattended import cancel_unattended, refresh_unattended
from fairing_az_jupyter.services.keeping.environments import prune_environments
from fairing_az_jupyter.services.planning import plan_run
from fairing_az_jupyter.services.remote_files import read_notebook
from fairing_az_jupyter.services.repeating.as_it_was import check_as_it_was, folder_of_run
from fairing_az_jupyter.sweeps.pruned import keep_end

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fairing_az_jupyter.models import RunEvent, RunInfo, RunRequest, RunResult
    from fairing_az_jupyter.records.comparing import RunTable
    from fairing_az_jupyter.records.pruning import Pruned
    from fairing_az_jupyter.runs.places.addresses import Places
    from fairing_az_jupyter.services.session import Session

_ACTIVE = ("waiting", "running")


def run(
    session: Session,
    request: RunRequest,
    on_event: Callable[[RunEvent], None],
    *,
    cancel: threading.Event | None = None,
    retry_of: str = "",
) -> RunResult:
    """Run a notebook, report what happens, and keep a record of it.

    Args:
        session: The settings in force, the records and the cluster.
        request: The run, from `plan_run`.
        on_event: Is called with every event as it happens.
        cancel: Set it from another thread to cancel the run.
        retry_of: The run that it repeats.

    Raises:
        InputError: The run can't be started as it was asked for.
        ExecutionError: A cell raised, the kernel died, or the run was cancelled.

    """
    from fairing_az_jupyter.runs.recorded import run_recorded  # noqa: PLC0415 - loads papermill

    store = session.store
    places = session.with_cell(request.parameters).places()
    try:
        folder = begin_run(store, places, request, retry_of=retry_of)
        return run_recorded(store, folder, on_event, places=places, cancels=() if cancel is None else (cancel,))
    finally:
        places.close()


def run_notebook(
    session: Session,
    notebook: str,
    parameters: Mapping[str, object],
    *,
    on_event: Callable[[RunEvent], None] | None = None,
    **options: Any,  # noqa: ANN401 - handed on to plan_run
) -> RunResult:
    """Plan a run with values as Python has them, and carry it out.

    Args:
        session: The settings in force, the records and the cluster.
        notebook: The notebook.
        parameters: Its parameters.
        on_event: Is called with every event as it happens.
        **options: See `plan_run`.

    Raises:
        InputError: The run can't be started as it was asked for.
        ExecutionError: A cell raised, the kernel died, or the run was cancelled.

    """
    request = plan_run(session, notebook, values=parameters, **options)
    return run(session, request, on_event or (lambda _event: None))


def begin_run(store: RunStore, places: Places, request: RunRequest, **facts: object) -> Path:
    """Make the record of a run or a launch that is to be executed, with the notebook as it is now.

    Args:
        store: Where records are.
        places: How notebooks elsewhere are read.
        request: The run.
        **facts: See `RunStore.create`.

    Returns:
        The record's folder.

    Raises:
        FairingAzureError: The notebook can't be read, or the record can't be made.

    """
    from fairing_az_jupyter.runs.places.addresses import shown  # noqa: PLC0415 - with all that reads elsewhere
    from fairing_az_jupyter.runs.recorded import begin  # noqa: PLC0415 - likewise

    if request.output is not None:
        places.check_readable(request.output)
    # A copy of a Python file alone could not be launched: it imports what lies beside it.
    has_copy = request.kind == "notebook" or request.notebook.lower().endswith(".ipynb")
    data = None
    if request.as_it_was:
        with contextlib.suppress(FileNotFoundError):
            data = (store.folder(request.as_it_was) / layout.NOTEBOOK).read_bytes()
    elif has_copy:
        data = read_notebook(places, request.notebook)
    # A query may hold a key.
    return begin(store, dataclasses.replace(request, notebook=shown(request.notebook)), data, **facts)


def list_runs(
    session: Session,
    *,
    limit: int | None = None,
    report: Callable[[str], object] | None = None,
    **wanted: str,
) -> list[RunInfo]:
    """List runs, the newest first.

    Args:
        session: The settings in force, the records and the cluster.
        limit: How many at most.
        report: Gets a sentence where a run in the cluster can't be asked how it is.
        **wanted: What they have in common: `state`, `notebook`, `sweep`.

    Raises:
        InputError: The folder can't be read.

    """
    store = session.store
    known = store.list(limit=limit)
    # Those that have been waiting or running may have ended since, and then a list of these has no place for them.
    records.refresh(store, records.unfinished(known), files=False, report=report)
    refresh_unattended(store, known, report=report)
    return store.list(limit=limit, **wanted)


def describe_run(session: Session, name: str, *, report: Callable[[str], object] | None = None) -> RunInfo:
    """Return a run.

    Args:
        session: The settings in force, the records and the cluster.
        name: Its identifier, a part of one that is unique, or `last`.
        report: Gets a sentence where a run in the cluster can't be asked how it is.

    Raises:
        InputError: The run does not exist.

    """
    return _up_to_date(session.store, name, report)


def run_log(session: Session, name: str, *, follow_it: bool = False, tail: int | None = None) -> Iterator[str]:
    """Read what a run has printed.

    Args:
        session: The settings in force, the records and the cluster.
        name: The run, as for `describe_run`.
        follow_it: Whether to continue until the run has ended.
        tail: The last lines only, so many.

    Yields:
        Text, as it comes.

    """
    store = session.store
    info = _up_to_date(store, name)
    with records.kept_up_to_date(store, info, needed=follow_it):
        yield from follow.log_text(store, info.id, follow=follow_it, tail=tail)


def run_events(
    session: Session,
    name: str,
    *,
    offset: int = 0,
    follow_it: bool = False,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read what happened in a run.

    Args:
        session: The settings in force, the records and the cluster.
        name: The run, as for `describe_run`.
        offset: Where to begin, as an earlier event has given it.
        follow_it: Whether to continue until the run has ended.

    Yields:
        The offset behind the event, and the event.

    """
    store = session.store
    info = _up_to_date(store, name)
    with records.kept_up_to_date(store, info, needed=follow_it):
        yield from follow.events(store, info.id, offset=offset, follow=follow_it)


def cancel_run(session: Session, name: str) -> RunInfo:
    """Ask a run to stop.

    Args:
        session: The settings in force, the records and the cluster.
        name: The run, as for `describe_run`.

    Returns:
        The run as it was.

    Raises:
        InputError: The run does not exist, or it has ended.

    """
    store = session.store
    info = _up_to_date(store, name)
    if info.place == "cluster" and not info.has_ended:
        cancel_cluster_run(store, info)
        return info
    if cancel_unattended(store, info):
        return info
    return store.cancel(info.id)


def plan_retry(
    session: Session,
    name: str,
    *,
    as_it_was: bool = False,
    **changes: Any,  # noqa: ANN401 - handed on to RunRequest
) -> RunRequest:
    """Return the request that repeats a run.

    Args:
        session: The settings in force, the records and the cluster.
        name: The run, as for `describe_run`.
        as_it_was: Whether to take the notebook, the image, the code and the input files as they were then, and not as
            they are now; then no file of the user's is written.
        **changes: What is to be different, by the names of `RunRequest`.

    Raises:
        InputError: The run does not exist, it is still running, or its notebook has gone; or something can't be had
            again that it was made of, and the message names it.
        ServiceError: The registry does not say whether it has the image.

    """
    store = session.store
    info = _up_to_date(store, name)
    if info.state in _ACTIVE:
        raise InputError(
            f"The run '{info.id}' can't be repeated yet: it is {info.state}.",
            hint=f"Wait for it, or cancel it: fairing-azure runs cancel {info.id}",
            code="run-active",
        )
    request = dataclasses.replace(store.request(info.id), as_it_was="", **changes)
    kept = (store.folder(info.id) / layout.NOTEBOOK).is_file()
    if not as_it_was:
        if "://" not in request.notebook and not Path(request.notebook).exists() and kept:
            raise InputError(
                f"The notebook '{request.notebook}' of the run '{info.id}' no longer exists.",
                hint=f"Run the recorded copy: fairing-azure runs retry {info.id} --as-it-was",
                code="run-notebook-gone",
            )
        return request
    if request.kind == "notebook" and not kept:
        raise InputError(
            f"The run '{info.id}' has no copy of its notebook.",
            hint=f"Run the current notebook: fairing-azure runs retry {info.id}",
            code="run-no-notebook",
        )
    check_as_it_was(info, request)
    if info.place == "here" and "://" not in request.notebook:
        request = dataclasses.replace(request, cwd=str(folder_of_run(info, request)))
    return dataclasses.replace(request, output=None, as_it_was=info.id)


def compare_runs(session: Session, names: Sequence[str]) -> RunTable:
    """Put runs beside each other: what they were made of and the parameters, as they differ, and what they reported.

    Args:
        session: The settings in force, the records and the cluster.
        names: The runs, as for `describe_run`.

    Raises:
        InputError: The run does not exist.

    """
    store = session.store
    infos = [_up_to_date(store, name) for name in names]
    folders = [Path(info.folder) for info in infos]
    made = [comparing.Made(read_provenance(folder), read_packages(folder)) for folder in folders]
    return comparing.compare(infos, made=made)


def prune_runs(
    session: Session,
    *,
    keep: int | None = None,
    older_than: float | None = None,
    state: str | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Delete records of runs that have ended, and isolated environments that were not of use for long.

    Args:
        session: The settings in force, the records and the cluster.
        keep: The newest ones that stay, so many.
        older_than: Only those that are older, in seconds; of environments, None means 30 days.
        state: Only those that have ended so.
        dry_run: Whether to delete nothing.

    Raises:
        InputError: Nothing says which.

    """
    store = session.store
    done = pruning.prune(
        store,
        keep=keep,
        older_than=older_than,
        state=state,
        dry_run=dry_run,
        before=lambda info: keep_end(store, info),
    )
    unused = prune_environments(session, older_than=older_than, dry_run=dry_run)
    folders = tuple(str(each.folder) for each in unused)
    return dataclasses.replace(done, environments=folders, freed=sum(each.size for each in unused))


def _up_to_date(store: RunStore, name: str, report: Callable[[str], object] | None = None) -> RunInfo:
    """Return a run as it is now, also where the cluster executes it."""
    info = store.find(name)
    looked_at = records.refresh(store, records.unfinished([info]), report=report)
    return store.find(info.id) if refresh_unattended(store, [info], report=report) or looked_at else info
