"""Adds the files of a job to an endpoint's image: they are streamed from where they are kept to the registry."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.oci.images import ImageReference
from fairing_az_jupyter.clients.oci.push.streamed import StreamedBlob
from fairing_az_jupyter.fairing.context.job_files import JobTar
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.clients.oci.images import ImageStore
    from fairing_az_jupyter.clients.oci.push.streamed import StoredLayer
    from fairing_az_jupyter.outputs.sources import FileSource

__all__ = ["JobFiles", "tag_with"]

logger = logging.getLogger(LOGGER_NAME)

_TAG_LENGTH = 32


class JobFiles:
    """Adds a layer with the files of a job to images of one repository.

    The layer is kept in the repository by an image of its own, whose tag is the digest of the files: it is sent once,
    whatever images get it.

    Args:
        images: The registry.
        repository: The repository.
        platform: What the images are made for.

    """

    def __init__(self, images: ImageStore, repository: str, platform: str) -> None:
        self._images, self._repository, self._platform = images, repository, platform
        self.sent = 0
        """The bytes that had to be sent."""

    def added(
        self, tag: str, source: FileSource, prefix: str, progress: Callable[[int, int], None] | None = None
    ) -> tuple[str, str]:
        """Have an image in the registry that is another one with the files of a job.

        Args:
            tag: The tag of the other one.
            source: The files.
            prefix: The application's folder in the image, without slashes around it.
            progress: Gets the bytes sent and the bytes to send.

        Returns:
            Its tag and its manifest's digest.

        Raises:
            FairingAzureError: The files can't be read, or the registry does not take them.

        """
        wanted = tag_with(tag, source, prefix)
        digest = self._images.has(self._repository, wanted)
        if digest is not None:
            logger.info("The image with the files of '%s' already exists: nothing is sent.", source.name)
            return wanted, digest
        created_by = f"fairing-az-jupyter: {len(source.files)} files of a job, sha256:{source.digest}"
        layer = self._layer(f"files-{_own(source, prefix)}", source, prefix, created_by, progress)
        base = self._images.resolve(ImageReference(self._images.host, self._repository, tag), self._platform)
        pushed = self._images.append(
            base, self._images, layer, repository=self._repository, tag=wanted, created_by=created_by
        )
        return wanted, pushed.digest

    def _layer(
        self, tag: str, source: FileSource, prefix: str, created_by: str, progress: Callable[[int, int], None] | None
    ) -> StoredLayer:
        found = self._images.stored_layer(self._repository, tag)
        if found is not None:
            logger.info("The files of '%s' are already in the registry: they are not sent again.", source.name)
            return found
        tar = JobTar(source, prefix)
        blob = StreamedBlob(tar.size, tar.pieces)
        self.sent = tar.size
        return self._images.push_stream(
            self._repository, tag, blob, self._platform, created_by=created_by, progress=progress
        )


def tag_with(tag: str, source: FileSource, prefix: str) -> str:
    """Return the tag of an image that is another one with the files of a job.

    Args:
        tag: The tag of the other one.
        source: The files.
        prefix: The application's folder in the image, without slashes around it.

    """
    return _digest("with job files 1", tag, _own(source, prefix))


def _own(source: FileSource, prefix: str) -> str:
    return _digest("job files 1", prefix, source.digest)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_TAG_LENGTH]
