"""Every route refuses strangers, other sites and what is not for it; the document describes what is there."""

from __future__ import annotations

import dataclasses
import json
import threading

import jsonschema_rs
import pytest
import requests
import schemathesis

from fairing_az_jupyter import models
from fairing_az_jupyter.frontends.server import answers
from fairing_az_jupyter.frontends.server.openapi import document
from fairing_az_jupyter.frontends.server.routes import BODY_LIMIT, routes
from fairing_az_jupyter.parameters.described import ParameterInfo
from tests.conftest import REPOSITORY

NAMES = {"run": "20260101-000000.000-x-abcd", "check": "0" * 16, "profile": "team-a", "endpoint": "e"}
EACH = pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path}")


def path_of(route):
    return route.path.format(**NAMES)


@pytest.fixture(scope="module")
def browser(server):
    """A session that has logged in as a browser does: with a cookie."""
    session = requests.Session()
    session.get(f"{server.site}login", params={"token": "the-token-of-the-tests"}, timeout=20)
    assert session.get(f"{server.url}profiles", timeout=20).status_code == 200
    return session


@EACH
def test_every_route_refuses_who_is_not_logged_in(server, route):
    answer = requests.request(route.method, server.url + path_of(route), json={}, timeout=20, allow_redirects=False)
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers
    assert set(answer.json()) == {"code", "message", "hint"}


@EACH
def test_every_route_refuses_a_wrong_token(server, route):
    headers = {"Authorization": "token wrong"}
    answer = requests.request(route.method, server.url + path_of(route), json={}, headers=headers, timeout=20)
    assert answer.status_code == 401


@EACH
def test_every_route_refuses_another_site_also_with_the_token(server, route):
    answer = server.ask(route.method, path_of(route), {}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "refused"


def test_a_proxy_that_changes_the_host_tells_which_it_was(server):
    headers = {"Origin": "https://gateway.example", "X-Forwarded-Host": "gateway.example"}
    assert server.ask("GET", "profiles", headers=headers).status_code == 200


def test_a_method_that_a_route_does_not_know_is_told_those_that_it_knows(server):
    answer = server.ask("TRACE", "profiles")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, OPTIONS"


@EACH
def test_every_route_refuses_a_page_of_another_site(server, browser, route):
    headers = {"Origin": "https://evil.example", "X-XSRFToken": browser.cookies.get("_xsrf", "")}
    answer = browser.request(route.method, server.url + path_of(route), json={}, headers=headers, timeout=20)
    assert answer.status_code in {403, 404}
    assert answer.json()["code"] == "refused"


@pytest.mark.parametrize(
    "route", [each for each in routes() if each.method != "GET"], ids=lambda route: f"{route.method} {route.path}"
)
def test_every_route_that_changes_something_refuses_a_cookie_without_xsrf(server, browser, route):
    answer = browser.request(route.method, server.url + path_of(route), json={}, timeout=20)
    assert answer.status_code == 403
    assert answer.json()["code"] == "refused"


def test_a_browser_with_its_xsrf_value_is_let_in(server, browser):
    headers = {"X-XSRFToken": browser.cookies["_xsrf"]}
    answer = browser.post(f"{server.url}settings/resolve", json={}, headers=headers, timeout=20)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "route", [each for each in routes() if each.body], ids=lambda route: f"{route.method} {route.path}"
)
def test_every_route_with_a_body_refuses_what_is_no_json(server, route):
    for kind, status in (("text/plain", 415), ("application/json; charset=latin-1", 415), ("application/json", 400)):
        answer = server.ask(route.method, path_of(route), data=b"{", headers={"Content-Type": kind})
        assert answer.status_code == status, answer.text
        assert set(answer.json()) == {"code", "message", "hint"}


@pytest.mark.parametrize(
    "route", [each for each in routes() if each.body], ids=lambda route: f"{route.method} {route.path}"
)
def test_every_route_with_a_body_names_a_field_that_it_does_not_know(server, route):
    answer = server.ask(route.method, path_of(route), {"no_such_field": 1})
    assert answer.status_code == 422
    assert answer.json()["errors"]


@EACH
def test_every_route_answers_other_methods_with_405(server, route):
    methods = {each.method for each in routes() if each.path == route.path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
        answer = server.ask(method, path_of(route), json={})
        assert answer.status_code == 405
        assert answer.json()["code"] == "method"


def test_an_address_that_is_no_route_is_answered_in_json(server):
    answer = server.ask("GET", "no/such/thing")
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "message", "hint"}


def test_who_may_only_read_is_refused_what_changes_something(new_server, tmp_path):
    module = tmp_path / "readers.py"
    module.write_text(
        "from jupyter_server.auth import Authorizer\n"
        "class Reader(Authorizer):\n"
        "    def is_authorized(self, handler, user, action, resource):\n"
        "        return resource != 'fairing-az-jupyter' or action == 'read'\n"
    )
    import os
    import sys

    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    server = new_server("--ServerApp.authorizer_class=readers.Reader", PYTHONPATH=path)
    assert server.ask("GET", "profiles").status_code == 200
    for route in routes():
        if route.action != "read":
            assert server.ask(route.method, path_of(route), {}).status_code == 403, route


def test_the_document_is_valid_and_what_the_server_gives(server):
    given = server.ask("GET", "openapi.json").json()
    assert given == json.loads(json.dumps(document("/notebook/team-a/anne/")))
    schemathesis.openapi.from_dict(given).validate()
    for name, schema in given["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}), name


def test_the_document_among_the_docs_is_that_of_today():
    kept = json.loads((REPOSITORY / "docs" / "openapi.json").read_text(encoding="utf-8"))
    how = "python -m fairing_az_jupyter.frontends.server.openapi > docs/openapi.json"
    # The panel's types are made from it, so the types count, and what may be missing; words do not.
    assert outline(kept) == outline(json.loads(json.dumps(document()))), f"Write it again: {how}"


@pytest.mark.parametrize(
    ("record", "described"),
    [
        (models.RunEvent, answers.RunEvent),
        (models.EndpointInfo, answers.Endpoint),
        (models.TaskInfo, answers.Task),
        (ParameterInfo, answers.Parameter),
    ],
    ids=lambda each: each.__name__,
)
def test_the_document_has_every_field_of_a_record_that_is_answered(record, described):
    assert {field.name for field in dataclasses.fields(record)} == set(described.model_fields)


def outline(given):
    """Return what a document says without its words, which may be another with another version of pydantic."""
    if isinstance(given, list):
        return [outline(each) for each in given]
    if not isinstance(given, dict):
        return given
    words = {name for name in ("title", "summary", "description", "version") if isinstance(given.get(name), str)}
    return {name: outline(each) for name, each in given.items() if name not in words}


def test_the_document_has_every_route_and_its_errors():
    paths = document()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(route.method, f"/fairing-az-jupyter/{route.path}") for route in routes()}
    for methods in paths.values():
        for operation in methods.values():
            assert {"403", "404", "422"} <= operation["responses"].keys()


def test_a_body_that_is_too_large_is_refused_and_the_server_goes_on(server):
    content = "x" * BODY_LIMIT
    answer = server.ask("POST", "notebook/parameters", {"path": "a.ipynb", "content": content})
    assert answer.status_code == 413
    assert answer.json()["code"] == "too-large"
    assert server.ask("GET", "profiles").status_code == 200


def test_a_body_in_pieces_without_a_length_is_limited_too(server):
    pieces = (b"x" * 1_000_000 for _ in range(BODY_LIMIT // 1_000_000 + 2))
    headers = {"Content-Type": "application/json"}
    answer = server.ask("POST", "notebook/parameters", data=pieces, headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"values": NaN}',
        b'{"values": ' + b"1" * 5000 + b"}",
        b"null",
        b"[]",
        b'"x"',
        b'{"profile": "\\ud800"}',
        b'{"values": {"\\ud800": "\\ud800"}}',
        b'{"notebook": {"path": "a\\u0000b"}}',
        b'{"notebook": {"path": "a", "content": "\\udfff"}}',
        b'{"notebook": {"path": "a.ipynb", "content": ""}}',
        b'{"values": {"docker_registry": {"a": [1]}}}',
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
def test_odd_bodies_are_answered_with_what_is_wrong(server, body):
    answer = server.ask("POST", "settings/resolve", data=body, headers={"Content-Type": "application/json"})
    assert 200 <= answer.status_code < 500, answer.text
    assert answer.status_code == 200 or answer.json()["message"]


def test_many_requests_at_once_are_all_answered(server):
    found = []

    def ask():
        found.append(server.ask("POST", "settings/resolve", {}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 40
