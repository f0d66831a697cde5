"""Where the executed notebook goes: into the record after each cell, and to where it was asked for."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError, RunFailedError
from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.runs.places.addresses import is_remote
from fairing_az_jupyter.runs.places.local_files import new_mode

if TYPE_CHECKING:
    from fairing_az_jupyter.runs.places.addresses import Places

UPLOAD_SECONDS = 30.0
"""How often at most the notebook of a run that continues is sent to where it takes time."""

_WAIT_SECONDS = 60.0


class NotebookSaver:
    """Keeps the executed notebook as it is now.

    Args:
        record: The file in the run's record; None without a record.
        output: Where it was asked for; None if nowhere else.
        places: How other places than this machine's files are reached.

    """

    def __init__(self, record: Path | None, output: str | None, places: Places | None = None) -> None:
        remote = output is not None and is_remote(output)
        self._record = record
        self._output = output
        self._local = Path(os.path.realpath(output)) if output is not None and not remote else None
        self._upload = _Upload(output, places) if output is not None and remote and places is not None else None
        self._text: str | None = None

    @property
    def shown(self) -> str:
        """Where a user finds the executed notebook."""
        return self._output if self._output is not None else str(self._record)

    def write(self, text: str) -> None:
        """Save the notebook as far as it has come.

        Args:
            text: The notebook's JSON.

        Raises:
            OSError: It can't be saved on this machine. Where it takes time to send it, that is tried again at the end.

        """
        self._text = text
        self._save(durable=False)
        if self._upload is not None:
            self._upload.offer(text)

    def close(self) -> None:
        """Save the notebook for good.

        Raises:
            RunFailedError: It is not where it was asked for.
            OSError: It can't be saved on this machine.

        """
        if self._upload is not None:
            self._upload.stop()
        if self._text is None:
            return
        self._save(durable=True)
        if self._upload is not None:
            try:
                self._upload.send(self._text)
            except FairingAzureError as error:
                kept = f" It is in the record: {self._record}." if self._record else ""
                raise RunFailedError(
                    f"The executed notebook can't be written to '{self.shown}': {error.message.rstrip('.')}.{kept}",
                    hint=error.hint,
                    code="output",
                ) from error

    def _save(self, *, durable: bool) -> None:
        data = (self._text or "").encode("utf-8", "backslashreplace")
        if self._record is not None:
            replace_file(self._record, data, mode=0o600, durable=durable)
        if self._local is not None:
            _replace(self._local, data, durable=durable)


class _Upload:
    """Sends the newest of what it is offered, from time to time, in a thread of its own."""

    def __init__(self, url: str, places: Places) -> None:
        self._url, self._places = url, places
        self._newest: str | None = None
        self._ended = threading.Event()
        self._busy = threading.Lock()
        self._thread: threading.Thread | None = None

    def offer(self, text: str) -> None:
        self._newest = text
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="notebook-upload", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Wait until nothing is being sent: an older notebook must not arrive behind the last one."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(_WAIT_SECONDS)

    def send(self, text: str) -> None:
        with self._busy:
            self._places.write(self._url, text.encode("utf-8", "backslashreplace"))

    def _run(self) -> None:
        while not self._ended.wait(UPLOAD_SECONDS):
            text, self._newest = self._newest, None
            if text is not None:
                # The last one counts, and tells what is wrong.
                with contextlib.suppress(FairingAzureError):
                    self.send(text)


def _replace(path: Path, data: bytes, *, durable: bool) -> None:
    """Give a file new bytes; where its folder takes no other file, or it is none, in place."""
    try:
        found: os.stat_result | None = path.stat()
    except FileNotFoundError:
        found = None
    if found is not None and not stat.S_ISREG(found.st_mode):
        path.write_bytes(data)
        return
    mode = stat.S_IMODE(found.st_mode) if found is not None else new_mode(path.parent)
    try:
        replace_file(path, data, mode=mode, durable=durable)
    except PermissionError:
        if found is None:
            raise
        path.write_bytes(data)
