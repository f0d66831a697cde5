"""Runs and launches in processes of their own, which outlive whoever has started them; records tell how they go."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import InputError, RunFailedError
from fairing_az_jupyter.models import RunKind, RunRequest
from fairing_az_jupyter.records import RunStore, layout
from fairing_az_jupyter.records.status import read_status
from fairing_az_jupyter.services.launch_planning import check_input_files, launch_environment, plan_launch
from fairing_az_jupyter.services.outputs.sources import resolve_source
from fairing_az_jupyter.services.runs import begin_run
from fairing_az_jupyter.services.session import Session
from fairing_az_jupyter.settings import check_launch, check_values, naming

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.runs.places.addresses import Places
    from fairing_az_jupyter.settings import Settings

__all__ = ["start_launch", "start_run"]

# The folder that a `-c` runs in may have modules of any name, so it is not a place to import from.
_START = """\
import sys
sys.path[:] = [path for path in sys.path if path] + sys.argv[4:]
from fairing_az_jupyter.services.background.process import main
main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
"""
_CLAIM_SECONDS = 2.0
_LOOK_SECONDS = 0.02
_TRIES = 3
_LAST_BYTES = 8192
_LAST_LINES = 5
_SHORTEST_SECRET = 6
_METHODS: Mapping[str, Literal["train", "predict"]] = {"train": "train", "deploy": "predict"}


def start_run(session: Session, request: RunRequest, *, retry_of: str = "") -> RunInfo:
    """Start a run or a launch in the background; it continues whatever becomes of this process.

    Args:
        session: The settings in force, the records and the cluster.
        request: The run, from `plan_run`, `plan_launch` or `plan_retry`.
        retry_of: The run that it repeats.

    Returns:
        The run as it is now: its process has begun it, or failed to, or is still starting.

    Raises:
        InputError: It can't be started as it was asked for.
        RunFailedError: Its record can't be made, or no process can be started.

    """
    store = session.store
    if request.as_it_was:
        # What it needs has been looked for by `plan_retry`.
        _reject_cluster_run(store, request.as_it_was)
    elif request.kind != "notebook":
        request = _checked(request, str(store.path))
    environment = _environment(launch_environment(session, request))
    places = session.with_cell(request.parameters).places()
    try:
        name, watcher = _started(store, places, request, environment, retry_of)
    finally:
        places.close()
    end = time.monotonic() + _CLAIM_SECONDS
    while watcher.is_alive() and time.monotonic() < end:
        if read_status(store.folder(name)).get("state") != "waiting":
            break
        time.sleep(_LOOK_SECONDS)
    return store.find(name)


def start_launch(  # noqa: PLR0913 - keyword-only, but for what is launched
    session: Session,
    kind: RunKind,
    file: str,
    task: str | None = None,
    *,
    input_files: Sequence[str] = (),
    output_map: Mapping[str, str] | None = None,
    parameters: Mapping[str, object] | None = None,
    deadline: float | None = None,
    name: str = "",
    from_job: str = "",
    from_files: Sequence[str] = (),
    outputs: bool | Sequence[str] = True,
) -> RunInfo:
    """Launch a notebook, or a class or function of a file, in the background.

    Args:
        session: The settings in force, the records and the cluster.
        kind: `notebook` runs all of a notebook that launches by itself; `train` and `deploy` launch a task.
        file: The .ipynb file; for a task also a .py file.
        task: The class or function; None for the only one that there is.
        input_files: The files that a task needs, below the folder of its file.
        output_map: Further files of it, and where they go in the image.
        parameters: Parameters of the notebook.
        deadline: Seconds that it may take; None for no limit.
        name: What the user calls it.
        from_job: The launch whose files an endpoint serves, as `fetch` takes it; empty for none.
        from_files: Which of these files; none for all.
        outputs: Whether the files that a training writes are kept, or globs that say which.

    Returns:
        The record as it is now, as from `start_run`.

    Raises:
        InputError: The file or task does not exist, a file is missing, or a setting is.
        RunFailedError: Its record can't be made, or no process can be started.

    """
    if kind not in get_args(RunKind):
        raise InputError(f"'{kind}' can't be launched.", hint="Write notebook, train or deploy.", code="launch-kind")
    if kind != "deploy" and (from_job or from_files):
        raise InputError(
            "Only an endpoint is deployed with the files of a job.",
            hint="Omit the job, or deploy a class.",
            code="from-job",
        )
    if kind != "train" and outputs is not True:
        raise InputError(
            "Which files are kept can only be said of a training.", hint="Omit the outputs.", code="launch-outputs"
        )
    if kind == "notebook":
        _reject_task(task, input_files, output_map)
        request, _ = plan_launch(session, file, values=parameters, deadline=deadline, name=name)
        return start_run(session, request)
    if parameters:
        raise InputError(
            "Parameters only apply to whole notebooks, not to a class or function.",
            hint="Omit them, or launch the notebook.",
            code="launch-parameters",
        )
    settings = check_values(session.given)
    files = tuple(str(each) for each in input_files)
    asked = RunRequest(
        file,
        None,
        deadline=deadline,
        kind=kind,
        task=task or "",
        settings=settings,
        profile=session.profile,
        input_files=files,
        output_map=dict(output_map or {}),
        name=name,
        from_job=from_job,
        from_files=tuple(from_files),
        outputs=outputs if isinstance(outputs, bool) else tuple(outputs),
    )
    return start_run(session, asked)


def _reject_task(task: str | None, input_files: Sequence[str], output_map: Mapping[str, str] | None) -> None:
    if task or input_files or output_map:
        raise InputError(
            "A class or function and its input files only apply to train and deploy; this launches the whole notebook.",
            hint="Omit them, or choose train or deploy.",
            code="launch-task",
        )


def _reject_cluster_run(store: RunStore, run: str) -> None:
    """Reject a notebook's run in the cluster: as it was, it can't be repeated on this machine."""
    info = store.get(run)
    if info is not None and info.place == "cluster":
        raise InputError(
            f"The run '{run}' was executed in the cluster; in its image it is repeated from a terminal.",
            hint=f"Type there: fairing-azure runs retry {run} --as-it-was",
            code="cluster-run",
        )


def _checked(request: RunRequest, runs_folder: str) -> RunRequest:
    """Return the launch of a task with its name, once everything is there that can be seen without running the file.

    Args:
        request: The launch.
        runs_folder: Where records are, and so that of the job whose files it needs.

    Raises:
        InputError: Something is missing.

    """
    from fairing_az_jupyter.fairing.tasks.declared_tasks import check_declared  # noqa: PLC0415 - with all of the bridge

    file, method = request.notebook, _METHODS[request.kind]
    task = check_declared(file, request.task or None, method)
    session = Session.of_launch(request, runs_folder=runs_folder)
    settings = session.settings
    check_launch(settings)
    _check_deadline(request, settings)
    folder = Path(request.cwd) if request.cwd else Path(file).absolute().parent
    deploys = request.kind == "deploy"
    check_input_files(session, (*request.input_files, *request.output_map), folder, task, deploys=deploys)
    source = resolve_source(session, request.from_job, request.from_files)
    return dataclasses.replace(request, task=task, from_job="" if source is None else source.name)


def _check_deadline(request: RunRequest, settings: Settings) -> None:
    if request.deadline is None:
        return
    if request.kind == "deploy" or settings.backend == "LocalBackend":
        what = "An endpoint has no deadline" if request.kind == "deploy" else "LocalBackend does not support deadlines"
        raise InputError(f"{what}.", hint="Omit the deadline, and cancel the run instead.", code="deadline")
    if not 1 <= request.deadline < float("inf"):
        raise InputError(
            f"The deadline is {request.deadline} seconds; the minimum is 1.",
            hint="Give it in seconds, or none.",
            code="deadline",
        )


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a background process: without what a server or a kernel tells its own children."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JPY_") and name != "MPLBACKEND"}
    return {**kept, **more}


def _started(
    store: RunStore, places: Places, request: RunRequest, environment: Mapping[str, str], retry_of: str
) -> tuple[str, threading.Thread]:
    """Start a process, and make the record that names it; return the run and the thread that waits for its end."""
    for _ in range(_TRIES):
        name = layout.new_run_id(request.notebook, name=request.name or request.task)
        with _log_folder(store, request) as folder:
            log = folder / layout.PROCESS_LOG
            reading, writing = os.pipe()
            try:
                process = _process(store, name, reading, log, environment)
                try:
                    # The process first: a record that waits for one that nobody has started would be lost.
                    status = {"process": machine.process_name(process.pid)}
                    begin_run(store, places, request, run=name, log=log, status=status, retry_of=retry_of)
                except BaseException as error:
                    process.kill()
                    process.wait()
                    if isinstance(error, FileExistsError):
                        continue
                    raise
                # It continues as well if this process dies right here.
                os.write(writing, b"+")
            finally:
                os.close(reading)
                os.close(writing)
        watcher = threading.Thread(target=_await_end, args=(process, store, name), name=f"run {name}", daemon=True)
        watcher.start()
        return name, watcher
    raise RunFailedError(
        f"The run of '{request.notebook}' was not started: no free name for its record in '{store.path}'.",
        hint="Run it again.",
        code="record",
    )


@contextlib.contextmanager
def _log_folder(store: RunStore, request: RunRequest) -> Iterator[Path]:
    """Make a folder among the records that is none; what is left in it is removed."""
    try:
        store.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = tempfile.TemporaryDirectory(prefix=layout.NEW, dir=store.path, ignore_cleanup_errors=True)
    except OSError as error:
        raise RunFailedError(
            f"The run of '{request.notebook}' was not started: its record can't be created in '{store.path}' "
            f"({error.strerror or error}).",
            hint="Free space there, or keep records elsewhere: --runs-folder FOLDER, or FAIRING_AZURE_RUNS.",
            code="record",
        ) from error
    with folder as name:
        yield Path(name)


def _process(store: RunStore, name: str, go: int, log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    package = str(Path(__file__).parents[3])
    try:
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:  # noqa: PTH123 - its mode
            return subprocess.Popen(
                [sys.executable, "-c", _START, str(store.path), name, str(go), package],
                cwd=_folder(store),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(go,),
                start_new_session=True,
            )
    except OSError as error:
        raise RunFailedError(
            f"No process can be started for the run '{name}': {error.strerror or error}. It was not recorded.",
            hint="Close other programs or wait for them to end, and run it again.",
            code="process",
        ) from error


def _folder(store: RunStore) -> str:
    """Return where the process works: here, or where records are if this folder has been deleted."""
    with contextlib.suppress(OSError):
        here = Path.cwd()
        if os.access(here, os.X_OK):
            return str(here)
    return str(store.path)


def _await_end(process: subprocess.Popen[bytes], store: RunStore, name: str) -> None:
    """Wait for a process, so that nothing is left of it, and note that it died before it could note anything itself."""
    code = process.wait()
    folder = store.folder(name)
    if read_status(folder).get("state") != "waiting":
        return
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    lines = _last_lines(folder / layout.PROCESS_LOG)
    said = f" Its last lines:\n{chr(10).join(f'  | {line}' for line in lines)}\n" if lines else ""
    now = time.time()
    error = {
        "code": "process",
        "message": f"The process of the run '{name}' {how} before the run started.{said}",
        "hint": f"Run it again: fairing-azure runs retry {name}",
    }
    with contextlib.suppress(OSError):
        store.note(name, {"state": "failed", "started": now, "ended": now, "duration": 0.0, "error": error}, final=True)


def _last_lines(log: Path) -> list[str]:
    """Return the last lines of a log, without secrets."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LAST_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    for name, value in os.environ.items():
        if naming.names_secret(name) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "(hidden)")
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][-_LAST_LINES:]
    return ["(hidden)" if naming.looks_secret(line) else line for line in lines]
