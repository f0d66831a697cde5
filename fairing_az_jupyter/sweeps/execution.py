"""A sweep on this machine: its points shared out among processes, once each, until none is left or it is to stop."""

from __future__ import annotations

import collections
import dataclasses
import os
import queue
import time
from typing import TYPE_CHECKING, Any, Literal

from fairing_az_jupyter.exceptions import (
    ConflictError,
    ExecutionError,
    FairingAzureError,
    RunCancelledError,
    RunFailedError,
)
from fairing_az_jupyter.models import RunInfo
from fairing_az_jupyter.records import Recorder
from fairing_az_jupyter.runs.execution.events import Stop
from fairing_az_jupyter.sweeps.orphans import end_kernels
from fairing_az_jupyter.sweeps.steps import Step, newest_runs, step_of
from fairing_az_jupyter.sweeps.workers import WorkerProcess

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from fairing_az_jupyter.records import RunStore
    from fairing_az_jupyter.sweeps.plans import SweepPlan
    from fairing_az_jupyter.sweeps.store import SweepStore

EventKind = Literal["sweep-started", "run-started", "run-ended", "run-lost", "sweep-ended", "sweep-stopped"]

_LOOK_SECONDS = 0.2
_WAITED_FOR_SECONDS = 1.0
_SIGN_SECONDS = 15.0
_END_SECONDS = 10.0
_TRIES = 2
"""How often a run may take its worker with it before that is its own fault."""


@dataclasses.dataclass(frozen=True)
class SweepEvent:
    """Something that happened in a sweep.

    Args:
        kind: What happened.
        time: When, in seconds since 1970-01-01 UTC.
        sweep: The sweep.
        points: How many points it has.
        ended: How many of them have ended.
        failed: How many of these have not succeeded.
        point: The point's number, for events of a run.
        run: The run.
        info: The run as it has ended.
        message: What to tell, of a sweep that stops or a run that was lost.

    """

    kind: EventKind
    time: float
    sweep: str
    points: int
    ended: int
    failed: int
    point: int | None = None
    run: str = ""
    info: RunInfo | None = None
    message: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the event as values that any JSON parser reads, without what says nothing."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["info"] = None if self.info is None else self.info.to_dict()
        return {name: value for name, value in fields.items() if value not in (None, "")}


def execute(  # noqa: PLR0913 - keyword-only, but for what is executed
    plan: SweepPlan,
    store: RunStore,
    sweeps: SweepStore,
    on_event: Callable[[SweepEvent], None],
    *,
    command: Sequence[str],
    jobs: int = 1,
    stop_after: int | None = None,
    retry_failed: bool = False,
    cancel: threading.Event | None = None,
) -> None:
    """Execute what is missing of a sweep; several processes may do that at the same time.

    SIGINT, SIGTERM (in the main thread), `cancel` and a wish that is noted in the sweep's folder stop the runs that
    continue, as cancelled; those that have not begun stay missing, so that the next call executes them.

    Args:
        plan: The sweep, which its store keeps.
        store: The records.
        sweeps: The sweeps.
        on_event: Called with each event, in this thread.
        command: What starts a worker process.
        jobs: How many runs are executed at the same time.
        stop_after: After so many failures no run is begun any more; None for never.
        retry_failed: Whether to run again what has failed or was cancelled before.
        cancel: Set it from another thread to stop.

    Raises:
        RunFailedError: There were as many failures as `stop_after` allows, or runs can't be recorded.
        RunCancelledError: The sweep was to stop.

    """
    stop = Stop(*(() if cancel is None else (cancel,)))
    with sweeps.at_work(plan.id) as sign, stop.on_signals():
        _Sweep(plan, store, sweeps, on_event, stop, tuple(command), stop_after, sign).run(
            max(1, jobs), retry_failed=retry_failed
        )


class _Sweep:
    """One execution of a sweep, with all that it knows of its points."""

    def __init__(
        self,
        plan: SweepPlan,
        store: RunStore,
        sweeps: SweepStore,
        on_event: Callable[[SweepEvent], None],
        stop: Stop,
        command: tuple[str, ...],
        stop_after: int | None,
        sign: Path,
    ) -> None:
        self.plan, self.store, self.sweeps = plan, store, sweeps
        self._on_event, self._stop, self._command = on_event, stop, command
        self._stop_after, self._sign = stop_after, sign
        self._inbox: queue.SimpleQueue[tuple[WorkerProcess, dict[str, Any] | None]] = queue.SimpleQueue()
        self._workers: list[WorkerProcess] = []
        self._pending: collections.deque[Step] = collections.deque()
        self._awaited: dict[int, Step] = {}
        self._deaths: collections.Counter[int] = collections.Counter()
        self._ended: dict[int, RunInfo] = {}
        self._failures = 0
        self._fatal: FairingAzureError | None = None
        self._wishes = 0
        self._looked = self._signed = self._asked = time.monotonic()

    def run(self, jobs: int, *, retry_failed: bool) -> None:
        known = newest_runs(self.store, self.plan)
        for point in self.plan.points:
            step = step_of(self.plan, point, known.get(point.number), retry_failed=retry_failed)
            if step.action == "leave":
                self._ended[point.number] = known[point.number]
            elif step.action == "await":
                self._awaited[point.number] = step
            else:
                self._pending.append(step)
        self._report("sweep-started")
        try:
            while self._has_work():
                if not self._stops():
                    self._share_out(jobs)
                self._take_answer()
                self._look()
        except BaseException:
            for worker in self._workers:
                worker.cancel()
            raise
        finally:
            for worker in self._workers:
                worker.dismiss()
            deadline = time.monotonic() + _END_SECONDS
            for worker in self._workers:
                worker.end(max(0.0, deadline - time.monotonic()))
        self._conclude()

    def _has_work(self) -> bool:
        if any(worker.step is not None for worker in self._workers):
            return True
        return not self._stops() and bool(self._pending or self._awaited)

    def _stops(self) -> bool:
        too_many = self._stop_after is not None and self._failures >= self._stop_after
        return self._stop.asked or too_many or self._fatal is not None

    def _share_out(self, jobs: int) -> None:
        for worker in self._workers:
            if worker.ready and worker.step is None and self._pending:
                self._give(worker, self._pending.popleft())
        coming = sum(not worker.ready for worker in self._workers)
        while len(self._workers) < jobs and coming < len(self._pending):
            try:
                self._workers.append(WorkerProcess(self._command, self._inbox))
            except OSError as error:
                self._fatal = _no_worker(self.plan, error.strerror or str(error))
                return
            coming += 1

    def _give(self, worker: WorkerProcess, step: Step) -> None:
        again = step.action == "begin-again"
        if again:
            end_kernels(self.store.folder(step.run))
        facts = {"sweep": self.plan.id, "point": step.point.number, "retry_of": step.retry_of}
        request = step.point.request.to_dict()
        worker.give(step, {"run": step.run, "again": again, "request": request, "facts": facts})
        self._report("run-started", step=step)

    def _take_answer(self) -> None:
        # Also waiting for the first worker has an end: every worker either answers or dies.
        try:
            worker, answer = self._inbox.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            return
        step, worker.step = worker.step, None
        if answer is None:
            self._workers.remove(worker)
            self._mourn(worker, step)
        elif "ready" in answer:
            worker.ready, worker.step = True, step
        elif step is not None and "info" in answer:
            self._note(step, _info(answer["info"]))
        elif step is not None and "taken" in answer:
            self._awaited[step.point.number] = step
        elif "error" in answer:
            self._fatal = RunFailedError(
                f"The sweep '{self.plan.id}' has stopped: {answer['error'].get('message')}",
                hint=f"{answer['error'].get('hint') or 'Fix it.'} Then: fairing-azure sweep resume {self.plan.id}",
                code=str(answer["error"].get("code") or "record"),
            )

    def _mourn(self, worker: WorkerProcess, step: Step | None) -> None:
        """Restart a run once if its worker dies; the second death fails the run."""
        death = worker.death()
        if step is None:
            worker.end(0.0)
            if not worker.ready and not self._stop.asked:
                self._fatal = _no_worker(self.plan, death)
            return
        worker.end(0.0)
        self._deaths[step.point.number] += 1
        info = newest_runs(self.store, self.plan).get(step.point.number)
        if info is not None and info.id == step.run and info.has_ended:
            self._note(step, info)
            return
        begun = self.store.folder(step.run).exists()
        self._report("run-lost", step=step, message=f"The process that executed it ended: {death}.")
        if self._deaths[step.point.number] < _TRIES or not begun:
            action: Literal["begin", "begin-again"] = "begin-again" if begun else "begin"
            self._pending.appendleft(dataclasses.replace(step, action=action))
            if not begun and self._deaths[step.point.number] >= _TRIES:
                self._fatal = _no_worker(self.plan, death)
            return
        self._give_up(step, death)

    def _give_up(self, step: Step, death: str) -> None:
        folder = self.store.folder(step.run)
        end_kernels(folder)
        error = {
            "code": "worker-died",
            "message": f"The process that executed the run ended for the second time: {death}.",
            "hint": f"Give the machine more memory, or run fewer at a time (-j 1). What it printed: "
            f"fairing-azure runs logs {step.run}",
        }
        try:
            with Recorder(folder) as recorder:
                recorder.finish("failed", error=error)
        except ConflictError:
            self._awaited[step.point.number] = step
        except OSError as reason:
            self._fatal = RunFailedError(
                f"The record of the run '{step.run}' can't be written: {reason.strerror or reason}.",
                hint=f"Free space there. Then: fairing-azure sweep resume {self.plan.id}",
                code="record",
            )
        else:
            self._note(step, self.store.find(step.run))

    def _look(self) -> None:
        """Look from time to time at what others do: the wish to stop, runs of other processes."""
        now = time.monotonic()
        if self._stop.urgent and self._wishes < 2:  # noqa: PLR2004 - one wish, and one that is urgent
            self._ask_workers()
        if now - self._asked > _LOOK_SECONDS:
            self._asked = now
            if not self._stop.asked and self.sweeps.is_cancelled(self.plan.id):
                self._stop.ask()
            if self._stop.asked and self._wishes == 0:
                self._ask_workers()
        if self._awaited and now - self._looked > _WAITED_FOR_SECONDS:
            self._looked = now
            self._look_at_awaited()
        if now - self._signed > _SIGN_SECONDS:
            self._signed = now
            if self._sign.exists():
                os.utime(self._sign)

    def _ask_workers(self) -> None:
        self._wishes += 1
        for worker in self._workers:
            if worker.step is not None:
                worker.cancel()

    def _look_at_awaited(self) -> None:
        known = newest_runs(self.store, self.plan)
        for number, awaited in list(self._awaited.items()):
            info = known.get(number)
            step = step_of(self.plan, awaited.point, info)
            if step.action == "await":
                continue
            del self._awaited[number]
            if step.action == "leave" and info is not None:
                self._note(awaited, info)
            else:
                self._pending.append(step)

    def _note(self, step: Step, info: RunInfo) -> None:
        self._ended[step.point.number] = info
        self._failures += info.state == "failed"
        self._report("run-ended", step=step, info=info)

    def _conclude(self) -> None:
        """Tell how the sweep has ended; raise if that is not as it was intended."""
        missing = len(self.plan.points) - len(self._ended)
        left = f"{missing} of {len(self.plan.points)} points have not run"
        resume = f"fairing-azure sweep resume {self.plan.id}"
        error: ExecutionError | None = None
        if self._fatal is not None:
            error = self._fatal if isinstance(self._fatal, ExecutionError) else ExecutionError(str(self._fatal))
        elif self._stop.asked:
            error = RunCancelledError(
                f"The sweep '{self.plan.id}' was cancelled: {left}.",
                hint=f"Resume it: {resume}",
                code="sweep-cancelled",
            )
        elif self._stops() and missing:
            number = f"{self._failures} run{'' if self._failures == 1 else 's'}"
            error = RunFailedError(
                f"The sweep '{self.plan.id}' has stopped: {number} failed, which is the limit of --stop-after. {left}.",
                hint=f"See why: fairing-azure sweep show {self.plan.id}. Resume the rest: {resume}",
                code="sweep-stopped",
            )
        self._report(
            "sweep-ended" if error is None else "sweep-stopped", message="" if error is None else error.message
        )
        if error is not None:
            raise error

    def _report(
        self, kind: EventKind, *, step: Step | None = None, info: RunInfo | None = None, message: str = ""
    ) -> None:
        self._on_event(
            SweepEvent(
                kind,
                time.time(),
                self.plan.id,
                points=len(self.plan.points),
                ended=len(self._ended),
                failed=sum(info.state != "succeeded" for info in self._ended.values()),
                point=None if step is None else step.point.number,
                run="" if step is None else step.run,
                info=info,
                message=message,
            )
        )


def _info(found: Mapping[str, Any]) -> RunInfo:
    known = RunInfo.__dataclass_fields__
    return RunInfo(**{name: value for name, value in found.items() if name in known})


def _no_worker(plan: SweepPlan, reason: str) -> RunFailedError:
    return RunFailedError(
        f"The sweep '{plan.id}' has stopped: no worker process can be started ({reason}).",
        hint=f"Free some memory, or check that this Python starts. Then: fairing-azure sweep resume {plan.id}",
        code="worker",
    )
