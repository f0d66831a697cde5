"""All routes of the extension, each declared once: handlers, worker and OpenAPI document are driven by this table.

What the panel asks for in a form of its own stands in `ROUTES`; of an operation that exists on the server the route
follows from its declaration.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from pydantic import create_model

from fairing_az_jupyter.frontends.server import answers, inputs
from fairing_az_jupyter.operations.declaration import Route as Declared
from fairing_az_jupyter.operations.registry import operations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.operations.declaration import Operation

PREFIX = "fairing-az-jupyter"
RESOURCE = "fairing-az-jupyter"
"""What Jupyter's authorizer is asked about."""
BODY_LIMIT = 20 * 1024 * 1024
"""Bytes that a body may have: a notebook without its outputs, or the rows of a prediction."""

BYTES = "application/octet-stream"
"""The content type of a file of which nothing is known: a browser saves it and shows nothing of it."""

PATH_NAMES: Mapping[str, Any] = MappingProxyType(
    {
        "run": inputs.RunId,
        "check": inputs.CheckId,
        "profile": inputs.ProfileName,
        "endpoint": inputs.EndpointName,
    }
)
"""The names that paths may have in braces, and what may stand there."""

Action = Literal["read", "write", "execute"]
AnswerKind = Literal["json", "events", "file"]


@dataclasses.dataclass(frozen=True)
class Route:
    """One route.

    Args:
        method: The HTTP method.
        path: The path below the prefix; names in braces are those of `PATH_NAMES`.
        operation: What carries it out: a module of `operations` and a function of it.
        summary: What it does, in a few words.
        action: What Jupyter's authorizer is asked for.
        body: The model of the body; None where there is none.
        query: The model of the query; None where there is none.
        status: The HTTP status of success.
        answer: The type of the answer; None where there is none.
        kind: `json`, `events` for a stream of them, or `file`.
        events: The types of a stream's events, by name.
        media_type: The content type of a file.
        secret: Whether the body holds secrets, so that not even its wrong names are repeated.
        command: The operation that it follows from; None where it was written out.

    """

    method: str
    path: str
    operation: str
    summary: str
    action: Action = "read"
    body: type[inputs.Message] | None = None
    query: type[inputs.Query] | None = None
    status: int = 200
    answer: Any = None
    kind: AnswerKind = "json"
    events: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    media_type: str = "application/json"
    secret: bool = False
    command: Operation[Any] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))

    @property
    def pattern(self) -> str:
        """The path as a regular expression for Tornado, with the prefix."""
        parts = re.split(r"(\{\w+\})", self.path)
        return f"/{PREFIX}/" + "".join("([^/]+)" if part.startswith("{") else re.escape(part) for part in parts)


def _events(path: str, operation: str, summary: str, *, method: str = "GET", **more: Any) -> Route:  # noqa: ANN401 - fields of Route
    return Route(method, path, operation, summary, kind="events", media_type="text/event-stream", **more)


_View = answers.RunView
_Offset = inputs.StreamQuery
_Sources = inputs.Sources

ROUTES: tuple[Route, ...] = (
    Route("GET", "settings/schema", "settings.schema", "Describe every setting", answer=answers.SettingsSchema),
    Route(
        "POST",
        "settings/resolve",
        "settings.resolve",
        "Tell the settings in force, and what is wrong with them",
        body=_Sources,
        answer=answers.ResolvedSettings,
    ),
    Route("GET", "profiles", "settings.profiles", "List the profiles", answer=answers.Profiles),
    Route(
        "PUT",
        "profiles/{profile}",
        "settings.save_profile",
        "Make a profile, or change values of one",
        "write",
        inputs.ProfileValues,
        answer=answers.Profile,
    ),
    Route("DELETE", "profiles/{profile}", "settings.delete_profile", "Delete a profile", "write", status=204),
    Route(
        "PUT",
        "active-profile",
        "settings.activate_profile",
        "Choose the profile in use",
        "write",
        inputs.ActiveProfile,
        answer=answers.Active,
    ),
    Route(
        "POST",
        "notebook/parameters",
        "notebooks.describe",
        "List a notebook's parameters",
        body=inputs.Notebook,
        answer=answers.NotebookParameters,
    ),
    Route(
        "POST",
        "notebook/fill-plan",
        "notebooks.fill_plan",
        "Plan how to fill a notebook's parameters cell",
        body=inputs.FillSources,
        answer=answers.FillAnswer,
    ),
    Route(
        "POST",
        "notebook/tasks",
        "notebooks.tasks",
        "List what can be trained or deployed of a notebook",
        body=inputs.Notebook,
        answer=answers.Tasks,
    ),
    Route(
        "POST",
        "checks",
        "checks.start",
        "Check everything that a launch needs",
        "execute",
        _Sources,
        status=201,
        answer=answers.CheckStarted,
    ),
    _events(
        "checks/{check}/events",
        "checks.events",
        "Follow a check",
        query=_Offset,
        events={"result": answers.CheckResult, "end": answers.CheckEnd},
    ),
    Route("DELETE", "checks/{check}", "checks.cancel", "Cancel and forget a check", "execute", status=204),
    Route(
        "POST",
        "secrets/state",
        "secrets.state",
        "Tell what there is of the Secrets, without values",
        body=_Sources,
        answer=answers.States,
    ),
    Route(
        "POST",
        "secrets",
        "secrets.create",
        "Make the Secrets, or renew them",
        "write",
        inputs.SecretsRequest,
        answer=answers.Changes,
        secret=True,
    ),
    Route(
        "POST",
        "secrets/attach",
        "secrets.attach",
        "Name the registry's Secret in the service account",
        "write",
        inputs.AttachRequest,
        answer=answers.Changes,
    ),
    Route("GET", "runs", "runs.listed", "List runs", query=inputs.RunsQuery, answer=answers.Runs),
    Route("POST", "runs", "launches.run", "Run a notebook", "execute", inputs.RunStart, status=201, answer=_View),
    Route(
        "POST", "runs/compare", "runs.compare", "Compare runs", body=inputs.CompareRequest, answer=answers.RunComparison
    ),
    Route("GET", "runs/{run}", "runs.described", "Describe a run", answer=_View),
    Route("POST", "runs/{run}/cancel", "runs.cancel", "Ask a run to stop", "execute", answer=_View),
    Route(
        "POST",
        "runs/{run}/retry",
        "launches.retry",
        "Repeat a run",
        "execute",
        inputs.RetryRequest,
        status=201,
        answer=_View,
    ),
    _events(
        "runs/{run}/events",
        "runs.events",
        "Follow a run",
        query=_Offset,
        events={"event": answers.RunEvent, "end": _View},
    ),
    Route(
        "GET",
        "runs/{run}/log",
        "run_logs.window",
        "Read lines of a log",
        query=inputs.LogWindow,
        answer=answers.LogLines,
    ),
    Route(
        "GET",
        "runs/{run}/log/search",
        "run_logs.search",
        "Search a log",
        query=inputs.LogSearch,
        answer=answers.LogFound,
    ),
    Route("GET", "runs/{run}/log/file", "run_logs.file", "Download a log", kind="file", media_type="text/plain"),
    Route(
        "GET",
        "runs/{run}/notebook",
        "run_logs.notebook",
        "Download the executed notebook",
        kind="file",
        media_type="application/x-ipynb+json",
    ),
    Route(
        "GET",
        "runs/{run}/outputs",
        "outputs.listed",
        "List what a run has written",
        answer=answers.RunOutputs,
    ),
    Route(
        "POST",
        "runs/{run}/outputs/fetch",
        "outputs.fetch",
        "Copy files that a run has written to its notebook's folder",
        "write",
        inputs.FetchRequest,
        answer=answers.FetchedOutputs,
    ),
    Route(
        "GET",
        "runs/{run}/outputs/file",
        "outputs.file",
        "Download a file that a run has written",
        query=inputs.OutputQuery,
        kind="file",
        media_type=BYTES,
    ),
    Route(
        "POST",
        "cluster-launches",
        "runs.in_cluster",
        "List the trainings of the namespace, also those of other notebook servers",
        body=_Sources,
        answer=answers.ClusterLaunches,
    ),
    _events(
        "active-runs/events",
        "runs.active_events",
        "Follow which runs are active",
        query=_Offset,
        events={"runs": answers.ActiveRuns},
    ),
    Route(
        "POST",
        "launches",
        "launches.launch",
        "Launch a notebook, a training or an endpoint",
        "execute",
        inputs.LaunchRequest,
        status=201,
        answer=_View,
    ),
    Route("POST", "endpoints/list", "endpoints.listed", "List endpoints", body=_Sources, answer=answers.Endpoints),
    Route(
        "POST",
        "endpoints/{endpoint}/predict",
        "endpoints.predict",
        "Ask an endpoint for predictions",
        "execute",
        inputs.PredictRequest,
        answer=answers.Prediction,
    ),
    Route(
        "POST",
        "endpoints/{endpoint}/delete",
        "endpoints.delete",
        "Delete an endpoint",
        "execute",
        _Sources,
        answer=answers.Deleted,
    ),
    _events(
        "endpoints/{endpoint}/log",
        "endpoints.log",
        "Follow what an endpoint prints",
        method="POST",
        body=_Sources,
        query=_Offset,
        events={"line": answers.EndpointLine, "end": answers.EndpointLogEnd},
    ),
    Route("GET", "openapi.json", "documents.openapi", "Describe this interface", answer=dict[str, Any]),
)


def routes() -> tuple[Route, ...]:
    """Return all routes: those that are written out, and those of the operations that exist on the server."""
    return (*ROUTES, *(_derived(each) for each in operations("server")))


@functools.cache
def _derived(operation: Operation[Any]) -> Route:
    """Return the route of an operation: its request with the sources of settings is the body, its answer the answer."""
    name = operation.name.replace(" ", "-")
    declared = operation.route or Declared(f"operations/{name}")
    words = "".join(part.capitalize() for part in re.split(r"[ -]", operation.name))
    fields = {field: (info.rebuild_annotation(), info) for field, info in operation.request.model_fields.items()}
    body = create_model(f"{words}Operation", __base__=inputs.OperationBody, __doc__=operation.about, **fields)  # type: ignore[call-overload] # fields by their names
    return Route(
        declared.method,
        declared.path,
        f"commands.{name}",
        operation.about.rstrip("."),
        declared.action,
        body,
        status=declared.status,
        answer=operation.answer if operation.answer is not None else Any,
        command=operation,
    )
