"""Fairing's own tasks, so that each of their launches on a backend of ours leaves a record."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fairing_az_jupyter.exceptions import FairingAzureError, RunCancelledError
from fairing_az_jupyter.fairing.recording.current import asked, keeper
from fairing_az_jupyter.fairing.recording.launch_record import LaunchRecord, warn
from fairing_az_jupyter.fairing.upstream.notebook_name import get_notebook_name, get_notebook_path
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.launch_events import Phases
from fairing_az_jupyter.models import Provenance, RunRequest
from fairing_az_jupyter.records import Recorder, RunStore
from fairing_az_jupyter.records.layout import RUN_VARIABLE
from fairing_az_jupyter.records.provenance.gathering import ProvenanceFile
from fairing_az_jupyter.tracking.tracker import track

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.outputs.sources import FileSource

__all__ = ["keeping_words", "recorded"]

logger = logging.getLogger(LOGGER_NAME)

Kind = Literal["train", "deploy"]

_WORDS = "_fairing_az_words"
_UNKNOWN = "notebook"


def keeping_words(make: Callable[..., None]) -> Callable[..., None]:
    """Return the constructor of Fairing's `BaseTask` so that a record can tell what the task was made of.

    Args:
        make: The constructor.

    """

    @functools.wraps(make)
    def make_task(task: Any, entry_point: Any, *words: Any, **named: Any) -> None:  # noqa: ANN401
        given = dict(zip(("base_docker_image", "docker_registry", "input_files", "output_map"), words, strict=False))
        given |= named
        # Fairing adds to both.
        files, output_map = tuple(given.get("input_files") or ()), dict(given.get("output_map") or {})
        setattr(task, _WORDS, (entry_point, tuple(map(str, files)), {str(k): str(v) for k, v in output_map.items()}))
        make(task, entry_point, *words, **named)

    return make_task


def recorded(kind: Kind, launch: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of Fairing's tasks that launches, so that it leaves a record.

    Args:
        kind: What it launches.
        launch: The method.

    """

    @functools.wraps(launch)
    def launch_recorded(task: Any) -> Any:  # noqa: ANN401
        # Only our own builders have them: nothing is known of what another backend does.
        if not isinstance(getattr(task.builder, "phases", None), Phases):
            return launch(task)
        record = _begun(kind, task)
        task.record = record.run
        try:
            with record.kept():
                done = launch(task)
        except KeyboardInterrupt:
            task.record = record.run
            if record.is_unwanted:
                _end_job(task, record)
                raise RunCancelledError(f"The launch was cancelled: its record {record.run} says so.") from None
            raise
        task.record = record.run
        if kind == "train":
            task.job = done
        deployer = getattr(task, "_deployer", None)
        if kind == "deploy" and deployer is not None:
            # Fairing keeps it to itself, and with it the name that it has in the cluster.
            name = getattr(deployer, "name", "") or getattr(getattr(deployer, "folder", None), "name", "")
            record.succeed(endpoint=str(name), url=str(getattr(task, "url", "") or ""))
            return done
        record.succeed()
        with contextlib.suppress(AttributeError):
            done.record = record.run
        return done

    return launch_recorded


def _begun(kind: Kind, task: Any) -> LaunchRecord:  # noqa: ANN401 - Fairing is untyped
    """Return the record of a launch that begins now; one that can't be made is one warning."""
    said = asked.get()
    request = said.request if said is not None else _request_of(kind, task)
    facts = task.builder.provenance
    kept = keeper.get()
    recorder, own = kept, kept is None
    if recorder is None:
        try:
            store = said.store() if said is not None else RunStore.open()
            folder = store.create(request, _notebook_bytes(request.notebook), parent=os.environ.get(RUN_VARIABLE))
            recorder = Recorder(folder).__enter__()
        except (FairingAzureError, OSError) as error:
            warn(error)
            return LaunchRecord(request, None, own=True, provenance=None, facts=dict)
    if recorder.observer is None:
        track(recorder, request)
    known = Provenance(**facts(), parameters=dict(request.parameters))
    provenance = ProvenanceFile(recorder.folder, known)
    _, input_files, output_map = getattr(task, _WORDS, (None, (), {}))
    earlier = getattr(task.builder, "as_it_was", None)
    if earlier is not None:
        provenance.take(earlier)
        return LaunchRecord(request, recorder, own=own, provenance=provenance, facts=facts)
    with contextlib.suppress(OSError):
        provenance.gather(Path.cwd(), (*input_files, *output_map))
    return LaunchRecord(request, recorder, own=own, provenance=provenance, facts=facts)


def _request_of(kind: Kind, task: Any) -> RunRequest:  # noqa: ANN401 - Fairing is untyped
    """Return the launch as a command would have asked for it, so that it can be repeated."""
    entry, input_files, output_map = getattr(task, _WORDS, (None, (), {}))
    settings = dict(task.builder.provenance().get("settings") or {})
    backend = task._backend  # noqa: SLF001 - Fairing has no other way to it
    outputs = getattr(backend, "outputs", True)
    outputs = (outputs,) if isinstance(outputs, str) else outputs
    limit = getattr(backend, "outputs_limit", None)
    if limit is not None:
        settings["outputs_limit"] = str(limit)
    return RunRequest(
        _file_of(entry),
        None,
        kind=kind,
        task="" if entry is None or isinstance(entry, str) else str(getattr(entry, "__name__", "")),
        deadline=getattr(backend, "_deadline", None),
        settings=settings,
        input_files=input_files,
        output_map=output_map,
        cwd=_here(),
        isolated=bool(getattr(backend, "isolated", False)),
        outputs=outputs if isinstance(outputs, bool) else tuple(outputs),
        checkpoints=getattr(backend, "checkpoints", ""),
        **_source_of(task),
    )


def _source_of(task: Any) -> dict[str, Any]:  # noqa: ANN401 - Fairing is untyped
    source: FileSource | None = getattr(task.builder, "source", None)
    return {} if source is None else {"from_job": source.name, "from_files": source.names}


def _here() -> str | None:
    """Return the folder that names of files count from; None where it was deleted."""
    with contextlib.suppress(OSError):
        return str(Path.cwd())
    return None


def _file_of(entry: Any) -> str:  # noqa: ANN401 - the user's own
    """Return the file that defines what is launched; of what a kernel has defined, its notebook."""
    if isinstance(entry, str):
        return entry
    notebook = get_notebook_path()
    if getattr(entry, "__module__", "__main__") == "__main__":
        script = getattr(sys.modules.get("__main__"), "__file__", None)
        in_kernel = "ipykernel" in sys.modules
        return str(notebook or get_notebook_name() or (None if in_kernel else script) or _UNKNOWN)
    with contextlib.suppress(TypeError, OSError):
        return inspect.getsourcefile(entry) or _UNKNOWN
    return str(notebook or _UNKNOWN)


def _notebook_bytes(notebook: str) -> bytes | None:
    if notebook.lower().endswith(".ipynb") and "://" not in notebook:
        with contextlib.suppress(OSError):
            return Path(notebook).read_bytes()
    return None


def _end_job(task: Any, record: LaunchRecord) -> None:  # noqa: ANN401 - Fairing is untyped
    """Delete the job of a launch that was cancelled by its record: it would continue in the cluster by itself."""
    end: Callable[[str], None] | None = getattr(task._backend, "end_job", None)  # noqa: SLF001 - as above
    if end is None or not record.job:
        return
    try:
        end(record.job)
    except FairingAzureError as error:
        what = "The launch was cancelled, but its job may still be running"
        logger.warning("%s: %s Delete it: fairing-azure delete %s", what, error.message, record.job)
