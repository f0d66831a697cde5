"""The pod that Fairing and the user's mutators describe, as plain data."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import ContextError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def plain_spec(pod_spec: Any, mutators: Sequence[Callable[..., object]], namespace: str) -> dict[str, Any]:  # noqa: ANN401
    """Return a pod's specification as plain data, changed by the user's mutators.

    Args:
        pod_spec: Fairing's specification, a V1PodSpec; it is not changed, so that a second launch starts from the same.
        mutators: Functions of Fairing's KubeManager, the specification and the namespace, which change the second.
        namespace: The namespace.

    Raises:
        ContextError: No container has an image.

    """
    from kubernetes.client import ApiClient  # noqa: PLC0415 - Fairing has it loaded

    # What a builder has hung on it beside the API's fields is not copied: it may not be copyable.
    fields = {f"_{name}" for name in getattr(type(pod_spec), "openapi_types", {})}
    extra = {id(value): value for name, value in vars(pod_spec).items() if name not in fields}
    changed = copy.deepcopy(pod_spec, extra)
    manager = _KubeManagerIfAsked()
    for mutate in mutators:
        mutate(manager, changed, namespace)
    with ApiClient() as client:
        spec: dict[str, Any] = client.sanitize_for_serialization(changed)
    containers = spec.get("containers") or []
    if not containers or not containers[0].get("image"):
        raise ContextError(
            "The pod has no container with an image, so there is nothing to run.",
            hint="Call the builder's build() before generate_pod_spec(). Check that no pod_spec_mutator removes it.",
        )
    variables = containers[0].setdefault("env", [])
    if all(variable.get("name") != "PYTHONUNBUFFERED" for variable in variables):
        # Otherwise Python keeps lines back until it has 8 KB of them.
        variables.append({"name": "PYTHONUNBUFFERED", "value": "1"})
    for container in containers:
        resources = container.get("resources") or {}
        if resources.get("limits"):
            # As the API server does; defaults of ours could be more than the user's limits.
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    return spec


class _KubeManagerIfAsked:
    """Fairing's KubeManager, made when a mutator asks it for something: it reads kubeconfigs and most need none."""

    _made: Any = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        if self._made is None:
            self._made = _kube_manager()
        return getattr(self._made, name)


def _kube_manager() -> Any:  # noqa: ANN401
    from kubeflow.fairing.kubernetes.manager import KubeManager  # noqa: PLC0415 - only what needs it pays for it
    from kubernetes.config import ConfigException  # noqa: PLC0415 - likewise

    try:
        return KubeManager()
    except (ConfigException, OSError) as error:
        raise InputError(
            f"A pod_spec_mutator calls Fairing's KubeManager, which can't reach the cluster: {error}",
            hint="It reads the default kubeconfig. Check that it works: kubectl config current-context",
            code="kube-manager",
        ) from error
