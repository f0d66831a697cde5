"""What the routes answer, for the OpenAPI document: the records of `models`, and what is said about them here."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fairing_az_jupyter.models import RunInfo, SecretChange, SecretState


class Answer(BaseModel):
    """What a route answers."""

    model_config = ConfigDict(extra="allow")


class FieldProblem(Answer):
    """What is wrong with one field."""

    field: str
    message: str
    hint: str
    suggestion: str


class Problem(Answer):
    """An error: what failed, and what to do next; `errors` where fields are at fault."""

    code: str
    message: str
    hint: str
    errors: list[FieldProblem] = []


class SettingsSchema(Answer):
    """The JSON schema of the settings, with all that a form needs."""

    described: dict[str, Any] = Field(alias="schema")


class SettingInForce(Answer):
    """Where the value of a setting comes from."""

    field: str
    notebook_name: str
    value: Any
    source: str
    detail: str


class ResolvedSettings(Answer):
    """The settings in force; `errors` of those that can't be used, which have their defaults here."""

    values: dict[str, Any]
    fields: list[SettingInForce]
    errors: list[FieldProblem]
    missing: list[str]


class Profile(Answer):
    """A profile."""

    name: str
    values: dict[str, Any]


class ListedProfile(Profile):
    """A profile in the list; `problem` says why it can't be used, null if it can."""

    problem: str | None


class Profiles(Answer):
    """All profiles."""

    active: str | None
    profiles: list[ListedProfile]


class Active(Answer):
    """The profile in use."""

    active: str | None


class Parameter(Answer):
    """A parameter of a notebook."""

    name: str
    default: str
    type: str
    help: str
    is_setting: bool


class NotebookParameters(Answer):
    """A notebook's parameters."""

    parameters: list[Parameter]
    has_cell: bool


class CellChange(Answer):
    """The edit of one cell."""

    cell_index: int
    cell_id: str | None
    before: str
    after: str
    created: bool


class FillAnswer(Answer):
    """What a fill would change."""

    changed: bool
    before_digest: str
    edits: list[CellChange]
    warnings: list[str]
    diff: str


class Task(Answer):
    """A class or function that can be launched."""

    task: str
    name: str
    kind: Literal["class", "function"]
    can_train: bool
    can_deploy: bool
    reason: str


class Tasks(Answer):
    """What can be launched of a file."""

    tasks: list[Task]


class CheckStarted(Answer):
    """A check that was started."""

    id: str


class CheckEnd(Answer):
    """How a check has ended."""

    status: Literal["pass", "warn", "fail", "unknown"]
    count: int


class States(Answer):
    """What there is of the Secrets and the service account."""

    states: list[SecretState]


class Changes(Answer):
    """What became of the Secrets and the service account."""

    changes: list[SecretChange]


@dataclasses.dataclass(frozen=True)
class RunView(RunInfo):
    """A run, and where Jupyter's contents have its notebooks; null where they do not."""

    output_path: str | None = None
    notebook_path: str | None = None
    is_active: bool = False


class Runs(Answer):
    """A part of the list of runs, the newest first."""

    runs: list[RunView]
    total: int


class ActiveRuns(Answer):
    """The runs that are waiting or running; `changed` grows whenever anything has changed."""

    runs: list[RunView]
    changed: int


class RunComparison(Answer):
    """Runs beside each other."""

    parameters: list[str]
    metrics: list[str]
    runs: list[RunInfo]


class LogLines(Answer):
    """Lines of a log; fewer than were asked for where they are very long."""

    first: int
    lines: list[str]
    total: int
    ended: bool


class LogFound(Answer):
    """Where a text stands; if nowhere yet, the search goes on at `scanned_to`."""

    line: int | None
    scanned_to: int


class Endpoint(Answer):
    """An endpoint."""

    name: str
    state: str
    place: Literal["here", "cluster"]
    namespace: str
    url: str
    public: bool
    created: str
    detail: str
    image: str
    owner: str
    run: str


class Endpoints(Answer):
    """All endpoints; `note` says why the cluster could not be asked."""

    endpoints: list[Endpoint]
    note: str


class Deleted(Answer):
    """What was deleted."""

    deleted: str
