"""A set-up whose Storage account holds notebooks: files in it, by the settings' credential and past all roles."""

from __future__ import annotations

import os

import pytest
from azure.storage.blob import BlobServiceClient

from fairing_az_jupyter.clients.azure.access import AzureAccess
from fairing_az_jupyter.clients.azure.blob.files import BlobFiles
from fairing_az_jupyter.settings import Settings, from_notebook


class Scene:
    """A set-up, the settings for it, and files as a notebook server would reach them."""

    def __init__(self, stand, setup):
        self.stand, self.setup = stand, setup
        self.host = f"{setup.account}.blob.core.windows.net"
        self.opened = []

    def settings(self, **changes):
        plain = from_notebook(self.setup.settings)
        return Settings(**{**plain, "namespace": self.setup.namespace, **changes})

    def url(self, name, container="runs", host=None):
        return f"abs://{host or self.host}/{container}/{name}"

    def files(self, environ=None, **changes):
        access = AzureAccess(
            self.settings(**changes),
            environ={**os.environ, **self.setup.environment, **(environ or {})},
            service_account_folder=self.setup.service_account,
        )
        files = BlobFiles(access)
        self.opened += [files, access]
        return files

    def put(self, name, data=b"{}", container="runs", account=None):
        """Put a blob there by the key, past all roles."""
        account = account or self.setup.account
        key = self.stand.blob.accounts[account]
        with BlobServiceClient(self.stand.blob.account_url(account), credential=key) as service:
            client = service.get_container_client(container)
            if not client.exists():
                client.create_container()
            client.upload_blob(name, data, overwrite=True).close()

    def get(self, name, container="runs"):
        """Return a blob's bytes, past all roles."""
        with BlobServiceClient(self.stand.blob.account_url(self.setup.account), credential=self.setup.account_key) as s:
            return s.get_blob_client(container, name).download_blob().readall()

    def names(self, container="runs"):
        key = self.setup.account_key
        with BlobServiceClient(self.stand.blob.account_url(self.setup.account), credential=key) as service:
            client = service.get_container_client(container)
            return sorted(blob.name for blob in client.list_blobs()) if client.exists() else None


@pytest.fixture
def scene_of(stand, namespace):
    scenes = []

    def make(**options):
        scenes.append(Scene(stand, stand.correct_setup(namespace, **options)))
        return scenes[-1]

    yield make
    for each in (each for scene in scenes for each in scene.opened):
        each.close()
