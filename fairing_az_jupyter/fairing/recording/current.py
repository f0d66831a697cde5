"""The record of the launch that this thread makes, for all that takes part in it; and what is known of it before."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import os
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.records.layout import SWEEP_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from fairing_az_jupyter.fairing.recording.launch_record import LaunchRecord
    from fairing_az_jupyter.models import RunRequest
    from fairing_az_jupyter.records import Recorder, RunStore

__all__ = [
    "Asked",
    "Origin",
    "asked_for",
    "continue_record",
    "current_record",
    "job_variables",
    "kept_by",
    "launch_in_progress",
    "leave_running",
    "origin",
]


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a command has asked for, for the record of its launch: Fairing's own call does not know all of it.

    Args:
        request: The launch.
        store: Opens the place of the record.

    """

    request: RunRequest
    store: Callable[[], RunStore]


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a launch comes from, for labels in the cluster; what is not known is empty.

    Args:
        notebook: The file name of the notebook, or of the Python file.
        run: Its record.
        sweep: The sweep of the run whose notebook has launched it.

    """

    notebook: str = ""
    run: str = ""
    sweep: str = ""


asked: contextvars.ContextVar[Asked | None] = contextvars.ContextVar("fairing_az_asked", default=None)
keeper: contextvars.ContextVar[Recorder | None] = contextvars.ContextVar("fairing_az_keeper", default=None)
launching: contextvars.ContextVar[LaunchRecord | None] = contextvars.ContextVar("fairing_az_launching", default=None)


@contextlib.contextmanager
def asked_for(request: RunRequest, store: Callable[[], RunStore]) -> Iterator[None]:
    """Say what this thread is about to launch.

    Args:
        request: The launch.
        store: Opens the place of its record.

    """
    token = asked.set(Asked(request, store))
    try:
        yield
    finally:
        asked.reset(token)


@contextlib.contextmanager
def kept_by(recorder: Recorder) -> Iterator[None]:
    """Say that what this thread is about to launch has a record already, whose events and end are written elsewhere.

    Args:
        recorder: What writes it.

    """
    token = keeper.set(recorder)
    try:
        yield
    finally:
        keeper.reset(token)


def current_record() -> Path | None:
    """Return the folder of the record of the launch that this thread makes; None where there is none."""
    record = launching.get()
    return None if record is None else record.folder


def job_variables() -> dict[str, str]:
    """Return what the environment of this launch's job on this machine gets, so that it can report by itself."""
    record = launching.get()
    return {} if record is None else record.variables


def leave_running(job: str, namespace: str) -> None:
    """Note that the job of this thread's launch continues in the cluster when the launch ends now.

    Args:
        job: Its name.
        namespace: Its namespace.

    """
    record = launching.get()
    if record is not None:
        record.leave_running(job, namespace)


def continue_record(run: str) -> None:
    """Let the record of an earlier launch whose job was found again be that of this thread's launch.

    Args:
        run: The record's identifier, as the job's label says; empty for none.

    """
    record = launching.get()
    if record is not None and run:
        record.continue_as(run)


def launch_in_progress() -> tuple[RunRequest | None, Mapping[str, Any]]:
    """Return what this thread launches, as it was asked for, and what the builder knows of it; nothing if unknown."""
    record = launching.get()
    return (None, {}) if record is None else (record.request, record.made)


def origin() -> Origin:
    """Return where the launch that this thread makes comes from."""
    record = launching.get()
    folder = None if record is None else record.folder
    sweep = os.environ.get(SWEEP_VARIABLE, "")
    return Origin(record.notebook if record is not None else "", folder.name if folder is not None else "", sweep)
