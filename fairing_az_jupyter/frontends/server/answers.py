"""What the routes answer, for the OpenAPI document: the records of `models`, and what is said about them here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping  # noqa: TC003 - read by pydantic
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from fairing_az_jupyter import models
from fairing_az_jupyter.models.launches import LaunchState  # noqa: TC001 - read by pydantic
from fairing_az_jupyter.settings.sources import Source  # noqa: TC001 - read by pydantic


def _never_null(schema: dict[str, Any]) -> None:
    """Say of the fields that may be missing that they are never null."""
    for name, field in schema["properties"].items():
        if name not in schema.get("required", ()) and field.pop("default", None) is None:
            kinds = [kind for kind in field.pop("anyOf", []) if kind != {"type": "null"}]
            field.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})


class Answer(BaseModel):
    """What a route answers: all of it, so that nothing is answered that the document does not have."""

    model_config = ConfigDict(extra="forbid")


class SparseAnswer(Answer):
    """An answer without the fields that say nothing: those that are None here are missing, and never null."""

    model_config = ConfigDict(json_schema_extra=_never_null)


class Json(RootModel[None | bool | float | str | list["Json"] | dict[str, "Json"]]):
    """Any value that JSON knows."""


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


class SettingKind(SparseAnswer):
    """One of several kinds of values that a setting may have."""

    type: Literal["string", "integer", "number", "boolean", "null"] | None = None
    enum: list[Json] | None = None
    const: Json | None = None


class Setting(SettingKind):
    """One setting as JSON Schema, with what forms and the reference page need beside it."""

    title: str
    description: str
    default: Json
    examples: list[Json]
    any_of: list[SettingKind] | None = Field(None, alias="anyOf")
    notebook_name: str
    cell: Literal["always", "where-present"]
    group: str
    rule: str
    rule_source: str
    needed_on: list[str]


class SettingsObject(Answer):
    """The settings as an object of JSON Schema."""

    type: Literal["object"]
    title: str
    description: str
    properties: dict[str, Setting]
    additional_properties: Literal[False] = Field(alias="additionalProperties")


class SettingsSchema(Answer):
    """The JSON schema of the settings, with all that a form needs."""

    described: SettingsObject = Field(alias="schema")


class SettingInForce(Answer):
    """Where the value of a setting comes from."""

    field: str
    notebook_name: str
    value: Json
    source: Source
    detail: str


class ResolvedSettings(Answer):
    """The settings in force; `errors` of those that can't be used, which have their defaults here."""

    values: dict[str, Json]
    fields: list[SettingInForce]
    errors: list[FieldProblem]
    missing: list[str]


class Profile(Answer):
    """A profile."""

    name: str
    values: dict[str, Json]


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


class Fix(SparseAnswer):
    """One way to fix what a check has found; `magic` is its form for a notebook's cell, where it has one."""

    tool: Literal["fairing-azure", "kubectl", "az", "text"]
    command: str
    magic: str | None = None


@dataclasses.dataclass(frozen=True)
class CheckResult(models.CheckResult):
    """What one check has found."""

    fixes: tuple[Fix, ...] = ()  # type: ignore[assignment] # as `Fix.to_dict` answers them


class CheckEnd(Answer):
    """How a check has ended."""

    status: Literal["pass", "warn", "fail", "unknown"]
    count: int


class States(Answer):
    """What there is of the Secrets and the service account."""

    states: list[models.SecretState]


class Changes(Answer):
    """What became of the Secrets and the service account."""

    changes: list[models.SecretChange]


class RunError(SparseAnswer):
    """Why a run failed; of a cell also which one, its code, and the lines of the traceback; of a job what it raised."""

    code: str | None = None
    message: str | None = None
    hint: str | None = None
    cell: int | None = None
    source: str | None = None
    traceback: list[str] | None = None
    raised: str | None = None


@dataclasses.dataclass(frozen=True)
class Run(models.RunInfo):
    """A run."""

    parameters: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    error: RunError | None = None  # type: ignore[assignment] # a mapping with these names


@dataclasses.dataclass(frozen=True)
class RunView(Run):
    """A run, and where Jupyter's contents have its notebooks; null where they do not."""

    output_path: str | None = None
    notebook_path: str | None = None
    is_active: bool = False


class Runs(Answer):
    """A part of the list of runs, the newest first."""

    runs: list[RunView]
    total: int


class ClusterLaunches(Answer):
    """The trainings of a namespace, whoever has launched them, the newest first; `notes` tell what is not shown."""

    launches: list[models.ClusterLaunch]
    notes: list[str]


class ActiveRuns(Answer):
    """The runs that are waiting or running; `changed` grows whenever anything has changed."""

    runs: list[RunView]
    changed: int


class RunDifference(Answer):
    """What runs were made of and what is not the same in all; a value for each run, null where it has none."""

    aspect: Literal["code", "data", "image", "packages", "settings"]
    name: str
    change: Literal["added", "removed", "changed"]
    values: list[str | None]


class RunComparison(Answer):
    """Runs beside each other; `unknown` names those whose records do not tell what they were made of."""

    parameters: list[str]
    metrics: list[str]
    runs: list[Run]
    differences: list[RunDifference]
    unknown: list[str]


class RunEvent(SparseAnswer):
    """Something that happened in a run; see `models.RunEvent` for what each kind says."""

    kind: models.RunEventKind
    time: float
    cell: int | None = None
    cells: int | None = None
    stream: Literal["stdout", "stderr", "display"] | None = None
    text: str | None = None
    duration: float | None = None
    message: str | None = None
    name: str | None = None
    value: models.Metric = None


class OutputFile(Answer):
    """A file that a run has written: its bytes, their SHA-256, and when it was changed, in seconds since 1970."""

    name: str
    size: int
    sha256: str
    modified: float


class LeftOut(Answer):
    """A file that a run has written and that was not kept."""

    path: str
    size: int
    reason: Literal["limit", "pattern", "unreadable", "changed"]


class RunOutputs(Answer):
    """What a run has written; `complete` is false where it had not ended when that was kept."""

    launch: str
    where: str
    complete: bool
    files: list[OutputFile]
    left_out: list[LeftOut]


class FetchedOutput(Answer):
    """What became of a file: `reason` says why one was rejected, `replaceable` whether `overwrite` would replace it."""

    name: str
    size: int
    outcome: Literal["fetched", "there", "rejected"]
    reason: str
    replaceable: bool
    contents_path: str | None


class FetchedOutputs(Answer):
    """The folder in Jupyter's contents, and the files."""

    folder: str
    files: list[FetchedOutput]


class LogLines(Answer):
    """Lines of a log; fewer than were asked for where they are very long."""

    first: int
    lines: list[str]
    total: int
    ended: bool


class LogFound(Answer):
    """Where a text stands; if nowhere yet, the search continues at `scanned_to`."""

    line: int | None
    scanned_to: int


class Endpoint(Answer):
    """An endpoint."""

    name: str
    state: LaunchState
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


@dataclasses.dataclass(frozen=True)
class Prediction(models.Prediction):
    """What an endpoint has answered."""

    values: list[Json]  # type: ignore[assignment] # the same, as JSON has it


class EndpointLine(Answer):
    """One line that a pod of an endpoint has printed."""

    pod: str
    container: str
    text: str


class EndpointLogEnd(Answer):
    """Nothing more is printed."""
