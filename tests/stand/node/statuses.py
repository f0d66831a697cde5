"""A pod's status from the states of its containers; pure functions on plain data.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .events import now

if TYPE_CHECKING:
    from .containers import Exit

Object = dict[str, Any]


@dataclass
class ContainerState:
    """What a kubelet tells of one container.

    Args:
        name: The container's name.
        image: The image that was asked for.
        state: `waiting`, `running` or `terminated`, with its content.
        last: The state of the run before, if there was one.
        restarts: How often it was started again.
        ready: Its readiness probe passes.
        started: Its startup probe passes.
        image_id: The image that it runs.
        container_id: podman's id.
        finished: It will not be started again.

    """

    name: str
    image: str
    state: Object
    last: Object = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    image_id: str = ""
    container_id: str = ""
    finished: bool = False

    @property
    def exit_code(self) -> int | None:
        """The exit code of the run that has ended, None while it runs or waits."""
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    def wait(self, reason: str, message: str = "") -> None:
        """Say what it waits for."""
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}

    def end(self, how: Exit) -> None:
        """Say how it ended."""
        when = now()
        ended: Object = {
            "exitCode": how.code,
            "reason": how.reason,
            "startedAt": how.started or when,
            "finishedAt": how.finished or when,
            "containerID": self.container_id,
        }
        if how.message:
            ended["message"] = how.message
        self.state = {"terminated": ended}
        self.ready = self.started = False

    def to_status(self) -> Object:
        """Return the entry of `containerStatuses`."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id,
            "containerID": self.container_id,
            "state": self.state,
            "lastState": self.last,
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
        }


def phase(before: list[ContainerState], containers: list[ContainerState]) -> str:
    """Return the pod's phase from its init containers and its containers."""
    if any(state.finished and state.exit_code for state in before):
        return "Failed"
    if not all(state.finished for state in before):
        return "Pending"
    if all(state.finished for state in containers):
        return "Failed" if any(state.exit_code for state in containers) else "Succeeded"
    # One that waits to be started again has run before, and counts as running.
    return "Pending" if any("waiting" in state.state and not state.last for state in containers) else "Running"


def conditions(
    before: list[ContainerState], containers: list[ContainerState], current: str, known: list[Object]
) -> list[Object]:
    """Return the pod's conditions; those that have not changed keep the time of their last change.

    Args:
        before: The init containers.
        containers: The containers.
        current: The pod's phase.
        known: The conditions so far.

    """
    unready = [state.name for state in containers if not state.ready]
    waiting = [state.name for state in before if not (state.finished and state.exit_code == 0)]
    reason, message = "", ""
    if current == "Succeeded":
        reason = "PodCompleted"
    elif current == "Failed":
        reason = "PodFailed"
    elif unready:
        reason, message = "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    ready = current == "Running" and not unready
    incomplete = f"containers with incomplete status: [{' '.join(waiting)}]" if waiting else ""
    initialized = {"reason": "ContainersNotInitialized" if waiting else None, "message": incomplete or None}
    if not waiting and current == "Succeeded":
        initialized["reason"] = "PodCompleted"
    # A patch keeps what it does not name: what no longer holds is taken away by null.
    why = {"reason": reason or None, "message": message or None}
    new = [
        {"type": "Initialized", "status": _word(not waiting), **initialized},
        {"type": "ContainersReady", "status": _word(ready), **why},
        {"type": "Ready", "status": _word(ready), **why},
    ]
    times = {(entry["type"], entry["status"]): entry.get("lastTransitionTime") for entry in known}
    for entry in new:
        entry["lastTransitionTime"] = times.get((entry["type"], entry["status"])) or now()
    return new


def _word(value: bool) -> str:  # noqa: FBT001 - the value is what it is about
    return "True" if value else "False"
