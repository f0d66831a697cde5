"""Isolated Python environments from a requirements file, made once for each content of it."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import platform
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from fairing_az_jupyter.exceptions import PackageMissingError
from fairing_az_jupyter.files import locked
from fairing_az_jupyter.folders import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

JOB_REQUIREMENTS = ("cloudpickle",)
NOTEBOOK_REQUIREMENTS = ("ipykernel", "papermill")
SERVING_REQUIREMENTS = ("cloudpickle", "kserve>=0.15")
_COMPLETE = "complete"
_NAME = re.compile(r"[0-9a-f]{24}")
_SHOWN_LINES = 15
_INSTALL_SECONDS = 3600.0  # how long to wait for another process that installs the same


def environment_for(requirements: Path, own: Sequence[str], report: Callable[[str], None]) -> Path:
    """Return the interpreter of an environment that has these requirements.

    Args:
        requirements: A requirements.txt; a missing one means no requirements of the user's own.
        own: What a job or an endpoint itself needs, as pip takes it.
        report: Gets a line on what is being done.

    Returns:
        The path of its `python`. Environments lie below `environments/` in the data folder, named by the digest of
        the requirements and the interpreter: the same requirements are installed once.

    Raises:
        PackageMissingError: pip could not install them; nothing is left of the attempt.

    """
    text, lasting = _all_of(requirements, set())
    identity = "\n".join((platform.python_version(), sys.platform, platform.machine(), *own))
    digest = hashlib.sha256(identity.encode() + b"\0" + text).hexdigest()[:24]
    parent = data_folder("environments")
    folder = parent / digest
    python = folder / "bin" / "python"
    with locked(parent / f"{digest}.lock", seconds=_INSTALL_SECONDS):
        if not (lasting and (folder / _COMPLETE).exists()):
            report(f"Installing {requirements.name} into an environment of its own ({folder}).")
            shutil.rmtree(folder, ignore_errors=True)
            try:
                _install(folder, python, [*own, *(("-r", str(requirements)) if text.strip() else ())])
                (folder / _COMPLETE).touch()
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        # By its time it is known when the environment was last of use.
        with contextlib.suppress(OSError):
            (folder / _COMPLETE).touch()
    return python


@dataclasses.dataclass(frozen=True)
class Environment:
    """An isolated environment.

    Args:
        folder: Its folder.
        used: When it was last of use, in seconds since 1970-01-01 UTC.
        size: Its bytes; files that it shares with a cache among them.

    """

    folder: Path
    used: float
    size: int


def unused_environments(seconds: float) -> list[Environment]:
    """Return the environments that were not of use for so long and that no process of this machine runs from.

    Args:
        seconds: How long.

    """
    old = []
    with contextlib.suppress(OSError):
        for folder in sorted(data_folder("environments").iterdir()):
            used = _used(folder)
            if _NAME.fullmatch(folder.name) and used is not None and time.time() - used > seconds:
                old.append((folder, used))
    running = _programs() if old else ()
    return [
        Environment(folder, used, _size(folder))
        for folder, used in old
        if not any(program.startswith(f"{folder}{os.sep}") for program in running)
    ]


def remove_environment(environment: Environment) -> bool:
    """Delete an environment, unless it has been of use since it was found.

    Args:
        environment: The environment.

    Returns:
        Whether it is gone.

    Raises:
        OSError: It can't be deleted.

    """
    folder = environment.folder
    try:
        with locked(folder.with_name(f"{folder.name}.lock"), seconds=0.0):
            if _used(folder) != environment.used:
                return not folder.exists()
            going = folder.with_name(f".gone-{folder.name}-{secrets.token_hex(3)}")
            folder.rename(going)
    except TimeoutError:
        return False
    shutil.rmtree(going, ignore_errors=True)
    return True


def _used(folder: Path) -> float | None:
    with contextlib.suppress(OSError):
        return (folder / _COMPLETE).stat().st_mtime
    return None


def _programs() -> tuple[str, ...]:
    """Return what the processes of this machine were started as; an environment's interpreter is a link to another."""
    found: list[str] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            found += process.cmdline()[:1]
    return tuple(found)


def _size(folder: Path) -> int:
    total = 0
    for top, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(top, name)).st_size  # noqa: PTH118 - ten thousands of them
    return total


def _all_of(requirements: Path, seen: set[Path]) -> tuple[bytes, bool]:
    """Return a requirements file with those that it names, and whether all of it says the same tomorrow.

    Packages from a folder or from version control change without a change of the line.
    Source: https://pip.pypa.io/en/stable/reference/requirements-file-format/
    """
    if requirements in seen or not requirements.exists():
        return b"", True
    seen.add(requirements)
    text = requirements.read_bytes()
    lasting = True
    for line in text.decode(errors="replace").splitlines():
        named = re.match(r"\s*(?:-r|-c|--requirement|--constraint)[\s=]+(\S+)", line)
        if named:
            more, lasts = _all_of(requirements.parent / named[1], seen)
            text += b"\0" + more
            lasting = lasting and lasts
        elif re.match(r"\s*(?:-e\b|--editable\b|[./~]|[\w.\[\],-]*\s*@?\s*(?:file:|git\+|hg\+|svn\+|bzr\+))", line):
            lasting = False
    return text, lasting


def _install(folder: Path, python: Path, chosen: Sequence[str]) -> None:
    # An environment that was made by uv has it beside its own interpreter, which need not be on the PATH.
    uv = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    if uv:
        steps = [
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *chosen],
        ]
    else:
        steps = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *chosen],
        ]
    for step in steps:
        done = subprocess.run(step, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            lines = "\n".join(f"  {line}" for line in done.stdout.splitlines()[-_SHOWN_LINES:])
            raise PackageMissingError(
                f"The requirements can't be installed into an environment of their own:\n{lines}\n",
                hint="Fix requirements.txt, or use LocalBackend(isolated=False) to run in this environment.",
            )
