"""The image of a notebook that runs in the cluster: its files, this package as it is installed here, what both need."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import posixpath
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kubeflow.fairing.preprocessors.base import BasePreProcessor

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.cluster.pod_spec import plain_spec
from fairing_az_jupyter.fairing.context.collecting import collect
from fairing_az_jupyter.fairing.context.requirements import requirements_text
from fairing_az_jupyter.fairing.upstream.installation import DISTRIBUTION as FAIRING
from fairing_az_jupyter.fairing.upstream.start_up import BRIDGE
from fairing_az_jupyter.settings.naming import python_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.images.builder import ImageBuilder

__all__ = [
    "APP",
    "MODULE",
    "PACKAGES",
    "NotebookFiles",
    "build_image",
    "own_requirements",
    "recorded_image",
    "requirements_with_own",
]

APP = "/app"
"""The notebook's folder in the image."""

PACKAGES = "/opt/fairing-az-jupyter"
"""Where this package lies in the image; PYTHONPATH names it."""

MODULE = "fairing_az_jupyter.services.cluster_runs.pod"
"""What the container runs."""

_DISTRIBUTION = "fairing-az-jupyter"
_REQUIREMENTS = "requirements.txt"
# Forms, servers and completion: nobody looks at them in a pod.
_NOT_IN_A_POD = frozenset({"ipywidgets", "jupyter-server", "shtab"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HASHED = re.compile(r"^\s*--require-hashes|\s--hash[=\s]", re.MULTILINE)
# The side panel is a front end's, and large.
_LEFT_OUT = frozenset({"__pycache__", "labextension"})
# The rest of a distribution's metadata tells how it came to be on this machine.
_METADATA = ("METADATA", "entry_points.txt")
# PYTHONPATH is not site-packages, so a start-up file would not be read there; this module is.
_START_UP = f"{BRIDGE}\n"


@dataclass(frozen=True)
class NotebookFiles:
    """A notebook and what goes with it.

    Args:
        name: The notebook's name in the image, without a folder.
        content: Its bytes.
        folder: The folder that it lies in here, or the working directory where it is elsewhere.
        input_files: Files and folders in that folder, relative to the working directory.
        has_requirements: Whether a `requirements.txt` of that folder belongs to it.

    """

    name: str
    content: bytes
    folder: Path
    input_files: tuple[str, ...] = ()
    has_requirements: bool = True


def build_image(launcher: Launcher, files: NotebookFiles) -> tuple[dict[str, Any], dict[str, Any]]:
    """Have the notebook's image in the registry; nothing is built or sent where it is there.

    Args:
        launcher: Registry, Storage account and cluster.
        files: What goes into it.

    Returns:
        What a record tells of it, by the names of `Provenance` (`image` is its whole name), and the specification of a
        pod that runs it.

    Raises:
        ContextError: A file is missing, can't be read, or has no place in the image.
        BuildFailedError: It was built, and that failed.
        ServiceError: Registry, Storage account or cluster do not do what is asked.

    """
    with tempfile.TemporaryDirectory(prefix="fairing-az-") as scratch:
        members = _members(files, Path(scratch))
        builder = _builder(launcher, _Preprocessed(members))
        builder.build()
        made_of = {**builder.provenance(), "image": str(builder.image_tag)}
        spec = plain_spec(builder.generate_pod_spec(), (), launcher.target.namespace)
    return made_of, spec


def recorded_image(launcher: Launcher, as_it_was: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what `build_image` does for the image of an earlier run; nothing is built or sent.

    Args:
        launcher: Registry and cluster.
        as_it_was: The record of that run.

    Raises:
        NotFoundError: The image was deleted.
        ServiceError: The registry does not say.

    """
    from fairing_az_jupyter.fairing.images.recorded_image import RecordedImage  # noqa: PLC0415 - seldom needed

    builder = RecordedImage(launcher, _Preprocessed({}), as_it_was)
    builder.build()
    made_of = {**builder.provenance(), "image": str(builder.image_tag)}
    return made_of, plain_spec(builder.generate_pod_spec(), (), launcher.target.namespace)


def own_requirements() -> tuple[str, ...]:
    """Return what this package needs in a pod, as its own metadata ask for it.

    Raises:
        ContextError: The metadata do not exist: the package was not installed, only copied.

    """
    try:
        asked = importlib.metadata.requires(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise ContextError(
            (
                f"The metadata of '{_DISTRIBUTION}' are not installed here, so its dependencies in the cluster are "
                "unknown."
            ),
            hint="Install it with pip or uv.",
            code="no-metadata",
        ) from error
    named = {line: _NAME.match(line) for line in asked if "extra ==" not in line}
    return tuple(sorted(line for line, name in named.items() if name and _normal(name[0]) not in _NOT_IN_A_POD))


def requirements_with_own(content: bytes) -> bytes:
    """Return a requirements file that asks for what the notebook needs, and for what this package needs beside it.

    Args:
        content: The notebook's own file, in any encoding that pip reads; may be empty.

    Raises:
        ContextError: It pins everything by hashes, which this package's own needs do not have.

    """
    text = requirements_text(content)
    if _HASHED.search(text):
        raise ContextError(
            f"The notebook's {_REQUIREMENTS} contains hashes (--hash), so pip requires a hash for every package. The "
            "packages that run the notebook in the cluster are installed with it and have none.",
            hint="Remove the hashes, or build an image with all packages yourself and pass it: --base-image IMAGE",
            code="hashes",
        )
    lines = ["# -*- coding: utf-8 -*-", *text.splitlines(), f"# What {_DISTRIBUTION} needs:", *own_requirements(), ""]
    return "\n".join(lines).encode("utf-8", "replace")


class _Preprocessed(BasePreProcessor):  # type: ignore[misc] # Fairing is untyped
    """What Fairing's builders ask a preprocessor for, of files that are settled already."""

    def __init__(self, members: Mapping[str, Path]) -> None:
        super().__init__(command=["python", "-m", MODULE], path_prefix=f"{APP}/")
        self._members = members

    def context_map(self) -> dict[str, str]:
        """Return the files by their names in the image."""
        return {destination: str(source) for destination, source in self._members.items()}

    def fairing_runtime_files(self) -> dict[str, str]:
        """Return nothing: the whole package goes elsewhere, and a notebook's folder stays the user's own."""
        return {}


def _builder(launcher: Launcher, preprocessor: _Preprocessed) -> ImageBuilder:
    from fairing_az_jupyter.fairing.images.acr_tasks import AcrTasksBuilder  # noqa: PLC0415 - one of them is needed
    from fairing_az_jupyter.fairing.images.kaniko import KanikoBuilder  # noqa: PLC0415 - likewise
    from fairing_az_jupyter.fairing.images.layered import LayeredBuilder  # noqa: PLC0415 - likewise

    kinds: dict[str, type[ImageBuilder]] = {
        builder.kind: builder for builder in (LayeredBuilder, KanikoBuilder, AcrTasksBuilder)
    }
    base = launcher.settings.base_image or python_image("{}.{}".format(*sys.version_info))
    return kinds[launcher.settings.builder](launcher, preprocessor, base)


def _members(files: NotebookFiles, scratch: Path) -> dict[str, Path]:
    """Return all files by their names in the image; what is made for it lies in a scratch folder."""

    def made(name: str, data: bytes) -> Path:
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    own = files.folder / _REQUIREMENTS
    asked = _read(own) if files.has_requirements and own.exists() else b""
    members = _input_members(files)
    members |= _package_members()
    members[f"{APP}/{files.name}"] = made(f"notebook/{files.name}", files.content)
    members[f"{APP}/{_REQUIREMENTS}"] = made(_REQUIREMENTS, requirements_with_own(asked))
    members[f"{PACKAGES}/sitecustomize.py"] = made("sitecustomize.py", _START_UP.encode())
    return members


def _input_members(files: NotebookFiles) -> dict[str, Path]:
    listed: dict[str, str | Path] = {}
    folder = Path(os.path.realpath(files.folder))
    for name in files.input_files:
        path = Path(os.path.realpath(name))
        if not path.is_relative_to(folder):
            raise ContextError(
                f"Input file '{name}' is not in the notebook's folder '{files.folder}', so it has no path in the "
                "image.",
                hint="Copy it there.",
            )
        relative = path.relative_to(folder).as_posix()
        listed[APP if relative == "." else posixpath.join(APP, relative)] = path
    entries = collect(listed, folder) if listed else ()
    return {f"/{entry.destination}": entry.source for entry in entries if entry.kind != "folder" and entry.source}


def _package_members() -> dict[str, Path]:
    """Return the files of this package, and of Kubeflow Fairing where that is installed."""
    package = Path(__file__).parents[2]
    found = _below(package, PurePosixPath(PACKAGES, package.name))
    found |= _metadata_members(_DISTRIBUTION)
    spec = importlib.util.find_spec("kubeflow")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "fairing" / "__init__.py").is_file():
            found |= _below(Path(place) / "fairing", PurePosixPath(PACKAGES, "kubeflow", "fairing"))
            # It makes `kubeflow` a package that others, such as the image's own, can add to.
            found[f"{PACKAGES}/kubeflow/__init__.py"] = Path(place) / "__init__.py"
            found |= _metadata_members(FAIRING)
            break
    return {destination: path for destination, path in found.items() if path.is_file()}


def _below(folder: Path, destination: PurePosixPath) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        inner = destination.joinpath(*Path(top).relative_to(folder).parts)
        found |= {str(inner / name): Path(top, name) for name in names if not name.endswith((".pyc", ".tmp"))}
    return found


def _metadata_members(distribution: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files(distribution) or ():
            if file.parent.name.endswith(".dist-info") and file.name in _METADATA:
                found[f"{PACKAGES}/{file.parent.name}/{file.name}"] = Path(str(file.locate()))
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ContextError(
            f"'{path}' can't be read ({error.strerror or error}), so the notebook's dependencies are unknown.",
            hint="Grant yourself permission: chmod u+r",
        ) from error


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
