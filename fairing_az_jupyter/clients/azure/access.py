"""Who asks Azure by the settings in force, and how a Storage account's blobs are reached: by token, else by key.

The one place of two rules: which credential is used, and that the account's key is only asked for where the token has
no data role. An account other than the settings' own is reached by token alone: there is no resource group in which
its key could be asked for.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from fairing_az_jupyter.clients.azure.blob.storage import BlobStore
from fairing_az_jupyter.clients.azure.clouds import cloud_named
from fairing_az_jupyter.clients.azure.credentials import choose_credential, service_principal
from fairing_az_jupyter.clients.azure.resources import ResourceManager
from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.exceptions import FairingAzureError, SettingsError
from fairing_az_jupyter.machine import SERVICE_ACCOUNT_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fairing_az_jupyter.clients.azure.clouds import AzureCloud
    from fairing_az_jupyter.clients.azure.credentials import ChosenCredential, ServicePrincipal
    from fairing_az_jupyter.settings import Settings

__all__ = ["AzureAccess"]

S = TypeVar("S", bound=BlobStore)


class AzureAccess:
    """Who asks Azure, and the ways to its Storage accounts; safe to use from several threads.

    Args:
        settings: The settings in force.
        environ: The environment.
        service_account_folder: Where a pod has its service account's token, certificates and namespace.
        cluster: Gives the cluster whose Secret may hold the credential, to be closed by who gives it; None to connect
            as the settings say, when it is needed.

    """

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str] | None = None,
        service_account_folder: Path = SERVICE_ACCOUNT_FOLDER,
        cluster: Callable[[], Cluster] | None = None,
    ) -> None:
        self.settings = settings
        self._environ = os.environ if environ is None else environ
        self._folder = service_account_folder
        self._given_cluster = cluster
        self._connected: Cluster | None = None
        self._credential: ChosenCredential | None = None
        self._opened = contextlib.ExitStack()
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"AzureAccess(credential={self.settings.credential!r}, account={self.settings.azure_storage_account!r})"

    @property
    def cloud(self) -> AzureCloud:
        """The Azure cloud of the settings."""
        return cloud_named(self.settings.azure_cloud)

    @property
    def credential(self) -> ChosenCredential:
        """Who asks Azure: chosen once, and anew after `renew`.

        Raises:
            FairingAzureError: No credential applies; each one's reason is reported.

        """
        with self._lock:
            if self._credential is None:
                kind = self.settings.credential
                principal = self._principal() if kind in {"auto", "secret"} else None
                self._credential = choose_credential(kind, secret=principal, environ=self._environ, cloud=self.cloud)
                self._opened.callback(self._credential.close)
            return self._credential

    def renew(self, used: ChosenCredential) -> None:
        """Choose the credential anew when it is next needed: its Secret may have changed, and no old token is kept.

        Args:
            used: The credential that was rejected; nothing is done where another one has taken its place already.

        """
        with self._lock:
            # It is closed with all the others: another thread may be using it.
            if self._credential is used:
                self._credential = None

    def subscription(self, wanted: str) -> str:
        """Return the subscription that comes with the credential.

        Args:
            wanted: What is looked for there, for the error.

        Raises:
            SettingsError: None is known.
            FairingAzureError: No credential applies.

        """
        subscription = self.credential.subscription_id
        if not subscription:
            raise SettingsError(
                f"No subscription is set, so {wanted} can't be found.",
                hint="Set AZURE_SUBSCRIPTION_ID to the subscription's id: az account show --query id",
                code="no-subscription",
            )
        return subscription

    def resources(self) -> ResourceManager:
        """Return Azure Resource Manager in that subscription, to be closed by who asks for it.

        Raises:
            SettingsError: No subscription is known.
            FairingAzureError: No credential applies.

        """
        return ResourceManager(
            self.credential.credential,
            self.subscription(f"the storage account '{self.settings.azure_storage_account}'"),
            self.cloud,
            assignee=self.credential.client_id,
        )

    def is_own(self, account: str) -> bool:
        """Tell whether an account is the settings' own, so that its key could be asked for.

        Args:
            account: The account's name.

        """
        own = self.settings.azure_storage_account
        return bool(own) and account == own and bool(self.settings.azure_resource_group)

    def account_id(self, account: str) -> str:
        """Return an account's resource id for a command to type; one that asks for it where it is not known.

        Args:
            account: The account's name.

        """
        subscription = self._credential.subscription_id if self._credential else None
        if subscription and self.is_own(account):
            group = f"/subscriptions/{subscription}/resourceGroups/{self.settings.azure_resource_group}"
            return f"{group}/providers/Microsoft.Storage/storageAccounts/{account}"
        return f"$(az storage account show --name {account} --query id --output tsv)"

    def blobs(self, account: str, make: Callable[[Any], S], suffices: Callable[[S], bool]) -> S:
        """Return an account's blobs: reached with a token where a data role lets it, else with the account's key.

        Args:
            account: The account's name.
            make: Makes the client of a token credential, or of a key.
            suffices: Tells of the client with the token whether it does; the key is asked for if not.

        Returns:
            The client, to be closed by who asks for it; whether the key may do it is not tried.

        Raises:
            FairingAzureError: No credential applies, `suffices` has raised, or there is no key to be had.

        """
        by_token = make(self.credential.credential)
        try:
            if suffices(by_token):
                return by_token
        except BaseException:
            by_token.close()
            raise
        by_token.close()
        with contextlib.closing(self.resources()) as resources:
            key = resources.storage_keys(self.settings.azure_resource_group or "", account)
        return make(key)

    def close(self) -> None:
        """Close the connections."""
        self._opened.close()

    def _cluster(self) -> Cluster:
        if self._given_cluster is not None:
            return self._given_cluster()
        if self._connected is None:
            self._connected = Cluster.connect(
                environ=self._environ, service_account_folder=self._folder, namespace=self.settings.namespace
            )
            self._opened.callback(self._connected.close)
        return self._connected

    def _principal(self) -> ServicePrincipal | FairingAzureError:
        name = self.settings.azure_secret_name
        try:
            cluster = self._cluster()
            return service_principal(cluster.read_secret(name).data, secret_name=name, namespace=cluster.namespace)
        except FairingAzureError as error:
            return error
