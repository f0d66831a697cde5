"""What launches have left in the cluster that nobody needs any more: found by labels, and deleted if the user wants.

Kubeflow Fairing 1.0.2 leaves more than this package: its Jobs have no life time, its `endpoint.delete()` takes the
Service and leaves the Deployment, and an error on the way leaves the Secret with the Storage account's key.
"""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal

from fairing_az_jupyter.clients.kube.objects.facts import mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of, uid_of
from fairing_az_jupyter.clients.kube.writes.secret_metadata import secret_metadata
from fairing_az_jupyter.exceptions import ConflictError, FairingAzureError, NotAllowedError
from fairing_az_jupyter.fairing.cluster import ownership
from fairing_az_jupyter.fairing.cluster.manifests import MANAGED_BY, PREFIX, labels_of
from fairing_az_jupyter.fairing.inventory.launches import find_launches
from fairing_az_jupyter.fairing.inventory.states import owner_of
from fairing_az_jupyter.models import OrphanedResource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.inventory.states import Launch

    Object = Mapping[str, Any]

__all__ = ["chosen", "find_orphans", "orphans_of", "remove_orphans"]

# Fairing names it after the context's CRC-32 in hexadecimal, and gives it no label.
_FAIRINGS_SECRET = re.compile(r"storage-credentials-[0-9a-f]{1,8}")
# What was made so short a time ago may belong to a launch that is just being made, one object after the other. Clocks
# differ: what seems to come from the future is young as well.
_SETTLED = timedelta(seconds=120)
# A job that has ended is deleted by the process that follows it, when it has seen the end and the last lines.
_SEEN = timedelta(seconds=60)
_GONE_SECONDS = 60.0


def find_orphans(launcher: Launcher) -> tuple[tuple[OrphanedResource, ...], str]:
    """Return what launches have left in the namespace.

    Args:
        launcher: The cluster and the namespace.

    Returns:
        All orphaned resources, those of others and those that may be in use among them; and why Secrets could not be
        looked at, in one sentence, or an empty text.

    Raises:
        ServiceError: The cluster does not do what is asked.

    """
    launches, why = find_launches(launcher), ""
    secrets: tuple[Object, ...] = ()
    try:
        secrets = secret_metadata(launcher.cluster.connection, launcher.target.namespace)
    except NotAllowedError as error:
        why = f"Secrets could not be listed: {error.message}"
    owner = labels_of("job", "", launcher.target.owner).get(f"{PREFIX}owner", "")
    return orphans_of(launches, secrets, owner=owner, now=datetime.now(timezone.utc)), why


def orphans_of(
    launches: Sequence[Launch], secrets: Iterable[Object], *, owner: str, now: datetime
) -> tuple[OrphanedResource, ...]:
    """Return what of launches and Secrets is left over.

    Args:
        launches: Everything that was launched and is there.
        secrets: The metadata of Secrets.
        owner: Whose things are the asking user's own, as labels say it.
        now: The time.

    """
    found = [left for launch in launches for left in _of_launch(launch, now)]
    found += _of_secrets(launches, secrets, now)
    # Nobody's things are nobody's own: not even that of a user who has no name.
    return tuple(dataclasses.replace(left, own=bool(owner) and left.owner == owner) for left in found)


def chosen(orphans: Iterable[OrphanedResource], *, in_use: bool, everyone: bool) -> tuple[OrphanedResource, ...]:
    """Return the orphaned resources that are to be deleted.

    Args:
        orphans: All of them.
        in_use: Whether those that may be in use are included.
        everyone: Whether those of other users, and those that bear no user's name, are included.

    """
    return tuple(left for left in orphans if (in_use or not left.in_use) and (everyone or left.own))


def remove_orphans(launcher: Launcher, orphans: Iterable[OrphanedResource]) -> Iterator[OrphanedResource]:
    """Delete orphaned resources, and yield what became of each; one that can't be deleted does not keep the others.

    Args:
        launcher: The cluster and the namespace.
        orphans: What to delete.

    Yields:
        Each with its outcome.

    """
    for left in orphans:
        wait = 0.0 if left.kind in {"Secret", "Service"} else _GONE_SECONDS
        try:
            there = launcher.workloads.delete(left.kind, left.name, uid=left.uid, wait=wait)
        except ConflictError:
            # Another one has taken its name meanwhile.
            yield dataclasses.replace(left, outcome="gone")
        except FairingAzureError as error:
            yield dataclasses.replace(left, outcome="failed", problem=str(error))
        else:
            yield dataclasses.replace(left, outcome="deleted" if there else "gone")


def _of_launch(launch: Launch, now: datetime) -> Iterator[OrphanedResource]:
    info = launch.info
    if info.state == "deleting":
        return
    if info.kind == "endpoint":
        theirs = info.origin == "kubeflow-fairing"
        for part in launch.parts:
            if info.state == "broken":
                young = _is_young(info.created, now)
                why = "It is younger than two minutes: its launch may still be running." if young else info.detail
                yield _left(launch, part.kind, part.name, part.uid, why, in_use=young)
            elif theirs:
                yield _left(launch, part.kind, part.name, part.uid, "The endpoint may be in use.", in_use=True)
        return
    what = "build" if info.kind == "build" else "job"
    ended = info.state in {"succeeded", "failed"}
    why = f"The {what} has {info.state}." if ended else f"The {what} is {info.state}."
    watched = ended and _is_watched(launch, now)
    if watched:
        why += " Its own launch will delete it."
    for part in launch.parts:
        yield _left(launch, part.kind, part.name, part.uid, why, in_use=not ended or watched)


def _is_watched(launch: Launch, now: datetime) -> bool:
    """Tell whether the process that has launched a job may be reading its end: it must not go before that."""
    if ownership.PROCESS not in launch.annotations or not _is_young(launch.ended, now, _SEEN):
        return False
    return not ownership.is_abandoned(launch.info.name, launch.annotations)


def _left(launch: Launch, kind: str, name: str, uid: str, why: str, *, in_use: bool) -> OrphanedResource:
    info = launch.info
    return OrphanedResource(
        kind=_kind(kind),
        name=name,
        namespace=info.namespace,
        why=why,
        owner=info.owner,
        created=info.created,
        origin=info.origin,
        in_use=in_use,
        uid=uid,
    )


def _kind(kind: str) -> Literal["Job", "Deployment", "Service", "Secret"]:
    kinds: dict[str, Literal["Job", "Deployment", "Service", "Secret"]] = {"Job": "Job", "Deployment": "Deployment"}
    return kinds.get(kind, "Service")


def _of_secrets(launches: Iterable[Launch], secrets: Iterable[Object], now: datetime) -> Iterator[OrphanedResource]:
    building = {launch.info.name for launch in launches if launch.info.kind == "build"}
    theirs = any(
        launch.info.kind == "build"
        and launch.info.origin == "kubeflow-fairing"
        and launch.info.state in {"pending", "running"}
        for launch in launches
    )
    for secret in secrets:
        metadata = mapping(secret.get("metadata"))
        labels, name = mapping(metadata.get("labels")), name_of(secret)
        if metadata.get("deletionTimestamp"):
            continue
        created = str(metadata.get("creationTimestamp") or "")
        young = _is_young(created, now)
        ours = all(labels.get(key) == value for key, value in MANAGED_BY.items())
        if ours and labels.get(f"{PREFIX}kind") == "build" and labels.get(f"{PREFIX}launch") not in building:
            why = "It holds the link to the context of a build that no longer exists."
            used, fairings = young, False
        elif not ours and _FAIRINGS_SECRET.fullmatch(name):
            why = "Left by Kubeflow Fairing: it holds a storage account's key."
            used, fairings = young or theirs, True
        else:
            continue
        yield OrphanedResource(
            kind="Secret",
            name=name,
            namespace=str(metadata.get("namespace") or ""),
            why=f"{why} A build may be using it now." if used else why,
            owner=owner_of(secret),
            created=created,
            origin="kubeflow-fairing" if fairings else "fairing-az-jupyter",
            in_use=used,
            uid=uid_of(secret),
        )


def _is_young(created: str, now: datetime, settled: timedelta | None = None) -> bool:
    """Tell whether something is so young that its launch may still be running; what has no age is not."""
    try:
        made = datetime.fromisoformat(created.replace("Z", "+00:00"))
    except ValueError:
        return False
    return now - made < (_SETTLED if settled is None else settled)
