"""Fairing's `StorageContextSource` by its upstream name and signature: where build contexts are kept on Azure."""

from __future__ import annotations

from typing import Any

from kubeflow.fairing.builders.cluster.context_source import ContextSourceInterface

from fairing_az_jupyter.exceptions import InputError

__all__ = ["StorageContextSource"]


class StorageContextSource(ContextSourceInterface):  # type: ignore[misc] # Fairing is untyped
    """Says where `KubeflowAzureBackend` keeps build contexts; what is left out comes from the settings in force.

    Args:
        namespace: The Kubernetes namespace to work in.
        region: Leave empty if the storage account exists; otherwise the region to create it in.
        resource_group_name: The Azure resource group of the Storage account.
        storage_account_name: The Azure Storage account.

    """

    def __init__(
        self,
        namespace: str | None = None,
        region: str | None = None,
        resource_group_name: str | None = None,
        storage_account_name: str | None = None,
    ) -> None:
        self.namespace = namespace
        self.region = region
        self.resource_group_name = resource_group_name
        self.storage_account_name = storage_account_name

    @property
    def settings(self) -> dict[str, Any]:
        """What it says, by the settings' fields."""
        named = {
            "namespace": self.namespace,
            "azure_resource_group": self.resource_group_name,
            "azure_storage_account": self.storage_account_name,
        }
        said = {field: value for field, value in named.items() if value is not None}
        # With an account, None is a region, too: the account exists.
        return {**said, "azure_region": self.region} if self.region or self.storage_account_name else said

    def prepare(self, context_filename: str | None = None) -> None:  # noqa: ARG002 - upstream's signature
        """Reject upstream's own builder, which would send a context file by file and hand the account's key around.

        Raises:
            InputError: Always.

        """
        raise _only_with_the_backend()

    def generate_pod_spec(self, *_: object) -> None:
        """Reject upstream's own builder, as `prepare`.

        Raises:
            InputError: Always.

        """
        raise _only_with_the_backend()

    def cleanup(self) -> None:
        """Remove nothing: what a build makes goes with the build."""


def _only_with_the_backend() -> InputError:
    return InputError(
        "StorageContextSource works with KubeflowAzureBackend, whose builders send each context once, as one blob; "
        "Fairing's own ClusterBuilder can't use it.",
        hint="Write backend=KubeflowAzureBackend(build_context_source=StorageContextSource(...)).",
        code="context-source",
    )
