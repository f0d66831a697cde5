"""The builder that makes a task's whole image in the cluster."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import BuildFailedError
from fairing_az_jupyter.fairing.context.archive import digest_of
from fairing_az_jupyter.fairing.images.build_pods import KANIKO_OPTIONS, BuildOrder
from fairing_az_jupyter.fairing.images.builder import ImageBuilder, combined
from fairing_az_jupyter.fairing.images.dockerfiles import whole_image
from fairing_az_jupyter.fairing.images.kaniko_job import build_in_cluster
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.clients.oci.images import ImageStore
    from fairing_az_jupyter.fairing.context.archive import ArchiveEntry

__all__ = ["KanikoBuilder", "require_pushed"]

logger = logging.getLogger(LOGGER_NAME)


class KanikoBuilder(ImageBuilder):
    """Builds the whole image in the cluster; arguments as of `ImageBuilder`.

    What requirements.txt asks for is installed first, and kept in the registry as Kaniko's cache.
    """

    kind = "kaniko"

    def _make(self, entries: Sequence[ArchiveEntry]) -> str:
        base, requirements = self.pinned_base(), self.requirements(entries)
        shown = None if requirements is None else requirements.shown
        within, beside = self.parted(entries)
        all_first = requirements is not None and requirements.needs_files
        text = whole_image(str(base), self.prefix, shown, all_first=all_first, beside=bool(beside))
        inner, others = digest_of(within), digest_of(beside)
        self.context_digest = digest_of(entries) if beside else inner
        tag = combined("kaniko 2", text, inner, others, self.platform)
        repository = self.repository(self.image_name)
        name = f"{self.registry}/{self.image_name}:{tag}"
        if self.exists(repository, tag):
            return name
        order = BuildOrder(
            image=f"{self._host}/{repository}:{tag}",
            tag=tag,
            base=str(base),
            options=KANIKO_OPTIONS,
            cache=self.repository("fairing-cache"),
            requirements=shown or "",
            placement=self.placement(),
        )
        build_in_cluster(self._launcher, order, lambda: self.link(within, text, beside), self.phases)
        self.phases.begin("push")
        self.phases.say("The build has pushed the image.")
        self.image_digest = require_pushed(self.images, repository, tag)
        logger.info("Image %s is built.", name)
        return name


def require_pushed(images: ImageStore, repository: str, tag: str) -> str:
    """Return the digest of an image that a build was to push.

    Args:
        images: The registry.
        repository: The image's repository.
        tag: Its tag.

    Raises:
        BuildFailedError: It is not in the registry.

    """
    digest = images.has(repository, tag)
    if digest is None:
        raise BuildFailedError(
            f"The build of image '{images.host}/{repository}:{tag}' has ended, but the image is not in the registry.",
            hint="The build may have been deleted. Launch again.",
            code="image-missing",
        )
    return digest
