"""The registry client against Debian's docker-registry, alone and behind a front that logs in as ACR does."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

from fairing_az_jupyter.clients.oci.auth.challenges import granted
from fairing_az_jupyter.clients.oci.registry import Registry
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import CredentialError, InputError, NotAllowedError, NotFoundError
from fairing_az_jupyter.fairing.images.build_logins import build_login
from fairing_az_jupyter.fairing.images.build_pods import BuildOrder
from tests.clients.registry_scene import (
    AAD_TOKEN,
    AUDIENCE,
    PULLER,
    PUSHER,
    SECRET,
    SECRET_IN_HTPASSWD,
    TENANT,
    acr_service,
    image_layout,
)
from tests.marked import MARK
from tests.stand.scripted import Scripted, errors


@pytest.fixture(scope="module")
def ca_file(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.crt"
    path.write_bytes(authority.bundle.read_bytes())
    return path


@pytest.fixture(scope="module")
def storage(docker_registry, tmp_path_factory):
    """Run a docker-registry that lets everyone in."""
    with docker_registry(tmp_path_factory.mktemp("storage")) as registry:
        yield registry


@pytest.fixture
def acr(authority, storage):
    with Scripted(acr_service(storage.forward), authority) as served:
        yield served


@pytest.fixture
def connect(acr, ca_file):
    """Return a function that makes a client of the ACR-like registry."""
    made = []

    def make(username=PUSHER, password=SECRET, *, host=None, **more):
        secret = None if password is None else SecretValue(password)
        registry = Registry(host or acr.host, username=username, password=secret, **{"verify": str(ca_file), **more})
        made.append(registry)
        return registry

    yield make
    for registry in made:
        registry.close()


@pytest.fixture(scope="module")
def pushed(authority, storage, ca_file, tmp_path_factory):
    """Push an image with skopeo through the front, as team/image:v1."""
    if shutil.which("skopeo") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("skopeo is missing: apt-get install skopeo")
    layout = tmp_path_factory.mktemp("image")
    image_layout(layout)
    with Scripted(acr_service(storage.forward), authority) as served:
        skopeo("copy", f"oci:{layout}", f"docker://{served.host}/team/image:v1", "--dest-creds", served, ca_file)


def skopeo(verb, *arguments):
    *addresses, creds, served, ca_file = arguments
    certificates = creds.replace("creds", "cert-dir")
    policy = ["--insecure-policy"]
    command = ["skopeo", *policy, verb, creds, f"{PUSHER}:{SECRET}", certificates, str(ca_file.parent), *addresses]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{served.host}: {done.stderr}"
    return done.stdout


def test_a_credential_with_all_rights_may_push_and_pull(connect):
    registry = connect()
    push, pull = registry.check_push("team/new"), registry.check_pull("team/new")
    assert (push.push, push.pull, push.granted, push.scheme) == (True, True, {"pull", "push"}, "bearer")
    assert (pull.pull, pull.exists, pull.granted) == (True, False, {"pull"})


def test_a_check_of_push_leaves_nothing_in_the_registry(connect, acr, storage):
    access = connect().check_push("team/nothing-left")
    assert access.cancelled is True
    with urllib.request.urlopen(f"http://{storage.host}/v2/_catalog", timeout=10) as answer:
        assert "team/nothing-left" not in json.load(answer)["repositories"]
    (cancelled,) = acr.asked("DELETE /v2/team/nothing-left/blobs/uploads/")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://{storage.host}{cancelled.target}", timeout=10)
    caught.value.close()
    assert caught.value.code == 404
    # docker-registry 2.8 itself writes an empty upload's hash state again after it has removed the upload.
    left = [path for path in storage.data.rglob("*") if path.is_file() and "nothing-left" in path.parts]
    assert [path for path in left if "hashstates" not in path.parts] == []


def test_an_identity_with_a_token_of_entra_may_push_and_pull_by_way_of_the_exchange(connect, acr):
    registry = connect(None, None, aad_token=SecretValue(AAD_TOKEN))
    assert registry.check_push("team/new").push is True
    exchange = acr.asked("POST /oauth2/exchange")[0].form()
    assert exchange == {"grant_type": "access_token", "service": acr.host, "access_token": AAD_TOKEN}
    token = acr.asked("POST /oauth2/token")[0].form()
    assert token["grant_type"] == "refresh_token"
    assert token["scope"] == "repository:team/new:pull,push"


def test_the_tenant_of_an_entra_token_is_sent_along_where_the_token_tells_it(connect, acr):
    token = acr.answering.entra.token(PUSHER, AUDIENCE)
    connect(None, None, aad_token=SecretValue(token)).check_pull("team/new")
    assert acr.asked("POST /oauth2/exchange")[0].form()["tenant"] == TENANT


def test_a_credential_that_only_pulls_is_told_apart_with_the_role_that_it_needs(connect):
    registry = connect(PULLER)
    assert registry.check_pull("team/new").pull is True
    with pytest.raises(NotAllowedError) as caught:
        registry.check_push("team/new")
    error = caught.value
    assert (error.code, error.service, error.status) == ("not-allowed-push", "registry", 401)
    assert f"'{PULLER}' may not push to 'team/new'" in error.message
    assert "only pull" in error.message
    assert "8311e382-0749-4cb8-b61a-304f252e45ec" in error.hint
    assert "az role assignment create" in error.hint
    assert "Container Registry Repository Writer" in error.hint


def test_a_credential_without_the_right_to_pull_may_not_pull(connect, acr):
    entra, arm = acr.answering.entra, acr.answering.arm
    [pull] = [one for one in arm.assignments if one.oid == entra.apps[PULLER].oid]
    arm.revoke(pull.oid)
    arm.assign(pull.oid, "AcrDelete", pull.scope)
    with pytest.raises(NotAllowedError) as caught:
        connect(PULLER).check_pull("team/new")
    assert caught.value.code == "not-allowed-pull"
    assert "AcrPull" in caught.value.hint
    assert "Container Registry Repository Reader" in caught.value.hint


def test_a_right_for_images_but_not_for_lists_of_tags_is_enough_to_pull(connect, acr):
    behind = acr.answering.behind
    denied = (403, {}, errors("DENIED"))
    acr.answering.behind = lambda request, access: denied if "/tags/" in request.target else behind(request, access)
    access = connect().check_pull("team/new")
    assert (access.pull, access.exists) == (True, None)


@pytest.mark.parametrize("check", ["check_pull", "check_push"])
def test_a_wrong_password_is_told_with_its_cure(connect, check):
    with pytest.raises(CredentialError) as caught:
        getattr(connect(PUSHER, f"{MARK}-wrong"), check)("team/new")
    error = caught.value
    assert (error.code, error.status) == ("credential", 401)
    assert PUSHER in error.message
    assert "wrong or has expired" in error.message
    assert f"az ad sp credential reset --id {PUSHER}" in error.hint
    assert "%fairing_azure secrets create --acr" in error.hint
    assert MARK not in str(error)


@pytest.mark.parametrize(("password", "says"), [(None, "is empty"), ("", "is empty")])
def test_an_empty_password_is_not_even_sent(connect, acr, password, says):
    with pytest.raises(CredentialError, match=says):
        connect(PUSHER, password).check_pull("team/new")
    assert not acr.asked("/oauth2/token")


def test_nobody_is_told_that_a_credential_is_missing(connect):
    with pytest.raises(CredentialError, match="no user name") as caught:
        connect(None, None).check_pull("team/new")
    assert caught.value.code == "credential-missing"


def test_an_entra_token_that_is_not_believed_is_told(connect):
    with pytest.raises(CredentialError, match="rejected the credential") as caught:
        connect(None, None, aad_token=SecretValue(f"{MARK}-old")).check_pull("team/new")
    assert MARK not in str(caught.value)


def test_a_kept_token_that_has_expired_is_renewed(connect, acr):
    registry = connect()
    registry.check_pull("team/new")
    acr.answering.revoke()
    assert registry.check_pull("team/new").pull is True
    assert len(acr.asked("GET /oauth2/token")) == 2


def test_a_token_is_asked_for_once_and_used_for_all_that_it_allows(connect, acr):
    registry = connect()
    for _ in range(3):
        registry.check_pull("team/new")
    assert len(acr.asked("GET /oauth2/token")) == 1
    assert len([one for one in acr.requests if one.target == "/v2/"]) == 1


def test_a_pushed_image_is_there_with_the_digest_that_skopeo_tells(connect, acr, ca_file, pushed):
    registry = connect(PULLER)
    manifest = registry.manifest("team/image", "v1")
    told = json.loads(skopeo("inspect", f"docker://{acr.host}/team/image:v1", "--creds", acr, ca_file))
    assert manifest.digest == told["Digest"]
    assert manifest.media_type == "application/vnd.oci.image.manifest.v1+json"
    assert registry.manifest("team/image", manifest.digest).body == manifest.body
    assert registry.blob_exists("team/image", told["Layers"][0]) is True
    assert registry.blob_exists("team/image", f"sha256:{'0' * 64}") is False
    assert registry.check_pull("team/image").exists is True


def test_an_image_that_is_not_there_is_not_found(connect, pushed):
    with pytest.raises(NotFoundError, match="no image 'team/image:v2'"):
        connect().manifest("team/image", "v2")
    with pytest.raises(NotFoundError, match="no image 'team/none:v1'"):
        connect().manifest("team/none", "v1")


@pytest.mark.parametrize("name", ["", "Team/image", "team//x", "/team", "team/", "team:v1", "a b", "x" * 256, "../v2"])
def test_a_name_that_no_image_can_have_is_refused_before_anything_is_sent(connect, acr, name):
    registry = connect()
    for check in (registry.check_pull, registry.check_push):
        with pytest.raises(InputError):
            check(name)
    assert acr.requests == []


@pytest.mark.parametrize("reference", ["", "a/b", "a:b:c", "x" * 129, "../v2", "v1?n=1"])
def test_a_reference_that_is_none_is_refused_before_anything_is_sent(connect, acr, reference):
    with pytest.raises(InputError):
        connect().manifest("team/image", reference)
    with pytest.raises(InputError):
        connect().blob_exists("team/image", reference)
    assert acr.requests == []


@pytest.mark.parametrize("host", ["", "https://", "a host", "<acr-name>.azurecr.io", "a..b@", "-x.io", "x.io:port"])
def test_a_host_that_is_none_is_refused(host):
    with pytest.raises(InputError, match="not a registry host"):
        Registry(host, username=None, password=None)


def test_every_request_says_which_program_and_version_sends_it(connect, acr):
    import fairing_az_jupyter

    connect().check_push("team/new")
    agents = {one.headers["User-Agent"] for one in acr.requests}
    assert agents == {f"fairing-az-jupyter/{fairing_az_jupyter.__version__}"}


def test_secrets_are_in_no_log_and_no_address(connect, acr, caplog):
    caplog.set_level(logging.DEBUG)
    connect().check_push("team/new")
    connect(None, None, aad_token=SecretValue(AAD_TOKEN)).check_push("team/new")
    assert acr.asked("POST /oauth2/exchange")
    assert MARK not in caplog.text
    assert MARK not in "".join(one.target for one in acr.requests)


def test_a_registry_is_shown_without_its_secrets(connect):
    registry = connect(aad_token=SecretValue(AAD_TOKEN))
    access = registry.check_pull("team/new")
    assert MARK not in f"{registry!r} {access!r} {vars(registry)}"


def test_a_password_file_on_the_machine_does_not_replace_the_credential(connect, acr, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert connect().check_push("team/new").push is True


RIGHTS = {"team/model": "pull,push", "base/python": "pull"}


def bearer(entry):
    return SecretValue(json.loads(entry.reveal())["registrytoken"])


@pytest.mark.parametrize("login", [{}, {"username": None, "password": None, "aad_token": SecretValue(AAD_TOKEN)}])
def test_another_program_gets_a_token_for_the_repositories_that_it_needs_and_no_login(connect, acr, login):
    entry, _ = connect(**login).token_for(RIGHTS)

    token = bearer(entry)
    assert {name: granted(token, name) for name in RIGHTS} == {
        "team/model": {"pull", "push"},
        "base/python": {"pull"},
    }
    assert list(json.loads(entry.reveal())) == ["registrytoken"]
    assert SECRET not in entry.reveal()
    assert MARK not in f"{entry!r} {entry}"


def test_each_program_gets_a_token_of_its_own_that_has_all_of_its_time_left(connect):
    registry = connect()

    assert bearer(registry.token_for(RIGHTS)[0]) != bearer(registry.token_for(RIGHTS)[0])


@pytest.mark.parametrize("life", [60, 300, 4500])
def test_a_token_for_another_program_comes_with_the_seconds_that_it_lives(connect, acr, life):
    acr.answering.lifetime = life

    entry, seconds = connect().token_for(RIGHTS)

    assert seconds == life
    assert "registrytoken" in entry.reveal()


def test_nobody_has_no_login_to_hand_on(connect, acr):
    assert connect(None, None).token_for({"base/python": "pull"}) is None
    assert connect(None, None).login_entry() is None
    assert acr.asked("GET /oauth2/token") == []


def test_a_login_that_is_not_believed_is_not_handed_on(connect):
    with pytest.raises(CredentialError):
        connect(password=f"{MARK}-wrong").token_for(RIGHTS)


@pytest.fixture
def builds(connect, acr):
    """Return a function that makes the docker config of a build: the ACR-like registry is its own or the base's."""

    def make(*, own, registry=None):
        other, image = "elsewhere.example.com", f"{acr.host}/team/model:1"
        base = f"{other}/base/python:3"
        if not own:
            base, image = f"{acr.host}/base/python:3", f"{other}/team/model:1"
        known = {acr.host: registry or connect()}
        launcher = SimpleNamespace(registry=lambda host: known.get(host) or connect(None, None, host=host))
        order = BuildOrder(image=image, tag="1", base=base)
        return json.loads(build_login(launcher, order).reveal())["auths"]

    return make


@pytest.mark.parametrize("own", [True, False])
def test_a_build_gets_tokens_that_outlive_it_for_its_own_registry_and_that_of_its_base(builds, acr, own):
    [(host, entry)] = builds(own=own).items()

    assert (host, list(entry)) == (acr.host, ["registrytoken"])
    assert granted(SecretValue(entry["registrytoken"]), "team/model" if own else "base/python") >= {"pull"}


@pytest.mark.parametrize("life", [60, 300])
def test_a_base_in_a_registry_of_short_tokens_is_pulled_by_nobody_and_the_log_says_so(builds, acr, caplog, life):
    acr.answering.lifetime = life

    assert builds(own=False) == {}
    assert "base/python from registry" in caplog.text
    assert "without a login" in caplog.text
    assert MARK not in caplog.text


def test_short_tokens_of_the_builds_own_registry_are_a_warning_and_never_the_password(builds, acr, caplog):
    acr.answering.lifetime = 300

    [entry] = builds(own=True).values()

    assert list(entry) == ["registrytoken"]
    assert "expire after 300 s" in caplog.text


@pytest.mark.parametrize("own", [True, False])
def test_a_password_reaches_a_build_only_for_its_own_registry_and_where_that_has_no_tokens(builds, basic, caplog, own):
    with Registry(basic, username=PUSHER, password=SecretValue(SECRET), scheme="http") as registry:
        found = list(builds(own=own, registry=registry).values())

    assert found == ([{"username": PUSHER, "password": SECRET}] if own else [])
    assert ("without a login" in caplog.text) is not own


@pytest.fixture
def basic(docker_registry, tmp_path):
    with docker_registry(tmp_path, htpasswd=f"{PUSHER}:{SECRET_IN_HTPASSWD}\n") as registry:
        yield registry.host


def test_a_registry_with_basic_authentication_is_checked_too(basic):
    with Registry(basic, username=PUSHER, password=SecretValue(SECRET), scheme="http") as registry:
        push, pull = registry.check_push("team/new"), registry.check_pull("team/new")
    assert (push.push, push.scheme, push.granted, push.cancelled) == (True, "basic", None, True)
    assert (pull.pull, pull.exists) == (True, False)


def test_a_registry_without_a_token_service_needs_the_login_itself(basic):
    with Registry(basic, username=PUSHER, password=SecretValue(SECRET), scheme="http") as registry:
        assert registry.token_for(RIGHTS) is None
        entry = registry.login_entry()

    assert json.loads(entry.reveal()) == {"username": PUSHER, "password": SECRET}


@pytest.mark.parametrize("check", ["check_pull", "check_push"])
def test_a_wrong_password_for_basic_authentication_is_told(basic, check):
    with Registry(basic, username=PUSHER, password=SecretValue(f"{MARK}-wrong"), scheme="http") as registry:
        with pytest.raises(CredentialError, match="wrong or has expired") as caught:
            getattr(registry, check)("team/new")
        assert MARK not in str(caught.value)


def test_a_registry_with_basic_authentication_has_no_use_for_an_entra_token(basic):
    with (
        Registry(basic, username=None, password=None, aad_token=SecretValue(AAD_TOKEN), scheme="http") as registry,
        pytest.raises(CredentialError, match="only a user name and a password"),
    ):
        registry.check_pull("team/new")


def test_a_registry_without_authentication_lets_everyone_in(storage):
    with Registry(storage.host, username=None, password=None, scheme="http") as registry:
        access = registry.check_push("team/new")
    assert (access.push, access.scheme) == (True, "none")


def test_the_client_costs_nothing_until_it_is_used(run_python):
    done = run_python("import sys, fairing_az_jupyter.clients.oci.registry; print('requests' in sys.modules)")
    assert done.stdout.strip() == "False"
