"""The resource group and the Storage account on the test stand: one fault, one failing check, and what mends it."""

from __future__ import annotations

import contextlib
import os
import time
import uuid

import pytest
from azure.storage.blob import BlobServiceClient

from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER, BlobStore
from fairing_az_jupyter.clients.azure.credentials import ServicePrincipal, choose_credential
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import NotAllowedError
from fairing_az_jupyter.preflight.checks import clock_checks, resource_group_checks, storage_checks
from fairing_az_jupyter.preflight.context import CheckContext
from fairing_az_jupyter.preflight.runner import Check, Finding, run_checks
from fairing_az_jupyter.settings import Settings, from_notebook

IDS = ("azure.resource-group", "storage.account", "storage.access", "storage.probe")
ALL_WELL = dict.fromkeys(IDS, "pass")
DATA_ROLE = "Storage Blob Data Contributor"
KEY_ROLE = "Storage Account Contributor"


class Scene:
    """A set-up, and what the checks find in it."""

    def __init__(self, stand, setup):
        self.stand, self.setup = stand, setup
        self.settings = from_notebook(setup.settings)
        self.broken, self.limits = {}, {}
        self.subscription, self.source = setup.subscription, "secret"

    @property
    def account(self):
        return self.stand.arm.resources[self.setup.account_id.lower()]

    def find(self):
        environ = {**os.environ, **self.setup.environment}
        context = CheckContext(
            Settings(**self.settings), broken=self.broken, environ=environ, notebook="train.ipynb", **self.limits
        )
        token = Check("azure.token", "Sign-in", "", "Entra", lambda _: self.signed_in(context))
        rooms = (clock_checks, resource_group_checks, storage_checks)
        checks = [token, *(check for room in rooms for check in room.checks(context))]
        results = {result.check: result for result in run_checks(checks)}
        for result in results.values():
            written = f"{result!r}{result.to_dict()}"
            assert not [mark for mark in self.setup.marks if mark in written]
        return {name: results[name] for name in IDS}

    def signed_in(self, context):
        setup = self.setup
        principal = ServicePrincipal(setup.client, SecretValue(setup.secret), setup.tenant, self.subscription)
        limits = {"timeout": context.timeout, "deadline": context.deadline}
        chosen = choose_credential("secret", secret=principal, environ={}, cloud=context.cloud, **limits)
        return Finding("pass", "Entra", "a token", value=chosen)

    def only_group_visible(self):
        """Take the documented role away; the group may still be looked at."""
        self.stand.arm.revoke(self.setup.oid, KEY_ROLE)
        self.stand.arm.assign(self.setup.oid, "Reader", self.setup.group)

    def containers(self):
        """Return what is in the account: the names of blobs by container."""
        address = self.stand.blob.account_url(self.setup.account)
        bundle = str(self.stand.authority.bundle)
        with contextlib.closing(
            BlobServiceClient(address, credential=self.setup.account_key, connection_verify=bundle)
        ) as service:
            found = {}
            for container in service.list_containers():
                with contextlib.closing(service.get_container_client(container.name)) as client:
                    found[container.name] = [blob.name for blob in client.list_blobs()]
            return found


@pytest.fixture
def scene(stand, namespace):
    return Scene(stand, stand.correct_setup(namespace))


def statuses(found):
    return {name: result.status for name, result in found.items()}


def commands(result):
    return [fix.command for fix in result.fixes]


def only_fault(found):
    """Return the one check that fails or could not tell; what builds on it is skipped."""
    (fault,) = [result for result in found.values() if result.status in {"fail", "unknown"}]
    return fault


def assignment(setup, role, scope):
    return f'az role assignment create --assignee {setup.client} --role "{role}" --scope {scope}'


def test_the_documented_roles_reach_blobs_by_the_key_and_leave_nothing_but_the_container(scene):
    found = scene.find()
    assert statuses(found) == ALL_WELL
    assert found["storage.account"].message == "It is a StorageV2 account (Standard_LRS) in northeurope."
    assert "key" in found["storage.access"].message
    assert scene.containers() == {CONTAINER: []}
    again = scene.find()
    assert statuses(again) == ALL_WELL
    assert "It exists" in again["storage.probe"].message


def test_a_data_role_is_preferred_to_the_key(stand, namespace):
    scene = Scene(stand, stand.correct_setup(namespace, data_role=True))
    found = scene.find()
    assert statuses(found) == ALL_WELL
    assert "token" in found["storage.access"].message
    assert stand.arm_front.count("listKeys") == 0
    assert scene.containers() == {CONTAINER: []}


def test_a_role_that_only_reads_blobs_does_not_pass_for_one_that_writes(scene):
    scene.stand.arm.assign(scene.setup.oid, "Storage Blob Data Reader", scene.setup.account_id)
    found = scene.find()
    assert statuses(found) == ALL_WELL
    assert "key" in found["storage.access"].message


def test_who_may_touch_the_blobs_alone_can_launch_although_resource_manager_shows_nothing(scene):
    scene.stand.arm.revoke(scene.setup.oid, KEY_ROLE)
    scene.stand.arm.assign(scene.setup.oid, DATA_ROLE, scene.setup.account_id)
    found = scene.find()
    assert statuses(found) == {**ALL_WELL, "azure.resource-group": "unknown"}
    assert commands(found["azure.resource-group"]) == [assignment(scene.setup, KEY_ROLE, scene.setup.group)]
    assert "no permission to read its description" in found["storage.account"].message


def test_a_group_that_is_not_that_of_the_account_is_told_with_the_right_one(scene):
    scene.settings["azure_resource_group"] = "somebody-elses"
    found = scene.find()
    fault = only_fault(found)
    assert (fault.check, fault.code) == ("azure.resource-group", "other-resource-group")
    assert commands(fault) == [f"fairing-azure fill train.ipynb --azure-resource-group {scene.setup.resource_group}"]
    assert found["storage.access"].status == "skipped"


def test_where_nothing_may_be_looked_at_the_missing_way_to_the_blobs_is_the_failure(scene):
    scene.stand.arm.revoke(scene.setup.oid, KEY_ROLE)
    found = scene.find()
    assert "there is no" not in found["azure.resource-group"].message
    statuses = {name: result.status for name, result in found.items()}
    assert statuses == {
        "azure.resource-group": "unknown",
        "storage.account": "pass",
        "storage.access": "fail",
        "storage.probe": "skipped",
    }


def test_a_missing_resource_group_fails_with_the_commands_to_find_or_make_it(scene):
    scene.stand.arm.assign(scene.setup.oid, "Reader", f"/subscriptions/{scene.setup.subscription}")
    scene.settings |= {"azure_resource_group": "rg(typo)", "azure_storage_account": scene.stand.blob.take()}
    found = scene.find()
    fault = only_fault(found)
    assert (fault.check, fault.status, fault.code) == ("azure.resource-group", "fail", "no-resource-group")
    assert commands(fault)[0] == "fairing-azure fill train.ipynb --azure-resource-group NAME"
    create = f"az group create --name 'rg(typo)' --location REGION --subscription {scene.setup.subscription}"
    assert commands(fault)[2] == create
    assert found["storage.probe"].status == "skipped"


def test_a_subscription_that_the_identity_does_not_see_is_a_failure(scene):
    scene.subscription = str(uuid.uuid4())
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("azure.resource-group", "fail", "subscription-not-visible")
    assert fault.fixable is True
    assert commands(fault)[0] == "fairing-azure secrets create --azure"


def test_a_credential_without_a_subscription_is_told_before_anything_is_asked(scene):
    scene.subscription = None
    fault = only_fault(scene.find())
    assert (fault.check, fault.code) == ("azure.resource-group", "no-subscription")
    assert scene.stand.arm_front.count() == 0


def test_an_account_that_is_missing_and_that_nobody_shall_make_fails(scene):
    scene.settings["azure_storage_account"] = "nobodyhasthis"
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("storage.account", "fail", "not-found")
    fill, create, listed, advice = commands(fault)
    assert fill == "fairing-azure fill train.ipynb --azure-region REGION"
    assert create == (
        f"az storage account create --name nobodyhasthis --resource-group {scene.setup.resource_group} --subscription "
        f"{scene.setup.subscription} --location REGION --sku Standard_LRS --kind StorageV2 --https-only true"
    )
    assert listed.startswith(f"az storage account list --subscription {scene.setup.subscription} ")
    assert "billed" in advice


def test_an_account_that_a_launch_would_make_is_warned_of_as_billed_and_not_made(scene):
    scene.settings |= {"azure_storage_account": "nobodyhasthis", "azure_region": "NorthEurope"}
    found = scene.find()
    assert statuses(found) == {
        "azure.resource-group": "pass",
        "storage.account": "warn",
        "storage.access": "skipped",
        "storage.probe": "skipped",
    }
    assert "billed" in found["storage.account"].message
    assert scene.stand.arm.find("Microsoft.Storage/storageAccounts", "nobodyhasthis") is None


@pytest.mark.parametrize("region", [None, "northeurope"])
def test_the_name_of_somebody_elses_account_is_told_to_be_taken(scene, region):
    other = scene.stand.blob.take()
    scene.stand.arm.add_account(scene.stand.arm.add_group(str(uuid.uuid4()), "rg-other"), other)
    scene.settings |= {"azure_storage_account": other, "azure_region": region}
    fault = only_fault(scene.find())
    assert (fault.check, fault.code) == ("storage.account", "name-taken")
    assert not [command for command in commands(fault) if "create" in command]


@pytest.mark.parametrize(("known", "code"), [(True, "name-taken"), (False, "will-be-created")])
def test_whether_a_name_is_free_is_seen_by_its_host_where_asking_is_not_allowed(scene, known, code):
    # checkNameAvailability takes a role in the whole subscription, which the documented ones are not.
    scene.stand.arm_front.refuse(403, path="checkNameAvailability")
    other = scene.stand.blob.take()
    scene.settings |= {"azure_storage_account": other, "azure_region": "northeurope"}
    if known:
        scene.stand.names.add(f"{other}.blob.core.windows.net", scene.stand.blob_front.port)
    assert scene.find()["storage.account"].code == code


def test_a_region_that_is_broken_is_told_once_and_not_by_the_account(scene):
    scene.settings["azure_storage_account"] = "nobodyhasthis"
    scene.broken = {"azure_region": "is no region"}
    account = scene.find()["storage.account"]
    assert (account.status, "AZURE_REGION" in account.message) == ("skipped", True)


def test_an_account_of_the_first_generation_works_and_is_warned_of(scene):
    scene.account["kind"] = "Storage"
    found = scene.find()
    assert statuses(found) == {**ALL_WELL, "storage.account": "warn"}
    assert "kind=StorageV2" in commands(found["storage.account"])[0]


def test_an_account_for_files_only_can_not_keep_blobs(scene):
    scene.account["kind"] = "FileStorage"
    fault = only_fault(scene.find())
    assert (fault.check, fault.code) == ("storage.account", "no-blobs")


def test_an_account_that_may_not_be_read_is_told_from_one_that_is_not_there(scene):
    scene.only_group_visible()
    scene.stand.arm_front.refuse(403, path="storageAccounts/[a-z0-9]+$|storageAccounts/[a-z0-9]+[?]")
    found = scene.find()
    assert found["storage.account"].status == "pass"
    fault = only_fault(found)
    assert (fault.check, fault.status, fault.code) == ("storage.access", "fail", "no-data-role")
    scene.settings["azure_storage_account"] = "nobodyhasthis"
    fault = only_fault(scene.find())
    assert (fault.check, fault.code) == ("storage.account", "no-such-account")


def test_neither_data_role_nor_key_fails_with_both_roles_filled_in(scene):
    scene.only_group_visible()
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("storage.access", "fail", "no-data-role")
    expected = [assignment(scene.setup, role, scene.setup.account_id) for role in (DATA_ROLE, KEY_ROLE)]
    assert commands(fault)[:2] == expected


def test_where_keys_are_off_only_the_data_role_is_a_cure(scene):
    scene.account["properties"]["allowSharedKeyAccess"] = False
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("storage.access", "fail", "shared-key-off")
    assert commands(fault)[0] == assignment(scene.setup, DATA_ROLE, scene.setup.account_id)
    assert not [command for command in commands(fault) if KEY_ROLE in command]


@pytest.mark.parametrize("data_role", [False, True])
def test_a_firewall_fails_the_probe_alone_with_the_command_that_opens_it(stand, namespace, data_role):
    scene = Scene(stand, stand.correct_setup(namespace, data_role=data_role))
    stand.blob_front.refuse(403, code="AuthorizationFailure")
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("storage.probe", "fail", "network-rules")
    setup = scene.setup
    assert commands(fault)[0] == (
        f"az storage account network-rule add --account-name {setup.account} --resource-group {setup.resource_group} "
        f"--subscription {setup.subscription} --ip-address ADDRESS"
    )


@pytest.mark.parametrize(
    ("status", "code", "method", "ours"),
    [
        (403, "KeyBasedAuthenticationNotPermitted", "PUT", "shared-key-off"),
        (409, "BlobImmutableDueToPolicy", "DELETE", "immutable"),
        (409, "ContainerBeingDeleted", "PUT", "being-deleted"),
        (403, "AccountIsDisabled", "PUT", "account-disabled"),
    ],
)
def test_what_keeps_blobs_from_being_written_or_removed_fails_the_probe(scene, status, code, method, ours):
    scene.stand.blob_front.refuse(status, code=code, method=method)
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("storage.probe", "fail", ours)
    assert fault.fixes


def test_a_key_that_the_account_does_not_take_fails_the_probe(scene):
    wrong = scene.stand.blob.accounts[scene.stand.blob.take()]
    scene.stand.blob.accounts[scene.setup.account] = wrong
    try:
        fault = only_fault(scene.find())
    finally:
        scene.stand.blob.accounts[scene.setup.account] = scene.setup.account_key
    assert (fault.check, fault.status) == ("storage.probe", "fail")


def test_an_account_whose_host_this_network_does_not_know_is_not_called_missing(scene):
    scene.stand.names.remove(f"{scene.setup.account}.blob.core.windows.net")
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("storage.access", "fail", "no-such-host")
    assert "private endpoint" in commands(fault)[-1]


@pytest.mark.parametrize(("front", "check"), [("arm_front", "azure.resource-group"), ("blob_front", "storage.access")])
def test_a_service_that_hangs_is_unknown_within_its_time(scene, front, check):
    scene.limits = {"timeout": 0.5, "deadline": 1.0}
    getattr(scene.stand, front).hang()
    began = time.monotonic()
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == (check, "unknown", "timeout")
    assert time.monotonic() - began < 6


def test_a_token_that_resource_manager_does_not_believe_fails_the_resource_group(scene):
    scene.stand.arm_front.refuse(401)
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("azure.resource-group", "fail", "credential")


def test_an_untrusted_certificate_of_the_blobs_fails_the_way_to_them(scene):
    scene.stand.blob_front.certificate("untrusted")
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("storage.access", "fail", "untrusted-certificate")


def test_settings_that_are_missing_are_told_by_their_own_check_alone(scene):
    scene.settings = {"azure_storage_account": None, "azure_resource_group": None}
    assert statuses(scene.find()) == dict.fromkeys(IDS, "skipped")


def test_too_many_requests_say_nothing_about_the_account(scene):
    scene.limits = {"timeout": 1.0, "deadline": 2.0}
    scene.stand.arm_front.throttle(30, path="storageAccounts/")
    fault = only_fault(scene.find())
    assert (fault.check, fault.status, fault.code) == ("storage.account", "unknown", "throttled")


def test_trying_whether_blobs_may_be_changed_changes_none_and_makes_no_container(scene):
    chosen = scene.signed_in(CheckContext(Settings())).value
    with contextlib.closing(BlobStore(scene.setup.account, chosen.credential)) as store:
        assert store.may_change(CONTAINER) is False
        scene.stand.arm.assign(scene.setup.oid, DATA_ROLE, scene.setup.account_id)
        assert store.may_change(CONTAINER) is True
        scene.stand.blob_front.refuse(403, code="AuthorizationFailure")
        with pytest.raises(NotAllowedError):
            store.may_change(CONTAINER)
    assert scene.containers() == {}
