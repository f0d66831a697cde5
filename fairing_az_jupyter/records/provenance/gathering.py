"""Finds out what a run is made of, beside the run itself: git, packages and large files take their time."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import logging
import platform
import threading
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import machine
from fairing_az_jupyter.records.provenance.files import read_packages, read_provenance, write_packages, write_provenance
from fairing_az_jupyter.records.provenance.git import git_state
from fairing_az_jupyter.records.provenance.inputs import input_files
from fairing_az_jupyter.records.provenance.packages import installed_packages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fairing_az_jupyter.models import Provenance

logger = logging.getLogger(__name__)

_LONGEST_WAIT_SECONDS = 60.0


class ProvenanceFile:
    """What one run is made of, as its record says it; written when it is known, and again when there is more.

    That it can't be written is logged: the run does not need it.

    Args:
        folder: The record.
        known: What is known already.

    """

    def __init__(self, folder: Path, known: Provenance) -> None:
        self._folder = folder
        self._known = dataclasses.replace(
            known, python=platform.python_version(), user=_user(), machine=machine.this_place()
        )
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def gather(self, work: Path, names: Sequence[str] = ()) -> None:
        """Begin to find out the rest, in a thread of its own.

        Args:
            work: The folder that the run is launched in.
            names: The input files, as they are called from there.

        """
        self._thread = threading.Thread(target=self._gather, args=(work, names), name="provenance", daemon=True)
        self._thread.start()

    def take(self, earlier: Path) -> None:
        """Take what an earlier launch was made of, which is launched again as it was, in the place of what is here.

        Args:
            earlier: Its record.

        """
        made = read_provenance(earlier)
        with self._lock:
            taken = {name: getattr(made, name) for name in ("git", "inputs", "python") if getattr(made, name)}
            self._known = dataclasses.replace(self._known, **taken)
            self._write_packages(read_packages(earlier))
            self._write()

    def add(self, **facts: Any) -> None:  # noqa: ANN401 - as Provenance has them
        """Add what is known now.

        Args:
            **facts: By the names of `Provenance`.

        """
        with self._lock:
            self._known = dataclasses.replace(self._known, **{name: value for name, value in facts.items() if value})
            self._write()

    def finish(self) -> None:
        """Wait until all is found out, for a minute at most; what a killed process would have added is missing."""
        if self._thread is not None:
            self._thread.join(_LONGEST_WAIT_SECONDS)

    def moved(self, folder: Path) -> None:
        """Note that the record is another one.

        Args:
            folder: That record.

        """
        self.finish()
        with self._lock:
            packages = read_packages(self._folder)
            self._folder = folder
            self._write_packages(packages or installed_packages())
            self._write()

    def _gather(self, work: Path, names: Sequence[str]) -> None:
        git = git_state(work)
        with self._lock:
            self._known = dataclasses.replace(self._known, git=git)
            self._write_packages(installed_packages())
            self._write()
        inputs = input_files(names, work)
        if inputs:
            self.add(inputs=inputs)

    def _write_packages(self, packages: Mapping[str, str]) -> None:
        with contextlib.suppress(OSError):
            self._known = dataclasses.replace(self._known, packages=write_packages(self._folder, packages))

    def _write(self) -> None:
        try:
            write_provenance(self._folder, self._known)
        except OSError as error:
            logger.debug("What the run is made of can't be written to '%s': %s", self._folder, error)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A pod may run as a number that nobody has.
        return ""
