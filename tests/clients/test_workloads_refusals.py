"""Why the API server does not take an object, in words that hold nothing secret."""

from __future__ import annotations

import json

import pytest

from fairing_az_jupyter.clients.hidden import Hidden
from fairing_az_jupyter.clients.kube.asking import Answer, Asker
from fairing_az_jupyter.clients.kube.objects import KINDS, kind_of, pod_selector
from fairing_az_jupyter.clients.kube.refused_changes import passes_by_itself, refused_change, sanitized
from fairing_az_jupyter.exceptions import ConflictError, InputError, NotAllowedError

ASKER = Asker("10.0.0.1:443", secret=Hidden("Bearer MARKED-token"))
SENT = {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "MARKED-value"}]}]}}


def refused(status, message, reason="", causes=()):
    body = {"kind": "Status", "message": message, "reason": reason, "details": {"causes": list(causes)}}
    asked = KINDS["Pod"].change("create", "team-a", "p", SENT)
    failed = refused_change(Answer(status, {}, json.dumps(body).encode()), asked, ASKER)
    return None if failed is None else failed.error


@pytest.mark.parametrize(
    ("message", "code", "hint"),
    [
        ('pods "p" is forbidden: exceeded quota: team, requested: cpu=4, used: cpu=2', "quota", "describe quota team"),
        (
            'admission webhook "guard.example.com" denied the request: no latest',
            "admission-denied",
            "guard.example.com",
        ),
        ('pods "p" is forbidden: violates PodSecurity "restricted:latest": root', "pod-security", "restricted:latest"),
        ('pods "p" is forbidden: maximum cpu usage per Container is 2', "limit-range", "describe limitrange"),
        ("pods is forbidden: something of one's own", "not-allowed-by-rule", "administrator"),
    ],
)
def test_a_rule_is_told_in_its_own_words_with_what_to_do(message, code, hint):
    error = refused(403, message)
    assert isinstance(error, NotAllowedError)
    assert error.code == code
    assert message in error.message
    assert hint in error.hint


def test_a_missing_right_is_no_rule():
    assert refused(403, 'User "a" cannot create resource "pods"') is None
    assert refused(409, "the object has been modified", "Conflict") is None
    assert refused(500, "etcd") is None


def test_a_webhook_may_refuse_with_another_status():
    assert refused(400, 'admission webhook "g.example.com" denied the request: MARKED-value').code == "admission-denied"


@pytest.mark.parametrize(
    ("message", "passes"),
    [
        ('pods "p" is forbidden: status unknown for quota: team, resources: pods', True),
        ('pods "p" is forbidden: not yet ready to handle request', True),
        ("Internal error occurred: resource quota evaluation timed out", True),
        ('Operation cannot be fulfilled on resourcequotas "team": the object has been modified', True),
        ('pods "p" is forbidden: exceeded quota: team, requested: pods=1, used: pods=1, limited: pods=1', False),
        ('admission webhook "g.example.com" denied the request: status unknown for quota: team', False),
    ],
)
def test_an_api_server_that_can_not_judge_yet_is_told_from_a_rule(message, passes):
    assert passes_by_itself(message) is passes


def test_an_invalid_field_is_named_and_what_was_sent_is_not():
    causes = [
        {
            "field": "spec.template",
            "message": 'Invalid value: core.PodTemplateSpec{Env: "MARKED-value: x"}: field is immutable',
        },
        {"field": "spec.containers[0].image", "message": "Required value"},
    ]
    error = refused(422, "is invalid MARKED-value", "Invalid", causes)
    assert isinstance(error, ConflictError)
    assert error.code == "invalid"
    assert "spec.template: Invalid value: field is immutable" in error.message
    assert "spec.containers[0].image: Required value" in error.message
    assert "MARKED" not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "env A is MARKED-value",
        "Authorization MARKED-token",
        "https://a.blob.core.windows.net/c/x?sv=2026&sig=MARKED%2Bx%3D&se=1",
        "password=MARKED token=MARKED",
    ],
)
def test_nothing_secret_is_repeated(text):
    assert "MARKED" not in refused(403, f"a rule says: {text}").message


def test_a_long_text_is_cut_and_stands_in_one_line():
    assert sanitized("a\nb\t c", {}) == "a b c"
    assert len(sanitized("x" * 10_000, {})) <= 501


def test_a_body_that_is_no_status_does_no_harm():
    asked = KINDS["Pod"].change("create", "team-a", "p", SENT)
    for body in (b"", b"null", b"[]", b"\xff", b"[" * 100_000):
        assert refused_change(Answer(403, {}, body), asked, ASKER) is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}}, "no kind"),
        ({"kind": "Job", "apiVersion": "batch/v1beta1", "metadata": {"name": "a"}}, "apiVersion"),
        ({"kind": "Job", "apiVersion": "batch/v1", "metadata": {}}, "no name"),
        ({}, "no kind"),
    ],
)
def test_an_object_that_is_none_is_refused_before_it_is_sent(body, said):
    with pytest.raises(InputError, match=said):
        kind_of(body)


def test_the_pods_of_an_object_are_found_by_its_selector():
    rules = [
        {"key": "a", "operator": "In", "values": ["x", "y"]},
        {"key": "b", "operator": "NotIn", "values": ["z"]},
        {"key": "c", "operator": "Exists"},
        {"key": "d", "operator": "DoesNotExist"},
    ]
    selector = {"matchLabels": {"app": "s"}, "matchExpressions": rules}
    assert pod_selector({"kind": "Deployment", "spec": {"selector": selector}}) == "app=s,a in (x,y),b notin (z),c,!d"
    assert pod_selector({"kind": "InferenceService", "metadata": {"name": "s"}}).endswith("inferenceservice=s")
    assert pod_selector({"kind": "Service", "spec": {"selector": {"app": "s"}}}) == "app=s"
