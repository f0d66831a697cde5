"""Why the API server does not take an object, in words that hold nothing secret."""

from __future__ import annotations

import json

import pytest

from fairing_az_jupyter.clients.http import Answer
from fairing_az_jupyter.clients.kube.objects.asking import Asker
from fairing_az_jupyter.clients.kube.objects.kinds import KINDS, kind_of, pod_selector
from fairing_az_jupyter.clients.kube.objects.rejections import passes_by_itself, rejected_change, sanitized
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import ConflictError, InputError, NotAllowedError

ASKER = Asker("10.0.0.1:443", secret=SecretValue("Bearer MARKED-token"))
SENT = {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "MARKED-value"}]}]}}


def refused_call(status, message, reason="", causes=()):
    body = {"kind": "Status", "message": message, "reason": reason, "details": {"causes": list(causes)}}
    asked = KINDS["Pod"].change("create", "team-a", "p", SENT)
    return rejected_change(Answer(status, {}, json.dumps(body).encode()), asked, ASKER)


def refused(status, message, reason="", causes=()):
    failed = refused_call(status, message, reason, causes)
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
        "proxyconnect https://user:MARKED@proxy.example.com:3128 refused",
        "https://MARKED@host/x",
        "https://user:p@MARKED@host/x",
        "https://s3/x?X-Amz-Credential=MARKED%2F1&X-Amz-Signature=MARKED",
        "https://production.cloudflare.docker.com/x?verify=1732-MARKED%3D",
        "Authorization: Bearer MARKED",
        '{"authorization": "Basic MARKED"}',
        "asked with Bearer MARKED-abcdefghijklmnop.x",
        "a token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJNQVJLRUQifQ.MARKED",
    ],
)
def test_nothing_secret_is_repeated(text):
    assert "MARKED" not in refused(403, f"a rule says: {text}").message


@pytest.mark.parametrize(
    "text",
    [
        "docker-pullable://python@sha256:0123 and contoso.azurecr.io/a/b@sha256:0123",
        'www-authenticate: Bearer realm="https://contoso.azurecr.io/oauth2/token",service="contoso.azurecr.io"',
        "https://contoso.blob.core.windows.net/c/x, mail a@contoso.example",
        "basic checks of authorization failed, verify=false",
    ],
)
def test_what_only_looks_like_a_secret_is_repeated(text):
    assert sanitized(text, {}) == text


def pod_with(**env):
    container = {"name": "model", "image": "contoso.azurecr.io/fairing-job:1"}
    container["env"] = [{"name": name, "value": value} for name, value in env.items()]
    labels = {"fairing-az-jupyter/kind": "digits-job"}
    return {"metadata": {"name": "fairing-job-abcd", "labels": labels}, "spec": {"containers": [container]}}


@pytest.mark.parametrize(
    "env",
    [
        {"USER": "fairing", "LOGNAME": "fairing", "HOME": "/home/fairing", "FAIRING_RUNTIME": "1"},
        {"FAIRING_DOCKER_REGISTRY": "contoso.azurecr.io", "AZURE_STORAGE_ACCOUNT": "quota"},
        {"KIND": "job", "MODEL": "digits", "DEBUG": "true", "IMAGE": "fairing-job:1"},
    ],
)
def test_names_and_constants_among_the_variables_are_no_secrets(env):
    text = "fairing-job-abcd, image contoso.azurecr.io/fairing-job:1 of digits: quota true, /home/fairing"
    assert sanitized(text, pod_with(**env)) == text


@pytest.mark.parametrize("value", ["MARKED", "airing", "fairing-job-abc", "MARKED\ndigits"])
def test_a_value_that_is_no_name_of_the_object_is_hidden(value):
    assert value not in sanitized(f"env X is {value}", pod_with(X=value, FAIRING_TOKEN="MARKED-too"))
    assert "MARKED" not in sanitized("MARKED-too", pod_with(X="1234", FAIRING_TOKEN="MARKED-too"))


DENIED = (
    'admission webhook "g.example.com" denied the request: User "a" cannot do that, see {}',
    "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'guard' with binding 'b' denied request: {}",
)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503])
@pytest.mark.parametrize("text", DENIED)
def test_a_denial_is_a_rules_whatever_status_it_has(status, text):
    error = refused(status, text.format("quota evaluation timed out"), "AlreadyExists")

    assert isinstance(error, NotAllowedError)
    assert (error.code, error.status) == ("admission-denied", 403)
    assert "quota evaluation timed out" in error.message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, 'pods "p" is forbidden: status unknown for quota: team, resources: pods'),
        (403, 'pods "p" is forbidden: not yet ready to handle request'),
        (500, "Internal error occurred: resource quota evaluation timed out"),
        (409, 'Operation cannot be fulfilled on resourcequotas "team": the object has been modified'),
    ],
)
def test_what_passes_by_itself_is_asked_again_and_is_no_rule(status, message):
    failed = refused_call(status, message)

    assert (failed.error.code, failed.arrived) == ("not-ready", False)
    assert failed.retry is not None
    assert not isinstance(failed.error, NotAllowedError)
    assert message in failed.error.message


def test_what_the_message_cuts_is_kept_whole_and_without_secrets():
    error = refused(403, 'admission webhook "g" denied the request: ' + "x" * 600 + " MARKED-value sig=MARKED last")

    assert "last" not in error.message
    assert error.said.endswith("last")
    assert "MARKED" not in error.said


def test_a_long_text_is_cut_and_stands_in_one_line():
    assert sanitized("a\nb\t c", {}) == "a b c"
    assert len(sanitized("x" * 10_000, {})) <= 501


def test_a_body_that_is_no_status_does_no_harm():
    asked = KINDS["Pod"].change("create", "team-a", "p", SENT)
    for body in (b"", b"null", b"[]", b"\xff", b"[" * 100_000):
        assert rejected_change(Answer(403, {}, body), asked, ASKER) is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}}, "not a kind"),
        ({"kind": "Job", "apiVersion": "batch/v1beta1", "metadata": {"name": "a"}}, "apiVersion"),
        ({"kind": "Job", "apiVersion": "batch/v1", "metadata": {}}, "without a name"),
        ({}, "not a kind"),
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
