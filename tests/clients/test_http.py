"""HTTP requests end in time, keep their secrets, and can be broken from another thread; on real sockets throughout."""

from __future__ import annotations

import contextlib
import threading
import traceback

import pytest

from fairing_az_jupyter.clients.http import PoolHttp, TimeUpError, WebHttp, causes, explained, same_origin
from fairing_az_jupyter.clients.streams import Halt
from fairing_az_jupyter.exceptions import UnreachableError
from tests.clients.registry_faults import no_proxy  # noqa: F401 - a fixture
from tests.marked import MARK
from tests.stand.scripted import Scripted
from tests.stand.web import HANG, Answer, dripping

SENT = {"Authorization": f"Bearer {MARK}"}


@pytest.fixture
def ended():
    """Set when the test is over: only then does a server that hangs come to an end."""
    event = threading.Event()
    yield event
    event.set()


def by_pools(ca_file=None):
    import urllib3

    return PoolHttp(urllib3.PoolManager(ca_certs=ca_file and str(ca_file)))


def by_environment(ca_file=None):
    return WebHttp(verify=str(ca_file) if ca_file else True, connections=4)


both = pytest.mark.parametrize("make", [by_pools, by_environment])


HEADERS_THAT_DRIP = (b"HTTP/1.1 200 OK\r\n", b"X")
A_BODY_THAT_DRIPS = (b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n", b" ")
CHUNKS_THAT_DRIP = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n")
DRIPS = [HEADERS_THAT_DRIP, A_BODY_THAT_DRIPS, CHUNKS_THAT_DRIP]


@both
@pytest.mark.parametrize("drip", DRIPS, ids=["headers", "a body", "chunks"])
def test_an_answer_that_comes_drop_by_drop_is_given_up_in_its_time(make, drip):
    http = make()
    with (
        Scripted(lambda _request: dripping(*drip, 0.02)) as served,
        contextlib.closing(http),
        pytest.raises(TimeUpError),
    ):
        # Longer than a busy machine lets the server wait between two drops.
        http.fetch("GET", f"http://{served.host}/", seconds=1.0, headers={})


@pytest.mark.stand
@both
def test_a_handshake_that_never_ends_is_given_up_in_its_time(make):
    import socket

    import requests
    import urllib3

    late = (TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError)
    http = make()
    with socket.create_server(("127.0.0.1", 0)) as silent, contextlib.closing(http), pytest.raises(late):
        http.fetch("GET", f"https://127.0.0.1:{silent.getsockname()[1]}/", seconds=0.3, headers={})


@both
def test_no_more_of_a_body_is_read_than_is_asked_for(make):
    http = make()
    endless = dripping(CHUNKS_THAT_DRIP[0], b"400\r\n" + b"x" * 1024 + b"\r\n", 0.02)
    with Scripted(lambda _request: endless) as served, contextlib.closing(http):
        answer = http.fetch("GET", f"http://{served.host}/", seconds=20, headers={}, most=3000)
    assert answer.body == b"x" * 3000


@both
def test_a_redirect_is_an_answer_and_takes_the_credential_nowhere(make):
    http = make()
    with Scripted(lambda _request: (200, {}, b"")) as other, contextlib.closing(http):
        location = f"http://{other.host}/"
        with Scripted(lambda _request: (307, {"Location": location}, b"")) as served:
            answer = http.fetch("GET", f"http://{served.host}/", seconds=5, headers=SENT)
    assert (answer.status, answer.headers["location"]) == (307, location)
    assert other.requests == []


@both
def test_a_login_of_netrc_does_not_take_the_place_of_the_credential(make, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password other\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    http = make()
    with Scripted(lambda _request: (200, {}, b"")) as served, contextlib.closing(http):
        http.fetch("GET", f"http://{served.host}/", seconds=5, headers=SENT)
    assert served.requests[0].headers["Authorization"] == SENT["Authorization"]


@both
def test_requests_one_after_the_other_share_a_connection(make, authority):
    http, ports = make(authority.bundle), []

    def answer(request):
        ports.append(request.client[1])
        return 200, {}, b"{}"

    with Scripted(answer, authority) as served, contextlib.closing(http):
        for method in ("GET", "HEAD", "POST", "GET"):
            http.fetch(method, f"https://{served.host}/", seconds=5, headers={})
    assert len(ports) == 4
    assert len(set(ports)) == 1


@both
def test_the_error_for_a_request_holds_nothing_of_the_request(make):
    http = make()
    with Scripted(lambda _request: None) as served, contextlib.closing(http):
        url = f"http://{served.host}/?sig={MARK}"
        with pytest.raises(UnreachableError) as raised:
            explained(
                lambda: http.fetch("GET", url, seconds=5, headers=SENT), lambda _error: UnreachableError("no answer")
            )
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    assert MARK not in "".join(traceback.format_exception(raised.value))


@both
def test_what_the_caller_is_handling_is_no_cause_of_an_error(make):
    http, found, handled = make(), [], UnreachableError("something else")

    def explain(error):
        found.extend(causes(error))
        return UnreachableError("no answer")

    with Scripted(lambda _request: None) as served, contextlib.closing(http), contextlib.suppress(UnreachableError):
        try:
            raise handled
        except UnreachableError:
            explained(lambda: http.fetch("GET", f"http://{served.host}/", seconds=5, headers={}), explain)
    assert len(found) > 1
    assert handled not in found


def test_a_header_that_can_not_be_sent_is_not_quoted_in_an_error():
    http = by_pools()
    broken = {"Authorization": f"Bearer {MARK}\n{MARK}"}
    with Scripted(lambda _request: None) as served, contextlib.closing(http), pytest.raises(UnreachableError) as raised:
        explained(
            lambda: http.fetch("GET", f"http://{served.host}/", seconds=5, headers=broken),
            lambda _error: UnreachableError("no answer"),
        )
    assert MARK not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("target", "same"),
    [
        ("https://contosoml.azurecr.io/other?x=y", True),
        ("https://CONTOSOML.azurecr.io/", True),
        ("http://contosoml.azurecr.io/", False),
        ("https://contosoml.azurecr.io:8443/", False),
        ("https://contosoml.azurecr.io.example/", False),
        ("https://contosoml.azurecr.io@example.com/", False),
        ("https://ada@contosoml.azurecr.io/", False),
        ("https://contosoml.azurecr.io:port/", False),
        ("https://[/", False),
        ("/v2/", False),
        ("", False),
    ],
)
def test_a_credential_is_for_one_scheme_host_and_port(target, same):
    assert same_origin("https://contosoml.azurecr.io/v2/", target) is same


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("begun", [False, True], ids=["before its answer", "within its answer"])
def test_a_stream_that_waits_is_broken_at_once_by_another_thread(tls, begun, ended, authority):
    asked, part, outcome, halt = threading.Event(), threading.Event(), [], Halt()
    http = by_pools(authority.bundle)

    def some():
        if begun:
            yield CHUNKS_THAT_DRIP[0] + b"5\r\nlines\r\n"
        asked.set()
        ended.wait()

    def answer(_request):
        return Answer(body=some(), fault="raw")

    def follow(url):
        with halt.stream() as stream:
            try:
                explained(lambda: stream.open(http, url, headers={}, connect=5, silence=3600), lambda _error: OSError())
                for piece in stream.pieces(lambda _error: OSError()):
                    outcome.append(piece)
                    part.set()
            except OSError:
                outcome.append("broken")

    with Scripted(answer, authority if tls else None) as served, contextlib.closing(http):
        url = f"{'https' if tls else 'http'}://{served.host}/"
        thread = threading.Thread(target=follow, args=(url,), daemon=True)
        thread.start()
        asked.wait()
        if begun:
            part.wait()
        halt.set()
        thread.join()
    assert outcome == ([b"lines"] if begun else []) + ["broken"]


def test_a_stream_that_was_given_up_before_it_was_opened_does_not_wait():
    halt, http = Halt(), by_pools()
    with Scripted(lambda _request: HANG) as served, contextlib.closing(http):
        halt.set()
        with halt.stream() as stream, pytest.raises(ConnectionAbortedError):
            explained(
                lambda: stream.open(http, f"http://{served.host}/", headers={}, connect=5, silence=3600),
                lambda _error: ConnectionAbortedError(),
            )


def test_importing_it_loads_neither_requests_nor_urllib3(run_python):
    modules = (
        "fairing_az_jupyter.clients.http, fairing_az_jupyter.clients.streams, fairing_az_jupyter.clients.web_files"
    )
    done = run_python(f"import sys, {modules}; print({{'requests', 'urllib3'}} & set(sys.modules))")
    assert done.stdout.strip() == "set()"
