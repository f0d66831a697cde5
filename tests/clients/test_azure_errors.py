"""Every error of Azure's packages becomes one of ours, with a cause, a fix and no value of a secret."""

from __future__ import annotations

import inspect
import socket
import ssl
import string
import time
from email.utils import formatdate

import pytest
from azure.core import exceptions as azure_exceptions
from requests import exceptions as requests_exceptions

from fairing_az_jupyter.clients.azure.calls import ask
from fairing_az_jupyter.clients.azure.error_codes import MEANINGS
from fairing_az_jupyter.clients.azure.errors import Asked, clock_difference, from_answer, from_azure, transient
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    FairingAzureError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from tests.marked import MARK

SERVICES = ("entra", "arm", "blob")
KNOWN_NAMES = {
    "client_id",
    "tenant_id",
    "subscription",
    "resource_group",
    "account",
    "scope",
    "role",
    "assignee",
    "new_secret",
    "source",
    "cloud",
}


def asked(service="arm", **options):
    return Asked(service, "read the storage account 'contoso'", "management.azure.com", why="It matters.", **options)


def raised_by_the_package(kind):
    """Make an exception of a class, whatever arguments it wants."""
    # Some want a response or a request; what they have in common is their text.
    return kind.__new__(kind, f"{MARK} in the text")


ALL_KINDS = [
    kind
    for _name, kind in inspect.getmembers(azure_exceptions, inspect.isclass)
    # ODataV4Error is what its answer says, and is made from nothing else.
    if issubclass(kind, azure_exceptions.AzureError) and kind is not azure_exceptions.ODataV4Error
]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_no_error_of_azure_core_is_left_unmapped(kind, service):
    ours = from_azure(raised_by_the_package(kind), asked(service))

    assert isinstance(ours, ServiceError)
    assert ours.message.startswith("Can't read the storage account 'contoso': ")
    assert ours.message.endswith("It matters.")
    assert ours.service == service
    assert MARK not in f"{ours} {ours!r} {ours.args}"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, CredentialError),
        (403, NotAllowedError),
        (409, ConflictError),
        (407, UnreachableError),
        (429, ThrottledError),
        (302, UnreachableError),
        (500, ServiceError),
        (503, ServiceError),
    ],
)
def test_a_status_alone_tells_the_kind(service, status, kind):
    ours = from_answer(asked(service), status)

    if service != "entra" or status in {429, 500, 503}:
        assert type(ours) is kind
    assert ours.status == status
    assert f"HTTP {status}" in ours.message


@pytest.mark.parametrize("service", ["arm", "blob"])
def test_a_404_without_the_service_s_own_code_is_not_called_missing(service):
    ours = from_answer(asked(service), 404)

    assert (type(ours), ours.code) == (UnreachableError, "not-the-service")


def test_not_allowed_to_look_is_never_missing():
    for code, meaning in MEANINGS["arm"].items():
        if meaning.error is NotFoundError:
            assert code in {"ResourceNotFound", "ResourceGroupNotFound"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_text_of_the_tables_names_only_what_calls_know(service):
    for code, meaning in MEANINGS[service].items():
        for text in (meaning.problem, meaning.fix):
            fields = {field for _text, field, _spec, _conversion in string.Formatter().parse(text) if field}
            assert fields <= KNOWN_NAMES, (code, fields)
        ours = from_answer(asked(service), 403, code)
        assert "{" not in ours.message + ours.hint


@pytest.mark.parametrize("service", SERVICES)
def test_an_error_of_ours_stays_itself(service):
    own = NotFoundError("There is none.")
    wrapped = azure_exceptions.ClientAuthenticationError("x")
    wrapped.__cause__ = own

    assert from_azure(own, asked(service)) is own
    assert from_azure(wrapped, asked(service)) is own


def caused(kind, *causes):
    error = kind("the package's words")
    last = error
    for cause in causes:
        last.__cause__ = cause
        last = cause
    return error


def certificate_error(code):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


REQUEST, RESPONSE = azure_exceptions.ServiceRequestError, azure_exceptions.ServiceResponseError


@pytest.mark.parametrize(
    ("error", "code", "told", "again"),
    [
        (caused(REQUEST, certificate_error(20)), "untrusted-certificate", "not trusted", False),
        (caused(REQUEST, certificate_error(9)), "certificate-dates", "not valid yet, by this machine's clock", False),
        (caused(REQUEST, certificate_error(10)), "certificate-dates", "no longer valid", False),
        (caused(REQUEST, certificate_error(62)), "certificate-name", "not that of management.azure.com", False),
        (caused(REQUEST, requests_exceptions.ProxyError("http://user:MARKED@proxy")), "proxy", "proxy", True),
        (
            caused(REQUEST, socket.gaierror(socket.EAI_NONAME, "")),
            "no-such-host",
            "management.azure.com not found",
            False,
        ),
        (caused(REQUEST, socket.gaierror(socket.EAI_AGAIN, "")), "name-lookup", "looked up", True),
        (caused(REQUEST, ConnectionRefusedError()), "refused", "refused the connection", True),
        (caused(RESPONSE, ConnectionResetError()), "connection-lost", "was lost", True),
        (caused(RESPONSE, TimeoutError()), "timeout", "in time", True),
        (azure_exceptions.ServiceRequestTimeoutError("x"), "timeout", "in time", True),
        (caused(REQUEST, ssl.SSLEOFError()), "tls", "TLS", True),
        (azure_exceptions.DecodeError("x"), "not-the-service", "not an answer of Azure Resource Manager", False),
    ],
)
def test_why_there_is_no_answer_is_told(error, code, told, again):
    ours = from_azure(error, asked())

    assert isinstance(ours, UnreachableError)
    assert (ours.code, ours.status) == (code, None)
    assert told in ours.message
    assert ours.hint
    assert MARK not in str(ours)
    assert (transient(error) is not None) is again


def test_a_cure_that_the_call_knows_comes_before_the_table_s():
    known = asked(fixes={"not-found": "Do this."})

    assert from_answer(known, 404, "ResourceNotFound").hint == "Do this."


def test_what_a_call_does_not_know_shows_as_a_placeholder():
    assert "--assignee <assignee>" in from_answer(asked(), 403, "AuthorizationFailed").hint


def test_a_code_that_is_no_code_is_not_shown():
    class Careless(azure_exceptions.AzureError):
        error_code = f"<b>{MARK} in the code</b>"

    assert MARK not in str(from_azure(Careless("x"), asked()))


@pytest.mark.parametrize("sent", ["", "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_an_answer_without_a_sensible_date_says_nothing_about_clocks(sent):
    assert clock_difference({"Date": sent}) == 0
    assert clock_difference(None) == 0


def test_the_clock_s_difference_is_read_in_any_case():
    assert abs(clock_difference({"dAtE": formatdate(0, usegmt=True)})) > 1_000_000_000


def test_an_answer_of_just_now_is_no_skew():
    ours = from_answer(asked(), 401, "", {"Date": formatdate(usegmt=True)})

    assert ours.code == "credential"


def test_a_bug_stays_a_bug_and_keeps_its_traceback():
    def broken(_seconds):
        return {}["key"]

    with pytest.raises(KeyError) as caught:
        ask(broken, asked(), timeout=1, deadline=1)

    assert any(entry.name == "broken" for entry in caught.traceback)


def test_an_interrupted_wait_ends_at_once_with_what_went_wrong_before():
    calls = []

    def fails_then_hangs(_seconds):
        calls.append(1)
        if len(calls) == 1:
            raise caused(RESPONSE, ConnectionResetError())
        time.sleep(3)

    with pytest.raises(FairingAzureError) as caught:
        ask(fails_then_hangs, asked(), timeout=1, deadline=1.5)

    assert caught.value.code == "connection-lost"
