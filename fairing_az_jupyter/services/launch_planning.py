"""A notebook that launches by itself, as a run: every setting reaches it."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.exceptions import InputError, SettingsError
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.services.outputs.hints import written_by_a_run
from fairing_az_jupyter.services.planning import plan_run
from fairing_az_jupyter.services.remote_files import downloaded
from fairing_az_jupyter.services.session import Session
from fairing_az_jupyter.settings import check_values, notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairing_az_jupyter.models import RunRequest

__all__ = ["check_input_files", "launch_environment", "plan_launch"]


def check_input_files(
    session: Session, names: Iterable[str], folder: Path, task: str, *, deploys: bool = False
) -> None:
    """Reject files of a task that are not there, before anything is built.

    Args:
        session: The settings in force, the records and the cluster.
        names: The files, as they are called from the folder.
        folder: The folder of the task's notebook or file.
        task: The task's name, for the error.
        deploys: Whether the task becomes an endpoint, which may also get the files of a job.

    Raises:
        InputError: The file does not exist.

    """
    for name in names:
        if "\0" not in name and name and os.path.lexists(folder / name):
            continue
        beside: list[str] = []
        with contextlib.suppress(OSError, ValueError):
            beside = sorted(each.name for each in (folder / name).parent.iterdir())
        near = difflib.get_close_matches(Path(name).name, beside, n=1)
        suggestion = f" Did you mean '{Path(name).with_name(near[0])}'?" if near else ""
        written = written_by_a_run(session, name, deploys=deploys)
        raise InputError(
            f"File '{name[:200]}' not found in '{folder}', so '{task}' would not find it.{suggestion}",
            hint=written or "Give input files relative to the notebook's folder.",
            code="input-files",
        )


def plan_launch(
    session: Session,
    notebook: str,
    **options: Any,  # noqa: ANN401 - handed on to plan_run
) -> tuple[RunRequest, dict[str, str]]:
    """Return the run of a notebook that launches; every setting reaches it, also those that its cell does not name.

    Args:
        session: The settings in force, the records and the cluster.
        notebook: Path of the notebook.
        options: Further arguments of `plan_run`.

    Returns:
        The run; and the settings that its parameters cell has no place for, as variables for the environment of the
        process that executes it: the notebook's kernel inherits them.

    Raises:
        InputError: As `plan_run`.

    """
    chosen, names = check_values(session.given), notebook_names()
    with downloaded(session, notebook) as path:
        cell = parameters.read_parameters(path, shown=notebook).names
    in_cell = {field: value for field, value in session.given.items() if names[field] in cell}
    try:
        request = plan_run(session.with_given(in_cell), notebook, **options)
    except SettingsError:
        # Settings that the cluster's backend needs may come from the environment; what is missing, the check tells.
        local = {**in_cell, "backend": "LocalBackend"}
        request = plan_run(session.with_given(local), notebook, **options)
        backend = {names["backend"]: "KubeflowAzureBackend"}
        request = dataclasses.replace(request, parameters={**request.parameters, **backend})
    # A retry has to know them.
    request = dataclasses.replace(request, settings=chosen, profile=session.profile)
    return request, launch_environment(session, request)


def launch_environment(session: Session, request: RunRequest) -> dict[str, str]:
    """Return the settings of a run that its notebook's parameters cell has no place for, as environment variables.

    Args:
        session: The settings in force, the records and the cluster.
        request: The run, from `plan_launch` or `plan_retry`; any other has none.

    Raises:
        InputError: The notebook or the profile can't be read.

    """
    if request.kind != "notebook" or not (request.settings or request.profile):
        return {}
    names = notebook_names()
    kept = session.store.folder(request.as_it_was) / layout.NOTEBOOK
    with downloaded(session, str(kept) if request.as_it_was else request.notebook) as path:
        cell = parameters.read_parameters(path, shown=request.notebook).names
    profiled = Session(profile=request.profile).profile_values[1] if request.profile is not None else {}
    from_settings = {names[field]: value for field, value in profiled.items() if names[field] not in os.environ}
    from_settings |= {names[field]: value for field, value in check_values(dict(request.settings)).items()}
    return {name: str(value) for name, value in from_settings.items() if name not in cell}
