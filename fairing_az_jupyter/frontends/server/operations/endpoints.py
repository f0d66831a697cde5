"""Endpoints: listed, asked, followed, deleted; those of this machine and those of the cluster."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.server.operations.calls import in_force

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.frontends.server.operations.calls import Call
    from fairing_az_jupyter.models import LaunchLine

    _Item = LaunchLine | Exception | None

_MODULES = (
    "fairing_az_jupyter.fairing.launcher",
    "fairing_az_jupyter.fairing.launches",
    "fairing_az_jupyter.fairing.endpoint_calls",
    "fairing_az_jupyter.fairing.prediction_data",
)
NEEDS = {"listed": _MODULES, "predict": _MODULES, "delete": _MODULES, "log": _MODULES}

_LOOK_SECONDS = 0.5
_AHEAD = 100
"""So many lines are read before the client has taken them."""


def listed(call: Call) -> dict[str, Any]:
    """List endpoints; what is wrong with the cluster is a note."""
    from fairing_az_jupyter.manager import list_endpoints  # noqa: PLC0415 - see NEEDS

    found, note = list_endpoints(**in_force(call, call.body))
    return {"endpoints": [each.to_dict() for each in found], "note": note}


def predict(call: Call) -> dict[str, Any]:
    """Ask an endpoint for predictions."""
    from fairing_az_jupyter.manager import test_endpoint  # noqa: PLC0415 - see NEEDS

    sources = in_force(call, call.body.sources)
    return test_endpoint(call.names["endpoint"], call.body.data, **sources).to_dict()


def delete(call: Call) -> dict[str, Any]:
    """Delete an endpoint, and wait until it is gone."""
    from fairing_az_jupyter.manager import delete_endpoint  # noqa: PLC0415 - see NEEDS

    delete_endpoint(call.names["endpoint"], **in_force(call, call.body))
    return {"deleted": call.names["endpoint"]}


def log(call: Call) -> Iterator[tuple[int, str, object]]:
    """Follow what an endpoint prints; a line that was read before is not read again by `offset`."""
    from fairing_az_jupyter.manager import endpoint_log  # noqa: PLC0415 - see NEEDS

    lines = endpoint_log(call.names["endpoint"], **in_force(call, call.body), follow=True)
    return _followed(call, lines)


def _read_ahead(lines: Iterator[LaunchLine], read: queue.Queue[_Item], cancelled: threading.Event) -> None:
    def put(item: _Item) -> bool:
        while not cancelled.is_set():
            with contextlib.suppress(queue.Full):
                read.put(item, timeout=_LOOK_SECONDS)
                return True
        return False

    try:
        for line in lines:
            if not put(line):
                return
        put(None)
    except Exception as error:  # noqa: BLE001 - raised where it is read
        put(error)


def _followed(call: Call, lines: Iterator[LaunchLine]) -> Iterator[tuple[int, str, object]]:
    """Hand on lines as they come; a silent endpoint does not keep whoever has gone."""
    read: queue.Queue[_Item] = queue.Queue(_AHEAD)
    work = functools.partial(_read_ahead, lines, read, call.cancelled)
    threading.Thread(target=work, name="endpoint-log", daemon=True).start()
    number = 0
    while not call.cancelled.is_set():
        try:
            line = read.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            yield number, "end", {}
            return
        if isinstance(line, Exception):
            raise line
        number += 1
        # Those that the client has had before the stream broke.
        if number > call.query.offset:
            yield number, "line", line.to_dict()
