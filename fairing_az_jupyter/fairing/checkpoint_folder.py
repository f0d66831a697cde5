"""Which folder of a job's working folder keeps its checkpoints."""

from __future__ import annotations

import re

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.job_program.collecting import OWN_FOLDER

__all__ = ["checkpoint_folder"]

_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def checkpoint_folder(given: str | None) -> str:
    """Return a folder for checkpoints as a relative POSIX path without a slash at its end.

    Args:
        given: The folder, relative to the job's working folder, such as `ckpt/`; None or empty for none.

    Returns:
        The path; empty for none.

    Raises:
        InputError: It is not a folder below the working folder.

    """
    if not given:
        return ""
    parts = [part for part in given.split("/") if part not in {"", "."}]
    if given.startswith(("/", "~")) or _DRIVE.match(given):
        raise _rejected(given, "It has to lie in the job's working folder, and is not relative to that.")
    if "\\" in given or _CONTROL.search(given):
        raise _rejected(given, "Folders are separated by /, and no name has a backslash or a control character.")
    if ".." in parts:
        raise _rejected(given, "It has to lie in the job's working folder: '..' leads out of it.")
    if not parts:
        raise _rejected(given, "It is the working folder itself, which has the job's other files, too.")
    if OWN_FOLDER in parts:
        raise _rejected(given, f"'{OWN_FOLDER}' is the name of a folder of fairing-az-jupyter's own.")
    return "/".join(parts)


def _rejected(given: str, why: str) -> InputError:
    return InputError(
        f"The folder for checkpoints can't be {given!r}. {why}",
        hint="Give a folder such as ckpt/, and have the program save there.",
        code="checkpoints",
    )
