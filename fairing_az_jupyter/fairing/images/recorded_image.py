"""An image that an earlier launch has run in, run once more: nothing is packed, built or sent."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NoReturn

from fairing_az_jupyter.clients.oci.images import ImageReference
from fairing_az_jupyter.exceptions import NotFoundError
from fairing_az_jupyter.fairing.images.builder import ImageBuilder
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.records.provenance.files import read_provenance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.context.archive import ArchiveEntry
    from fairing_az_jupyter.models import Provenance

__all__ = ["RecordedImage", "reference_of"]

logger = logging.getLogger(LOGGER_NAME)

# What a launch is made of that all comes with its image.
_OF_THE_IMAGE = ("code", "context", "image", "image_digest", "command")


def reference_of(made: Provenance) -> ImageReference:
    """Return the image that a launch has run in, by its digest; its registry's host and repository are the tag's.

    Args:
        made: What the launch was made of.

    """
    named = ImageReference.parse(made.image)
    return ImageReference(named.host, named.repository, None, made.image_digest)


class RecordedImage(ImageBuilder):
    """The image of an earlier launch, in the place of one that is built.

    Args:
        launcher: Registry, Storage account and cluster.
        preprocessor: Fairing's preprocessor, of which only the application's folder counts.
        as_it_was: The record of that launch.

    """

    kind = "recorded"

    def __init__(self, launcher: Launcher, preprocessor: Any, as_it_was: Path) -> None:  # noqa: ANN401 - Fairing is untyped
        super().__init__(launcher, preprocessor, "")
        self.as_it_was, self._made = as_it_was, read_provenance(as_it_was)

    def build(self) -> None:
        """Make sure that the image is still in its registry.

        Raises:
            NotFoundError: It was deleted.
            ServiceError: The registry does not say.

        """
        reference = reference_of(self._made)
        with self.phases as phases:
            phases.skip("context", "The image of an earlier launch has it.")
            if self._launcher.images(reference.host).has(reference.repository, str(reference.digest)) is None:
                raise NotFoundError(
                    f"Image '{reference}' is no longer in its registry.",
                    hint=f"Run the current code: fairing-azure runs retry {self.as_it_was.name}",
                    code="image-gone",
                    service="registry",
                )
            self.image_tag, self.image_digest = str(reference), self._made.image_digest
            phases.skip("build", f"Image {reference} is run again.")
            phases.skip("push", "The image already exists.")
        logger.info("Image %s is run again: nothing is built or pushed.", reference)

    def generate_pod_spec(self, image: str | None = None) -> Any:  # noqa: ANN401 - Fairing is untyped
        """Return Fairing's pod specification, with the command of the earlier launch."""
        pod_spec = super().generate_pod_spec(image)
        # A notebook's run does not tell: there it is the same for all.
        pod_spec.containers[0].command = list(self._made.command) or pod_spec.containers[0].command
        return pod_spec

    def provenance(self) -> dict[str, Any]:
        """Return what a record tells of the launch, by the names of `Provenance`."""
        return {**super().provenance(), **{name: getattr(self._made, name) for name in _OF_THE_IMAGE}}

    def _make(self, entries: Sequence[ArchiveEntry]) -> NoReturn:
        raise NotImplementedError
