"""Whatever a client sends by the document, answers are those that the document has, and never a bug."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fairing_az_jupyter.frontends.server.openapi import document
from fairing_az_jupyter.frontends.server.routes import routes

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SCHEMA = schemathesis.openapi.from_dict(document())


def _operation(route):
    return SCHEMA[f"/fairing-az-jupyter/{route.path}"][route.method]


@pytest.mark.parametrize(
    "route", [each for each in routes() if each.path != "active-runs/events"], ids=lambda each: each.operation
)
@pytest.mark.parametrize("mode", ["as described", "not as described"])
def test_answers_are_those_of_the_document(server, route, mode):
    kinds = schemathesis.GenerationMode
    operation = _operation(route)
    try:
        cases = operation.as_strategy(kinds.POSITIVE if mode == "as described" else kinds.NEGATIVE)
    except Exception:
        if route.body or route.query or route.names:
            raise
        return

    @settings(
        max_examples=8,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def ask(case):
        case.call_and_validate(
            base_url=server.site.rstrip("/"),
            headers={"Authorization": "token the-token-of-the-tests"},
            timeout=20,
            checks=CHECKS,
        )

    ask()
