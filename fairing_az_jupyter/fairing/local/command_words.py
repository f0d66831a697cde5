"""A container's command and variables as those of a process on this machine."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["as_local", "kernel_of", "program", "variables_of"]

_OWN_VARIABLES = ("JPY_SESSION_NAME", "JPY_PARENT_PID")


def as_local(word: str, prefix: str, application: Path) -> str:
    """Return a word of a container's command with a path in the image as the path here.

    Args:
        word: The word.
        prefix: The application's folder in the image, with a slash at its end.
        application: That folder here.

    """
    if word == prefix.rstrip("/"):
        return str(application)
    return str(application / word[len(prefix) :]) if word.startswith(prefix) else word


def kernel_of(notebook: Path) -> list[str]:
    """Return papermill's option for a notebook that names no kernel, which papermill would reject.

    Args:
        notebook: The notebook.

    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if not json.loads(notebook.read_bytes()).get("metadata", {}).get("kernelspec", {}).get("name"):
            return ["--kernel", "python3"]
    return []


def program(name: str, python: Path) -> str:
    """Return the program that an image's `name` would be in this environment.

    Args:
        name: The first word of a container's command.
        python: The Python of the environment.

    """
    if name in {"python", "python3"}:
        return str(python)
    beside = python.parent / name
    return str(beside) if "/" not in name and beside.exists() else name


def variables_of(variables: Sequence[Any], application: Path, python: Path, *, isolated: bool) -> dict[str, str]:
    """Return the variables of a job's or endpoint's process.

    Args:
        variables: Those of the container, as Fairing has them.
        application: The folder that it runs in.
        python: The Python of its environment.
        isolated: Whether that is an environment of its own.

    """
    foreign = {*_OWN_VARIABLES, *(("PYTHONPATH", "PYTHONHOME") if isolated else ())}
    environ = {name: value for name, value in os.environ.items() if name not in foreign}
    if environ.get("MPLBACKEND", "").startswith("module://"):
        # The kernel's own drawing backend: it draws into notebook cells, and a child has none.
        del environ["MPLBACKEND"]
    environ.update({variable.name: variable.value for variable in variables if variable.value is not None})
    environ["PYTHONUNBUFFERED"] = "1"
    environ["PYTHONPATH"] = os.pathsep.join(part for part in (str(application), environ.get("PYTHONPATH", "")) if part)
    environ["PATH"] = os.pathsep.join((str(python.parent), environ.get("PATH", os.defpath)))
    return environ
