"""From a request to the function that carries it out: found in the table of routes, checked by its models."""

from __future__ import annotations

import functools
import importlib
import json
import math
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from fairing_az_jupyter.frontends.server import problems
from fairing_az_jupyter.frontends.server.contents_paths import Contents
from fairing_az_jupyter.frontends.server.operations.calls import Call
from fairing_az_jupyter.frontends.server.routes import PATH_NAMES, routes

if TYPE_CHECKING:
    from fairing_az_jupyter.frontends.server.inputs import Message
    from fairing_az_jupyter.frontends.server.routes import Route

_OPERATIONS = "fairing_az_jupyter.frontends.server.operations"
_importing = threading.Lock()
_imported: set[str] = set()


class RejectedError(Exception):
    """The request has not the form that its route expects.

    Args:
        problem: The answer.

    """

    def __init__(self, problem: problems.Problem) -> None:
        super().__init__(problem[1]["message"])
        self.problem = problem


def understood(head: Mapping[str, Any], body: bytes, cancelled: threading.Event) -> tuple[Route, Call]:
    """Return the route of a request, and the request with all its parts checked.

    Args:
        head: `operation`, `names` (of the path), `query`, `root` and `hidden` (of Jupyter's contents).
        body: The body's bytes.
        cancelled: Set when nobody waits for the answer any more.

    Raises:
        RejectedError: A part has not its form.

    """
    route = next(each for each in routes() if each.operation == head["operation"])
    names = {name: _name(name, text) for name, text in zip(route.names, head["names"], strict=True)}
    query = _validated(route, route.query, head["query"], route.query) if route.query is not None else None
    given = _parsed(body) if route.body is not None else None
    content = _validated(route, route.body, given, route.body) if route.body is not None else None
    return route, Call(content, query, names, Contents(head["root"], head["hidden"]), head["base_url"], cancelled)


def carried_out(route: Route, call: Call) -> Any:  # noqa: ANN401 - each route's own
    """Carry out a request.

    Raises:
        FairingAzureError: It can't be carried out.

    """
    if route.command is not None:
        _import(f"{_OPERATIONS}.commands")
        return importlib.import_module(f"{_OPERATIONS}.commands").carried_out(route.command, call)
    module, _, function = route.operation.partition(".")
    _import(f"{_OPERATIONS}.{module}")
    for needed in getattr(importlib.import_module(f"{_OPERATIONS}.{module}"), "NEEDS", {}).get(function, ()):
        _import(needed)
    return getattr(importlib.import_module(f"{_OPERATIONS}.{module}"), function)(call)


def warm_up() -> None:
    """Load what the first requests of a panel need, while nobody waits for it."""
    for module in ("settings", "notebooks", "runs", "run_logs", "checks"):
        _import(f"{_OPERATIONS}.{module}")


def plain(value: object) -> Any:  # noqa: ANN401 - what JSON has
    """Return a value as JSON knows it: infinite numbers and NaN, which it does not know, become text."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


def _import(module: str) -> None:
    # Two threads that import Fairing's modules for the first time can wait for each other for ever.
    if module in _imported:
        return
    with _importing:
        importlib.import_module(module)
        _imported.add(module)


def _name(name: str, text: str) -> str:
    try:
        found: str = _adapter(name).validate_python(text)
    except ValidationError as error:
        entry = {"field": name, "message": f"{error.errors()[0]['msg']}.", "hint": "", "suggestion": ""}
        problem = problems.problem("request", f"The {name} in the path can't be one's name.", "Take it from the list.")
        raise RejectedError((422, {**problem, "errors": [entry]})) from None
    return found


@functools.cache
def _adapter(name: str) -> TypeAdapter[str]:
    return TypeAdapter(PATH_NAMES[name])


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant)
    except RecursionError:
        reason = "it is nested too deeply"
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 (byte {error.start})"
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, column {error.colno}: {error.msg}" if body.strip() else "it is empty"
    except ValueError:
        reason = "it has a number that JSON does not know, or one that is too long"
    problem = problems.problem("json", f"The body of the request is not JSON: {reason}.", "Send one JSON object.")
    raise RejectedError((400, problem))


def _no_constant(_name: str) -> None:
    raise ValueError


def _validated(route: Route, model: type[Message], given: object, known: type[Message]) -> Any:  # noqa: ANN401 - an instance of `model`
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problem = problems.from_validation(error, _names(known), secret=route.secret)
    raise RejectedError(problem)


@functools.cache
def _names(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of all fields of a model and of those in it."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for part in parts for name in part.get("properties", {}))
