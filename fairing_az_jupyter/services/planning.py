"""Notebook runs: planned with every parameter checked, and carried out."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.services.remote_files import downloaded
from fairing_az_jupyter.settings import check_launch, check_values, notebook_names, to_notebook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fairing_az_jupyter.services.session import Session

EXECUTED_SUFFIX = ".executed.ipynb"
_WEB = ("http://", "https://")


def plan_run(
    session: Session,
    notebook: str,
    *,
    pairs: Iterable[tuple[str, str]] = (),
    values: Mapping[str, object] | None = None,
    parameters_file: str | None = None,
    output: str | None = None,
    from_run: Mapping[str, object] | None = None,
    snapshot: str | None = None,
    **options: Any,  # noqa: ANN401 - handed on to RunRequest
) -> RunRequest:
    """Return the notebook run that was asked for, with every parameter checked.

    Of a parameter that several sources give, the highest counts: settings given as arguments, values, texts, the
    file, the earlier run, the environment variables `FAIRING_PARAM_<NAME>`, the profile.

    Args:
        session: The settings in force, the records and the cluster.
        notebook: Path or URL of the notebook.
        pairs: Parameters as texts.
        values: Parameters as Python has them.
        parameters_file: Path or URL of a YAML or JSON file with parameters.
        output: Path of the executed notebook; None for one beside the notebook.
        from_run: The parameters of an earlier run. None for none.
        snapshot: Path of the copy of the notebook to read; None for the notebook itself. Messages name the notebook.
        options: Further arguments of `RunRequest`.

    Raises:
        InputError: A parameter is unknown, of the wrong type, secret, breaks the rule of its setting, or is set
            again by a later cell; or what the backend needs is missing.

    """
    from fairing_az_jupyter.runs import injection  # noqa: PLC0415 - most commands need none of them
    from fairing_az_jupyter.runs.parameters import sources  # noqa: PLC0415
    from fairing_az_jupyter.runs.parameters.file import read_parameters_file  # noqa: PLC0415 - it loads YAML
    from fairing_az_jupyter.runs.places.addresses import shown  # noqa: PLC0415

    named = shown(notebook)
    with contextlib.ExitStack() as here:
        snapshot = here.enter_context(downloaded(session, notebook)) if snapshot is None else snapshot
        read = parameters.read_parameters(snapshot, shown=named)
        cell = sources.Cell(read.names, read.values, {name: said.type for name, said in read.declared.items()})
        given = [
            # Flags are text: true, false and numbers have to be so before they meet the cell's own values.
            sources.from_arguments(to_notebook(check_values(session.given))),
            sources.from_arguments(values or {}),
            sources.from_pairs(pairs, cell),
        ]
        if parameters_file is not None:
            reported = shown(parameters_file)
            in_file = read_parameters_file(here.enter_context(downloaded(session, parameters_file)), reported)
            given.append(sources.from_file(reported, in_file, cell))
        if from_run is not None:
            given.append(sources.from_earlier_run(from_run))
        overruled = {name for source in given for name in source.values}
        given.append(sources.from_environment(os.environ, cell, named, overruled=overruled))
        if session.profile is not None:
            given.append(sources.from_profile(session.profile, to_notebook(session.profile_values[1]), cell))
        counts = sources.gather(given, cell, named)
        injection.check_effect(named, counts, snapshot=snapshot)
    _check_backend(session, read.values, counts)
    return RunRequest(notebook=notebook, output=output or default_output(notebook), parameters=counts, **options)


def describe_parameters(
    session: Session,
    notebook: str,
    *,
    snapshot: str | None = None,
) -> tuple[parameters.ParameterInfo, ...]:
    """List the parameters of a notebook, with what its parameters cell says about each.

    Args:
        session: The settings in force, the records and the cluster.
        notebook: Path of the notebook.
        snapshot: Path of the copy of it to read; None for the notebook itself. Messages name the notebook.

    Returns:
        The parameters in the order of the cell; what looks like a secret is hidden. Nothing where no cell is tagged.

    Raises:
        NotebookFileError: The file can't be read or is not a Python notebook, or such a cell has a syntax error.

    """
    from fairing_az_jupyter.runs.parameters.secrets import is_secret  # noqa: PLC0415 - most commands don't need it
    from fairing_az_jupyter.runs.places.addresses import shown  # noqa: PLC0415 - as above

    with downloaded(session, snapshot or notebook) as path:
        read = parameters.read_parameters(path, shown=shown(notebook))
    return parameters.describe(read, notebook_names().values(), is_secret)


def default_output(notebook: str) -> str | None:
    """Return where the executed notebook goes if nothing else is said: beside the notebook, if that can be written."""
    stem = notebook.removesuffix(".ipynb")
    return None if notebook.lower().startswith(_WEB) else f"{stem}{EXECUTED_SUFFIX}"


def _check_backend(session: Session, cell: Mapping[str, object], given: Mapping[str, object]) -> None:
    """Reject a run that the cluster's backend could not launch; on this machine the Azure settings are not used."""
    name = notebook_names()["backend"]
    if given.get(name, cell.get(name)) != "KubeflowAzureBackend":
        return
    # What the notebook leaves at None, the backend takes from the environment and the active profile.
    said = {each: value for each, value in {**cell, **given}.items() if value is not None}
    check_launch(session.of_its_kernel(said).settings)
