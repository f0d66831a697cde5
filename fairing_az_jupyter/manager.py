"""What every front end calls: settings, fill, run. The rules stand here and below, once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.settings import (
    cell_fields,
    check_launch,
    check_values,
    field_for,
    from_notebook,
    notebook_names,
    sources,
    to_notebook,
)
from fairing_az_jupyter.settings.profiles import ProfileStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fairing_az_jupyter.models import RunEvent, RunResult
    from fairing_az_jupyter.settings.sources import Resolved

EXECUTED_SUFFIX = ".executed.ipynb"


def settings_in_force(
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: str | None = None,
    profile: str | None = None,
) -> Resolved:
    """Return the settings in force and where each comes from.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts.
        profile: The profile to use; None for the active one.

    Raises:
        FairingAzureError: A source can't be read, or a value in force breaks its rule.

    """
    name, values = _profile(profile)
    return sources.resolve(
        explicit=explicit,
        cell=parameters.read_parameters(notebook).values if notebook is not None else None,
        environ=sources.environment_values(os.environ),
        profile=values,
        cluster=sources.cluster_values(),
        profile_name=name or "",
    )


def plan_fill(
    notebook: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    profile: str | None = None,
) -> parameters.FillPlan:
    """Return what filling a notebook's parameters cell would change.

    What is filled in comes from the arguments, the profile that was named, the environment, and the active profile, in
    this order. Settings that not every notebook has are filled in only where the cell has them, or where they were
    given as arguments.

    Args:
        notebook: Path of the notebook.
        explicit: Settings given as arguments, by field.
        profile: The profile to use; None for the active one.

    Raises:
        InputError: There is nothing to fill in, a value breaks its rule, or the notebook can't be filled.

    """
    given = dict(explicit or {})
    name, values = _profile(profile)
    present = parameters.read_parameters(notebook).names
    resolved = sources.resolve(
        explicit={**values, **given} if profile is not None else given,
        environ=sources.environment_values(os.environ),
        profile=values,
        profile_name=name or "",
    )
    fields = {each.field for each in resolved.explain() if each.source != "default"}
    names = notebook_names()
    wanted = {field for field in fields if field in cell_fields() or field in given or names[field] in present}
    if not wanted:
        raise InputError(
            f"There is nothing to fill into '{notebook}': no setting was given, and no profile is active.",
            hint="Give one, such as --docker-registry myregistry.azurecr.io, or --profile NAME.",
            code="nothing-to-fill",
        )
    chosen = resolved.settings.model_dump(mode="json", include=wanted)
    return parameters.plan_fill(notebook, to_notebook({field: chosen[field] for field in names if field in wanted}))


def plan_run(
    notebook: str,
    *,
    pairs: Iterable[tuple[str, str]] = (),
    parameters_file: str | None = None,
    explicit: Mapping[str, Any] | None = None,
    profile: str | None = None,
    output: str | None = None,
    **options: Any,  # noqa: ANN401 - handed on to RunRequest
) -> RunRequest:
    """Return the notebook run that was asked for, with every parameter checked.

    Args:
        notebook: Path of the notebook.
        pairs: Parameters as texts; they win over the file's.
        parameters_file: A YAML or JSON file with parameters.
        explicit: Settings given as arguments, by field; they win over both.
        profile: A profile whose settings are parameters too; the lowest of all. None for none.
        output: Path of the executed notebook; None for one beside the notebook.
        options: Further arguments of `RunRequest`.

    Raises:
        InputError: A parameter is unknown, of the wrong type, secret, breaks the rule of its setting, or is set
            again by a later cell; or what the backend needs is missing.

    """
    from fairing_az_jupyter.runs import injection, values  # noqa: PLC0415 - most commands need neither
    from fairing_az_jupyter.runs import parameters_file as files  # noqa: PLC0415 - likewise, and it loads YAML

    cell = parameters.read_parameters(notebook)
    _, profiled = _profile(profile) if profile is not None else (None, {})
    given = values.merge(
        {name: value for name, value in to_notebook(profiled).items() if name in cell.names},
        files.read_parameters_file(parameters_file) if parameters_file is not None else {},
        values.parse_pairs(pairs, cell.values),
        to_notebook(explicit or {}),
    )
    values.refuse_secrets(given)
    values.check_names(given, cell.names, notebook)
    values.check_plain(given)
    values.check_types(given, cell.values)
    given = {**given, **to_notebook(check_values(from_notebook(given)))}
    injection.check_effect(notebook, given)
    _check_backend(cell.values, given)
    return RunRequest(
        notebook=notebook,
        output=output or default_output(notebook),
        parameters=given,
        **options,
    )


def default_output(notebook: str) -> str:
    """Return where the executed notebook goes if nothing else is said: beside the notebook."""
    path = Path(notebook)
    return str(path.with_name(path.name.removesuffix(".ipynb") + EXECUTED_SUFFIX))


def run(request: RunRequest, on_event: Callable[[RunEvent], None]) -> RunResult:
    """Run a notebook and report what happens.

    Args:
        request: The run, from `plan_run`.
        on_event: Is called with every event as it happens.

    Raises:
        InputError: The run can't be started as it was asked for.
        ExecutionError: A cell raised, the kernel died, or the run was cancelled.

    """
    from fairing_az_jupyter.runs.execution import execute  # noqa: PLC0415 - loads papermill

    return execute(request, on_event)


def _check_backend(cell: Mapping[str, object], given: Mapping[str, object]) -> None:
    """Refuse a run that the cluster's backend could not launch; on this machine the Azure settings are not used."""
    name = notebook_names()["backend"]
    if given.get(name, cell.get(name)) != "KubeflowAzureBackend":
        return
    check_launch(sources.resolve(explicit=from_notebook(given), cell=cell).settings)


def _profile(name: str | None) -> tuple[str | None, dict[str, Any]]:
    store = ProfileStore()
    if name is not None:
        return name, store.read(name)
    return store.active(), store.active_values()


def save_profile(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Make a profile, or change some settings of one; return its values.

    Args:
        name: The profile.
        changes: Values by field.

    Raises:
        InputError: There is nothing to change, a value breaks its rule, or the profile can't be written.

    """
    store = ProfileStore()
    changes = {field_for(field): value for field, value in changes.items()}
    if name in store.list():
        store.set_values(name, changes)
    else:
        store.save(name, changes)
    return store.read(name)
