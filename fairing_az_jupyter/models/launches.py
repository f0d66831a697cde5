"""What the layers hand each other about launches."""

from __future__ import annotations

import dataclasses
from typing import Literal

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
        notebook: The file name of the notebook that has launched it, as its label says; empty where it has none.
        run: The record of its launch likewise.
        sweep: The sweep that it belongs to, likewise.

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
    notebook: str = ""
    run: str = ""
    sweep: str = ""

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
class OrphanedResource:
    """An object in the cluster that a launch has left and that nobody needs any more, or may need.

    Args:
        kind: `Job`, `Deployment`, `Service` or `Secret`.
        name: Its name.
        namespace: Its namespace.
        why: Why it is an orphaned resource, or may still be used, in one sentence.
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
        """Return the orphaned resource as values that any JSON parser reads."""
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


@dataclasses.dataclass(frozen=True)
class TaskInfo:
    """A class or a function of a file that may be launched, as the file's text tells without being run.

    Args:
        task: What it is called in a command in the file's folder: `FILE:NAME`.
        name: Its own name.
        kind: What it is.
        can_train: Whether it can be trained as a job.
        can_deploy: Whether it can be deployed as an endpoint.
        reason: Why one of the two can't be done, or is not certain, in one sentence; empty if both can.

    """

    task: str
    name: str
    kind: Literal["class", "function"]
    can_train: bool
    can_deploy: bool
    reason: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the task as values that any JSON parser reads."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class EndpointInfo:
    """An endpoint, wherever it serves.

    Args:
        name: Its name, by which it is asked and deleted.
        state: As of a `LaunchInfo`; on this machine always `ready`.
        place: `here` for a process of this machine, `cluster` for one of the cluster.
        namespace: Its namespace; empty on this machine.
        url: Where it predicts.
        public: Whether whoever finds its address can use it.
        created: When, as ISO 8601 in UTC.
        detail: What it waits for, or what has failed, in one sentence; empty where there is nothing to say.
        image: The image that it runs; empty on this machine.
        owner: Who has launched it, as its label says; empty where it has none.
        run: The run that has deployed it; empty where no record tells.

    """

    name: str
    state: LaunchState
    place: Literal["here", "cluster"]
    namespace: str = ""
    url: str = ""
    public: bool = False
    created: str = ""
    detail: str = ""
    image: str = ""
    owner: str = ""
    run: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the endpoint as values that any JSON parser reads."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class ClusterLaunch:
    """A training of the namespace, whoever has launched it: as its Job says, or what was noted beside its files.

    Args:
        name: Its Job's name, by which its files are fetched.
        state: `pending`, `running`, `succeeded`, `failed`, `cancelled`; `ended` where nobody has noted how, and `lost`
            where its Job is gone before all of its files were there.
        task: The class or function; empty where it is not known.
        label: What its user calls it; empty for nothing.
        owner: The notebook server that has launched it, or the user.
        own: Whether that is the asking one.
        notebook: The file name of the notebook, or of the Python file.
        run: The record of its launch, wherever that is.
        sweep: The sweep that it belongs to; empty if to none.
        namespace: Its namespace.
        image: The image that it runs.
        image_digest: The digest of that image's manifest.
        created: When it was launched, in seconds since 1970-01-01 UTC.
        ended: When it ended; None before, and where nobody has noted it.
        raised: The type and the message of what it has raised; empty for nothing.
        files: How many files of it are kept; None where that is not known.
        size: Their bytes likewise.

    """

    name: str
    state: str
    task: str = ""
    label: str = ""
    owner: str = ""
    own: bool = False
    notebook: str = ""
    run: str = ""
    sweep: str = ""
    namespace: str = ""
    image: str = ""
    image_digest: str = ""
    created: float = 0.0
    ended: float | None = None
    raised: str = ""
    files: int | None = None
    size: int | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the launch as values that any JSON parser reads."""
        return dataclasses.asdict(self)
