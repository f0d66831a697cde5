"""From the name of a launch to the files that it has written: in its record, in a job's folder, or in Blob Storage."""

from __future__ import annotations

import contextlib
import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingAzureError, InputError, NotFoundError
from fairing_az_jupyter.folders import data_folder
from fairing_az_jupyter.outputs.manifest import MANIFEST
from fairing_az_jupyter.outputs.stored import LocalOutputs, nothing_kept
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.infos import read_request
from fairing_az_jupyter.records.status import read_status
from fairing_az_jupyter.records.store import LAST
from fairing_az_jupyter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.outputs.stored import StoredOutputs
    from fairing_az_jupyter.services.session import Session

__all__ = ["found_run", "in_blob_storage", "local_jobs", "names_here", "opened_outputs", "url_of"]

_LOCAL_JOBS = "local"
_JOB = re.compile(r"fairing-[a-z0-9-]{1,55}")
# As `layout.new_run_id` makes them, and points of sweeps: the files of a notebook's run in the cluster go by them.
_RUN = re.compile(r"\d{8}-\d{6}\.\d{3}-[A-Za-z0-9._-]{1,90}")


@contextlib.contextmanager
def opened_outputs(session: Session, launch: str) -> Iterator[tuple[str, StoredOutputs]]:
    """Open what a launch has written; raises as `launch_outputs.list_outputs`.

    Args:
        session: The settings in force, the records and the cluster.
        launch: A run's identifier, a part of one that no other has, `last`, or a job's name.

    Yields:
        The launch's own name, and its outputs.

    """
    local = _local_job(launch)
    if local is not None and _is_kept(local):
        yield launch, LocalOutputs(local / layout.OUTPUTS)
        return
    info = found_run(session, launch)
    if info is not None:
        with _of_run(session, info) as outputs:
            yield info.id, outputs
    elif local is not None:
        raise _none_of_local(launch)
    else:
        with _of_unrecorded(session, launch) as outputs:
            yield launch, outputs


def names_here(session: Session, launch: str) -> tuple[str, ...]:
    """Return the files that a launch has written, as far as this machine has their list: nothing else is asked.

    Args:
        session: The settings in force, the records and the cluster.
        launch: As for `opened_outputs`.

    """
    with contextlib.suppress(FairingAzureError):
        local = _local_job(launch)
        info = None if local is not None and _is_kept(local) else found_run(session, launch)
        if info is not None:
            local = _folder_here(info)
        if local is not None and _is_kept(local):
            return tuple(file.path for file in LocalOutputs(local / layout.OUTPUTS).manifest.written)
    return ()


def _folder_here(info: RunInfo) -> Path | None:
    """Return the folder of this machine that has the outputs of a run: its record, or its job's; None if none has."""
    job = _local_job(info.job)
    folders = (Path(info.folder), *([job] if job is not None else []))
    return next((folder for folder in folders if _is_kept(folder)), None)


@contextlib.contextmanager
def _of_run(session: Session, info: RunInfo) -> Iterator[StoredOutputs]:
    """Open the outputs of a run: in its record, in its job's folder on this machine, or in Blob Storage."""
    folder = _folder_here(info)
    if folder is not None:
        yield LocalOutputs(folder / layout.OUTPUTS)
        return
    url = url_of(session, info)
    if not url:
        raise _none_of(info)
    with in_blob_storage(session, url, _launched_with(info)) as outputs:
        _explained(outputs, info)
        yield outputs


def _is_kept(folder: Path) -> bool:
    return (folder / layout.OUTPUTS / MANIFEST).is_file()


def url_of(session: Session, info: RunInfo) -> str:
    """Return where in Blob Storage a run's files are, or would be; empty where it has no job in the cluster.

    Args:
        session: The settings in force, the records and the cluster.
        info: The run.

    """
    url = read_status(Path(info.folder)).get("outputs")
    if isinstance(url, str) and url:
        return url
    if info.kind == "notebook":
        # Its pods keep the files of each run by itself, or keep none.
        return ""
    # A job of this machine has no namespace.
    return _url_of_job(session, info.job) if info.job and info.namespace else ""


def _url_of_job(session: Session, job: str) -> str:
    from fairing_az_jupyter.outputs.blobs import BlobPlace  # noqa: PLC0415 - loads the clients

    place = BlobPlace.of_launch(session.usable[0].settings, job)
    return "" if place is None else place.url


def local_jobs() -> list[Path]:
    """Return the folders of the jobs that this machine has run."""
    with contextlib.suppress(OSError, FairingAzureError):
        return sorted(entry for entry in data_folder(_LOCAL_JOBS).iterdir() if _JOB.fullmatch(entry.name))
    return []


def _local_job(launch: str) -> Path | None:
    """Return the folder of a job that this machine has run; None if it has none of that name."""
    if not _JOB.fullmatch(launch):
        return None
    folder = data_folder(_LOCAL_JOBS) / launch
    return folder if folder.is_dir() else None


def found_run(session: Session, launch: str) -> RunInfo | None:
    """Return the run of a name or of a job; None where no record has either.

    Args:
        session: The settings in force, the records and the cluster.
        launch: As of `opened_outputs`.

    Raises:
        InputError: Several runs have that part in their names.

    """
    store = session.store
    try:
        return store.find(launch)
    except InputError as error:
        if error.code != "run-unknown":
            raise
    return next((info for info in store.list() if launch and info.job == launch), None)


@contextlib.contextmanager
def _of_unrecorded(session: Session, launch: str) -> Iterator[StoredOutputs]:
    """Open the outputs of a job or a run of which there is no record here: another machine may have launched it."""
    is_one = _JOB.fullmatch(launch) or _RUN.fullmatch(launch)
    url = _url_of_job(session, launch) if is_one and not session.is_local else ""
    if not url:
        raise _unknown(session, launch)
    with in_blob_storage(session, url) as outputs:
        try:
            _ = outputs.manifest
        except NotFoundError as error:
            if error.code != "nothing-kept":
                raise
            raise _unknown(session, launch, f"nor in '{outputs.where}'") from None
        yield outputs


def _launched_with(info: RunInfo) -> Settings | None:
    """Return the settings that a notebook's run in the cluster was launched with; None where its record has none."""
    found = read_status(Path(info.folder)).get("settings")
    with contextlib.suppress(FairingAzureError):
        return Settings.model_validate(found) if isinstance(found, dict) else None
    return None


@contextlib.contextmanager
def in_blob_storage(session: Session, url: str, settings: Settings | None = None) -> Iterator[StoredOutputs]:
    """Open outputs in Blob Storage.

    Args:
        session: The settings in force, the records and the cluster.
        url: The `abs://` URL of their folder.
        settings: The settings whose credential is used; None for those in force.

    Yields:
        The outputs; nothing was read of them yet.

    """
    from fairing_az_jupyter.outputs.blobs import BlobOutputs  # noqa: PLC0415 - loads the clients
    from fairing_az_jupyter.runs.places.addresses import Places  # noqa: PLC0415 - likewise

    # The registry, for one, need not be set to read a file.
    places = Places(lambda: settings or session.usable[0].settings)
    try:
        yield BlobOutputs(places, url)
    finally:
        places.close()


def _explained(outputs: StoredOutputs, info: RunInfo) -> None:
    """Read the list of files; where there is none, say why that is of this run."""
    try:
        _ = outputs.manifest
    except NotFoundError as error:
        if error.code != "nothing-kept":
            raise
        raise _none_of(info) from None


def _none_of_local(launch: str) -> NotFoundError:
    if launch.startswith("fairing-endpoint-"):
        return nothing_kept(f"'{launch}' is an endpoint", "Name the run or the job of a training.")
    return nothing_kept(f"the job '{launch}' is still running, was killed, or was launched with outputs=False")


def _none_of(info: RunInfo) -> NotFoundError:
    logs = f"fairing-azure runs logs {info.id}"
    if info.state in {"waiting", "running"}:
        return nothing_kept(
            f"the run '{info.id}' is {info.state}, and files are kept when it ends", f"Follow it: {logs} --follow"
        )
    if info.kind == "deploy":
        return nothing_kept(f"'{info.id}' has deployed an endpoint", "Name the run or the job of a training.")
    if info.kind == "notebook" and info.place == "here":
        folder = _working_folder(info)
        return nothing_kept(
            f"'{info.id}' was a run of the notebook '{info.notebook}' on this machine, which writes its files directly "
            f"into its working folder{f', {folder}' if folder else ''}",
            "Name a run in the cluster, or the run or the job of a training.",
        )
    if _asked(info).get("outputs") is False:
        return nothing_kept(f"the run '{info.id}' was launched with --no-outputs", "Run it again without that.")
    how = {"lost": "was lost before it ended", "failed": "failed, perhaps before its job began"}
    return nothing_kept(
        f"the run '{info.id}' {how.get(info.state, 'has kept none, or they were deleted since')}",
        f"See what it printed: {logs}. Run it again: fairing-azure runs retry {info.id}",
    )


def _asked(info: RunInfo) -> dict[str, Any]:
    request = read_request(Path(info.folder)).get("request")
    return request if isinstance(request, dict) else {}


def _working_folder(info: RunInfo) -> str:
    """Return where a notebook on this machine has left its files; empty where the record does not tell."""
    if "://" in info.notebook:
        return str(_asked(info).get("cwd") or "")
    return str(_asked(info).get("cwd") or Path(info.notebook).absolute().parent)


def _unknown(session: Session, launch: str, elsewhere: str = "") -> InputError:
    names = [job.name for job in local_jobs()]
    with contextlib.suppress(FairingAzureError):
        names += [name for info in session.store.list() for name in (info.id, info.job) if name]
    near = difflib.get_close_matches(launch, names, n=1)
    suggestion = f" Did you mean '{near[0]}'?" if near else ""
    places = f"among the runs in '{session.store.path}' and the jobs of this machine"
    return InputError(
        f"Launch {launch[:100]!r} not found {places}{f', {elsewhere}' if elsewhere else ''}.{suggestion}",
        hint=f"List the runs: fairing-azure runs list. '{LAST}' stands for the newest.",
        code="launch-unknown",
    )
