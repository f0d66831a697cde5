"""Runs: listed, described, followed, cancelled, compared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import services
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.frontends.server.operations.active_runs import watcher
from fairing_az_jupyter.frontends.server.operations.calls import session_of
from fairing_az_jupyter.frontends.server.operations.run_views import ACTIVE, found_run, view
from fairing_az_jupyter.records import RunStore, layout
from fairing_az_jupyter.records.events_file import read_events
from fairing_az_jupyter.services.cluster_runs import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.frontends.server.operations.calls import Call
    from fairing_az_jupyter.models import RunInfo

_LOOK_SECONDS = 0.3
_MOST_LAUNCHES = 100
NEEDS = {
    "in_cluster": ("fairing_az_jupyter.fairing.inventory.launches", "fairing_az_jupyter.outputs.blobs"),
}


def listed(call: Call) -> dict[str, Any]:
    """List runs, the newest first."""
    query = call.query
    wanted: dict[str, str] = {}
    if query.state not in {"", "active"}:
        wanted["state"] = query.state
    if query.notebook:
        wanted["notebook"] = call.contents.place(query.notebook, what="notebook")
    found = services.list_runs(services.Session(), **wanted)  # type: ignore[arg-type] # it has other options too
    if query.state == "active":
        found = [info for info in found if info.state in ACTIVE]
    part = found[query.offset : query.offset + query.limit]
    return {"runs": [view(info, call.contents) for info in part], "total": len(found)}


def in_cluster(call: Call) -> dict[str, Any]:
    """List the trainings of the namespace, also those of other notebook servers."""
    notes: list[str] = []
    found = services.list_cluster_launches(session_of(call, call.body), limit=_MOST_LAUNCHES, report=notes.append)
    return {"launches": [each.to_dict() for each in found], "notes": notes}


def described(call: Call) -> dict[str, Any]:
    """Describe a run."""
    return view(found_run(call), call.contents)


def cancel(call: Call) -> dict[str, Any]:
    """Ask a run to stop."""
    services.cancel_run(services.Session(), found_run(call).id)
    return view(found_run(call), call.contents)


def compare(call: Call) -> dict[str, Any]:
    """Put runs beside each other."""
    return services.compare_runs(services.Session(), call.body.runs).to_dict()


def events(call: Call) -> Iterator[tuple[int, str, object]]:
    """Follow a run, from the event on whose id was given."""
    info = found_run(call)
    path = RunStore.open().folder(info.id) / layout.EVENTS
    size = path.stat().st_size if path.exists() else 0
    if call.query.offset > size:
        raise InputError(
            f"The events of the run '{info.id}' end at {size}: event {call.query.offset} does not exist.",
            hint="Start again with offset 0.",
            code="offset",
        )
    return _watched(call, info)


def _watched(call: Call, info: RunInfo) -> Iterator[tuple[int, str, object]]:
    store = RunStore.open()
    path = store.folder(info.id) / layout.EVENTS
    offset = call.query.offset
    with records.kept_up_to_date(store, info):
        while not call.cancelled.is_set():
            # Looked at first: what happened before the end is then read for certain.
            now = store.get(info.id)
            if now is None:
                raise InputError(
                    f"The record of the run '{info.id}' was deleted.",
                    hint="Refresh the list of runs.",
                    code="run-unknown",
                )
            for offset, event in read_events(path, offset):  # noqa: B020 - it continues from there
                yield offset, "event", event
            if now.has_ended or now.state == "lost":
                yield offset, "end", view(now, call.contents)
                return
            call.cancelled.wait(_LOOK_SECONDS)


def active_events(call: Call) -> Iterator[tuple[int, str, object]]:
    """Follow which runs are active: all of them at once, and whenever something has changed."""
    runs = watcher(os.path.abspath(RunStore.open().path))  # noqa: PTH100 - a key
    with runs.watched():
        seen = -1
        while not call.cancelled.is_set():
            found, changed = runs.after(seen)
            if changed == seen:
                continue
            seen = changed
            yield changed, "runs", {"runs": [view(info, call.contents) for info in found], "changed": changed}
