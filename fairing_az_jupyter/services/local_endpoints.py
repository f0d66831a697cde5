"""Endpoints of LocalBackend: of the background, found by the records of their runs, and of this process itself."""

from __future__ import annotations

import collections
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import ExecutionError, InputError
from fairing_az_jupyter.models import EndpointInfo, LaunchInfo, LaunchLine, RunInfo
from fairing_az_jupyter.records import RunStore, follow, layout
from fairing_az_jupyter.records.status import read_status
from fairing_az_jupyter.services import own_endpoints

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint
    from fairing_az_jupyter.services.session import Session

    LocalEndpoint = RunInfo | LaunchedEndpoint
    """The run that keeps an endpoint alive in the background, or the endpoint that this process keeps alive."""

__all__ = ["delete", "endpoint_info", "find", "launch_info", "lines", "list_local"]

_GONE_SECONDS = 30.0
_LOOK_SECONDS = 0.1


def list_local(session: Session) -> tuple[LocalEndpoint, ...]:
    """Return what keeps the endpoints of this machine alive: runs, the oldest first, then this process itself.

    Args:
        session: The settings in force, the records and the cluster.

    Raises:
        InputError: The folder can't be read.

    """
    return (*_recorded(session), *own_endpoints.list_own())


def _recorded(session: Session) -> tuple[RunInfo, ...]:
    store = session.store
    # Home directories are shared: the endpoints of another machine can't be reached from here.
    return tuple(
        info
        for info in reversed(store.list(state="running", kind="deploy"))
        if info.url and info.place == "here" and machine.is_local(_process_of(info))
    )


def find(session: Session, name: str) -> LocalEndpoint | None:
    """Return what keeps the endpoint of a name alive; None if there is none on this machine.

    Args:
        session: The settings in force, the records and the cluster.
        name: The endpoint.

    """
    own = next((endpoint for endpoint in own_endpoints.list_own() if endpoint.name == name), None)
    if own is not None:
        return own
    try:
        return next((info for info in _recorded(session) if info.endpoint == name), None)
    except InputError:
        # Where no records can be read, the cluster can still be asked.
        return None


def endpoint_info(info: LocalEndpoint) -> EndpointInfo:
    """Return an endpoint as lists of endpoints show it.

    Args:
        info: What keeps it alive.

    """
    if not isinstance(info, RunInfo):
        return own_endpoints.endpoint_info(info)
    return EndpointInfo(info.endpoint, "ready", "here", url=info.url, created=_created(info), run=info.id)


def launch_info(info: LocalEndpoint) -> LaunchInfo:
    """Return an endpoint as lists of launches show it.

    Args:
        info: What keeps it alive.

    """
    if not isinstance(info, RunInfo):
        return own_endpoints.launch_info(info)
    detail = f"It is a process on this machine, kept alive by the run {info.id}."
    return LaunchInfo(info.endpoint, "endpoint", "ready", "", created=_created(info), url=info.url, detail=detail)


def delete(info: LocalEndpoint) -> LaunchInfo:
    """Delete an endpoint, and wait until its process is gone; its run then has succeeded.

    Args:
        info: What keeps it alive.

    Returns:
        What was deleted.

    Raises:
        InputError: It is another user's.
        ExecutionError: It was asked to end and is still there.

    """
    if not isinstance(info, RunInfo):
        deleted = own_endpoints.launch_info(info)
        info.delete()
        return deleted
    store = RunStore(Path(info.folder).parent)
    try:
        (Path(info.folder) / layout.DELETE).touch(mode=0o600)
    except OSError as error:
        raise InputError(
            f"Endpoint '{info.endpoint}' can't be deleted: '{info.folder}' can't be written ({error.strerror}).",
            hint="Delete it as the user who deployed it.",
            code="run-not-yours",
        ) from error
    end = time.monotonic() + _GONE_SECONDS
    while (now := store.get(info.id)) is not None and now.state == "running":
        if time.monotonic() > end:
            raise ExecutionError(
                f"Endpoint '{info.endpoint}' was stopped, but its process still exists after {_GONE_SECONDS:g} s.",
                hint=f"Check its log: fairing-azure runs logs {info.id}",
                code="not-gone",
            )
        time.sleep(_LOOK_SECONDS)
    return launch_info(info)


def lines(
    info: LocalEndpoint, *, follow_it: bool = False, tail: int | None = None, cancelled: threading.Event | None = None
) -> Generator[LaunchLine, None, None]:
    """Yield the lines that an endpoint has printed.

    Args:
        info: What keeps it alive.
        follow_it: Whether to continue as they come, until it is gone.
        tail: The last lines of those that are there already, so many; None for all.
        cancelled: Set when nobody wants them any more.

    Yields:
        The lines, oldest first.

    Raises:
        InputError: Its record was deleted meanwhile.

    """
    if not isinstance(info, RunInfo):
        yield from own_endpoints.lines(info, follow_it=follow_it, tail=tail, cancelled=cancelled)
        return
    store = RunStore(Path(info.folder).parent)
    cancelled = cancelled or threading.Event()
    offset = 0
    if tail is not None:
        printed: list[str] = []
        # A line that is not finished yet is seen when it is.
        for offset, text in _texts(store, info.id, 0, None):  # noqa: B007 - where the rest begins
            printed.append(text)
        for line in collections.deque("".join(printed).splitlines(), maxlen=tail):
            yield _line(info, line)
        if not follow_it:
            return
    unfinished = ""
    wanted = cancelled if follow_it else None
    for _, text in _texts(store, info.id, offset, wanted, ready=tail is not None and offset > 0):
        *whole, unfinished = (unfinished + text).split("\n")
        yield from (_line(info, line.rstrip("\r")) for line in whole)
    if unfinished:
        yield _line(info, unfinished)


def _texts(
    store: RunStore, run: str, offset: int, cancelled: threading.Event | None, *, ready: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield what was printed once the endpoint was there; what was printed before is its launch's."""
    for behind, event in _events(store, run, offset, cancelled):
        if event.get("kind") == "endpoint":
            ready = True
        elif ready and event.get("kind") == "output":
            yield behind, str(event.get("text") or "")


def _events(
    store: RunStore, run: str, offset: int, cancelled: threading.Event | None
) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield events as they come, until the run has ended or nobody wants them; without a wish only those of now."""
    while True:
        # Looked at first: what comes last is then read for certain.
        over = cancelled is None or store.find(run).state != "running"
        for behind, event in follow.events(store, run, offset=offset):
            if cancelled is not None and cancelled.is_set():
                return
            offset = behind
            yield behind, event
        if cancelled is None or over or cancelled.wait(_LOOK_SECONDS):
            return


def _line(info: RunInfo, text: str) -> LaunchLine:
    return LaunchLine(info.endpoint, "endpoint", text)


def _process_of(info: RunInfo) -> str:
    return str(read_status(Path(info.folder)).get("process") or "")


def _created(info: RunInfo) -> str:
    try:
        return datetime.fromtimestamp(info.created, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""  # somebody has edited the record
