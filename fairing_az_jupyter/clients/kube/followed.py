"""What one gets to know about something that was started, one piece after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.kube.diagnosis import Diagnosis


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
class Trouble:
    """Something is wrong that may pass by itself.

    Args:
        diagnosis: What it is.
        seconds: How long it is waited for.

    """

    diagnosis: Diagnosis
    seconds: float

    def __str__(self) -> str:
        return f"{self.diagnosis.message} Waiting up to {self.seconds:g} s for that to pass."


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


Event = Phase | Notice | Waiting | Started | LogLine | Terminated | Trouble | Finished
