"""The trainings of a namespace, also those of other notebook servers: by their Jobs, and by what was noted of them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError, InputError, NotFoundError
from fairing_az_jupyter.models import ClusterLaunch
from fairing_az_jupyter.outputs.launch_notes import NOTE, LaunchNote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.clients.azure.blob.files import BlobFiles
    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.models import LaunchInfo
    from fairing_az_jupyter.outputs.manifest import Manifest
    from fairing_az_jupyter.services.session import Session

__all__ = ["list_cluster_launches"]

_AT_ONCE = 8


def list_cluster_launches(
    session: Session,
    *,
    limit: int | None = None,
    state: str = "",
    notebook: str = "",
    report: Callable[[str], object] | None = None,
) -> list[ClusterLaunch]:
    """List the trainings of the namespace, whoever has launched them, the newest first; they are only looked at.

    Args:
        session: The settings in force, the records and the cluster.
        limit: How many at most; None for all.
        state: Only those in this state; empty for all.
        notebook: Only those of this notebook or Python file, by its name; empty for all.
        report: Gets a sentence for what could not be looked at: the Jobs, or the Storage account.

    Raises:
        InputError: LocalBackend was chosen.
        ServiceError: The Jobs or the Storage account can't be looked at, and nothing else is there to show.

    """
    if session.is_local:
        raise InputError(
            "LocalBackend's jobs are among the runs of this machine: fairing-azure runs list",
            hint="To look at the cluster, choose its backend: --backend KubeflowAzureBackend",
            code="local-backend",
        )
    with session.cluster() as launcher:
        problems: list[FairingAzureError] = []
        jobs = _jobs(launcher, problems)
        look = _Look(launcher, jobs, file_name(notebook), state)
        found = look.listed(limit, problems)
        if problems and not found:
            raise problems[0]
        for problem in problems if report is not None else ():
            report(f"Not all launches of the namespace are shown: {problem}")  # type: ignore[misc] # as the line says
    return found


def file_name(path: str) -> str:
    """Return a file's name without its folders, from whichever system its path is.

    Args:
        path: The path.

    """
    return path.replace("\\", "/").rpartition("/")[2]


def _jobs(launcher: Launcher, problems: list[FairingAzureError]) -> dict[str, LaunchInfo]:
    from fairing_az_jupyter.fairing.inventory.launches import find_launches  # noqa: PLC0415 - loads Fairing

    try:
        return {each.info.name: each.info for each in find_launches(launcher) if each.info.kind == "job"}
    except FairingAzureError as error:
        problems.append(error)
        return {}


class _Look:
    """One look at a namespace's launches.

    Args:
        launcher: The cluster and the Storage account.
        jobs: The Jobs that are there.
        notebook: The file name that is wanted; empty for any.
        state: The state that is wanted; empty for any.

    """

    def __init__(self, launcher: Launcher, jobs: Mapping[str, LaunchInfo], notebook: str, state: str) -> None:
        self._launcher, self._jobs = launcher, jobs
        self._notebook, self._state = notebook, state
        self._owner, self._namespace = launcher.target.owner, launcher.target.namespace

    def listed(self, limit: int | None, problems: list[FairingAzureError]) -> list[ClusterLaunch]:
        """Return the launches, the newest first.

        Args:
            limit: How many at most.
            problems: Gets what keeps from looking at the Storage account.

        """
        from fairing_az_jupyter.clients.azure.blob.files import BlobFiles  # noqa: PLC0415 - loads the clients
        from fairing_az_jupyter.outputs.blobs import BlobPlace  # noqa: PLC0415 - likewise

        root = BlobPlace.of_launch(self._launcher.settings, "")
        noted: dict[str, float] = {}
        url = "" if root is None else root.url.rstrip("/") + "/"
        with contextlib.closing(BlobFiles(self._launcher.azure)) as files:
            if url:
                try:
                    noted = _noted(files, url)
                except NotFoundError as error:
                    if error.service != "blob" or error.code == "no-such-account":
                        problems.append(error)
                except FairingAzureError as error:
                    problems.append(error)
            # What was written last is not what was launched last, but close to it: more are read than are shown.
            known = {name: _seconds(info.created) for name, info in self._jobs.items()} | noted
            order = sorted(known.items(), key=lambda each: each[1], reverse=True)
            found: list[ClusterLaunch] = []
            with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
                for start in range(0, len(order), 2 * _AT_ONCE):
                    part = [name for name, _ in order[start : start + 2 * _AT_ONCE]]
                    looked = pool.map(lambda name: self._launch(files, url, name, is_noted=name in noted), part)
                    found += [each for each in looked if each is not None and self._is_wanted(each)]
                    if limit is not None and len(found) >= limit:
                        break
        return sorted(found, key=lambda each: (each.created, each.name), reverse=True)[:limit]

    def _is_wanted(self, found: ClusterLaunch) -> bool:
        return self._notebook in {"", found.notebook} and self._state in {"", found.state}

    def _launch(self, files: BlobFiles, root: str, name: str, *, is_noted: bool) -> ClusterLaunch | None:
        """Return one launch; None where it is one of another namespace."""
        info = self._jobs.get(name)
        note = _note(files, f"{root}{name}/{NOTE}") if is_noted else None
        if note is not None and (note.job != name or note.namespace != self._namespace):
            note = None
        if note is None and info is None:
            return None
        manifest = _manifest(files, f"{root}{name}/") if root else None
        found = ClusterLaunch(name, "running") if note is None else _of_note(note)
        if info is not None:
            found = _with_job(found, info)
        elif note is not None and note.ended is None:
            found = dataclasses.replace(found, state=_guessed(manifest))
        if manifest is not None:
            found = dataclasses.replace(found, files=len(manifest.written), size=manifest.size)
        own = bool(found.owner) and found.owner == self._owner
        return dataclasses.replace(found, namespace=self._namespace, own=own)


def _of_note(note: LaunchNote) -> ClusterLaunch:
    names = ("state", "task", "owner", "notebook", "run", "sweep", "image", "image_digest", "created", "ended")
    said = {name: getattr(note, name) for name in (*names, "raised")}
    return ClusterLaunch(note.job, label=note.name, **said)


def _with_job(found: ClusterLaunch, info: LaunchInfo) -> ClusterLaunch:
    """Return a launch with what its Job says, which is true now."""
    said = {
        name: getattr(info, name) or getattr(found, name) for name in ("owner", "notebook", "run", "sweep", "image")
    }
    created = found.created or _seconds(info.created)
    return dataclasses.replace(found, state=info.state, created=created, **said)


def _guessed(manifest: Manifest | None) -> str:
    """Return how a launch has ended whose Job is gone, and of which nobody has noted the end."""
    if manifest is None or not manifest.complete:
        return "lost"
    return "failed" if manifest.error is not None else "ended"


def _noted(files: BlobFiles, root: str) -> dict[str, float]:
    """Return when the note of each launch was written, in seconds since 1970-01-01 UTC."""
    found: dict[str, float] = {}
    prefix = "outputs/"
    for blob in files.list(root):
        launch, _, name = blob.name.removeprefix(prefix).partition("/")
        if name == NOTE:
            found[launch] = blob.modified.timestamp()
    return found


def _note(files: BlobFiles, url: str) -> LaunchNote | None:
    with contextlib.suppress(FairingAzureError):
        return LaunchNote.parse(files.read(url))
    return None


def _manifest(files: BlobFiles, url: str) -> Manifest | None:
    from fairing_az_jupyter.outputs.blobs import BlobOutputs  # noqa: PLC0415 - loads the clients

    with contextlib.suppress(FairingAzureError):
        return BlobOutputs(files, url).manifest
    return None


def _seconds(text: str) -> float:
    from fairing_az_jupyter.clients.kube.watching.durations import seconds_at  # noqa: PLC0415 - loads the clients

    return seconds_at(text) or 0.0
