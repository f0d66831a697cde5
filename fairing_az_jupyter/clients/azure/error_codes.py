"""What the codes in the error answers of Azure's services mean to a user, and what fixes it.

In the texts, {client_id}, {tenant_id}, {subscription}, {resource_group}, {account}, {scope}, {assignee}, {new_secret}
and {cloud} stand for what the call knows of them; what it does not know shows as `<client-id>` and so on.

Sources, read in November 2026:
    Entra ID   https://learn.microsoft.com/entra/identity-platform/reference-error-codes
    Blob       https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
    ARM        https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
    ThrottledError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ARM", "BLOB", "ENTRA", "MEANINGS", "Meaning"]


@dataclass(frozen=True)
class Meaning:
    """What an error code of a service says.

    Args:
        error: The class of ours that it becomes.
        problem: What is wrong, to stand after "Can't do this or that: ".
        fix: What to type or change next.
        code: A finer code than the class's own.

    """

    error: type[ServiceError]
    problem: str
    fix: str = ""
    code: str | None = None


_RENEW = "az ad app credential reset --id {client_id} --append makes a new one; then {new_secret}."
_FEDERATE = (
    "The federated credential of the application must name this service account; see "
    "az identity federated-credential list, or az ad app federated-credential list --id {client_id}."
)
_CLOCK = "Correct the clock of this machine (on AKS: of the node)."
_CHECK_IDS = "Compare them with what az ad sp show --id {client_id} prints, and correct them: {new_secret}."

ENTRA: Mapping[str, Meaning] = MappingProxyType(
    {
        "7000215": Meaning(
            CredentialError,
            "the client secret of the service principal {client_id} is wrong",
            "Use the secret's value, not its ID. " + _RENEW,
            "wrong-secret",
        ),
        "7000222": Meaning(
            CredentialError,
            "the client secret of the service principal {client_id} has expired",
            _RENEW,
            "expired-secret",
        ),
        "700016": Meaning(
            CredentialError,
            "application {client_id} not found in tenant {tenant_id}",
            "The client id or the tenant id is wrong, or the tenant is in another Azure cloud. " + _CHECK_IDS,
            "unknown-application",
        ),
        "7000112": Meaning(
            CredentialError,
            "the application {client_id} is disabled",
            "Ask an administrator of the tenant to enable it, or use another service principal.",
            "application-disabled",
        ),
        "500014": Meaning(
            CredentialError,
            "the token's target is disabled in tenant {tenant_id}",
            "Ask an administrator of the tenant to enable it.",
            "application-disabled",
        ),
        "90002": Meaning(
            CredentialError,
            "tenant {tenant_id} not found in this Azure cloud ({cloud})",
            "az account show --query tenantId prints the tenant's id; also check the setting azure_cloud.",
            "unknown-tenant",
        ),
        "900023": Meaning(
            CredentialError,
            "{tenant_id} is neither a tenant's id nor a domain of one",
            "az account show --query tenantId prints the tenant's id.",
            "unknown-tenant",
        ),
        "500011": Meaning(
            CredentialError,
            "the service that the token is for is not available in tenant {tenant_id}",
            "Check the setting azure_cloud, now {cloud}: each Azure cloud has services of its own.",
            "wrong-cloud",
        ),
        "700024": Meaning(
            CredentialError,
            "the signed assertion is not valid now: it has expired, or the clocks differ",
            f"{_CLOCK} If the clock is right, start the notebook server again: it then gets a new token file.",
            "clock-skew",
        ),
        "700021": Meaning(
            CredentialError,
            "the assertion is of another application than {client_id}",
            _FEDERATE,
            "not-federated",
        ),
        "70021": Meaning(
            CredentialError,
            "the application {client_id} trusts no such service account",
            _FEDERATE,
            "not-federated",
        ),
        "700211": Meaning(
            CredentialError,
            "the application {client_id} does not trust this cluster's token issuer",
            f"az aks show --query oidcIssuerProfile.issuerUrl prints the issuer. {_FEDERATE}",
            "not-federated",
        ),
        "700212": Meaning(
            CredentialError,
            "the application {client_id} expects tokens for another audience",
            f"The audience is api://AzureADTokenExchange. {_FEDERATE}",
            "not-federated",
        ),
        "700213": Meaning(
            CredentialError,
            "the application {client_id} trusts another service account, not this one",
            _FEDERATE,
            "not-federated",
        ),
        "700027": Meaning(
            CredentialError,
            "the certificate's signature is not accepted: another certificate, or the clocks differ",
            "az ad app credential reset --id {client_id} --cert @FILE --append adds it to the application.",
            "wrong-certificate",
        ),
        "53003": Meaning(
            CredentialError,
            "a Conditional Access policy of the tenant {tenant_id} blocks the service principal {client_id}",
            "Ask an administrator of the tenant to allow it from this network.",
            "conditional-access",
        ),
        "700082": Meaning(CredentialError, "the Azure CLI's login has expired", "Type: az login", "azure-cli-login"),
        "50173": Meaning(CredentialError, "the Azure CLI's login was revoked", "Type: az login", "azure-cli-login"),
        "50076": Meaning(
            CredentialError,
            "the tenant asks for multi-factor authentication",
            "Type: az login --tenant {tenant_id}",
            "azure-cli-login",
        ),
        "50079": Meaning(
            CredentialError,
            "the tenant asks for multi-factor authentication",
            "Type: az login --tenant {tenant_id}",
            "azure-cli-login",
        ),
    }
)
"""By the number after `AADSTS`."""

_DATA_ROLE = (
    'az role assignment create --assignee {assignee} --role "Storage Blob Data Contributor" --scope {scope} '
    "assigns it the role; this may take 30 minutes."
)
_FIREWALL = (
    "Add this cluster's network or its outgoing address: az storage account network-rule add --account-name {account} "
    "--ip-address ADDRESS."
)

BLOB: Mapping[str, Meaning] = MappingProxyType(
    {
        "AuthorizationPermissionMismatch": Meaning(
            NotAllowedError,
            "the identity {assignee} has no role there that may do it; Storage Blob Data Contributor may",
            _DATA_ROLE,
            "no-data-role",
        ),
        "InsufficientAccountPermissions": Meaning(
            NotAllowedError, "the account, or the permission given for it, does not allow it", _DATA_ROLE
        ),
        "AuthorizationFailure": Meaning(
            NotAllowedError,
            "the account's network rules (its firewall) do not let this network in",
            _FIREWALL,
            "network-rules",
        ),
        "AuthorizationSourceIPMismatch": Meaning(
            NotAllowedError, "it is not allowed from this address", _FIREWALL, "network-rules"
        ),
        "PublicAccessNotPermitted": Meaning(
            NotAllowedError, "the account allows no anonymous access, and no credential was sent"
        ),
        "KeyBasedAuthenticationNotPermitted": Meaning(
            NotAllowedError,
            "the account does not accept account keys (its shared key access is off)",
            f"Use Microsoft Entra ID instead: {_DATA_ROLE}",
            "shared-key-off",
        ),
        "AccountIsDisabled": Meaning(
            NotAllowedError,
            "the account is disabled",
            "Check that the subscription is active: az account show --query state",
            "account-disabled",
        ),
        "AuthenticationFailed": Meaning(
            CredentialError,
            "the account does not accept the request's signature",
            "An account key may have been renewed since: ask for it again. Otherwise check this machine's clock.",
        ),
        "InvalidAuthenticationInfo": Meaning(
            CredentialError,
            "the account does not accept the token: it is of another tenant or cloud, or has expired",
            "Check tenant and cloud: az account show. Otherwise check this machine's clock.",
        ),
        "NoAuthenticationInformation": Meaning(CredentialError, "no credential was sent", "Check the credential."),
        "ContainerNotFound": Meaning(
            NotFoundError,
            "the container does not exist",
            "The first launch creates it, or: az storage container create --account-name {account} --name NAME.",
        ),
        "BlobNotFound": Meaning(NotFoundError, "the blob does not exist"),
        "ContainerBeingDeleted": Meaning(
            ConflictError,
            "the container is being deleted",
            "Wait a minute and try again, or use another container.",
            "being-deleted",
        ),
        "ContainerDisabled": Meaning(ConflictError, "the container is disabled", "Ask who owns the Storage account."),
        "BlobImmutableDueToPolicy": Meaning(
            ConflictError,
            "the container has an immutability policy: blobs can't be deleted",
            "Use a container without such a policy.",
            "immutable",
        ),
        "InvalidResourceName": Meaning(
            ConflictError,
            "Azure does not accept the name",
            "A container has 3 to 63 lower-case letters, digits and single hyphens.",
            "bad-name",
        ),
        "OutOfRangeInput": Meaning(
            ConflictError,
            "Azure does not accept the name",
            "A container has 3 to 63 lower-case letters, digits and single hyphens.",
            "bad-name",
        ),
        "ServerBusy": Meaning(
            ThrottledError, "the account gets more requests than it can answer", "Try again in a minute."
        ),
    }
)
"""By `x-ms-error-code`."""

_ROLE = 'az role assignment create --assignee {assignee} --role "{role}" --scope {scope} gives it one that may.'

ARM: Mapping[str, Meaning] = MappingProxyType(
    {
        "AuthorizationFailed": Meaning(NotAllowedError, "the identity {assignee} may not do it", _ROLE),
        "LinkedAuthorizationFailed": Meaning(
            NotAllowedError, "the identity {assignee} may not use a resource that the request refers to", _ROLE
        ),
        "RequestDisallowedByPolicy": Meaning(
            NotAllowedError,
            "a policy of the subscription forbids it",
            "Ask who runs the subscription, or choose what the policy allows: az policy assignment list.",
            "policy",
        ),
        # Azure answers the same for a subscription that does not exist and for one in which the caller has no role.
        "SubscriptionNotFound": Meaning(
            NotAllowedError,
            "the identity {assignee} can't see subscription {subscription}: it has no role in it, or the id is wrong",
            "az account list prints the ids; az role assignment create --assignee {assignee} --role Reader --scope "
            "/subscriptions/{subscription} grants read access.",
            "subscription-not-visible",
        ),
        "InvalidSubscriptionId": Meaning(
            ConflictError,
            "{subscription} is not a subscription's id",
            "az account list prints them.",
            "bad-subscription",
        ),
        "InvalidAuthenticationTokenTenant": Meaning(
            CredentialError,
            "the subscription {subscription} is in another tenant than the credential",
            "az account show --subscription {subscription} --query tenantId prints the right one.",
            "wrong-tenant",
        ),
        "InvalidAuthenticationToken": Meaning(
            CredentialError,
            "Azure does not accept the token",
            "Check the setting azure_cloud, now {cloud}, and this machine's clock.",
        ),
        "ExpiredAuthenticationToken": Meaning(
            CredentialError, "the token has expired", "Try again. If it fails again, check this machine's clock."
        ),
        "AuthenticationFailed": Meaning(
            CredentialError, "Azure does not accept the token", "Check the setting azure_cloud, now {cloud}."
        ),
        "ResourceGroupNotFound": Meaning(
            NotFoundError,
            "resource group {resource_group} not found in subscription {subscription}",
            "az group list --subscription {subscription} lists them; az group create --name {resource_group} "
            "--location REGION creates it.",
            "no-resource-group",
        ),
        "ResourceNotFound": Meaning(NotFoundError, "not found"),
        "InvalidApiVersionParameter": Meaning(
            ConflictError, "this cloud does not support the API version", code="unknown-api-version"
        ),
        "NoRegisteredProviderFound": Meaning(
            ConflictError, "this cloud does not support the API version", code="unknown-api-version"
        ),
        "StorageAccountAlreadyTaken": Meaning(
            ConflictError,
            "the storage account's name is taken; names are unique in all of Azure",
            "Choose another name.",
            "name-taken",
        ),
        "StorageAccountAlreadyExists": Meaning(
            ConflictError, "a storage account with that name already exists", "Choose another name.", "name-taken"
        ),
        "StorageAccountInAnotherResourceGroup": Meaning(
            ConflictError,
            "the Storage account is in another resource group of the subscription",
            "az storage account show --name {account} --query resourceGroup prints which; set azure_resource_group.",
            "other-resource-group",
        ),
        "StorageAccountOperationInProgress": Meaning(
            ConflictError, "it is being created or changed", "Check again in a minute.", "in-progress"
        ),
        "AccountNameInvalid": Meaning(
            ConflictError, "Azure does not accept the name", "3 to 24 lower-case letters and digits.", "bad-name"
        ),
        "MissingSubscriptionRegistration": Meaning(
            ConflictError,
            "the resource provider is not registered in the subscription",
            "az provider register --namespace Microsoft.Storage --subscription {subscription} --wait",
            "provider-not-registered",
        ),
        "ReadOnlyDisabledSubscription": Meaning(
            ConflictError,
            "the subscription {subscription} is disabled",
            "Ask who pays for the subscription.",
            "subscription-disabled",
        ),
        "ScopeLocked": Meaning(
            ConflictError, "a lock keeps it from being changed", "az lock list prints the locks.", "locked"
        ),
        "LocationNotAvailableForResourceType": Meaning(
            ConflictError,
            "the region does not exist or does not offer this resource",
            "az account list-locations --query [].name prints the regions.",
            "bad-region",
        ),
        "LocationNotAvailableForResourceGroup": Meaning(
            ConflictError,
            "the region does not exist or does not offer this resource",
            "az account list-locations --query [].name prints the regions.",
            "bad-region",
        ),
        "InvalidResourceLocation": Meaning(
            ConflictError, "one with that name exists in another region", "Choose another name.", "other-region"
        ),
        "MaxStorageAccountsCountPerSubscriptionExceeded": Meaning(
            ConflictError,
            "the subscription has reached its limit of storage accounts in that region",
            "Use an existing one: az storage account list; or another region.",
            "quota",
        ),
        "SubscriptionRequestsThrottled": Meaning(
            ThrottledError, "there are too many requests in this subscription", "Try again in a minute."
        ),
        "TooManyRequests": Meaning(ThrottledError, "there are too many requests", "Try again in a minute."),
    }
)
"""By `error.code` in the answer's body."""

MEANINGS: Mapping[str, Mapping[str, Meaning]] = MappingProxyType({"entra": ENTRA, "blob": BLOB, "arm": ARM})
"""The tables by the service that answers."""
