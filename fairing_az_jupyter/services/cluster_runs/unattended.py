"""Launches whose job continues in the cluster though no process follows it: looked at, and cancelled."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingAzureError, InputError, JobFailedError
from fairing_az_jupyter.records.provenance.files import read_provenance
from fairing_az_jupyter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.records import RunStore

__all__ = ["cancel_unattended", "refresh_unattended"]


def refresh_unattended(
    store: RunStore, infos: Iterable[RunInfo], *, report: Callable[[str], object] | None = None
) -> bool:
    """Note how launches have ended whose jobs nobody has followed to their end, as far as the cluster tells.

    Args:
        store: The records.
        infos: Runs and launches; those that are attended are left alone.
        report: Gets what could not be found out, a sentence each.

    Returns:
        Whether any was unattended.

    """
    left = [info for info in infos if _is_left(info)]
    for info in left:
        problem = _refreshed(store, info)
        if problem and report is not None:
            report(f"Launch {info.id} shown as last seen: {problem}")
    return bool(left)


def cancel_unattended(store: RunStore, info: RunInfo) -> bool:
    """Delete the job of a launch that nobody follows.

    Args:
        store: The records.
        info: The launch.

    Returns:
        Whether it was one.

    Raises:
        ServiceError: The cluster does not do what is asked.

    """
    if not _is_left(info):
        return False
    from fairing_az_jupyter.fairing.jobs.noting import note_end  # noqa: PLC0415 - loads the clients

    with _launcher(info) as launcher:
        launcher.workloads.delete("Job", info.job)
        note_end(launcher, info.job, "cancelled")
    store.note(info.id, _ended(info, "cancelled", "run-cancelled", "The launch was cancelled.", ""), final=True)
    return True


def _is_left(info: RunInfo) -> bool:
    return info.unattended and info.state == "running" and bool(info.job)


def _refreshed(store: RunStore, info: RunInfo) -> str:
    """Note the end of a launch that has ended; return why that could not be found out, empty if it could."""
    try:
        end = _end_of(info)
        if end:
            store.note(info.id, end, final=True)
    except (FairingAzureError, OSError) as error:
        return str(error)
    return ""


def _end_of(info: RunInfo) -> dict[str, Any]:
    """Return how a launch has ended; empty if its job continues."""
    from fairing_az_jupyter.fairing.jobs.notebook_jobs import view  # noqa: PLC0415 - loads the clients
    from fairing_az_jupyter.fairing.jobs.noting import note_end  # noqa: PLC0415 - likewise

    raised: dict[str, Any] = {}
    with _launcher(info) as launcher:
        seen = view(launcher, info.job)
        if seen.problem is not None and seen.problem.returncode is not None:
            raised = _raised(launcher, info.job, seen.problem)
        if seen.ended:
            note_end(launcher, info.job, "succeeded" if seen.succeeded else "failed", str(raised.get("raised") or ""))
    if not seen.there:
        return _ended(info, "cancelled", *_deleted(info.job))
    if not seen.ended:
        return {}
    if seen.succeeded:
        return _ended(info, "succeeded")
    problem: Diagnosis | None = seen.problem
    if problem is None:
        message, hint = f"Job '{info.job}' has failed.", f"See its output: fairing-azure logs {info.job}"
        return _ended(info, "failed", "job-failed", message, hint)
    end = _ended(info, "failed", problem.code, problem.message, problem.hint)
    return {**end, "error": {**end["error"], **raised}}


def _raised(launcher: Launcher, job: str, problem: Diagnosis) -> dict[str, Any]:
    """Return what a job has raised by itself, as the record of a job that was followed tells it."""
    from fairing_az_jupyter.fairing.jobs.noted_errors import with_noted_error  # noqa: PLC0415 - loads the clients
    from fairing_az_jupyter.outputs.blobs import BlobPlace  # noqa: PLC0415 - likewise

    error = JobFailedError(problem.message, code=problem.code, returncode=problem.returncode)
    with_noted_error(error, job, launcher, BlobPlace.of_launch(launcher.settings, job))
    return {"raised": error.raised, "traceback": list(error.traceback)} if error.raised else {}


def _deleted(job: str) -> tuple[str, str, str]:
    message = f"Job '{job}' no longer exists: it was deleted, or ended more than a day ago."
    return "job-deleted", message, "Launch it again."


def _ended(info: RunInfo, state: str, code: str = "", message: str = "", hint: str = "") -> dict[str, Any]:
    now = time.time()
    error = {"code": code, "message": message, "hint": hint} if code else None
    return {"state": state, "ended": now, "duration": now - (info.started or now), "error": error, "unattended": False}


@contextlib.contextmanager
def _launcher(info: RunInfo) -> Iterator[Launcher]:
    """Open the cluster of a launch, with the settings that it was made with.

    Raises:
        InputError: The cluster in use is another one.
        FairingAzureError: It can't be reached.

    """
    from fairing_az_jupyter.fairing.cluster.connections import Launcher  # noqa: PLC0415 - loads the clients

    values = {**read_provenance(Path(info.folder)).settings, "namespace": info.namespace or None}
    with Launcher(Settings.model_validate(values), launches=False) as launcher:
        here = launcher.cluster.connection.address
        if info.server and info.server != here:
            raise InputError(
                f"Job '{info.job}' is in the cluster at {info.server}, but the current cluster is at {here}.",
                hint="Switch to its context: kubectl config use-context NAME",
                code="other-cluster",
            )
        yield launcher
