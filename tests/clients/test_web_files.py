"""Files of the web: whole or not at all, and no secret of their addresses is shown or sent on."""

from __future__ import annotations

import contextlib
import traceback

import pytest

from fairing_az_jupyter.clients import web_files
from fairing_az_jupyter.clients.web_files import read_web_file
from fairing_az_jupyter.exceptions import ServiceError, UnreachableError
from tests.clients.registry_faults import no_proxy  # noqa: F401 - a fixture
from tests.clients.registry_servers import MARK, serving


def test_a_login_in_the_address_of_a_web_file_is_in_no_error_and_goes_to_no_other_host():
    with serving(lambda _request: (404, {}, b"")) as other:
        location = f"http://localhost:{other.host.partition(':')[2]}/b.ipynb"
        redirect = 302, {"Location": location}, b""
        with serving(lambda _request: redirect) as served, pytest.raises(ServiceError) as raised:
            read_web_file(f"http://ada:{MARK}@{served.host}/a.ipynb?sig={MARK}")
    assert raised.value.message.startswith(f"Can't read 'http://{served.host}/a.ipynb'")
    assert MARK not in "".join(traceback.format_exception(raised.value))
    assert "Authorization" in served.requests[0].headers
    assert "Authorization" not in other.requests[0].headers


def test_a_web_file_that_breaks_off_is_never_taken_for_the_whole():
    def answer(request):
        request.handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}")

    with serving(answer) as served, pytest.raises(UnreachableError, match="connection failed"):
        read_web_file(f"http://{served.host}/a.ipynb")


def test_a_web_file_without_an_end_does_not_fill_the_memory(monkeypatch):
    def endless(request):
        with contextlib.suppress(OSError):
            request.handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                request.handler.wfile.write(b"40000\r\n" + b"x" * 0x40000 + b"\r\n")

    monkeypatch.setattr(web_files, "_LARGEST", 1 << 20)
    with serving(endless) as served, pytest.raises(ServiceError, match="larger than 1 MiB") as raised:
        read_web_file(f"http://{served.host}/a.ipynb")
    assert raised.value.code == "too-large"
