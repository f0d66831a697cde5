"""The backends that notebooks look up by name in `kubeflow.fairing.backends`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeflow.fairing.backends.backends import BackendInterface

from fairing_az_jupyter.fairing.azure_backend import KubeflowAzureBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.fairing.local.backend import LocalJob, LocalServing
    from fairing_az_jupyter.fairing.local.builder import LocalBuilder

LOCAL_REGISTRY = "local"


class LocalBackend(BackendInterface):  # type: ignore[misc] # Fairing is untyped
    """Trains and serves on this machine, without a cluster, by the same calls as in one.

    The build context is the same reproducible archive; it is unpacked to a folder of the job's own, and Fairing's own
    command runs there in a child process.

    Args:
        namespace: Taken for the sake of notebooks that give one; a machine has none.
        build_context_source: Likewise.
        isolated: Run in an environment made from the job's requirements.txt instead of the notebook's own.
        ready_timeout: How long an endpoint may take until it is ready, in seconds.

    """

    def __init__(
        self,
        namespace: str | None = None,
        build_context_source: object = None,
        *,
        isolated: bool = False,
        ready_timeout: float = 120.0,
    ) -> None:
        self.namespace = namespace
        self.build_context_source = build_context_source
        self.isolated = isolated
        self.ready_timeout = ready_timeout

    def get_builder(
        self,
        preprocessor: Any,  # noqa: ANN401 - Fairing is untyped
        base_image: str,
        registry: str,
        needs_deps_installation: bool = True,  # noqa: FBT001, FBT002, ARG002 - Fairing's signature
        pod_spec_mutators: list[Callable[..., object]] | None = None,  # noqa: ARG002
    ) -> LocalBuilder:
        """Return the builder that packs a task's files; see Fairing's `BackendInterface`."""
        from fairing_az_jupyter.fairing.local.builder import LocalBuilder  # noqa: PLC0415

        return LocalBuilder(preprocessor=preprocessor, base_image=base_image, registry=registry)

    def get_training_deployer(self, pod_spec_mutators: list[Callable[..., object]] | None = None) -> LocalJob:
        """Return the deployer that runs a job; see Fairing's `BackendInterface`."""
        from fairing_az_jupyter.fairing.local.backend import LocalJob  # noqa: PLC0415

        return LocalJob(pod_spec_mutators=pod_spec_mutators, isolated=self.isolated)

    def get_serving_deployer(
        self,
        model_class: str,
        service_type: str = "ClusterIP",  # noqa: ARG002 - Fairing's signature
        pod_spec_mutators: list[Callable[..., object]] | None = None,
    ) -> LocalServing:
        """Return the deployer that runs an endpoint; see Fairing's `BackendInterface`."""
        from fairing_az_jupyter.fairing.local.backend import LocalServing  # noqa: PLC0415

        return LocalServing(
            model_class,
            pod_spec_mutators=pod_spec_mutators,
            isolated=self.isolated,
            ready_timeout=self.ready_timeout,
        )

    def get_base_contanier(self) -> str:
        """Return the name that stands for this machine where Fairing wants a base image (its spelling)."""
        return LOCAL_REGISTRY

    def get_docker_registry(self) -> str:
        """Return the name that stands for this machine where Fairing wants a registry: nothing is pushed."""
        return LOCAL_REGISTRY


BACKENDS: tuple[type, ...] = (LocalBackend, KubeflowAzureBackend)
"""Every backend of ours, put into `kubeflow.fairing.backends` under its own name."""
