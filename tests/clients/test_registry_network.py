"""What the registry client says when a registry can't be reached: one fault at a time."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time

import pytest
import trustme

from fairing_az_jupyter.clients.oci.exchange import Exchange
from fairing_az_jupyter.clients.oci.registry import Registry
from fairing_az_jupyter.exceptions import ThrottledError, UnreachableError
from tests.clients.registry_faults import (
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
from tests.clients.registry_scene import acr_service
from tests.marked import MARK
from tests.stand.scripted import Scripted
from tests.stand.web import HANG, Answer, dripping


def once(first, then):
    outcomes = iter([first])
    return lambda request: next(outcomes, None) or then


@pytest.mark.parametrize("first", [(429, {"Retry-After": "1"}, b""), (503, {}, b""), (500, HTML, PAGE)])
def test_a_passing_failure_is_waited_out(first):
    started = time.monotonic()
    with Scripted(behind_basic(once(first, STARTED))) as served, connected(served.host, deadline=8) as registry:
        assert registry.check_push("team/new").push is True
    assert time.monotonic() - started >= float(first[1].get("Retry-After", 0))


def test_a_dropped_connection_is_tried_again():
    dropped = iter([True])

    def answer(request):
        return None if next(dropped, False) else STARTED

    with Scripted(behind_basic(answer)) as served, connected(served.host, deadline=8) as registry:
        assert registry.check_push("team/new").push is True


@pytest.mark.parametrize("keep", [0, 40])
def test_a_connection_that_is_always_dropped_is_told(keep):
    def answer(request):
        return Answer(body=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"[:keep], fault="raw")

    error = failure_of(answer)
    assert (type(error), error.code) == (UnreachableError, "reset")


def test_what_is_no_http_is_told():
    error = failure_of(lambda request: Answer(body=b"SSH-2.0-OpenSSH_9.2\r\n\r\n", fault="raw"))
    assert isinstance(error, UnreachableError)


@pytest.mark.parametrize(
    "hang",
    [
        HANG,
        dripping(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b" "),
    ],
    ids=["silent", "headers that drip", "a body that drips"],
)
def test_a_registry_that_hangs_is_given_up_within_the_deadline(hang):
    with Scripted(lambda request: hang) as served, connected(served.host, timeout=0.5, deadline=1.2) as registry:
        started = time.monotonic()
        error = failure(registry)
        assert time.monotonic() - started < 1.9
    assert (type(error), error.code) == (UnreachableError, "timeout")
    assert "did not answer in time" in error.message


def asked_for_an_image(served):
    """Ask for a manifest as it is done on the way to a push, and return the error."""
    with Registry(served.host, username=None, password=None, scheme="http") as registry:
        exchange = Exchange(
            registry.host, registry.base, registry.transport, registry.credential, timeout=0.3, deadline=0.5
        )
        with pytest.raises(UnreachableError) as raised:
            exchange.ask("GET", "/v2/team/model/manifests/latest", "repository:team/model:pull")
    return raised.value


def after_the_greeting(answer):
    return lambda request: (200, JSON, b"{}") if request.target == "/v2/" else answer(request)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["headers that drip", "a body that drips", "chunks that drip"],
)
def test_an_image_that_comes_drop_by_drop_is_given_up(head, piece):
    with Scripted(after_the_greeting(lambda request: dripping(head, piece))) as served:
        assert asked_for_an_image(served).code == "timeout"


def test_a_registry_that_breaks_off_in_an_image_is_not_told_to_speak_no_http():
    with Scripted(after_the_greeting(lambda request: (200, {"Content-Length": "99"}, b"x"))) as served:
        assert asked_for_an_image(served).code == "reset"


def test_a_name_server_that_hangs_is_given_up_within_the_deadline(monkeypatch):
    released = threading.Event()

    def getaddrinfo(*_, **__):
        released.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with connected("contosoml.azurecr.io", timeout=0.5, deadline=1.2) as registry:
        started = time.monotonic()
        error = failure(registry)
        assert time.monotonic() - started < 1.9
    released.set()
    assert error.code == "timeout"


def test_all_steps_of_a_check_share_one_deadline():
    started = time.monotonic()
    error = failure_of(behind_basic(lambda request: (time.sleep(0.7), (429, {}, b""))[1]), timeout=2, deadline=1.5)
    assert time.monotonic() - started < 2.2
    assert isinstance(error, (ThrottledError, UnreachableError))


@pytest.mark.parametrize(
    ("number", "code"),
    [(socket.EAI_NONAME, "dns-unknown"), (socket.EAI_AGAIN, "dns")],
)
def test_a_name_that_dns_does_not_know_is_told_from_a_name_server_that_fails(monkeypatch, number, code):
    def getaddrinfo(*_, **__):
        raise socket.gaierror(number, "no")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with connected("contosolm.azurecr.io", scheme="https") as registry:
        error = failure(registry)
    assert (type(error), error.code) == (UnreachableError, code)
    assert "'contosolm.azurecr.io'" in error.message


@pytest.mark.stand
def test_a_port_that_nobody_listens_on_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with connected(f"127.0.0.1:{taken.getsockname()[1]}") as registry:
            assert failure(registry).code == "refused"


@pytest.mark.parametrize("host", ["a" * 64 + ".azurecr.io", "a..azurecr.io", "127.0.0.1:99999"])
def test_a_host_that_no_network_can_have_is_told(host):
    with connected(host, scheme="https") as registry:
        assert isinstance(failure(registry), UnreachableError)


def test_an_untrusted_certificate_is_told_and_the_credential_not_sent(authority):
    with Scripted(acr_service(), authority) as served, connected(served.host, scheme="https") as registry:
        error = failure(registry)
        assert (type(error), error.code, served.requests) == (UnreachableError, "tls-untrusted", [])
    assert "not trusted" in error.message
    assert "REQUESTS_CA_BUNDLE" in error.hint


def test_the_certificate_of_another_host_is_told(authority, bundle):
    with (
        Scripted(acr_service(), authority, certificate="other-name") as served,
        connected(served.host, scheme="https", verify=bundle) as registry,
    ):
        assert failure(registry).code == "tls-host"


@pytest.mark.parametrize(("kind", "says"), [("expired", "has expired"), ("early", "is not yet valid")])
def test_a_certificate_out_of_its_time_asks_about_the_clock(authority, bundle, kind, says):
    with (
        Scripted(acr_service(), authority, certificate=kind) as served,
        connected(served.host, scheme="https", verify=bundle) as registry,
    ):
        error = failure(registry)
    assert error.code == "tls-time"
    assert says in error.message
    assert "clock" in error.hint


def test_a_host_without_tls_is_told():
    with Scripted(lambda request: (200, JSON, b"{}")) as served, connected(served.host, scheme="https") as registry:
        assert failure(registry).code == "tls"


def test_a_ca_file_that_is_given_goes_before_the_environments(authority, bundle, tmp_path, monkeypatch):
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    with Scripted(acr_service(), authority) as served:
        with connected(served.host, scheme="https", verify=bundle) as registry:
            assert registry.check_pull("team/new").pull is True
        with connected(served.host, scheme="https") as registry:
            assert failure(registry).code == "tls-untrusted"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environments_ca_file_is_taken_where_none_is_given(authority, bundle, monkeypatch, variable):
    monkeypatch.setenv(variable, bundle)
    with Scripted(acr_service(), authority) as served, connected(served.host, scheme="https") as registry:
        assert registry.check_pull("team/new").pull is True


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_can_not_be_read_is_told(authority, tmp_path, content):
    path = tmp_path / "broken.pem"
    if content is not None:
        path.write_text(content)
    with (
        Scripted(acr_service(), authority) as served,
        connected(served.host, scheme="https", verify=str(path)) as registry,
    ):
        error = failure(registry)
    assert error.code == "ca-file"
    assert "REQUESTS_CA_BUNDLE" in error.hint


def test_the_environments_proxy_is_used_and_its_exceptions_are_kept(monkeypatch):
    def answer(request):
        return behind_basic(STARTED)(request) if not request.target.startswith("http:") else (200, JSON, b"{}")

    with Scripted(answer) as served:
        monkeypatch.setenv("http_proxy", f"http://{served.host}")
        with connected("registry.example") as registry:
            assert registry.check_pull("team/new").scheme == "none"
        assert served.requests[0].target == "http://registry.example/v2/"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with connected(served.host) as registry:
            assert registry.check_push("team/new").scheme == "basic"


def test_a_registry_with_tls_is_reached_through_the_environments_proxy(authority, bundle, monkeypatch):
    name = "contosoml.azurecr.io"
    service = acr_service(lambda request: STARTED)
    with (
        Scripted(service, authority) as served,
        tunnelling_to(served.host) as (proxy, asked),
        connected(name, scheme="https", verify=bundle) as registry,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{MARK}@{proxy}")
        assert registry.check_push("team/new").push is True
    assert asked[0].startswith(f"CONNECT {name}:443 HTTP/1.")
    assert "Proxy-Authorization: Basic" in asked[0]
    assert all("Proxy-Authorization" not in one.headers for one in served.requests)


@contextlib.contextmanager
def tunnelling_to(host):
    """Serve as a proxy on loopback whose tunnels all end at one host; yield its own and what it was asked."""
    asked = []

    class Tunnel(socketserver.BaseRequestHandler):
        def handle(self):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += self.request.recv(1)
            asked.append(head.decode())
            name, port = host.split(":")
            with socket.create_connection((name, int(port)), 10) as beyond:
                self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                threading.Thread(target=self.pump, args=(beyond, self.request), daemon=True).start()
                self.pump(self.request, beyond)

        @staticmethod
        def pump(source, target):
            with contextlib.suppress(OSError):
                while piece := source.recv(65536):
                    target.sendall(piece)

    class Proxy(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Proxy(("127.0.0.1", 0), Tunnel) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.stand
def test_a_proxy_that_is_not_there_is_told_without_its_password(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        proxy = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("https_proxy", f"http://user:{MARK}@{proxy}")
        with connected("contosoml.azurecr.io", scheme="https") as registry:
            error = failure(registry)
    assert error.code == "proxy"
    assert f"'{proxy}'" in error.message
    assert "NO_PROXY" in error.hint


def test_a_proxy_that_refuses_is_told(monkeypatch):
    with Scripted(lambda request: (407, {}, b"")) as served:
        monkeypatch.setenv("https_proxy", f"http://{served.host}")
        with connected("contosoml.azurecr.io", scheme="https") as registry:
            assert failure(registry).code in {"proxy", "reset"}
