"""From nothing to all that a launch needs, on a real API server under Kubeflow's own roles."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    FairingAzureError,
    InputError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    SettingsError,
)
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.settings import Settings, from_notebook
from fairing_az_jupyter.setup.principal import SecretValues, gather
from fairing_az_jupyter.setup.secrets import attach_pull_secret, create_secrets, describe_secrets

AZCREDS = ("AZ_CLIENT_ID", "AZ_CLIENT_SECRET", "AZ_TENANT_ID", "AZ_SUBSCRIPTION_ID")


class Bench:
    """One namespace of the stand, and the commands as they are given."""

    def __init__(self, stand, setup):
        self.stand, self.setup = stand, setup
        self.admin = stand.control_plane.admin
        self.base = f"/api/v1/namespaces/{setup.namespace}"
        self.marks = set(setup.marks)
        self.written = []
        self.reads = []

    def context(self, broken=None, **settings):
        return CheckContext(
            Settings(**{**from_notebook(self.setup.settings), **settings}),
            broken=broken or {},
            environ={**os.environ, **self.setup.environment},
            service_account_folder=self.setup.service_account,
        )

    def create(self, *, environ=None, context=None, expires=None, read=None, **options):
        def usual(needed, keepable):
            self.reads.append((needed, keepable))
            given = self.setup.azcreds if environ is None else environ
            return gather(environ=given, file=None, ask=None, needed=needed, keepable=keepable, expires=expires)

        given = {"azure": True, "acr": True, "only_secret": False, "dry_run": False, "verify": True, "replace": False}
        changes = create_secrets(context or self.context(), read=read or usual, **{**given, **options})
        self.written.append(repr(changes) + json.dumps([change.to_dict() for change in changes]))
        return changes

    def refused(self, kind=FairingAzureError, **options):
        with pytest.raises(kind) as caught:
            self.create(**options)
        self.written += [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
        assert caught.value.hint
        return caught.value

    def object(self, kind, name):
        answer = self.admin.call("GET", f"{self.base}/{kind}/{name}")
        return answer.json() if answer.ok else None

    def secret(self, name):
        data = self.object("secrets", name)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def logins(self):
        return json.loads(self.secret("acrcreds")[".dockerconfigjson"])["auths"]

    def pull_secrets(self):
        return [entry["name"] for entry in self.object("serviceaccounts", "default-editor").get("imagePullSecrets", [])]

    def versions(self):
        names = (("secrets", "azcreds"), ("secrets", "acrcreds"), ("serviceaccounts", "default-editor"))
        objects = [self.object(kind, name) for kind, name in names]
        return [found and found["metadata"]["resourceVersion"] for found in objects]

    def new_secret(self, **options):
        secret = f"MARK-{uuid.uuid4()}"
        self.stand.entra.register(self.setup.tenant, self.setup.client, secret, **options)
        pair = f"{self.setup.client}:{secret}"
        self.marks |= {secret, pair, *(base64.b64encode(text.encode()).decode() for text in (secret, pair))}
        return secret


@pytest.fixture
def bench(request, stand, namespace):
    """The namespace of a correct set-up without its Secrets; in the end no mark may be in anything that was written."""
    made = Bench(stand, stand.correct_setup(namespace, prepared=False, **getattr(request, "param", {})))
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield made
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    everything = "".join(made.written) + log.getvalue()
    assert [mark for mark in made.marks if mark in everything] == []


def outcomes(changes):
    return [(change.kind, change.name, change.outcome) for change in changes]


def all_of(outcome, account=None):
    names = (("Secret", "azcreds"), ("Secret", "acrcreds"))
    return [*((*name, outcome) for name in names), ("ServiceAccount", "default-editor", account or outcome)]


def test_from_nothing_to_all_that_a_launch_needs_and_once_more(bench):
    changes = bench.create()

    assert outcomes(changes) == all_of("created", "updated")
    assert [change.keys for change in changes] == [AZCREDS, (".dockerconfigjson",), ()]
    assert [change.note for change in changes] == ["", "", ""]
    assert bench.secret("azcreds") == bench.setup.azcreds
    assert bench.logins() == bench.setup.dockerconfig["auths"]
    assert bench.pull_secrets() == ["acrcreds"]
    assert bench.object("secrets", "azcreds")["type"] == "Opaque"
    assert bench.object("secrets", "acrcreds")["type"] == "kubernetes.io/dockerconfigjson"

    before = bench.versions()
    assert outcomes(bench.create()) == all_of("unchanged")
    # Nothing has to be given any more.
    assert outcomes(bench.create(environ={})) == all_of("unchanged")
    assert bench.reads[-1][1] == {"client_id", "client_secret", "tenant_id", "subscription_id"}
    assert bench.versions() == before


def test_a_dry_run_tells_everything_and_writes_nothing(bench):
    before = bench.versions()
    assert outcomes(bench.create(dry_run=True)) == all_of("created", "updated")
    assert bench.versions() == before
    assert before[:2] == [None, None]


def test_what_others_have_put_there_stays(bench):
    theirs = {"auths": {"other.example": {"auth": "dTpw"}, bench.setup.login_server: {"auth": "b2xkOm9sZA=="}}}
    data = {".dockerconfigjson": json.dumps(theirs)}
    body = {"metadata": {"name": "acrcreds"}, "type": "kubernetes.io/dockerconfigjson", "stringData": data}
    bench.admin.post(f"{bench.base}/secrets", body)
    bench.admin.post(f"{bench.base}/secrets", {"metadata": {"name": "azcreds"}, "stringData": {"theirs": "x"}})
    account = {"imagePullSecrets": [{"name": "first"}, {"name": "second"}]}
    bench.admin.patch(f"{bench.base}/serviceaccounts/default-editor", account)

    assert outcomes(bench.create()) == all_of("updated")

    assert bench.logins() == {"other.example": {"auth": "dTpw"}, **bench.setup.dockerconfig["auths"]}
    assert bench.secret("azcreds") == {**bench.setup.azcreds, "theirs": "x"}
    assert bench.pull_secrets() == ["first", "second", "acrcreds"]


def test_a_login_that_comes_while_the_user_types_stays(bench):
    bench.create()

    def read(needed, keepable):
        bench.admin.patch(f"{bench.base}/secrets/acrcreds", {"stringData": {".dockerconfigjson": config}})
        return gather(environ={"AZ_CLIENT_SECRET": secret}, file=None, ask=None, needed=needed, keepable=keepable)

    config = json.dumps({"auths": {"other.example": {"auth": "dTpw"}, **bench.logins()}})
    secret = bench.new_secret()
    assert bench.create(read=read)[1].outcome == "updated"
    assert set(bench.logins()) == {"other.example", bench.setup.login_server}
    assert bench.logins()[bench.setup.login_server]["password"] == secret


def test_two_at_once_end_with_one_set_of_objects(bench):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: bench.create(), range(3)))
    assert bench.logins() == bench.setup.dockerconfig["auths"]
    assert bench.pull_secrets() == ["acrcreds"]
    assert outcomes(bench.create()) == all_of("unchanged")


def test_the_registrys_secret_is_made_from_the_other_one_without_a_question(bench):
    bench.create(acr=False)
    assert bench.pull_secrets() == []
    bench.reads.clear()

    assert outcomes(bench.create(azure=False)) == all_of("created", "updated")[1:]

    assert bench.reads == []
    assert bench.logins() == bench.setup.dockerconfig["auths"]


def test_an_expired_client_secret_is_refused_and_renewed_in_both(bench):
    bench.create(expires="2031-01-02")
    bench.stand.entra.apps[bench.setup.client].secrets[bench.setup.secret] = time.time() - 60
    before = bench.versions()

    error = bench.refused(CredentialError)
    assert error.code == "expired-secret"
    assert "Nothing was written" in error.message
    assert "--unverified" in error.hint
    assert bench.versions() == before

    secret = bench.new_secret()
    changes = bench.create(only_secret=True, environ={"AZ_CLIENT_SECRET": secret})
    assert outcomes(changes) == all_of("updated")[:2]
    assert bench.reads[-1] == (("client_secret",), frozenset())
    assert changes[0].keys == ("AZ_CLIENT_SECRET",)
    assert bench.secret("azcreds") == {**bench.setup.azcreds, "AZ_CLIENT_SECRET": secret}
    assert bench.logins()[bench.setup.login_server]["password"] == secret
    # The day of the former secret says nothing about the new one.
    assert describe_secrets(bench.context())[0].expires == ""
    changes = bench.create(only_secret=True, environ={"AZ_CLIENT_SECRET": secret}, expires="2032-03-04")
    assert outcomes(changes) == [("Secret", "azcreds", "updated"), ("Secret", "acrcreds", "unchanged")]
    again = bench.create(only_secret=True, environ={"AZ_CLIENT_SECRET": secret})
    assert outcomes(again) == all_of("unchanged")[:2]
    assert describe_secrets(bench.context())[0].expires == "2032-03-04"


def test_a_renewal_leaves_the_login_of_another_user_alone(bench):
    bench.create(acr=False)
    config = {"auths": {bench.setup.login_server: {"username": "robot", "password": "p"}}}
    data = {".dockerconfigjson": json.dumps(config)}
    body = {"metadata": {"name": "acrcreds"}, "type": "kubernetes.io/dockerconfigjson", "stringData": data}
    bench.admin.post(f"{bench.base}/secrets", body)

    first, second = bench.create(only_secret=True, environ={"AZ_CLIENT_SECRET": bench.new_secret()})

    assert (first.outcome, second.outcome) == ("updated", "unchanged")
    assert "another user" in second.note
    assert bench.logins() == config["auths"]


def test_a_renewal_needs_something_to_renew(bench):
    assert "fairing-azure secrets create" in bench.refused(InputError, only_secret=True).hint
    keys = {key: value for key, value in bench.setup.azcreds.items() if key != "AZ_TENANT_ID"}
    bench.admin.post(f"{bench.base}/secrets", {"metadata": {"name": "azcreds"}, "stringData": keys})
    assert "AZ_TENANT_ID is missing" in bench.refused(InputError, only_secret=True).message
    assert bench.reads == []


def test_a_wrong_secret_is_refused_unless_told_to_write_it_untried(bench):
    wrong = {**bench.setup.azcreds, "AZ_CLIENT_SECRET": f"MARK-{uuid.uuid4()}"}
    bench.marks.add(wrong["AZ_CLIENT_SECRET"])

    assert bench.refused(CredentialError, environ=wrong).code == "wrong-secret"
    assert bench.object("secrets", "azcreds") is None
    assert outcomes(bench.create(environ=wrong, verify=False)) == all_of("created", "updated")


def test_an_entra_id_that_does_not_answer_is_noted_and_stops_nothing(bench):
    bench.stand.entra_front.refuse(503)
    changes = bench.create()
    assert outcomes(changes) == all_of("created", "updated")
    assert "not tested" in changes[0].note


def test_the_secret_of_another_application_is_never_kept(bench):
    bench.create()
    other = {"AZ_CLIENT_ID": str(uuid.uuid4())}
    assert "belongs to the former one" in bench.refused(InputError, environ=other).message


@pytest.mark.parametrize(
    ("settings", "broken", "words"),
    [
        ({"docker_registry": None}, {}, "DOCKER_REGISTRY is not set."),
        ({}, {"docker_registry": "DOCKER_REGISTRY is no login server."}, "DOCKER_REGISTRY is no login server."),
        ({}, {"namespace": "NAMESPACE must be made of letters."}, "NAMESPACE must be"),
        ({"registry_secret_name": "azcreds"}, {}, "Both Secrets are named 'azcreds'"),
    ],
)
def test_a_setting_that_is_missing_or_broken_stops_everything(bench, settings, broken, words):
    error = bench.refused(SettingsError, context=bench.context(broken, **settings))
    assert words in error.message
    assert bench.reads == []
    assert bench.versions()[:2] == [None, None]


def test_a_missing_registry_does_not_hinder_the_other_secret(bench):
    context = bench.context({"docker_registry": "DOCKER_REGISTRY is a placeholder."})
    assert outcomes(bench.create(context=context, acr=False)) == all_of("created")[:1]


def test_a_write_that_fails_tells_what_was_written_and_repeating_finishes_it(bench):
    # Its dry run passes, and so does what is looked at.
    bench.stand.kubernetes_front.refuse(403, path="/secrets", method="POST", skip=3)

    error = bench.refused(ServiceError)

    assert "Written before that: Secret 'azcreds'." in error.message
    assert "same command again" in error.hint
    assert bench.versions()[1] is None
    bench.stand.kubernetes_front.clear()
    assert [change.outcome for change in bench.create()] == ["unchanged", "created", "updated"]


def test_a_dry_run_that_fails_writes_nothing(bench):
    bench.stand.kubernetes_front.refuse(403, path="/serviceaccounts/", method="PATCH")
    before = bench.versions()
    error = bench.refused(NotAllowedError)
    assert "Written before" not in error.message
    assert bench.versions() == before


def test_a_secret_of_another_type_is_replaced_only_on_request(bench):
    bench.admin.post(f"{bench.base}/secrets", {"metadata": {"name": "acrcreds"}, "stringData": {"x": "y"}})
    before = bench.versions()
    assert "--replace" in bench.refused(ConflictError).hint
    assert bench.versions() == before
    assert [change.outcome for change in bench.create(replace=True)] == ["created", "updated", "updated"]
    assert bench.logins() == bench.setup.dockerconfig["auths"]


@pytest.mark.parametrize("bench", [{"role": "kubeflow-view"}], indirect=True)
def test_who_may_only_look_is_refused_before_anything_is_asked(bench):
    error = bench.refused(NotAllowedError)
    assert "verb 'get' on 'secrets'" in error.message
    assert "administrator" in error.hint
    assert bench.reads == []
    states = describe_secrets(bench.context())
    assert [state.state for state in states] == ["not-allowed", "not-allowed", "present"]
    with pytest.raises(NotAllowedError, match="verb 'patch' on 'serviceaccounts'"):
        attach_pull_secret(bench.context(), dry_run=False)


def test_a_missing_service_account_or_namespace_is_told_before_anything_is_asked(bench):
    error = bench.refused(NotFoundError, context=bench.context(service_account="nobody"))
    assert "ServiceAccount 'nobody' in namespace" in error.message
    token = bench.stand.control_plane._admin_token  # noqa: SLF001 - who may look everywhere
    (bench.setup.service_account / "token").write_text(token)
    bench.marks.add(token)
    error = bench.refused(NotFoundError, context=bench.context(namespace="no-such-team"))
    assert "namespace 'no-such-team'" in error.message
    assert bench.reads == []
    error = bench.refused(NotFoundError, context=bench.context(namespace="no-such-team"), acr=False)
    assert error.code == "not-found-namespace"


def test_the_service_account_is_told_of_a_secret_that_is_not_there_yet(bench):
    (dry,) = attach_pull_secret(bench.context(), dry_run=True)
    assert (dry.outcome, bench.pull_secrets()) == ("updated", [])
    (change,) = attach_pull_secret(bench.context(), dry_run=False)
    assert "does not exist yet" in change.note
    assert bench.pull_secrets() == ["acrcreds"]
    bench.create()
    (change,) = attach_pull_secret(bench.context(), dry_run=False)
    assert (change.outcome, change.note) == ("unchanged", "")


def test_what_is_there_is_described_without_a_value(bench):
    missing = describe_secrets(bench.context())
    assert [state.state for state in missing] == ["missing", "missing", "present"]
    bench.create(expires="2031-01-02")

    azcreds, acrcreds, account = describe_secrets(bench.context())

    assert (azcreds.type, azcreds.keys, azcreds.expires) == ("Opaque", tuple(sorted(AZCREDS)), "2031-01-02")
    assert azcreds.created.startswith(str(date.today().year))  # noqa: DTZ011 - the stand's clock is this one
    assert (acrcreds.type, acrcreds.keys) == ("kubernetes.io/dockerconfigjson", (".dockerconfigjson",))
    assert account.keys == ("acrcreds",)
    bench.written.append(repr((azcreds, acrcreds, account)))


def test_a_warning_about_the_values_comes_with_the_first_change(bench):
    def read(needed, keepable):
        setup = bench.setup
        secret = SecretValue(setup.secret)
        return SecretValues(setup.client, secret, setup.tenant, setup.subscription, None, ("Delete the file.",))

    assert bench.create(read=read)[0].note == "Delete the file."
