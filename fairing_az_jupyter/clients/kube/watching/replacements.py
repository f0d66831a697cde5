"""Pods that have come to their end before the work was done, and whose controller starts another one.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#handling-pod-and-container-failures and, below
it, the pod failure policy and the pod replacement policy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
from fairing_az_jupyter.clients.kube.diagnosis.workloads import disruption, pod_failed, replaces_disrupted
from fairing_az_jupyter.clients.kube.objects.facts import Object, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of, uid_of
from fairing_az_jupyter.clients.kube.objects.rejections import sanitized
from fairing_az_jupyter.clients.kube.watching.events import Disrupted, Retried

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Replacements"]

# Where a Job does not say it: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
_BACKOFF_LIMIT = 6
_LAST_WORDS_SECONDS = 3.0
# A program that uses up its node's memory or disk is evicted from each node; Jobs count no eviction as a failure.
# https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
_EVICTIONS = 3


class Replacements:
    """What is to be reported about pods that are replaced, each once and after the last lines that it has printed."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._left: list[tuple[float, str, Disrupted | Retried]] = []
        self._disruptions = self._failures = self._evictions = 0
        self._failed_before: dict[str, int] = {}
        self._vanished: dict[str, Object] = {}
        self.pressure: Diagnosis | None = None
        """Why continuing is pointless: its pods were evicted too often, as their nodes were out of a resource."""

    def see(self, owner: Object, pod: Object, now: float, *, gone: bool, over: bool) -> None:
        """Take a pod's newest state.

        Args:
            owner: The Job, Deployment or InferenceService.
            pod: The pod.
            now: A monotonic time in seconds.
            gone: Whether it was deleted.
            over: Whether the owner has ended, so that it replaces nothing.

        """
        uid, phase = uid_of(pod), str(mapping(pod.get("status")).get("phase") or "")
        self._failed_before.setdefault(uid, _failed(owner))
        if uid in self._known or phase == "Succeeded" or (phase != "Failed" and not gone):
            return
        self._known.add(uid)
        if over or mapping(owner.get("metadata")).get("deletionTimestamp"):
            return
        if phase != "Failed" and disruption(pod) is None and owner.get("kind") == "Job":
            # It may have been deleted by somebody: the Job says whether it counts as an attempt.
            self._vanished[uid] = pod
            self.count(owner, now)
            return
        self._add(owner, pod, now)

    def count(self, owner: Object, now: float) -> None:
        """Take a Job's newest state, which tells whether pods that have vanished had failed.

        Args:
            owner: The Job.
            now: A monotonic time in seconds.

        """
        for uid, pod in list(self._vanished.items()):
            if _failed(owner) > self._failed_before[uid]:
                del self._vanished[uid]
                self._add(owner, pod, now)

    def _add(self, owner: Object, pod: Object, now: float) -> None:
        self._see_pressure(owner, pod)
        event = self._event(owner, pod)
        if event is not None and self.pressure is None:
            self._left.append((now, name_of(pod), event))

    def _see_pressure(self, owner: Object, pod: Object) -> None:
        """Count evictions in a row, of a Job that has one pod at a time."""
        status, spec = mapping(pod.get("status")), mapping(owner.get("spec"))
        taken = disruption(pod) or {}
        evicted = taken.get("reason") == "TerminationByKubelet" and status.get("reason") == "Evicted"
        if owner.get("kind") != "Job" or spec.get("completions", 1) != 1 or not evicted:
            self._evictions = 0
            return
        self._evictions += 1
        if self._evictions >= _EVICTIONS and replaces_disrupted(owner):
            said = sanitized(str(status.get("message") or taken.get("message") or ""), {})
            self.pressure = _short(owner, pod, said, self._evictions)

    def reported(self, talking: Collection[str], now: float, *, last: bool = False) -> Iterator[Disrupted | Retried]:
        """Yield what is to be reported now.

        Args:
            talking: The pods whose logs are still being read.
            now: A monotonic time in seconds.
            last: Whether nothing more will be read.

        """
        left, self._left = self._left, []
        for since, pod, event in left:
            if last or pod not in talking or now - since > _LAST_WORDS_SECONDS:
                yield event
            else:
                self._left.append((since, pod, event))

    def _event(self, owner: Object, pod: Object) -> Disrupted | Retried | None:
        kind, name, taken = str(owner.get("kind")), name_of(owner), disruption(pod)
        if taken is not None and (kind != "Job" or replaces_disrupted(owner)):
            self._disruptions += 1
            said, reason = sanitized(str(taken.get("message") or ""), {}), str(taken.get("reason") or "")
            return Disrupted(kind, name, name_of(pod), reason, said, self._disruptions)
        if kind != "Job":
            return None
        self._failures += 1
        spec = mapping(owner.get("spec"))
        attempts = int(spec.get("backoffLimit", _BACKOFF_LIMIT)) + 1
        if self._failures >= attempts or spec.get("completions", 1) != 1:
            return None
        namespace = str(mapping(pod.get("metadata")).get("namespace") or "")
        return Retried(name, pod_failed(pod, namespace), self._failures, attempts)


def _short(owner: Object, pod: Object, said: str, times: int) -> Diagnosis:
    namespace = str(mapping(pod.get("metadata")).get("namespace") or "")
    found = re.search(r"low on resource: (\w+(?:-\w+)*)", said)
    resource = found[1] if found else ""
    if resource == "memory":
        fix = "Set FAIRING_MEMORY to as much as the program needs, or load less data at once."
    elif resource in {"ephemeral-storage", "nodefs", "imagefs", "inodes"}:
        fix = "Write less to the container's disk, mount a volume for it, or use nodes with a larger disk."
    else:
        fix = "Request as much memory and disk as the program needs."
    message = (
        f"Pods of Job '{name_of(owner)}' in namespace '{namespace}' were evicted {times} times in a row, because "
        f"their node was out of {resource or 'a resource'}: {said or 'no details given'}."
    )
    return Diagnosis("node-pressure", message, fix, pod=name_of(pod))


def _failed(owner: Object) -> int:
    """Return how many pods of a Job count as failed, those included that it has yet to count.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/#JobStatus
    """
    status = mapping(owner.get("status"))
    uncounted = mapping(status.get("uncountedTerminatedPods")).get("failed")
    return int(status.get("failed") or 0) + len(uncounted if isinstance(uncounted, list) else ())
