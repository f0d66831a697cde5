"""The builder that lets Azure make a task's whole image: ACR Tasks, without any pod."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import BuildFailedError
from fairing_az_jupyter.fairing.context.archive import digest_of
from fairing_az_jupyter.fairing.context.requirements import without_secrets
from fairing_az_jupyter.fairing.images.build_errors import fix_for
from fairing_az_jupyter.fairing.images.builder import ImageBuilder, combined
from fairing_az_jupyter.fairing.images.dockerfiles import FILE_NAME, labelled, whole_image
from fairing_az_jupyter.fairing.images.kaniko import require_pushed
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairing_az_jupyter.fairing.context.archive import ArchiveEntry

__all__ = ["AcrTasksBuilder"]

logger = logging.getLogger(LOGGER_NAME)


class AcrTasksBuilder(ImageBuilder):
    """Lets Azure build the whole image; arguments as of `ImageBuilder`."""

    kind = "acr-tasks"
    platform = "linux/amd64"

    def _make(self, entries: Sequence[ArchiveEntry]) -> str:
        base, requirements = self.pinned_base(), self.requirements(entries)
        shown = None if requirements is None else requirements.shown
        within, beside = self.parted(entries)
        all_first = requirements is not None and requirements.needs_files
        text = whole_image(str(base), self.prefix, shown, all_first=all_first, beside=bool(beside))
        text = labelled(text, shown) if shown else text
        inner, others = digest_of(within), digest_of(beside)
        self.context_digest = digest_of(entries) if beside else inner
        tag = combined("acr-tasks 2", text, inner, others, self.platform)
        repository = self.repository(self.image_name)
        name = f"{self.registry}/{self.image_name}:{tag}"
        if self.exists(repository, tag):
            return name
        link = self.link(within, text, beside)
        self.phases.begin("build")
        try:
            with self._launcher.tasks(self._host) as tasks:
                digest = tasks.build(
                    context=link,
                    image=f"{repository}:{tag}",
                    dockerfile=FILE_NAME,
                    report=lambda line: logger.info("%s", without_secrets(line)),
                )
        except BuildFailedError as error:
            code, fix = fix_for(error.last_lines)
            error.code, error.hint = code or error.code, fix or error.hint
            error.message = without_secrets(error.message)
            error.last_lines = tuple(map(without_secrets, error.last_lines))
            raise
        self.phases.begin("push")
        self.phases.say("The build has pushed the image.")
        self.image_digest = require_pushed(self.images, repository, tag)
        logger.info("Image %s is built by Azure: %s.", name, digest)
        return name
