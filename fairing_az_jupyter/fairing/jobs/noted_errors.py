"""What a job in the cluster has raised, as the list of its files says: its own error has the exit code only."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.azure.blob.files import BlobFiles
from fairing_az_jupyter.clients.http import TimeUpError, within
from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.fairing.outcomes import job_failed
from fairing_az_jupyter.outputs.blobs import BlobOutputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.azure.access import AzureAccess
    from fairing_az_jupyter.exceptions import JobFailedError
    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.outputs.blobs import BlobPlace

__all__ = ["noted_error", "with_noted_error"]

_LONGEST_SECONDS = 8.0
_BY_ITSELF = "container-failed"
# What a signal has ended, such as for its memory, has raised nothing: what is noted is of an earlier start.
_SIGNALS = 128


def noted_error(access: AzureAccess, place: BlobPlace, seconds: float = _LONGEST_SECONDS) -> Mapping[str, Any] | None:
    """Return what a job has raised; None where nothing is known of it, or it can't be read in a few seconds.

    Args:
        access: Who asks for blobs.
        place: Where the job's files are.
        seconds: How long it may take.

    """

    def read() -> Mapping[str, Any] | None:
        with contextlib.closing(BlobFiles(access)) as files:
            return BlobOutputs(files, place.url).manifest.error

    with contextlib.suppress(FairingAzureError, TimeUpError, OSError):
        return within(seconds, read, name="read what a job has raised")
    return None


def with_noted_error(error: JobFailedError, job: str, launcher: Launcher, place: BlobPlace | None) -> JobFailedError:
    """Return the error of a job as LocalBackend raises it, where the job's own exception is known.

    Args:
        error: What has failed, as the cluster says it; it is changed.
        job: The job's name.
        launcher: Who asks for blobs.
        place: Where the job's files are; None where none are kept.

    Returns:
        The same error: whatever goes wrong with reading the exception, the job's failure counts.

    """
    code = error.returncode
    if place is None or error.code != _BY_ITSELF or code is None or not 0 < code < _SIGNALS:
        return error
    noted = noted_error(launcher.azure, place)
    if noted is None:
        return error
    known = job_failed(job, code, error.last_lines, "see above.", noted)
    error.message, error.hint, error.args = known.message, known.hint, known.args
    error.raised, error.traceback = known.raised, known.traceback
    return error
