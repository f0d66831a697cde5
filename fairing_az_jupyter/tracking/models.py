"""Models in MLflow's registry: the files of a training become a version, and the files of a version come here."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError, ServiceError
from fairing_az_jupyter.folders import data_folder
from fairing_az_jupyter.outputs.keeping import keep
from fairing_az_jupyter.outputs.stored import LocalOutputs
from fairing_az_jupyter.tracking.place import required_place
from fairing_az_jupyter.tracking.tracker import registered, sender_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.outputs.stored import StoredOutputs
    from fairing_az_jupyter.settings import Settings

__all__ = ["MODELS", "FetchedModel", "check_registered", "check_registry", "fetch_model", "is_model"]

MODELS = "models:/"
"""What the URI of a model in the registry begins with: https://mlflow.org/docs/latest/ml/model-registry/."""

_LONGEST_NAME = 250
_URI = re.compile(r"models:/(?P<model>[^/:@]{1,250})(?:/(?P<version>[0-9]{1,10})|@(?P<alias>[\w-]{1,250}))")
_OPENED_SECONDS = 86_400.0


@dataclasses.dataclass(frozen=True)
class FetchedModel:
    """The files of one version of a model, on this machine.

    Args:
        name: Its URI with the version's number, such as `models:/ames/3`, also where an alias was asked for.
        folder: The folder with them, as `LocalOutputs` reads it: `manifest.json`, and `files/`.
        run: The MLflow run that it comes from; empty where MLflow does not say.

    """

    name: str
    folder: Path
    run: str = ""

    @contextlib.contextmanager
    def opened(self) -> Iterator[StoredOutputs]:
        """Open the files, as `FileSource` takes them."""
        yield LocalOutputs(self.folder)


def is_model(text: str) -> bool:
    """Tell whether a text names a model in the registry, and not a launch.

    Args:
        text: What stands behind `--from`.

    """
    return text.startswith(MODELS)


def fetch_model(settings: Settings, text: str, to: Path | None = None) -> FetchedModel:
    """Copy the files of a model's version to this machine, one after the other.

    Nothing is written outside the folder, whatever the server says its files are called.

    Args:
        settings: The settings in force.
        text: `models:/NAME/VERSION` or `models:/NAME@ALIAS`.
        to: The folder, which is made; None for one of this process's that is deleted when another is made a day later.

    Raises:
        InputError: It is not such a URI (code `model-uri`), no server is set, or the version has no files.
        PackageMissingError: MLflow is not installed.
        NotFoundError: The model, version or alias does not exist.
        ServiceError: MLflow does not hand it out, or it has files of a name that can't be taken.

    """
    found = _URI.fullmatch(text)
    if found is None:
        raise InputError(
            f"{text[:200]!r} is not a version of a model.",
            hint="Name it as models:/NAME/VERSION, such as models:/ames/3, or models:/NAME@ALIAS.",
            code="model-uri",
        )
    place = required_place(settings, f"'{text}'")
    folder = _own_folder() if to is None else to
    folder.mkdir(parents=True, exist_ok=True)
    channel = sender_for(place).channel
    with tempfile.TemporaryDirectory(prefix=".model-", dir=folder) as work:
        done = channel.ask(
            "fetch", model=found["model"], version=found["version"] or "", alias=found["alias"] or "", to=work
        )
        if not done["files"]:
            raise InputError(f"'{text}' has no files.", hint="Choose another version.", code="source-empty")
        try:
            keep(Path(work), list(done["files"]), folder)
        except OSError as error:
            raise InputError(
                f"The files of '{text}' can't be written to '{folder}': {error.strerror or error}.",
                hint="Free space there.",
                code="model-folder",
            ) from None
    return FetchedModel(f"{MODELS}{found['model']}/{done['version']}", folder, str(done["run_id"]))


def check_registry(settings: Settings, name: str) -> None:
    """Make sure, before a training starts, that its files can be registered.

    Args:
        settings: The settings in force.
        name: The model's name.

    Raises:
        InputError: The name is none (code `model-name`), or no server is set.
        PackageMissingError: MLflow is not installed.
        ServiceError: The server can't be reached, or does not let this user.

    """
    # https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/utils/validation.py: _validate_model_name
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable() or set(name) & set("/:@"):
        raise InputError(
            f"{name[:100]!r} is not the name of a model.",
            hint="It has 1 to 250 printable characters without / : and @.",
            code="model-name",
        )
    sender_for(required_place(settings, "--register")).channel.ask("check")


def check_registered(record: Path, name: str) -> str:
    """Return the URI of the model that a training has become.

    Args:
        record: The folder of its record.
        name: The model's name.

    Raises:
        ServiceError: It could not be registered (code `not-registered`); its files are kept.

    """
    found = registered(record)
    if found.get("version"):
        return f"{MODELS}{found['model']}/{found['version']}"
    why = found.get("problem") or "The launch was not reported to MLflow."
    raise ServiceError(
        f"The training has succeeded, but is not registered as '{name}'. {why}",
        hint=f"What it has written is kept: fairing-azure fetch {record.name}",
        code="not-registered",
        service="mlflow",
    )


def _own_folder() -> Path:
    """Return a new folder for a model, and delete those that nobody can need any more."""
    parent = data_folder("models")
    parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        now = time.time()
        for each in parent.iterdir():
            if now - each.stat().st_mtime > _OPENED_SECONDS:
                shutil.rmtree(each, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
