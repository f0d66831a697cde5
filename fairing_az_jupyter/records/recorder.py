"""Writes the record of one run while it is executed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import ConflictError, RunFailedError
from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.records import layout, rescue
from fairing_az_jupyter.records.events_file import AppendedFile
from fairing_az_jupyter.records.index import add_to_index
from fairing_az_jupyter.records.infos import at_a_glance, fields_of, read_request
from fairing_az_jupyter.records.liveness import RELEASED, is_free, is_lost
from fairing_az_jupyter.records.log_text import LogText
from fairing_az_jupyter.records.status import read_status, write_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from fairing_az_jupyter.models import Metric, RunEvent, RunState

HEARTBEAT_SECONDS = 15.0
"""How often a run shows that its process is there."""

_LOOK_SECONDS = 0.5
_NOTE_SECONDS = 1.0
_LONGEST_TRACEBACK = 200
_LONGEST_LINE = 2_000
_LONGEST_SOURCE = 50_000


class Observer(Protocol):
    """Somebody who hears of a run what its record does; nothing of it raises."""

    def event(self, event: RunEvent) -> None:
        """Hear of something that happened."""

    def leave(self) -> None:
        """Hear that the run continues without this process."""

    def finish(self, state: RunState) -> None:
        """Hear how the run has ended, once its record says so."""

    def variables(self) -> dict[str, str]:
        """Return what the environment of a job on this machine gets, so that it can report there itself."""

    def moved(self, folder: Path) -> Observer:
        """Return who hears of the earlier record that continues instead of this one."""


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
        self.observer: Observer | None = None
        """Who else hears of the run; None for nobody."""
        self._status: dict[str, Any] = dict(facts)
        self._text = LogText()
        self._events: AppendedFile | None = None
        self._log: AppendedFile | None = None
        self._request: Mapping[str, Any] = {}
        self._claimed = ""
        self._noted = 0.0
        self._left = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Claim the run.

        Raises:
            ConflictError: Another process has it, or it has ended.
            RunFailedError: The record can't be written; that is noted as the run's end.

        """
        # Where the record is deleted during the run, its end can still be noted elsewhere.
        self._request = read_request(self.folder)
        try:
            attempt = self._claim()
            self._status = {
                "state": "running",
                "attempt": attempt,
                "process": machine.process_name(),
                "started": time.time(),
                **self._status,
            }
            self._open(attempt)
        except OSError as error:
            self.__exit__()
            failed = self._unwritable(error)
            if self._claimed or read_status(self.folder).get("state") == "waiting":
                self.finish("failed", error=failed.to_dict())
            raise failed from error
        threading.Thread(target=self._watch, name="run-record", daemon=True).start()
        return self

    def _open(self, attempt: int) -> None:
        self._events = AppendedFile(self.folder / layout.EVENTS)
        self._log = AppendedFile(self.folder / layout.LOG)
        if attempt > 1:
            # Those of the attempt that was lost, whatever it wrote last; nobody wants this one to stop.
            self._events.append(b"\n")
            self._log.append(f"\n--- restarted, attempt {attempt} ---\n".encode())
            (self.folder / layout.CANCEL).unlink(missing_ok=True)
        write_status(self.folder, self._status, final=False)

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
        if self._left.is_set():
            return
        if self.observer is not None:
            self.observer.event(event)
        try:
            self._record(event)
        except OSError as error:
            raise self._unwritable(error) from error

    def note(self, **facts: object) -> None:
        """Add to what the status says while the run is running, such as the endpoint that it keeps alive.

        Args:
            **facts: By the names of `RunInfo`.

        Raises:
            RunFailedError: It can't be written.

        """
        if self._left.is_set():
            return
        try:
            with self._lock:
                self._status |= facts
                write_status(self.folder, self._status, final=False)
        except OSError as error:
            raise self._unwritable(error) from error

    def leave(self, **facts: object) -> None:
        """Leave a run that continues without this process, such as a job in the cluster: it stays `running`.

        Whoever takes it up again claims it like any other.

        Args:
            **facts: What is needed to find it, by the names of `RunInfo`.

        Raises:
            RunFailedError: It can't be written.

        """
        self._ended.set()
        if self._is_taken_over():
            return
        try:
            with self._lock:
                self._status |= {"unattended": True, "metrics": self.metrics, **facts}
                write_status(self.folder, self._status, final=False)
                replace_file(Path(self._claimed), RELEASED.encode(), mode=0o600, durable=False)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            if self.observer is not None:
                self.observer.leave()

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
        `RunStore` finds it as well. Once another process has taken the run over, its end is that process's to tell.

        Args:
            state: Its last state.
            duration: Seconds that it took; None for the time since it was claimed.
            error: Why it failed, as `RunInfo` has it.
            **facts: What else there is to say.

        Raises:
            RunFailedError: It can be written nowhere.

        """
        self._ended.set()
        if self._is_taken_over():
            return
        try:
            self._write_end(state, duration, error, facts)
        finally:
            if self.observer is not None:
                self.observer.finish(state)

    def _write_end(
        self, state: RunState, duration: float | None, error: Mapping[str, Any] | None, facts: Mapping[str, object]
    ) -> None:
        now = time.time()
        error = None if error is None else _bounded(error)
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
                self._add_to_index(status)
            except OSError as problem:
                try:
                    rescue.keep(self.folder, status, self._request or None)
                except OSError:
                    raise self._unwritable(problem) from problem

    def _add_to_index(self, status: Mapping[str, Any]) -> None:
        found = fields_of(self.folder.name, self.folder, self._request, status)
        if found:
            add_to_index(self.folder.parent, at_a_glance(found))

    def _claim(self) -> int:
        """Take the first attempt that nobody has; those of processes that are gone are over."""
        attempt = 1
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
                os.write(handle, machine.process_name().encode())
            finally:
                os.close(handle)
            # Looked at only now: another may have executed it between a first look and the claim.
            why = self._why_not(attempt)
            if why:
                path.unlink(missing_ok=True)
                raise _taken(self.folder, why)
            self._claimed = str(path)
            return attempt

    def _why_not(self, attempt: int) -> str:
        """Return why a run may not be executed though no process has it; empty if it may."""
        before = read_status(self.folder)
        state = before.get("state")
        if state not in {"waiting", "running", "lost"}:
            return f"has {state} already" if state else f"has no readable {layout.STATUS}"
        # Somebody has deleted the claim of the process that executes it.
        unclaimed = state == "running" and not before.get("unattended") and (before.get("attempt") or 0) >= attempt
        return "is being executed by another process" if unclaimed and not is_lost(self.folder, before) else ""

    def _is_taken_over(self) -> bool:
        """Tell whether another process continues with the run: it took this one for lost, as after a long sleep."""
        return bool(self._claimed) and os.path.exists(self._next_claim())  # noqa: PTH110 - `Path` raises on shares

    def _next_claim(self) -> str:
        before, _, number = self._claimed.rpartition("-")
        return f"{before}-{int(number) + 1}"

    def _unwritable(self, error: OSError) -> RunFailedError:
        return RunFailedError(
            f"The run's record in '{self.folder}' can't be written: {error.strerror or error}. Without it there "
            "would be no trace of the run.",
            hint="Free space there, or keep records elsewhere: --runs-folder FOLDER, or FAIRING_AZURE_RUNS.",
            code="record",
        )

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
        now = time.monotonic()
        # A notebook may report thousands of values, and on a network share each file takes its time.
        if event.kind == "cell-started" or (event.kind == "metric" and now - self._noted > _NOTE_SECONDS):
            self._noted = now
            with self._lock:
                self._status |= {"cell": event.cell, "cells": event.cells, "metrics": self.metrics}
                write_status(self.folder, self._status, final=False)

    def _watch(self) -> None:
        """Show that this process is there, and look whether somebody wants the run to stop or has taken it over."""
        wanted = str(self.folder / layout.CANCEL)
        beat = time.monotonic()
        while not self._ended.wait(_LOOK_SECONDS):
            if self._is_taken_over():
                self._left.set()
            if self._left.is_set() or os.path.exists(wanted):  # noqa: PTH110 - as above
                self.cancel.set()
            if time.monotonic() - beat > HEARTBEAT_SECONDS:
                beat = time.monotonic()
                with contextlib.suppress(OSError), self._lock:
                    os.utime(self.folder / layout.STATUS)


def _bounded(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return why a run failed in a size that stays readable: a cell's code, and what it raises, have no bounds."""
    found = dict(error)
    lines = found.get("traceback")
    if isinstance(lines, (list, tuple)):
        found["traceback"] = [_cut(str(line), _LONGEST_LINE) for line in lines[-_LONGEST_TRACEBACK:]]
    if isinstance(found.get("source"), str):
        found["source"] = _cut(found["source"], _LONGEST_SOURCE)
    return found


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]} ... ({len(text)} characters)"


def _taken(folder: Path, why: str) -> ConflictError:
    return ConflictError(
        f"The run '{folder.name}' can't be executed here: it {why}.",
        hint=f"Check it: fairing-azure runs show {folder.name}",
        code="run-taken",
    )
