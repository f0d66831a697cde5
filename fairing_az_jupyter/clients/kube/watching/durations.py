"""Since when something is in the way, by the times that the cluster's objects and events have."""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.image_pull import PULLING, condition_of_pull, is_failed_pull
from fairing_az_jupyter.clients.kube.diagnosis.pods import missing_object
from fairing_az_jupyter.clients.kube.diagnosis.workloads import condition_of_no_pod
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
    from fairing_az_jupyter.clients.kube.objects.facts import Object

__all__ = ["lasted", "seconds_at"]

# The events that say so, by what they are about; a pull's is `Failed`, as others are: it is known by its words.
_REASONS = {
    "pods": frozenset({"FailedCreate"}),
    "volume": frozenset({"FailedMount", "FailedAttachVolume"}),
    "object": frozenset({"FailedMount", "FailedCreate", "Failed"}),
    "container": frozenset({"Failed", "FailedCreatePodSandBox"}),
    "image": frozenset({"Failed"}),
}


def lasted(
    diagnosis: Diagnosis, owner: Object | None, pods: Sequence[Object], events: Iterable[Object], *, now: float
) -> float:
    """Return how many seconds something has been in the way.

    Args:
        diagnosis: What it is.
        owner: The Job, Deployment or InferenceService; None where pods were started by themselves.
        pods: Its pods.
        events: Its events, and those of its pods.
        now: Seconds since 1970-01-01 UTC.

    Returns:
        The seconds since the first event about this condition, or else about one like it; where there is none,
        since the pod has its node, or was made. 0 where no time is known.

    """
    pod = next((each for each in pods if name_of(each) == diagnosis.pod), None)
    began = _first_event(diagnosis, owner, events) or _since(pod, waits_for_node=diagnosis.rule.group == "node")
    began = began or seconds_at(mapping((owner or {}).get("metadata")).get("creationTimestamp"))
    return max(0.0, now - began) if began is not None else 0.0


def _first_event(diagnosis: Diagnosis, owner: Object | None, events: Iterable[Object]) -> float | None:
    wanted = _REASONS.get(diagnosis.rule.group, frozenset())
    found: list[tuple[bool, float]] = []
    for event in events:
        about = mapping(event.get("involvedObject")).get("name")
        if event.get("reason") not in wanted or (diagnosis.pod and about != diagnosis.pod):
            continue
        if diagnosis.rule.group == "image" and not is_failed_pull(event):
            continue
        moment = seconds_at(event.get("firstTimestamp") or event.get("eventTime"))
        if moment is not None:
            found.append((not _is_same(diagnosis, owner, event), moment))
    return min(found)[1] if found else None


def _is_same(diagnosis: Diagnosis, owner: Object | None, event: Object) -> bool:
    """Tell whether an event of the diagnosis' group is about its very condition, which has a limit of its own."""
    group, said = diagnosis.rule.group, str(event.get("message") or "")
    if group == "image":
        return condition_of_pull(diagnosis.image, said) == diagnosis.condition
    if event.get("reason") == "FailedCreate":
        return condition_of_no_pod(said, owner or {}) == diagnosis.condition
    if group == "container":
        return not is_failed_pull(event) and said.removeprefix("Error: ") not in PULLING
    return (missing_object(said, "") is not None) == (group == "object")


def _since(pod: Object | None, *, waits_for_node: bool) -> float | None:
    if pod is None:
        return None
    made = seconds_at(mapping(pod.get("metadata")).get("creationTimestamp"))
    if waits_for_node:
        return made
    conditions = entries(mapping(pod.get("status")).get("conditions"))
    scheduled = next((each for each in conditions if each.get("type") == "PodScheduled"), {})
    return (seconds_at(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None) or made


def seconds_at(stamp: object) -> float | None:
    """Return a time that the API has written in seconds since 1970-01-01 UTC; None where it is none.

    Args:
        stamp: Such as `2026-11-29T10:00:00Z`, also with parts of a second.

    """
    with contextlib.suppress(ValueError):
        return datetime.strptime(str(stamp)[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    return None
