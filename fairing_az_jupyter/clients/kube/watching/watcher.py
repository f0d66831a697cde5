"""Follows something that was started: its own state, its pods, their events and their logs, as one row of events."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
from fairing_az_jupyter.clients.kube.diagnosis.pods import containers
from fairing_az_jupyter.clients.kube.diagnosis.scheduling import taints_named, untolerated
from fairing_az_jupyter.clients.kube.diagnosis.workloads import (
    diagnose,
    endpoint_ready,
    is_live,
    job_complete,
    job_failure,
    made_at,
)
from fairing_az_jupyter.clients.kube.objects.asking import Asked, CallFailed
from fairing_az_jupyter.clients.kube.objects.facts import Object, entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import KINDS, name_of, uid_of
from fairing_az_jupyter.clients.kube.objects.rejections import sanitized
from fairing_az_jupyter.clients.kube.watching.clocks import Clocks
from fairing_az_jupyter.clients.kube.watching.container_logs import ContainerLog
from fairing_az_jupyter.clients.kube.watching.container_states import ContainerStates
from fairing_az_jupyter.clients.kube.watching.events import (
    Finished,
    LogLine,
    Notice,
    Phase,
    Waiting,
)
from fairing_az_jupyter.clients.kube.watching.replacements import Replacements
from fairing_az_jupyter.clients.kube.watching.startup import no_pod_yet, not_looked_at, stuck_on_node
from fairing_az_jupyter.clients.kube.watching.watch import Change, Watched, changes
from fairing_az_jupyter.clients.streams import Halt
from fairing_az_jupyter.exceptions import NotAllowedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
    from fairing_az_jupyter.clients.kube.transport.streaming import StreamCalls
    from fairing_az_jupyter.clients.kube.watching.events import Event
    from fairing_az_jupyter.clients.kube.watching.targets import Target

_DONE = frozenset({"Succeeded", "Failed"})
_TURN_SECONDS = 0.1
_LAST_WORDS_SECONDS = 3.0
_QUIET_SECONDS = 10.0
_JOIN_SECONDS = 2.0
_READERS = 64
_TAIL = 20
_HELD = 500
_NODES = Asked("list", "the nodes", "nodes")
_QUEUE = 32
_AT_ONCE = 50


@dataclass(frozen=True)
class _Broken:
    source: str
    error: BaseException


class Watcher:
    """Follows one thing; `events` is to be used once.

    Args:
        calls: The API server.
        target: What to follow.
        waits: How long the conditions are waited for that may pass by themselves.
        logs: Whether log lines are wanted.
        until_ready: Whether the end is an endpoint that serves.
        cancel: Ends it from outside.
        seconds: Ends it after so long, not counted while pods wait for a node, volumes or images; None means never.

    """

    def __init__(
        self,
        calls: StreamCalls,
        target: Target,
        *,
        waits: Waits,
        logs: bool = True,
        until_ready: bool = False,
        cancel: threading.Event | None = None,
        seconds: float | None = None,
    ) -> None:
        self._calls, self._target, self._logs, self._until_ready = calls, target, logs, until_ready
        self._cancel = cancel or threading.Event()
        self._seconds, self._used, self._counted = seconds, 0.0, time.monotonic()
        self._halt = Halt()
        self._states = ContainerStates(self._halt)
        self._items: queue.Queue[Any] = queue.Queue(_QUEUE)
        self._threads: list[threading.Thread] = []
        self._readers: dict[tuple[str, str], ContainerLog] = {}
        self._owner = target.owner
        self._owner_gone = False
        self._pods: dict[str, tuple[Object, bool]] = {}
        self._events: dict[str, Object] = {}
        self._held: dict[str, list[Object]] = {}
        self._replica_sets: set[str] = set()
        self._reported: set[tuple[str, str, str]] = set()
        self._tails: dict[tuple[str, str], deque[str]] = {}
        self._clocks, self._replacements = Clocks(waits, target.name), Replacements()
        self._nodes: list[Object] = []
        self._nodes_asked = False
        self._fatal: tuple[Diagnosis, float] | None = None
        self._ending: float | None = None
        self._last_seen = time.monotonic()
        # What is not counted has an end as well: each of its waits has, and they seldom come one after the other.
        self._uncounted, self._made = max(float(getattr(waits, each.name)) for each in fields(waits)), ""

    @property
    def problem(self) -> Diagnosis | None:
        """What is wrong now, if anything."""
        live = self._newest()
        taints = [taint for pod in live for taint in untolerated(pod, self._nodes)]
        return diagnose(self._owner, live, self._events.values(), taints, made=self._made)

    def _newest(self) -> list[Object]:
        """Return the pods that count."""
        failed = self._owner is None or job_failure(self._owner) is not None
        # What was in a pod's way when it went is in nobody's way; how it ended may be reported later.
        live = [pod for pod, gone in self._pods.values() if not gone or failed or _has_ended(pod)]
        if self._target.kind == "Deployment":
            live = [pod for pod, gone in self._pods.values() if not gone]
        newest = max(live, key=lambda pod: str(mapping(pod.get("metadata")).get("creationTimestamp")), default=None)
        if newest is not None and self._target.kind == "Deployment":
            # The pods of the version before may have problems: that is why there is a new one.
            wanted = _template(newest)
            live = [pod for pod in live if _template(pod) == wanted]
        return live

    def last_lines(self, pod: str, container: str) -> tuple[str, ...]:
        """Return the last lines of a container, or of any of the pod's where none is named."""
        for (name, part), lines in self._tails.items():
            if name == pod and container in {"", part} and lines:
                return tuple(lines)
        return ()

    def events(self) -> Iterator[Event]:
        """Yield what happens, until it has ended or is cancelled.

        Yields:
            The events; the last one is `Finished`, unless it was cancelled.

        Raises:
            ExecutionError: It failed, or can't start.
            ServiceError: It can't be watched.

        """
        watched = [("pods", self._target.pods()), ("events", self._target.events())]
        if self._owner is not None:
            watched.append(("owner", self._target.itself()))
        try:
            for source, what in watched:
                self._start(
                    threading.Thread(target=self._watch, args=(source, what), name=f"watch-{source}", daemon=True)
                )
            if self._owner is not None:
                yield Phase(self._target.kind, self._target.name, "Created")
            while not self._stopped():
                item = self._next()
                if isinstance(item, list):
                    # There may be very many lines, and they don't change what is wrong.
                    yield from self._said(item)
                    continue
                for event in self._events_of(item):
                    yield event
                    if self._stopped():
                        return
                yield from self._replacements.reported(self._talking(), time.monotonic())
                yield from self._problems()
                if self._over():
                    yield from self._finish()
                    return
        finally:
            self._halt.set()
            end = time.monotonic() + _JOIN_SECONDS
            for thread in self._threads:
                thread.join(max(0.0, end - time.monotonic()))

    def _start(self, thread: threading.Thread) -> None:
        self._threads.append(thread)
        thread.start()

    def _stopped(self) -> bool:
        if self._cancel.is_set():
            return True
        now = time.monotonic()
        spent, self._counted = now - self._counted, now
        if self._seconds is None:
            return False
        if self._uncounted > 0 and self._is_starting():
            self._uncounted -= spent
        else:
            self._used += spent
        return self._used > self._seconds

    def _is_starting(self) -> bool:
        """Tell whether pods wait for what is not theirs to hasten: room, a node, volumes, images."""
        live = [pod for pod in self._newest() if is_live(pod)]
        return any(not _has_begun(pod) for pod in live) if live else self.problem is not None

    def _next(self) -> Any:  # noqa: ANN401 - what the threads put
        try:
            return self._items.get(timeout=_TURN_SECONDS)
        except queue.Empty:
            return None

    def _put(self, item: object) -> None:
        while not self._halt.is_set():
            try:
                self._items.put(item, timeout=_TURN_SECONDS)
            except queue.Full:
                continue
            return

    def _watch(self, source: str, watched: Watched) -> None:
        try:
            seen = {"owner": self._target.owner, "pods": self._target.pod}.get(source)
            known = [] if seen is None else [seen]
            for change in changes(self._calls, watched, self._halt, known=known):
                if source == "pods":
                    self._states.put(change.object, gone=change.what == "DELETED")
                if source == "events" and not self._matters(change.object):
                    continue
                self._put((source, change))
        except BaseException as error:  # noqa: BLE001 - raised again by who iterates
            self._put(_Broken(source, error))

    def _matters(self, event: Object) -> bool:
        """Tell whether an event may be about the target; whose pods it has is only known by and by."""
        about = mapping(event.get("involvedObject"))
        kind, uid = about.get("kind"), str(about.get("uid") or "")
        if kind != "ReplicaSet":
            return kind == "Pod" or uid == uid_of(self._target.owner or {})
        if self._target.kind != "Deployment" or not str(about.get("name")).startswith(f"{self._target.name}-"):
            return False
        if uid not in self._replica_sets:
            path = KINDS["ReplicaSet"].path(self._target.namespace, str(about.get("name")))
            asked = KINDS["ReplicaSet"].asked("get", self._target.namespace, str(about.get("name")))
            try:
                owners = entries(
                    mapping(self._calls.read(self._halt, path, asked).get("metadata")).get("ownerReferences")
                )
            except CallFailed:
                return False
            if all(one.get("uid") != uid_of(self._target.owner or {}) for one in owners):
                return False
            self._replica_sets.add(uid)
        return True

    def _events_of(self, item: Any) -> Iterator[Event]:  # noqa: ANN401 - what the threads put
        """Take what a thread has put, and yield what it means."""
        if item is None:
            for reader in self._readers.values():
                reader.hurry()
        elif isinstance(item, _Broken):
            if item.source == "events" and isinstance(item.error, NotAllowedError):
                yield Notice(self._target.kind, self._target.name, "EventsMissing", item.error.message, warning=True)
            else:
                raise item.error
        elif isinstance(item, tuple):
            self._last_seen = time.monotonic()
            source, change = item
            yield from {"pods": self._pod, "events": self._event, "owner": self._itself}[source](change)
        else:
            self._last_seen = time.monotonic()
            yield item

    def _said(self, lines: Sequence[LogLine]) -> Iterator[Event]:
        self._last_seen = time.monotonic()
        first = lines[0]
        tail = self._tails.setdefault((first.pod, first.container), deque(maxlen=_TAIL))
        tail.extend(line.text[:1000] for line in lines[-_TAIL:])
        for start in range(0, len(lines), _AT_ONCE):
            if self._stopped():
                return
            yield from lines[start : start + _AT_ONCE]

    def _itself(self, change: Change) -> Iterator[Event]:
        if uid_of(change.object) != uid_of(self._target.owner or {}):
            return
        # Objects that come in a list do not say their kind.
        self._owner = {"kind": self._target.kind, **change.object}
        self._replacements.count(self._owner, time.monotonic())
        if change.what == "DELETED":
            self._owner_gone = True
            yield Phase(self._target.kind, self._target.name, "Deleted")

    def _pod(self, change: Change) -> Iterator[Event]:
        pod, uid = change.object, uid_of(change.object)
        before, _ = self._pods.get(uid, ({}, False))
        gone = change.what == "DELETED"
        if gone and before and not mapping(pod.get("status")).get("containerStatuses"):
            pod = before
        self._pods[uid] = (pod, gone)
        self._made = max(self._made, made_at(pod))
        phase = str(mapping(pod.get("status")).get("phase") or "")
        if phase and phase != mapping(before.get("status")).get("phase"):
            yield Phase("Pod", name_of(pod), phase)
        known = {(entry.get("name"), _waits(entry)) for entry, _ in containers(before)}
        for entry, _ in containers(pod):
            reason, message = _waits(entry)
            if reason and (entry.get("name"), (reason, message)) not in known:
                yield Waiting(name_of(pod), str(entry.get("name")), reason, message)
            self._read_log(pod, str(entry.get("name")))
        if self._owner is not None:
            over = self._target.kind == "Job" and self._ended() is not None
            self._replacements.see(self._owner, pod, time.monotonic(), gone=gone, over=over)
        if gone:
            yield Phase("Pod", name_of(pod), "Deleted")
        for event in self._held.pop(uid, []):
            yield from self._event(Change("ADDED", event))

    def _read_log(self, pod: Object, container: str) -> None:
        uid = uid_of(pod)
        alive = sum(reader.thread.is_alive() for reader in self._readers.values())
        if (uid, container) in self._readers or alive >= _READERS:
            return
        about = (name_of(pod), uid)
        reader = ContainerLog(
            self._calls,
            self._states,
            self._halt,
            self._put,
            self._target.namespace,
            about,
            container,
            wanted=self._logs,
        )
        reader.before = self._earlier(uid)
        self._readers[uid, container] = reader
        self._start(reader.thread)

    def _earlier(self, uid: str) -> tuple[ContainerLog, ...]:
        """Return the logs of pods that a Job's pod replaces: their lines come first."""
        if self._target.kind != "Job":
            return ()
        over = {other for other, (pod, gone) in self._pods.items() if other != uid and (gone or not is_live(pod))}
        return tuple(reader for (other, _), reader in self._readers.items() if other in over)

    def _event(self, change: Change) -> Iterator[Event]:
        event, about = change.object, mapping(change.object.get("involvedObject"))
        uid, kind = str(about.get("uid") or ""), str(about.get("kind") or "")
        if change.what == "DELETED":
            return
        if kind == "Pod" and uid not in self._pods:
            if len(self._held) < _HELD:
                self._held.setdefault(uid, []).append(event)
            return
        self._events[uid_of(event)] = event
        reason, message = str(event.get("reason") or ""), sanitized(str(event.get("message") or ""), self._owner or {})
        if "taint" in message and reason == "FailedScheduling" and not taints_named(message):
            self._ask_for_nodes()
        if (uid, reason, message) not in self._reported:
            self._reported.add((uid, reason, message))
            yield Notice(kind, str(about.get("name") or ""), reason, message, event.get("type") == "Warning")

    def _problems(self) -> Iterator[Event]:
        """Yield a problem that may pass, and raise one that does not."""
        now = time.monotonic()
        if self._fatal is not None:
            diagnosis, since = self._fatal
            talking = any(reader.reading and reader.pod == diagnosis.pod for reader in self._readers.values())
            if not (talking and self._logs and diagnosis.returncode is not None) or now - since > _LAST_WORDS_SECONDS:
                raise diagnosis.error(self._target.kind, self.last_lines(diagnosis.pod, diagnosis.container))
            return
        problem = None
        if self._ended() is None:
            problem = self._replacements.pressure or self.problem or self._quiet()
        report, over = self._clocks.see(problem, now)
        if report is not None:
            yield report
        if over is not None:
            self._fatal = (over, now)
            yield from self._problems()

    def _talking(self) -> set[str]:
        """Return the pods whose lines are still being read."""
        return {reader.pod for reader in self._readers.values() if reader.reading} if self._logs else set()

    def _quiet(self) -> Diagnosis | None:
        """Return what is waited for where nothing is wrong: a node that does not answer, a container being made."""
        namespace = self._target.namespace
        if not self._pods and self._owner is not None:
            # An endpoint that is ready without a pod has been scaled to none.
            if self._target.kind != "Job" and endpoint_ready(self._owner):
                return None
            return no_pod_yet(self._owner, namespace)
        pods = [pod for pod, gone in self._pods.values() if not gone]
        found = (stuck_on_node(pod, namespace) or not_looked_at(pod, namespace) for pod in pods)
        return next(filter(None, found), None)

    def _ask_for_nodes(self) -> None:
        """Read the nodes once, where that is allowed: the scheduler no longer says which taint is in the way."""
        if self._nodes_asked:
            return
        self._nodes_asked = True

        def read() -> None:
            with contextlib.suppress(CallFailed):
                self._nodes = entries(self._calls.read(self._halt, "/api/v1/nodes", _NODES).get("items"))

        self._start(threading.Thread(target=read, name="watch-nodes", daemon=True))

    def _ended(self) -> bool | None:
        """Tell whether it has ended well or not; None where it has not ended."""
        if self._owner_gone:
            return False
        if self._owner is not None and self._target.kind == "Job":
            return True if job_complete(self._owner) else False if job_failure(self._owner) is not None else None
        if self._until_ready and self._owner is not None:
            return True if endpoint_ready(self._owner) else None
        if self._owner is None and self._pods:
            phases = [mapping(pod.get("status")).get("phase") for pod, _ in self._pods.values()]
            if all(gone or phase in _DONE for phase, (_, gone) in zip(phases, self._pods.values(), strict=True)):
                return all(phase == "Succeeded" for phase in phases)
        return None

    def _over(self) -> bool:
        """Tell whether it has ended and everything that was said has been heard."""
        if self._ended() is None:
            self._ending = None
            return False
        now = time.monotonic()
        self._ending = self._ending or now
        if not self._items.empty():
            return False
        if self._until_ready:
            return True
        status = mapping((self._owner or {}).get("status"))
        counted = int(status.get("succeeded") or 0) + int(status.get("failed") or 0)
        still = any(reader.thread.is_alive() for reader in self._readers.values())
        if status.get("terminating") and now - self._ending > _LAST_WORDS_SECONDS:
            # Its time is up, and its pods have only been asked to end: that may take them long.
            return True
        unseen = self._target.kind == "Job" and len(self._pods) < counted and now - self._ending < _LAST_WORDS_SECONDS
        return not (still or unseen) or now - max(self._last_seen, self._ending) > _QUIET_SECONDS

    def _finish(self) -> Iterator[Event]:
        yield from self._replacements.reported(set(), time.monotonic(), last=True)
        good = bool(self._ended())
        yield Finished(self._target.kind, self._target.name, good)
        if good:
            return
        problem = self.problem
        if self._owner_gone or problem is None:
            kind, name, namespace = self._target.kind, self._target.name, self._target.namespace
            message = f"{kind} '{name}' in namespace '{namespace}' was deleted before it had ended."
            problem = Diagnosis("deleted", message, f"Check the events: kubectl -n {namespace} get events")
        raise problem.error(self._target.kind, self.last_lines(problem.pod, problem.container))


def _has_ended(pod: Object) -> bool:
    return mapping(pod.get("status")).get("phase") in _DONE


def _has_begun(pod: Object) -> bool:
    """Tell whether the program of a pod has been started, or an init container runs."""
    for entry, init in containers(pod):
        state = mapping(entry.get("state"))
        if "running" in state or (not init and ("terminated" in state or mapping(entry.get("lastState")))):
            return True
    return False


def _template(pod: Object) -> str:
    return str(mapping(mapping(pod.get("metadata")).get("labels")).get("pod-template-hash") or "")


def _waits(status: Object) -> tuple[str, str]:
    waiting = mapping(mapping(status.get("state")).get("waiting"))
    return str(waiting.get("reason") or ""), sanitized(str(waiting.get("message") or ""), {})
