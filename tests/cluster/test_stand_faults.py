"""Every fault of a front is seen by a plain HTTP call as it would be on the way to the real service."""

from __future__ import annotations

import threading
import time
from email.utils import parsedate_to_datetime

import pytest
import requests

INSTANCE = "https://login.microsoftonline.com/common/discovery/instance"


@pytest.fixture
def front(stand_of_session):
    """Entra's front: it needs no server."""
    with stand_of_session.names.here():
        stand_of_session.reset()
        yield stand_of_session.entra_front
        stand_of_session.reset()


def get(**options):
    return requests.get(INSTANCE, timeout=options.pop("timeout", 10), **options)


def test_a_delay_is_added_to_every_call(front):
    front.delay(200)
    began = time.monotonic()
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(INSTANCE, timeout=10).ok
    assert 0.6 <= time.monotonic() - began < 1.6


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_status_is_answered_so_many_times_and_then_no_more(front, status):
    front.refuse(status, path="discovery", times=2)
    assert [get().status_code for _ in range(3)] == [status, status, 200]


def test_a_fault_can_wait_for_its_turn_and_keeps_to_its_path(front):
    front.refuse(500, path="instance$", skip=1, times=1)
    front.refuse(403, path="elsewhere")
    assert [get().status_code for _ in range(3)] == [200, 500, 200]


def test_throttling_says_when_to_come_back(front):
    front.throttle(7, times=1)
    answer = get()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_a_dropped_connection_is_reset(front):
    front.drop(times=1)
    with pytest.raises(requests.ConnectionError, match=r"reset by peer|RemoteDisconnected"):
        get()
    assert get().ok


def test_a_hanging_call_never_answers_and_lets_go_when_the_fault_is_cleared(front):
    front.hang(times=1)
    with pytest.raises(requests.ReadTimeout):
        get(timeout=0.3)
    front.hang(times=1)
    threading.Timer(0.3, front.clear).start()
    with pytest.raises(requests.ConnectionError):
        get()


@pytest.mark.parametrize("status", [200, 502])
def test_a_proxys_page_comes_instead_of_the_answer(front, status):
    front.proxy_page(status)
    answer = get()
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert "<html>" in answer.text


def test_a_wrong_clock_shows_in_the_answers_date(front):
    front.skew(-3600)
    said = parsedate_to_datetime(get().headers["Date"]).timestamp()
    assert -3605 < said - time.time() < -3595


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("untrusted", r"self.signed certificate in certificate chain|unable to get local issuer"),
        ("expired", "certificate has expired"),
        ("other-name", r"Hostname mismatch|not valid for"),
    ],
)
def test_a_bad_certificate_is_refused_for_its_own_reason(front, kind, words):
    front.certificate(kind)
    with pytest.raises(requests.exceptions.SSLError, match=words):
        get()
    front.certificate("trusted")
    assert get().ok


def test_calls_are_counted_without_their_query(front):
    front.refuse(503, times=1)
    get(params={"sig": "MARK-1"})
    get()
    assert [(call.method, call.path, call.status) for call in front.calls] == [
        ("GET", "/common/discovery/instance", 503),
        ("GET", "/common/discovery/instance", 200),
    ]
    assert "MARK-1" not in repr(front.calls)
    assert front.count("discovery", "GET") == 2
    assert front.count("elsewhere") == 0


def test_a_secret_in_an_address_is_noticed(front):
    front.forbidden = {"MARK 1"}
    get(params={"token": "MARK 1"})
    get()
    assert [call.leak for call in front.calls] == [True, False]


def test_the_api_servers_front_refuses_in_kubernetes_own_words(kubernetes, namespace):
    from kubernetes import client, config

    control_plane = kubernetes.control_plane
    front = kubernetes.kubernetes_front
    settings = client.Configuration()
    settings.retries = False
    path = control_plane.kubeconfig(control_plane.profile(namespace).editor, namespace, port=front.port)
    config.load_kube_config(str(path), client_configuration=settings)
    front.refuse(403, path="/secrets")
    with client.ApiClient(settings) as connection, pytest.raises(client.ApiException) as refused:
        client.CoreV1Api(connection).read_namespaced_secret("azcreds", namespace)
    assert refused.value.status == 403
    assert '"reason": "Forbidden"' in refused.value.body


def test_a_large_body_passes_a_front_both_ways(stand, namespace):
    from azure.storage.blob import BlobServiceClient

    setup = stand.correct_setup(namespace)
    content = bytes(range(256)) * (20 << 12)
    url = f"https://{setup.account}.blob.core.windows.net"
    with (
        BlobServiceClient(url, credential=setup.account_key) as service,
        service.create_container("large") as container,
    ):
        container.upload_blob("content", content, max_concurrency=2)
        assert container.download_blob("content").readall() == content
    assert stand.blob_front.count("/large/content", "PUT") >= 1
