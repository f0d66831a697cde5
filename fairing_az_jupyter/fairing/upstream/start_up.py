"""The start-up file: with it in site-packages, upstream's own import lines work in every interpreter of an environment.

Python runs the lines of a `.pth` file that begin with `import` when it starts; see the documentation of `site`. The
wheel has no such file, so installing this package changes no other Python process. `fairing-azure install-fairing`
writes it.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

from fairing_az_jupyter.exceptions import InstallationError
from fairing_az_jupyter.files import replace_file

NAME = "fairing_az_jupyter_start_up.pth"
BRIDGE = "import fairing_az_jupyter.fairing"
"""What an interpreter has to run so that `import kubeflow.fairing` works."""

# After `pip uninstall fairing-az-jupyter` the file is still there, and has to be silent.
_TEXT = f'import sys; exec("try:\\n {BRIDGE}\\nexcept ModuleNotFoundError:\\n pass")\n'
_WITHOUT = (
    f"Without it, '{BRIDGE}' or, in a notebook, '%load_ext fairing_az_jupyter' has to come before Fairing's imports."
)


def start_up_file() -> Path:
    """Return where the start-up file of this interpreter's environment is, or would be."""
    return Path(sysconfig.get_path("purelib")) / NAME


def is_written() -> bool:
    """Return whether the start-up file is there and loads the bridge."""
    try:
        return BRIDGE in start_up_file().read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def write() -> None:
    """Write the start-up file; nothing changes if it is there.

    Raises:
        InstallationError: The environment's site-packages can't be written to.

    """
    if is_written():
        return
    file = start_up_file()
    try:
        replace_file(file, _TEXT.encode(), mode=0o644)
    except OSError as error:
        raise InstallationError(
            f"The start-up file '{file}' can't be written: {error.strerror or error}. {_WITHOUT}",
            hint="Run 'fairing-azure install-fairing' as a user who may write to that folder, or begin the notebook "
            "with '%load_ext fairing_az_jupyter'.",
            code="start-up-file",
        ) from error


def remove() -> bool:
    """Remove the start-up file, and return whether there was one.

    Raises:
        InstallationError: The environment's site-packages can't be written to.

    """
    file = start_up_file()
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InstallationError(
            f"The start-up file '{file}' can't be removed: {error.strerror or error}.",
            hint="Run 'fairing-azure install-fairing --remove' as a user who may write to that folder.",
            code="start-up-file",
        ) from error
    return True
