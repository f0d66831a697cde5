"""Endpoints of LocalBackend that this process keeps alive, such as a notebook's kernel; no record tells of them."""

from __future__ import annotations

import collections
import sys
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from fairing_az_jupyter.models import EndpointInfo, LaunchInfo, LaunchLine

if TYPE_CHECKING:
    from collections.abc import Generator

    from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint

__all__ = ["endpoint_info", "launch_info", "lines", "list_own"]

_LOOK_SECONDS = 0.1
_PART = 65_536


def list_own() -> tuple[LaunchedEndpoint, ...]:
    """Return the endpoints that this process keeps alive, the oldest first."""
    # Who has launched nothing has none, and need not load Fairing to know it.
    launches = sys.modules.get("fairing_az_jupyter.fairing.tasks.launching")
    return () if launches is None else tuple(launches.served_locally())


def endpoint_info(endpoint: LaunchedEndpoint) -> EndpointInfo:
    """Return an endpoint as lists of endpoints show it.

    Args:
        endpoint: The endpoint.

    """
    created = _created(endpoint)
    return EndpointInfo(endpoint.name, "ready", "here", url=endpoint.url, created=created, run=endpoint.record)


def launch_info(endpoint: LaunchedEndpoint) -> LaunchInfo:
    """Return an endpoint as lists of launches show it.

    Args:
        endpoint: The endpoint.

    """
    detail = "It is a process on this machine and ends with this kernel."
    name = endpoint.name
    return LaunchInfo(name, "endpoint", "ready", "", created=_created(endpoint), url=endpoint.url, detail=detail)


def lines(
    endpoint: LaunchedEndpoint,
    *,
    follow_it: bool = False,
    tail: int | None = None,
    cancelled: threading.Event | None = None,
) -> Generator[LaunchLine, None, None]:
    """Yield the lines that an endpoint has printed.

    Args:
        endpoint: The endpoint.
        follow_it: Whether to continue as they come, until it is gone.
        tail: The last lines of those that are there already, so many; None for all.
        cancelled: Set when nobody wants them any more.

    Yields:
        The lines, oldest first.

    """
    log = endpoint.log
    if log is None or not log.is_file():
        return
    cancelled = cancelled or threading.Event()
    with log.open(errors="replace") as opened:
        printed = opened.read()
        there = printed.splitlines(keepends=True)
        unfinished = there.pop() if there and not there[-1].endswith("\n") else ""
        for text in there if tail is None else collections.deque(there, maxlen=tail):
            yield _line(endpoint, text)
        while follow_it and not cancelled.is_set():
            # Looked at first: what comes last is then read for certain.
            over = endpoint not in list_own()
            while text := opened.read(_PART):
                *whole, unfinished = (unfinished + text).split("\n")
                for each in whole:
                    yield _line(endpoint, each)
            if over or cancelled.wait(_LOOK_SECONDS):
                break
        if unfinished:
            yield _line(endpoint, unfinished)


def _line(endpoint: LaunchedEndpoint, text: str) -> LaunchLine:
    return LaunchLine(endpoint.name, "endpoint", text.rstrip("\r\n"))


def _created(endpoint: LaunchedEndpoint) -> str:
    return datetime.fromtimestamp(endpoint.created, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
