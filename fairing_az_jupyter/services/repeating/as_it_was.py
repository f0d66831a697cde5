"""Whether a run can be had again as it was: what its record names is looked for before anything is started."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.provenance.files import read_packages, read_provenance
from fairing_az_jupyter.records.provenance.inputs import input_files
from fairing_az_jupyter.records.provenance.packages import installed_packages
from fairing_az_jupyter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fairing_az_jupyter.models import Provenance, RunInfo, RunRequest

__all__ = ["check_as_it_was", "folder_of_run", "recorded_settings"]

_SHOWN = 5
_OLDER = "its record was made by an older version of this package and does not tell"
# They are none of what a run computes with.
_TOOLS = frozenset({"fairing-az-jupyter", "pip", "setuptools", "uv", "wheel"})


def check_as_it_was(info: RunInfo, request: RunRequest) -> None:
    """Make sure that a run can be repeated with what it was made of.

    Args:
        info: The run.
        request: What was asked for.

    Raises:
        InputError: Something of it can't be had again; the message names all of it (code `as-it-was`).
        ServiceError: The registry does not say whether it has the image.

    """
    made = read_provenance(Path(info.folder))
    in_cluster = info.place == "cluster" or made.backend == "KubeflowAzureBackend"
    gone = list(_gone_in_cluster(info, made) if in_cluster else _gone_here(info, request, made))
    if gone:
        hint = f"Repeat it with what there is now: fairing-azure runs retry {info.id}"
        if info.kind == "notebook" and not in_cluster:
            hint += f". Or run the recorded notebook: fairing-azure run {Path(info.folder) / layout.NOTEBOOK}"
        raise InputError(
            f"The run '{info.id}' can't be repeated as it was: {'; '.join(gone)}.", hint=hint, code="as-it-was"
        )


def folder_of_run(info: RunInfo, request: RunRequest) -> Path:
    """Return the folder that a run on this machine has worked in; in the cluster, one that is there.

    Args:
        info: The run.
        request: What was asked for.

    """
    folder = Path(request.cwd) if request.cwd else Path(request.notebook).absolute().parent
    return folder if folder.is_dir() else Path(info.folder)


def recorded_settings(folder: Path) -> Settings:
    """Return the settings that a launch was made with, whatever they are now.

    Args:
        folder: Its record.

    """
    made = read_provenance(folder)
    return Settings.model_validate({**made.settings, "namespace": made.namespace or None})


def _gone_in_cluster(info: RunInfo, made: Provenance) -> Iterable[str]:
    """Yield what is missing of a launch whose image has everything: code, input files and packages."""
    if not made.image or not made.image_digest:
        yield f"{_OLDER} its image's digest, or it ended before that image was there"
        return
    # A notebook's is the same for all.
    if not made.command and info.kind != "notebook":
        yield f"{_OLDER} what its container ran"
    if made.mutators:
        yield f"its pod was changed by functions that no record keeps ({', '.join(made.mutators)})"
    image = _missing_image(info, made)
    if image:
        yield f"its image {image} is no longer in the registry"


def _missing_image(info: RunInfo, made: Provenance) -> str:
    """Return the name of a launch's image if its registry does not have it any more; empty if it has."""
    from fairing_az_jupyter.fairing.cluster.connections import Launcher  # noqa: PLC0415 - loads the clients
    from fairing_az_jupyter.fairing.images.recorded_image import reference_of  # noqa: PLC0415 - likewise
    from fairing_az_jupyter.services.cluster_runs.records import launched_with  # noqa: PLC0415 - likewise

    folder = Path(info.folder)
    settings = launched_with(info)[0] if info.place == "cluster" else recorded_settings(folder)
    reference = reference_of(made)
    with Launcher(settings, launches=False) as launcher:
        found = launcher.images(reference.host).has(reference.repository, str(reference.digest))
    return "" if found else str(reference)


def _gone_here(info: RunInfo, request: RunRequest, made: Provenance) -> Iterable[str]:
    """Yield what differs on this machine: input files and packages are kept nowhere, and compared by their digests."""
    folder = Path(info.folder)
    if info.kind != "notebook" and not (folder / layout.CODE).is_file():
        yield f"{_OLDER} its code, or that was not kept"
    if made.mutators:
        yield f"it was changed by functions that no record keeps ({', '.join(made.mutators)})"
    work = Path(request.cwd) if request.cwd else Path(request.notebook).absolute().parent
    if "://" not in request.notebook and not work.is_dir():
        yield f"its folder '{work}' no longer exists"
    elif info.kind != "notebook":
        yield from _changed_inputs((*request.input_files, *request.output_map), work, made)
    if made.python and made.python != platform.python_version():
        yield f"it ran with Python {made.python}, and this is Python {platform.python_version()}"
    if not request.isolated:
        yield from _changed_packages(read_packages(folder))


def _changed_inputs(names: tuple[str, ...], work: Path, made: Provenance) -> Iterable[str]:
    then = {file.path: file.sha256 for file in made.inputs}
    if names and not then:
        yield f"{_OLDER} the digests of its input files"
        return
    now = {file.path: file.sha256 for file in input_files(names, work)}
    yield from _listed(
        "input file",
        [f"'{path}' {'has changed' if path in now else 'is gone'}" for path in then if now.get(path) != then[path]]
        + [f"'{path}' is new" for path in now if path not in then],
    )


def _changed_packages(then: Mapping[str, str]) -> Iterable[str]:
    if not then:
        yield f"{_OLDER} its packages"
        return
    # Not as this process has listed them before: a server lives for weeks.
    now = installed_packages.__wrapped__()
    changed = [
        f"{name} was {then.get(name, 'not installed')}, and {f'is {now[name]}' if name in now else 'is gone'}"
        for name in sorted({*then, *now} - _TOOLS)
        if then.get(name) != now.get(name)
    ]
    yield from _listed("package", changed)


def _listed(what: str, found: list[str]) -> Iterable[str]:
    if found:
        more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield f"{what}{'s' if len(found) > 1 else ''} {', '.join(found[:_SHOWN])}{more}"
