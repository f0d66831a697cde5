"""The program of a notebook's pod: runs one notebook (`runs.in_pod`), and keeps the files that it writes.

The files go to Blob Storage as those of a training do: new and changed files of the working folder, into `files.tar`
with `manifest.json`, while the run continues and at its end. A training's pod gets links for that, as it has no other
way there. This one keeps its own record in Blob Storage, so it has a credential, and makes its two links by itself:
they end soon and are renewed here, so that nobody has to follow the run, and a sweep of any size needs no Secrets.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.fairing.job_program.blob_writer import Limits, SendError, StoppedError
from fairing_az_jupyter.fairing.job_program.collecting import Snapshot, select
from fairing_az_jupyter.fairing.job_program.job import INTERVAL_SECONDS, RETRY_SECONDS
from fairing_az_jupyter.fairing.job_program.sending import (
    MANIFEST,
    TAR,
    Outcome,
    Sender,
    Wanted,
    describe,
    not_kept,
    say,
)
from fairing_az_jupyter.runs import in_pod

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from fairing_az_jupyter.runs.places.addresses import Places

__all__ = ["PodOutputs", "main"]

_LINK_HOURS = 4.0
# The part of their time that links are used for.
_RENEWED_AFTER = 0.5
# Where links could not be made, it is soon tried again.
_AGAIN_SECONDS = 20.0
_LOOK_SECONDS = 2.0


def main(arguments: list[str] | None = None) -> int:
    """Run one notebook of a batch; see `in_pod.main`.

    Args:
        arguments: The URL of the batch's document; None for those of the process.

    """
    return in_pod.main(arguments, keeping=PodOutputs)


class PodOutputs:
    """Keeps the files that a notebook writes; use it as a context around the run.

    Args:
        places: How Blob Storage is reached.
        url: Where the two blobs are to be, ending in a slash.
        folder: The notebook's working folder.
        wanted: Which files.
        retry: Seconds for which one request is tried again.
        interval: Seconds between two looks at what there is to send.

    Raises:
        OSError: The folder can't be looked at.

    """

    def __init__(
        self,
        places: Places,
        url: str,
        folder: Path,
        wanted: in_pod.WantedFiles,
        *,
        retry: float = RETRY_SECONDS,
        interval: float = INTERVAL_SECONDS,
    ) -> None:
        self._places, self._url, self._interval = places, url, interval
        # Not below the working folder, and nobody else's to read.
        self._links = Path(tempfile.mkdtemp(prefix="fairing-az-links-"))
        self._limits = Limits(retry)
        self._wanted = Wanted(wanted.patterns, wanted.limit)
        self._snapshot = Snapshot(folder)
        self._sender = Sender(self._snapshot, self._links, self._wanted, self._limits)
        self._run_ended, self._over = threading.Event(), threading.Event()
        self._hurried = False
        self._passes = threading.Thread(target=self._send_rested, name="outputs-sender", daemon=True)
        self._renewals = threading.Thread(target=self._renew_links, name="outputs-links", daemon=True)

    def __enter__(self) -> Self:
        self._renewals.start()
        self._passes.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run_ended.set()
        self._over.set()
        self._limits.stopped.set()
        for thread in (self._passes, self._renewals):
            thread.join(_LOOK_SECONDS)
        self._sender.close()
        shutil.rmtree(self._links, ignore_errors=True)

    @property
    def hurried(self) -> bool:
        """Whether the pod has to go."""
        return self._hurried

    def hurry(self, seconds: float) -> None:
        """Have all be over soon, as the pod has to go; may be called by a signal's handler.

        Args:
            seconds: The time that is left.

        """
        self._hurried = True
        self._limits.end = min(self._limits.end, time.monotonic() + seconds)

    def finish(self, *, complete: bool) -> in_pod.Kept:
        """Send everything, when the run has ended.

        Args:
            complete: Whether it has come to its own end.

        Returns:
            What was kept, and what was not.

        """
        self._run_ended.set()
        # What is being sent comes to its end, and what fails is not tried again.
        self._limits.stopped.set()
        while self._passes.is_alive():
            self._passes.join(_LOOK_SECONDS)
            if self._hurried and self._passes.is_alive():
                self._sender.abort()
        self._limits.stopped.clear()
        sender = self._sender
        try:
            sender.send_all(Outcome(), complete=complete)
        except Exception as error:  # noqa: BLE001 - its text could hold a link
            files = f" Not kept: {describe(sender.not_sent)}" if sender.not_sent else ""
            problem = f"The files that the notebook has written could not be sent: {_why(error)}.{files}"
            return in_pod.Kept(0, 0, problem, is_whole=False)
        missing = {each.path for each in sender.left_out}
        found = select(self._snapshot.changed(), self._wanted.patterns, self._wanted.limit)
        kept = [each for each in found.files if each.path not in missing]
        note = " ".join(f"{line}." for line in not_kept(sender.left_out, self._wanted.limit))
        return in_pod.Kept(len(kept), sum(each.size for each in kept), note)

    def _send_rested(self) -> None:
        """Send files while the notebook runs, every so often; what fails is tried again the next time."""
        failed = False
        while not self._run_ended.wait(self._interval):
            try:
                self._sender.send_rested()
                failed = False
            except StoppedError:  # noqa: PERF203 - as rare as it gets
                return
            except Exception as error:  # noqa: BLE001 - as above
                if not failed and not self._run_ended.is_set():
                    say(f"Files could not be sent yet ({_why(error)}); trying again.")
                failed = True

    def _renew_links(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            pause = _LINK_HOURS * 3600 * _RENEWED_AFTER if self._renewed() else _AGAIN_SECONDS

    def _renewed(self) -> bool:
        try:
            for name in (TAR, MANIFEST):
                self._write_link(name)
        except (FairingAzureError, OSError) as error:
            if not self._over.is_set():
                say(f"No link to send files by could be made yet: {error}")
            return False
        return True

    def _write_link(self, name: str) -> None:
        link = self._places.write_link(f"{self._url}{name}", _LINK_HOURS).reveal()
        new = self._links / f"{name}.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - its mode
            file.write(link)
        new.replace(self._links / name)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, SendError) else type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
