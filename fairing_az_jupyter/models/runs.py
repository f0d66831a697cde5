"""What the layers hand each other about notebook runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

RunEventKind = Literal[
    "run-started",
    "cell-started",
    "output",
    "cell-finished",
    "cell-failed",
    "run-finished",
    "run-failed",
    "run-cancelled",
]


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """One notebook run as it was asked for.

    Args:
        notebook: Path of the notebook to run; it is only read.
        output: Path of the executed notebook; an existing file is replaced.
        parameters: Values for the notebook's parameters, by name.
        kernel_name: The kernel spec to use; None is the one that the notebook names.
        cwd: The kernel's working directory; None is the folder of `notebook`.
        cell_timeout: Seconds that one cell may take, rounded up to whole seconds; None is no limit.
        start_timeout: Seconds that the kernel may take to answer for the first time.

    """

    notebook: str
    output: str
    parameters: Mapping[str, object] = dataclasses.field(default_factory=dict)
    kernel_name: str | None = None
    cwd: str | None = None
    cell_timeout: float | None = None
    start_timeout: float = 60.0

    def to_dict(self) -> dict[str, object]:
        """Return the request as values that any JSON parser reads."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: _plain(value) for name, value in fields.items()}


@dataclasses.dataclass(frozen=True)
class RunEvent:
    """Something that happened in a notebook run.

    Args:
        kind: What happened.
        time: When, in seconds since 1970-01-01 UTC.
        cell: The cell's position in the executed notebook, from 1; every cell counts, also those with text and the
            one that papermill adds for the parameters. None for events of the whole run.
        cells: How many cells the executed notebook has.
        stream: For `output`: `stdout`, `stderr` or `display` (a result or a figure's text).
        text: For `output`: the text as the kernel sent it, terminal colours included. For `cell-started`: the first
            line of the cell's code.
        duration: Seconds that the cell or the run took.
        message: For failures: what went wrong, in one line.

    """

    kind: RunEventKind
    time: float
    cell: int | None = None
    cells: int | None = None
    stream: str | None = None
    text: str | None = None
    duration: float | None = None
    message: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the event as values that any JSON parser reads, without the fields that say nothing."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: _plain(value) for name, value in fields.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class RunResult:
    """A notebook run that has ended well; any other end is an error.

    Args:
        output: Path of the executed notebook, as it was asked for.
        duration: Seconds from the start of the kernel to its end.
        cells_executed: How many cells the kernel has executed.
        status: Always `succeeded`.

    """

    output: str
    duration: float
    cells_executed: int
    status: Literal["succeeded"] = "succeeded"

    def to_dict(self) -> dict[str, object]:
        """Return the result as values that any JSON parser reads."""
        return dataclasses.asdict(self)


def _plain(value: object) -> object:
    """Return `value` as JSON knows it: tuples become lists, and infinite numbers and NaN become text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)
