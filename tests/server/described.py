"""Whether what the server answers is what its document says: all fields that have to be there, and no other."""

from __future__ import annotations

import functools
import re

import jsonschema_rs

from fairing_az_jupyter.frontends.server.openapi import document
from fairing_az_jupyter.frontends.server.routes import PREFIX, routes


def route_of(method, path):
    """Return the route that a path below the prefix belongs to; None if there is none."""
    address = f"/{PREFIX}/{path.partition('?')[0]}"
    fitting = (route for route in routes() if route.method == method and re.fullmatch(route.pattern, address))
    # A path without names goes before one with them.
    return min(fitting, key=lambda route: len(route.names), default=None)


def check_answer(method, path, answer):
    """Fail unless a JSON answer has the form that the document has for its status."""
    route = route_of(method, path)
    if route is None or not answer.headers.get("Content-Type", "").startswith("application/json") or not answer.content:
        return
    known = document()["paths"][f"/{PREFIX}/{route.path}"][method.lower()]["responses"]
    if str(answer.status_code) in known:
        _validator(route.path, method, str(answer.status_code), "").validate(answer.json())


def check_event(method, path, name, data):
    """Fail unless an event has the form that the document has for its name."""
    _validator(route_of(method, path).path, method, "200", name).validate(data)


@functools.cache
def _validator(path, method, status, event):
    found = document()
    answer = found["paths"][f"/{PREFIX}/{path}"][method.lower()]["responses"][status]
    if "$ref" in answer:
        answer = found["components"]["responses"][status]
    content = answer["content"]
    schema = content["text/event-stream"]["x-events"][event] if event else content["application/json"]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": found["components"]})
