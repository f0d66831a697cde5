"""No finding of the registry's checks shows a secret, whatever a registry answers and however its Secret is broken."""

from __future__ import annotations

import base64
import json
import logging

import pytest

from fairing_az_jupyter.preflight.checks import registry_checks
from tests.preflight.registry_scene import checked, login, statuses, write_login
from tests.stand.web import Answer


@pytest.fixture
def setup(stand, namespace, caplog):
    caplog.set_level(logging.DEBUG)
    made = stand.correct_setup(namespace)
    stand.registry_front.forbidden = set(made.marks)
    yield made
    assert not [mark for mark in made.marks if mark in caplog.text]
    assert not any(call.leak for call in stand.registry_front.calls)


def echoes(setup):
    """Return answers of a registry, or of a proxy before it, that repeats what it was sent."""
    basic = base64.b64encode(f"{setup.client}:{setup.secret}".encode()).decode()
    body = json.dumps({"errors": [{"code": setup.secret, "message": basic, "detail": setup.secret}]}).encode()
    challenge = ("WWW-Authenticate", f'Bearer realm="https://{setup.secret}.example/{basic}",service="{setup.secret}"')
    return [
        *(
            Answer(status, body, (("Content-Type", "application/json"),))
            for status in (200, 400, 401, 403, 404, 405, 418)
        ),
        Answer(401, body, (challenge,)),
        Answer(401, body, (("WWW-Authenticate", f'Basic realm="{setup.secret}"'),)),
        Answer(403, f"client with IP '{setup.secret}' is not allowed access.".encode()),
        Answer(200, f"<html>{setup.secret}</html>".encode(), (("Content-Type", "text/html"),)),
        Answer(307, b"", (("Location", f"https://id:{setup.secret}@thief.example/{basic}"),)),
        Answer(307, b"", (("Location", f"https://{setup.secret}.example/"),)),
    ]


@pytest.mark.parametrize("path", ["", "/oauth2/token", "/tags/list|/manifests/", "/blobs/uploads/"])
def test_a_registry_that_repeats_what_it_was_sent_is_not_quoted(stand, setup, path):
    for answer in echoes(setup):
        stand.registry_front.clear()
        stand.registry_front.answer(answer, path=path)
        assert "fail" in statuses(checked(setup, timeout=0.5, deadline=3.0)) or answer.status in {200, 404}


def test_a_secret_in_the_wrong_place_of_the_docker_config_is_not_quoted(stand, setup):
    host, client, secret = setup.login_server, setup.client, setup.secret
    encoded = base64.b64encode(secret.encode()).decode()
    for config in (
        login(host, secret, client),
        login(host, client, f"{secret}\n"),
        login(f"https://{client}:{secret}@{host}", client, secret),
        {"auths": {host: {"auth": encoded}}},
        {"auths": {host: {"auth": secret}}},
        {"auths": {host: secret}},
        {"auths": {host: {"password": secret}}},
        {"auths": [secret]},
        {host: {"auth": encoded}},
    ):
        write_login(stand, setup, config)
        checked(setup)


def test_what_one_check_hands_to_the_next_has_no_repr_that_tells(setup, monkeypatch):
    findings = []
    for name in ("_secret", "_secret_login", "_pull", "_push"):
        whole = getattr(registry_checks, name)
        monkeypatch.setattr(
            registry_checks, name, lambda *given, whole=whole: findings.append(whole(*given)) or findings[-1]
        )

    assert statuses(checked(setup)) == ["pass"] * 4

    shown = f"{findings!r} {[finding.value for finding in findings]!r}"
    assert len(findings) == 4
    assert not [mark for mark in setup.marks if mark in shown]
