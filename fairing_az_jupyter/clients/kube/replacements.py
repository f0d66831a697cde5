"""Pods that have come to their end before the work was done, and whose controller starts another one.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#handling-pod-and-container-failures and, below
it, the pod failure policy and the pod replacement policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.facts import Object, mapping
from fairing_az_jupyter.clients.kube.followed import Disrupted, Retried
from fairing_az_jupyter.clients.kube.objects import name_of, uid_of
from fairing_az_jupyter.clients.kube.refused_changes import sanitized
from fairing_az_jupyter.clients.kube.troubles import disruption, pod_failed, replaces_disrupted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Replacements"]

# Where a Job does not say it: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/
_BACKOFF_LIMIT = 6
_LAST_WORDS_SECONDS = 3.0


class Replacements:
    """What is to be told about pods that are replaced, each once and after the last lines that it has printed."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._left: list[tuple[float, str, Disrupted | Retried]] = []
        self._disruptions = self._failures = 0

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
        if uid in self._known or phase == "Succeeded" or (phase != "Failed" and not gone):
            return
        self._known.add(uid)
        if over or mapping(owner.get("metadata")).get("deletionTimestamp"):
            return
        event = self._event(owner, pod)
        if event is not None:
            self._left.append((now, name_of(pod), event))

    def told(self, talking: Collection[str], now: float, *, last: bool = False) -> Iterator[Disrupted | Retried]:
        """Yield what is to be told now.

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
