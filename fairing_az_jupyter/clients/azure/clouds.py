"""The three Azure clouds: where each of them keeps its login, its management, its blobs and its registries.

Sources, read in November 2026:
    login and management   `azure.identity.AzureAuthorityHosts`, and `get_arm_endpoints` in azure-mgmt-core 1.6
    blobs                  https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure and
                           https://learn.microsoft.com/azure/china/resources-developer-guide, "Storage"
    registries             the same pages, "Container Registry"
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CLOUDS", "STORAGE_SCOPE", "AzureCloud", "cloud_named", "cloud_of_registry"]

STORAGE_SCOPE = "https://storage.azure.com/.default"
"""What a token for blobs is asked for; the same in every cloud.

Source: https://learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory, "Microsoft
authentication library".
"""


@dataclass(frozen=True)
class AzureCloud:
    """Where one Azure cloud is.

    Args:
        name: As in the setting `azure_cloud`.
        cli_name: As `az cloud set --name` takes it.
        authority: Microsoft Entra ID, as a URL without a slash at its end.
        arm_endpoint: Azure Resource Manager, as a URL without a slash at its end.
        arm_scope: What a token for Azure Resource Manager is asked for.
        blob_suffix: What follows a Storage account's name in the host of its blobs.
        registry_suffix: What follows a registry's name in its login server.

    """

    name: str
    cli_name: str
    authority: str
    arm_endpoint: str
    arm_scope: str
    blob_suffix: str
    registry_suffix: str

    def blob_url(self, account: str) -> str:
        """Return where a Storage account's blobs are.

        Args:
            account: The account's name.

        Returns:
            The URL, without a slash at its end.

        """
        return f"https://{account}.{self.blob_suffix}"


CLOUDS: Mapping[str, AzureCloud] = MappingProxyType(
    {
        cloud.name: cloud
        for cloud in (
            AzureCloud(
                name="AzurePublicCloud",
                cli_name="AzureCloud",
                authority="https://login.microsoftonline.com",
                arm_endpoint="https://management.azure.com",
                arm_scope="https://management.azure.com/.default",
                blob_suffix="blob.core.windows.net",
                registry_suffix="azurecr.io",
            ),
            AzureCloud(
                name="AzureUSGovernment",
                cli_name="AzureUSGovernment",
                authority="https://login.microsoftonline.us",
                arm_endpoint="https://management.usgovcloudapi.net",
                # Not the endpoint's own host: the resource that tokens of this cloud are issued for has its older name.
                arm_scope="https://management.core.usgovcloudapi.net/.default",
                blob_suffix="blob.core.usgovcloudapi.net",
                registry_suffix="azurecr.us",
            ),
            AzureCloud(
                name="AzureChinaCloud",
                cli_name="AzureChinaCloud",
                authority="https://login.chinacloudapi.cn",
                arm_endpoint="https://management.chinacloudapi.cn",
                arm_scope="https://management.chinacloudapi.cn/.default",
                blob_suffix="blob.core.chinacloudapi.cn",
                registry_suffix="azurecr.cn",
            ),
        )
    }
)
"""The clouds by the name that the setting `azure_cloud` has for them."""


def cloud_named(name: str) -> AzureCloud:
    """Return the cloud of that name.

    Args:
        name: As in the setting `azure_cloud`.

    Returns:
        Where it is.

    Raises:
        SettingsError: The cloud does not exist.

    """
    try:
        return CLOUDS[name]
    except KeyError:
        raise SettingsError(
            f"Unknown Azure cloud {name!r}.", hint=f"Set azure_cloud to one of {', '.join(CLOUDS)}."
        ) from None


def cloud_of_registry(login_server: str) -> AzureCloud | None:
    """Tell from a registry's login server which cloud it is in.

    Args:
        login_server: Such as `contosoml.azurecr.io`, with or without a path.

    Returns:
        The cloud; None where the host is of none of them, such as a registry on loopback.

    """
    host = login_server.partition("/")[0].lower()
    return next((cloud for cloud in CLOUDS.values() if host.endswith(f".{cloud.registry_suffix}")), None)
