"""Notebooks that run in the cluster: one Indexed Job, whose pods know by their number what to run.

Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/ for the completion mode, the limits of failures
(`backoffLimitPerIndex`, `maxFailedIndexes`) and the pod failure policy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.clients.kube.diagnosis.workloads import (
    diagnose,
    disruption,
    is_live,
    job_complete,
    job_failure,
    pod_failed,
    replaces_disrupted,
)
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of
from fairing_az_jupyter.exceptions import FairingAzureError, NotAllowedError, NotFoundError
from fairing_az_jupyter.fairing.cluster.manifests import finished_pod, job, new_name
from fairing_az_jupyter.fairing.cluster.own_events import emit_start
from fairing_az_jupyter.fairing.images.notebook_image import PACKAGES
from fairing_az_jupyter.fairing.jobs.notebook_waits import Looks, is_waiting, what_stops
from fairing_az_jupyter.settings import to_notebook

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.cluster.manifests import Placement, Target
    from fairing_az_jupyter.settings import Settings

    Object = Mapping[str, Any]

__all__ = [
    "JobView",
    "NotebookJob",
    "delete_job",
    "job_name",
    "notebook_object",
    "start_job",
    "view",
    "view_of",
]

_INDEX = "batch.kubernetes.io/job-completion-index"
_JOB = "batch.kubernetes.io/job-name"
# A run is interrupted, ends its kernel and sends its record in this time.
_GRACE_SECONDS = 60
# Logins of the machine that launches; a pod has the Secret, or a workload identity.
_LOCAL_LOGINS = frozenset({"environment", "azure-cli"})
_WORKLOAD_IDENTITY = {"azure.workload.identity/use": "true"}


@dataclasses.dataclass(frozen=True)
class NotebookJob:
    """What a Job of notebooks is to be.

    Args:
        name: Its name.
        batch: The URL of the document that tells what each pod runs.
        runs: How many runs it has.
        parallelism: How many of them at once, at most.
        max_failed: After how many failed runs no further one is begun; None to begin them all.
        labels: Labels that tell what is run.

    """

    name: str
    batch: str
    runs: int
    parallelism: int
    max_failed: int | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class JobView:
    """What the cluster says about a Job of notebooks.

    Args:
        there: Whether the Job, or a pod of it, is still there.
        going: Whether it is being deleted.
        ended: Whether it has come to its end, whichever.
        succeeded: Whether that was a good one.
        failed: The numbers of the runs that have failed.
        started: The numbers of the runs whose pods have started; those that have ended are among them.
        problems: Why runs have failed, by their numbers.
        problem: Why no further run can start; None while one is running, or may still start.
        waiting: What a pod waits for and for how long so far; empty if nothing is in the way of any.
        reason: What that is, as an identifier that stays the same while only its words change; empty with `waiting`.

    """

    there: bool
    going: bool = False
    ended: bool = False
    succeeded: bool = False
    failed: frozenset[int] = frozenset()
    started: frozenset[int] = frozenset()
    problems: Mapping[int, Diagnosis] = dataclasses.field(default_factory=dict)
    problem: Diagnosis | None = None
    waiting: str = ""
    reason: str = ""


def job_name() -> str:
    """Return a name that no Job has yet."""
    return new_name("job")


def start_job(launcher: Launcher, wanted: NotebookJob, spec: Object) -> None:
    """Create the Job.

    Args:
        launcher: The cluster.
        wanted: What it is to be.
        spec: The specification of a pod, from `build_image`.

    Raises:
        ServiceError: The cluster does not take it; then there is none.

    """
    emit_start(launcher, launcher.workloads.create(_body(launcher, wanted, spec)))


def delete_job(launcher: Launcher, name: str, *, wait: float = 0.0) -> bool:
    """Delete a Job and its pods; safe to repeat.

    Args:
        launcher: The cluster.
        name: Its name.
        wait: Seconds to wait until its pods are gone.

    Returns:
        Whether it was there.

    Raises:
        ServiceError: It can't be deleted.

    """
    return launcher.workloads.delete("Job", name, wait=wait)


def view(launcher: Launcher, name: str, looks: Looks | None = None) -> JobView:
    """Look at a Job.

    Args:
        launcher: The cluster.
        name: Its name.
        looks: What the looks before have seen; None for a single look.

    Raises:
        ServiceError: The cluster does not tell.

    """
    workloads = launcher.workloads
    try:
        found: Object | None = workloads.get("Job", name)
    except NotFoundError:
        found = None
    pods = workloads.list("Pod", {_JOB: name})
    events: list[Object] = []
    if found is not None and (not any(map(is_live, pods)) or any(map(is_waiting, pods))):
        # Without leave to read events, the objects' own words have to do.
        with contextlib.suppress(NotAllowedError):
            names = {name, *map(name_of, pods)}
            events = [
                each for each in workloads.list("Event") if mapping(each.get("involvedObject")).get("name") in names
            ]
    return view_of(found, pods, events, now=time.time(), waits=launcher.waits, looks=looks)


def view_of(
    found: Object | None,
    pods: Sequence[Object],
    events: Sequence[Object],
    *,
    now: float,
    waits: Waits | None = None,
    looks: Looks | None = None,
) -> JobView:
    """Return what a Job and its pods say.

    Args:
        found: The Job; None if it is gone.
        pods: Its pods.
        events: The events of both.
        now: Seconds since 1970-01-01 UTC.
        waits: How long is waited for what may pass by itself; None for the defaults.
        looks: What the looks before have seen: only who looks again gives up what may pass by itself.

    """
    if found is None:
        return JobView(there=bool(pods), going=bool(pods))
    status, metadata = mapping(found.get("status")), mapping(found.get("metadata"))
    failed = _numbers(str(status.get("failedIndexes") or ""))
    done = _numbers(str(status.get("completedIndexes") or ""))
    given_up = job_failure(found) is not None
    ended = given_up or job_complete(found)
    problems = _problems(found, pods)
    started = {index for pod in pods if (index := _index(pod)) is not None and _has_started(pod)}
    failed |= set(problems) - done if given_up else set()
    problem, waiting, reason = None, "", ""
    if not ended and "deletionTimestamp" not in metadata:
        problem, waiting, reason = what_stops(found, pods, events, now=now, waits=waits or Waits(), looks=looks)
    elif given_up and not problems:
        problem = diagnose(found, pods, events)
    return JobView(
        there=True,
        going="deletionTimestamp" in metadata,
        ended=ended,
        succeeded=ended and not given_up,
        failed=frozenset(failed),
        started=frozenset(started | done | failed),
        problems=problems,
        problem=problem,
        waiting=waiting,
        reason=reason,
    )


def _body(launcher: Launcher, wanted: NotebookJob, spec: Object) -> dict[str, Any]:
    return notebook_object(wanted, spec, launcher.settings, launcher.target, launcher.placement)


def notebook_object(
    wanted: NotebookJob, spec: Object, settings: Settings, target: Target, placement: Placement
) -> dict[str, Any]:
    """Return the Job that runs notebooks.

    Its pods get their service account's token: what runs there reads the Secret of the service principal by it, and a
    notebook may launch by it. With `credential = 'workload-identity'` there is no Secret to read, and no token either
    unless `pod_token` asks for it, as for a notebook that launches.

    Args:
        wanted: What it is to be.
        spec: The specification of a pod; it is not changed.
        settings: The settings in force, which the pods get as variables.
        target: In whose name it runs.
        placement: What its pods ask for.

    """
    by_identity = settings.credential == "workload-identity"
    placement = dataclasses.replace(placement, pod_token=placement.pod_token or not by_identity)
    pod = finished_pod(spec, target, placement, ends=True)
    pod["terminationGracePeriodSeconds"] = _GRACE_SECONDS
    container = pod["containers"][0]
    container["command"] = [*container["command"], wanted.batch]
    container["env"] = [*container.get("env", []), *_variables(settings)]
    body = job(wanted.name, pod, target, labels=wanted.labels, retries=placement.retries)
    inner = body["spec"]
    inner |= {
        "completionMode": "Indexed",
        "completions": wanted.runs,
        "parallelism": min(wanted.parallelism, wanted.runs),
    }
    if wanted.runs > 1:
        # One that fails takes none of the others with it.
        del inner["backoffLimit"]
        # The Job gives up when there are more than that.
        most = wanted.runs if wanted.max_failed is None else max(0, min(wanted.max_failed, wanted.runs) - 1)
        inner |= {"backoffLimitPerIndex": placement.retries, "maxFailedIndexes": most}
    if by_identity:
        inner["template"]["metadata"]["labels"] |= _WORKLOAD_IDENTITY
    return body


def _variables(settings: Settings) -> list[dict[str, str]]:
    """Return the settings as a pod's variables: what runs there reaches the same account in the same way."""
    values = settings.model_dump()
    if values["credential"] in _LOCAL_LOGINS:
        values["credential"] = "auto"
    # Where the notebook itself launches is for its own cell to say.
    del values["backend"]
    given = {name: str(value) for name, value in to_notebook(values).items() if value is not None}
    given |= {"PYTHONPATH": PACKAGES, "JUPYTER_RUNTIME_DIR": "/tmp/fairing-az-jupyter/runtime"}  # noqa: S108 - the pod's
    return [{"name": name, "value": value} for name, value in given.items()]


def _problems(found: Object, pods: Iterable[Object]) -> dict[int, Diagnosis]:
    """Return why runs have failed: of several pods of one run the newest says it."""
    namespace, replaced = str(mapping(found.get("metadata")).get("namespace") or ""), replaces_disrupted(found)
    problems: dict[int, Diagnosis] = {}
    for pod in sorted(pods, key=lambda pod: str(mapping(pod.get("metadata")).get("creationTimestamp") or "")):
        index = _index(pod)
        if index is None or mapping(pod.get("status")).get("phase") != "Failed":
            continue
        if not (replaced and disruption(pod) is not None):
            problems[index] = pod_failed(pod, namespace)
    return problems


def _has_started(pod: Object) -> bool:
    status = mapping(pod.get("status"))
    states = [mapping(each.get("state")) for each in entries(status.get("containerStatuses"))]
    return status.get("phase") in {"Succeeded", "Failed"} or any("running" in each for each in states)


def _index(pod: Object) -> int | None:
    text = str(mapping(mapping(pod.get("metadata")).get("annotations")).get(_INDEX, ""))
    return int(text) if text.isdigit() else None


def _numbers(text: str) -> set[int]:
    """Return the numbers of a list such as `0,3-5`."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        with contextlib.suppress(ValueError):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def last_lines(launcher: Launcher, pod: str, lines: int = 20) -> tuple[str, ...]:
    """Return the last lines that a pod has printed; none where they can't be had.

    Args:
        launcher: The cluster.
        pod: Its name.
        lines: How many at most.

    """
    with contextlib.suppress(FairingAzureError):
        return launcher.workloads.log(pod, tail=lines)
    return ()
