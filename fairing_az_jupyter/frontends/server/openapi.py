"""The OpenAPI document, made from the table of routes and from the models that check and describe them.

https://spec.openapis.org/oas/v3.1.0. `python -m fairing_az_jupyter.frontends.server.openapi` writes docs/openapi.json.
"""

from __future__ import annotations

import functools
import json
import sys
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from fairing_az_jupyter.frontends.server.answers import Problem
from fairing_az_jupyter.frontends.server.routes import PATH_NAMES, PREFIX, routes
from fairing_az_jupyter.operations.registry import operations
from fairing_az_jupyter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from pydantic_core.core_schema import DataclassField, ModelField, TypedDictField

    from fairing_az_jupyter.frontends.server.routes import Route
    from fairing_az_jupyter.operations.declaration import Operation

    Key = tuple[str, Literal["validation", "serialization"]]

_REFERENCES = "#/components/schemas/{model}"
_ALWAYS = {
    401: "Who asks is not logged in to Jupyter.",
    403: "Who asks may not do it: in Jupyter, in the cluster or in Azure.",
    404: "Not found, or the request comes from another site.",
    429: "Azure or the cluster asks to wait.",
    500: "A bug; the log of Jupyter Server says where.",
    502: "The cluster or Azure does not answer.",
    503: "The worker process has ended; the next request starts it anew.",
    504: "The cluster or Azure does not answer in time.",
}
_FIXABLE = {
    400: "What was asked for can't be done as it stands.",
    409: "Something else has to happen first.",
    422: "A field breaks its rule; `errors` names it.",
}
_WITH_BODY = {413: "The body is too large.", 415: "The body is not JSON."}


class _Schemas(GenerateJsonSchema):
    """Schemas that tell what is always answered: all fields of a record, whose `to_dict` leaves none out."""

    def field_is_required(self, field: ModelField | DataclassField | TypedDictField, total: bool) -> bool:  # noqa: FBT001 - pydantic's signature
        """Return whether a field is always there."""
        is_of_record = self.mode == "serialization" and field["type"] == "dataclass-field"
        return is_of_record or super().field_is_required(field, total)

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's signature
        """Leave out titles that repeat the fields' names."""
        return False


def document(base_url: str = "/") -> dict[str, Any]:
    """Return the document.

    Args:
        base_url: Where Jupyter Server is, with a slash at the end.

    """
    return _document(base_url, operations("server"))


@functools.cache
def _document(base_url: str, _derived_from: tuple[Operation[Any], ...]) -> dict[str, Any]:
    # Made once for the operations that there are: all else in it is fixed.
    schemas, shared = TypeAdapter.json_schemas(list(_models()), ref_template=_REFERENCES, schema_generator=_Schemas)
    known = shared.get("$defs", {})
    found = {key[0]: _named(schema, known) for key, schema in schemas.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes():
        paths.setdefault(f"/{PREFIX}/{route.path}", {})[route.method.lower()] = _operation(route, found)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "fairing-az-jupyter",
            "version": __version__,
            "summary": "What the side panel asks Jupyter Server for.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url.rstrip("/") or "/", "description": "Jupyter Server's base_url"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": known,
            "responses": {
                str(status): {"description": text, "content": {"application/json": {"schema": found["problem"]}}}
                for status, text in sorted({**_ALWAYS, **_FIXABLE, **_WITH_BODY}.items())
            },
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`token TOKEN`, as Jupyter Server takes it; a browser has a cookie and _xsrf.",
                }
            },
        },
    }


def _models() -> Iterator[tuple[str, Literal["validation", "serialization"], TypeAdapter[Any]]]:
    yield "problem", "serialization", TypeAdapter(Problem)
    for name, kind in PATH_NAMES.items():
        yield f"path {name}", "validation", TypeAdapter(kind)
    for route in routes():
        for part, model in (("body", route.body), ("query", route.query)):
            if model is not None:
                yield f"{part} {route.operation}", "validation", TypeAdapter(model)
        if route.answer is not None:
            yield f"answer {route.operation}", "serialization", TypeAdapter(route.answer)
        for name, kind in route.events.items():
            yield f"event {route.operation} {name}", "serialization", TypeAdapter(kind)


def _named(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return a reference to a schema that is among the document's components; pydantic repeats it."""
    name = schema.get("title", "")
    return {"$ref": _REFERENCES.format(model=name)} if known.get(name) == schema else schema


def _operation(route: Route, schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation.replace(".", "_"),
        "summary": route.summary,
        "tags": [route.operation.partition(".")[0]],
        "x-action": route.action,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": schemas[f"path {name}"]} for name in route.names
        ],
        "responses": _responses(route, schemas),
    }
    if route.query is not None:
        described = route.query.model_json_schema()
        needed = described.get("required", [])
        operation["parameters"] += [
            {"name": name, "in": "query", "required": name in needed, "schema": schema}
            for name, schema in described["properties"].items()
        ]
    if route.body is not None:
        content = {"application/json": {"schema": schemas[f"body {route.operation}"]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(route: Route, schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "As asked for."}
    if route.kind == "events":
        events = {name: schemas[f"event {route.operation} {name}"] for name in route.events}
        content = {
            "schema": {"description": "Events; see `x-events` for each one's data."},
            "x-events": {**events, "error": schemas["problem"]},
        }
        good["content"] = {"text/event-stream": content}
    elif route.kind == "file":
        good["content"] = {route.media_type: {"schema": {"type": "string"}}}
    elif route.answer is not None:
        good["content"] = {"application/json": {"schema": schemas[f"answer {route.operation}"]}}
    bad = {**_ALWAYS, **_FIXABLE, **(_WITH_BODY if route.body is not None else {})}
    problems = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(bad)}
    return {str(route.status): good, **problems}


if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(document(), indent=1, ensure_ascii=False)}\n")
