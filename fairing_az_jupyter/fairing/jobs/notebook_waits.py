"""What the pods of a Job of notebooks wait for, for how long, and when it is no longer waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.workloads import diagnose, disruption, is_live
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.watching.durations import lasted, seconds_at
from fairing_az_jupyter.clients.kube.watching.events import Problem
from fairing_az_jupyter.clients.kube.watching.startup import stuck_on_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
    from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits

    Object = Mapping[str, Any]

__all__ = ["Looks", "is_waiting", "what_stops"]

# Between two attempts of the kubelet or the scheduler a condition may be gone for a moment.
_FORGOTTEN_SECONDS = 30.0
# By how much the clocks of this machine and of the cluster may differ: with more than that, Storage takes no request.
# https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key#specifying-the-date-header
_SKEW_SECONDS = 900.0


@dataclass
class _Seen:
    """What was seen of one group of conditions of a pod: when last, and when each condition first."""

    last: float
    began: dict[str, float] = field(default_factory=dict)


class Looks:
    """The looks of one process at a Job: how long something has been seen, by a clock that nobody sets.

    Args:
        clock: Returns a monotonic time in seconds.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._busy = float("-inf")

    def others_run(self) -> None:
        """Note that a pod of the Job runs: what it leaves at its end, one that waits may take."""
        self._busy = self._clock()

    def see(self, diagnosis: Diagnosis) -> float | None:
        """Take what is in the way of a pod now.

        Args:
            diagnosis: What it is.

        Returns:
            The seconds since it was seen first and no other pod has run; None if this is the first time.

        """
        key, now = (diagnosis.rule.group, diagnosis.pod), self._clock()
        seen = self._seen.get(key)
        if seen is None or now - seen.last > _FORGOTTEN_SECONDS:
            seen = self._seen[key] = _Seen(now)
        seen.last = now
        began = seen.began.get(diagnosis.condition)
        if began is None:
            seen.began[diagnosis.condition] = now
            return None
        return now - max(began, self._busy)


def is_waiting(pod: Object) -> bool:
    """Tell whether a pod has still to start, and nobody takes it away.

    Args:
        pod: The pod.

    """
    phase = mapping(pod.get("status")).get("phase")
    return phase in {None, "", "Pending"} and is_live(pod) and disruption(pod) is None


def what_stops(
    job: Object, pods: Sequence[Object], events: Sequence[Object], *, now: float, waits: Waits, looks: Looks | None
) -> tuple[Diagnosis | None, str, str]:
    """Tell what keeps pods of a Job from starting.

    One that can't start is a reason to end the Job only where no other one runs or may still start: runs that continue
    have their results to lose.

    Args:
        job: The Job, which has not ended.
        pods: Its pods.
        events: The events of both.
        now: Seconds since 1970-01-01 UTC.
        waits: How long is waited for what may pass by itself.
        looks: The looks before; None for a single look, which gives up nothing that may pass by itself.

    Returns:
        Why no further run can start, or None; what is waited for, in words, and as an identifier, or empty.

    """
    waiting = [pod for pod in pods if is_waiting(pod)]
    others = [pod for pod in pods if is_live(pod) and not is_waiting(pod)]
    if others and looks is not None:
        looks.others_run()
    found = _Found(job, [pod for pod in pods if not is_live(pod)], events, now, waits, looks)
    verdicts = [found.verdict(pod) for pod in waiting]
    if not waiting and not others:
        verdicts = [found.verdict(None)]
    over = [problem for problem, _, is_over in verdicts if problem is not None and is_over]
    if over and len(over) == len(verdicts) and not others:
        return over[0], "", ""
    reported = [(problem, words) for problem, words, _ in verdicts if problem is not None and words]
    if not reported:
        return None, "", ""
    # What stays in the way goes before what may pass by itself.
    problem, words = min(reported, key=lambda each: each[0].heals)
    return None, words, f"{problem.condition}/{problem.code}"


@dataclass(frozen=True)
class _Found:
    """What one look has found.

    Args:
        job: The Job.
        past: Its pods that have ended, or are taken away.
        events: The events of all.
        now: Seconds since 1970-01-01 UTC.
        waits: How long is waited for what may pass by itself.
        looks: The looks before; None for a single one.

    """

    job: Object
    past: Sequence[Object]
    events: Sequence[Object]
    now: float
    waits: Waits
    looks: Looks | None

    def verdict(self, pod: Object | None) -> tuple[Diagnosis | None, str, bool]:
        """Return what is in the way of a pod, in which words it is reported, and whether it is waited for no longer.

        Args:
            pod: The pod; None where there is none, and the question is why.

        """
        judged, events = ([pod], self.events) if pod is not None else (self.past, self._since_the_last_pod())
        problem = diagnose(self.job, judged, self.events)
        if pod is None and problem is not None and problem.pod:
            # That pod is about to be gone.
            return None, "", False
        if problem is None and pod is not None:
            problem = stuck_on_node(pod, str(mapping(self.job.get("metadata")).get("namespace") or ""))
        if problem is None:
            return None, "", False
        if not problem.heals:
            return problem, f"{problem.message} {problem.hint}".strip(), True
        limit, stamped = problem.rule.seconds(self.waits), lasted(problem, self.job, judged, events, now=self.now)
        seen = self.looks.see(problem) if self.looks is not None else None
        waited = max(stamped, seen or 0.0)
        if seen is not None and max(seen, min(stamped, self._alone()) - _SKEW_SECONDS) >= limit:
            after = problem.after(waited)
            return after, after.message, True
        return problem, str(Problem(problem, limit, waited)) if waited >= problem.rule.first else "", False

    def _alone(self) -> float:
        """Return how many seconds ago another pod has ended last."""
        ends = [end for pod in self.past for end in _ends(pod)]
        return self.now - max(ends, default=float("-inf"))

    def _since_the_last_pod(self) -> Sequence[Object]:
        """Return the events as if they had begun when the last pod was made or ended: before, they were of its own."""
        made = [seconds_at(mapping(pod.get("metadata")).get("creationTimestamp")) for pod in self.past]
        moments = [*(each for each in made if each is not None), *(end for pod in self.past for end in _ends(pod))]
        if not moments:
            return self.events
        last = max(moments)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(last))
        return [
            {**event, "firstTimestamp": stamp} if (first := _first(event)) is not None and first < last else event
            for event in self.events
        ]


def _first(event: Object) -> float | None:
    return seconds_at(event.get("firstTimestamp") or event.get("eventTime"))


def _ends(pod: Object) -> Iterable[float]:
    """Yield when parts of a pod have ended, and when it was taken away."""
    status = mapping(pod.get("status"))
    done = [mapping(mapping(each.get("state")).get("terminated")) for each in entries(status.get("containerStatuses"))]
    stamps = [each.get("finishedAt") for each in done]
    stamps += [
        mapping(disruption(pod)).get("lastTransitionTime"),
        mapping(pod.get("metadata")).get("deletionTimestamp"),
    ]
    for stamp in stamps:
        moment = seconds_at(stamp)
        if moment is not None:
            yield moment
