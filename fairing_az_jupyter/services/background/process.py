"""The process of a run in the background: it outlives whoever has started it, and tells everything in the record."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import (
    ConflictError,
    ExecutionError,
    FairingAzureError,
    NotFoundError,
    RunCancelledError,
)
from fairing_az_jupyter.launch_events import Launched, Phase, PodEvent, listening
from fairing_az_jupyter.metrics import PrintedMetrics
from fairing_az_jupyter.models import RunEvent
from fairing_az_jupyter.records import RunStore, layout
from fairing_az_jupyter.records.errors import explained
from fairing_az_jupyter.records.log_text import without_ansi
from fairing_az_jupyter.runs import papermill_import
from fairing_az_jupyter.services.background.captured_output import CapturedOutput
from fairing_az_jupyter.services.outputs.sources import resolve_source
from fairing_az_jupyter.services.repeating.as_it_was import recorded_settings
from fairing_az_jupyter.services.session import Session
from fairing_az_jupyter.tracking.models import check_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint
    from fairing_az_jupyter.launch_events import LaunchEvent
    from fairing_az_jupyter.models import RunRequest
    from fairing_az_jupyter.records import Recorder
    from fairing_az_jupyter.settings import Settings

__all__ = ["main"]

_LOCAL = "LocalBackend"
_LOOK_SECONDS = 0.2
_AGAIN_SECONDS = 30.0
"""So long may it take to end a job or a build before the wish to end it is repeated."""
_LONGEST_PIECE = 65_536
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_GONE_SECONDS = 5.0


def main(folder: str, run: str, go: int) -> None:
    """Wait until the record of a run is there, and execute the run.

    Args:
        folder: The folder of all records.
        run: The run's identifier.
        go: The end of a pipe to read from: one byte, or the end of whoever has the other one, ends the wait.

    """
    # Whoever has started this process may have been started without Ctrl-C, or have blocked signals.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    papermill_import.in_own_process()
    from fairing_az_jupyter.runs.recorded import run_recorded  # noqa: PLC0415 - while the record is being made

    os.read(go, 1)
    os.close(go)
    store = RunStore(Path(folder))
    if not store.folder(run).is_dir():
        return
    request = store.request(run)
    # What goes wrong stands in the record.
    with contextlib.suppress(FairingAzureError, KeyboardInterrupt):
        if request.kind != "notebook":
            _launch(store.folder(run), request)
            return
        places = Session(notebook=request.parameters).places()
        try:
            run_recorded(store, store.folder(run), lambda _event: None, places=places)
        finally:
            places.close()


class _Reporter:
    """Records events, from several threads one at a time."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()

    def __call__(self, kind: Any, **facts: Any) -> None:  # noqa: ANN401 - as RunEvent takes them
        with self._lock:
            self._recorder(RunEvent(kind, time.time(), **facts))


def _launch(folder: Path, request: RunRequest) -> None:
    """Train or deploy a task, and record what happens."""
    from fairing_az_jupyter.runs.recorded import recording  # noqa: PLC0415 - as above

    with recording(folder) as recorder:
        report = _Reporter(recorder)
        began = time.monotonic()
        report("run-started")
        interrupted, metrics = _Interrupts(recorder.cancel), PrintedMetrics()

        def on_text(stream: str, text: str) -> None:
            report("output", stream=stream, text=text)
            if request.kind == "train" and stream == "stdout":
                for name, value in metrics.of(without_ansi(text)):
                    report("metric", name=name, value=value)

        try:
            with interrupted, CapturedOutput(on_text, _interrupt) as output:
                try:
                    with _listening(report):
                        _carry_out(folder, request, recorder, report, interrupted)
                except KeyboardInterrupt:
                    if output.error is not None:
                        raise output.error from None
                    raise RunCancelledError(f"The launch of '{request.task}' was cancelled.") from None
        except ConflictError:
            # Another process has taken the run over, and its end is that one's to tell.
            raise
        except BaseException as error:
            cancelled = isinstance(error, (RunCancelledError, KeyboardInterrupt))
            message = " ".join(str(explained(error)["message"]).split())
            with contextlib.suppress(FairingAzureError):
                ended = "run-cancelled" if cancelled else "run-failed"
                report(ended, duration=time.monotonic() - began, message=message)
            raise
        duration = time.monotonic() - began
        report("run-finished", duration=duration)
        recorder.finish("succeeded", duration=duration)


def _carry_out(
    folder: Path, request: RunRequest, recorder: Recorder, report: Callable[..., None], interrupted: _Interrupts
) -> None:
    file = Path(request.notebook).absolute()
    work = Path(request.cwd) if request.cwd else file.parent
    os.chdir(work)
    sys.path.insert(0, str(work))
    as_it_was = folder.parent / request.as_it_was if request.as_it_was else None
    if as_it_was is None:
        session = Session.of_launch(dataclasses.replace(request, notebook=str(file)), runs_folder=str(folder.parent))
        settings = session.settings
    else:
        settings = recorded_settings(as_it_was)
        session = Session(settings.model_dump(mode="json", exclude_none=True), runs_folder=str(folder.parent))
    from fairing_az_jupyter.fairing.recording.current import asked_for, kept_by  # noqa: PLC0415 - loads Fairing
    from fairing_az_jupyter.fairing.tasks import launching  # noqa: PLC0415 - likewise

    deadline = None if request.deadline is None else round(request.deadline)
    local = settings.backend == _LOCAL
    # The image of an earlier launch in the cluster has the files already.
    has_files = as_it_was is not None and not local
    source = None if has_files else resolve_source(session, request.from_job, request.from_files)
    launch = launching.TaskLaunch(
        settings,
        request.input_files,
        dict(request.output_map),
        deadline,
        source=source,
        as_it_was=as_it_was,
        isolated=request.isolated,
        outputs=request.outputs,
        checkpoints=request.checkpoints,
    )
    task = f"{file}:{request.task}"
    with asked_for(request, lambda: RunStore(folder.parent)), kept_by(recorder):
        if request.kind == "train":
            if request.register:
                check_registry(settings, request.register)
            with contextlib.nullcontext() if local else _job_in_the_cluster(folder, settings, recorder, interrupted):
                launching.train(task, launch)
            return
        # What is cancelled before is deleted by whoever deploys it; once it serves, its record has to name it.
        with contextlib.nullcontext() if local else _once_it_serves(interrupted.cease):
            endpoint = launching.deploy(task, launch)
    try:
        url = endpoint.url if local else _lasting_url(session, endpoint)
        recorder.note(endpoint=endpoint.name, url=url)
        report("endpoint", name=endpoint.name, value=url)
        if local:
            _keep(endpoint, folder, report)
    finally:
        if local:
            endpoint.delete()


@contextlib.contextmanager
def _once_it_serves(then: Callable[[], object]) -> Iterator[None]:
    def on_event(event: LaunchEvent) -> None:
        if isinstance(event, Phase) and (event.name, event.state) == ("serve", "finished"):
            then()

    with listening(on_event):
        yield


@contextlib.contextmanager
def _job_in_the_cluster(
    folder: Path, settings: Settings, recorder: Recorder, interrupted: _Interrupts
) -> Iterator[None]:
    """Note the Job that trains, and end it if the run is cancelled: it would continue in the cluster by itself.

    Raises:
        RunCancelledError: The run was cancelled and its Job can't be deleted; or only this process was to end, as
            where a notebook server is stopped.

    """
    job = namespace = ""

    def on_event(event: LaunchEvent) -> None:
        nonlocal job, namespace
        if isinstance(event, Launched) and event.kind == "job" and event.name != job:
            job, namespace = event.name, event.namespace
            recorder.note(job=job, namespace=namespace)

    try:
        with listening(on_event):
            yield
    except KeyboardInterrupt:
        interrupted.cease()
        # The other wishes to stop are this process's alone.
        if (folder / layout.CANCEL).exists():
            _end_own_jobs(settings)
        elif job:
            raise RunCancelledError(
                (
                    f"The process that watched job '{job}' in namespace '{namespace}' was stopped; the job is still "
                    "running."
                ),
                hint=f"Watch it again: fairing-azure runs retry {folder.name}",
            ) from None
        raise


def _end_own_jobs(settings: Settings) -> None:
    """Delete the Jobs that this process looks after, by the mark that they bear.

    Raises:
        RunCancelledError: One can't be deleted.

    """
    from fairing_az_jupyter.fairing.cluster import ownership  # noqa: PLC0415 - as above
    from fairing_az_jupyter.fairing.cluster.connections import Launcher  # noqa: PLC0415 - as above
    from fairing_az_jupyter.fairing.cluster.manifests import MANAGED_BY, PREFIX  # noqa: PLC0415 - as above
    from fairing_az_jupyter.fairing.jobs.noting import note_end  # noqa: PLC0415 - as above

    name = ""
    try:
        with Launcher(settings) as launcher:
            for each in launcher.workloads.list("Job", {**MANAGED_BY, f"{PREFIX}kind": "job"}):
                metadata = each["metadata"]
                if (metadata.get("annotations") or {}).get(ownership.PROCESS) != machine.process_name():
                    continue
                name, outcome = str(metadata["name"]), "is deleted"
                try:
                    launcher.workloads.delete("Job", name, uid=metadata["uid"], wait=_GONE_SECONDS)
                except NotFoundError:
                    pass
                except ExecutionError:
                    # Kubernetes gives a program that does not listen half a minute.
                    outcome = "is being deleted"
                sys.stderr.write(f"The launch was cancelled: job {name} {outcome}.\n")
                note_end(launcher, name, "cancelled")
    except FairingAzureError as error:
        what = f"Job '{name}'" if name else "What it has launched"
        raise RunCancelledError(
            (
                f"The launch was cancelled. {what} could not be deleted and may still be running in the cluster: "
                f"{error.message}"
            ),
            hint=f"Delete it: fairing-azure delete {name}" if name else "List the launches: fairing-azure status",
        ) from error


def _lasting_url(session: Session, endpoint: LaunchedEndpoint) -> str:
    """Return where an endpoint of the cluster predicts: a port of this machine ends with this process."""
    if urlsplit(endpoint.url).hostname not in _LOOPBACK:
        return endpoint.url
    from fairing_az_jupyter.services.launches import describe_launch  # noqa: PLC0415 - seldom needed

    with contextlib.suppress(FairingAzureError):
        return describe_launch(session, endpoint.name).url
    return ""


def _keep(endpoint: LaunchedEndpoint, folder: Path, report: Callable[..., None]) -> None:
    """Stay as long as an endpoint of this machine is wanted, and record what it prints.

    Raises:
        EndpointError: It has ended by itself.

    """
    with contextlib.ExitStack() as open_files:
        log = None if endpoint.log is None else open_files.enter_context(endpoint.log.open(errors="replace"))
        while True:
            # Looked at first: what it has printed before its end is then read for certain.
            problem = endpoint.problem()
            while log is not None and (text := log.read(_LONGEST_PIECE)):
                report("output", stream="stdout", text=text)
            if problem is not None:
                raise problem
            # Without its record nobody would find it again.
            if (folder / layout.DELETE).exists() or not folder.is_dir():
                return
            time.sleep(_LOOK_SECONDS)


class _Interrupts:
    """Raises KeyboardInterrupt in the main thread once somebody wants the run to stop; use it as a context.

    Args:
        wish: Set when the record says so.

    """

    def __init__(self, wish: threading.Event) -> None:
        self._wish = wish
        self._active = False
        self._over = threading.Event()

    def __enter__(self) -> None:
        self._active = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        threading.Thread(target=self._watch, name="cancel", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        # In the main thread, as the handler: what comes later does not disturb the last words.
        self.cease()

    def cease(self) -> None:
        """Let nothing stop the run from here on."""
        self._active = False
        self._over.set()

    def _stop(self, _number: int, _frame: object) -> None:
        if self._active:
            raise KeyboardInterrupt

    def _watch(self) -> None:
        self._wish.wait()
        while not self._over.is_set():
            _interrupt()
            self._over.wait(_AGAIN_SECONDS)


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@contextlib.contextmanager
def _listening(report: Callable[..., None]) -> Iterator[None]:
    """Record how far the launch has come, as the bridge tells it."""

    def on_event(event: LaunchEvent) -> None:
        if isinstance(event, Phase):
            report("phase", name=event.name, value=event.state, message=event.message or None)
        elif isinstance(event, PodEvent):
            report("pod-event", name=event.pod, value=event.reason, message=event.message or None)

    with listening(on_event):
        yield
