"""What the layers hand each other about notebook runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

OUTPUT_LIMIT = 32 * 1024 * 1024
"""Bytes that one cell may print and show, unless a run says otherwise."""

PHASES = ("context", "build", "push", "schedule", "run", "serve")
"""What a launch goes through, in this order; no launch goes through all of it."""

RunKind = Literal["notebook", "train", "deploy"]
"""What is recorded: the run of a whole notebook, or the launch of one class or function of a file."""

Metric = float | int | str | bool | None
"""What a notebook may report: a number, a text, True, False or None."""

RunEventKind = Literal[
    "run-started",
    "cell-started",
    "output",
    "metric",
    "phase",
    "pod-event",
    "endpoint",
    "cell-finished",
    "cell-retried",
    "cell-failed",
    "run-finished",
    "run-failed",
    "run-cancelled",
]


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """One notebook run, or one launch, as it was asked for.

    Args:
        notebook: Path of the notebook to run; it is only read. Of a task's launch, the .py or .ipynb file with it.
        output: Path of the executed notebook, also a URL that papermill can write to; an existing file is replaced.
            None if it is to stand in the run's record only.
        parameters: Values for the notebook's parameters, by name.
        kernel_name: The kernel spec to use; None is the one that the notebook names.
        cwd: The kernel's working directory; None is the folder of `notebook`.
        cell_timeout: Seconds that one cell may take, rounded up to whole seconds; None is no limit.
        start_timeout: Seconds that the kernel may take to answer for the first time.
        deadline: Seconds that the whole run may take; None is no limit.
        output_limit: Bytes that one cell may print and show; a notebook with more can't be opened any more.
        kind: What is asked for.
        task: The class or function that is launched, by its name in the file; empty for a notebook.
        settings: Settings that were given as arguments, by field.
        profile: The profile whose settings count; None for the active one, and for none where a notebook runs.
        input_files: The files that a launched task needs, below its file's folder.
        output_map: Further files of it, and where they go in the image.
        name: What the user calls it; empty for nothing.
        from_job: The launch whose files an endpoint serves, as `fetch` takes it; empty for none.
        from_files: Which of these files: paths, patterns or folders; none for all.
        as_it_was: The run whose image, code and input files are taken, and not what there is now; empty for none.
        isolated: Whether a job or endpoint of this machine has an environment of its own.
        outputs: Whether the files are kept that a job, or a notebook in the cluster, writes in its working folder; or
            globs that say which files.
        register: The name of the model in MLflow that the files of a training are registered as; empty for none.
        checkpoints: The folder of a training's checkpoints, relative to its working folder; empty for none.

    """

    notebook: str
    output: str | None
    parameters: Mapping[str, object] = dataclasses.field(default_factory=dict)
    kernel_name: str | None = None
    cwd: str | None = None
    cell_timeout: float | None = None
    start_timeout: float = 60.0
    deadline: float | None = None
    output_limit: int = OUTPUT_LIMIT
    kind: RunKind = "notebook"
    task: str = ""
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    profile: str | None = None
    input_files: tuple[str, ...] = ()
    output_map: Mapping[str, str] = dataclasses.field(default_factory=dict)
    name: str = ""
    from_job: str = ""
    from_files: tuple[str, ...] = ()
    as_it_was: str = ""
    isolated: bool = False
    outputs: bool | tuple[str, ...] = True
    register: str = ""
    checkpoints: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the request as values that any JSON parser reads."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: _plain(value) for name, value in fields.items()}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> RunRequest:
        """Return the request that `to_dict` has given; what this version does not know is left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        said = {name: value for name, value in found.items() if name in known}
        # JSON knows no tuples.
        lists: dict[str, Any] = {name: tuple(said.get(name) or ()) for name in ("input_files", "from_files")}
        outputs = said.get("outputs", True)
        lists["outputs"] = tuple(map(str, outputs)) if isinstance(outputs, (list, tuple)) else bool(outputs)
        return cls(**{**said, **lists})


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
        message: For failures: what went wrong, in one line. For `phase` and `pod-event`: what there is to say.
        name: For `metric`: its name. For `phase`: one of `PHASES`. For `pod-event`: the pod. For `endpoint`: its name.
        value: For `metric`: its value. For `phase`: `started`, `finished`, `skipped` or `failed`. For `pod-event`: its
            reason, such as `Pulling`. For `endpoint`: where it predicts.

    """

    kind: RunEventKind
    time: float
    cell: int | None = None
    cells: int | None = None
    stream: str | None = None
    text: str | None = None
    duration: float | None = None
    message: str | None = None
    name: str | None = None
    value: Metric = None

    def to_dict(self) -> dict[str, object]:
        """Return the event as values that any JSON parser reads, without the fields that say nothing."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: _plain(value) for name, value in fields.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class RunResult:
    """A notebook run that has ended well; any other end is an error.

    Args:
        output: Path of the executed notebook: as it was asked for, or in the record.
        duration: Seconds from the start of the kernel to its end.
        cells_executed: How many cells the kernel has executed.
        metrics: What the notebook has reported, by name; the last value of each.
        run: The identifier of the run's record; empty if none was kept.
        status: Always `succeeded`.

    """

    output: str
    duration: float
    cells_executed: int
    metrics: Mapping[str, Metric] = dataclasses.field(default_factory=dict)
    run: str = ""
    status: Literal["succeeded"] = "succeeded"

    def to_dict(self) -> dict[str, object]:
        """Return the result as values that any JSON parser reads."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


RunState = Literal["waiting", "running", "succeeded", "failed", "cancelled", "lost"]
ENDED: frozenset[RunState] = frozenset({"succeeded", "failed", "cancelled"})
"""The states in which a run stays for ever."""

RunPlace = Literal["here", "cluster"]


@dataclasses.dataclass(frozen=True)
class RunInfo:
    """What there is to know of a run at a glance.

    Args:
        id: Its identifier, which is also its folder's name.
        state: `waiting` before its kernel is started, `running` (also as long as an endpoint of this machine lives that
            a run in the background has deployed), `succeeded`, `failed`, `cancelled`, or `lost` if the
            process that ran it has gone without an end.
        notebook: The notebook as it was named.
        output: Where the executed notebook was wanted; None for the record only.
        parameters: The values that it was given.
        created: When it was asked for, in seconds since 1970-01-01 UTC.
        started: When it was started; None before.
        ended: When it ended; None before.
        duration: Seconds that it took; None before its end.
        cell: The cell that is, or was last, being executed, from 1.
        cells: How many cells there are.
        metrics: What the notebook has reported, by name.
        error: Why it failed: `code`, `message` and `hint`; of a cell also `cell`, `source` and `traceback` (lines); of
            a job whose own exception is known also `raised` (its type and message) and `traceback`.
        sweep: The sweep that it belongs to; empty if to none.
        point: Its number in the sweep, from 1.
        retry_of: The run that it repeats; empty if none.
        attempt: How often it was begun; more than once after a loss.
        place: `here`, or `cluster` if a Job executes it.
        job: The Job's name; empty if there is none.
        namespace: The Job's namespace.
        folder: The record's folder.
        kind: What was asked for: the run of a notebook, or the launch of a class or function.
        task: The class or function that was launched; empty for a notebook.
        endpoint: The name of the endpoint that was deployed; empty before, and where there is none.
        url: Where that endpoint predicts.
        name: What the user calls it; empty for nothing.
        parent: The run whose notebook has launched it; empty where there is none.
        server: The address of the cluster that its Job is in; empty where that is not known.
        unattended: Whether its Job is still running in the cluster though no process follows it.

    """

    id: str
    state: RunState
    notebook: str
    output: str | None = None
    parameters: Mapping[str, object] = dataclasses.field(default_factory=dict)
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    duration: float | None = None
    cell: int | None = None
    cells: int | None = None
    metrics: Mapping[str, Metric] = dataclasses.field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    sweep: str = ""
    point: int | None = None
    retry_of: str = ""
    attempt: int = 0
    place: RunPlace = "here"
    job: str = ""
    namespace: str = ""
    folder: str = ""
    kind: RunKind = "notebook"
    task: str = ""
    endpoint: str = ""
    url: str = ""
    name: str = ""
    parent: str = ""
    server: str = ""
    unattended: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in ENDED

    def to_dict(self) -> dict[str, object]:
        """Return the run as values that any JSON parser reads."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}


def _plain(value: object) -> object:
    """Return `value` as JSON knows it: tuples become lists, and infinite numbers and NaN become text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)
