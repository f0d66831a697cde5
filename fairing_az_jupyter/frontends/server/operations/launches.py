"""Runs and launches that are started: each is a process of its own, which outlives browser and server."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import services
from fairing_az_jupyter.frontends.server.operations.run_views import found_run, view

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.server.operations.calls import Call

_MODULES = (
    "fairing_az_jupyter.runs.injection",
    "fairing_az_jupyter.runs.parameters.sources",
    "fairing_az_jupyter.runs.parameters.file",
    "fairing_az_jupyter.runs.places.addresses",
    "fairing_az_jupyter.runs.recorded",
)
NEEDS = {"run": _MODULES, "retry": _MODULES, "launch": _MODULES}


def run(call: Call) -> dict[str, Any]:
    """Run a notebook."""
    from fairing_az_jupyter.services import start_run  # noqa: PLC0415 - see NEEDS

    wanted = call.body
    notebook = call.contents.file(wanted.notebook)
    session = services.Session(wanted.values, profile=wanted.profile)
    request = services.plan_run(
        session,
        notebook,
        values=wanted.parameters,
        output=None if wanted.output is None else call.contents.place(wanted.output, what="executed notebook"),
        cell_timeout=wanted.cell_timeout,
        deadline=wanted.deadline,
    )
    return view(start_run(session, request), call.contents)


def retry(call: Call) -> dict[str, Any]:
    """Repeat a run."""
    from fairing_az_jupyter.services import start_run  # noqa: PLC0415 - see NEEDS

    name = found_run(call).id
    session = services.Session()
    request = services.plan_retry(session, name, as_it_was=call.body.as_it_was)
    return view(start_run(session, request, retry_of=name), call.contents)


def launch(call: Call) -> dict[str, Any]:
    """Launch a notebook, a training or an endpoint."""
    from fairing_az_jupyter.services import start_launch  # noqa: PLC0415 - see NEEDS

    wanted = call.body
    path = call.contents.file(wanted.notebook)
    folder = posixpath.dirname(wanted.notebook)
    for each in wanted.input_files:
        call.contents.place(posixpath.join(folder, each), what="input file")
    info = start_launch(
        services.Session(wanted.values, profile=wanted.profile),
        wanted.kind,
        path,
        wanted.task,
        input_files=tuple(wanted.input_files),
        outputs=True if wanted.outputs is None else tuple(wanted.outputs) or False,
        parameters=wanted.parameters or None,
        deadline=wanted.deadline,
        name=wanted.name,
        from_job=wanted.from_job,
        from_files=tuple(wanted.from_files),
    )
    return view(info, call.contents)
