"""Where launches are reported, as the settings say, and what has to be there for that."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import parameters
from fairing_az_jupyter.exceptions import FairingAzureError, InputError, PackageMissingError
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.settings import notebook_names, of_process, sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fairing_az_jupyter.models import RunRequest
    from fairing_az_jupyter.settings import Settings

__all__ = ["INSTALL", "TrackingPlace", "cell_values", "place_of", "required_place", "settings_of"]

INSTALL = "pip install 'fairing-az-jupyter[mlflow]'"
"""What installs MLflow's client."""

DEFAULT_EXPERIMENT = "fairing-az-jupyter"


@dataclasses.dataclass(frozen=True)
class TrackingPlace:
    """A tracking server, or a folder or database that takes its place.

    Args:
        uri: MLflow's tracking URI.
        experiment: The experiment's name.

    """

    uri: str
    experiment: str = DEFAULT_EXPERIMENT


def place_of(settings: Settings) -> TrackingPlace | None:
    """Return where launches are reported; None where no server is set.

    Args:
        settings: The settings in force.

    """
    uri = settings.mlflow_tracking_uri
    return None if uri is None else TrackingPlace(uri, settings.mlflow_experiment or DEFAULT_EXPERIMENT)


def required_place(settings: Settings, what: str) -> TrackingPlace:
    """Return where launches are reported, for something that can't be done otherwise.

    Args:
        settings: The settings in force.
        what: What can't be done, as the beginning of a sentence.

    Raises:
        InputError: No server is set.
        PackageMissingError: MLflow is not installed.

    """
    place = place_of(settings)
    if place is None:
        name = notebook_names()["mlflow_tracking_uri"]
        raise InputError(
            f"{what} needs an MLflow server, and {name} is not set.",
            hint=f"Set it: --mlflow-tracking-uri https://mlflow.contoso.com, or {name} in the environment.",
            code="mlflow-not-set",
        )
    if not is_installed():
        raise PackageMissingError(f"{what} needs MLflow, which is not installed.", hint=f"Install it: {INSTALL}")
    return place


def is_installed() -> bool:
    """Tell whether MLflow's client can be imported; it is not."""
    return importlib.util.find_spec("mlflow") is not None


def settings_of(request: RunRequest, record: Path) -> Settings | None:
    """Return the settings that are in force for a recorded launch; None where they can't be read.

    Args:
        request: The launch.
        record: The folder of its record, with the notebook as it was.

    """
    cell = cell_values(request, record)
    try:
        profile = None if request.profile is None else of_process.profile_values(request.profile)
        values = of_process.source_values(request.settings, cell, profile)
        resolved, _ = sources.resolve_usable(**values)
    except FairingAzureError:
        return None
    return resolved.settings


def cell_values(request: RunRequest, record: Path) -> Mapping[str, Any]:
    """Return the variables of the parameters cell of a recorded launch's notebook, with the values that it was given.

    Args:
        request: The launch.
        record: The folder of its record.

    """
    found: dict[str, Any] = {}
    copy = record / layout.NOTEBOOK
    if copy.is_file():
        try:
            found.update(parameters.read_parameters(str(copy)).values)
        except (FairingAzureError, OSError):
            found.clear()
    return {**found, **request.parameters}
