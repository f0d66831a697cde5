"""Files of the web: whole or not at all, and no secret of their addresses is shown or sent on."""

from __future__ import annotations

import traceback

import pytest

from fairing_az_jupyter.clients import web_files
from fairing_az_jupyter.clients.web_files import read_web_file
from fairing_az_jupyter.exceptions import ServiceError, UnreachableError
from tests.clients.registry_faults import no_proxy  # noqa: F401 - a fixture
from tests.marked import MARK
from tests.stand.scripted import Scripted
from tests.stand.web import dripping


def test_a_login_in_the_address_of_a_web_file_is_in_no_error_and_goes_to_no_other_host():
    with Scripted(lambda _request: (404, {}, b"")) as other:
        location = f"http://localhost:{other.port}/b.ipynb"
        redirect = 302, {"Location": location}, b""
        with Scripted(lambda _request: redirect) as served, pytest.raises(ServiceError) as raised:
            read_web_file(f"http://ada:{MARK}@{served.host}/a.ipynb?sig={MARK}")
    assert raised.value.message.startswith(f"Can't read 'http://{served.host}/a.ipynb'")
    assert MARK not in "".join(traceback.format_exception(raised.value))
    assert "Authorization" in served.requests[0].headers
    assert "Authorization" not in other.requests[0].headers


def test_a_web_file_that_breaks_off_is_never_taken_for_the_whole():
    def answer(request):
        return 200, {"Content-Length": "99"}, b"{}"

    with Scripted(answer) as served, pytest.raises(UnreachableError, match="connection failed"):
        read_web_file(f"http://{served.host}/a.ipynb")


def test_a_web_file_without_an_end_does_not_fill_the_memory(monkeypatch):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    endless = dripping(head, b"40000\r\n" + b"x" * 0x40000 + b"\r\n", every=0)
    monkeypatch.setattr(web_files, "_LARGEST", 1 << 20)
    with Scripted(lambda _request: endless) as served, pytest.raises(ServiceError, match="larger than 1 MiB") as raised:
        read_web_file(f"http://{served.host}/a.ipynb")
    assert raised.value.code == "too-large"
