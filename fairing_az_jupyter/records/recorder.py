"""Writes the record of one run while it is executed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import ConflictError, RunFailedError
from fairing_az_jupyter.records import layout, rescue
from fairing_az_jupyter.records.events_file import AppendedFile
from fairing_az_jupyter.records.liveness import is_free
from fairing_az_jupyter.records.log_text import LogText
from fairing_az_jupyter.records.status import read_status, write_status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Self

    from fairing_az_jupyter.models import Metric, RunEvent, RunState

HEARTBEAT_SECONDS = 15.0
"""How often a run shows that its process is there."""

_LOOK_SECONDS = 0.5
_LONGEST_TRACEBACK = 200


class Recorder:
    """The record of a run that this process executes.

    Use it as a context: it claims the run, and one of several processes that try gets it. Call it with each event.

    Args:
        folder: The record, as `RunStore.create` has made it.
        **facts: What else the status says of this attempt, such as the Job's name.

    """

    def __init__(self, folder: Path, **facts: object) -> None:
        self.folder = folder
        self.cancel = threading.Event()
        """Set when somebody wants the run to stop."""
        self.metrics: dict[str, Metric] = {}
        self._status: dict[str, Any] = dict(facts)
        self._text = LogText()
        self._events: AppendedFile | None = None
        self._log: AppendedFile | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Claim the run.

        Raises:
            ConflictError: Another process has it, or it has ended.
            OSError: The record can't be written.

        """
        before = read_status(self.folder)
        attempt = self._claim(before)
        self._status = {
            "state": "running",
            "attempt": attempt,
            "process": machine.process_name(),
            "started": time.time(),
            **self._status,
        }
        self._events = AppendedFile(self.folder / layout.EVENTS)
        self._log = AppendedFile(self.folder / layout.LOG)
        if attempt > 1:
            # Those of the attempt that was lost, whatever it wrote last.
            self._events.append(b"\n")
            self._log.append(f"\n--- begun again, attempt {attempt} ---\n".encode())
        write_status(self.folder, self._status, final=False)
        threading.Thread(target=self._watch, name="run-record", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for file in (self._events, self._log):
            if file is not None:
                file.close()

    def __call__(self, event: RunEvent) -> None:
        """Record an event.

        Raises:
            RunFailedError: It can't be written.

        """
        try:
            self._record(event)
        except OSError as error:
            raise RunFailedError(
                f"The run's record in '{self.folder}' can't be written: {error.strerror or error}. "
                "Without it nobody would know what has run.",
                hint="Free space there, or keep records elsewhere: --runs-folder FOLDER, or FAIRING_AZURE_RUNS.",
                code="record",
            ) from error

    def finish(
        self,
        state: RunState,
        *,
        duration: float | None = None,
        error: Mapping[str, Any] | None = None,
        **facts: object,
    ) -> None:
        """Write how the run has ended.

        Where the record's own disk does not take it, it goes to the system's folder for temporary files, where
        `RunStore` finds it as well.

        Args:
            state: Its last state.
            duration: Seconds that it took; None for the time since it was claimed.
            error: Why it failed, as `RunInfo` has it.
            **facts: What else there is to say.

        Raises:
            OSError: It can be written nowhere.

        """
        self._ended.set()
        now = time.time()
        error = None if error is None else {**error, "traceback": _last(error.get("traceback"))}
        with self._lock:
            self._status |= {
                "state": state,
                "ended": now,
                "duration": now - self._status.get("started", now) if duration is None else duration,
                "metrics": self.metrics,
                "error": error,
                **facts,
            }
            status = {key: value for key, value in self._status.items() if value is not None}
            try:
                write_status(self.folder, status, final=True)
            except OSError:
                rescue.keep(self.folder, status)

    def _claim(self, before: Mapping[str, Any]) -> int:
        """Take the next attempt; that of a process that is gone does not count."""
        name = machine.process_name()
        state = before.get("state")
        if state not in {"waiting", "running", "lost"}:
            raise _taken(self.folder, f"has {state or 'no status'} already")
        attempt = int(before.get("attempt") or 0) + 1
        while True:
            path = self.folder / f"{layout.CLAIM}{attempt}"
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
            except FileExistsError:
                if not is_free(path):
                    raise _taken(self.folder, "is being executed by another process") from None
                attempt += 1
                continue
            try:
                os.write(handle, name.encode())
            finally:
                os.close(handle)
            return attempt

    def _record(self, event: RunEvent) -> None:
        if self._events is None or self._log is None:
            raise OSError(errno.EBADF, "the record is not open")
        line = json.dumps(event.to_dict(), ensure_ascii=False)
        self._events.append(line.encode("utf-8", "backslashreplace") + b"\n")
        text = self._text.of(event)
        if text:
            self._log.append(text.encode("utf-8", "backslashreplace"))
        if event.kind == "metric" and event.name is not None:
            self.metrics[event.name] = event.value
        if event.kind in {"cell-started", "metric"}:
            with self._lock:
                self._status |= {"cell": event.cell, "cells": event.cells, "metrics": self.metrics}
                write_status(self.folder, self._status, final=False)

    def _watch(self) -> None:
        """Show that this process is there, and look whether somebody wants the run to stop or has taken it over."""
        taken_over = self.folder / f"{layout.CLAIM}{self._status['attempt'] + 1}"
        beat = time.monotonic()
        while not self._ended.wait(_LOOK_SECONDS):
            if (self.folder / layout.CANCEL).exists() or taken_over.exists():
                self.cancel.set()
            if time.monotonic() - beat > HEARTBEAT_SECONDS:
                beat = time.monotonic()
                with contextlib.suppress(OSError), self._lock:
                    os.utime(self.folder / layout.STATUS)


def _last(lines: object) -> list[str] | None:
    return [str(line) for line in lines][-_LONGEST_TRACEBACK:] if isinstance(lines, (list, tuple)) else None


def _taken(folder: Path, why: str) -> ConflictError:
    return ConflictError(
        f"The run '{folder.name}' can't be executed here: it {why}.",
        hint=f"See how it is: fairing-azure runs show {folder.name}",
        code="run-taken",
    )
