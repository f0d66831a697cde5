"""Each way in which a cluster fails to answer has an error of its own, in time, and without any secret."""

from __future__ import annotations

import base64
import socket
import time

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.objects.facts import Access
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
from tests.clients.cluster_access_scene import PlainAuthority
from tests.clients.cluster_scene import DENIED, pod_environment, pod_folder, service_account_token, sign_in
from tests.marked import MARK, printed
from tests.stand.api_server import TOKEN, ApiServer, status
from tests.stand.authority import Authority
from tests.stand.scripted import Scripted
from tests.stand.web import DRIP, HANG, RESET, Answer

FORBIDDEN = 'secrets "azcreds" ' + DENIED.format(verb="get", resource="secrets") + ' in API group "" in the namespace'


@pytest.fixture
def api(authority):
    with ApiServer(authority) as api:
        yield api


@pytest.fixture
def cluster(api, authority, tmp_path):
    folder = pod_folder(tmp_path / "pod", authority)
    with Cluster.connect(pod_environment(api), folder, timeout=0.6, deadline=1.5) as cluster:
        yield cluster


def failing(call):
    """Return the error of a call, having looked for the marked values in all that could be printed of it."""
    with pytest.raises(ServiceError) as caught:
        call()
    error = caught.value
    assert MARK not in printed(error)
    assert base64.b64encode(MARK.encode()).decode()[:16] not in printed(error)
    assert (error.__cause__, error.__context__) == (None, None)
    assert error.service == "kubernetes"
    assert error.hint
    return error


@pytest.mark.parametrize(
    ("answer", "kind", "code", "says"),
    [
        (status(401, "Unauthorized", "Unauthorized"), CredentialError, "credential", "rejected the credential"),
        (status(403, "Forbidden", FORBIDDEN), NotAllowedError, "not-allowed", "may not get Secret 'azcreds' in"),
        (status(404, "NotFound", "no", kind="secrets", name="azcreds"), NotFoundError, "not-found", "'azcreds'"),
        (status(404, "NotFound", "no", kind="namespaces"), NotFoundError, "not-found-namespace", "'team-a' not found"),
        (status(409, "Conflict", "has been modified"), ConflictError, "conflict", "Conflict"),
        (status(422, "Invalid", "is invalid"), ConflictError, "invalid", "Invalid"),
        (status(400, "BadRequest", "bad"), ConflictError, "bad-request", "BadRequest"),
        (status(429, "TooManyRequests", "slow down"), ThrottledError, "throttled", "too many requests"),
        (status(500, "InternalError", "etcd"), ServiceError, "service", "answered 500 (InternalError)"),
        ((503, {"Content-Type": "text/plain"}, b"upstream"), ServiceError, "service", "answered 503"),
        (sign_in(200), UnreachableError, "unreachable-proxy-page", "web page (status 200)"),
        (sign_in(403), UnreachableError, "unreachable-proxy-page", "web page (status 403)"),
        (sign_in(404), UnreachableError, "unreachable-proxy-page", "web page (status 404)"),
        (sign_in(401), UnreachableError, "unreachable-proxy-page", "web page (status 401)"),
        (sign_in(502), UnreachableError, "unreachable-proxy-page", "web page (status 502)"),
        (sign_in(302, Location="https://login"), UnreachableError, "unreachable-proxy-page", "redirection"),
        ((407, {}, b""), UnreachableError, "unreachable-proxy-page", "status 407"),
        (
            (200, {"Content-Type": "application/json"}, b"{"),
            UnreachableError,
            "unreachable-proxy-page",
            "not a Kubernetes",
        ),
        ((200, {"Content-Type": "application/json"}, b"[1]"), UnreachableError, "unreachable-proxy-page", "object"),
        ((200, {}, b"\xff\xfe\x00"), UnreachableError, "unreachable-proxy-page", "not a Kubernetes object"),
        ((200, {}, b"[" * 100_000), UnreachableError, "unreachable-proxy-page", "not a Kubernetes object"),
        ((200, {}, b""), UnreachableError, "unreachable-proxy-page", "not a Kubernetes object"),
        (RESET, UnreachableError, "unreachable-reset", "closed before an answer"),
        (HANG, UnreachableError, "unreachable-timeout", "no answer within"),
        (DRIP, UnreachableError, "unreachable-timeout", "no answer within"),
    ],
)
def test_each_fault_has_an_error_of_its_own_within_the_deadline(api, cluster, answer, kind, code, says):
    api.fault(answer, times=99)
    started = time.monotonic()

    error = failing(lambda: cluster.read_secret("azcreds"))

    assert time.monotonic() - started < 2.5
    assert type(error) is kind
    assert error.code == code
    assert says in error.message
    assert api.host in error.message


def test_a_refusal_names_verb_resource_namespace_and_whom_to_ask(api, cluster):
    api.fault(status(403, "Forbidden", FORBIDDEN))

    error = failing(lambda: cluster.read_secret("azcreds"))

    assert error.status == 403
    assert "system:serviceaccount:team-a:default-editor may not get Secret 'azcreds'" in error.message
    assert "(verb 'get' on 'secrets')" in error.message
    assert "owner of the profile 'team-a'" in error.hint
    assert "--clusterrole=kubeflow-edit --serviceaccount=team-a:default-editor" in error.hint


def test_a_quota_that_forbids_is_no_lack_of_rights(api, cluster):
    api.fault(status(403, "Forbidden", 'secrets "x" is forbidden: exceeded quota: few'))
    error = failing(lambda: cluster.can("get", "secrets"))
    assert error.code == "not-allowed-by-rule"
    assert "exceeded quota: few" in error.message
    assert "kubeflow-edit" not in error.hint


def test_who_asks_without_a_credential_is_told_so(api, cluster):
    api.fault(status(403, "Forbidden", 'nodes is forbidden: User "system:anonymous" cannot list resource "nodes"'))
    assert failing(cluster.nodes).code == "credential-missing"


def test_an_expired_token_is_told_from_a_wrong_one(api, authority, tmp_path):
    folder = pod_folder(tmp_path / "pod", authority, token=service_account_token(expires=1700000000))
    with Cluster.connect(pod_environment(api), folder) as cluster:
        error = failing(cluster.server_version)
    assert error.code == "credential-expired"
    assert "2023-11-14 at 22:13 UTC" in error.message


def test_clocks_that_differ_are_the_likely_reason_for_a_refused_token(api, cluster):
    api.fault((401, {"Date": "Mon, 05 Jan 2015 10:00:00 GMT"}, b"{}"), times=9)

    error = failing(cluster.server_version)

    assert error.code == "credential-clock"
    assert "clock and the cluster's differ by" in error.message


def test_a_rotated_token_is_used_after_a_refusal(api, cluster, tmp_path):
    cluster.server_version()
    api.tokens = {f"{MARK}-next"}
    (tmp_path / "pod" / "token").write_text(f"{MARK}-next")

    assert cluster.server_version() == "v1.34.4"
    assert [request.headers["Authorization"] for request in api.requests] == [
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN}",
        f"Bearer {MARK}-next",
    ]


def test_a_refused_token_that_is_still_the_same_is_not_sent_again(api, cluster):
    api.tokens = set()
    failing(cluster.server_version)
    assert len(api.requests) == 1


def test_a_token_file_that_goes_away_does_not_take_the_good_token_with_it(api, cluster, tmp_path):
    (tmp_path / "pod" / "token").unlink()
    api.fault(status(401, "Unauthorized"))
    failing(cluster.server_version)
    assert cluster.server_version() == "v1.34.4"


def test_a_wait_that_the_server_asks_for_is_kept(api, authority, tmp_path):
    api.fault(status(429, "TooManyRequests", headers={"Retry-After": "1"}))

    with Cluster.connect(pod_environment(api), pod_folder(tmp_path / "pod", authority)) as cluster:
        assert cluster.server_version() == "v1.34.4"
    first, second = (call.began for call in api.calls)
    assert second - first >= 1


def test_a_wait_that_ends_after_the_deadline_is_not_begun(api, cluster):
    api.fault(status(429, "TooManyRequests", headers={"Retry-After": "30"}), times=9)
    started = time.monotonic()

    error = failing(cluster.server_version)

    assert time.monotonic() - started < 1
    assert isinstance(error, ThrottledError)
    assert "retry after 30 s" in error.message


@pytest.mark.parametrize("answer", [status(500, "InternalError"), sign_in(502), sign_in(503), (504, {}, b""), RESET])
def test_what_passes_is_tried_again(api, cluster, answer):
    api.fault(answer, times=2)
    assert cluster.server_version() == "v1.34.4"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HT",
        b"HTTP/1.",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Le",
        b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"gitVersion": "v1',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"gitVersion": "v1',
    ],
)
def test_an_answer_that_is_cut_short_is_asked_for_again(api, cluster, sent):
    api.fault(Answer(body=sent, fault="raw"), times=2)
    assert cluster.server_version() == "v1.34.4"


@pytest.mark.parametrize("sent", [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_answers_that_are_always_cut_short_are_named(api, cluster, sent):
    api.fault(Answer(body=sent, fault="raw"), times=99)
    error = failing(cluster.server_version)
    assert (error.code, "closed before an answer" in error.message) == ("unreachable-reset", True)


@pytest.mark.parametrize(
    "answer", [status(403, "Forbidden", FORBIDDEN), status(404, "NotFound", kind="secrets"), sign_in()]
)
def test_what_does_not_pass_is_asked_once(api, cluster, answer):
    api.fault(answer, times=9)
    failing(lambda: cluster.read_secret("azcreds"))
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        status(422, "Invalid", f'data: Invalid value: "{MARK}"', causes=[{"field": "data[k]", "message": MARK}]),
        status(400, "BadRequest", f"base64Codec: invalid input, error found in #10 byte of ...|{MARK}|..."),
        status(403, "Forbidden", f'admission webhook "rules.example.com" denied the request: {MARK}'),
        status(500, "InternalError", MARK),
        status(409, "Conflict", MARK),
        (200, {}, MARK.encode()),
        status(400, f"{MARK} 12345", MARK),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_quotes_the_body_gives_no_secret_away(api, cluster, answer, method):
    api.fault(answer, times=99, method=method)
    failing(lambda: cluster.apply_secret("azcreds", "Opaque", {"k": SecretValue(MARK)}, dry_run=True))


def test_a_server_that_quotes_the_token_gives_it_not_away(api, cluster):
    api.fault(status(500, "InternalError", f"{'x' * 290}{TOKEN} for {TOKEN}"), times=99)
    failing(cluster.server_version)


def test_many_questions_that_hang_end_together_in_time(api, cluster):
    api.fault(HANG, times=999)
    started = time.monotonic()
    failing(lambda: cluster.can_all([Access("get", f"r{number}") for number in range(40)]))
    assert time.monotonic() - started < 3


def test_an_untrusted_authority_is_named(api, tmp_path):
    with Cluster.connect(pod_environment(api), pod_folder(tmp_path / "pod", Authority(tmp_path))) as cluster:
        error = failing(cluster.server_version)
    assert error.code == "unreachable-tls-untrusted"
    assert "not signed by a trusted authority" in error.message
    assert api.requests == []


def test_an_expired_certificate_is_named(authority, tmp_path):
    with (
        ApiServer(authority, certificate="expired") as api,
        Cluster.connect(pod_environment(api), pod_folder(tmp_path / "pod", authority)) as cluster,
    ):
        error = failing(cluster.server_version)
    assert error.code == "unreachable-tls-expired"
    assert "has expired" in error.message


def test_a_certificate_for_another_host_is_named(authority, tmp_path):
    with (
        ApiServer(authority, certificate="other-name") as api,
        Cluster.connect(pod_environment(api), pod_folder(tmp_path / "pod", authority)) as cluster,
    ):
        assert failing(cluster.server_version).code == "unreachable-tls-name"


def test_a_server_without_tls_is_named(authority, tmp_path):
    with (
        ApiServer() as api,
        Cluster.connect(pod_environment(api), pod_folder(tmp_path / "pod", authority)) as cluster,
    ):
        error = failing(cluster.server_version)
    assert error.code == "unreachable-plain-http"
    assert "plain HTTP" in error.message


def test_a_name_that_can_not_be_resolved_is_named(tmp_path):
    environ = {"KUBERNETES_SERVICE_HOST": "no-such-cluster.invalid", "KUBERNETES_SERVICE_PORT": "443"}
    folder = pod_folder(tmp_path / "pod", PlainAuthority(tmp_path))
    with Cluster.connect(environ, folder, timeout=2, deadline=4) as cluster:
        error = failing(cluster.server_version)
    assert error.code in {"unreachable-name", "unreachable-timeout"}
    assert "no-such-cluster.invalid:443" in error.message


@pytest.mark.stand
def test_a_handshake_that_hangs_ends_in_time(authority, tmp_path):
    folder = pod_folder(tmp_path / "pod", authority)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(silent.getsockname()[1])}
        started = time.monotonic()
        with Cluster.connect(environ, folder, timeout=0.5, deadline=1.5) as cluster:
            assert failing(cluster.server_version).code == "unreachable-timeout"
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    "banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ESMTP\r\n", b"HTTP/1.1 no\r\n", b"\0\0\x12\4"]
)
def test_something_that_speaks_no_http_is_named(tmp_path, banner):
    kubeconfig = tmp_path / "config"
    with Scripted(lambda _request: Answer(body=banner, fault="raw")) as server:
        kubeconfig.write_text(
            f"""{{current-context: c, contexts: [{{name: c, context: {{cluster: k}}}}],
            clusters: [{{name: k, cluster: {{server: "{server.url}"}}}}], users: []}}"""
        )
        with Cluster.connect({}, tmp_path / "none", kubeconfig) as cluster:
            assert failing(cluster.server_version).code == "unreachable-no-http"
