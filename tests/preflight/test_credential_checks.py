"""The Azure credential on the test stand: one fault, one failing check, and the command that mends it."""

from __future__ import annotations

import base64
import os
import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.preflight.checks.credential_checks import checks, expiry_finding
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.runner import Check, Finding, run_checks
from fairing_az_jupyter.settings import Settings, from_notebook

MERGE = "application/merge-patch+json"
ALL_WELL = {
    "azure.secret": "pass",
    "azure.secret-keys": "pass",
    "azure.token": "pass",
    "azure.secret-expiry": "skipped",
}


class Scene:
    """A set-up, and what the checks find in it."""

    def __init__(self, stand, setup, **settings):
        self.stand, self.setup = stand, setup
        self.secret = f"/api/v1/namespaces/{setup.namespace}/secrets/azcreds"
        # Neither an Azure CLI nor AZURE_* variables of this machine count.
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "AZ_"))}
        self.environ = {**environ, **setup.environment, "PATH": "/nowhere"}
        self.settings = {**from_notebook(setup.settings), **settings}
        self.limits = {}

    def find(self, *, cluster=True):
        context = CheckContext(
            Settings(**self.settings),
            environ=self.environ,
            service_account_folder=self.setup.service_account,
            **self.limits,
        )
        before = [Check("cluster", "Cluster", "", "cluster", self.connected)] if cluster else []
        results = {result.check: result for result in run_checks([*before, *checks(context)])}
        for result in results.values():
            written = f"{result!r}{result.to_dict()}"
            assert not [mark for mark in self.setup.marks if mark in written]
        return {name: result for name, result in results.items() if name != "cluster"}

    def connected(self, _given):
        client = Cluster.connect(self.environ, self.setup.service_account)
        return Finding("pass", "cluster", "it answers", value=client)

    def write(self, **values):
        data = {key: None if value is None else base64.b64encode(value).decode() for key, value in values.items()}
        self.stand.control_plane.admin.patch(self.secret, {"data": data}, MERGE)

    def note(self, expires):
        metadata = {"annotations": {"fairing-az-jupyter/expires": expires}}
        self.stand.control_plane.admin.patch(self.secret, {"metadata": metadata}, MERGE)


@pytest.fixture
def scene(stand, namespace):
    return Scene(stand, stand.correct_setup(namespace))


def statuses(found):
    return {name: result.status for name, result in found.items()}


def commands(result):
    return [fix.command for fix in result.fixes]


def only_fault(found):
    """Return the one check that fails or could not tell."""
    (fault,) = [result for result in found.values() if result.status in {"fail", "unknown"}]
    return fault


def test_a_correct_set_up_has_no_fault_and_says_who_signs_in(scene):
    found = scene.find()
    assert statuses(found) == ALL_WELL
    assert found["azure.secret"].looked_at == f"Secret azcreds in namespace {scene.setup.namespace}"
    assert scene.setup.client in found["azure.token"].message
    assert "secrets rotate" in found["azure.secret-expiry"].message


def test_a_missing_secret_is_mended_by_commands_with_the_users_own_names(scene):
    scene.stand.control_plane.admin.delete(scene.secret)
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code, fault.fixable) == ("azure.secret", "fail", "not-found", True)
    first, second, third, _ = commands(fault)
    namespace, group = scene.setup.namespace, scene.setup.resource_group
    assert first == "fairing-azure secrets create --azure"
    assert fault.fixes[0].magic == "%fairing_azure secrets create --azure"
    assert second == f"kubectl create secret generic azcreds -n {namespace} --from-env-file=azcreds.env"
    assert third.startswith("az ad sp create-for-rbac ")
    assert f"/resourceGroups/{group}" in third


def test_a_secret_that_may_not_be_read_is_never_called_missing(scene):
    scene.stand.kubernetes_front.refuse(403, path="/secrets/azcreds", message='User "x" cannot get resource "secrets"')
    fault = only_fault(scene.find())
    assert (fault.check, fault.status) == ("azure.secret", "unknown")
    assert "not found" not in fault.message
    assert "Whether it exists is unknown" in fault.message


@pytest.mark.parametrize("state", ["missing", "not allowed"])
def test_another_credential_stands_in_for_the_secret_and_is_named(scene, state):
    if state == "missing":
        scene.stand.control_plane.admin.delete(scene.secret)
    else:
        scene.stand.kubernetes_front.refuse(403, path="/secrets/azcreds")
    scene.environ |= {
        "AZURE_CLIENT_ID": scene.setup.client,
        "AZURE_TENANT_ID": scene.setup.tenant,
        "AZURE_CLIENT_SECRET": scene.setup.secret,
    }
    found = scene.find()
    assert statuses(found) == ALL_WELL
    assert "the service principal of the AZURE_* variables" in found["azure.secret"].message
    assert "AZURE_FEDERATED_TOKEN_FILE" in found["azure.secret"].message


def test_the_environments_credential_needs_neither_cluster_nor_secret(scene):
    scene.settings["credential"] = "environment"
    scene.environ |= {"AZURE_CLIENT_ID": scene.setup.client, "AZURE_TENANT_ID": scene.setup.tenant}
    fault = only_fault(scene.find(cluster=False))
    assert (fault.check, fault.code) == ("azure.token", "no-credential")
    assert "AZURE_CLIENT_SECRET" in fault.message
    scene.environ["AZURE_CLIENT_SECRET"] = scene.setup.secret
    assert statuses(scene.find(cluster=False)) == ALL_WELL


def test_all_broken_values_are_named_at_once_and_none_is_shown(scene):
    scene.write(
        AZ_CLIENT_ID=None,
        ARM_CLIENT_ID=scene.setup.client.encode(),
        AZ_CLIENT_SECRET=b"  \n",
        AZ_TENANT_ID=f"{scene.setup.tenant}\r\n".encode(),
        AZ_SUBSCRIPTION_ID=b"\xff\xfe" + scene.setup.subscription.encode("utf-16-le"),
    )
    fault = only_fault(scene.find())
    assert (fault.check, fault.code, fault.fixable) == ("azure.secret-keys", "secret-missing", True)
    assert "AZ_CLIENT_ID is missing (there is 'ARM_CLIENT_ID' instead)" in fault.message
    assert "AZ_CLIENT_SECRET is empty" in fault.message
    assert "AZ_TENANT_ID ends with a line end" in fault.message
    assert "AZ_SUBSCRIPTION_ID is not a GUID" in fault.message
    assert commands(fault) == ["fairing-azure secrets create --azure"]


@pytest.mark.parametrize(("secret", "code"), [("wrong", "wrong-secret"), ("old", "expired-secret")])
def test_a_secret_that_entra_refuses_is_renewed_by_rotation(scene, secret, code):
    scene.stand.entra.register(scene.setup.tenant, scene.setup.client, "old", expires=time.time() - 60)
    scene.write(AZ_CLIENT_SECRET=secret.encode())
    found = scene.find()
    fault = only_fault(found)
    assert (fault.check, fault.status, fault.code, fault.fixable) == ("azure.token", "fail", code, True)
    assert commands(fault)[:2] == [
        "fairing-azure secrets rotate",
        f"az ad app credential reset --id {scene.setup.client} --append",
    ]
    assert found["azure.secret-expiry"].status == "skipped"


@pytest.mark.parametrize(("key", "code"), [("AZ_CLIENT_ID", "unknown-application"), ("AZ_TENANT_ID", "unknown-tenant")])
def test_an_unknown_application_or_tenant_is_mended_by_writing_the_secret_anew(scene, key, code):
    scene.write(**{key: str(uuid.uuid4()).encode()})
    fault = only_fault(scene.find())
    assert (fault.check, fault.code, fault.fixable) == ("azure.token", code, True)
    assert commands(fault)[0] == "fairing-azure secrets create --azure"
    assert not [command for command in commands(fault)[1:] if "secrets" in command]


def test_a_login_service_that_does_not_answer_says_nothing_about_the_secret(scene):
    scene.stand.entra_front.hang()
    scene.limits = {"timeout": 0.5, "deadline": 1.0}
    began = time.monotonic()
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code, fault.fixable) == ("azure.token", "unknown", "timeout", False)
    assert time.monotonic() - began < 5


def test_a_proxys_page_in_place_of_the_login_fails_without_a_word_of_secrets(scene):
    scene.stand.entra_front.proxy_page(200)
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("azure.token", "fail", "not-the-service")
    assert fault.fixable is False
    assert "proxy" in commands(fault)[0]


def test_the_noted_expiry_is_read_from_the_secret_in_the_cluster(scene):
    now = datetime.now(timezone.utc)
    scene.note(f"{now + timedelta(days=10, hours=1):%Y-%m-%dT%H:%M:%SZ}")
    expiry = scene.find()["azure.secret-expiry"]
    assert (expiry.status, expiry.code, expiry.fixable) == ("warn", "expires-soon", True)
    assert "expires in 10 days" in expiry.message
    assert commands(expiry)[0] == "fairing-azure secrets rotate"
    scene.note("next spring")
    assert scene.find()["azure.secret-expiry"].code == "expiry-unreadable"


@pytest.mark.parametrize(
    ("left", "status", "words"),
    [
        (timedelta(days=-1), "warn", "was just accepted"),
        (timedelta(0), "warn", "was just accepted"),
        (timedelta(hours=5), "warn", "in less than a day"),
        (timedelta(days=1), "warn", "in 1 day,"),
        (timedelta(days=30, seconds=-1), "warn", "in 29 days"),
        (timedelta(days=30), "pass", "valid until 2027-01-31"),
        (timedelta(days=400), "pass", "valid until 2028-02-05"),
    ],
)
def test_an_expiry_is_warned_of_thirty_days_before(left, status, words):
    now = datetime(2027, 1, 1, tzinfo=timezone.utc)
    found = expiry_finding(now + left, now, "Secret azcreds")
    assert (found.status, words in found.message) == (status, True), found.message


def test_a_setting_that_can_not_be_used_is_not_guessed():
    context = CheckContext(Settings(), broken={"credential": "is none of the five"}, environ={})
    ready = Check("cluster", "Cluster", "", "cluster", lambda _: Finding("pass", "cluster", "it answers"))
    found = {result.check: result for result in run_checks([ready, *checks(context)])}
    assert found["azure.secret"].status == "skipped"
    assert "FAIRING_CREDENTIAL" in found["azure.secret"].message
