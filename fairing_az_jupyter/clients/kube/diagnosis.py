"""What is wrong with something that was started, and the error that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        heals: Whether it may pass by itself, as when a cluster grows.
        pod: The pod that it is about, or empty.
        container: The container that it is about, or empty.
        returncode: The container's exit code, where it has ended.

    """

    code: str
    message: str
    hint: str
    heals: bool = False
    pod: str = ""
    container: str = ""
    returncode: int | None = None

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
        return kind(message, hint=self.hint, code=self.code, returncode=self.returncode, last_lines=lines)
