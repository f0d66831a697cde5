from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairing_az_jupyter.clients.oci.auth.challenges import Challenge, claims, granted, parse_challenges, token_address
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import UnreachableError
from tests.clients.registry_scene import claims_token

ACR = "https://contosoml.azurecr.io"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a"', [("basic", {"realm": "a"})]),
        ("BASIC Realm=a", [("basic", {"realm": "a"})]),
        (
            f'Bearer realm="{ACR}/oauth2/token",service="contosoml.azurecr.io",scope="repository:a/b:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": f"{ACR}/oauth2/token",
                        "service": "contosoml.azurecr.io",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        ('Bearer  realm = "a" ,\tservice = b', [("bearer", {"realm": "a", "service": "b"})]),
        ('Bearer realm="a" service="b"', [("bearer", {"realm": "a", "service": "b"})]),
        (r'Bearer realm="a\"b\\c, d=e"', [("bearer", {"realm": 'a"b\\c, d=e'})]),
        ('Bearer realm="",x=y', [("bearer", {"realm": "", "x": "y"})]),
        ('Bearer realm="first",realm="second"', [("bearer", {"realm": "first"})]),
        (
            'Basic realm="a", Bearer realm="b",service="c"',
            [("basic", {"realm": "a"}), ("bearer", {"realm": "b", "service": "c"})],
        ),
        ('Negotiate, Basic realm="a"', [("negotiate", {}), ("basic", {"realm": "a"})]),
        ('Negotiate YII+/w==, Basic realm="a"', [("negotiate", {}), ("basic", {"realm": "a"})]),
        (', ,Basic realm="a",, ,Digest x=y', [("basic", {"realm": "a"}), ("digest", {"x": "y"})]),
        ('Bearer realm="never closed', [("bearer", {})]),
    ],
)
def test_challenges_are_read_as_the_standard_writes_them(header, found):
    read = [(one.scheme, dict(one.parameters)) for one in parse_challenges(header)]
    assert read[: len(found)] == found
    assert len(read) == len(found) or "never closed" in header


@given(st.text(alphabet=st.sampled_from('Basic Bearer="\\,\t;:@/é\n'), max_size=200))
def test_no_header_is_too_odd_to_be_read(header):
    assert all(one.scheme for one in parse_challenges(header))


@given(st.dictionaries(st.sampled_from(["realm", "service", "scope"]), st.text(max_size=30), min_size=1))
def test_quoted_values_are_read_back_whatever_they_hold(parameters):
    def quoted(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = "Bearer " + ",".join(f"{name}={quoted(value)}" for name, value in parameters.items())
    assert parse_challenges(header) == (Challenge("bearer", parameters),)


@pytest.mark.parametrize(
    ("base", "realm", "address"),
    [
        (ACR, f"{ACR}/oauth2/token", f"{ACR}/oauth2/token"),
        (ACR, "/oauth2/token", f"{ACR}/oauth2/token"),
        (ACR, "https://CONTOSOML.azurecr.io:443/t", "https://CONTOSOML.azurecr.io:443/t"),
        ("https://index.docker.io", "https://auth.docker.io/token", "https://auth.docker.io/token"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", "http://127.0.0.1:5001/token"),
        ("http://127.0.0.1:5000", "https://127.0.0.1:5001/token", "https://127.0.0.1:5001/token"),
    ],
)
def test_a_token_service_of_the_registry_is_trusted(base, realm, address):
    assert token_address(Challenge("bearer", {"realm": realm}), base) == address


@pytest.mark.parametrize(
    "realm",
    ["https://evil.azurecr.io/token", "https://contosoml.azurecr.io.evil.example/", "https://auth.docker.io/token"],
)
def test_a_token_service_elsewhere_is_not_trusted(realm):
    with pytest.raises(UnreachableError, match="another host"):
        token_address(Challenge("bearer", {"realm": realm}), ACR)


@pytest.mark.parametrize(
    ("access", "actions"),
    [
        ([{"type": "repository", "name": "a/b", "actions": ["pull"]}], {"pull"}),
        ([{"type": "repository", "name": "a/b", "actions": ["*"]}], {"pull", "push", "delete"}),
        ([{"type": "repository", "name": "a/b", "actions": ["pull", "metadata_read", "MARKED"]}], {"pull"}),
        ([{"type": "repository", "name": "a/c", "actions": ["pull"]}], set()),
        ([{"type": "registry", "name": "a/b", "actions": ["pull"]}], set()),
        ([{"type": "repository", "name": "a/b", "actions": None}, 7], set()),
        ([], set()),
        (None, None),
        ({"a": "b"}, None),
    ],
)
def test_a_token_tells_what_it_grants(access, actions):
    assert granted(SecretValue(claims_token(access=access)), "a/b") == actions


@pytest.mark.parametrize("token", ["", "opaque", "a.b.c", "a.W10.c", "a.é.c", "..", "a." + "W1" * 50_000 + ".c"])
def test_a_token_without_readable_claims_tells_nothing(token):
    assert claims(SecretValue(token)) == {}
