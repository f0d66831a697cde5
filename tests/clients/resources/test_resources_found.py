"""What Azure Resource Manager is asked, against a double of it; the answers are those of Azure's REST reference."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.clients.azure.clouds import CLOUDS
from fairing_az_jupyter.exceptions import (
    NotAllowedError,
    NotFoundError,
)
from tests.clients.azure_scene import OBJECT_ID, arm_error
from tests.clients.resources_scene import ACCOUNT, ELSEWHERE, GROUP, REGISTRY, S, registry
from tests.marked import MARK
from tests.stand.scripted import Scripted
from tests.stand.web import Answer


def test_a_resource_group_tells_its_region(manager):
    assert manager().resource_group("contoso-ml").location == "northeurope"


def test_a_resource_group_with_brackets_and_letters_of_any_script_is_asked_for(manager, arm):
    arm.answer(Answer(body={"id": "x", "name": "x", "location": "x"}))

    manager().resource_group("größe (test).1")

    assert arm.requests[-1].target.partition("?")[0].endswith("/resourceGroups/gr%C3%B6%C3%9Fe%20(test).1")
    assert arm.requests[-1].query == {"api-version": "2021-04-01"}


def test_a_storage_account_tells_what_matters(manager, azure):
    azure.add_account(GROUP, "contosomldata")
    azure.resources[ACCOUNT.lower()]["properties"] |= {
        "supportsHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
        "allowSharedKeyAccess": False,
        "allowBlobPublicAccess": True,
        "publicNetworkAccess": "Disabled",
        "networkAcls": {"defaultAction": "Deny", "ipRules": []},
        "isHnsEnabled": True,
    }

    found = manager().storage_account("contoso-ml", "contosomldata")

    assert (found.id, found.location, found.kind, found.sku) == (ACCOUNT, "northeurope", "StorageV2", "Standard_LRS")
    assert (found.https_only, found.minimum_tls, found.shared_key_access) == (True, "TLS1_2", False)
    assert (found.network_default_action, found.public_network_access) == ("Deny", "Disabled")
    assert (found.public_blob_access, found.hierarchical) == (True, True)
    assert found.blob_endpoint == "https://contosomldata.blob.core.windows.net"


def test_what_azure_leaves_out_has_its_documented_default(manager, azure):
    azure.add_account(GROUP, "contosomldata")
    kept = {
        "provisioningState": "Succeeded",
        "primaryEndpoints": {"blob": "https://contosomldata.blob.core.windows.net/"},
    }
    azure.resources[ACCOUNT.lower()]["properties"] = kept

    found = manager().storage_account("contoso-ml", "contosomldata")

    assert (found.shared_key_access, found.network_default_action, found.public_blob_access) == (True, "Allow", False)


def test_a_missing_account_and_a_missing_group_are_told_apart(manager):
    with pytest.raises(NotFoundError) as no_account:
        manager().storage_account("contoso-ml", "contosomldata")
    with pytest.raises(NotFoundError) as no_group:
        manager().storage_account("other", "contosomldata")

    assert (no_account.value.code, no_group.value.code) == ("not-found", "no-resource-group")
    assert "resource group other not found in subscription" in no_group.value.message
    assert "az group create --name other" in no_group.value.hint


def test_the_key_that_may_write_is_taken_and_hidden(manager, arm):
    # https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-keys
    keys = [
        {"keyName": "key1", "permissions": "Read", "value": "MARKEDread"},
        {"keyName": "key2", "permissions": "Full", "value": "MARKEDkey"},
    ]
    arm.answer(Answer(body={"keys": keys}), path="/listKeys")

    key = manager().storage_keys("contoso-ml", "contosomldata")

    assert key.reveal() == "MARKEDkey"
    assert MARK not in repr(key)


def test_an_account_without_a_key_that_may_write_says_so(manager, arm):
    arm.answer(Answer(body={"keys": [{"permissions": "Read", "value": "MARKED"}]}), path="/listKeys")

    with pytest.raises(NotFoundError, match="no key with write access") as caught:
        manager().storage_keys("contoso-ml", "contosomldata")

    assert MARK not in str(caught.value)


def test_a_name_is_free_or_not(manager, azure):
    azure.add_account(azure.add_group(ELSEWHERE, "theirs"), "taken")

    assert manager().name_available("contosomldata").available is True
    assert (manager().name_available("taken").available, manager().name_available("taken").reason) == (
        False,
        "AlreadyExists",
    )


@pytest.mark.parametrize("server", ["contosoml.azurecr.io", "ContosoML.azurecr.io", "contosoml.azurecr.io/team"])
def test_a_registry_is_found_by_its_login_server(manager, server):
    found = manager().registry(server)

    assert (found.name, found.resource_group, found.location) == ("contosoml", "images", "westeurope")


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("LegacyRegistryPermissions", "rbac"),
        ("AbacRepositoryPermissions", "abac"),
        ("SomethingNew", None),
        (None, None),
    ],
)
def test_a_registry_tells_which_roles_count(manager, azure, said, mode):
    azure.resources[REGISTRY.lower()]["properties"] |= {"roleAssignmentMode": said, "adminUserEnabled": True}

    found = manager().registry("contosoml.azurecr.io")

    assert (found.role_mode, found.admin_enabled) == (mode, True)


def test_a_registry_on_a_later_page_is_found(manager, arm):
    kind = "/providers/Microsoft.ContainerRegistry/registries"
    more = f"{arm.url}{S}{kind}?api-version=2023-07-01&$skiptoken=2"
    arm.answer(Answer(body={"value": [registry("first")], "nextLink": more}), path=f"{kind}\\?", times=1)

    assert manager().registry("contosoml.azurecr.io").name == "contosoml"


def test_a_page_on_another_host_is_not_asked_for(manager, arm, authority):
    other = Scripted(lambda _request: Answer(body={"value": [registry("contosoml")]}), authority)
    arm.answer(Answer(body={"value": [], "nextLink": f"{other.url}/registries"}), path="/registries")
    try:
        with pytest.raises(NotAllowedError):
            manager().registry("contosoml.azurecr.io")
    finally:
        other.close()

    assert other.requests == []


def test_a_cloud_that_does_not_know_the_newest_version_is_asked_in_an_older_one(manager, arm, azure):
    arm.answer(arm_error(400, "NoRegisteredProviderFound"), path="api-version=2025-11-01")
    del azure.resources[REGISTRY.lower()]["properties"]["roleAssignmentMode"]

    assert manager().registry("contosoml.azurecr.io").role_mode is None


def test_a_registry_whose_name_nobody_has_is_missing(manager, azure):
    del azure.resources[REGISTRY.lower()]

    with pytest.raises(NotFoundError, match="registry 'contosoml' does not exist in Azure") as caught:
        manager().registry("contosoml.azurecr.io")

    assert "az acr create --name contosoml" in caught.value.hint


@pytest.mark.parametrize("how", ["taken", "forbidden", "hashed"])
def test_a_registry_that_can_t_be_seen_is_not_called_missing(manager, arm, azure, how):
    del azure.resources[REGISTRY.lower()]
    if how == "taken":
        azure.add_registry(azure.add_group(ELSEWHERE, "theirs"), "contosoml")
    if how == "forbidden":
        arm.answer(arm_error(403, "AuthorizationFailed"), path="/checkNameAvailability")
    server = "contosoml-abc123.azurecr.io" if how == "hashed" else "contosoml.azurecr.io"

    with pytest.raises(NotAllowedError) as caught:
        manager().registry(server)

    assert caught.value.code == "registry-not-visible"
    assert "AcrPush alone is not enough" in caught.value.message


def test_roles_are_listed_by_name_where_known(manager, arm):
    # https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
    role = f"{S}/providers/Microsoft.Authorization/roleDefinitions/"
    known = {"roleDefinitionId": f"{role}ba92f5b4-2d11-453d-a403-e96b0029c9fe", "scope": ACCOUNT}
    unknown = {"roleDefinitionId": f"{role}12345678-0000-0000-0000-000000000000", "scope": S, "condition": "x"}
    arm.answer(Answer(body={"value": [{"properties": known}, {"properties": unknown}]}), path="/roleAssignments")

    found = manager().role_assignments(ACCOUNT, OBJECT_ID)

    assert [each.role for each in found] == ["Storage Blob Data Contributor", "12345678-0000-0000-0000-000000000000"]
    assert [each.conditional for each in found] == [False, True]
    assert arm.requests[-1].query["$filter"] == f"atScope() and assignedTo('{OBJECT_ID}')"


def test_roles_that_may_not_be_read_are_not_called_missing(manager, arm):
    arm.answer(arm_error(403, "AuthorizationFailed"), path="/roleAssignments")

    with pytest.raises(NotAllowedError):
        manager().role_assignments(ACCOUNT, OBJECT_ID)


def test_each_cloud_is_asked_for_a_token_of_its_own(entra, arm, bundle, manager):
    arm.answer(Answer(body={"id": "x", "name": "x", "location": "x"}))
    for cloud in CLOUDS.values():
        manager(cloud=cloud).resource_group("contoso-ml")
        assert entra.requests[-1].form()["scope"].split()[0] == cloud.arm_scope
