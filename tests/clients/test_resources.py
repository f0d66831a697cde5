"""What Azure Resource Manager is asked, against a double of it; the answers are those of Azure's REST reference."""

from __future__ import annotations

import io
import logging
import time

import pytest
import trustme

from fairing_az_jupyter.clients.azure.clouds import CLOUDS
from fairing_az_jupyter.clients.credentials import ServicePrincipal, choose_credential
from fairing_az_jupyter.clients.hidden import Hidden
from fairing_az_jupyter.clients.resources import ResourceManager
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from tests.clients.azure_doubles import (
    CLIENT_ID,
    CLIENT_SECRET,
    DRIP,
    HANG,
    MARK,
    OBJECT_ID,
    PAGE,
    RESET,
    SUBSCRIPTION_ID,
    TENANT_ID,
    Answer,
    Double,
    EntraDouble,
    arm_error,
    entra_error,
    everything_of,
)

S = f"/subscriptions/{SUBSCRIPTION_ID}"
GROUP = f"{S}/resourceGroups/contoso-ml"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/contosomldata"


class Arm(Double):
    """Azure Resource Manager with one resource group, one registry, and Storage accounts as they are made."""

    def __init__(self, ca):
        super().__init__(ca, self.reply)
        self.accounts = {}
        self.taken = set()
        self.registries = [registry("contosoml")]
        self.replies = {}
        self.polls = 1

    def reply(self, request):
        for (method, end), answer in self.replies.items():
            if request.method == method and request.path.endswith(end):
                return answer
        for end, reply in {
            "/listKeys": self.keys,
            "Microsoft.Storage/checkNameAvailability": self.storage_name,
            "Microsoft.ContainerRegistry/checkNameAvailability": self.registry_name,
            "/registries": lambda _request: Answer(body={"value": self.registries}),
            "/roleAssignments": self.roles,
        }.items():
            if request.path.endswith(end):
                return reply(request)
        if "/storageAccounts/" in request.path:
            return self.account(request)
        if "/operations/" in request.path:
            self.polls -= 1
            return Answer(202, None, {"Retry-After": "0"}) if self.polls > 0 else self.finish(request)
        if request.path.lower() == GROUP.lower():
            return Answer(body={"id": GROUP, "name": "contoso-ml", "location": "northeurope", "properties": {}})
        return arm_error(404, "ResourceGroupNotFound")

    def account(self, request):
        name = request.path.rpartition("/")[2]
        if "/contoso-ml/" not in request.path:
            return arm_error(404, "ResourceGroupNotFound")
        if request.method == "PUT":
            self.accounts[name] = account_answer(name, request.json())
            self.accounts[name]["properties"]["provisioningState"] = "Creating"
            place = f"{self.url}{S}/providers/Microsoft.Storage/operations/{name}?api-version=2023-05-01"
            return Answer(202, None, {"Location": place, "Retry-After": "0"})
        if name not in self.accounts:
            return arm_error(404, "ResourceNotFound")
        return Answer(body=self.accounts[name])

    def finish(self, request):
        found = self.accounts[request.path.rpartition("/")[2]]
        found["properties"]["provisioningState"] = "Succeeded"
        return Answer(body=found)

    def keys(self, request):
        # https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-keys
        keys = [
            {"keyName": "key1", "permissions": "Read", "value": "MARKEDread"},
            {"keyName": "key2", "permissions": "Full", "value": "MARKEDkey"},
        ]
        return Answer(body={"keys": keys})

    def storage_name(self, request):
        name = request.json()["name"]
        if name in self.taken:
            return Answer(body={"nameAvailable": False, "reason": "AlreadyExists", "message": f"{name} is taken"})
        return Answer(body={"nameAvailable": True})

    def registry_name(self, request):
        return Answer(body={"nameAvailable": request.json()["name"] not in self.taken})

    def roles(self, request):
        # https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
        role = f"{S}/providers/Microsoft.Authorization/roleDefinitions/"
        found = [
            {"properties": {"roleDefinitionId": f"{role}ba92f5b4-2d11-453d-a403-e96b0029c9fe", "scope": ACCOUNT}},
            {
                "properties": {
                    "roleDefinitionId": f"{role}12345678-0000-0000-0000-000000000000",
                    "scope": S,
                    "condition": "x",
                }
            },
        ]
        return Answer(body={"value": found})


def account_answer(name, body=None):
    """Return a Storage account. https://learn.microsoft.com/rest/api/storagerp/storage-accounts/get-properties."""
    body = body or {"kind": "StorageV2", "location": "northeurope", "sku": {"name": "Standard_LRS"}, "properties": {}}
    return {
        "id": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{name}",
        "name": name,
        **body,
        "properties": {
            "provisioningState": "Succeeded",
            "primaryEndpoints": {"blob": f"https://{name}.blob.core.windows.net/"},
            **body["properties"],
        },
    }


def registry(name, **properties):
    """Return a registry. https://learn.microsoft.com/rest/api/containerregistry/registries/list."""
    return {
        "id": f"{S}/resourceGroups/images/providers/Microsoft.ContainerRegistry/registries/{name}",
        "name": name,
        "location": "westeurope",
        "sku": {"name": "Basic"},
        "properties": {"loginServer": f"{name}.azurecr.io", "adminUserEnabled": False, **properties},
    }


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture
def bundle(ca, tmp_path):
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def entra(ca):
    double = EntraDouble(ca)
    yield double
    double.close()


@pytest.fixture
def arm(ca):
    double = Arm(ca)
    yield double
    double.close()


@pytest.fixture
def manager(arm, entra, bundle):
    made = []

    def make(**options):
        credential = choose_credential(
            "secret",
            secret=ServicePrincipal(CLIENT_ID, Hidden(CLIENT_SECRET), TENANT_ID),
            environ={},
            authority=entra.url,
            ca_bundle=bundle,
        ).credential
        options = {"endpoint": arm.url, "ca_bundle": bundle, "assignee": CLIENT_ID, **options}
        made.append(ResourceManager(credential, SUBSCRIPTION_ID, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


# --- looking


def test_a_resource_group_tells_its_region(manager):
    assert manager().resource_group("contoso-ml").location == "northeurope"


def test_a_resource_group_with_brackets_and_letters_of_any_script_is_asked_for(manager, arm):
    arm.replies["GET", ""] = Answer(body={"id": "x", "name": "x", "location": "x"})

    manager().resource_group("größe (test).1")

    assert arm.requests[-1].path.endswith("/resourceGroups/gr%C3%B6%C3%9Fe%20(test).1")
    assert arm.requests[-1].query == {"api-version": "2021-04-01"}


def test_a_storage_account_tells_what_matters(manager, arm):
    arm.accounts["contosomldata"] = account_answer(
        "contosomldata",
        {
            "kind": "StorageV2",
            "location": "northeurope",
            "sku": {"name": "Standard_LRS"},
            "properties": {
                "supportsHttpsTrafficOnly": True,
                "minimumTlsVersion": "TLS1_2",
                "allowSharedKeyAccess": False,
                "allowBlobPublicAccess": True,
                "publicNetworkAccess": "Disabled",
                "networkAcls": {"defaultAction": "Deny", "ipRules": []},
                "isHnsEnabled": True,
            },
        },
    )

    found = manager().storage_account("contoso-ml", "contosomldata")

    assert (found.id, found.location, found.kind, found.sku) == (ACCOUNT, "northeurope", "StorageV2", "Standard_LRS")
    assert (found.https_only, found.minimum_tls, found.shared_key_access) == (True, "TLS1_2", False)
    assert (found.network_default_action, found.public_network_access) == ("Deny", "Disabled")
    assert (found.public_blob_access, found.hierarchical) == (True, True)
    assert found.blob_endpoint == "https://contosomldata.blob.core.windows.net"


def test_what_azure_leaves_out_has_its_documented_default(manager, arm):
    arm.accounts["contosomldata"] = account_answer("contosomldata")

    found = manager().storage_account("contoso-ml", "contosomldata")

    assert (found.shared_key_access, found.network_default_action, found.public_blob_access) == (True, "Allow", False)


def test_a_missing_account_and_a_missing_group_are_told_apart(manager):
    with pytest.raises(NotFoundError) as no_account:
        manager().storage_account("contoso-ml", "contosomldata")
    with pytest.raises(NotFoundError) as no_group:
        manager().storage_account("other", "contosomldata")

    assert (no_account.value.code, no_group.value.code) == ("not-found", "no-resource-group")
    assert "no resource group other in the subscription" in no_group.value.message
    assert "az group create --name other" in no_group.value.hint


def test_the_key_that_may_write_is_taken_and_hidden(manager):
    key = manager().storage_keys("contoso-ml", "contosomldata")

    assert key.reveal() == "MARKEDkey"
    assert MARK not in repr(key)


def test_an_account_without_a_key_that_may_write_says_so(manager, arm):
    arm.replies["POST", "/listKeys"] = Answer(body={"keys": [{"permissions": "Read", "value": "MARKED"}]})

    with pytest.raises(NotFoundError, match="none that may write") as caught:
        manager().storage_keys("contoso-ml", "contosomldata")

    assert MARK not in str(caught.value)


def test_a_name_is_free_or_not(manager, arm):
    arm.taken = {"taken"}

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
def test_a_registry_tells_which_roles_count(manager, arm, said, mode):
    arm.registries = [registry("contosoml", roleAssignmentMode=said, adminUserEnabled=True)]

    found = manager().registry("contosoml.azurecr.io")

    assert (found.role_mode, found.admin_enabled) == (mode, True)


def test_a_registry_on_a_later_page_is_found(manager, arm):
    more = f"{arm.url}{S}/more/registries?page=2"
    arm.replies["GET", "/providers/Microsoft.ContainerRegistry/registries"] = Answer(
        body={"value": [registry("first")], "nextLink": more}
    )

    assert manager().registry("contosoml.azurecr.io").name == "contosoml"


def test_a_page_on_another_host_is_not_asked_for(manager, arm, ca):
    other = Double(ca, lambda _request: Answer(body={"value": [registry("contosoml")]}))
    arm.registries = []
    arm.taken = {"contosoml"}
    arm.replies["GET", "/registries"] = Answer(body={"value": [], "nextLink": f"{other.url}/registries"})
    try:
        with pytest.raises(NotAllowedError):
            manager().registry("contosoml.azurecr.io")
    finally:
        other.close()

    assert other.requests == []


def test_a_cloud_that_does_not_know_the_newest_version_is_asked_in_an_older_one(manager, arm):
    def reply(request):
        if request.query["api-version"] == "2025-11-01":
            return arm_error(400, "NoRegisteredProviderFound")
        return Answer(body={"value": arm.registries})

    arm.answer = reply

    assert manager().registry("contosoml.azurecr.io").role_mode is None


def test_a_registry_whose_name_nobody_has_is_missing(manager, arm):
    arm.registries = []

    with pytest.raises(NotFoundError, match="no registry in Azure has the name 'contosoml'") as caught:
        manager().registry("contosoml.azurecr.io")

    assert "az acr create --name contosoml" in caught.value.hint


@pytest.mark.parametrize("how", ["taken", "forbidden", "hashed"])
def test_a_registry_that_can_t_be_seen_is_not_called_missing(manager, arm, how):
    arm.registries = []
    if how == "taken":
        arm.taken = {"contosoml"}
    if how == "forbidden":
        arm.replies["POST", "/checkNameAvailability"] = arm_error(403, "AuthorizationFailed")
    server = "contosoml-abc123.azurecr.io" if how == "hashed" else "contosoml.azurecr.io"

    with pytest.raises(NotAllowedError) as caught:
        manager().registry(server)

    assert caught.value.code == "registry-not-visible"
    assert "AcrPush alone does not show it" in caught.value.message


def test_roles_are_listed_by_name_where_known(manager, arm):
    found = manager().role_assignments(ACCOUNT, OBJECT_ID)

    assert [each.role for each in found] == ["Storage Blob Data Contributor", "12345678-0000-0000-0000-000000000000"]
    assert [each.conditional for each in found] == [False, True]
    assert arm.requests[-1].query["$filter"] == f"atScope() and assignedTo('{OBJECT_ID}')"


def test_roles_that_may_not_be_read_are_not_called_missing(manager, arm):
    arm.replies["GET", "/roleAssignments"] = arm_error(403, "AuthorizationFailed")

    with pytest.raises(NotAllowedError):
        manager().role_assignments(ACCOUNT, OBJECT_ID)


def test_each_cloud_is_asked_for_a_token_of_its_own(entra, arm, bundle, manager):
    for cloud in CLOUDS.values():
        manager(cloud=cloud).resource_group("contoso-ml")
        assert entra.requests[-1].form()["scope"].split()[0] == cloud.arm_scope


# --- making


def test_a_storage_account_is_made_as_promised(manager, arm):
    found = manager().create_storage_account("contoso-ml", "contosomldata", "North Europe")

    body = next(request for request in arm.requests if request.method == "PUT").json()
    assert (body["kind"], body["sku"], body["location"]) == ("StorageV2", {"name": "Standard_LRS"}, "northeurope")
    assert body["properties"] == {
        "supportsHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
        "allowBlobPublicAccess": False,
    }
    assert (found.name, found.kind, found.https_only, found.provisioning_state) == (
        "contosomldata",
        "StorageV2",
        True,
        "Succeeded",
    )


def test_making_one_that_is_there_changes_nothing(manager, arm):
    arm.accounts["contosomldata"] = account_answer("contosomldata")

    found = manager().create_storage_account("contoso-ml", "contosomldata", "westus")

    assert found.location == "northeurope"
    assert {request.method for request in arm.requests} == {"GET"}


def test_a_name_that_somebody_else_has_is_told_before_anything_is_made(manager, arm):
    arm.taken = {"contosomldata"}

    with pytest.raises(ConflictError, match="somebody else has") as caught:
        manager().create_storage_account("contoso-ml", "contosomldata", "northeurope")

    assert caught.value.code == "name-taken"
    assert "PUT" not in {request.method for request in arm.requests}


def test_without_its_resource_group_nothing_is_made(manager, arm):
    with pytest.raises(NotFoundError) as caught:
        manager().create_storage_account("other", "contosomldata", "northeurope")

    assert caught.value.code == "no-resource-group"
    assert "PUT" not in {request.method for request in arm.requests}


def test_one_that_may_not_be_looked_at_is_not_made(manager, arm):
    arm.replies["GET", "/contosomldata"] = arm_error(403, "AuthorizationFailed")

    with pytest.raises(NotAllowedError):
        manager().create_storage_account("contoso-ml", "contosomldata", "northeurope")

    assert "PUT" not in {request.method for request in arm.requests}


def test_one_that_somebody_is_just_making_is_waited_for(manager, arm):
    def busy(request):
        if request.method == "PUT":
            arm.accounts["contosomldata"] = account_answer("contosomldata")
            return arm_error(409, "StorageAccountOperationInProgress")
        return arm.reply(request)

    arm.answer = busy

    assert manager().create_storage_account("contoso-ml", "contosomldata", "northeurope").name == "contosomldata"


def test_one_that_is_not_ready_in_time_is_told_as_such(manager, arm):
    arm.polls = 1000
    start = time.monotonic()

    with pytest.raises(UnreachableError, match="not ready yet") as caught:
        manager().create_storage_account("contoso-ml", "contosomldata", "northeurope", wait=1)

    assert time.monotonic() - start < 3
    assert caught.value.code == "not-ready"


def test_a_progress_link_to_another_host_is_not_followed(manager, arm, ca):
    other = Double(ca, lambda _request: Answer(body=account_answer("contosomldata")))

    def reply(request):
        if request.method == "PUT":
            arm.accounts["contosomldata"] = account_answer("contosomldata")
            return Answer(202, None, {"Location": f"{other.url}/operations/1"})
        return arm.reply(request)

    arm.answer = reply
    try:
        manager().create_storage_account("contoso-ml", "contosomldata", "northeurope")
    finally:
        other.close()

    assert other.requests == []


@pytest.mark.parametrize(
    ("status", "code", "kind", "ours", "cure"),
    [
        (403, "RequestDisallowedByPolicy", NotAllowedError, "policy", "az policy assignment list"),
        (409, "MissingSubscriptionRegistration", ConflictError, "provider-not-registered", "az provider register"),
        (409, "ScopeLocked", ConflictError, "locked", "az lock list"),
        (400, "LocationNotAvailableForResourceType", ConflictError, "bad-region", "list-locations"),
        (403, "AuthorizationFailed", NotAllowedError, "not-allowed", '--role "Storage Account Contributor"'),
    ],
)
def test_why_it_can_t_be_made_is_told(manager, arm, status, code, kind, ours, cure):
    arm.replies["PUT", ""] = arm_error(status, code)

    with pytest.raises(kind) as caught:
        manager().create_storage_account("contoso-ml", "contosomldata", "northeurope")

    assert caught.value.code == ours
    assert "Can't make the Storage account 'contosomldata'" in caught.value.message
    assert cure in caught.value.hint


# --- failing


@pytest.mark.parametrize(
    ("status", "code", "kind", "ours", "told"),
    [
        (401, "InvalidAuthenticationToken", CredentialError, "credential", "does not accept the token"),
        (401, "InvalidAuthenticationTokenTenant", CredentialError, "wrong-tenant", "another tenant"),
        (401, "ExpiredAuthenticationToken", CredentialError, "credential", "expired"),
        (403, "AuthorizationFailed", NotAllowedError, "not-allowed", CLIENT_ID),
        (404, "SubscriptionNotFound", NotAllowedError, "subscription-not-visible", SUBSCRIPTION_ID),
        (404, "ResourceGroupNotFound", NotFoundError, "no-resource-group", "contoso-ml"),
        (409, "ReadOnlyDisabledSubscription", ConflictError, "subscription-disabled", "disabled"),
        (500, "InternalServerError", ServiceError, "service-failed", "failed"),
    ],
)
def test_a_refusal_says_what_is_wrong(manager, arm, status, code, kind, ours, told):
    arm.always = arm_error(status, code)

    with pytest.raises(kind) as caught:
        manager(deadline=1.5).resource_group("contoso-ml")

    assert (caught.value.code, caught.value.status, caught.value.service) == (ours, status, "arm")
    assert told in caught.value.message
    assert "'contoso-ml'" in caught.value.message
    assert MARK not in everything_of(caught.value)


def test_the_role_s_command_names_the_identity_and_the_scope(manager, arm):
    arm.always = arm_error(403, "AuthorizationFailed")

    with pytest.raises(NotAllowedError) as caught:
        manager().storage_account("contoso-ml", "contosomldata")

    assert f'az role assignment create --assignee {CLIENT_ID} --role "Reader" --scope {ACCOUNT}' in caught.value.hint


@pytest.mark.parametrize(
    "page",
    [
        PAGE,
        Answer(403, PAGE.body, PAGE.headers),
        Answer(200, "MARKED"),
        Answer(404, "MARKED"),
        Answer(200, ""),
        Answer(200, {}),
        Answer(302),
        Answer(200, ["MARKED"]),
    ],
)
def test_a_proxy_s_answer_is_never_taken_for_azure_s(manager, arm, page):
    arm.always = page
    client = manager()
    for ask in (
        lambda: client.resource_group("contoso-ml"),
        lambda: client.storage_account("contoso-ml", "contosomldata"),
        lambda: client.storage_keys("contoso-ml", "contosomldata"),
        lambda: client.name_available("contosomldata"),
        lambda: client.registry("contosoml.azurecr.io"),
        lambda: client.role_assignments(ACCOUNT, OBJECT_ID),
    ):
        with pytest.raises(UnreachableError) as caught:
            ask()
        assert caught.value.code == "not-the-service"
        assert MARK not in everything_of(caught.value)


def test_too_many_requests_are_asked_again_as_azure_said(manager, arm):
    arm.faults = [arm_error(429, "TooManyRequests", Retry_After="1")]
    start = time.monotonic()

    assert manager().resource_group("contoso-ml").name == "contoso-ml"
    assert 1 <= time.monotonic() - start < 4


def test_a_wait_beyond_the_deadline_is_not_waited_for(manager, arm):
    arm.always = arm_error(429, "TooManyRequests", Retry_After="3600")
    start = time.monotonic()

    with pytest.raises(ThrottledError):
        manager().resource_group("contoso-ml")

    assert time.monotonic() - start < 2


@pytest.mark.parametrize("fault", [RESET, Answer(502, "Bad gateway"), arm_error(503, "ServiceUnavailable")])
def test_a_passing_failure_is_tried_again(manager, arm, fault):
    arm.faults = [fault]

    assert manager().resource_group("contoso-ml").name == "contoso-ml"


@pytest.mark.parametrize("fault", [HANG, DRIP])
def test_the_deadline_is_kept_whatever_hangs(manager, arm, fault):
    arm.always = fault
    client = manager(timeout=1, deadline=2)
    for ask in (
        lambda: client.resource_group("contoso-ml"),
        lambda: client.registry("contosoml.azurecr.io"),
        lambda: client.storage_keys("contoso-ml", "contosomldata"),
    ):
        start = time.monotonic()

        with pytest.raises(UnreachableError) as caught:
            ask()

        assert time.monotonic() - start < 2.5
        assert caught.value.code == "timeout"


def test_all_that_finding_a_registry_takes_is_within_one_deadline(manager, arm):
    arm.registries = []
    arm.delay = 0.8
    start = time.monotonic()

    with pytest.raises(UnreachableError):
        manager(deadline=1.5).registry("contosoml.azurecr.io")

    assert time.monotonic() - start < 2


def test_a_clock_that_is_wrong_is_told_instead_of_a_bad_token(manager, arm):
    arm.always = arm_error(401, "InvalidAuthenticationToken", Date="Mon, 01 Jan 2024 00:00:00 GMT")

    with pytest.raises(CredentialError) as caught:
        manager().resource_group("contoso-ml")

    assert caught.value.code == "clock-skew"


def test_an_untrusted_certificate_is_told(manager):
    with pytest.raises(UnreachableError) as caught:
        manager(ca_bundle=None).resource_group("contoso-ml")

    assert caught.value.code == "untrusted-certificate"


def test_a_file_of_authorities_that_is_not_there_is_told(manager, entra, tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))

    with pytest.raises(UnreachableError) as caught:
        manager(ca_bundle=None).resource_group("contoso-ml")

    assert caught.value.code == "no-ca-bundle"
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint


def test_without_a_token_nothing_is_asked(manager, arm, entra):
    entra.refusal = entra_error("7000215")

    with pytest.raises(CredentialError) as caught:
        manager().resource_group("contoso-ml")

    assert (caught.value.service, arm.requests) == ("entra", [])


def test_no_token_and_no_key_reaches_a_log_at_any_level(manager, arm):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        client = manager()
        client.storage_keys("contoso-ml", "contosomldata")
        arm.always = arm_error(403, "AuthorizationFailed")
        with pytest.raises(NotAllowedError):
            client.resource_group("contoso-ml")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    assert "/listKeys" in written.getvalue()
    assert MARK not in written.getvalue()
    assert "Bearer ey" not in written.getvalue()
