"""The Dockerfiles of images that are built in the cluster or by Azure.

Source: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FILE_NAME", "LABEL", "dependency_image", "whole_image"]

FILE_NAME = "fairing.Dockerfile"
"""Its name in a build context, where a task may have a Dockerfile of its own."""

LABEL = "io.github.fairing-az-jupyter.requirements"
"""The label that tells what was asked for."""

# Debian's own Python refuses pip without the first; a build runs as root, and pip would warn of it.
_PIP = (
    "RUN PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore "
    "python -m pip install --no-cache-dir --disable-pip-version-check --progress-bar off -r requirements.txt"
)


def dependency_image(base: str, prefix: str, requirements: str, files: Iterable[str] = ()) -> str:
    """Return the Dockerfile of an image that has what a requirements file asks for, and nothing else of the task.

    Args:
        base: The image to start from.
        prefix: The application's folder in the image.
        requirements: What is asked for, in one line, for the label.
        files: The top-level folders of the context, where the requirements name files in them.

    """
    copied = [_copy(name) for name in files] or [_requirements(prefix)]
    return _text([*_head(base, _folder(prefix)), *copied, *_installed(requirements)])


def whole_image(
    base: str, prefix: str, folders: Iterable[str], requirements: str | None, *, all_first: bool = False
) -> str:
    """Return the Dockerfile of a task's whole image: first what changes seldom.

    Args:
        base: The image to start from.
        prefix: The application's folder in the image.
        folders: The top-level folders of the context.
        requirements: What is asked for, in one line; None where there is no requirements file.
        all_first: Whether the requirements name other files of the task, which have to be there before.

    """
    lines = [*_head(base, _folder(prefix)), "ENV FAIRING_RUNTIME=1"]
    files = [_copy(name) for name in folders]
    if requirements is None:
        return _text([*lines, *files])
    installed = _installed(requirements)
    return _text([*lines, *files, *installed] if all_first else [*lines, _requirements(prefix), *installed, *files])


def _head(base: str, folder: str) -> list[str]:
    # Pods run as root, as Fairing has them; packages that another user installs would not be found.
    return [f"FROM {base}", "USER root", f"WORKDIR {folder}"]


def _folder(prefix: str) -> str:
    return f"/{prefix.strip('/')}"


def _requirements(prefix: str) -> str:
    wanted = f"{_folder(prefix)}/requirements.txt"
    return f"COPY {_words(wanted.lstrip('/'), wanted)}"


def _copy(name: str) -> str:
    return f"COPY {_words(name, posixpath.join('/', name))}"


def _words(*paths: str) -> str:
    """Return the form of COPY whose paths may hold blanks."""
    return json.dumps(paths)


def _installed(requirements: str) -> list[str]:
    """Return the lines that install what is asked for, and tell it: to the history as the shell's comment."""
    told = requirements.replace("\\", "/")
    # Quoted as JSON is: the builder reads the same escapes, and would put variables in the place of $NAME.
    quoted = json.dumps(requirements).replace("$", "\\$")
    return [f"{_PIP} # {told}" if told else _PIP, f"LABEL {LABEL}={quoted}"]


def _text(lines: list[str]) -> str:
    return "\n".join([*lines, ""])
