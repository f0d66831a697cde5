"""Records of runs that the cluster executes, brought up to date from Blob Storage and from what their Job says."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter import machine
from fairing_az_jupyter.exceptions import FairingAzureError, InputError
from fairing_az_jupyter.files import locked
from fairing_az_jupyter.models import ENDED
from fairing_az_jupyter.records import RunStore, layout
from fairing_az_jupyter.records.status import read_status, write_status
from fairing_az_jupyter.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.jobs.notebook_jobs import JobView
    from fairing_az_jupyter.models import RunInfo
    from fairing_az_jupyter.runs.places.addresses import Places

_LOOK_SECONDS = 1.0
# What the process of a run exits with that has failed, or whose files could not be sent; a killed one has other codes.
_FAILED = frozenset({1, 75})
# What a state says of where the run is, and not of how it goes; the pod's own process is nobody's here.
_OWN = frozenset(
    {"place", "job", "namespace", "index", "record", "server", "settings", "launched", "process", "input_files"}
    | {"image", "image_digest"}
)


class JobRecords:
    """The records of one Job's runs.

    Args:
        store: The runs.
        launcher: The cluster of the Job.
        places: How the Job's records in Blob Storage are reached.
        job: The Job's name.

    """

    def __init__(self, store: RunStore, launcher: Launcher, places: Places, job: str) -> None:
        self._store, self._launcher, self._places = store, launcher, places
        self.job = job
        self.notes: list[str] = []
        """What could not be done, a sentence each."""
        self.waiting = self.reason = ""
        """What a run waits for, with the time so far, and an identifier of it; empty if nothing is in the way."""
        self._looks: Any = None

    def refresh(self, names: Iterable[str], *, files: bool = True) -> list[str]:
        """Bring records up to date; those of runs that have ended become final.

        Args:
            names: The runs' whole identifiers.
            files: Whether log, events and notebook of a run that continues are wanted, and not its state alone.

        Returns:
            The runs that have not ended.

        Raises:
            ServiceError: The cluster or Blob Storage does not tell.

        """
        from fairing_az_jupyter.fairing.cluster.own_events import emit_end  # noqa: PLC0415 - likewise
        from fairing_az_jupyter.fairing.jobs.notebook_jobs import view  # noqa: PLC0415 - loads the clients
        from fairing_az_jupyter.fairing.jobs.notebook_waits import Looks  # noqa: PLC0415 - likewise

        self._looks = self._looks or Looks()
        # The Job first: what it says has ended has sent its record before.
        seen = view(self._launcher, self.job, self._looks)
        self.waiting, self.reason = seen.waiting, seen.reason
        left = [name for name in names if not self._refreshed(name, seen, files=files)]
        if not left and seen.there and not seen.going and not self._unfinished():
            emit_end(self._launcher, ("Job", self.job), "Its runs have ended.")
            self.delete_job()
        return left

    def delete_job(self, *, wait: float = 0.0) -> None:
        """Delete the Job; that it can't be is noted.

        Args:
            wait: Seconds to wait until its pods are gone.

        """
        from fairing_az_jupyter.fairing.jobs.notebook_jobs import delete_job  # noqa: PLC0415 - as above

        try:
            delete_job(self._launcher, self.job, wait=wait)
        except FairingAzureError as error:
            fix = f"Delete it: fairing-azure delete {self.job}"
            self.notes.append(f"Job {self.job} has ended but still exists: {error.message} {fix}")

    def ask_to_stop(self, name: str) -> None:
        """Leave word that one run of several is to stop; its pod looks every few seconds, or when it starts.

        Args:
            name: The run's whole identifier.

        Raises:
            ServiceError: It can't be written.

        """
        prefix = str(read_status(self._store.folder(name))["record"])
        self._places.write(f"{prefix}{layout.CANCEL}", b"")

    def finish(self, name: str, status: Mapping[str, Any]) -> None:
        """Make a record final, unless another process has done so; the executed notebook goes where it was wanted.

        Args:
            name: The run's whole identifier.
            status: What its state says at the end.

        Raises:
            OSError: It can't be written.

        """
        folder = self._store.folder(name)
        with locked(folder, create=False):
            before = read_status(folder)
            if before.get("state") in ENDED:
                return
            self._hand_out(name, folder)
            ended = {key: value for key, value in {**before, **status}.items() if value is not None}
            write_status(folder, ended, final=True)
        note = kept_note(ended)
        if note:
            self.notes.append(f"{name}: {note}")

    def _refreshed(self, name: str, seen: JobView, *, files: bool) -> bool:
        """Bring one record up to date; return whether its run has ended."""
        from fairing_az_jupyter.runs.execution.mirroring import FILES, LAST_ERROR, bring_back, read_state  # noqa: PLC0415 - as above

        folder = self._store.folder(name)
        status = read_status(folder)
        if status.get("state") in ENDED:
            return True
        if not status.get("launched") and not seen.there:
            if not machine.is_gone(str(status.get("process") or "")):
                return False
            self.finish(name, _never_launched(self.job))
            return True
        if not seen.there:
            self._need_same_cluster(name, status)
        index, prefix = int(status.get("index") or 0), str(status["record"])
        known = seen.there and not seen.ended and index not in seen.started
        remote = {} if known else read_state(self._places, prefix)
        ended = remote.get("state") in ENDED
        last_error = remote.get(LAST_ERROR) if remote.get("state") == "lost" else None
        end = {} if ended else how_it_ended(index, seen, self.job, last_error)
        if files or ended or end:
            bring_back(self._places, prefix, folder, remote, dict(status.get(FILES) or {}))
        else:
            remote[FILES] = status.get(FILES)
        reported = {key: value for key, value in remote.items() if key not in _OWN}
        if ended or end is not None:
            reported[LAST_ERROR] = None
            self.finish(name, {**reported, **self._with_last_lines(end or {}, seen, index)})
            if seen.problem is not None and not seen.ended:
                self.delete_job()
            return True
        _note(folder, status, reported)
        return False

    def _need_same_cluster(self, name: str, status: Mapping[str, Any]) -> None:
        """Fail rather than take a Job for deleted that another cluster than the one in use has.

        Raises:
            InputError: The run is in another cluster.

        """
        here, there = self._launcher.cluster.connection.address, status.get("server")
        if there and there != here:
            raise InputError(
                f"The run '{name}' is in the cluster at {there}, but the current cluster is at {here}.",
                hint="Switch to its context: kubectl config use-context NAME",
                code="other-cluster",
            )

    def _with_last_lines(self, end: dict[str, Any], seen: JobView, index: int) -> dict[str, Any]:
        from fairing_az_jupyter.fairing.jobs.notebook_jobs import last_lines  # noqa: PLC0415 - as above

        problem = seen.problems.get(index)
        known = "traceback" in end.get("error", {})
        if end.get("state") != "failed" or known or problem is None or not problem.pod:
            return end
        lines = last_lines(self._launcher, problem.pod)
        return {**end, "error": {**end["error"], "traceback": list(lines)}} if lines else end

    def _hand_out(self, name: str, folder: Path) -> None:
        """Write the executed notebook to where it was wanted on this machine; the record has it in any case."""
        from fairing_az_jupyter.runs.places.addresses import is_remote  # noqa: PLC0415 - as above

        output = self._store.request(name).output
        executed = folder / layout.EXECUTED
        if output is None or is_remote(output) or not executed.exists():
            return
        try:
            self._places.write(output, executed.read_bytes())
        except (FairingAzureError, OSError) as error:
            self.notes.append(f"The executed notebook is in the record only, '{executed}': {error}")

    def _unfinished(self) -> bool:
        return any(info.job == self.job and not info.has_ended for info in self._store.list())


def how_it_ended(
    index: int, seen: JobView, job: str, last_error: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Return the end of a run that has recorded none itself.

    Args:
        index: Its number in the Job.
        seen: What the cluster says.
        job: The Job's name.
        last_error: Why its last attempt has failed, in its own words; None where it has left none.

    Returns:
        What its state says at the end; None if the run continues, or may.

    """
    if not seen.there:
        return _ended("cancelled", "job-deleted", f"Job '{job}' was deleted before the run had ended.", "Run it again.")
    if not seen.ended and index not in seen.failed and seen.problem is None:
        return None
    problem = seen.problems.get(index) or seen.problem
    if seen.succeeded:
        message = f"Job '{job}' is complete, but the run's record is no longer in Blob Storage: it was deleted."
        return _ended("failed", "no-record", message, "Run it again.")
    if index not in seen.failed and seen.problem is None:
        message = f"Job '{job}' was stopped before the run had ended: too many other runs had failed."
        return _ended("cancelled", "stopped-early", message, "Fix those first, and run this one again.")
    return _failed(problem, job, last_error)


def kept_note(status: Mapping[str, Any]) -> str:
    """Return what was not kept of the files that a run has written, and why; empty where all of them were.

    Args:
        status: The run's state.

    """
    kept = status.get("kept")
    return str(kept.get("note") or "") if isinstance(kept, dict) else ""


def _failed(problem: Diagnosis | None, job: str, last_error: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the end of a run that has failed: its own words, where the cluster knows no more than that."""
    if last_error and (problem is None or problem.returncode in _FAILED or problem.code == "job-failed"):
        return {"state": "failed", "ended": time.time(), "error": dict(last_error)}
    if problem is None:
        message = f"The pod of the run has failed without a reason (Job '{job}')."
        return _ended("failed", "job-failed", message, f"Check the cluster's report: fairing-azure status {job}")
    return _ended("failed", problem.code, problem.message, problem.hint)


def _note(folder: Path, status: Mapping[str, Any], reported: Mapping[str, Any]) -> None:
    """Write how a run goes that has not ended; what an earlier pod has left waits for the next one."""
    state = "running" if reported.get("state") == "running" else "waiting"
    new = {**status, **reported, "state": state, "launched": True}
    if new == status:
        return
    with locked(folder, create=False):
        if read_status(folder).get("state") not in ENDED:
            write_status(folder, new, final=False)


def unfinished(infos: Iterable[RunInfo]) -> list[RunInfo]:
    """Return the runs in the cluster that may have changed since their records were written.

    Args:
        infos: Runs.

    """
    return [info for info in infos if info.place == "cluster" and not info.has_ended]


def refresh(
    store: RunStore, infos: Iterable[RunInfo], *, files: bool = True, report: Callable[[str], object] | None = None
) -> bool:
    """Bring the records of runs in the cluster up to date, as far as cluster and Blob Storage can be reached.

    Args:
        store: The runs.
        infos: Runs, from `unfinished`.
        files: As for `JobRecords.refresh`.
        report: Gets what could not be done, a sentence each.

    Returns:
        Whether there was any.

    """
    jobs: dict[str, list[RunInfo]] = {}
    for info in infos:
        jobs.setdefault(info.job, []).append(info)
    for job, those in jobs.items():
        for note in _refreshed_job(store, job, those, files=files):
            if report is not None:
                report(note)
    return bool(jobs)


@contextlib.contextmanager
def kept_up_to_date(store: RunStore, info: RunInfo, *, needed: bool = True) -> Iterator[None]:
    """Bring a run's record up to date again and again while somebody looks at it.

    Args:
        store: The runs.
        info: The run.
        needed: Whether anything is to be done at all.

    Yields:
        Nothing.

    """
    over = threading.Event()

    def work() -> None:
        left = [info]
        while left and not over.wait(_LOOK_SECONDS):
            refresh(store, left)
            left = unfinished([store.find(info.id)])

    thread = threading.Thread(target=work, name="cluster-records", daemon=True)
    if needed and unfinished([info]):
        thread.start()
    try:
        yield
    finally:
        over.set()


def _refreshed_job(store: RunStore, job: str, those: list[RunInfo], *, files: bool) -> list[str]:
    try:
        with opened(store, those[0]) as records:
            records.refresh([info.id for info in those], files=files)
            return records.notes
    except (FairingAzureError, OSError) as error:
        number = f"{len(those)} run{'' if len(those) == 1 else 's'}"
        return [f"{number} of Job {job} shown as last seen: {error}"]


@contextlib.contextmanager
def opened(store: RunStore, info: RunInfo) -> Iterator[JobRecords]:
    """Open the way to a run's Job and to its record in Blob Storage, with the settings that it was launched with.

    Args:
        store: The runs.
        info: A run of the Job.

    Yields:
        The records of the Job.

    Raises:
        FairingAzureError: The settings can't be used any more.

    """
    from fairing_az_jupyter.fairing.cluster.connections import Launcher  # noqa: PLC0415 - loads the clients
    from fairing_az_jupyter.runs.places.addresses import Places  # noqa: PLC0415 - likewise

    settings, _ = launched_with(info)
    places = Places(lambda: settings)
    try:
        with Launcher(settings, launches=False) as launcher:
            yield JobRecords(store, launcher, places, info.job)
    finally:
        places.close()


def launched_with(info: RunInfo) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings and the input files that a run in the cluster was launched with.

    Args:
        info: The run.

    """
    status = read_status(Path(info.folder))
    files = tuple(map(str, status.get("input_files") or ()))
    return Settings.model_validate(status.get("settings") or {}), files


def _never_launched(job: str) -> dict[str, Any]:
    message = f"Job '{job}' was never created: the process that prepared it ended too early."
    return _ended("failed", "not-launched", message, "Run it again.")


def _ended(state: str, code: str, message: str, hint: str) -> dict[str, Any]:
    return {"state": state, "ended": time.time(), "error": {"code": code, "message": message, "hint": hint}}
