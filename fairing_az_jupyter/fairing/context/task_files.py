"""The files of a task: what Fairing's preprocessor names and what serving needs, as the members of an archive."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
import uuid
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kubeflow.fairing.preprocessors.function import FunctionPreProcessor

from fairing_az_jupyter.exceptions import ContextError
from fairing_az_jupyter.fairing import job_program, model_server
from fairing_az_jupyter.fairing.context.collecting import collect
from fairing_az_jupyter.fairing.context.dockerignore import IgnoreRules
from fairing_az_jupyter.fairing.job_program.job import CONTAINER_FILES as JOB_FILES
from fairing_az_jupyter.fairing.model_server.serving import CONTAINER_FILES
from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.folders import data_folder
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.settings import naming

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairing_az_jupyter.fairing.context.archive import ArchiveEntry

__all__ = [
    "ABANDONED_SECONDS",
    "SERVER",
    "age",
    "code_digest",
    "entries_of",
    "forgetting",
    "keep_code",
    "names_of",
    "put_code",
    "scratch_file",
]

SERVER = CONTAINER_FILES["serving.py"]
"""The name of `serving.py` beside the user's files; the modules that it needs are named in the same way."""

ABANDONED_SECONDS = 24 * 3600.0
"""After this time, a file that nobody claims is what a killed process has left."""

_LOADER_BYTES = 10_000
_LARGEST_CODE = 64 * 1024 * 1024
_SHORTEST_SECRET = 6


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
    own = {
        str(prefix / name): str(Path(str(module.__file__)).parent / source)
        for module, files in ((model_server, CONTAINER_FILES), (job_program, JOB_FILES))
        for source, name in files.items()
    }
    return collect({**preprocessor.context_map(), **own}, ignore=_rules(Path.cwd()))


def code_digest(preprocessor: Any) -> str:  # noqa: ANN401 - Fairing is untyped
    """Return the SHA-256 of a task's own code: of its pickle, or of the file that is run; empty if it can't be read.

    Args:
        preprocessor: Fairing's preprocessor.

    """
    file = _pickle_of(preprocessor) or getattr(preprocessor, "notebook_file", None) or preprocessor.executable
    with contextlib.suppress(OSError, TypeError):
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return ""


def keep_code(preprocessor: Any, record: Path) -> None:  # noqa: ANN401 - as above
    """Keep the pickled class or function of a task in its record, so that it can be launched again as it was.

    It is not kept where it is very large, or holds the value of a secret of this process's environment, which a class
    may have got from a variable of its notebook.

    Args:
        preprocessor: Fairing's preprocessor.
        record: The record's folder.

    """
    source = _pickle_of(preprocessor)
    with contextlib.suppress(OSError):
        if source is None or Path(source).stat().st_size > _LARGEST_CODE:
            return
        data = Path(source).read_bytes()
        # A path is none, such as PWD, or what a file with a secret is called; code names its own.
        values = (
            value for name, value in os.environ.items() if naming.names_secret(name) and not value.startswith("/")
        )
        if not any(os.fsencode(value) in data for value in values if len(value) >= _SHORTEST_SECRET):
            replace_file(record / layout.CODE, data, mode=0o600, durable=False)


def put_code(preprocessor: Any, record: Path) -> None:  # noqa: ANN401 - as above
    """Put the class or function that a record has kept in the place of a task's own.

    Args:
        preprocessor: Fairing's preprocessor, made of a class of the same name.
        record: The record's folder.

    Raises:
        ContextError: It is not there.

    """
    source = _pickle_of(preprocessor)
    try:
        Path(source or "").write_bytes((record / layout.CODE).read_bytes())
    except OSError as error:
        raise ContextError(
            f"The code of the run '{record.name}' is not in its record any more ({error.strerror or error}).",
            hint=f"Run the current code: fairing-azure runs retry {record.name}",
        ) from error


def names_of(mutators: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of functions that change a pod's specification.

    Args:
        mutators: The functions.

    """
    return tuple(str(getattr(each, "__name__", type(each).__name__)) for each in mutators)


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
    pickled = _pickle_of(preprocessor)
    payload = [] if pickled is None else [pickled]
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


def _pickle_of(preprocessor: Any) -> str | None:  # noqa: ANN401 - as above
    """Return the file in which Fairing has pickled a class or a function; None where it has not."""
    pickled = os.path.join(str(preprocessor.path_prefix), "pickled_fn.p")  # noqa: PTH118 - as Fairing joins them
    return next((str(source) for source, where in preprocessor.output_map.items() if where == pickled), None)


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
