"""The files of a task: what Fairing's preprocessor names and what serving needs, as the members of an archive."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import uuid
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kubeflow.fairing.preprocessors.function import FunctionPreProcessor

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing import model_server
from fairing_az_jupyter.fairing.context.collecting import collect
from fairing_az_jupyter.fairing.context.dockerignore import IgnoreRules
from fairing_az_jupyter.fairing.model_server.serving import CONTAINER_FILES
from fairing_az_jupyter.folders import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.fairing.context.archive import ArchiveEntry

__all__ = ["ABANDONED_SECONDS", "SERVER", "age", "entries_of", "forgetting", "scratch_file"]

SERVER = CONTAINER_FILES["serving.py"]
"""The name of `serving.py` beside the user's files; the modules that it needs are named in the same way."""

ABANDONED_SECONDS = 24 * 3600.0
"""After this time, a file that nobody claims is what a killed process has left."""

_LOADER_BYTES = 10_000


def entries_of(preprocessor: Any) -> tuple[ArchiveEntry, ...]:  # noqa: ANN401 - Fairing is untyped
    """Return what goes into a task's image.

    Args:
        preprocessor: Fairing's preprocessor, which knows the files and the command; it preprocesses them.

    Returns:
        The members of the archive, by their names in the image.

    Raises:
        ContextError: A file is missing, can't be read, or has no place in the image.

    """
    _keep_within_folder(preprocessor)
    preprocessor.input_files = preprocessor.preprocess()
    prefix = PurePosixPath(preprocessor.path_prefix)
    runtime = preprocessor.fairing_runtime_files()
    # Fairing names one of its own files twice, and would warn of it each time.
    once = {source: where for source, where in preprocessor.output_map.items() if source not in runtime}
    preprocessor.output_map = once
    here = Path(model_server.__file__).parent
    server = {str(prefix / name): str(here / source) for source, name in CONTAINER_FILES.items()}
    return collect({**preprocessor.context_map(), **server}, ignore=_rules(Path.cwd()))


def scratch_file(suffix: str) -> Path:
    """Return the name of a new file for an archive; what killed processes have left there is removed.

    Args:
        suffix: How its name ends, such as `.tar`.

    """
    folder = data_folder("contexts")
    for entry in folder.iterdir():
        if time.time() - age(entry) > ABANDONED_SECONDS:
            entry.unlink(missing_ok=True)
    return folder / f"{uuid.uuid4().hex}{suffix}"


def forgetting(preprocessor: Any) -> Callable[[], None]:  # noqa: ANN401 - Fairing is untyped
    """Return what removes the files that Fairing leaves in the folder for temporary files: the pickle and its loader.

    Args:
        preprocessor: The preprocessor that has made them; it is not kept alive.

    """
    if not isinstance(preprocessor, FunctionPreProcessor):
        return lambda: None
    prefix = preprocessor.path_prefix
    names = {os.path.join(prefix, "pickled_fn.p")}  # noqa: PTH118 - as Fairing joins them
    payload = [source for source, where in preprocessor.output_map.items() if where in names]
    if payload:
        loader = 'cloudpickle.load(open("pickled_fn.p"'
        payload += [source for source in preprocessor.output_map if _is_loader(Path(source), loader)]

    def remove() -> None:
        for source in payload:
            with contextlib.suppress(OSError):
                Path(source).unlink()

    return remove


def age(entry: Path) -> float:
    """Return when an entry was last changed, in seconds since 1970; 0 if it has gone."""
    with contextlib.suppress(OSError):
        return entry.stat().st_mtime
    return 0.0


def _is_loader(source: Path, loader: str) -> bool:
    """Tell whether a file is the one that Fairing has written; the user's own may lie beside it, and be large."""
    if source.parent != Path(tempfile.gettempdir()):
        return False
    with contextlib.suppress(OSError):
        return (
            source.is_file() and source.stat().st_size < _LOADER_BYTES and loader in source.read_text(errors="replace")
        )
    return False


def _rules(here: Path) -> IgnoreRules:
    """Return what stays out of the archive: what the user says, and the files of jobs that ran before."""
    rules = IgnoreRules.read(here)
    with contextlib.suppress(ValueError):
        return rules.and_folder(data_folder().resolve().relative_to(here.resolve()).as_posix())
    return rules


def _keep_within_folder(preprocessor: Any) -> None:  # noqa: ANN401
    """Make a preprocessor's input files relative to the working directory, as paths in an image have to be."""
    here = Path.cwd()

    def relative(name: str) -> str:
        path = Path(os.path.normpath(here / name))
        for base, target in ((here, path), (here.resolve(), path.resolve())):
            with contextlib.suppress(ValueError):
                return str(target.relative_to(base))
        raise ContextError(
            f"Input file '{name}' is not in the working directory '{here}', so it has no path in the image.",
            hint="Move it there, or set its destination: "
            f"output_map={{'{name}': '{preprocessor.path_prefix}{path.name}'}}",
        )

    preprocessor.input_files = {relative(str(name)) for name in preprocessor.input_files}
    if preprocessor.executable is not None:
        preprocessor.executable = relative(str(preprocessor.executable))
