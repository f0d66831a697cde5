"""How long what is in the way has lasted, when it is reported, and when it is no longer waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.waits import reports_after
from fairing_az_jupyter.clients.kube.watching.events import Problem

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
    from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits

__all__ = ["Clocks"]

# Between two attempts of the kubelet or the scheduler a condition may be gone for a moment.
_FORGOTTEN_SECONDS = 30.0
# The images of a pod are pulled one after the other, each in a time of its own.
_PER_CONTAINER = frozenset({"image", "start"})
# The scheduler's and the autoscaler's words change often in a busy cluster.
_NEWS_SECONDS = 5.0


@dataclass
class _Clock:
    """How long a group of conditions lasts.

    Args:
        began: When one of them was seen first.
        due: After how many seconds it is reported next.
        seen: When one of them was seen last.
        each: When each condition was seen first: one that comes late has its whole time.
        message: What was reported last.
        reported: After how many seconds that was.
        was_reported: Whether anything was reported.

    """

    began: float
    due: float
    seen: float = 0.0
    each: dict[str, float] = field(default_factory=dict)
    message: str = ""
    reported: float = 0.0
    was_reported: bool = False

    def pause(self, now: float) -> None:
        """Leave the time since it was seen last out."""
        missed = now - self.seen
        self.began, self.seen = self.began + missed, now
        self.each = {name: began + missed for name, began in self.each.items()}

    def is_due(self, waited: float, message: str) -> bool:
        """Tell whether it is to be reported: the time has come, or there is something new to say."""
        changed = bool(self.message) and message != self.message and waited - self.reported >= _NEWS_SECONDS
        return waited >= self.due or changed


class Clocks:
    """The clocks of what may pass by itself: one for each group of conditions of a pod, with a limit for each of them.

    Args:
        waits: How long each is waited for.
        name: The name of what is followed.

    """

    def __init__(self, waits: Waits, name: str) -> None:
        self._waits, self._name = waits, name
        self._clocks: dict[tuple[str, str, str], _Clock] = {}

    def see(self, problem: Diagnosis | None, now: float) -> tuple[Problem | None, Diagnosis | None]:
        """Take what is in the way now.

        Args:
            problem: What it is; None where nothing is.
            now: A monotonic time in seconds.

        Returns:
            What is to be reported, and what is no longer waited for; None each where there is none.

        """
        self._clocks = {key: clock for key, clock in self._clocks.items() if now - clock.seen < _FORGOTTEN_SECONDS}
        if problem is None:
            return None, None
        if not problem.heals:
            return None, problem
        rule = problem.rule
        key = (rule.group, problem.pod, problem.container if rule.group in _PER_CONTAINER else "")
        pulls = self._clocks.get(("image", problem.pod, problem.container))
        if problem.code == "pulling" and pulls is not None:
            # An attempt may take long, and may be the one that succeeds.
            pulls.pause(now)
        clock = self._clocks.setdefault(key, _Clock(now, rule.first))
        clock.seen = now
        if not clock.was_reported:
            clock.due = min(clock.due, rule.first)
        waited = now - clock.began
        limit = clock.each.setdefault(rule.name, now) - clock.began + rule.seconds(self._waits)
        if waited >= limit:
            return None, problem.after(waited)
        if not clock.is_due(waited, problem.message):
            return None, None
        clock.due, clock.message, clock.reported, clock.was_reported = (
            reports_after(waited),
            problem.message,
            waited,
            True,
        )
        return Problem(problem, limit, waited, self._name), None
