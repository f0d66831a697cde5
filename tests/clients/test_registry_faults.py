"""What the registry client says when a registry answers wrongly: one fault at a time."""

from __future__ import annotations

import threading
import time

import pytest

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from tests.clients.registry_faults import (
    BASIC,
    HTML,
    JSON,
    PAGE,
    STARTED,
    behind_basic,
    connected,
    failure,
    failure_of,
    no_proxy,  # noqa: F401 - a fixture
    nothing_marked_is_logged,  # noqa: F401 - a fixture
)
from tests.clients.registry_scene import AAD_TOKEN, SECRET, acr_service, claims_token
from tests.marked import MARK
from tests.stand.scripted import Scripted, errors


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((404, JSON, b"{}"), "not-a-registry"),
        ((404, {"Content-Type": "text/plain"}, b"404 page not found"), "not-a-registry"),
        ((405, {}, b""), "not-a-registry"),
        ((200, {"Content-Type": "text/plain"}, b"It works!"), "not-a-registry"),
        ((401, {}, b""), "not-a-registry"),
        ((401, {"WWW-Authenticate": 'Negotiate, Digest realm="x"'}, b""), "not-a-registry"),
        ((200, HTML, PAGE), "html"),
        ((200, {}, PAGE), "html"),
        ((403, HTML, PAGE), "html"),
        ((404, HTML, PAGE), "html"),
        ((502, HTML, PAGE), "html"),
        ((407, HTML, PAGE), "proxy"),
        ((302, {"Location": "https://login.example/?next=x"}, b""), "redirected"),
        ((307, {"Location": "http://[bad"}, b""), "redirected"),
        ((301, {}, b""), "redirected"),
    ],
)
def test_a_host_that_is_no_registry_is_told_as_such(answer, code):
    error = failure_of(lambda request: answer)
    assert isinstance(error, UnreachableError)
    assert (error.code, error.status) == (code, answer[0])


def test_a_redirect_to_itself_is_followed_only_some_times():
    assert failure_of(lambda request: (302, {"Location": "/v2/"}, b"")).code == "redirected"


@pytest.mark.parametrize("stage", ["/v2/", "/oauth2/token", "/v2/team/new"])
def test_credentials_never_follow_a_redirect_to_another_host(stage, authority, bundle):
    acr = acr_service()
    with Scripted(lambda request: (200, JSON, b"{}")) as thief:

        def answer(request):
            if request.target.startswith(stage) and (stage != "/v2/" or request.target == "/v2/"):
                return 307, {"Location": f"http://{thief.host}/steal?a=b"}, b""
            return acr(request)

        with Scripted(answer, authority) as served:
            for more in ({}, {"aad_token": SecretValue(AAD_TOKEN)}):
                with connected(served.host, scheme="https", verify=bundle, **more) as registry:
                    for method in ("check_pull", "check_push"):
                        error = failure(registry, method)
                        assert (type(error), error.code) == (UnreachableError, "redirected")
                        assert "redirects to 127.0.0.1" in error.message
    assert thief.requests == []


@pytest.mark.parametrize(
    "realm",
    [
        "http://localhost:{port}/token",
        "http://thief.example/token",
        "//thief.example/token",
        "http://127.0.0.1.thief.example/token",
        "http://127.0.0.1@thief.example/token",
        "http://user:pass@127.0.0.1:{port}/token",
        "ftp://127.0.0.1/token",
        "http://[bad",
        "http://127.0.0.1:port/",
        "",
    ],
)
def test_credentials_are_never_sent_to_a_token_service_on_another_host(realm):
    with Scripted(lambda request: (200, JSON, b'{"token": "x"}')) as thief:
        challenge = f'Bearer realm="{realm.format(port=thief.port)}",service="x"'
        error = failure_of(lambda request: (401, {"WWW-Authenticate": challenge}, b""))
    assert (error.code, thief.requests) == ("token-service", [])
    assert "was not sent" in error.message


def test_a_token_service_without_tls_gets_nothing_from_a_registry_with_tls(authority, bundle):

    def answer(request):
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{request.headers["Host"]}/token"'}, b""

    with (
        Scripted(answer, authority) as served,
        connected(served.host, scheme="https", verify=bundle) as registry,
    ):
        error = failure(registry)
    assert error.code == "token-service"
    assert "without TLS" in error.message


FIREWALL = (
    b'{"errors":[{"code":"DENIED","message":"client with IP \\u0027203.0.113.7\\u0027 is not allowed access. '
    b'Refer https://aka.ms/acr/firewall to grant access."}]}'
)


@pytest.mark.parametrize("stage", ["/v2/", "/v2/team"])
def test_the_registrys_firewall_is_told_with_the_address_to_let_in(stage):
    def answer(request):
        refused = request.target == stage or (stage != "/v2/" and request.target.startswith(stage))
        return (403, JSON, FIREWALL) if refused else (401, BASIC, b"")

    error = failure_of(answer)
    assert isinstance(error, NotAllowedError)
    assert (error.code, error.status) == ("firewall", 403)
    assert "203.0.113.7" in error.message
    assert "az acr network-rule add" in error.hint
    assert "--ip-address 203.0.113.7" in error.hint


def test_a_registry_that_lets_nobody_in_is_not_missing():
    error = failure_of(lambda request: (403, JSON, errors("DENIED", SECRET)))
    assert (type(error), error.code) == (NotAllowedError, "shut-out")
    assert "aka.ms/acr/firewall" in error.hint


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ((401, BASIC, errors("UNAUTHORIZED", SECRET)), CredentialError, "credential"),
        ((403, JSON, errors("DENIED", SECRET)), NotAllowedError, "not-allowed-push"),
        ((403, HTML, PAGE), UnreachableError, "html"),
        ((404, JSON, errors("NAME_UNKNOWN", SECRET)), NotFoundError, "not-found"),
        ((404, HTML, PAGE), UnreachableError, "html"),
        ((405, JSON, errors("UNSUPPORTED", SECRET)), NotAllowedError, "read-only"),
        ((200, JSON, b"{}"), ServiceError, "service"),
        ((202, HTML, PAGE), UnreachableError, "html"),
        ((400, JSON, errors(SECRET, SECRET)), ServiceError, "service"),
        ((400, JSON, b'{"errors": [["x"], {"code": ["y"]}]}'), ServiceError, "service"),
        ((500, JSON, SECRET.encode()), ServiceError, "service"),
        ((503, HTML, PAGE), UnreachableError, "html"),
        ((429, {"Retry-After": "3600"}, b""), ThrottledError, "throttled"),
    ],
)
def test_each_refusal_of_a_push_has_its_own_kind_and_shows_no_secret(answer, kind, code):
    error = failure_of(behind_basic(answer))
    assert (type(error), error.code, error.status) == (kind, code, answer[0])
    assert "'127.0.0.1:" in error.message


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ((401, BASIC, errors("UNAUTHORIZED")), CredentialError, "credential"),
        ((403, JSON, errors("DENIED")), NotAllowedError, "not-allowed-pull"),
        ((200, HTML, PAGE), UnreachableError, "html"),
        ((404, HTML, PAGE), UnreachableError, "html"),
        ((500, JSON, b""), ServiceError, "service"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [("check_pull", "team/new"), ("manifest", "team/new", "v1"), ("blob_exists", "team/new", "sha256:00")],
    ids=lambda call: call[0],
)
def test_each_refusal_of_a_pull_has_its_own_kind(answer, kind, code, call):
    error = failure_of(behind_basic(answer), *call)
    assert (type(error), error.code, error.status) == (kind, code, answer[0])


def test_too_many_requests_with_a_long_wait_fail_at_once_and_say_how_long():
    started = time.monotonic()
    error = failure_of(lambda request: (429, {"Retry-After": "3600"}, b""))
    assert time.monotonic() - started < 1
    assert (type(error), error.hint) == (ThrottledError, "Try again in 3600 seconds.")


def acr_failure(authority, bundle, change, method="check_push", **more):
    service = acr_service(lambda request: STARTED)

    def answer(request):
        return change(request) or service(request)

    with (
        Scripted(answer, authority) as served,
        connected(served.host, scheme="https", verify=bundle, **more) as registry,
    ):
        return failure(registry, method)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ((200, HTML, PAGE), UnreachableError, "html"),
        ((200, JSON, b"{}"), ServiceError, "service"),
        ((200, JSON, b'{"access_token": 7}'), ServiceError, "service"),
        ((200, JSON, b'["access_token"]'), ServiceError, "service"),
        ((200, JSON, f'{{"access_token": "{MARK}\\r\\nX: y"}}'.encode()), ServiceError, "service"),
        ((200, JSON, b"[" * 100_000), ServiceError, "service"),
        ((400, JSON, errors("UNAUTHORIZED", SECRET)), CredentialError, "credential"),
        ((401, JSON, errors("UNAUTHORIZED", SECRET)), CredentialError, "credential"),
        ((403, JSON, errors("DENIED", SECRET)), NotAllowedError, "shut-out"),
        ((403, JSON, FIREWALL), NotAllowedError, "firewall"),
        ((404, JSON, b""), ServiceError, "service"),
        ((429, {"Retry-After": "60"}, b""), ThrottledError, "throttled"),
        ((500, JSON, SECRET.encode()), ServiceError, "service"),
    ],
)
def test_each_failure_of_the_token_service_has_its_own_kind(authority, bundle, answer, kind, code):
    error = acr_failure(authority, bundle, lambda request: answer if "/oauth2/token" in request.target else None)
    assert (type(error), error.code, error.status) == (kind, code, answer[0])


def test_a_registry_without_the_exchange_says_what_it_takes(authority, bundle):
    error = acr_failure(
        authority,
        bundle,
        lambda request: (404, JSON, b"") if "/exchange" in request.target else None,
        aad_token=SecretValue(AAD_TOKEN),
    )
    assert (type(error), error.code) == (CredentialError, "credential-missing")


def test_a_registry_that_refuses_its_own_token_asks_about_the_clock(authority, bundle):
    def change(request):
        headers = {"WWW-Authenticate": 'Bearer realm="x",error="invalid_token"'}
        return (401, headers, b"") if request.target.startswith("/v2/team") else None

    error = acr_failure(authority, bundle, change)
    assert (type(error), error.code) == (CredentialError, "token-refused")
    assert "clock" in error.hint


@pytest.mark.parametrize(
    "location",
    ["http://thief.example/v2/x/blobs/uploads/1?state=y", "//thief.example/v2/x/blobs/uploads/1?state=y"],
)
def test_the_upload_is_cancelled_at_the_registry_itself_whatever_it_names(location):
    with (
        Scripted(behind_basic((202, {"Location": location}, b""))) as served,
        connected(served.host) as registry,
    ):
        assert registry.check_push("team/new").cancelled is True
        assert [one.target for one in served.asked("DELETE")] == ["/v2/x/blobs/uploads/1?state=y"]


@pytest.mark.parametrize(
    "cancel", [(405, {}, b""), (500, {}, b""), None, (307, {"Location": "http://thief.example/"}, b"")]
)
def test_an_upload_that_can_not_be_cancelled_still_proves_the_right_to_push(cancel):
    answer = behind_basic(lambda request: cancel if request.method == "DELETE" else STARTED)
    with Scripted(answer) as served, connected(served.host) as registry:
        access = registry.check_push("team/new")
    assert (access.push, access.cancelled) == (True, False)


def test_a_manifest_with_other_bytes_than_its_digest_is_refused():
    error = failure_of(behind_basic((200, JSON, b"{}")), "manifest", "team/new", f"sha256:{'0' * 64}")
    assert isinstance(error, ConflictError)


def test_a_manifest_of_an_unlawful_size_is_refused():
    assert isinstance(failure_of(behind_basic((200, JSON, b" " * 5_000_000)), "manifest", "a", "b"), ServiceError)


def test_a_blob_that_is_kept_elsewhere_is_there():
    answer = behind_basic((307, {"Location": "https://storage.example/blob?sig=x"}, b""))
    with Scripted(answer) as served, connected(served.host) as registry:
        assert registry.blob_exists("team/new", "sha256:00") is True


def test_a_token_that_tells_nothing_is_as_good_as_one_that_does(authority, bundle):
    opaque = acr_service(lambda request: STARTED)

    def answer(request):
        if request.target.startswith("/oauth2/token"):
            return 200, JSON, b'{"token": "opaque"}'
        return STARTED if request.bearer == "opaque" else opaque(request)

    with (
        Scripted(answer, authority) as served,
        connected(served.host, scheme="https", verify=bundle) as registry,
    ):
        access = registry.check_push("team/new")
    assert (access.push, access.pull, access.granted) == (True, None, None)


@pytest.mark.parametrize("access", [None, "x", [], [7], [{"type": "repository", "name": "team/new", "actions": 7}]])
def test_a_token_with_odd_claims_is_used_all_the_same(authority, bundle, access):
    service = acr_service(lambda request: STARTED)
    odd = claims_token(access=access)

    def answer(request):
        if request.target.startswith("/oauth2/token"):
            return 200, JSON, f'{{"access_token": "{odd}", "expires_in": "soon"}}'.encode()
        return STARTED if request.bearer == odd else service(request)

    with (
        Scripted(answer, authority) as served,
        connected(served.host, scheme="https", verify=bundle) as registry,
    ):
        assert registry.check_push("team/new").push is True


def test_many_threads_may_ask_one_registry():
    with Scripted(behind_basic(STARTED)) as served, connected(served.host, deadline=10, timeout=5) as registry:
        outcomes = []
        threads = [
            threading.Thread(target=lambda: outcomes.append(registry.check_push("team/new").push)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes == [True] * 8


def test_a_password_that_no_text_can_hold_is_refused_by_the_registry_and_not_shown():
    with Scripted(behind_basic((401, BASIC, b""))) as served:
        with connected(served.host, password=SecretValue(f"{MARK}\udc80\r\nX: y")) as registry:
            assert isinstance(failure(registry), CredentialError)
        assert all("X" not in one.headers for one in served.requests)
