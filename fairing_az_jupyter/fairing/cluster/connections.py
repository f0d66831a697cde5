"""What a launch on the cluster works with: cluster, registry and Storage account, each opened when it is needed."""

from __future__ import annotations

import contextlib
import getpass
import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.azure.access import AzureAccess
from fairing_az_jupyter.clients.azure.acr_tasks import AcrTasks
from fairing_az_jupyter.clients.azure.blob.contexts import ContextStore
from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER
from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.diagnosis.waits import Waits
from fairing_az_jupyter.clients.kube.workloads import Workloads
from fairing_az_jupyter.clients.oci.auth.docker_config import SECRET_KEY, parse_docker_config, registry_host
from fairing_az_jupyter.clients.oci.images import ImageStore
from fairing_az_jupyter.clients.oci.registry import Registry
from fairing_az_jupyter.exceptions import FairingAzureError, NotFoundError
from fairing_az_jupyter.fairing.cluster.manifests import PREFIX, Placement, Target, labels_of, placement_of
from fairing_az_jupyter.machine import SERVICE_ACCOUNT_FOLDER
from fairing_az_jupyter.settings import check_launch, scheduling

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Self

    from fairing_az_jupyter.clients.azure.credentials import ChosenCredential
    from fairing_az_jupyter.settings import Settings

__all__ = ["Launcher", "placement_of"]


class Launcher:
    """What one backend launches with; safe to use from several threads.

    Args:
        settings: The settings in force.
        placement: What a job's pod asks for, and where it may run; None for what the settings say.
        launches: Whether anything is launched; who only looks needs neither a registry nor a storage account.
        environ: The environment.
        service_account_folder: Where a pod has its service account's token, certificates and namespace.

    Raises:
        SettingsError: Settings are missing without which nothing can be launched.

    """

    def __init__(
        self,
        settings: Settings,
        *,
        placement: Placement | None = None,
        launches: bool = True,
        environ: Mapping[str, str] | None = None,
        service_account_folder: Path = SERVICE_ACCOUNT_FOLDER,
    ) -> None:
        if launches:
            check_launch(settings)
        self.settings = settings
        self._placement = placement or placement_of(settings)
        self._environ = os.environ if environ is None else environ
        self._folder = service_account_folder
        self._opened = contextlib.ExitStack()
        self._registries: dict[str, Registry] = {}
        self._lock = threading.RLock()
        self.azure = AzureAccess(settings, environ=self._environ, cluster=lambda: self.cluster)
        """The ways to Azure."""
        self._opened.callback(self.azure.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Launcher(registry={self.settings.docker_registry!r}, account={self.settings.azure_storage_account!r})"

    def close(self) -> None:
        """Close all connections; what is used afterwards can't be opened again."""
        self._opened.close()

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster, in the settings' namespace."""
        with self._lock:
            found = Cluster.connect(
                environ=self._environ, service_account_folder=self._folder, namespace=self.settings.namespace
            )
            self._opened.callback(found.close)
            return found

    @cached_property
    def workloads(self) -> Workloads:
        """What runs in the cluster."""
        with self._lock:
            found = Workloads(self.cluster)
            self._opened.callback(found.close)
            return found

    @property
    def in_cluster(self) -> bool:
        """Whether this notebook runs in the cluster itself."""
        return self.cluster.in_cluster

    @property
    def target(self) -> Target:
        """In whose name pods run."""
        return Target(
            self.cluster.namespace, self.settings.service_account, self.settings.registry_secret_name, self._owner()
        )

    @property
    def sender(self) -> str:
        """Who sends blobs, for their metadata: the namespace and the owner as labels have it; empty if unknown."""
        with contextlib.suppress(FairingAzureError):
            owner = labels_of("job", "", self._owner()).get(f"{PREFIX}owner", "")
            return f"{self.cluster.namespace}/{owner}" if owner else ""
        return ""

    @property
    def waits(self) -> Waits:
        """How long what may pass by itself is waited for."""
        return Waits(node=float(scheduling.seconds_in(self.settings.node_wait)))

    @property
    def placement(self) -> Placement:
        """What a job's pod asks for."""
        return self._placement

    @property
    def credential(self) -> ChosenCredential:
        """Who asks Azure."""
        # Its Secret is in the cluster: whoever holds one of the two locks and waits for the other has taken ours first.
        with self._lock:
            return self.azure.credential

    def registry(self, host: str) -> Registry:
        """Return a registry: with the login of the registry Secret where that has one, as nobody in particular if not.

        Args:
            host: The registry's host.

        Raises:
            ServiceError: The Secret can't be read; or it has no login for the settings' own registry.

        """
        name = registry_host(host)
        with self._lock:
            if name not in self._registries:
                found = self._logged_in(name)
                self._opened.callback(found.close)
                self._registries[name] = found
            return self._registries[name]

    def images(self, host: str) -> ImageStore:
        """Return the images of a registry.

        Args:
            host: The registry's host.

        """
        return ImageStore(self.registry(host))

    def tasks(self, host: str) -> AcrTasks:
        """Return the tasks of a registry, by which Azure builds images; to be closed by who asks for it.

        Args:
            host: The registry's host.

        Raises:
            ServiceError: No credential exists, or no subscription is known.

        """
        return AcrTasks(
            self.credential.credential,
            self.azure.subscription(f"the registry '{host}'"),
            self.azure.cloud,
            registry_host(host),
            assignee=self.credential.client_id or "",
        )

    @cached_property
    def contexts(self) -> ContextStore:
        """Where build contexts are kept: reached by a data role, or else by the account's key; made where it may be.

        Raises:
            ServiceError: The account does not exist, or no way to its blobs.

        """
        with self._lock:
            account = self.settings.azure_storage_account or ""
            self._make_account(account)
            found = self.azure.blobs(
                account,
                lambda signer: ContextStore(account, signer, cloud=self.azure.cloud, owner=self.sender),
                # If the key may not do it either, its rejection says why.
                lambda store: store.reached_by_token(CONTAINER)[0],
            )
            self._opened.callback(found.close)
            return found

    def _make_account(self, account: str) -> None:
        """Make the Storage account in the settings' region if there is none."""
        region, group = self.settings.azure_region, self.settings.azure_resource_group or ""
        if region is None:
            return
        with contextlib.closing(self.azure.resources()) as resources:
            resources.create_storage_account(group, account, region)

    def _logged_in(self, host: str) -> Registry:
        own = registry_host(self.settings.docker_registry or "")
        try:
            stored = self.cluster.read_secret(self.settings.registry_secret_name)
            login = parse_docker_config(stored.data[SECRET_KEY], host=host).find(host)
        except (FairingAzureError, KeyError) as error:
            if host != own:
                # A base image of a public registry is read without a login.
                return Registry(host, username=None, password=None)
            if isinstance(error, FairingAzureError):
                raise
            raise _no_docker_config(self.settings.registry_secret_name, self.cluster.namespace) from None
        return Registry(host, username=login.username, password=login.password)

    def _owner(self) -> str:
        """Return who launches: the notebook server, as Kubeflow names it, or the user."""
        prefix = self._environ.get("NB_PREFIX", "").strip("/")
        if prefix:
            return prefix.rpartition("/")[2]
        try:
            return getpass.getuser()
        except (OSError, KeyError):
            return ""


def _no_docker_config(name: str, namespace: str) -> NotFoundError:
    return NotFoundError(
        f"Secret '{name}' in namespace '{namespace}' has no key '{SECRET_KEY}': it holds no login to a registry. "
        "Without one no image can be pushed.",
        hint="Create it again: %fairing_azure secrets create --acr --replace",
        code="secret-type",
        service="kubernetes",
    )


def settings_for(explicit: Mapping[str, Any]) -> Settings:
    """Return the settings in force for a backend that a notebook makes.

    Args:
        explicit: What the notebook's own calls say, by field.

    Raises:
        SettingsError: A value in force breaks its rule.

    """
    from fairing_az_jupyter.settings import of_process, sources  # noqa: PLC0415 - as late as possible

    given = {"backend": "KubeflowAzureBackend", **explicit}
    return sources.resolve(**of_process.source_values(given)).settings
