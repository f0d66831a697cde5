"""What can be wrong with the resource group and the Storage account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fault import Make, fault, having

if TYPE_CHECKING:
    from tests.preflight.scene import Scene


def _roles(*swaps: tuple[str, str | None]) -> Make:
    """Take roles from the service principal, and give it others for the registry."""

    def make(scene: Scene) -> None:
        for lost, gained in swaps:
            scene.stand.arm.revoke(scene.setup.oid, lost)
            if gained:
                scene.stand.arm.assign(scene.setup.oid, gained, scene.setup.registry)

    return make


def _no_account(scene: Scene) -> None:
    del scene.stand.arm.resources[scene.setup.account_id.lower()]


def _account_elsewhere(scene: Scene) -> None:
    _no_account(scene)
    group = scene.stand.arm.add_group(scene.setup.subscription, f"other-{scene.setup.namespace}")
    scene.stand.arm.add_account(group, scene.setup.account)
    scene.settings["AZURE_REGION"] = "northeurope"


def _no_group(scene: Scene) -> None:
    scene.stand.arm.assign(scene.setup.oid, "Reader", f"/subscriptions/{scene.setup.subscription}")
    scene.settings |= {"AZURE_RESOURCE_GROUP": "nobodys-group", "AZURE_STORAGE_ACCOUNT": scene.stand.blob.take()}


def _no_shared_key(scene: Scene) -> None:
    scene.stand.arm.resources[scene.setup.account_id.lower()]["properties"]["allowSharedKeyAccess"] = False


FAULTS = [
    fault(
        "azure.resource-group",
        "the subscription is wrong",
        "the service principal sees no such subscription",
        "az account list",
        lambda scene: scene.azcreds(AZ_SUBSCRIPTION_ID="00000000-0000-0000-0000-00000000000c"),
    ),
    fault(
        "azure.resource-group",
        "the resource group does not exist",
        "there is no such resource group",
        "az group list --subscription {subscription}",
        _no_group,
    ),
    fault(
        "azure.resource-group",
        "the resource group is another",
        "AZURE_RESOURCE_GROUP is not the one that the Storage account is in",
        "fairing-azure fill train.ipynb --azure-resource-group {group}",
        having(AZURE_RESOURCE_GROUP="somebody-elses"),
        code="other-resource-group",
    ),
    fault(
        "azure.resource-group",
        "the resource group may not be read",
        "the service principal may not read the resource group; blobs it may write",
        'az role assignment create --assignee {client} --role "Storage Account Contributor"',
        lambda scene: scene.stand.arm.revoke(scene.setup.oid, "Storage Account Contributor"),
        status="unknown",
        data_role=True,
    ),
    fault(
        "azure.resource-group",
        "ARM answers 401 by a skewed clock",
        "Azure rejects the token because the clocks differ",
        "Correct the clock of this machine (on AKS: of the node)",
        lambda scene: (scene.stand.arm_front.refuse(401), scene.stand.arm_front.skew(3600)),
        code="clock-skew",
    ),
    fault(
        "azure.resource-group",
        "a proxy answers for Azure Resource Manager",
        "a proxy's page comes in place of Azure Resource Manager's answer",
        "Check the proxy (HTTPS_PROXY)",
        lambda scene: scene.stand.arm_front.proxy_page(502),
    ),
    fault(
        "storage.account",
        "the Storage account does not exist",
        "there is no such Storage account, and AZURE_REGION does not say where to make it",
        "az storage account create --name {account} --resource-group {group}",
        _no_account,
    ),
    fault(
        "storage.account",
        "the Storage account will be made",
        "there is no such Storage account; the first launch makes it in AZURE_REGION, and it is billed",
        "If the launch should create it, nothing needs to be done.",
        lambda scene: (_no_account(scene), scene.settings.update(AZURE_REGION="northeurope")),
        status="warn",
    ),
    fault(
        "storage.account",
        "the Storage account is in another group",
        "the Storage account is in another resource group, or somebody else's",
        "az storage account list --subscription {subscription}",
        _account_elsewhere,
        code="name-taken",
    ),
    fault(
        "storage.access",
        "the service principal has no role",
        "the service principal has no role for resource group and Storage account",
        'az role assignment create --assignee {client} --role "Storage Account Contributor"',
        lambda scene: scene.stand.arm.revoke(scene.setup.oid, "Storage Account Contributor"),
        unseen=("azure.resource-group",),
    ),
    fault(
        "storage.access",
        "neither keys nor data may be had",
        "the service principal may neither get the account's keys nor read and write blobs",
        'az role assignment create --assignee {client} --role "Storage Blob Data Contributor"',
        lambda scene: (
            _roles(("Storage Account Contributor", None))(scene),
            scene.stand.arm.assign(scene.setup.oid, "Reader", scene.setup.group),
        ),
    ),
    fault(
        "storage.access",
        "account keys are off",
        "the Storage account takes no keys, and the service principal has no data role",
        'az role assignment create --assignee {client} --role "Storage Blob Data Contributor"',
        _no_shared_key,
    ),
    fault(
        "storage.access",
        "the Storage account has no address",
        "the Storage account's name can't be looked up: a private endpoint, or a name service that does not know it",
        "link its private DNS zone",
        lambda scene: scene.stand.names.remove(f"{scene.setup.account}.blob.core.windows.net"),
    ),
    fault(
        "storage.probe",
        "the Storage account's firewall",
        "the Storage account's firewall does not let this network in",
        "az storage account network-rule add --account-name {account}",
        lambda scene: scene.stand.blob_front.refuse(403, code="AuthorizationFailure", method="PUT"),
        code="network-rules",
    ),
    fault(
        "storage.probe",
        "blobs can't be removed",
        "the container has an immutability policy",
        "az storage container immutability-policy show --account-name {account}",
        lambda scene: scene.stand.blob_front.refuse(409, code="BlobImmutableDueToPolicy", method="DELETE"),
        code="immutable",
    ),
    fault(
        "storage.probe",
        "the Storage account drops connections",
        "something between here and the Storage account cuts connections off",
        "Check the network",
        lambda scene: scene.stand.blob_front.drop(method="PUT"),
    ),
]
