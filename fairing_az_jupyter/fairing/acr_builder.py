"""The builder that lets Azure make a task's whole image: ACR Tasks, without any pod."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import BuildFailedError
from fairing_az_jupyter.fairing.archive import digest_of
from fairing_az_jupyter.fairing.build_errors import cure_for
from fairing_az_jupyter.fairing.builders import ImageBuilder, combined, top_folders
from fairing_az_jupyter.fairing.dockerfiles import FILE_NAME, whole_image
from fairing_az_jupyter.fairing.kaniko_builder import require_pushed
from fairing_az_jupyter.fairing.standins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.fairing.archive import ArchiveEntry

__all__ = ["AcrTasksBuilder"]

logger = logging.getLogger(LOGGER_NAME)


class AcrTasksBuilder(ImageBuilder):
    """Lets Azure build the whole image; arguments as of `ImageBuilder`."""

    kind = "acr-tasks"

    def _make(self, entries: Sequence[ArchiveEntry]) -> str:
        base, requirements = self.pinned_base(), self.requirements(entries)
        text = whole_image(
            str(base),
            self.prefix,
            top_folders(entries),
            None if requirements is None else requirements.shown,
            all_first=requirements is not None and requirements.needs_files,
        )
        tag = combined("acr-tasks 1", text, digest_of(entries), self.platform)
        repository = self.repository(self.image_name)
        name = f"{self.registry}/{self.image_name}:{tag}"
        if self.is_there(repository, tag):
            return name
        link = self.link(entries, text)
        try:
            with self._launcher.tasks(self._host) as tasks:
                digest = tasks.build(
                    context=link,
                    image=f"{repository}:{tag}",
                    dockerfile=FILE_NAME,
                    tell=lambda line: logger.info("%s", line),
                )
        except BuildFailedError as error:
            code, cure = cure_for(error.last_lines)
            error.code, error.hint = code or error.code, cure or error.hint
            raise
        require_pushed(self.images, repository, tag)
        logger.info("Image %s is built by Azure: %s.", name, digest)
        return name
