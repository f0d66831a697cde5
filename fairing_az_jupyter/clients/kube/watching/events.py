"""What one gets to know about something that was started, one piece after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fairing_az_jupyter.clients.kube.diagnosis.waits import duration

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis

# https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
_DISRUPTIONS = {
    "PreemptionByScheduler": "it was preempted by pods with a higher priority",
    "DeletionByTaintManager": "its node has a taint that it does not tolerate, as a lost node gets",
    "EvictionByEvictionAPI": "its node is drained, or removed by the autoscaler",
    "DeletionByPodGC": "its node was deleted",
    "TerminationByKubelet": "its node was out of a resource, or shut down",
}


@dataclass(frozen=True)
class Phase:
    """An object has come into another phase.

    Args:
        kind: The kind of object.
        name: Its name.
        phase: `Created` and `Deleted`, or a pod's phase: `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.

    """

    kind: str
    name: str
    phase: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.phase.lower()}"


@dataclass(frozen=True)
class Notice:
    """The cluster has something to say about an object.

    Args:
        kind: The kind of object.
        name: Its name.
        reason: One word, such as `Scheduled`, `Pulling`, `FailedScheduling`, `FailedCreate`.
        message: The cluster's own words, without secrets.
        warning: Whether it is not as it should be.

    """

    kind: str
    name: str
    reason: str
    message: str
    warning: bool = False

    def __str__(self) -> str:
        words = {
            "Scheduled": f"scheduled to node {self.message.rpartition(' to ')[2]}",
            "FailedScheduling": f"unschedulable: {self.message}",
            "FailedCreate": f"no pod yet: {self.message.removeprefix('Error creating: ')}",
        }
        return f"{self.name}: {words.get(self.reason, self.message[:1].lower() + self.message[1:] or self.reason)}"


@dataclass(frozen=True)
class Waiting:
    """A container waits.

    Args:
        pod: Its pod.
        container: Its name.
        reason: Such as `ContainerCreating`, `ImagePullBackOff`.
        message: More of it, or empty.

    """

    pod: str
    container: str
    reason: str
    message: str = ""

    def __str__(self) -> str:
        return f"{self.pod}/{self.container} waits: {self.reason}{f' ({self.message})' if self.message else ''}"


@dataclass(frozen=True)
class Started:
    """A container has started.

    Args:
        pod: Its pod.
        container: Its name.
        restarts: How many times it had been started before.

    """

    pod: str
    container: str
    restarts: int = 0

    def __str__(self) -> str:
        return f"{self.pod}/{self.container} {f'restarted ({self.restarts})' if self.restarts else 'started'}"


class LogLine(NamedTuple):
    """One line that a container has printed.

    Args:
        pod: Its pod.
        container: Its name.
        text: The line, without its end; of a progress bar, its last state.
        time: When it was printed, as the kubelet writes it; empty where it did not say.
        restarts: How many times the container had been started before.
        more: Whether the next line has come with it, and follows at once: who shows lines may show them together.

    """

    pod: str
    container: str
    text: str
    time: str = ""
    restarts: int = 0
    more: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Terminated:
    """A container has ended; all its lines have come before.

    Args:
        pod: Its pod.
        container: Its name.
        exit_code: Its exit code, or None where the cluster did not tell.
        reason: Such as `Completed`, `Error`, `OOMKilled`, `DeadlineExceeded`.
        message: What it left as its termination message, or empty.
        restarts: How many times it had been started before.

    """

    pod: str
    container: str
    exit_code: int | None
    reason: str
    message: str = ""
    restarts: int = 0

    def __str__(self) -> str:
        return f"{self.pod}/{self.container} ended: {self.reason or 'unknown'} (exit code {self.exit_code})"


@dataclass(frozen=True)
class Problem:
    """Something is in the way that may pass by itself; it is reported again while it lasts.

    Args:
        diagnosis: What it is.
        seconds: How long it is waited for; infinite where only the end of the object itself ends it.
        waited: How long it has lasted so far, in seconds.
        name: The name of what is followed.

    """

    diagnosis: Diagnosis
    seconds: float
    waited: float = 0.0
    name: str = ""

    def __str__(self) -> str:
        return f"{self.diagnosis.message} {self.wait}"

    @property
    def wait(self) -> str:
        """How long it has been waited for, of how long, as a sentence."""
        limit = "" if math.isinf(self.seconds) else duration(self.seconds)
        if self.waited < 1:
            return f"Waiting for up to {limit}." if limit else "Waiting."
        return f"Waiting for {duration(self.waited)} so far{f', at most {limit}' if limit else ''}."


@dataclass(frozen=True)
class Disrupted:
    """The cluster has taken a pod away for reasons of its own, and starts a new one in its place.

    Args:
        kind: The kind of object whose pod it was.
        name: Its name.
        pod: The pod.
        reason: The reason of its condition `DisruptionTarget`, such as `EvictionByEvictionAPI`.
        message: The cluster's own words, without secrets; may be empty.
        count: How many pods of this object were taken away so far.

    """

    kind: str
    name: str
    pod: str
    reason: str
    message: str
    count: int

    def __str__(self) -> str:
        why = _DISRUPTIONS.get(self.reason, self.reason or "the cluster reported no reason")
        said = f": {self.message.rstrip('.')}" if self.message else ""
        return (
            f"Pod '{self.pod}' was removed ({why}{said}). A new pod starts; disruption {self.count} of {self.kind} "
            f"'{self.name}'."
        )


@dataclass(frozen=True)
class Retried:
    """The program in a pod has failed, and the Job tries again.

    Args:
        name: The Job's name.
        diagnosis: Why it failed.
        attempt: The number of the attempt that failed, from 1.
        attempts: How many there are at most.

    """

    name: str
    diagnosis: Diagnosis
    attempt: int
    attempts: int

    def __str__(self) -> str:
        return (
            f"Attempt {self.attempt} of {self.attempts} failed. {self.diagnosis.message} Attempt {self.attempt + 1} of "
            f"{self.attempts} starts."
        )


@dataclass(frozen=True)
class Finished:
    """It has ended, and nothing more will come.

    Args:
        kind: The kind of object.
        name: Its name.
        succeeded: Whether it ended well; if not, an error follows.

    """

    kind: str
    name: str
    succeeded: bool

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {'is complete' if self.succeeded else 'has failed'}"


Event = Phase | Notice | Waiting | Started | LogLine | Terminated | Problem | Disrupted | Retried | Finished
