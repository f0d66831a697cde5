"""The default builder: dependencies once in the cluster, code and data as a layer through the registry's API."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.images import ConfigChanges, ImageReference, Layer
from fairing_az_jupyter.fairing.archive import digest_of
from fairing_az_jupyter.fairing.build_job import BuildOrder, build_in_cluster
from fairing_az_jupyter.fairing.builders import ImageBuilder, Requirements, combined, megabytes, progress, top_folders
from fairing_az_jupyter.fairing.dockerfiles import dependency_image
from fairing_az_jupyter.fairing.kaniko_builder import KANIKO_OPTIONS, require_pushed
from fairing_az_jupyter.fairing.standins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairing_az_jupyter.clients.images import ResolvedImage
    from fairing_az_jupyter.fairing.archive import ArchiveEntry

__all__ = ["LayeredBuilder"]

logger = logging.getLogger(LOGGER_NAME)


class LayeredBuilder(ImageBuilder):
    """Appends a task's files to an image that has what the task's requirements.txt asks for.

    That image is built in the cluster when the first task asks for the same; no build pod runs after that.
    Arguments as of `ImageBuilder`.
    """

    kind = "layered"

    def _make(self, entries: Sequence[ArchiveEntry]) -> str:
        base, requirements = self.pinned_base(), self.requirements(entries)
        layer = _layer_members(entries, self.prefix)
        contents = digest_of(layer)
        asked = _key(base, requirements, contents, self.platform) if requirements else str(base.digest)
        repository, tag = self.repository(self.image_name), combined("layered 1", asked, self.prefix, contents)
        name = f"{self.registry}/{self.image_name}:{tag}"
        if self.is_there(repository, tag):
            return name
        parent = self._with_dependencies(base, requirements, asked, entries) if requirements else self._resolved(base)
        with self.packed(layer) as archive, Layer.from_file(str(archive.path)) as made:
            pushed = self.images.append(
                parent,
                self._launcher.images(parent.host),
                made,
                repository=repository,
                tag=tag,
                created_by=f"fairing-az-jupyter: {archive.members} files of the task, sha256:{archive.digest}",
                changes=ConfigChanges(env={"FAIRING_RUNTIME": "1"}, working_dir=f"/{self.prefix}"),
                progress=progress("image"),
            )
        logger.info("Image %s is pushed: %s sent.", name, megabytes(pushed.sent_bytes))
        return name

    def _resolved(self, reference: ImageReference) -> ResolvedImage:
        return self._launcher.images(reference.host).resolve(reference, self.platform)

    def _with_dependencies(
        self, base: ImageReference, requirements: Requirements, tag: str, entries: Sequence[ArchiveEntry]
    ) -> ResolvedImage:
        """Return the image that has what is asked for; it is built if it is not in the registry yet."""
        repository = self.repository("fairing-dependencies")
        reference = ImageReference(self._host, repository, tag)
        if self.images.has(repository, tag) is None:
            wanted = list(entries) if requirements.needs_files else [requirements.entry]
            logger.warning("What requirements.txt asks for is installed into an image, once: %s", reference)
            text = dependency_image(
                str(base),
                self.prefix,
                requirements.shown,
                top_folders(entries) if requirements.needs_files else (),
            )
            order = BuildOrder(
                image=str(reference),
                tag=tag,
                base=str(base),
                options=KANIKO_OPTIONS,
                placement=self.placement(),
            )
            build_in_cluster(self._launcher, order, lambda: self.link(wanted, text))
            require_pushed(self.images, repository, tag)
        else:
            logger.info("What requirements.txt asks for is in image %s already.", reference)
        return self._resolved(reference)


def _layer_members(entries: Iterable[ArchiveEntry], prefix: str) -> tuple[ArchiveEntry, ...]:
    """Return what goes into a layer: folders of the base image that only lead to a member keep their permissions."""
    return tuple(
        entry
        for entry in entries
        if entry.source is not None or f"{entry.destination}/".startswith(f"{prefix}/") or entry.kind != "folder"
    )


def _key(base: ImageReference, requirements: Requirements, contents: str, platform: str) -> str:
    """Return the tag of the image with dependencies: another one where what is installed might be another."""
    asked = contents if requirements.needs_files else hashlib.sha256(requirements.content).hexdigest()
    return combined("dependencies 1", str(base.digest), asked, platform)
