from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import traceback

import pytest

from fairing_az_jupyter.clients.oci.auth.docker_config import (
    ACR_TOKEN_USER,
    docker_config_of,
    make_docker_config,
    parse_docker_config,
    registry_host,
    with_login,
)
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import CredentialError, InputError, NotFoundError

HOST = "contosoml.azurecr.io"
SECRET = "MARKED-secret:with~colons=="


def auth(text):
    return base64.b64encode(text.encode()).decode()


def config(entry, key=HOST):
    return json.dumps({"auths": {key: entry}})


def refused(text):
    with pytest.raises(CredentialError) as caught:
        parse_docker_config(text)
    error = caught.value
    assert error.service == "registry"
    assert error.hint
    assert "MARKED" not in "".join(traceback.format_exception(error))
    assert "MARKED" not in repr(error.args)
    assert error.__context__ is None  # json's exception holds the document
    assert error.__cause__ is None
    return error.message


@pytest.mark.parametrize(
    "entry",
    [
        {"username": "id", "password": SECRET},
        {"auth": auth(f"id:{SECRET}")},
        {"auth": auth(f"id:{SECRET}").rstrip("=")},
        {"auth": auth(f"id:{SECRET}")[:8] + "\r\n" + auth(f"id:{SECRET}")[8:] + "\n"},
        {"auth": auth(f"id:{SECRET}\0")},
        {"auth": auth(f"id:{SECRET}"), "username": "other", "password": "other"},
        {"username": "id", "password": SECRET, "email": "a@b.example", "auth": auth(f"id:{SECRET}")},
    ],
)
@pytest.mark.parametrize("kind", [str, SecretValue, str.encode])
def test_every_form_of_a_login_gives_the_same_user_and_password(entry, kind):
    login = parse_docker_config(kind(config(entry))).find(HOST)
    assert (login.host, login.username, login.password.reveal()) == (HOST, "id", SECRET)


def test_an_identity_token_becomes_the_login_that_acr_documents_for_it():
    entry = {"auth": auth(f"{ACR_TOKEN_USER}:"), "identitytoken": SECRET}
    login = parse_docker_config(config(entry)).find(HOST)
    assert (login.username, login.password.reveal()) == (ACR_TOKEN_USER, SECRET)


@pytest.mark.parametrize(
    ("written", "host"),
    [
        (f"https://{HOST}", HOST),
        (f"HTTPS://{HOST.upper()}/v2/", HOST),
        (f" http://{HOST}:5000/team ", f"{HOST}:5000"),
        ("https://index.docker.io/v1/", "index.docker.io"),
        ("docker.io", "index.docker.io"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_hosts_are_recognised_in_every_spelling(written, host):
    assert registry_host(written) == host
    config_of_host = parse_docker_config(config({"username": "id", "password": SECRET}, key=written))
    assert config_of_host.find(host).host == host


@pytest.mark.parametrize(
    ("key", "repository", "says"),
    [
        (HOST, "model", ""),
        (f"https://{HOST}/v1/", "model", ""),
        (f"{HOST}/v2/team", "team/model", ""),
        (f"https://{HOST}/team/", "team/model", ""),
        (f"user:pass@{HOST}", "model", ""),
        ("docker.io", "model", ""),
        (HOST.upper(), "model", "capital letters"),
        (f"https://{HOST}/v1", "model", "below '/v1'"),
        (f"{HOST}/team/", "teams/model", "below '/team/'"),
        (f" {HOST}", "model", "in a form that nodes do not support"),
    ],
)
def test_it_is_told_which_logins_nodes_pass_over(key, repository, says):
    found = parse_docker_config(config({"username": "id", "password": SECRET}, key=key))
    told = found.logins[0].unread_by_nodes(repository)
    assert bool(told) == bool(says)
    assert says in told


def test_a_key_is_not_shown_since_it_may_hold_a_password():
    found = parse_docker_config(config({"username": "id", "password": "other"}, key=f"user:{SECRET}@{HOST}"))
    assert SECRET not in repr(found) + found.logins[0].unread_by_nodes("model")


def test_a_login_for_another_host_is_not_taken_and_is_named():
    found = parse_docker_config(config({"username": "id", "password": SECRET}, key="contosolm.azurecr.io"))
    with pytest.raises(NotFoundError) as caught:
        found.find(HOST)
    assert HOST in caught.value.message
    assert "'contosolm.azurecr.io'" in caught.value.message
    assert "Did you mean 'contosolm.azurecr.io'?" in caught.value.hint
    assert "MARKED" not in str(caught.value)


def test_a_host_that_is_nothing_like_it_is_not_suggested():
    found = parse_docker_config(config({"username": "id", "password": SECRET}, key="ghcr.io"))
    with pytest.raises(NotFoundError) as caught:
        found.find(HOST)
    assert "Did you mean" not in caught.value.hint


def test_the_other_port_of_a_host_is_another_registry():
    found = parse_docker_config(config({"username": "id", "password": SECRET}, key=f"{HOST}:5000"))
    with pytest.raises(NotFoundError):
        found.find(HOST)


def test_all_logins_of_a_document_are_found():
    text = json.dumps({"auths": {name: {"auth": auth(f"{name}:{SECRET}")} for name in ("a.example", "b.example")}})
    assert parse_docker_config(text).find("b.example").username == "b.example"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        (b"", "it is empty"),
        ("MARKED{", "line 1, column 1"),
        (f'{{"auths": {{"x": {{"password": "{SECRET}"}}}}', "not valid JSON (line 1"),
        ("\ufeff" + config({"auth": auth(f"id:{SECRET}")}), "not valid JSON (line 1, column 1)"),
        (b'{"auths": "MARKED\xff"}', "not UTF-8"),
        (config({}).encode("utf-16"), "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ('["MARKED"]', "not an object"),
        ("null", "not an object"),
        ('{"credsStore": "desktop"}', "no 'auths'"),
        ('{"auths": ["MARKED"]}', "'auths' is not an object"),
        ('{"auths": {}}', "'auths' is empty"),
        (json.dumps({HOST: {"auth": auth(f"id:{SECRET}")}}), "older type kubernetes.io/dockercfg"),
        (config("MARKED"), f"'{HOST}' is not an object"),
        (config({}), "has no login"),
        (config({"username": "id"}), "has no password"),
        (config({"username": "id", "password": ""}), "has no password"),
        (config({"password": SECRET}), "has no user name"),
        (config({"username": 7, "password": SECRET}), "'username' that is not text"),
        (config({"username": "id", "password": ["MARKED"]}), "'password' that is not text"),
        (config({"auth": "MARKED secret!"}), "'auth' that is not base64"),
        (config({"auth": "MARKEDé"}), "'auth' that is not base64"),
        (config({"auth": base64.b64encode(b"id:MARKED\xff").decode()}), "not base64 of UTF-8 text"),
        (config({"auth": auth("MARKED-without-colon")}), "not base64 of USER:PASSWORD"),
        (config({"auth": auth(f":{SECRET}")}), "has no user name"),
        (config({"auth": auth("id:")}), "has no password"),
        (config({"auth": auth(f"id:{SECRET}\n")}), "line break"),
        (config({"username": "id", "password": f" {SECRET}"}), "begins or ends with a blank"),
        (config({"username": "id", "password": "MARKED\0x"}), "control character"),
        (config({"username": "id", "password": SECRET}, key="https://"), "names no host"),
        (config({}, key=f"https://id:MARKED@{HOST}"), f"'{HOST}' has no login"),
        ('{"auths": ' + "7" * 5000 + "}", "JSON" if sys.version_info >= (3, 10, 7) else "not an object"),
    ],
)
def test_a_broken_document_is_told_by_its_place_and_shows_no_value(text, says):
    assert says in refused(text)


def test_a_made_config_is_read_back_and_has_the_form_that_kubectl_makes():
    made = make_docker_config(f"https://{HOST}/team", "id", SecretValue(SECRET))
    login = parse_docker_config(made).find(HOST)
    assert (login.username, login.password.reveal()) == ("id", SECRET)
    entry = {"username": "id", "password": SECRET, "auth": auth(f"id:{SECRET}")}
    assert json.loads(made.reveal()) == {"auths": {HOST: entry}}


def test_neither_a_made_config_nor_its_login_shows_the_password():
    made = make_docker_config(HOST, "id", SecretValue(SECRET))
    found = parse_docker_config(made)
    assert "MARKED" not in f"{made!r} {made} {found!r} {found.find(HOST)!r}"


def test_skopeo_reads_a_made_config(tmp_path):
    skopeo = shutil.which("skopeo")
    if skopeo is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("skopeo is missing: apt-get install skopeo")
    path = tmp_path / "config.json"
    path.write_text(make_docker_config(HOST, "id", SecretValue(SECRET)).reveal())
    done = subprocess.run(
        [skopeo, "login", "--authfile", path, "--get-login", HOST],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "id"), done.stderr


@pytest.mark.parametrize(
    ("host", "username", "password", "says"),
    [
        ("", "id", SECRET, "host is empty"),
        ("https:///x", "id", SECRET, "host is empty"),
        ("a host", "id", SECRET, "a blank in it"),
        (HOST, "", SECRET, "user name is empty"),
        (HOST, "id:x", SECRET, "has a colon"),
        (HOST, "id\n", SECRET, "control character"),
        (HOST, "id", "", "password is empty"),
        (HOST, "id", f"{SECRET}\n", "line break"),
        (HOST, "id", f"{SECRET}\r\n", "line break"),
        (HOST, "id", "MARKED\x07x", "control character"),
        (HOST, "id", "MARKED\udc80x", "control character"),
    ],
)
def test_a_config_that_no_registry_could_use_is_not_made(host, username, password, says):
    with pytest.raises(InputError, match=says) as caught:
        make_docker_config(host, username, SecretValue(password))
    assert "MARKED" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


OTHERS = {
    "auths": {
        "ghcr.io": {"auth": auth('bot:é"☃'), "email": ""},
        "https://index.docker.io/v1/": {"auth": auth("00000000:"), "identitytoken": "MARKED-token"},
        "contosoml.azurecr.us": {"username": "id", "password": "MARKED-us"},
        "broken": None,
    },
    "credHelpers": {HOST: "acr-env"},
    "HttpHeaders": {"X-Meta": ["ü", 1, 2.5, True, None]},
}


def added(existing, host=HOST, username="new", password=SECRET):
    return with_login(existing, host, username, SecretValue(password))


@pytest.mark.parametrize("kind", [str, SecretValue, str.encode])
def test_a_login_is_added_and_every_other_entry_and_key_keeps_its_value(kind):
    made = json.loads(added(kind(json.dumps(OTHERS, indent=4, ensure_ascii=False))).reveal())

    assert made["auths"].pop(HOST) == {"username": "new", "password": SECRET, "auth": auth(f"new:{SECRET}")}
    assert made == OTHERS
    assert list(made) == list(OTHERS)
    assert list(made["auths"]) == list(OTHERS["auths"])


@pytest.mark.parametrize("spelt", [HOST, f"https://{HOST}", f"{HOST}/", f"HTTPS://{HOST.upper()}/v2/", f"{HOST}/team"])
def test_a_login_replaces_every_spelling_of_its_host_in_its_place(spelt):
    old = {"auth": auth("old:MARKED-old"), "identitytoken": "MARKED-old"}
    before = {"auths": {"a.example": {"auth": "YTph"}, spelt: old, f"http://{HOST}": old, "z.example": {}}}

    made = json.loads(added(json.dumps(before)).reveal())["auths"]

    assert list(made) == ["a.example", HOST, "z.example"]
    assert "MARKED-old" not in json.dumps(made)
    assert made[HOST]["username"] == "new"


def test_the_other_port_of_a_host_keeps_its_login():
    before = {"auths": {f"{HOST}:5000": {"auth": "YTph"}}}
    assert list(json.loads(added(json.dumps(before)).reveal())["auths"]) == [f"{HOST}:5000", HOST]


def test_a_second_login_as_the_same_user_changes_no_byte():
    first = added(json.dumps(OTHERS, indent=2))
    assert added(first).reveal() == first.reveal()
    pretty = json.dumps(json.loads(first.reveal()), indent=2) + "\r\n"
    assert added(pretty).reveal() == pretty
    assert (
        added(None).reveal()
        == added(added(None)).reveal()
        == make_docker_config(HOST, "new", SecretValue(SECRET)).reveal()
    )


@pytest.mark.parametrize(
    "existing",
    [None, "", b"", "MARKED{", '["MARKED"]', "null", "7", "[" * 100_000, '{"x": NaN}', '{"x": 1e999}', b"\xff\xfe{}"],
)
def test_what_is_no_json_object_is_replaced(existing):
    assert added(existing).reveal() == make_docker_config(HOST, "new", SecretValue(SECRET)).reveal()


@pytest.mark.parametrize("auths", ["null", '["MARKED"]', '"x"', "{}"])
def test_auths_that_hold_nothing_are_replaced_and_their_neighbours_stay(auths):
    made = json.loads(added(f'{{"credsStore": "desktop", "auths": {auths}}}').reveal())
    assert made["credsStore"] == "desktop"
    assert list(made["auths"]) == [HOST]


def test_a_byte_that_is_no_utf8_costs_no_other_login():
    existing = b'{"auths": {"ghcr.io": {"auth": "YTph", "email": "\xff"}}}'
    for form in (existing, SecretValue(existing.decode("utf-8", "surrogateescape"))):
        assert parse_docker_config(added(form)).find("ghcr.io").username == "a"
        added(form).reveal().encode("utf-8")


def test_a_login_that_no_registry_could_use_is_not_added():
    with pytest.raises(InputError, match="line break") as caught:
        added(json.dumps(OTHERS), password=f"{SECRET}\n")
    assert "MARKED" not in "".join(traceback.format_exception(caught.value))
    assert "MARKED" not in repr(added(json.dumps(OTHERS)))


def test_entries_of_other_registries_may_be_without_a_login_where_one_registry_matters():
    text = json.dumps({"auths": {"ghcr.io": {}, "b.example": None, HOST: {"auth": auth(f"id:{SECRET}")}}})
    assert parse_docker_config(text, host=HOST).find(HOST).username == "id"
    assert "'ghcr.io' has no login" in refused(text)


def test_the_registry_that_matters_has_to_have_a_login():
    with pytest.raises(CredentialError, match="has no login"):
        parse_docker_config(config({}), host=f"https://{HOST}/team")
    with pytest.raises(NotFoundError, match="only for no host"):
        parse_docker_config(config({}, key="ghcr.io"), host=HOST).find(HOST)


def test_what_kubernetes_can_not_read_fails_for_whichever_registry_it_is():
    text = json.dumps({"auths": {"ghcr.io": {"auth": "MARKED secret!"}, HOST: {"auth": auth(f"id:{SECRET}")}}})
    with pytest.raises(CredentialError, match=r"'ghcr\.io' has an 'auth' that is not base64"):
        parse_docker_config(text, host=HOST)


def test_a_docker_config_of_made_entries_names_docker_hub_as_its_readers_look_for_it():
    entries = {
        "contosoml.azurecr.io": SecretValue('{"registrytoken": "one"}'),
        "index.docker.io": SecretValue('{"auth": "two"}'),
    }

    made = docker_config_of(entries)

    assert json.loads(made.reveal()) == {
        "auths": {"contosoml.azurecr.io": {"registrytoken": "one"}, "https://index.docker.io/v1/": {"auth": "two"}}
    }
