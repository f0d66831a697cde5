"""Tells MLflow of one launch while it happens; the launch never waits for it, but at its end, and never fails by it."""

from __future__ import annotations

import collections
import itertools
import json
import logging
import os
import queue
import re
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import (
    CredentialError,
    FairingAzureError,
    NotAllowedError,
    ServiceError,
    UnreachableError,
)
from fairing_az_jupyter.files import replace_file
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.outputs.manifest import MANIFEST
from fairing_az_jupyter.records import layout
from fairing_az_jupyter.records.infos import read_request
from fairing_az_jupyter.records.provenance.files import read_provenance
from fairing_az_jupyter.records.status import read_status
from fairing_az_jupyter.tracking import contents
from fairing_az_jupyter.tracking.channel import Channel
from fairing_az_jupyter.tracking.place import INSTALL, is_installed, place_of, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.models import RunEvent, RunState
    from fairing_az_jupyter.records import Recorder
    from fairing_az_jupyter.settings import Settings
    from fairing_az_jupyter.tracking.place import TrackingPlace

__all__ = ["Tracker", "launch_tracker", "registered", "sweep_tracker", "track", "tracked_run"]

# Where Fairing's own remarks on a launch go, and so its displays: fairing/upstream/stand_ins.py.
logger = logging.getLogger("kubeflow.fairing")

FILE = "mlflow.json"
"""The file of a record that names its MLflow run, and the version of a model that was registered."""

# https://github.com/mlflow/mlflow/blob/v3.17.2/mlflow/utils/validation.py: MAX_METRICS_PER_BATCH
_MOST_METRICS = 1000
_LONGEST_QUEUE = 20_000
_PAUSE_SECONDS = 0.3
_LOOK_SECONDS = 0.1
_SILENT_SECONDS = 20.0
"""How long the end of a launch waits for a server that gives no sign."""
_GATHERED_SECONDS = 3.0
_STARTED_SECONDS = 20.0
_IMPORT = re.compile(rb"\b(?:import|from)\s+mlflow\b")

_warned: set[str] = set()


class Sender:
    """The thread of a process that hands to one MLflow server what the process's trackers say, in their order.

    Args:
        place: The server.

    """

    def __init__(self, place: TrackingPlace) -> None:
        self.channel = Channel(place)
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="mlflow-sender", daemon=True).start()

    def put(self, task: Callable[[], None]) -> None:
        """Have something done once all that was put before is done.

        Args:
            task: Does it; it raises nothing.

        """
        self._tasks.put(task)

    def _run(self) -> None:
        while True:
            self._tasks.get()()


_senders: dict[tuple[int, str], Sender] = {}
_opening = threading.Lock()


def sender_for(place: TrackingPlace) -> Sender:
    """Return this process's sender for a server.

    Args:
        place: The server.

    """
    with _opening:
        key = (os.getpid(), place.uri)
        if key not in _senders:
            _senders[key] = Sender(place)
        return _senders[key]


class Tracker:
    """One launch, as it is reported to MLflow.

    Args:
        folder: The folder of its record.
        place: The server.
        begin: Returns the tags and parameters that it begins with.
        outputs: Returns where the files are that the job has written; None where there are none.
        register: The name of the model that its outputs are registered as; empty for none.
        again: Returns what tells of another record, as for `moved`.
        imports_mlflow: Whether the launched code uses MLflow itself.

    """

    def __init__(
        self,
        folder: Path,
        place: TrackingPlace,
        begin: Callable[[], tuple[dict[str, str], dict[str, str]]],
        outputs: Callable[[], dict[str, Any] | None] | None = None,
        register: str = "",
        again: Callable[[Path], Tracker] | None = None,
        *,
        imports_mlflow: bool = False,
    ) -> None:
        self.folder = folder
        self._again = again
        self._place, self._begin, self._outputs, self._register = place, begin, outputs, register
        self._sender = sender_for(place)
        self._metrics: collections.deque[tuple[str, float, int, int]] = collections.deque()
        self._tags: dict[str, str] = {}
        self._steps: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        self._flushing = self._is_broken = self._has_said = self._ending = False
        self._run, self._began = "", int(time.time() * 1000)
        self._lost = self._reported_until = 0
        self._over, self._started = threading.Event(), threading.Event()
        self._imports_mlflow = imports_mlflow
        self._given_up = threading.Event()
        self._sender.put(self._start)

    def event(self, event: RunEvent) -> None:
        """Hear of something that happened in the launch.

        Args:
            event: What happened; only metrics are reported.

        """
        if event.kind != "metric" or not event.name or self._is_broken:
            return
        value = contents.number(event.value)
        with self._lock:
            if value is None:
                self._tags |= contents.reported_tag(event.name, event.value)
            elif len(self._metrics) >= _LONGEST_QUEUE:
                self._lost += 1
            else:
                name = contents.metric_name(event.name)
                self._metrics.append((name, value, int(event.time * 1000), self._steps[name]))
                self._steps[name] += 1
            if self._flushing:
                return
            self._flushing = True
        self._sender.put(self._flush)

    def variables(self) -> dict[str, str]:
        """Return MLflow's own variables for a job on this machine whose file imports MLflow: it logs to the same run.

        Source: https://mlflow.org/docs/latest/api_reference/python_api/mlflow.environment_variables.html
        """
        if not self._imports_mlflow or not self._started.wait(_STARTED_SECONDS) or not self._run:
            return {}
        return {"MLFLOW_TRACKING_URI": self._place.uri, "MLFLOW_RUN_ID": self._run}

    def leave(self) -> None:
        """Leave a launch that continues without this process: its MLflow run stays `RUNNING`."""
        self._sender.put(self._over.set)
        self._wait()

    def finish(self, state: RunState) -> None:
        """Tell how the launch has ended, with the files that it has written, and wait until that is done.

        The wait ends when the server gives no sign, and by Ctrl-C.

        Args:
            state: Its last state.

        """
        if self._over.is_set():
            return
        self._ending = True
        self._sender.put(lambda: self._end(state))
        self._wait()

    def moved(self, folder: Path) -> Tracker:
        """Return what tells of an earlier launch whose record continues in the place of this one's.

        Args:
            folder: That launch's record.

        """
        self._sender.put(self._discard)
        return self if self._again is None else self._again(folder)

    def _wait(self) -> None:
        began, channel = time.monotonic(), self._sender.channel
        try:
            while not self._over.wait(_LOOK_SECONDS):
                if time.monotonic() - max(began, channel.heard) > _SILENT_SECONDS + channel.allowance:
                    self._say(f"MLflow at {self._place.uri} does not answer: not all of this launch is reported.")
                    break
        except KeyboardInterrupt:
            self._say(f"Interrupted: not all of this launch is reported to MLflow at {self._place.uri}.")
        # What is still under way is of no use to anybody.
        self._given_up.set()

    def _ask(self, do: str, **details: Any) -> dict[str, Any] | None:  # noqa: ANN401 - JSON
        """Have something done; None, and said once, where it can't be."""
        if self._given_up.is_set() or self._is_broken:
            return None
        try:
            return self._sender.channel.ask(do, given_up=self._given_up.is_set, **details)
        except (ServiceError, OSError, ValueError) as error:
            hopeless = do == "start" and not isinstance(error, UnreachableError)
            hopeless |= isinstance(error, (CredentialError, NotAllowedError))
            self._is_broken = self._is_broken or hopeless
            if not self._given_up.is_set():
                what = "it is not reported" if hopeless else "not all of it may be reported"
                self._say(f"{' '.join(str(error).split())} The launch continues; {what}.")
            return None

    def _say(self, text: str) -> None:
        if not self._has_said:
            self._has_said = True
            logger.warning("%s", text)

    def _start(self) -> None:
        try:
            tags, params = self._begin()
            done = self._ask(
                "start",
                run=tracked_run(self.folder),
                experiment=self._place.experiment,
                tags=tags,
                params=params,
                began=self._began,
            )
        except Exception:
            # A record of an odd form must not end the thread of all launches.
            logger.debug("What is to be reported to MLflow can't be determined.", exc_info=True)
            done = None
            self._is_broken = True
        if done is None:
            self._started.set()
            return
        self._run, self._reported_until = str(done["run_id"]), int(done["reported_until"])
        self._note(run_id=self._run, experiment_id=str(done["experiment_id"]))
        self._started.set()
        if self._place.uri.startswith("http"):
            url = f"{self._place.uri.rstrip('/')}/#/experiments/{done['experiment_id']}/runs/{self._run}"
            logger.info("MLflow: %s", url)

    def _flush(self) -> None:
        """Send what has been reported, in batches; what could not be sent is tried again with what comes next."""
        self._over.wait(0.0 if self._ending else _PAUSE_SECONDS)
        if not (self._run or self._is_broken):
            # It did not answer before.
            self._start()
        while True:
            with self._lock:
                batch = list(itertools.islice(self._metrics, _MOST_METRICS))
                tags, self._tags = self._tags, {}
                if not (batch or tags) or self._is_broken or not self._run:
                    self._flushing = False
                    return
            new = [each for each in batch if each[2] > self._reported_until]
            sent = self._ask("log", run=self._run, metrics=new, tags=tags) if new or tags else {}
            with self._lock:
                if sent is None:
                    self._tags, self._flushing = {**tags, **self._tags}, False
                    return
                for _ in batch:
                    self._metrics.popleft()

    def _end(self, state: RunState) -> None:
        try:
            self._flush()
            if not self._run or self._is_broken or self._given_up.is_set():
                if self._register:
                    self._note(problem=f"MLflow at {self._place.uri} has not taken what was reported.")
                return
            outputs = self._outputs() if self._outputs is not None and state != "cancelled" else None
            done = self._ask(
                "end",
                run=self._run,
                status=contents.STATUSES.get(state, "FAILED"),
                tags=self._ending_tags(),
                outputs=outputs,
                register=self._register if state == "succeeded" else "",
            )
            self._conclude(done, state)
        finally:
            self._over.set()

    def _conclude(self, done: Mapping[str, Any] | None, state: RunState) -> None:
        wanted = bool(self._register) and state == "succeeded"
        if done is None:
            if wanted:
                self._note(problem=f"MLflow at {self._place.uri} does not answer.")
            return
        unsent = len(self._metrics) + self._lost
        if unsent:
            self._say(f"{unsent} of the reported values could not be sent to MLflow at {self._place.uri}.")
        if done.get("version"):
            self._note(model=self._register, version=str(done["version"]))
            logger.info("Registered: models:/%s/%s", self._register, done["version"])
        elif "problem" in done:
            error = self._sender.channel.error(done["problem"])
            if wanted:
                self._note(problem=error.message)
            else:
                self._say(f"Not all files of this launch could be sent. {' '.join(str(error).split())}")

    def _ending_tags(self) -> dict[str, str]:
        """Return what is known at the end; git and the packages may still be looked at where a launch was short."""
        end = time.monotonic() + _GATHERED_SECONDS
        while not read_provenance(self.folder).packages and time.monotonic() < end:
            self._over.wait(_PAUSE_SECONDS)
        parent = parent_run(self.folder)
        return contents.ending_tags(self.folder) | ({"mlflow.parentRunId": parent} if parent else {})

    def _discard(self) -> None:
        if self._run:
            self._ask("discard", run=self._run)
        self._is_broken = True
        self._over.set()

    def _note(self, **facts: str) -> None:
        """Note in the record what MLflow calls it."""
        known = {**_noted(self.folder), "tracking_uri": self._place.uri, **facts}
        try:
            replace_file(self.folder / FILE, json.dumps(known, indent=1).encode(), mode=0o600, durable=False)
        except OSError as error:
            logger.debug("'%s' can't be written: %s", self.folder / FILE, error)


def track(recorder: Recorder, request: RunRequest) -> None:
    """Report a launch to MLflow, where the settings name a server; whatever is wrong is one warning.

    Args:
        recorder: What writes the launch's record.
        request: The launch.

    """
    try:
        settings = settings_of(request, recorder.folder)
        recorder.observer = None if settings is None else launch_tracker(recorder.folder, settings)
    except (FairingAzureError, OSError, ValueError) as error:
        logger.warning("The launch continues, but is not reported to MLflow: %s", error)


def launch_tracker(folder: Path, settings: Settings) -> Tracker | None:
    """Return what tells MLflow of a launch; None where no server is set, or, said once, MLflow is not installed.

    Args:
        folder: The launch's record.
        settings: The settings in force.

    """
    place = place_of(settings)
    if place is None:
        return None
    if not is_installed():
        _warn_once(f"Launches are not reported to MLflow: its client is not installed. Install it: {INSTALL}")
        return None
    facts = read_request(folder)
    request = RunRequest.from_dict(facts.get("request") or facts)

    def begin() -> tuple[dict[str, str], dict[str, str]]:
        tags = contents.beginning_tags(request, folder, facts, parent_run(folder))
        return tags, contents.params(request, folder, settings)

    def again(other: Path) -> Tracker:
        return launch_tracker(other, settings) or Tracker(other, place, begin)

    return Tracker(
        folder,
        place,
        begin,
        lambda: _outputs(folder, settings),
        request.register,
        again,
        imports_mlflow=_imports_mlflow(request),
    )


def sweep_tracker(folder: Path, name: str, settings: Settings) -> Tracker | None:
    """Return what tells MLflow of a sweep, whose runs are this one's children; None as for `launch_tracker`.

    Args:
        folder: The sweep's folder.
        name: What the sweep is called.
        settings: The settings in force.

    """
    place = place_of(settings)
    if place is None or not is_installed():
        return None
    tags = {"mlflow.runName": name, f"{contents.PREFIX}kind": "sweep", f"{contents.PREFIX}sweep": folder.name}
    return Tracker(folder, place, lambda: (tags, {}))


def tracked_run(folder: Path) -> str:
    """Return the identifier of a record's MLflow run; empty where it has none.

    Args:
        folder: The record.

    """
    return str(_noted(folder).get("run_id") or "")


def registered(folder: Path) -> Mapping[str, str]:
    """Return what has become of the registration of a launch: `model` and `version`, or the `problem`.

    Args:
        folder: The record.

    """
    return {name: str(value) for name, value in _noted(folder).items() if name in {"model", "version", "problem"}}


def parent_run(folder: Path) -> str:
    """Return the MLflow run of the sweep that a record belongs to; empty where there is none.

    Args:
        folder: The record.

    """
    sweep = str(read_request(folder).get("sweep") or "")
    return tracked_run(folder.parent / layout.SWEEPS / sweep) if sweep else ""


def _noted(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _outputs(folder: Path, settings: Settings) -> dict[str, Any] | None:
    """Return where the files of a launch are: in its record, or in Blob Storage."""
    if (folder / layout.OUTPUTS / MANIFEST).is_file():
        return {"folder": str(folder / layout.OUTPUTS)}
    status = read_status(folder)
    url = str(status.get("outputs") or "")
    if not url and status.get("job") and status.get("namespace"):
        from fairing_az_jupyter.outputs.blobs import BlobPlace  # noqa: PLC0415 - loads Azure's clients

        place = BlobPlace.of_launch(settings, str(status["job"]))
        url = "" if place is None else place.url
    return {"url": url, "settings": settings.model_dump(mode="json", exclude_defaults=True)} if url else None


def _imports_mlflow(request: RunRequest) -> bool:
    try:
        return request.kind == "train" and _IMPORT.search(Path(request.notebook).read_bytes()) is not None
    except (OSError, ValueError):
        return False


def _warn_once(text: str) -> None:
    if text not in _warned:
        _warned.add(text)
        logger.warning("%s", text)
