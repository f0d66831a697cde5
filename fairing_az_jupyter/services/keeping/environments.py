"""Isolated environments of LocalBackend that no job or endpoint has used for long."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from fairing_az_jupyter import machine
from fairing_az_jupyter.records.provenance.files import read_provenance
from fairing_az_jupyter.records.status import read_status

if TYPE_CHECKING:
    from fairing_az_jupyter.fairing.local.environments import Environment
    from fairing_az_jupyter.services.session import Session

__all__ = ["OLD_SECONDS", "prune_environments"]

OLD_SECONDS = 30 * 86_400.0
"""What was of use later stays, unless the user says otherwise."""


def prune_environments(
    session: Session, *, older_than: float | None = None, dry_run: bool = False
) -> tuple[Environment, ...]:
    """Delete environments that were not of use for long, and return them.

    Args:
        session: The settings in force, the records and the cluster.
        older_than: How long, in seconds; None for 30 days.
        dry_run: Whether to delete nothing.

    """
    from fairing_az_jupyter.fairing.local import environments  # noqa: PLC0415 - loads the backend

    found = environments.unused_environments(OLD_SECONDS if older_than is None else older_than)
    if not found or _is_used_elsewhere(session):
        return ()
    if dry_run:
        return tuple(found)
    removed = []
    for each in found:
        # What can't be deleted is found again the next time.
        with contextlib.suppress(OSError):
            if environments.remove_environment(each):
                removed.append(each)
    return tuple(removed)


def _is_used_elsewhere(session: Session) -> bool:
    """Tell whether a launch on another machine that has this home, too, may be running from one of them."""
    for info in session.store.list():
        if info.has_ended or info.state == "lost" or info.place == "cluster" or info.kind == "notebook":
            continue
        folder = Path(info.folder)
        elsewhere = not machine.is_local(str(read_status(folder).get("process") or ""))
        if elsewhere and read_provenance(folder).backend == "LocalBackend":
            return True
    return False
