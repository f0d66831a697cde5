"""Isolated Python environments from a requirements file, made once for each content of it."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import PackageMissingError
from fairing_az_jupyter.files import locked
from fairing_az_jupyter.folders import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

JOB_REQUIREMENTS = ("cloudpickle",)
NOTEBOOK_REQUIREMENTS = ("ipykernel", "papermill")
SERVING_REQUIREMENTS = ("cloudpickle", "kserve>=0.15")
_COMPLETE = "complete"
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
    return python


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
