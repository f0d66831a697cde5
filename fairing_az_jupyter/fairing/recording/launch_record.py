"""The record of one launch, written while it happens; whatever goes wrong with the record, the launch continues."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import ConflictError, FairingAzureError, RunCancelledError, RunFailedError
from fairing_az_jupyter.fairing.recording.current import launching
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.launch_events import Launched, Output, Phase, PodEvent, recorded_by
from fairing_az_jupyter.metrics import PrintedMetrics
from fairing_az_jupyter.models import RunEvent
from fairing_az_jupyter.records import Recorder, RunStore, layout
from fairing_az_jupyter.records.errors import explained
from fairing_az_jupyter.records.events_file import read_events
from fairing_az_jupyter.records.log_text import without_ansi
from fairing_az_jupyter.records.store import delete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fairing_az_jupyter.launch_events import LaunchEvent
    from fairing_az_jupyter.models import RunRequest, RunState
    from fairing_az_jupyter.records.provenance.gathering import ProvenanceFile

__all__ = ["LaunchRecord"]

logger = logging.getLogger(LOGGER_NAME)

_FLUSH_SECONDS = 0.3
_LONGEST_PIECE = 65_536


class LaunchRecord:
    """The record of the launch that one thread makes.

    Args:
        request: The launch.
        recorder: What writes the record; None where there is none.
        own: Whether this writes events and the end; else whoever has begun the record does.
        provenance: What the launch is made of; None where there is no record.
        facts: Returns what the builder knows of it, by the names of `Provenance`.

    """

    def __init__(
        self,
        request: RunRequest,
        recorder: Recorder | None,
        *,
        own: bool,
        provenance: ProvenanceFile | None,
        facts: Callable[[], dict[str, Any]],
    ) -> None:
        self._request, self._recorder, self._own = request, recorder, own
        self._provenance, self._facts = provenance, facts
        self._lock = threading.RLock()
        self._piece = self.job = ""
        self._metrics = PrintedMetrics()
        self._broken = False
        self._left: dict[str, str] = {}
        self._over = threading.Event()
        self._began = time.monotonic()

    @property
    def folder(self) -> Path | None:
        """The record; None where there is none."""
        return None if self._recorder is None else self._recorder.folder

    @property
    def run(self) -> str:
        """The record's identifier; empty where there is none."""
        return "" if self._recorder is None else self._recorder.folder.name

    @property
    def request(self) -> RunRequest:
        """The launch, as it was asked for."""
        return self._request

    @property
    def made(self) -> dict[str, Any]:
        """What the builder knows of it, by the names of `Provenance`."""
        with contextlib.suppress(FairingAzureError):
            return self._facts()
        return {}

    @property
    def notebook(self) -> str:
        """The file name of what is launched."""
        return PurePath(self._request.notebook.replace("\\", "/")).name

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of a job on this machine gets, so that it can report by itself."""
        observer = None if self._recorder is None else self._recorder.observer
        return {} if observer is None else observer.variables()

    def leave_running(self, job: str, namespace: str) -> None:
        """Note that the job continues in the cluster when the launch ends now.

        Args:
            job: Its name.
            namespace: Its namespace.

        """
        self.job, self._left = job, {"job": job, "namespace": namespace}

    @property
    def is_unwanted(self) -> bool:
        """Whether somebody has cancelled the launch by its record, and this has to see to it."""
        return self._own and self._recorder is not None and self._recorder.cancel.is_set()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Record what this thread launches, to its end.

        Raises:
            BaseException: What ends the launch, as it is.

        """
        token = launching.set(self)
        try:
            with recorded_by(self._hear):
                if self._own and self._recorder is not None:
                    self._report("run-started")
                    threading.Thread(target=self._flush_again, name="launch-record", daemon=True).start()
                    self._obey(threading.current_thread())
                try:
                    yield
                except BaseException as error:
                    if self._own and self._recorder is not None:
                        self._end_badly(error)
                    if not isinstance(error, KeyboardInterrupt):
                        self._add_facts()
                        self._finish_provenance()
                    self._let_builder_go()
                    raise
        finally:
            launching.reset(token)
            self._over.set()

    def succeed(self, **facts: str) -> None:
        """Note that the launch has succeeded.

        Args:
            **facts: What there is now, by the names of `RunInfo`.

        """
        self._add_facts()
        if self._own and self._recorder is not None:
            recorder, duration = self._recorder, time.monotonic() - self._began
            self._flush(last=True)
            self._over.set()
            self._report("run-finished", duration=duration)
            noted: dict[str, Any] = {name: value for name, value in facts.items() if value}
            self._try(lambda: recorder.finish("succeeded", duration=duration, **noted), last=True)
            recorder.__exit__()
        self._finish_provenance()
        self._let_builder_go()

    def continue_as(self, run: str) -> None:
        """Let the record of an earlier launch be that of this one; it stays as it is where that can't be.

        Args:
            run: That record's identifier.

        """
        before = self._recorder
        if not self._own or before is None or run == before.folder.name:
            return
        store = RunStore(before.folder.parent)
        info = store.get(run)
        if info is None or not (info.state == "lost" or info.unattended):
            return
        facts = {name: getattr(info, name) for name in ("job", "namespace", "server", "started") if getattr(info, name)}
        try:
            recorder = Recorder(store.folder(run), **facts).__enter__()
        except (ConflictError, RunFailedError, OSError):
            return
        with self._lock:
            self._flush()
            if before.observer is not None:
                recorder.observer, before.observer = before.observer.moved(recorder.folder), None
            self._recorder = recorder
            # It has taken as long as since its first attempt.
            self._began -= max(0.0, time.time() - (info.started or time.time()))
            for _, event in read_events(before.folder / layout.EVENTS):
                if event.get("kind") != "run-started":
                    with contextlib.suppress(TypeError):
                        self._record(RunEvent(**event))
        before.__exit__()
        if self._provenance is not None:
            self._provenance.moved(recorder.folder)
        try:
            delete(before.folder)
        except OSError:
            self._try(lambda: before.finish("cancelled"), last=True)

    def _end_badly(self, error: BaseException) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        self._flush()
        self._over.set()
        interrupted = isinstance(error, KeyboardInterrupt)
        if self._left and not self.is_unwanted:
            why: dict[str, Any] = {} if interrupted else {"error": explained(error)}
            self._try(lambda: recorder.leave(**self._left, **why), last=True)
        else:
            cancelled = interrupted or isinstance(error, RunCancelledError)
            failure = explained(error)
            said = " ".join(str(failure["message"]).split())
            duration = time.monotonic() - self._began
            self._report("run-cancelled" if cancelled else "run-failed", duration=duration, message=said)
            state: RunState = "cancelled" if cancelled else "failed"
            self._try(lambda: recorder.finish(state, duration=duration, error=failure), last=True)
        recorder.__exit__()
        if not interrupted:
            logger.info("Record: %s. See all of it: fairing-azure runs show %s", self.run, self.run)

    def _let_builder_go(self) -> None:
        """Forget the builder: its temporary files go with it, and threads of this record end a moment later."""
        self._facts = dict

    def _finish_provenance(self) -> None:
        if self._provenance is not None:
            self._provenance.finish()

    def _hear(self, event: LaunchEvent) -> None:
        if isinstance(event, Launched):
            self._note_launched(event)
        if not self._own:
            return
        if isinstance(event, Output):
            with self._lock:
                self._piece += event.text
                if len(self._piece) > _LONGEST_PIECE:
                    self._flush()
        elif isinstance(event, Phase):
            self._report("phase", name=event.name, value=event.state, message=event.message or None)
        elif isinstance(event, PodEvent):
            self._report("pod-event", name=event.pod, value=event.reason, message=event.message or None)

    def _note_launched(self, event: Launched) -> None:
        if event.kind == "job":
            self.job = event.name
        if event.kind == "build" or self._recorder is None:
            return
        recorder, facts = self._recorder, self._add_facts(**{event.kind: event.name, "namespace": event.namespace})
        # An endpoint is named once it serves: until then it may be deleted again.
        noted = {"job": self.job, "namespace": event.namespace, "server": facts.get("server", "")}
        wanted = {name: value for name, value in noted.items() if value}
        self._try(lambda: recorder.note(**wanted))

    def _add_facts(self, **more: str) -> dict[str, Any]:
        """Add what the builder knows now to what the launch was made of."""
        with contextlib.suppress(FairingAzureError):
            facts = {**self._facts(), **more}
            if self._provenance is not None:
                self._provenance.add(**facts)
            return facts
        return {}

    def _report(self, kind: Any, **facts: Any) -> None:  # noqa: ANN401 - as RunEvent takes them
        with self._lock:
            self._flush()
            event = RunEvent(kind, time.time(), **facts)
            self._record(event)

    def _record(self, event: RunEvent) -> None:
        recorder = self._recorder
        if recorder is not None:
            self._try(lambda: recorder(event))

    def _flush(self, *, last: bool = False) -> None:
        """Record what was printed since the last time, and what of it reports a metric."""
        with self._lock:
            text, self._piece = self._piece, ""
            if text:
                self._record(RunEvent("output", time.time(), stream="stdout", text=text))
            if self._request.kind != "train" or not (text or last):
                return
            for name, value in self._metrics.of(without_ansi(text) + ("\n" if last else "")):
                self._record(RunEvent("metric", time.time(), name=name, value=value))

    def _flush_again(self) -> None:
        while not self._over.wait(_FLUSH_SECONDS):
            self._flush()

    def _try(self, write: Callable[[], object], *, last: bool = False) -> None:
        """Write something; the first time that it can't be is a warning, and then only the end is tried."""
        if self._broken and not last:
            return
        try:
            write()
        except (RunFailedError, OSError) as error:
            if not self._broken:
                self._broken = True
                warn(error)

    def _obey(self, thread: threading.Thread) -> None:
        """End the launch as Ctrl-C does once somebody cancels it by its record.

        Only the main thread can be interrupted: a launch of another one continues.
        """
        if thread is not threading.main_thread() or not hasattr(signal, "pthread_kill"):
            return

        def watch() -> None:
            while not self._over.is_set():
                recorder = self._recorder
                if recorder is not None and recorder.cancel.wait(_FLUSH_SECONDS) and not self._over.is_set():
                    signal.pthread_kill(int(thread.ident or 0), signal.SIGINT)
                    return

        threading.Thread(target=watch, name="launch-cancel", daemon=True).start()


def warn(error: Exception) -> None:
    """Tell in one line that a launch leaves no record, or not all of one.

    Args:
        error: Why.

    """
    why = error.message if isinstance(error, FairingAzureError) else getattr(error, "strerror", None) or str(error)
    where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    logger.warning("The launch continues, but its record can't be written: %s%s", " ".join(str(why).split()), where)
