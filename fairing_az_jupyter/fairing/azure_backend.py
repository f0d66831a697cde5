"""`KubeflowAzureBackend`: trains and serves in a cluster on AKS, by Fairing's own interfaces."""

from __future__ import annotations

import dataclasses
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, Literal

from kubeflow.fairing.backends.backends import BackendInterface

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.checkpoint_folder import checkpoint_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from kubeflow.fairing.deployers.deployer import DeployerInterface

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.images.builder import ImageBuilder
    from fairing_az_jupyter.fairing.jobs.training_job import ClusterJob
    from fairing_az_jupyter.fairing.upstream.storage_context_source import StorageContextSource
    from fairing_az_jupyter.settings import Settings

__all__ = ["KubeflowAzureBackend"]


class KubeflowAzureBackend(BackendInterface):  # type: ignore[misc] # Fairing is untyped
    """Trains and serves in the cluster, with images in an Azure Container Registry.

    What is not given here comes from the settings in force: the environment and the active profile. Nothing is asked
    or opened before the first task is built.

    Args:
        namespace: The Kubernetes namespace; None for the notebook's own.
        build_context_source: Where build contexts are kept; None for the Storage account of the settings.
        settings: All settings at once, in place of those in force.
        deadline: Seconds after which a training job is ended; None for none.
        ready_timeout: How long an endpoint may take until it is ready, in seconds.
        gpus: How many graphics processors a pod asks for; None for what the settings say, as with all that follow.
        node_selector: Labels that a pod's node has to have.
        tolerations: Taints that a pod accepts, as Kubernetes writes them.
        spot: Whether a job may run on AKS's spot nodes, which Azure may take away at any time.
        cpu_limit: How many processor cores a pod may use at most.
        retries: How often a job is started again after its program has failed.
        pod_security: The Pod Security Standard that pods keep to: `baseline` or `restricted`.
        pod_token: Whether a job's pod gets its service account's token, to talk to the cluster.
        outputs: Whether the files that a job writes in its working folder are kept, and what it returns; or globs that
            say which files, such as `("*.dat", "models/**")`.
        outputs_limit: The bytes that all files together may have; None for what the settings say. The smaller ones are
            kept where not all of them fit.
        checkpoints: A folder below a job's working folder that is saved while the job runs, and is there again where
            its pod is started anew; None for none.
        as_it_was: The record of a launch whose image is run in the place of a task's own; None for none.

    Raises:
        InputError: `pod_security` is none of the two, or `checkpoints` is not such a folder.

    """

    def __init__(  # noqa: PLR0913 - each is a word that a notebook may say
        self,
        namespace: str | None = None,
        build_context_source: StorageContextSource | None = None,
        *,
        settings: Settings | None = None,
        deadline: int | None = None,
        ready_timeout: float = 600.0,
        gpus: int | None = None,
        node_selector: Mapping[str, str] | None = None,
        tolerations: Sequence[Mapping[str, str]] | None = None,
        spot: bool | None = None,
        cpu_limit: str | None = None,
        retries: int | None = None,
        pod_security: Literal["baseline", "restricted"] | None = None,
        pod_token: bool | None = None,
        outputs: bool | Sequence[str] = True,
        outputs_limit: int | None = None,
        checkpoints: str | None = None,
        as_it_was: Path | None = None,
    ) -> None:
        self.namespace = namespace
        self.build_context_source = build_context_source
        self._given = settings
        self._deadline, self._ready_timeout = deadline, ready_timeout
        self.outputs, self.outputs_limit = outputs, outputs_limit
        self.checkpoints = checkpoint_folder(checkpoints)
        self._as_it_was = as_it_was
        if pod_security not in {None, "baseline", "restricted"}:
            raise InputError(
                f"pod_security can't be {pod_security!r}.", hint="Use baseline or restricted.", code="pod-security"
            )
        placed: dict[str, Any] = {
            "gpus": gpus,
            "node_selector": node_selector,
            "tolerations": tolerations,
            "spot": spot,
        }
        placed |= {"cpu_limit": cpu_limit, "retries": retries, "pod_security": pod_security, "pod_token": pod_token}
        self._placed = {name: value for name, value in placed.items() if value is not None}
        self._registry: str | None = None
        self._launchers: dict[str | None, Launcher] = {}
        self._lock = threading.Lock()

    def get_builder(
        self,
        preprocessor: Any,  # noqa: ANN401 - Fairing is untyped
        base_image: str,
        registry: str,
        needs_deps_installation: bool = True,  # noqa: FBT001, FBT002, ARG002 - Fairing's signature; the files tell
        pod_spec_mutators: Sequence[Callable[..., object]] | None = None,
    ) -> ImageBuilder:
        """Return the builder that the settings name; see Fairing's `BackendInterface`.

        Raises:
            SettingsError: A setting is missing, or breaks its rule.

        """
        from fairing_az_jupyter.fairing.images.acr_tasks import AcrTasksBuilder  # noqa: PLC0415 - as late as possible
        from fairing_az_jupyter.fairing.images.kaniko import KanikoBuilder  # noqa: PLC0415 - likewise
        from fairing_az_jupyter.fairing.images.layered import LayeredBuilder  # noqa: PLC0415 - likewise

        self._registry = registry
        launcher = self._launcher(registry)
        if self._as_it_was is not None:
            from fairing_az_jupyter.fairing.images.recorded_image import RecordedImage  # noqa: PLC0415 - likewise

            return RecordedImage(launcher, preprocessor, self._as_it_was)
        builders: dict[str, type[ImageBuilder]] = {
            builder.kind: builder for builder in (LayeredBuilder, KanikoBuilder, AcrTasksBuilder)
        }
        return builders[launcher.settings.builder](launcher, preprocessor, base_image, pod_spec_mutators)

    def get_training_deployer(self, pod_spec_mutators: Sequence[Callable[..., object]] | None = None) -> ClusterJob:
        """Return the deployer that runs a job; see Fairing's `BackendInterface`."""
        from fairing_az_jupyter.fairing.cluster.outputs_pod import WantedOutputs  # noqa: PLC0415 - as late as possible
        from fairing_az_jupyter.fairing.jobs.training_job import ClusterJob  # noqa: PLC0415 - likewise
        from fairing_az_jupyter.settings.quantities import amount  # noqa: PLC0415 - likewise

        given = (self.outputs,) if isinstance(self.outputs, str) else self.outputs
        patterns = None if isinstance(given, bool) else tuple(given)
        if given is False and self.checkpoints:
            patterns = ()
        launcher = self._launcher(self._registry)
        limit = self.outputs_limit
        if limit is None:
            limit = int(amount(launcher.settings.outputs_limit))
        kept = given is not False or bool(self.checkpoints)
        wanted = WantedOutputs(patterns, limit, self.checkpoints) if kept else None
        return ClusterJob(launcher, pod_spec_mutators, deadline=self._deadline, outputs=wanted)

    def get_serving_deployer(
        self,
        model_class: str,
        service_type: str = "ClusterIP",
        pod_spec_mutators: Sequence[Callable[..., object]] | None = None,
    ) -> DeployerInterface:
        """Return the deployer that runs an endpoint; see Fairing's `BackendInterface`."""
        from fairing_az_jupyter.fairing.endpoints.deployment import ClusterServing  # noqa: PLC0415 - as late as possible
        from fairing_az_jupyter.fairing.endpoints.inference_service import KServeServing  # noqa: PLC0415 - likewise

        launcher = self._launcher(self._registry)
        kinds: dict[str, Any] = {"deployment": ClusterServing, "inference-service": KServeServing}
        return kinds[launcher.settings.endpoint_kind](
            launcher,
            model_class,
            service_type=service_type,
            pod_spec_mutators=pod_spec_mutators,
            ready_timeout=self._ready_timeout,
        )

    def get_base_contanier(self) -> str:
        """Return the image that tasks start from unless they name one (Fairing's spelling)."""
        from fairing_az_jupyter.settings.naming import python_image  # noqa: PLC0415 - as late as possible

        return self._settings(None).base_image or python_image("{}.{}".format(*sys.version_info))

    def get_docker_registry(self) -> str:
        """Return the registry that images are pushed to unless a task names one.

        Raises:
            SettingsError: The settings name none.

        """
        from fairing_az_jupyter.settings import check_launch  # noqa: PLC0415 - as late as possible

        settings = self._settings(None)
        check_launch(settings)
        return str(settings.docker_registry)

    def end_job(self, name: str) -> None:
        """Delete a job that was launched by this backend, and its pods.

        Args:
            name: Its name.

        Raises:
            ServiceError: The cluster does not do what is asked.

        """
        from fairing_az_jupyter.fairing.jobs.noting import note_end  # noqa: PLC0415 - as late as possible

        launcher = self._launcher(self._registry)
        launcher.workloads.delete("Job", name)
        note_end(launcher, name, "cancelled")

    def _launcher(self, registry: str | None) -> Launcher:
        from fairing_az_jupyter.fairing.cluster.connections import Launcher, placement_of  # noqa: PLC0415 - as late as possible

        with self._lock:
            if registry not in self._launchers:
                settings = self._settings(registry)
                placement = dataclasses.replace(placement_of(settings), **self._placed)
                # As a record tells them, so that the launch can be repeated.
                settings = settings.model_copy(update=_as_settings(self._placed))
                launcher = self._launchers[registry] = Launcher(settings, placement=placement)
                weakref.finalize(self, launcher.close)
            return self._launchers[registry]

    def _settings(self, registry: str | None) -> Settings:
        explicit: dict[str, Any] = {}
        if self.build_context_source is not None:
            explicit |= getattr(self.build_context_source, "settings", {})
        if self.namespace is not None:
            explicit["namespace"] = self.namespace
        if registry is not None:
            explicit["docker_registry"] = registry
        if self._given is not None:
            from fairing_az_jupyter.settings import Settings  # noqa: PLC0415 - only here

            return Settings.model_validate({**self._given.model_dump(), **explicit, "backend": "KubeflowAzureBackend"})
        from fairing_az_jupyter.fairing.cluster.connections import settings_for  # noqa: PLC0415 - as late as possible

        return settings_for(explicit)


def _as_settings(placed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what pods ask for as settings have it: labels and taints as text."""
    found = dict(placed)
    if "node_selector" in found:
        found["node_selector"] = ",".join(f"{key}={value}" for key, value in found["node_selector"].items()) or None
    if "tolerations" in found:
        found["tolerations"] = ",".join(map(_as_taint, found["tolerations"])) or None
    return found


def _as_taint(toleration: Mapping[str, str]) -> str:
    value, effect = toleration.get("value"), toleration.get("effect")
    return f"{toleration.get('key', '')}{f'={value}' if value else ''}{f':{effect}' if effect else ''}"
