"""Packs a task for this machine: the reproducible archive that a cluster's builder would get."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from kubeflow.fairing.builders.base_builder import BaseBuilder

from fairing_az_jupyter.fairing.context.archive import write_archive
from fairing_az_jupyter.fairing.context.task_files import entries_of, forgetting, scratch_file
from fairing_az_jupyter.launch_events import Phases

if TYPE_CHECKING:
    from pathlib import Path


class LocalBuilder(BaseBuilder):  # type: ignore[misc] # Fairing is untyped
    """Packs a task's files into the reproducible archive that a cluster's builder would get.

    Args:
        preprocessor: Fairing's preprocessor, which knows the files and the command.
        base_image: Recorded only.
        registry: Recorded only.

    """

    def __init__(self, preprocessor: Any, base_image: str, registry: str) -> None:  # noqa: ANN401
        super().__init__(
            registry=registry,
            image_name="fairing-job",
            base_image=base_image,
            push=False,
            preprocessor=preprocessor,
        )
        self.archive: Path | None = None
        # Continued where the archive is unpacked.
        self.phases = Phases()
        weakref.finalize(self, forgetting(preprocessor))

    def build(self) -> None:
        """Write the archive, which the image's tag names by its digest; it is kept as long as this builder is."""
        self.phases.begin("context")
        try:
            path = scratch_file(".tar")
            archive = write_archive(entries_of(self.preprocessor), path, compression="none")
        except BaseException as error:
            self.phases.fail(error)
            raise
        weakref.finalize(self, path.unlink, missing_ok=True)
        self.archive = path
        self.image_tag = self.full_image_name(archive.digest)

    def generate_pod_spec(self, image: str | None = None) -> Any:  # noqa: ANN401
        """Return Fairing's pod specification; it keeps this builder, and so the archive, as long as it is there."""
        pod_spec = super().generate_pod_spec(image)
        pod_spec.built_by = self
        return pod_spec
