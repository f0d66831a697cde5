"""What is wrong with something that was started, and the error that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.waits import Condition, condition, duration
from fairing_az_jupyter.exceptions import EndpointError, JobFailedError

if TYPE_CHECKING:
    from fairing_az_jupyter.exceptions import ExecutionError

_SHOWN_LINES = 20


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, and what to do about it.

    Args:
        code: A stable identifier, such as `image-not-found` or `oom-killed`.
        message: What failed, which object, where.
        hint: What to type or change next.
        condition: The name of its rule in `waits.CONDITIONS`; empty where it ends what was started at once.
        pod: The pod that it is about, or empty.
        container: The container that it is about, or empty.
        returncode: The container's exit code, where it has ended.
        image: The image that can't be pulled, or empty.

    """

    code: str
    message: str
    hint: str
    condition: str = ""
    pod: str = ""
    container: str = ""
    returncode: int | None = None
    image: str = ""

    @property
    def rule(self) -> Condition:
        """How long it is waited for, and why."""
        return condition(self.condition)

    @property
    def heals(self) -> bool:
        """Whether it may pass by itself, as when a cluster grows."""
        return bool(self.rule.wait) or self.rule.passes

    def after(self, seconds: float) -> Diagnosis:
        """Return what it has become when it was waited for so long in vain.

        Args:
            seconds: How long; 0 means not at all.

        """
        hint = self.hint
        if self.rule.wait == "node":
            hint = f"{hint.rstrip('.')}. Or wait longer: set FAIRING_NODE_WAIT, such as '1h'."
        waited = f" It lasted {duration(seconds)}." if seconds >= 1 else ""
        return replace(self, message=f"{self.message}{waited}", hint=hint)

    def error(self, owner_kind: str, last_lines: tuple[str, ...] = ()) -> ExecutionError:
        """Return the error.

        Args:
            owner_kind: The kind of object that was started: a Job and a Pod do work, the others are endpoints.
            last_lines: The last lines that the container has printed, oldest first.

        """
        lines = last_lines[-_SHOWN_LINES:]
        kind = JobFailedError if owner_kind in {"Job", "Pod"} else EndpointError
        said = "".join(f"\n  {line}" for line in lines)
        message = f"{self.message} Its last lines:{said}\n" if lines else self.message
        return kind(
            message,
            hint=self.hint,
            code=self.code,
            returncode=self.returncode,
            last_lines=lines,
            image=self.image,
        )
