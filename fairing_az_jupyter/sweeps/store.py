"""The sweeps of a folder of runs: what was planned, the notebook as it was, and who is at work.

runs/sweeps/
  20261122-184429.123-prices-7f3a/
    sweep.json                         what was planned; never changed
    notebook.ipynb                     the notebook that every point runs
    ended.jsonl                        how runs have ended whose records were deleted, a line each
    cancel                             there once somebody wants the sweep to stop
    at-work-4711-9f3c                  a process that executes it; touched as long as it does
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import secrets
import shutil
import time
from typing import TYPE_CHECKING

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import InputError, RunFailedError
from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.liveness import SILENCE_SECONDS
from fairing_az_jupyter.records.store import delete, orphans
from fairing_az_jupyter.sweeps.plans import SweepPlan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fairing_az_jupyter.records import RunStore

PLAN = "sweep.json"
AT_WORK = "at-work-"
LAST = "last"
_SHOWN = 3
_LEFT_SECONDS = 3600.0


class SweepStore:
    """The sweeps that lie beside runs.

    Args:
        runs: The runs.

    """

    def __init__(self, runs: RunStore) -> None:
        self.path = runs.path / layout.SWEEPS

    def create(self, plan: SweepPlan, notebook: bytes) -> Path:
        """Keep a sweep that is to be executed; it is whole or not there.

        Args:
            plan: The sweep.
            notebook: The bytes of the notebook that every point runs.

        Returns:
            Its folder.

        Raises:
            RunFailedError: It can't be kept.

        """
        new = self.path / f"{layout.NEW}{plan.id}-{secrets.token_hex(3)}"
        try:
            new.mkdir(mode=0o700, parents=True)
            (new / layout.NOTEBOOK).write_bytes(notebook)
            text = json.dumps(plan.to_dict(), indent=1, ensure_ascii=False) + "\n"
            replace_file(new / PLAN, text.encode("utf-8", "backslashreplace"), mode=0o600)
            new.rename(self.folder(plan.id))
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            raise RunFailedError(
                f"The sweep of '{plan.notebook}' was not started: its record can't be created in '{self.path}' "
                f"({error.strerror or error}).",
                hint="Free space there, or keep records elsewhere: --runs-folder FOLDER, or FAIRING_AZURE_RUNS.",
                code="record",
            ) from error
        return self.folder(plan.id)

    def folder(self, sweep: str) -> Path:
        """Return a sweep's folder, whether it is there or not."""
        return self.path / sweep

    def names(self) -> list[str]:
        """Return the identifiers of all sweeps, the newest first.

        Raises:
            InputError: The folder can't be read.

        """
        try:
            found = [entry.name for entry in os.scandir(self.path) if layout.is_run_id(entry.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(
                f"The sweeps in '{self.path}' can't be read: {error.strerror}.",
                hint="Choose another folder: --runs-folder FOLDER, or FAIRING_AZURE_RUNS.",
                code="runs-folder",
            ) from error
        return sorted(found, reverse=True)

    def find(self, name: str) -> SweepPlan:
        """Return a sweep.

        Args:
            name: Its identifier, the beginning of one, the end of one behind a hyphen, or `last`.

        Raises:
            InputError: The sweep does not exist, there are several, or its plan can't be read.

        """
        names = self.names()
        if name == LAST and names:
            name = names[0]
        matches = [name] if name in names else [each for each in names if name and each.startswith(name)]
        matches = matches or [each for each in names if name and each.endswith(f"-{name}")]
        if len(matches) > 1:
            more = " ..." if len(matches) > _SHOWN else ""
            raise InputError(
                f"'{name}' matches {len(matches)} sweeps: {', '.join(matches[:_SHOWN])}{more}.",
                hint="Give more of the identifier.",
                code="sweep-ambiguous",
            )
        if not matches:
            close = difflib.get_close_matches(name, names, n=1)
            suggestion = f"Did you mean '{close[0]}'? " if close else ""
            raise InputError(
                f"Sweep '{name}' not found in '{self.path}'.",
                hint=f"{suggestion}List the sweeps: fairing-azure sweep list",
                code="sweep-unknown",
            )
        return self._read(matches[0])

    def notebook(self, sweep: str) -> bytes:
        """Return the bytes of the notebook that every point of a sweep runs.

        Raises:
            InputError: They can't be read.

        """
        try:
            return (self.folder(sweep) / layout.NOTEBOOK).read_bytes()
        except OSError as error:
            raise _broken(sweep, layout.NOTEBOOK) from error

    def cancel(self, sweep: str) -> None:
        """Ask whoever executes a sweep to stop.

        Raises:
            InputError: It can't be written to.

        """
        try:
            (self.folder(sweep) / layout.CANCEL).touch(mode=0o600)
        except OSError as error:
            raise InputError(
                f"The sweep '{sweep}' can't be cancelled: '{self.folder(sweep)}' can't be written ({error.strerror}).",
                hint="Cancel it as the user who started it.",
                code="sweep-not-yours",
            ) from error

    def is_cancelled(self, sweep: str) -> bool:
        """Tell whether somebody wants a sweep to stop."""
        return (self.folder(sweep) / layout.CANCEL).exists()

    def delete(self, sweep: str) -> None:
        """Delete a sweep, and what is left of those whose deletion was interrupted; its runs stay.

        Raises:
            OSError: It can't be deleted; it is there as before.

        """
        with contextlib.suppress(FileNotFoundError):
            delete(self.folder(sweep))
        for left in orphans(self.path):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)

    @contextlib.contextmanager
    def at_work(self, sweep: str) -> Iterator[Path]:
        """Show that this process executes a sweep; a wish to stop it from before does not count any more.

        Args:
            sweep: The sweep.

        Yields:
            A file to touch from time to time.

        Raises:
            RunFailedError: The sweep's folder can't be written.

        """
        folder = self.folder(sweep)
        sign = folder / f"{AT_WORK}{os.getpid()}-{secrets.token_hex(2)}"
        try:
            if not self.is_worked_on(sweep):
                (folder / layout.CANCEL).unlink(missing_ok=True)
            sign.write_text(machine.process_name(), encoding="utf-8")
        except OSError as error:
            raise RunFailedError(
                f"The sweep '{sweep}' can't be executed: '{folder}' can't be written ({error.strerror or error}).",
                hint="Execute it as the user who started it, or free space there.",
                code="record",
            ) from error
        try:
            yield sign
        finally:
            with contextlib.suppress(OSError):
                sign.unlink()

    def is_worked_on(self, sweep: str) -> bool:
        """Tell whether a process executes a sweep."""
        return any(not _is_left(sign) for sign in self.folder(sweep).glob(f"{AT_WORK}*"))

    def _read(self, name: str) -> SweepPlan:
        try:
            return SweepPlan.from_dict(json.loads((self.folder(name) / PLAN).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _broken(name, PLAN) from error


def _is_left(sign: Path) -> bool:
    try:
        process = sign.read_text(encoding="utf-8")
        if machine.is_local(process):
            return machine.is_gone(process)
        return time.time() - sign.stat().st_mtime > SILENCE_SECONDS
    except (OSError, ValueError):
        return True


def _broken(name: str, file: str) -> InputError:
    return InputError(
        f"The record of the sweep '{name}' is broken: its {file} can't be read.",
        hint="Its runs are still there: fairing-azure runs list. Start a new sweep for the rest.",
        code="sweep-broken",
    )
