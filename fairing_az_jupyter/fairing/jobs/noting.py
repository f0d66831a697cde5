"""Notes for others what was launched, beside the files that it writes, while it is launched and at its end."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.azure.blob.files import BlobFiles
from fairing_az_jupyter.clients.http import TimeUpError, within
from fairing_az_jupyter.clients.kube.objects.facts import mapping
from fairing_az_jupyter.clients.kube.watching.durations import seconds_at
from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.fairing.cluster.manifests import PREFIX
from fairing_az_jupyter.fairing.recording.current import launch_in_progress
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.outputs.blobs import BlobPlace
from fairing_az_jupyter.outputs.launch_notes import NOTE, LaunchNote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.fairing.cluster.connections import Launcher

__all__ = ["NotedLaunch", "note_end", "note_of"]

logger = logging.getLogger(LOGGER_NAME)

_LONGEST_SECONDS = 5.0


class NotedLaunch:
    """The note of one launch. It is written beside the launch itself, which neither waits for it nor fails with it.

    Args:
        launcher: The cluster and the Storage account.
        place: Where the launch's files are.
        note: What there is to say.

    """

    def __init__(self, launcher: Launcher, place: BlobPlace, note: LaunchNote) -> None:
        self._launcher, self._url = launcher, place.url + NOTE
        self._note = note
        self._writing: threading.Thread | None = None
        self._write(note)

    def end(self, state: str, raised: str = "") -> None:
        """Note the end, and wait some seconds at most until that is written.

        Args:
            state: How it has ended.
            raised: What it has raised.

        """
        self._write(dataclasses.replace(self._note, state=state, ended=time.time(), raised=raised))
        if self._writing is not None:
            self._writing.join(_LONGEST_SECONDS)

    def _write(self, note: LaunchNote) -> None:
        before = self._writing

        def write() -> None:
            if before is not None:
                # What is written last stays.
                before.join()
            try:
                with contextlib.closing(BlobFiles(self._launcher.azure)) as files:
                    files.write(self._url, note.dump())
            except (FairingAzureError, OSError) as error:
                logger.debug("The note of job %s can't be written: %s", note.job, error)

        self._writing = threading.Thread(target=write, name=f"note of {note.job}", daemon=True)
        self._writing.start()


def note_of(job: Mapping[str, Any], launcher: Launcher) -> LaunchNote:
    """Return what there is to say of the launch that this thread makes.

    Args:
        job: Its Job, as the cluster has it.
        launcher: The cluster.

    """
    request, made = launch_in_progress()
    metadata = mapping(job.get("metadata"))
    labels = mapping(metadata.get("labels"))
    said: dict[str, Any] = {
        name: str(labels.get(f"{PREFIX}{name}") or "") for name in ("notebook", "owner", "run", "sweep")
    }
    return LaunchNote(
        str(metadata.get("name") or ""),
        task=request.task if request is not None else "",
        name=request.name if request is not None else "",
        namespace=launcher.target.namespace,
        server=launcher.cluster.connection.address,
        image=str(made.get("image") or ""),
        image_digest=str(made.get("image_digest") or ""),
        created=seconds_at(metadata.get("creationTimestamp")) or time.time(),
        **said,
    )


def note_end(launcher: Launcher, job: str, state: str, raised: str = "") -> None:
    """Note the end of a launch that another process has noted; nothing where it has not.

    Args:
        launcher: The cluster and the Storage account.
        job: The Job's name.
        state: How it has ended.
        raised: What it has raised.

    """
    place = BlobPlace.of_launch(launcher.settings, job)
    if place is None:
        return
    url = place.url + NOTE

    def write() -> None:
        with contextlib.closing(BlobFiles(launcher.azure)) as files:
            note = LaunchNote.parse(files.read(url))
            if note is not None and note.job == job and note.ended is None:
                files.write(url, dataclasses.replace(note, state=state, ended=time.time(), raised=raised).dump())

    with contextlib.suppress(FairingAzureError, TimeUpError, OSError):
        within(_LONGEST_SECONDS, write, name=f"note the end of {job}")
