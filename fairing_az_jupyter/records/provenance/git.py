"""Which commit a folder is at."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

from fairing_az_jupyter.models import GitState

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS = 2.0
_COMMIT = "# branch.oid "
# Nothing is asked, and no lock is taken that another git would wait for.
_QUIET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def git_state(folder: Path) -> GitState | None:
    """Return what git says of a folder.

    Files that git does not know, such as executed notebooks, do not count.

    Args:
        folder: The folder.

    Returns:
        The state; None where there is no git, no repository, no commit, or no answer within 2 seconds.

    """
    words = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={**os.environ, **_QUIET},
        )
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        commit = next((line.removeprefix(_COMMIT) for line in lines if line.startswith(_COMMIT)), "")
        if done.returncode == 0 and commit.isalnum():
            return GitState(commit, any(not line.startswith("#") for line in lines))
    return None
