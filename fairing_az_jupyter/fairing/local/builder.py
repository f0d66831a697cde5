"""Packs a task for this machine: the reproducible archive that a cluster's builder would get."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from kubeflow.fairing.builders.base_builder import BaseBuilder

from fairing_az_jupyter.fairing.context.archive import write_archive
from fairing_az_jupyter.fairing.context.job_files import check_apart, provenance_of
from fairing_az_jupyter.fairing.context.task_files import (
    code_digest,
    entries_of,
    forgetting,
    keep_code,
    put_code,
    scratch_file,
)
from fairing_az_jupyter.fairing.recording.current import current_record
from fairing_az_jupyter.launch_events import Phases

if TYPE_CHECKING:
    from pathlib import Path

    from fairing_az_jupyter.outputs.sources import FileSource


class LocalBuilder(BaseBuilder):  # type: ignore[misc] # Fairing is untyped
    """Packs a task's files into the reproducible archive that a cluster's builder would get.

    Args:
        preprocessor: Fairing's preprocessor, which knows the files and the command.
        base_image: Recorded only.
        registry: Recorded only.
        mutators: The names of the functions that change the pod's specification; recorded only.
        as_it_was: The record of a launch whose code is taken in the place of the task's own; None for none.

    Attributes:
        source: The files of an earlier job that go into the application's folder; None for none.

    """

    def __init__(
        self,
        preprocessor: Any,  # noqa: ANN401
        base_image: str,
        registry: str,
        *,
        mutators: tuple[str, ...] = (),
        as_it_was: Path | None = None,
    ) -> None:
        super().__init__(
            registry=registry,
            image_name="fairing-job",
            base_image=base_image,
            push=False,
            preprocessor=preprocessor,
        )
        self.archive: Path | None = None
        self.context_digest = ""
        # Continued where the archive is unpacked.
        self.phases = Phases()
        self.source: FileSource | None = None
        self._mutators, self.as_it_was = mutators, as_it_was
        weakref.finalize(self, forgetting(preprocessor))
        if as_it_was is not None:
            put_code(preprocessor, as_it_was)

    def build(self) -> None:
        """Write the archive, which the image's tag names by its digest; it is kept as long as this builder is."""
        self.phases.begin("context")
        try:
            path = scratch_file(".tar")
            entries = entries_of(self.preprocessor)
            if self.source is not None:
                check_apart(self.source, entries, str(self.preprocessor.path_prefix).strip("/"))
            archive = write_archive(entries, path, compression="none")
        except BaseException as error:
            self.phases.fail(error)
            raise
        weakref.finalize(self, path.unlink, missing_ok=True)
        record = current_record()
        if record is not None:
            keep_code(self.preprocessor, record)
        self.archive, self.context_digest = path, archive.digest
        self.image_tag = self.full_image_name(archive.digest)

    def provenance(self) -> dict[str, Any]:
        """Return what a record tells of the launch, by the names of `Provenance`."""
        local = {"backend": "LocalBackend"}
        return {
            **local,
            "settings": local,
            "code": code_digest(self.preprocessor),
            "context": self.context_digest,
            "command": tuple(map(str, self.preprocessor.get_command())),
            "mutators": self._mutators,
            **provenance_of(self.source),
        }

    def generate_pod_spec(self, image: str | None = None) -> Any:  # noqa: ANN401
        """Return Fairing's pod specification; it keeps this builder, and so the archive, as long as it is there."""
        pod_spec = super().generate_pod_spec(image)
        pod_spec.built_by = self
        return pod_spec
