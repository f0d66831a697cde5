"""The backends that notebooks look up by name in `kubeflow.fairing.backends`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from kubeflow.fairing.backends.backends import BackendInterface

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.fairing.azure_backend import KubeflowAzureBackend
from fairing_az_jupyter.fairing.checkpoint_folder import checkpoint_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

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
        outputs: Whether the files that a job writes in its working folder are kept; or globs that say which files,
            such as `("*.dat", "models/**")`.
        outputs_limit: The bytes that all files together may have; None for what the settings say. The smaller ones are
            kept where not all of them fit.
        checkpoints: A folder below a job's working folder for what it saves of itself while it runs; None for none.
        as_it_was: The record of a launch whose code is taken in the place of a task's own; None for none.

    Raises:
        InputError: `checkpoints` is not such a folder.

    """

    def __init__(
        self,
        namespace: str | None = None,
        build_context_source: object = None,
        *,
        isolated: bool = False,
        ready_timeout: float = 120.0,
        outputs: bool | Sequence[str] = True,
        outputs_limit: int | None = None,
        checkpoints: str | None = None,
        as_it_was: Path | None = None,
    ) -> None:
        self.namespace = namespace
        self.build_context_source = build_context_source
        self.isolated = isolated
        self.ready_timeout = ready_timeout
        self.outputs, self.outputs_limit = outputs, outputs_limit
        self.checkpoints = checkpoint_folder(checkpoints)
        self.as_it_was = as_it_was

    def get_builder(
        self,
        preprocessor: Any,  # noqa: ANN401 - Fairing is untyped
        base_image: str,
        registry: str,
        needs_deps_installation: bool = True,  # noqa: FBT001, FBT002, ARG002 - Fairing's signature
        pod_spec_mutators: list[Callable[..., object]] | None = None,
    ) -> LocalBuilder:
        """Return the builder that packs a task's files; see Fairing's `BackendInterface`."""
        from fairing_az_jupyter.fairing.context.task_files import names_of  # noqa: PLC0415
        from fairing_az_jupyter.fairing.local.builder import LocalBuilder  # noqa: PLC0415

        return LocalBuilder(
            preprocessor=preprocessor,
            base_image=base_image,
            registry=registry,
            mutators=names_of(pod_spec_mutators or ()),
            as_it_was=self.as_it_was,
        )

    def get_training_deployer(self, pod_spec_mutators: list[Callable[..., object]] | None = None) -> LocalJob:
        """Return the deployer that runs a job; see Fairing's `BackendInterface`."""
        from fairing_az_jupyter.fairing.local.backend import LocalJob  # noqa: PLC0415

        return LocalJob(
            pod_spec_mutators,
            isolated=self.isolated,
            outputs=self.outputs,
            outputs_limit=_limit_in_force() if self.outputs_limit is None else self.outputs_limit,
            checkpoints=self.checkpoints,
        )

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


def _limit_in_force() -> int:
    """Return the bytes that the settings allow, whatever is wrong with others of them."""
    from fairing_az_jupyter.settings import Settings, of_process, sources  # noqa: PLC0415 - as late as possible
    from fairing_az_jupyter.settings.quantities import amount  # noqa: PLC0415 - likewise

    settings = Settings.model_validate({})
    with contextlib.suppress(FairingAzureError):
        settings = sources.resolve_usable(**of_process.source_values())[0].settings
    return int(amount(settings.outputs_limit))


BACKENDS: tuple[type, ...] = (LocalBackend, KubeflowAzureBackend)
"""Every backend of ours, put into `kubeflow.fairing.backends` under its own name."""
