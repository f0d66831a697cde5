"""Images of launches that nothing names any more: found in the registry, and deleted by digest."""

from __future__ import annotations

import dataclasses
import re
import time
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from fairing_az_jupyter.exceptions import FairingAzureError, InputError, NotAllowedError
from fairing_az_jupyter.services.keeping.names import BEGINNING, known, looked_at
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fairing_az_jupyter.clients.oci.references import ImageReference
    from fairing_az_jupyter.clients.oci.stored_images import StoredImage, StoredImages
    from fairing_az_jupyter.services.keeping.names import Known
    from fairing_az_jupyter.services.session import Session

__all__ = ["OLD_SECONDS", "FoundImage", "PrunedImages", "prune_images"]

OLD_SECONDS = 30 * 86_400.0
"""What was of use later stays, unless the user says otherwise."""

Verdict = Literal["unused", "named", "young", "others"]

_JOBS, _CACHE = "fairing-job", "fairing-cache"
# As the builders call them: see `fairing.images`.
_DEPENDENCIES = re.compile(r"fairing-dependencies-[0-9a-f]{16}")
_TAG = re.compile(r"[0-9a-f]{32}")
_CACHED_TAG = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class FoundImage:
    """An image that nothing names, and what became of it.

    Args:
        name: Its repository and tag.
        digest: The digest of its manifest.
        size: The bytes of all its layers, those among them that other images share.
        own: Whether a record of this home has named it, or an image that is built on it.
        used: When it was last of use, as far as that is known, in seconds since 1970-01-01 UTC; 0 if not.
        outcome: `found`; afterwards `deleted`, `gone` if somebody else was faster, or `failed`.
        problem: Why it could not be deleted; empty otherwise.

    """

    name: str
    digest: str
    size: int
    own: bool
    used: float = 0.0
    outcome: Literal["found", "deleted", "gone", "failed"] = "found"
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class PrunedImages:
    """The images of launches in a registry, and what became of them.

    Args:
        registry: The registry, with the path that its setting has.
        chosen: What is to be deleted; afterwards with its outcome.
        freed: The bytes that only these have, of layers that several of them share once.
        others: How many belong to others, or to nobody who is known, and are not to be deleted.
        young: How many nothing names and are not old enough; those of unknown age among them.
        named: How many a record or something in the namespace names.
        note: What could not be looked at, in one sentence; empty if everything could.

    """

    registry: str
    chosen: tuple[FoundImage, ...] = ()
    freed: int = 0
    others: int = 0
    young: int = 0
    named: int = 0
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return it as values that any JSON parser reads."""
        return dataclasses.asdict(self)


def prune_images(
    session: Session,
    *,
    older_than: float | None = None,
    everyone: bool = False,
    agree: Callable[[PrunedImages], bool] | None = None,
    report: Callable[[FoundImage], object] | None = None,
) -> PrunedImages:
    """Delete images that launches have made and that no record of this home and nothing in the namespace names.

    Args:
        session: The settings in force, the records and the cluster.
        older_than: Only what was of use longer ago, in seconds; None for 30 days. What was pushed by others is of
            unknown age in registries other than Azure's, and stays unless this is 0.
        everyone: Whether images are included that no record of this home has named.
        agree: Gets what was found and says whether it is to be deleted; None means that nothing is.
        report: Gets each image with its outcome when it is done.

    Returns:
        What was found, and what became of it.

    Raises:
        InputError: LocalBackend was chosen, no registry is set, or a record can't be read.
        NotAllowedError: This identity may not delete images.
        ServiceError: The cluster or the registry does not do what is asked.

    """
    from fairing_az_jupyter.clients.oci.stored_images import StoredImages  # noqa: PLC0415 - loads the clients

    with looked_at(session) as launcher:
        registry = launcher.settings.docker_registry
        if not registry:
            raise InputError(
                f"No registry is set, so there are no images to look at: {notebook_names()['docker_registry']} is not "
                "set.",
                hint="Name it: --docker-registry REGISTRY",
                code="no-registry",
            )
        host, _, path = registry.partition("/")
        images = StoredImages(launcher.registry(host))
        seconds = OLD_SECONDS if older_than is None else older_than
        listed, note = _listed(images, path)
        rule = _Rule(known(session, launcher), images.host, time.time() - seconds if seconds else None, everyone)
        found = _chosen(listed, rule, registry, note)
        if agree is None or not agree(found) or not found.chosen:
            return found
        # What was launched while the user was asked is not deleted.
        again = _chosen(listed, dataclasses.replace(rule, known=known(session, launcher)), registry, note)
        digests = {image.digest for image in found.chosen}
        wanted = [image for image in again.chosen if image.digest in digests]
        by_digest = {(image.name, image.digest): image for image in listed}
        done = []
        for each in wanted:
            done.append(_deleted(images, by_digest[each.name, each.digest], each))
            if report is not None:
                report(done[-1])
        return dataclasses.replace(found, chosen=tuple(done))


def _deleted(images: StoredImages, stored: StoredImage, found: FoundImage) -> FoundImage:
    """Delete one image; one that can't be does not keep the others.

    Raises:
        NotAllowedError: This identity may not delete any.

    """
    try:
        there = images.delete(stored)
    except NotAllowedError as error:
        # Where deletion is off, or one image is locked, others may go.
        if error.code != "delete-off":
            raise
        return dataclasses.replace(found, outcome="failed", problem=str(error))
    except FairingAzureError as error:
        return dataclasses.replace(found, outcome="failed", problem=str(error))
    return dataclasses.replace(found, outcome="deleted" if there else "gone")


def _listed(images: StoredImages, path: str) -> tuple[list[StoredImage], str]:
    """Return the images in repositories that launches make, and why not all of them could be looked at."""
    prefix, note = f"{path}/" if path else "", ""
    names = [f"{prefix}{_JOBS}", f"{prefix}{_CACHE}"]
    try:
        names += images.repositories(
            lambda name: name.startswith(prefix) and _DEPENDENCIES.fullmatch(name.removeprefix(prefix)) is not None
        )
    except NotAllowedError as error:
        note = f"Images with dependencies were not looked at: {error}"
    return [image for name in names for image in images.images(name)], note


@dataclasses.dataclass(frozen=True)
class _Rule:
    """Tells what may go.

    Args:
        known: What is named.
        host: The registry.
        since: What was of use after this time stays; None for whatever age.
        everyone: Whether what belongs to others may go.

    """

    known: Known
    host: str
    since: float | None
    everyone: bool

    def used(self, image: StoredImage) -> float:
        """Return when an image was last of use, as far as that is known."""
        return max(image.pushed or 0.0, *self._by_records(image))

    def is_own(self, image: StoredImage) -> bool:
        """Tell whether a record of this home has named an image."""
        return any(self._by_records(image))

    def _by_records(self, image: StoredImage) -> list[float]:
        """Return when records were of use that have named an image and were deleted; 0 for none."""
        tags = self._tags
        by_tag = (tags.get((self.host, image.repository, tag), 0.0) for tag in image.tags)
        return [self.known.deleted.digests.get(image.digest, 0.0), *by_tag]

    @cached_property
    def _tags(self) -> dict[tuple[str, str, str], float]:
        named = ((_reference(name), used) for name, used in self.known.deleted.images.items())
        return {(each.host, each.repository, each.tag): used for each, used in named if each and each.tag}

    def verdict(self, *, own: bool, used: float) -> Verdict:
        """Tell what is to become of an image that nothing names."""
        if not own and not self.everyone:
            return "others"
        if self.since is not None and (not used or used > self.since):
            return "young"
        return "unused"


def _chosen(listed: Sequence[StoredImage], rule: _Rule, registry: str, note: str) -> PrunedImages:
    """Return what is to be done about images."""
    ours = [image for image in listed if _is_ours(image)]
    if rule.known.is_changing:
        return PrunedImages(registry, named=len(ours), note=BEGINNING.format("images"))
    tags, digests = _named(rule.known)
    verdicts: dict[str, Verdict] = {}
    chosen: list[FoundImage] = []

    def take(image: StoredImage, *, own: bool, used: float) -> None:
        key = f"{image.repository}@{image.digest}"
        verdicts[key] = rule.verdict(own=own, used=used)
        if verdicts[key] == "unused":
            chosen.append(FoundImage(image.name, image.digest, sum(image.blobs.values()), own, used))

    def is_named(image: StoredImage) -> bool:
        return image.digest in digests or any((rule.host, image.repository, tag) in tags for tag in image.tags)

    bases = [image for image in ours if _DEPENDENCIES.search(image.repository)]
    for image in ours:
        if _DEPENDENCIES.search(image.repository):
            continue
        if is_named(image):
            verdicts[f"{image.repository}@{image.digest}"] = "named"
        else:
            take(image, own=rule.is_own(image), used=rule.used(image))
    for base in bases:
        above = [image for image in listed if image is not base and base.layers and base.layers <= image.layers]
        stays = [image for image in above if verdicts.get(f"{image.repository}@{image.digest}") != "unused"]
        if is_named(base) or stays:
            verdicts[f"{base.repository}@{base.digest}"] = "named"
        else:
            used = max((rule.used(image) for image in (base, *above)), default=0.0)
            # Before the images that are built on it, which tell whose it is.
            take(base, own=any(map(rule.is_own, (base, *above))), used=used)
    chosen.sort(key=lambda image: not _DEPENDENCIES.search(image.name))
    count = {name: sum(each == name for each in verdicts.values()) for name in ("others", "young", "named")}
    return PrunedImages(registry, tuple(chosen), _freed(listed, chosen), **count, note=note)


def _is_ours(image: StoredImage) -> bool:
    """Tell whether all tags of an image are ones that launches make: somebody may have given it another."""
    rule = _CACHED_TAG if image.repository.rpartition("/")[2] == _CACHE else _TAG
    return all(rule.fullmatch(tag) for tag in image.tags)


def _named(found: Known) -> tuple[set[tuple[str, str, str]], set[str]]:
    """Return the tags and the digests of images that records, or objects in the namespace, name."""
    tags: set[tuple[str, str, str]] = set()
    digests = set(found.records.digests)
    for name in {*found.records.images, *found.running.images}:
        image = _reference(name)
        if image is not None and image.tag:
            tags.add((image.host, image.repository, image.tag))
        if name.startswith("sha256:") or (image is not None and image.digest):
            digests.add(name.rpartition("@")[2])
    return tags, digests


def _reference(name: str) -> ImageReference | None:
    from fairing_az_jupyter.clients.oci.references import ImageReference  # noqa: PLC0415 - loads the clients

    try:
        return ImageReference.parse(name)
    except InputError:
        return None


def _freed(listed: Iterable[StoredImage], chosen: Iterable[FoundImage]) -> int:
    going = {(image.name, image.digest) for image in chosen}
    blobs: dict[str, int] = {}
    kept: set[str] = set()
    for image in listed:
        if (image.name, image.digest) in going:
            blobs |= image.blobs
        else:
            kept |= set(image.blobs)
    return sum(size for digest, size in blobs.items() if digest not in kept)
