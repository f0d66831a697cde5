"""Where each Azure cloud is, judged by what Microsoft's own packages say."""

from __future__ import annotations

import pytest
from azure.identity import AzureAuthorityHosts

from fairing_az_jupyter.clients.azure.clouds import CLOUDS, cloud_named, cloud_of_registry
from fairing_az_jupyter.exceptions import SettingsError
from fairing_az_jupyter.settings.declaration import Settings


def test_there_is_a_cloud_for_every_value_of_the_setting():
    allowed = Settings.model_json_schema()["properties"]["azure_cloud"]["enum"]

    assert sorted(CLOUDS) == sorted(allowed)


@pytest.mark.parametrize(
    ("name", "authority"),
    [
        ("AzurePublicCloud", AzureAuthorityHosts.AZURE_PUBLIC_CLOUD),
        ("AzureUSGovernment", AzureAuthorityHosts.AZURE_GOVERNMENT),
        ("AzureChinaCloud", AzureAuthorityHosts.AZURE_CHINA),
    ],
)
def test_tokens_come_from_the_authority_that_azure_identity_names(name, authority):
    assert cloud_named(name).authority == f"https://{authority}"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("AzurePublicCloud", "https://contoso.blob.core.windows.net"),
        ("AzureUSGovernment", "https://contoso.blob.core.usgovcloudapi.net"),
        ("AzureChinaCloud", "https://contoso.blob.core.chinacloudapi.cn"),
    ],
)
def test_blobs_have_a_host_of_their_own_in_each_cloud(name, url):
    assert cloud_named(name).blob_url("contoso") == url


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("contoso.azurecr.io", "AzurePublicCloud"),
        ("Contoso.AzureCR.us/team", "AzureUSGovernment"),
        ("contoso.azurecr.cn", "AzureChinaCloud"),
    ],
)
def test_a_registry_s_host_tells_its_cloud(server, name):
    assert cloud_of_registry(server) is CLOUDS[name]


@pytest.mark.parametrize("server", ["localhost:5000", "docker.io", "azurecr.io", "contoso.azurecr.io.example", ""])
def test_a_host_outside_azure_is_of_no_cloud(server):
    assert cloud_of_registry(server) is None


def test_a_cloud_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(SettingsError, match="'AzureGermanCloud'") as caught:
        cloud_named("AzureGermanCloud")

    assert "AzurePublicCloud, AzureUSGovernment, AzureChinaCloud" in caught.value.hint
