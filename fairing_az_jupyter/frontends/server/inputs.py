"""What the routes take: bodies, queries and the names in paths, as models that accept nothing else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

ContentsPath = Annotated[str, Field(min_length=1, max_length=4096, description="A path of Jupyter's contents.")]
RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$", description="A run's identifier.")]
CheckId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", description="What `POST checks` has answered.")]
ProfileName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$", description="A profile's name, such as team-a.")
]
EndpointName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", description="An endpoint's name, as the list has it.")
]
RunName = Annotated[str, Field(max_length=120, pattern=r"^[^\n\r]*$", description="What the user calls it.")]
Seconds = Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False, description="Seconds; null for no limit.")]
Values = Annotated[dict[str, Any], Field(max_length=200, description="Values of settings, by field.")]
Parameters = Annotated[dict[str, Any], Field(max_length=1000, description="Values for the notebook's parameters.")]
SecretValue = Annotated[SecretStr, Field(max_length=10_000)]


class Message(BaseModel):
    """A body or a query; it never shows what it was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Query(Message):
    """A query; what belongs to others, such as a token, is passed over."""

    model_config = ConfigDict(extra="ignore")


class Notebook(Message):
    """A notebook: `content` is its JSON text as it is in the editor now; null for the file as it is on the disk."""

    path: ContentsPath
    content: str | None = None


class Sources(Message):
    """Where settings come from; `values` are explicit ones."""

    notebook: Notebook | None = None
    profile: ProfileName | None = None
    values: Values = {}


class OperationBody(Message):
    """What an operation takes, and where its settings come from."""

    sources: Sources = Sources()


class FillSources(Sources):
    """Where settings come from that are to be filled into a notebook."""

    notebook: Notebook


class ProfileValues(Message):
    """Values to set in a profile; null takes a value away."""

    values: Values


class ActiveProfile(Message):
    """The profile to use; null for none."""

    name: ProfileName | None


class ServicePrincipal(Message):
    """The values of a service principal. They are never answered, logged or kept."""

    client_id: SecretValue | None = None
    client_secret: SecretValue | None = None
    tenant_id: SecretValue | None = None
    subscription_id: SecretValue | None = None
    expires: Annotated[str, Field(max_length=40)] | None = None


class SecretsRequest(Message):
    """The Secrets to make."""

    sources: Sources = Sources()
    azure: bool = True
    acr: bool = True
    only_secret: bool = False
    replace: bool = False
    dry_run: bool = False
    values: ServicePrincipal = ServicePrincipal()


class AttachRequest(Message):
    """The service account that is to name the registry's Secret."""

    sources: Sources = Sources()
    dry_run: bool = False


class RunsQuery(Query):
    """Which runs, and which part of their list."""

    state: Literal["", "active", "waiting", "running", "succeeded", "failed", "cancelled", "lost"] = ""
    notebook: Annotated[str, Field(max_length=4096)] = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0


class RunStart(Message):
    """A run of a notebook."""

    notebook: ContentsPath
    parameters: Parameters = {}
    profile: ProfileName | None = None
    values: Values = {}
    output: ContentsPath | None = None
    cell_timeout: Seconds | None = None
    deadline: Seconds | None = None


class RetryRequest(Message):
    """How a run is repeated: with the notebook as it was then, or as it is now."""

    as_it_was: bool = False


OutputName = Annotated[str, Field(min_length=1, max_length=4096, description="A file's name, as the list has it.")]


class OutputQuery(Query):
    """Which file that a run has written."""

    name: OutputName


class FetchRequest(Message):
    """Which files to copy, none for all, and the folder: null for the notebook's, empty for Jupyter's root folder."""

    files: Annotated[list[OutputName], Field(max_length=10_000)] = []
    folder: Annotated[str, Field(max_length=4096, description="A folder of Jupyter's contents.")] | None = None
    overwrite: bool = False


class CompareRequest(Message):
    """The runs to put beside each other."""

    runs: Annotated[list[RunId], Field(min_length=1, max_length=100)]


class StreamQuery(Query):
    """Where a stream continues: the id of the last event that was received."""

    offset: Annotated[int, Field(ge=0, le=2**53)] = 0


class LogWindow(Query):
    """Which lines of a log; a negative `first` counts from the end."""

    first: Annotated[int, Field(ge=-(2**53), le=2**53)] = 0
    count: Annotated[int, Field(ge=0, le=2000)] = 500


class LogSearch(Query):
    """What to look for in a log, and from which line on (that line too)."""

    text: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\r\n]+$")]
    first: Annotated[int, Field(ge=0, le=2**53)] = 0
    backward: bool = False
    ignore_case: bool = True


class LaunchRequest(Message):
    """A launch: a notebook that launches, or a class or function that is trained or deployed.

    Of `outputs`, the globs of the files that are kept of a training: null for all files, an empty list for none.
    """

    kind: Literal["notebook", "train", "deploy"]
    notebook: ContentsPath
    task: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    input_files: Annotated[list[ContentsPath], Field(max_length=1000)] = []
    outputs: Annotated[list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(max_length=100)] | None = None
    values: Values = {}
    profile: ProfileName | None = None
    parameters: Parameters = {}
    deadline: Seconds | None = None
    name: RunName = ""
    from_job: Annotated[str, Field(max_length=200)] = ""
    from_files: Annotated[list[Annotated[str, Field(min_length=1, max_length=4096)]], Field(max_length=1000)] = []


class PredictRequest(Message):
    """What an endpoint is to predict: rows as CSV or JSON text."""

    sources: Sources = Sources()
    data: Annotated[str, Field(max_length=20_000_000)]
