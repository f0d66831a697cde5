"""What the layers hand each other: plain, frozen records with a form for JSON."""

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


CheckStatus = Literal["pass", "warn", "fail", "skipped", "unknown"]


@dataclasses.dataclass(frozen=True)
class Cure:
    """One way to mend what a check has found, ready to be typed.

    Args:
        tool: What it is typed into: `fairing-azure`, `kubectl`, `az`, or `text` for what no command does.
        command: The whole command, filled with the user's own values; never with a secret. For `text` a sentence.

    """

    tool: Literal["fairing-azure", "kubectl", "az", "text"]
    command: str

    @property
    def magic(self) -> str:
        """The form for a notebook's cell; empty where there is none."""
        return f"%fairing_azure{self.command[len(self.tool) :]}" if self.tool == "fairing-azure" else ""

    def to_dict(self) -> dict[str, str]:
        """Return the cure as values that any JSON parser reads."""
        found = {"tool": self.tool, "command": self.command}
        return {**found, "magic": self.magic} if self.magic else found


@dataclasses.dataclass(frozen=True)
class CheckResult:
    """What one check has found.

    Args:
        check: The check's identifier, such as `registry.push`.
        title: What it checks, in a few words.
        status: `pass`; `warn`: it works, but the user should know; `fail`: a launch would fail; `skipped`: it makes no
            sense or something before it failed; `unknown`: it could not be found out.
        looked_at: The object that it looked at, such as `Secret azcreds in namespace team-a`.
        message: What was found, in one sentence.
        why: Why it matters, in one sentence.
        cures: What to type, the best first; empty where there is nothing to mend.
        mendable: Whether this package can mend it itself.
        code: What was found, as an identifier for programs, such as `expired-secret`; empty where all is well.
        duration: Seconds that it takes if it is run alone, with all that it builds on.
        position: Its place among the others in the order in which they are read; they are found in the order of time.

    """

    check: str
    title: str
    status: CheckStatus
    looked_at: str
    message: str
    why: str = ""
    cures: tuple[Cure, ...] = ()
    mendable: bool = False
    code: str = ""
    duration: float = 0.0
    position: int = 0

    def to_dict(self) -> dict[str, object]:
        """Return the result as values that any JSON parser reads."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**fields, "cures": [cure.to_dict() for cure in self.cures], "duration": round(self.duration, 3)}


@dataclasses.dataclass(frozen=True)
class Question:
    """Something that only the user can tell; a front end asks it and keeps the answer nowhere.

    Args:
        name: What is asked for: `client_id`, `client_secret`, `tenant_id`, `subscription_id`, `expires` or `confirm`.
        text: The question, to stand before the cursor.
        hidden: Whether the answer is a secret and must not be shown while it is typed.
        optional: Whether an empty answer will do, as `text` explains.

    """

    name: Literal["client_id", "client_secret", "tenant_id", "subscription_id", "expires", "confirm"]
    text: str
    hidden: bool = False
    optional: bool = False


@dataclasses.dataclass(frozen=True)
class SecretChange:
    """What became of one object when the secrets were prepared; in a dry run, what would become of it.

    Args:
        kind: `Secret` or `ServiceAccount`.
        name: The object's name.
        namespace: Its namespace.
        outcome: `created`, `updated` or `unchanged`.
        keys: For a Secret: the keys that were written; never their values.
        note: What else the user should know, in one sentence; empty where there is nothing.

    """

    kind: Literal["Secret", "ServiceAccount"]
    name: str
    namespace: str
    outcome: Literal["created", "updated", "unchanged"]
    keys: tuple[str, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the change as values that any JSON parser reads."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class SecretState:
    """What may be shown of one object that a launch needs: never a value.

    Args:
        kind: `Secret` or `ServiceAccount`.
        name: The object's name.
        namespace: Its namespace.
        state: `present`, `missing`, or `not-allowed` where this user may not look.
        type: A Secret's type; empty where it is not known.
        keys: A Secret's keys; for a ServiceAccount the Secrets that its pods pull images with.
        created: When a Secret was made, as ISO 8601 in UTC; empty where it is not known.
        expires: When the client secret in it expires, as ISO 8601; empty where nobody has noted it.

    """

    kind: Literal["Secret", "ServiceAccount"]
    name: str
    namespace: str
    state: Literal["present", "missing", "not-allowed"]
    type: str = ""
    keys: tuple[str, ...] = ()
    created: str = ""
    expires: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the state as values that any JSON parser reads."""
        return dataclasses.asdict(self)


LaunchKind = Literal["job", "endpoint", "build"]
LaunchState = Literal["pending", "running", "succeeded", "failed", "ready", "stopped", "deleting", "broken"]
LaunchOrigin = Literal["fairing-az-jupyter", "kubeflow-fairing"]


@dataclasses.dataclass(frozen=True)
class LaunchInfo:
    """Something that a launch has left running, or has left behind, in the cluster.

    Args:
        name: Its name, by which it is looked at and deleted.
        kind: `job`, `endpoint`, or `build` of an image.
        state: `pending`, `running`, `succeeded` and `failed` of a job or build; `pending`, `ready`, `failed`,
            `stopped` (no pod is wanted) and `broken` (a part of it is gone) of an endpoint; `deleting` of all.
        namespace: Its namespace.
        owner: Who has launched it, as its label says; empty where it has none.
        created: When, as ISO 8601 in UTC.
        image: The image that it runs.
        detail: What it waits for, or why it failed, in one sentence; empty where there is nothing to say.
        url: Where an endpoint predicts: its public address if it has one, else its address inside the cluster.
        public: Whether an endpoint has a public address, or is to get one.
        origin: What has launched it: this package, or Kubeflow Fairing by itself.

    """

    name: str
    kind: LaunchKind
    state: LaunchState
    namespace: str
    owner: str = ""
    created: str = ""
    image: str = ""
    detail: str = ""
    url: str = ""
    public: bool = False
    origin: LaunchOrigin = "fairing-az-jupyter"

    def to_dict(self) -> dict[str, object]:
        """Return the launch as values that any JSON parser reads."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class LaunchLine:
    """One line that a pod of a launch has printed.

    Args:
        pod: The pod.
        container: The container in it.
        text: The line, without its end.
        main: Whether it is the container that does the work.

    """

    pod: str
    container: str
    text: str
    main: bool = True

    def to_dict(self) -> dict[str, object]:
        """Return the line as values that any JSON parser reads."""
        return {"pod": self.pod, "container": self.container, "text": self.text}


@dataclasses.dataclass(frozen=True)
class Leftover:
    """An object in the cluster that a launch has left and that nobody needs any more, or may need.

    Args:
        kind: `Job`, `Deployment`, `Service` or `Secret`.
        name: Its name.
        namespace: Its namespace.
        why: Why it is a leftover, or may still be used, in one sentence.
        owner: Who has launched it, as its label says; empty where it has none.
        created: When it was made, as ISO 8601 in UTC.
        origin: What has made it.
        in_use: Whether it may still be used.
        own: Whether it is the asking user's own.
        uid: What tells it from another object of the same name.
        outcome: `found`; after a cleanup `deleted`, `gone` if somebody else was faster, or `failed`.
        problem: Why it could not be deleted; empty otherwise.

    """

    kind: Literal["Job", "Deployment", "Service", "Secret"]
    name: str
    namespace: str
    why: str
    owner: str = ""
    created: str = ""
    origin: LaunchOrigin = "fairing-az-jupyter"
    in_use: bool = False
    own: bool = True
    uid: str = ""
    outcome: Literal["found", "deleted", "gone", "failed"] = "found"
    problem: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the leftover as values that any JSON parser reads."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What an endpoint has answered.

    Args:
        endpoint: The endpoint as it was named.
        url: Where it was asked.
        values: The predictions, one of each row; lists where the model gives several numbers a row.
        latency: Seconds from the request to the answer, as seen from here.
        status: The HTTP status.

    """

    endpoint: str
    url: str
    values: list[object]
    latency: float
    status: int

    def to_dict(self) -> dict[str, object]:
        """Return the prediction as values that any JSON parser reads."""
        return {**dataclasses.asdict(self), "latency": round(self.latency, 4)}


@dataclasses.dataclass(frozen=True)
class Deployed:
    """An endpoint that was deployed.

    Args:
        name: Its name in the cluster; on this machine that of its folder.
        url: Where it predicts, from here.
        backend: The backend that it runs on.

    """

    name: str
    url: str
    backend: str

    def to_dict(self) -> dict[str, object]:
        """Return the endpoint as values that any JSON parser reads."""
        return dataclasses.asdict(self)
