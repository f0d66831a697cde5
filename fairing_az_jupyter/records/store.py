"""All records of one folder: made, found, listed."""

from __future__ import annotations

import contextlib
import difflib
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
from fairing_az_jupyter.models import RunInfo, RunRequest
from fairing_az_jupyter.records import layout, rescue
from fairing_az_jupyter.records.index import read_index, write_index
from fairing_az_jupyter.records.liveness import is_lost
from fairing_az_jupyter.records.status import read_status, write_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RUNS_VARIABLE = "FAIRING_AZURE_RUNS"
LAST = "last"
"""Stands for the newest run."""

_FORMAT = 1
_TRIES = 10
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
            InputError: This package's data folder can't be made.

        """
        named = folder or (os.environ if environ is None else environ).get(RUNS_VARIABLE)
        return cls(Path(named).expanduser().absolute() if named else data_folder("runs"))

    def create(
        self,
        request: RunRequest,
        notebook: bytes | None,
        *,
        run: str | None = None,
        status: Mapping[str, Any] | None = None,
        **facts: object,
    ) -> Path:
        """Make the record of a run that is to be executed; it is whole or not there.

        Args:
            request: The run.
            notebook: The notebook's bytes as they are now; None if they are nowhere but in the request.
            run: Its identifier; None for a new one.
            status: What its state says from the start.
            **facts: What else stands in its request: `sweep`, `point`, `retry_of`.

        Returns:
            Its folder.

        Raises:
            FileExistsError: There is a run of that identifier.
            OSError: It can't be made.

        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for _ in range(_TRIES):
            name = run or layout.new_run_id(request.notebook)
            new = self.path / f"{layout.NEW}{name}-{secrets.token_hex(3)}"
            new.mkdir(mode=0o700)
            try:
                document = _document(name, request, facts)
                (new / layout.REQUEST).write_text(document, encoding="utf-8", errors="backslashreplace")
                if notebook is not None:
                    (new / layout.NOTEBOOK).write_bytes(notebook)
                write_status(new, {"state": "waiting", **(status or {})}, final=False)
                # Of a folder with files in it no other can take the name.
                new.rename(self.path / name)
            except BaseException as error:
                shutil.rmtree(new, ignore_errors=True)
                if isinstance(error, OSError) and (self.path / name).exists():
                    if run is None:
                        continue
                    raise FileExistsError(None, "there is such a run already", str(self.path / name)) from None
                raise
            return self.path / name
        raise FileExistsError(None, "no free identifier was found", str(self.path))

    def refuse(self, request: RunRequest, error: Mapping[str, Any], **facts: object) -> str:
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
            The runs. One whose record can't be read is left out.

        Raises:
            InputError: The folder can't be read.

        """
        names = self._names()
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
                info = self._info(name, kept.get(name))
                if info is not None and info.has_ended and name not in kept:
                    indexed[name] = info.to_dict()
                    fresh += 1
            if info is not None and all(_matches(info, key, value) for key, value in wanted.items()):
                found.append(info)
        if fresh > _INDEX_STEP:
            write_index(self.path, (run for name, run in indexed.items() if name in names))
        return found

    def find(self, name: str) -> RunInfo:
        """Return a run.

        Args:
            name: Its identifier, the beginning of one, the end of one behind a hyphen, or `last`.

        Raises:
            InputError: There is no such run, or there are several.

        """
        names = sorted({*self._names(), *rescue.kept(self.path)})
        if name == LAST and names:
            name = names[-1]
        matches = [name] if name in names else [each for each in names if each.startswith(name)]
        matches = matches or [each for each in names if each.endswith(f"-{name}")]
        if len(matches) > 1:
            raise InputError(
                f"'{name}' may be any of {len(matches)} runs: {', '.join(matches[:3])}"
                f"{' ...' if len(matches) > 3 else ''}.",  # noqa: PLR2004 - as many as are shown
                hint="Write more of the identifier.",
                code="run-ambiguous",
            )
        info = self._info(matches[0], rescue.kept(self.path).get(matches[0])) if matches and name else None
        if info is None:
            close = difflib.get_close_matches(name, names, n=1)
            suggestion = f"Did you mean '{close[0]}'? " if close else ""
            raise InputError(
                f"There is no run '{name}' in '{self.path}'.",
                hint=f"{suggestion}See what there is: fairing-azure runs list",
                code="run-unknown",
            )
        return info

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

        Raises:
            InputError: It can't be read.

        """
        document = _read_request(self.folder(name)) or _read_request(rescue.rescue_folder() / name)
        try:
            return RunRequest.from_dict(document["request"])
        except (KeyError, TypeError) as error:
            raise InputError(
                f"The record of the run '{name}' is broken: its {layout.REQUEST} can't be read.",
                hint="Run the notebook anew.",
                code="run-broken",
            ) from error

    def note(self, name: str, status: Mapping[str, Any], *, final: bool = False) -> None:
        """Change what the record of a run says that this machine does not execute itself.

        Args:
            name: The run's whole identifier.
            status: What to add to its state.
            final: Whether the run has ended.

        Raises:
            OSError: It can't be written.

        """
        folder = self.folder(name)
        write_status(folder, {**read_status(folder), **status}, final=final)

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
                hint="Cancel it as the user who has started it.",
                code="run-not-yours",
            ) from error
        return info

    def _names(self) -> set[str]:
        try:
            return {entry.name for entry in os.scandir(self.path) if layout.is_run_id(entry.name)}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise InputError(
                f"The runs in '{self.path}' can't be read: {error.strerror}.",
                hint=f"Name another folder: --runs-folder FOLDER, or {RUNS_VARIABLE}.",
                code="runs-folder",
            ) from error

    def _info(self, name: str, kept: Path | None) -> RunInfo | None:
        folder = self.path / name
        document = _read_request(folder) or (_read_request(kept) if kept is not None else {})
        status = read_status(kept) if kept is not None else read_status(folder)
        if not isinstance(document.get("request"), dict) or not status:
            return None
        if is_lost(folder, status):
            status = {**status, "state": "lost"}
        request = document["request"]
        known = RunInfo.__dataclass_fields__
        found = {key: value for key, value in {**document, **status}.items() if key in known}
        found |= {key: request[key] for key in ("notebook", "output", "parameters") if key in request}
        with contextlib.suppress(TypeError):
            return RunInfo(**{**found, "id": name, "folder": str(folder if kept is None else kept)})
        return None

    def _from_index(self, found: Mapping[str, Any]) -> RunInfo | None:
        known = RunInfo.__dataclass_fields__
        with contextlib.suppress(TypeError):
            info = {key: value for key, value in found.items() if key in known}
            return RunInfo(**{**info, "folder": str(self.path / info["id"])})
        return None


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


def leftovers(store: Path) -> Iterable[Path]:
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
        **{key: value for key, value in facts.items() if value},
        "request": request.to_dict(),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _read_request(folder: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / layout.REQUEST).read_bytes())
        return found if isinstance(found, dict) else {}
    return {}


def _matches(info: RunInfo, key: str, value: str) -> bool:
    found = str(getattr(info, key) or "")
    return Path(found).name == Path(value).name if key == "notebook" and "/" not in value else found == value
