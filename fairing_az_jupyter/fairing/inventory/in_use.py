"""What the running things of a namespace name: the launches and records that they belong to, and images."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of
from fairing_az_jupyter.exceptions import NotAllowedError, NotFoundError
from fairing_az_jupyter.fairing.cluster.manifests import PREFIX, origin_labels
from fairing_az_jupyter.fairing.inventory.launches import group_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fairing_az_jupyter.fairing.cluster.connections import Launcher

    Object = Mapping[str, Any]

__all__ = ["InUse", "find_in_use", "in_use_of"]

_KINDS = ("Job", "Deployment", "ReplicaSet", "Pod", "InferenceService")
# Where these may not be looked at, or are not there, the others tell enough.
_OPTIONAL = frozenset({"ReplicaSet", "InferenceService"})
_IMAGES = frozenset({"image", "imageID"})
_OWNERS = ("launch", "run", "sweep")


@dataclasses.dataclass(frozen=True)
class InUse:
    """What the objects of a namespace name.

    Args:
        names: Names of launches, and records and sweeps as labels have them.
        images: Images, by tag or digest as they are written there.
        builds: Whether an image is being built.

    """

    names: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    builds: bool = False

    def has(self, folder: str) -> bool:
        """Tell whether a folder of Blob Storage belongs to something that is there.

        Args:
            folder: Its name: that of a Job or of a run; a sweep's runs are called after the sweep.

        """
        label = origin_labels(run=folder).get(f"{PREFIX}run", "")
        sweep = origin_labels(run=folder.rpartition("-")[0]).get(f"{PREFIX}run", "")
        return bool(self.names & {folder, label, sweep})


def find_in_use(launcher: Launcher) -> InUse:
    """Return what the Jobs, Deployments, InferenceServices and pods of the namespace name, whoever has made them.

    Args:
        launcher: The cluster and the namespace.

    Raises:
        ServiceError: The cluster does not tell.

    """

    def listed(kind: str) -> Iterable[Object]:
        try:
            return launcher.workloads.list(kind)
        except (NotFoundError, NotAllowedError):
            if kind not in _OPTIONAL:
                raise
            return ()

    return in_use_of(thing for kind in _KINDS for thing in listed(kind))


def in_use_of(things: Iterable[Object]) -> InUse:
    """Return what objects name.

    Args:
        things: The objects.

    """
    names: set[str] = set()
    images: set[str] = set()
    builds = False
    for thing in things:
        metadata = mapping(thing.get("metadata"))
        labels = mapping(metadata.get("labels"))
        names |= {name_of(thing), group_of(thing), str(labels.get("job-name") or "")}
        names |= {str(labels.get(f"{PREFIX}{name}") or "") for name in _OWNERS}
        names |= {str(owner.get("name") or "") for owner in entries(metadata.get("ownerReferences"))}
        images |= set(_images_in(thing))
        builds = builds or labels.get(f"{PREFIX}kind") == "build"
    return InUse(frozenset(names - {""}), frozenset(images), builds)


def _images_in(value: object) -> Iterator[str]:
    """Yield the images that a part of an object names, wherever they stand."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name in _IMAGES and isinstance(each, str):
                # How a node writes what it runs: docker-pullable://HOST/NAME@sha256:...
                yield each.rpartition("://")[2]
            else:
                yield from _images_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _images_in(each)
