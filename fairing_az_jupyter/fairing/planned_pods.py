"""What a launch would create in the cluster, without launching: for dry runs by the API server.

The bodies come from the functions that launches use. Only names, tags and digests differ: of those a launch makes new
ones each time, or finds out in the registry. They have the form that a launch's have, for rules judge that, too.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.oci.auth.docker_config import registry_host
from fairing_az_jupyter.clients.oci.images import ImageReference
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.cluster.manifests import (
    deployment,
    finished_pod,
    inference_service,
    job,
    new_name,
    placement_of,
    service,
)
from fairing_az_jupyter.fairing.cluster.outputs_pod import JOB, WantedOutputs, with_outputs
from fairing_az_jupyter.fairing.endpoints.endpoint_pods import READY_SECONDS, endpoint_pod, progress_seconds
from fairing_az_jupyter.fairing.images.build_pods import KANIKO_OPTIONS, BuildOrder, build_object
from fairing_az_jupyter.settings.naming import python_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.fairing.cluster.manifests import Object, Placement, Target
    from fairing_az_jupyter.settings import Settings

__all__ = ["made_by_kserve", "planned_objects", "predictor_pod"]

_APP = "/app/"
_CLASS = "Model"
_TAG = "0" * 32
_DIGEST = f"sha256:{'0' * 64}"
# Fields of a predictor that are not a pod's; of those that this package sets.
_OF_KSERVE = frozenset({"minReplicas", "maxReplicas", "deploymentStrategy", "timeout"})
_COMMAND = ["python", f"{_APP}function_shim.py"]


def planned_objects(
    settings: Settings, target: Target, *, placement: Placement | None = None, architecture: str = "amd64"
) -> tuple[Object, ...]:
    """Return the Job of a training, the Job of a build, and the Deployment or InferenceService of an endpoint.

    Their label `fairing-az-jupyter/kind` tells them apart: `job`, `build`, `endpoint`. Where no build of Kaniko's can
    be needed (`builder = 'acr-tasks'`) or made (`pod_security = 'restricted'`), there is none.

    Args:
        settings: The settings in force.
        target: In whose name pods would run.
        placement: What pods ask for, and where they may run; None for what the settings say.
        architecture: The processors that images are made for.

    """
    placement = placement or placement_of(settings)
    registry = settings.docker_registry or "registry.invalid"
    spec = _spec(f"{registry}/fairing-job:{_TAG}", architecture)
    name = new_name("job")
    pod = finished_pod(spec, target, placement, ends=True)
    if settings.azure_storage_account:
        pod = with_outputs(pod, name, f"{_APP}{JOB}", WantedOutputs())
    found = [
        job(name, pod, target, retries=placement.retries),
        _endpoint(spec, settings, target, placement),
    ]
    if settings.builder != "acr-tasks" and not placement.restricted:
        found.insert(1, build_object(_order(settings, architecture), settings, target, placement))
    return tuple(found)


def predictor_pod(inference_service: Mapping[str, Any]) -> dict[str, Any]:
    """Return the specification of the pod that KServe makes of an InferenceService.

    Args:
        inference_service: The InferenceService.

    """
    predictor = inference_service["spec"]["predictor"]
    return {field: value for field, value in predictor.items() if field not in _OF_KSERVE}


def made_by_kserve(inference_service: Mapping[str, Any], target: Target) -> tuple[Object, ...]:
    """Return the Deployment and the Service that KServe makes of an InferenceService, as far as rules judge them.

    Source: https://github.com/kserve/kserve/tree/v0.16.0/pkg/controller/v1beta1/inferenceservice/reconcilers, with the
    annotation that every InferenceService of ours has: no Knative.

    Args:
        inference_service: The InferenceService.
        target: In whose name it runs.

    """
    metadata = inference_service["metadata"]
    name = f"{metadata['name']}-predictor"
    marks = {"labels": metadata["labels"], "annotations": metadata.get("annotations")}
    made = deployment(name, predictor_pod(inference_service), target, **marks)
    return made, service(name, target, labels=metadata["labels"])


def _spec(image: str, architecture: str) -> dict[str, Any]:
    """Return the specification that Kubeflow Fairing 1.0.2 and our builders give a task's pod.

    Source: `generate_pod_spec` in kubeflow/fairing/builders/base_builder.py; a test compares it with the real one.
    """
    variables = [{"name": "FAIRING_RUNTIME", "value": "1"}, {"name": "PYTHONUNBUFFERED", "value": "1"}]
    container = {
        "name": "model",
        "image": image,
        "command": _COMMAND,
        "securityContext": {"runAsUser": 0},
        "env": variables,
        "workingDir": _APP,
    }
    return {"containers": [container], "nodeSelector": {"kubernetes.io/arch": architecture}}


def _order(settings: Settings, architecture: str) -> BuildOrder:
    host, _, path = (settings.docker_registry or "registry.invalid").partition("/")
    whole = settings.builder == "kaniko"
    name = "fairing-job" if whole else "fairing-dependencies"
    prefix = f"{path}/" if path else ""
    return BuildOrder(
        image=f"{registry_host(host)}/{prefix}{name}:{_TAG}",
        tag=_TAG,
        base=_pinned(settings.base_image or python_image("{}.{}".format(*sys.version_info))),
        options=KANIKO_OPTIONS,
        requirements="xgboost",
        placement={"nodeSelector": {"kubernetes.io/arch": architecture}},
        cache=f"{prefix}fairing-cache" if whole else "",
    )


def _pinned(base: str) -> str:
    """Return a base image's name by a digest, as builders name it."""
    try:
        named = ImageReference.parse(base)
    except InputError:
        # What is wrong with the name, the check of the image tells.
        return base
    return str(ImageReference(named.host, named.repository, None, named.digest or _DIGEST))


def _endpoint(spec: dict[str, Any], settings: Settings, target: Target, placement: Placement) -> Object:
    pod = endpoint_pod(spec, _CLASS, target, placement)
    name = new_name("endpoint")
    if settings.endpoint_kind == "inference-service":
        return inference_service(name, pod, target)
    return deployment(name, pod, target, progress_deadline=progress_seconds(READY_SECONDS))
