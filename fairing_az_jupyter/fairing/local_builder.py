"""Packs a task for this machine: the reproducible archive that a cluster's builder would get."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import uuid
import weakref
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kubeflow.fairing.builders.base_builder import BaseBuilder
from kubeflow.fairing.preprocessors.function import FunctionPreProcessor

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing.archive import write_archive
from fairing_az_jupyter.fairing.context import collect
from fairing_az_jupyter.fairing.dockerignore import IgnoreRules
from fairing_az_jupyter.folders import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER = "fairing_serving.py"
"""The name of `serving.py` beside the user's files; the modules that it needs are named in the same way."""

ABANDONED_SECONDS = 24 * 3600.0
"""After this time, a file that nobody claims is what a killed process has left."""


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
        if isinstance(preprocessor, FunctionPreProcessor):
            weakref.finalize(self, _remove_payload(preprocessor))

    def build(self) -> None:
        """Write the archive, which the image's tag names by its digest; it is kept as long as this builder is."""
        keep_within_folder(self.preprocessor)
        self.preprocessor.input_files = self.preprocessor.preprocess()
        prefix = PurePosixPath(self.preprocessor.path_prefix)
        runtime = self.preprocessor.fairing_runtime_files()
        # Fairing names one of its own files twice, and would warn of it each time.
        once = {source: where for source, where in self.preprocessor.output_map.items() if source not in runtime}
        self.preprocessor.output_map = once
        server = {str(prefix / f"fairing_{file.name}"): str(file) for file in Path(__file__).parent.glob("serving*.py")}
        context_map = {**self.preprocessor.context_map(), **server}
        folder = data_folder("contexts")
        _remove_older_than(folder, ABANDONED_SECONDS)
        path = folder / f"{uuid.uuid4().hex}.tar"
        archive = write_archive(collect(context_map, ignore=_rules(Path.cwd())), path, compression="none")
        weakref.finalize(self, path.unlink, missing_ok=True)
        self.archive = path
        self.image_tag = self.full_image_name(archive.digest)

    def generate_pod_spec(self, image: str | None = None) -> Any:  # noqa: ANN401
        """Return Fairing's pod specification; it keeps this builder, and so the archive, as long as it is there."""
        pod_spec = super().generate_pod_spec(image)
        pod_spec.built_by = self
        return pod_spec


def _rules(here: Path) -> IgnoreRules:
    """Return what stays out of the archive: what the user says, and the files of jobs that ran before."""
    rules = IgnoreRules.read(here)
    with contextlib.suppress(ValueError):
        return rules.and_folder(data_folder().resolve().relative_to(here.resolve()).as_posix())
    return rules


def _remove_payload(preprocessor: Any) -> Callable[[], None]:  # noqa: ANN401
    """Return what removes the pickle and its loader, which Fairing leaves in the folder for temporary files."""
    prefix = preprocessor.path_prefix
    names = {os.path.join(prefix, "pickled_fn.p")}  # noqa: PTH118 - as Fairing joins them
    payload = [source for source, where in preprocessor.output_map.items() if where in names]
    if payload:
        loader = 'cloudpickle.load(open("pickled_fn.p"'
        payload += [
            source
            for source in preprocessor.output_map
            if Path(source).parent == Path(tempfile.gettempdir()) and loader in Path(source).read_text(errors="replace")
        ]

    def remove() -> None:
        for source in payload:
            with contextlib.suppress(OSError):
                Path(source).unlink()

    return remove


def keep_within_folder(preprocessor: Any) -> None:  # noqa: ANN401
    """Make a preprocessor's input files relative to the working directory, as paths in an image have to be.

    Raises:
        ContextError: One of them lies elsewhere.

    """
    here = Path.cwd()

    def relative(name: str) -> str:
        path = Path(os.path.normpath(here / name))
        for base, target in ((here, path), (here.resolve(), path.resolve())):
            with contextlib.suppress(ValueError):
                return str(target.relative_to(base))
        raise ContextError(
            f"Input file '{name}' does not lie in the working directory '{here}', so the image has no place for it.",
            hint="Move it there, or say where it goes: "
            f"output_map={{'{name}': '{preprocessor.path_prefix}{path.name}'}}",
        )

    preprocessor.input_files = {relative(str(name)) for name in preprocessor.input_files}
    if preprocessor.executable is not None:
        preprocessor.executable = relative(str(preprocessor.executable))


def _remove_older_than(folder: Path, seconds: float) -> None:
    """Remove what a process that was killed has left."""
    for entry in folder.iterdir():
        if time.time() - age(entry) > seconds:
            entry.unlink(missing_ok=True)


def age(entry: Path) -> float:
    """Return when an entry was last changed, in seconds since 1970; 0 if it has gone."""
    with contextlib.suppress(OSError):
        return entry.stat().st_mtime
    return 0.0
