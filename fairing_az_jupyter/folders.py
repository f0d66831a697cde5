"""Where this package keeps its files on the user's machine."""

from __future__ import annotations

import os
from pathlib import Path

from fairing_az_jupyter.exceptions import InputError

DATA_VARIABLE = "FAIRING_AZURE_HOME"

LAUNCH_LOGS = "fairing-azure-logs"
"""The folder beside a notebook with what its launches have printed: there the notebook can link to it."""


def data_folder(*parts: str) -> Path:
    """Return a folder for data that the user may delete, and make it.

    It lies below Jupyter's data folder unless FAIRING_AZURE_HOME names another.

    Args:
        parts: The folders below it.

    Raises:
        InputError: It can't be made.

    """
    override = os.environ.get(DATA_VARIABLE)
    if override:
        base = Path(override).expanduser()
    else:
        from jupyter_core.paths import jupyter_data_dir  # noqa: PLC0415 - costs more than the rest of this module

        base = Path(jupyter_data_dir()) / "fairing-az-jupyter"
    folder = base.joinpath(*parts).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(
            f"The data folder '{folder}' can't be created: {error.strerror}.",
            hint=f"Choose a writable folder with the environment variable {DATA_VARIABLE}.",
            code="data-folder",
        ) from None
    return folder
