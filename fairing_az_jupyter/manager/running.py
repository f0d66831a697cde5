"""Notebook runs: planned with every parameter checked, and carried out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.manager.configuring import profile_values, settings_in_force
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.settings import check_launch, check_values, from_notebook, notebook_names, to_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fairing_az_jupyter.models import RunEvent, RunResult

EXECUTED_SUFFIX = ".executed.ipynb"


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
    _, profiled = profile_values(profile) if profile is not None else (None, {})
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
    # What the notebook leaves at None, the backend takes from the environment and the active profile.
    said = {each: value for each, value in {**cell, **given}.items() if value is not None}
    check_launch(settings_in_force(notebook=said).settings)
