"""What the tests of the registry's faults share: a client that gives up soon, and a look at every error for secrets."""

from __future__ import annotations

import contextlib
import logging
import traceback

import pytest

from fairing_az_jupyter.clients.oci.registry import Registry
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import FairingAzureError
from tests.clients.registry_scene import PUSHER, SECRET
from tests.marked import MARK, printed
from tests.stand.scripted import Scripted, errors

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = b"<!DOCTYPE html><html><title>Log in</title>"
BASIC = {"WWW-Authenticate": 'Basic realm="x"', **JSON}
STARTED = (202, {"Location": "/v2/team/new/blobs/uploads/1?state=x"}, b"")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


@pytest.fixture(autouse=True)
def nothing_marked_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    yield
    assert MARK not in caplog.text


@contextlib.contextmanager
def connected(host, **more):
    settings = {
        "username": PUSHER,
        "password": SecretValue(SECRET),
        "scheme": "http",
        "timeout": 1,
        "deadline": 1,
        **more,
    }
    with Registry(host, **settings) as registry:
        yield registry


def failure(registry, method="check_push", *arguments):
    """Return the error that a method raises, after a look whether it shows a secret anywhere."""
    with pytest.raises(FairingAzureError) as caught:
        getattr(registry, method)(*(arguments or ("team/new",)))
    error = caught.value
    assert MARK not in printed(error) + "".join(traceback.format_exception(error)) + repr(error.to_dict())
    seen = error
    while seen is not None:
        assert seen.__cause__ is None
        seen = seen.__context__
    assert error.hint
    assert getattr(error, "service", "registry") == "registry"
    return error


def failure_of(answer, method="check_push", *arguments, **more):
    with Scripted(answer) as served, connected(served.host, **more) as registry:
        return failure(registry, method, *arguments)


def behind_basic(answer):
    """Ask for basic authentication first; then answer, with the credential echoed as a careless server might."""

    def serve(request):
        if request.target == "/v2/":
            return 401, BASIC, errors("UNAUTHORIZED")
        outcome = answer(request) if callable(answer) else answer
        if outcome is None:
            return None
        status, headers, body = outcome
        return status, {"X-Echo": request.headers.get("Authorization", "-") + SECRET, **headers}, body

    return serve
