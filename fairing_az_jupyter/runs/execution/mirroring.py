"""A run's record, kept in another place as well: sent there while the run is running, and brought back from there.

The files go first, and the state, which tells their digests, goes last: who reads a state that says that the run has
ended finds everything else complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import FairingAzureError, InputError, NotFoundError
from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.models import ENDED
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.status import read_status, write_status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Self

    from fairing_az_jupyter.runs.places.addresses import Places

__all__ = ["LAST_ERROR", "RecordSender", "bring_back", "read_state", "resume"]

FILES = "files"
"""The entry of a state that tells the digest of each file that belongs to it."""

LAST_ERROR = "last_error"
"""The entry of a state that tells why the last attempt has failed, where Kubernetes may start another one."""

_MIRRORED = (layout.EXECUTED, layout.LOG, layout.EVENTS, layout.PROVENANCE, layout.PACKAGES)
_EVERY_SECONDS = 2.0
# A record that takes long to send is sent less often: the run itself needs the network, too.
_PART_OF_TIME = 10.0
_LAST_TRIES_SECONDS = 40.0
# More than any system gives: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html (pid_max)
_NO_PROCESS = 99_999_999
# What `Places` says of a folder of this machine.
_NO_SUCH_FILE = "no-such-file"


class RecordSender:
    """Sends a record's files as they change, until it is closed; use it as a context.

    Args:
        places: How the other place is reached.
        folder: The record.
        prefix: What the names of its files there begin with, ending in a slash.
        facts: What the state there always says besides, such as what is known of earlier attempts.

    """

    def __init__(
        self, places: Places, folder: Path, prefix: str, facts: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self._places, self._folder, self._prefix, self._facts = places, folder, prefix, facts
        self._sent: dict[str, str] = {}
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="record-sender", daemon=True)
        self.cancel = threading.Event()
        """Set when somebody has left word there that the run is to stop."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def look(self) -> None:
        """Look whether somebody wants the run to stop.

        Raises:
            FairingAzureError: It can't be determined.

        """
        if not self.cancel.is_set() and self._places.exists(f"{self._prefix}{layout.CANCEL}"):
            self.cancel.set()

    def send(self, changes: Mapping[str, Any] | None = None) -> None:
        """Send what has changed.

        Args:
            changes: What the state there says differently from the one here.

        Raises:
            FairingAzureError: It can't be written.

        """
        with self._lock:
            # Looked at first: what it tells of is then in the files that are read after it.
            status = {**read_status(self._folder), **self._facts, **(changes or {})}
            digests: dict[str, str] = {}
            for name in _MIRRORED:
                data = _read(self._folder / name)
                if data is None:
                    continue
                digests[name] = hashlib.sha256(data).hexdigest()
                self._put(name, data, digests[name])
            text = json.dumps({**status, FILES: digests}, indent=1, default=str).encode() + b"\n"
            self._put(layout.STATUS, text, hashlib.sha256(text).hexdigest())

    def send_end(self, changes: Mapping[str, Any] | None = None, *, seconds: float = _LAST_TRIES_SECONDS) -> None:
        """Send the record as it is at its end, and try again for a while where that does not succeed.

        Args:
            changes: As for `send`.
            seconds: How long to try.

        Raises:
            FairingAzureError: It can't be written.

        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(FairingAzureError):
                self.send(changes)
                return
            time.sleep(1.0)
        self.send(changes)

    def _put(self, name: str, data: bytes, digest: str) -> None:
        if self._sent.get(name) != digest:
            self._places.write(f"{self._prefix}{name}", data)
            self._sent[name] = digest

    def _work(self) -> None:
        pause = _EVERY_SECONDS
        while not self._closed.wait(pause):
            begun = time.monotonic()
            # What fails now is sent the next time.
            with contextlib.suppress(FairingAzureError, OSError):
                self.look()
                if read_status(self._folder).get("state") == "running":
                    self.send()
            pause = max(_EVERY_SECONDS, _PART_OF_TIME * (time.monotonic() - begun))


def read_state(places: Places, prefix: str) -> dict[str, Any]:
    """Return the state of a record that is elsewhere; empty if there is none yet.

    Args:
        places: How it is reached.
        prefix: What the names of its files begin with.

    Raises:
        FairingAzureError: It can't be read.

    """
    data = _read_remote(places, f"{prefix}{layout.STATUS}")
    with contextlib.suppress(ValueError):
        found = json.loads(data or b"")
        return found if isinstance(found, dict) else {}
    return {}


def bring_back(places: Places, prefix: str, folder: Path, status: Mapping[str, Any], have: Mapping[str, str]) -> None:
    """Write the files that a state tells of into a record, those that are others than it has.

    Args:
        places: How they are reached.
        prefix: What their names begin with.
        folder: The record.
        status: The state, from `read_state`.
        have: The digests of the files that the record has already.

    Raises:
        FairingAzureError: They can't be read.
        OSError: They can't be written.

    """
    for name, digest in dict(status.get(FILES) or {}).items():
        if name in _MIRRORED and have.get(name) != digest:
            data = _read_remote(places, f"{prefix}{name}")
            if data is not None:
                replace_file(folder / name, data, mode=0o600, durable=False)


def resume(places: Places, prefix: str, folder: Path) -> str:
    """Take over what an earlier attempt has left elsewhere, so that the next one continues in the same record.

    Args:
        places: How it is reached.
        prefix: What the names of its files begin with.
        folder: The new record here, which nobody executes yet.

    Returns:
        The state that the earlier attempt has come to; empty if there was none.

    Raises:
        FairingAzureError: It can't be read.
        OSError: It can't be written.

    """
    status = read_state(places, prefix)
    state = str(status.get("state") or "")
    if state and state not in ENDED:
        bring_back(places, prefix, folder, status, {})
        # Each attempt before has its claim, of a process that is nowhere any more.
        for attempt in range(1, int(status.get("attempt") or 1) + 1):
            (folder / f"{layout.CLAIM}{attempt}").write_text(f"{machine.this_place()} {_NO_PROCESS} gone")
        write_status(folder, {"state": "lost", "attempt": status.get("attempt") or 1}, final=False)
    return state


def _read_remote(places: Places, name: str) -> bytes | None:
    """Return a file's bytes; None if there is none."""
    try:
        return places.read(name)
    except NotFoundError:
        return None
    except InputError as error:
        if error.code != _NO_SUCH_FILE:
            raise
        return None


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    # The last line may be half written.
    return data[: data.rfind(b"\n") + 1] if path.name == layout.EVENTS else data
