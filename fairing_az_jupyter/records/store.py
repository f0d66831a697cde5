"""All records of one folder: made, found, listed."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import errno
import json
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.folders import data_folder
from fairing_az_jupyter.models import ENDED, RunInfo, RunRequest
from fairing_az_jupyter.records import layout, rescue
from fairing_az_jupyter.records.index import add_to_index, read_index, write_index
from fairing_az_jupyter.records.infos import at_a_glance, fields_of, matches, named, read_request, sound
from fairing_az_jupyter.records.liveness import is_lost
from fairing_az_jupyter.records.status import read_status, write_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RUNS_VARIABLE = "FAIRING_AZURE_RUNS"
LAST = "last"
"""Stands for the newest run, or launch, that no notebook of another run has made."""

_FORMAT = 1
_TRIES = 10
_SHOWN = 3
_INDEX_STEP = 20
"""So many ended runs may be missing in the index before it is written anew."""


class RunStore:
    """The runs of one folder; any number of processes may use it at the same time.

    Args:
        folder: The folder; made when the first run is.

    """

    def __init__(self, folder: Path) -> None:
        self.path = folder

    @classmethod
    def open(cls, folder: str | None = None, *, environ: Mapping[str, str] | None = None) -> RunStore:
        """Open the folder that was asked for: as given, else FAIRING_AZURE_RUNS, else in this package's data folder.

        Args:
            folder: The folder; None if none was named.
            environ: The environment.

        Raises:
            InputError: It is not a folder's name, or this package's data folder can't be made.

        """
        named = folder or (os.environ if environ is None else environ).get(RUNS_VARIABLE)
        if not named:
            return cls(data_folder("runs"))
        try:
            return cls(Path(named).expanduser().absolute())
        except (RuntimeError, OSError) as error:
            raise InputError(
                f"'{named}' is not a folder for records of runs: {error}.",
                hint=f"Give the full path: --runs-folder FOLDER, or {RUNS_VARIABLE}.",
                code="runs-folder",
            ) from None

    def create(
        self,
        request: RunRequest,
        notebook: bytes | None,
        *,
        run: str | None = None,
        status: Mapping[str, Any] | None = None,
        log: Path | None = None,
        **facts: object,
    ) -> Path:
        """Make the record of a run that is to be executed; it is whole or not there.

        Args:
            request: The run.
            notebook: The notebook's bytes as they are now; None if they are nowhere but in the request.
            run: Its identifier; None for a new one.
            status: What its state says from the start.
            log: A file of this folder that becomes the log of the run's process; None if there is none.
            **facts: What else stands in its request: `sweep`, `point`, `retry_of`, `parent`.

        Returns:
            Its folder.

        Raises:
            FileExistsError: There is a run of that identifier.
            OSError: It can't be made.

        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, "it is not a folder", str(self.path)) from None
        for _ in range(_TRIES):
            name = run or layout.new_run_id(request.notebook, name=request.name or request.task)
            new = self.path / f"{layout.NEW}{name}-{secrets.token_hex(3)}"
            new.mkdir(mode=0o700)
            try:
                document = _document(name, request, facts)
                (new / layout.REQUEST).write_text(document, encoding="utf-8", errors="backslashreplace")
                if notebook is not None:
                    (new / layout.NOTEBOOK).write_bytes(notebook)
                write_status(
                    new, {"state": "waiting", "process": machine.process_name(), **(status or {})}, final=False
                )
                if log is not None:
                    log.rename(new / layout.PROCESS_LOG)
                # Of a folder with files in it no other can take the name.
                new.rename(self.path / name)
            except BaseException as error:
                shutil.rmtree(new, ignore_errors=True)
                if isinstance(error, OSError) and (self.path / name).exists():
                    if run is None:
                        continue
                    raise FileExistsError(None, "the run already exists", str(self.path / name)) from None
                raise
            return self.path / name
        raise FileExistsError(None, "no free identifier found", str(self.path))

    def reject(self, request: RunRequest, error: Mapping[str, Any], **facts: object) -> str:
        """Note that a run could not even be recorded in its own folder, where notes go in that case.

        Args:
            request: The run.
            error: Why not.
            **facts: As in `create`.

        Returns:
            Its identifier.

        Raises:
            OSError: It can't be noted anywhere.

        """
        name, now = layout.new_run_id(request.notebook), time.time()
        status = {"state": "failed", "started": now, "ended": now, "duration": 0.0, "error": dict(error)}
        rescue.keep(self.path / name, status, json.loads(_document(name, request, facts)))
        return name

    def list(self, *, limit: int | None = None, **wanted: str) -> list[RunInfo]:
        """List the runs, the newest first.

        Args:
            limit: How many at most; None for all.
            **wanted: What they have in common, by the names of `RunInfo`: `state`, `notebook`, `sweep`.

        Returns:
            The runs; of an error without its source and its traceback, which `find` gives. One whose record can't
            be read is left out.

        Raises:
            InputError: The folder can't be read.

        """
        names = self.names()
        indexed = read_index(self.path)
        kept = rescue.kept(self.path)
        found: list[RunInfo] = []
        fresh = 0
        for name in sorted({*names, *kept}, reverse=True):
            if limit is not None and len(found) >= limit:
                break
            if name in indexed and name in names:
                info = self._from_index(indexed[name])
            else:
                fields = at_a_glance(self._fields(name, kept.get(name)))
                info = sound(fields)
                if info is not None and info.has_ended and name not in kept:
                    indexed[name] = fields
                    fresh += 1
            if info is not None and all(matches(info, key, value) for key, value in wanted.items()):
                found.append(info)
        if fresh > _INDEX_STEP:
            write_index(self.path, (run for name, run in indexed.items() if name in names))
        return found

    def forget(self) -> None:
        """Leave out of the index what has been deleted: it names parameters."""
        indexed = read_index(self.path)
        names = self.names()
        if not indexed.keys() <= names:
            write_index(self.path, (run for name, run in indexed.items() if name in names))

    def get(self, name: str) -> RunInfo | None:
        """Return a run without a look at the others; None if there is none, or its record is broken.

        Args:
            name: Its whole identifier.

        """
        return self._info(name, rescue.kept(self.path).get(name))

    def find(self, name: str) -> RunInfo:
        """Return a run.

        Args:
            name: Its identifier, the beginning of one, the end of one behind a hyphen, another part that only one
                has, or `last`.

        Raises:
            InputError: The run does not exist, there are several, or its record is broken.

        """
        kept = rescue.kept(self.path)
        names = sorted({*self.names(), *kept})
        if name == LAST:
            newest = (self._info(each, kept.get(each)) for each in reversed(names))
            # Not what that run's own notebook has launched.
            info = next((info for info in newest if info is not None and not info.parent), None)
            if info is not None:
                return info
        matches = named(name, names)
        if len(matches) > 1:
            more = " ..." if len(matches) > _SHOWN else ""
            raise InputError(
                f"'{name}' matches {len(matches)} runs: {', '.join(matches[:_SHOWN])}{more}.",
                hint="Give more of the identifier.",
                code="run-ambiguous",
            )
        info = self._info(matches[0], kept.get(matches[0])) if matches else None
        if info is not None:
            return info
        if matches and (self.path / matches[0]).is_dir():
            raise self._broken(matches[0])
        close = difflib.get_close_matches(name, names, n=1)
        suggestion = f"Did you mean '{close[0]}'? " if close and not matches else ""
        raise InputError(
            f"Run '{name}' not found in '{self.path}'.",
            hint=f"{suggestion}List the runs: fairing-azure runs list",
            code="run-unknown",
        )

    def folder(self, name: str) -> Path:
        """Return a run's folder, whether it is there or not.

        Args:
            name: Its whole identifier.

        """
        return self.path / name

    def request(self, name: str) -> RunRequest:
        """Return what was asked for.

        Args:
            name: The run's whole identifier.

        Returns:
            The request; its paths count from the current folder, wherever it was asked for.

        Raises:
            InputError: It can't be read.

        """
        document = read_request(self.folder(name)) or read_request(rescue.rescue_folder() / name)
        asked_in = document.get("asked_in")
        try:
            request = RunRequest.from_dict(document["request"])
            if not isinstance(asked_in, str) or _current_folder() == asked_in:
                return request
            paths = ("notebook", "output", "cwd")
            matches: dict[str, Any] = {key: _from(asked_in, getattr(request, key)) for key in paths}
            return dataclasses.replace(request, **matches)
        except (KeyError, TypeError) as error:
            raise self._broken(name) from error

    def note(self, name: str, status: Mapping[str, Any], *, final: bool = False) -> None:
        """Change what the record of a run says that this machine does not execute itself, until it has ended.

        Args:
            name: The run's whole identifier.
            status: What to add to its state.
            final: Whether the run has ended.

        Raises:
            OSError: It can't be written.

        """
        folder = self.folder(name)
        before = read_status(folder)
        if before.get("state") in ENDED:
            return
        after = {**before, **status}
        write_status(folder, after, final=final)
        if final:
            add_to_index(self.path, at_a_glance(fields_of(name, folder, read_request(folder), after)))

    def cancel(self, name: str) -> RunInfo:
        """Ask a run to stop; whoever executes it looks every half second.

        Args:
            name: The run, as for `find`.

        Returns:
            The run as it was.

        Raises:
            InputError: It has ended, or can't be written to.

        """
        info = self.find(name)
        if info.has_ended or info.state == "lost":
            raise InputError(
                f"The run '{info.id}' can't be cancelled: it {'is lost' if info.state == 'lost' else 'has ended'}.",
                hint=f"Run it again: fairing-azure runs retry {info.id}",
                code="run-ended",
            )
        try:
            (Path(info.folder) / layout.CANCEL).touch(mode=0o600)
        except OSError as error:
            raise InputError(
                f"The run '{info.id}' can't be cancelled: '{info.folder}' can't be written ({error.strerror}).",
                hint="Cancel it as the user who started it.",
                code="run-not-yours",
            ) from error
        return info

    def _broken(self, name: str) -> InputError:
        return InputError(
            f"The record of the run '{name}' is broken: its {layout.REQUEST} or {layout.STATUS} can't be read.",
            hint=f"Run the notebook again, and delete the record: rm -r '{self.path / name}'",
            code="run-broken",
        )

    def names(self) -> set[str]:
        """Return the identifiers of all records, in no order.

        Raises:
            InputError: The folder can't be read.

        """
        try:
            return {entry.name for entry in os.scandir(self.path) if layout.is_run_id(entry.name)}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise InputError(
                f"The runs in '{self.path}' can't be read: {error.strerror}.",
                hint=f"Choose another folder: --runs-folder FOLDER, or {RUNS_VARIABLE}.",
                code="runs-folder",
            ) from error

    def _info(self, name: str, kept: Path | None) -> RunInfo | None:
        return sound(self._fields(name, kept))

    def _fields(self, name: str, kept: Path | None) -> dict[str, Any]:
        folder = self.path / name
        document = read_request(folder) or (read_request(kept) if kept is not None else {})
        status = read_status(kept) if kept is not None else read_status(folder)
        if status and is_lost(folder, status):
            status = {**status, "state": "lost"}
        return fields_of(name, folder if kept is None else kept, document, status)

    def _from_index(self, found: Mapping[str, Any]) -> RunInfo | None:
        known = RunInfo.__dataclass_fields__
        info = {key: value for key, value in found.items() if key in known}
        return sound({**info, "folder": str(self.path / str(info.get("id")))})


def delete(folder: Path) -> None:
    """Delete a record: it vanishes at once, and its files after it.

    Args:
        folder: The record.

    Raises:
        OSError: It can't be deleted; it is there as before.

    """
    going = folder.with_name(f"{layout.GONE}{folder.name}-{secrets.token_hex(3)}")
    folder.rename(going)
    shutil.rmtree(going, ignore_errors=True)


def orphans(store: Path) -> Iterable[Path]:
    """Return what processes have left that died while they made or deleted a record.

    Args:
        store: The folder with all records.

    """
    with contextlib.suppress(OSError):
        for entry in os.scandir(store):
            if entry.name.startswith((layout.NEW, layout.GONE)):
                yield Path(entry.path)


def _document(name: str, request: RunRequest, facts: Mapping[str, object]) -> str:
    document = {
        "format": _FORMAT,
        "id": name,
        "created": time.time(),
        "asked_by": machine.process_name(),
        "asked_in": _current_folder(),
        **{key: value for key, value in facts.items() if value},
        "request": request.to_dict(),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _current_folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        return None  # it was deleted


def _from(folder: str, path: str | None) -> str | None:
    """Return a path that was intended from a folder; URLs, and `-` for standard output, are none."""
    if path is None or "://" in path or path == "-":
        return path
    return os.path.join(folder, path)  # noqa: PTH118 - keeps what an absolute path is, and its `..`
