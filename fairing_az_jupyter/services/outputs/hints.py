"""Which run has written a file that somebody misses."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.http import TimeUpError, within
from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.outputs.manifest import MANIFEST
from fairing_az_jupyter.outputs.stored import LocalOutputs
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.services.outputs.lookup import in_blob_storage, local_jobs, url_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.outputs.stored import StoredOutputs
    from fairing_az_jupyter.services.session import Session

__all__ = ["written_by_a_run"]

_LATEST_RUNS = 30
_LATEST_IN_CLUSTER = 3
_LOOK_SECONDS = 4.0


def written_by_a_run(session: Session, name: str, *, deploys: bool = False) -> str:
    """Return a sentence about the latest run that has written a file of some name; empty where none is known to have.

    Args:
        session: The settings in force, the records and the cluster.
        name: The file's name, as somebody has asked for it.
        deploys: Whether it is for an endpoint, which can be deployed from that run.

    """
    wanted = name.replace("\\", "/").removeprefix("./")
    with contextlib.suppress(FairingAzureError, OSError, TimeUpError):
        latest = session.store.list(limit=_LATEST_RUNS)
        kept = [(info.created, info.id, Path(info.folder) / layout.OUTPUTS) for info in latest]
        kept += [(_age(job), job.name, job / layout.OUTPUTS) for job in local_jobs()]
        for _, launch, folder in sorted(kept, reverse=True):
            if (folder / MANIFEST).is_file() and (found := _named_so(LocalOutputs(folder), wanted)):
                return _said_of(launch, found, deploys=deploys)
        # The answer is an error's hint: it may not take long.
        launch, found = within(
            _LOOK_SECONDS, lambda: _written_in_the_cluster(session, latest, wanted), name="look at outputs"
        )
        return _said_of(launch, found, deploys=deploys) if found else ""
    return ""


def _written_in_the_cluster(session: Session, latest: Sequence[RunInfo], wanted: str) -> tuple[str, str]:
    urls = ((info.id, url_of(session, info)) for info in latest)
    for launch, url in [(launch, url) for launch, url in urls if url][:_LATEST_IN_CLUSTER]:
        with contextlib.suppress(FairingAzureError), in_blob_storage(session, url) as outputs:
            found = _named_so(outputs, wanted)
            if found:
                return launch, found
    return "", ""


def _named_so(outputs: StoredOutputs, wanted: str) -> str:
    """Return the path of a file of that path or that name; empty where there is none, or no list of files."""
    with contextlib.suppress(FairingAzureError):
        paths = [file.path for file in outputs.manifest.written]
        own = wanted.rpartition("/")[2]
        return wanted if wanted in paths else next((path for path in paths if path.rpartition("/")[2] == own), "")
    return ""


def _said_of(launch: str, path: str, *, deploys: bool) -> str:
    word = path if re.fullmatch(r"[\w./+-]+", path) else f"'{path}'"
    fetch = f"etch it: fairing-azure fetch {launch} {word}"
    if deploys:
        return f"Run {launch} has written it. Deploy with what it has written: --from {launch}. Or f{fetch}"
    return f"Run {launch} has written it. F{fetch}"


def _age(folder: Path) -> float:
    with contextlib.suppress(OSError):
        return folder.stat().st_mtime
    return 0.0
