"""Endpoints: listed, asked, followed, deleted; those of this machine and those of the cluster."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.frontends.server.operations.calls import session_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from fairing_az_jupyter.frontends.server.operations.calls import Call
    from fairing_az_jupyter.models import LaunchLine

_MODULES = (
    "fairing_az_jupyter.fairing.cluster.connections",
    "fairing_az_jupyter.fairing.inventory.launches",
    "fairing_az_jupyter.fairing.inventory.endpoint_calls",
    "fairing_az_jupyter.fairing.inventory.prediction_data",
)
NEEDS = {"listed": _MODULES, "predict": _MODULES, "delete": _MODULES, "log": _MODULES}


def listed(call: Call) -> dict[str, Any]:
    """List endpoints; what is wrong with the cluster is a note."""
    from fairing_az_jupyter.services import list_endpoints  # noqa: PLC0415 - see NEEDS

    found, note = list_endpoints(session_of(call, call.body))
    return {"endpoints": [each.to_dict() for each in found], "note": note}


def predict(call: Call) -> dict[str, Any]:
    """Ask an endpoint for predictions."""
    from fairing_az_jupyter.services import test_endpoint  # noqa: PLC0415 - see NEEDS

    session = session_of(call, call.body.sources)
    return test_endpoint(session, call.names["endpoint"], call.body.data).to_dict()


def delete(call: Call) -> dict[str, Any]:
    """Delete an endpoint, and wait until it is gone."""
    from fairing_az_jupyter import services  # noqa: PLC0415 - see NEEDS

    services.delete(session_of(call, call.body), [call.names["endpoint"]])
    return {"deleted": call.names["endpoint"]}


def log(call: Call) -> Iterator[tuple[int, str, object]]:
    """Follow what an endpoint prints; a line that was read before is not read again by `offset`."""
    from fairing_az_jupyter.services import launch_logs  # noqa: PLC0415 - see NEEDS

    # A silent endpoint keeps nobody whose client has gone.
    session = session_of(call, call.body)
    lines = launch_logs(session, call.names["endpoint"], follow=True, cancelled=call.cancelled)
    return _numbered(lines, call)


def _numbered(lines: Generator[LaunchLine, None, None], call: Call) -> Iterator[tuple[int, str, object]]:
    number = 0
    with contextlib.closing(lines):
        for number, line in enumerate(lines, 1):
            # Those that the client has had before the stream broke.
            if number > call.query.offset:
                yield number, "line", line.to_dict()
    if not call.cancelled.is_set():
        yield number, "end", {}
