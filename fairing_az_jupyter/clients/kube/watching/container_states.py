"""How the containers of some pods are, for the threads that read their logs."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.pods import containers
from fairing_az_jupyter.clients.kube.objects.facts import Object, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import uid_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.clients.streams import Halt

_DONE = frozenset({"Succeeded", "Failed"})
_TURN_SECONDS = 0.2


@dataclass(frozen=True)
class ContainerState:
    """How a container is.

    Args:
        restarts: How many times it was started after the first time.
        running: Whether it runs now.
        done: How its newest start ended, if it has.
        last: How the start before ended, if there was one.
        over: Whether it will not be started again.

    """

    restarts: int = 0
    running: bool = False
    done: Object | None = None
    last: Object | None = None
    over: bool = False

    def started(self, restarts: int) -> bool:
        """Tell whether it was started so many times after the first."""
        return self.restarts > restarts or (self.restarts == restarts and (self.running or self.done is not None))

    def ended(self, restarts: int) -> bool:
        """Tell whether that start of it has ended."""
        return self.restarts > restarts or (self.restarts == restarts and self.done is not None) or self.over


def container_state(pod: Object, container: str, *, gone: bool = False) -> ContainerState:
    """Return how a container is.

    Args:
        pod: Its pod.
        container: Its name.
        gone: Whether the pod was deleted meanwhile.

    """
    over = gone or mapping(pod.get("status")).get("phase") in _DONE
    for status, _ in containers(pod):
        if status.get("name") != container:
            continue
        state, last = mapping(status.get("state")), mapping(mapping(status.get("lastState")).get("terminated"))
        waiting, done = mapping(state.get("waiting")), mapping(state.get("terminated"))
        # While it is held back after a crash, what is called its last state is the newest.
        same = bool(last) and last.get("containerID") == status.get("containerID") and bool(status.get("containerID"))
        if not done and last and "running" not in state and (waiting.get("reason") == "CrashLoopBackOff" or same):
            done, last = last, {}
        running = state.get("running") is not None and not gone
        return ContainerState(int(status.get("restartCount") or 0), running, done or None, last or None, over)
    return ContainerState(over=over)


class ContainerStates:
    """The newest state of pods, to wait for.

    Args:
        halt: Ends all waiting.

    """

    def __init__(self, halt: Halt) -> None:
        self._halt = halt
        self._changed = threading.Condition()
        self._pods: dict[str, tuple[Object, bool]] = {}

    def put(self, pod: Object, *, gone: bool) -> None:
        """Take a pod's newest state."""
        with self._changed:
            self._pods[uid_of(pod)] = (pod, gone)
            self._changed.notify_all()

    def state(self, uid: str, container: str) -> ContainerState:
        """Return how a container is now."""
        with self._changed:
            pod, gone = self._pods.get(uid, ({}, False))
        return container_state(pod, container, gone=gone)

    def gone(self, uid: str) -> bool:
        """Tell whether a pod was deleted."""
        with self._changed:
            return self._pods.get(uid, ({}, False))[1]

    def wait(
        self, uid: str, container: str, until: Callable[[ContainerState], bool], seconds: float | None = None
    ) -> ContainerState:
        """Wait until a container is so, or it is over, or there is no more time; return how it is then."""
        end = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while True:
                pod, gone = self._pods.get(uid, ({}, False))
                state = container_state(pod, container, gone=gone)
                left = _TURN_SECONDS if end is None else min(_TURN_SECONDS, end - time.monotonic())
                if until(state) or state.over or left <= 0 or self._halt.is_set():
                    return state
                self._changed.wait(left)
