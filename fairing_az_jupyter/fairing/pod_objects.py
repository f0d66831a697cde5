"""The Kubernetes objects of a launch as plain data: Job, Deployment, Service, InferenceService, and the pods in them.

Sources: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/ for the fields,
https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/ for what keeps Istio's proxy out,
https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/ for the labels, and
https://kserve.github.io/website/docs/reference/crd-api for the InferenceService.
"""

from __future__ import annotations

import copy
import dataclasses
import re
import uuid
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "PORT",
    "Kind",
    "Placement",
    "Target",
    "deployment",
    "finished_pod",
    "inference_service",
    "job",
    "labels_of",
    "service",
]

Kind = Literal["job", "endpoint", "build"]
Object = dict[str, Any]

PORT = 8080
"""Where the model server listens in its container, as KServe's does."""

KSERVE_CONTAINER = "kserve-container"
"""What KServe calls the container that serves."""

PREFIX = "fairing-az-jupyter/"
MANAGED_BY = {"app.kubernetes.io/managed-by": "fairing-az-jupyter"}
_NO_PROXY = {"sidecar.istio.io/inject": "false"}
# Source of the names: https://github.com/kserve/kserve/blob/master/pkg/constants/constants.go
_RAW = {"serving.kserve.io/deploymentMode": "RawDeployment"}
# KServe's ingress would let in whoever finds it, and nobody there asks for a credential.
_NOT_PUBLISHED = {"networking.kserve.io/visibility": "cluster-local"}
_LONGEST_LABEL = 63
# A pod that is gone by itself takes its log with it: a day is enough to look.
_KEPT_SECONDS = 24 * 3600
_GPU = "nvidia.com/gpu"
# Source: https://learn.microsoft.com/azure/aks/spot-node-pool, "Schedule a pod to run on a spot node".
_SPOT = {"key": "kubernetes.azure.com/scalesetpriority", "operator": "Equal", "value": "spot", "effect": "NoSchedule"}


@dataclasses.dataclass(frozen=True)
class Placement:
    """What a pod asks for, and where it may run.

    Args:
        cpu: Processor cores, as Kubernetes writes them.
        memory: Memory likewise; also the limit: what uses more is ended alone, and not with its whole node.
        cpu_limit: Processor cores that it may use at most; empty for no limit.
        gpus: Graphics processors.
        node_selector: Labels that its node has to have.
        tolerations: Taints that it accepts.
        spot: Whether it may run on AKS's spot nodes, which Azure may take away at any time; never what serves.

    """

    cpu: str = "1"
    memory: str = "2Gi"
    cpu_limit: str = ""
    gpus: int = 0
    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()
    spot: bool = False

    def resources(self) -> Object:
        """Return the container's resources."""
        requests: Object = {"cpu": self.cpu, "memory": self.memory}
        limits: Object = {"memory": self.memory, **({"cpu": self.cpu_limit} if self.cpu_limit else {})}
        if self.gpus:
            limits[_GPU] = requests[_GPU] = str(self.gpus)
        return {"requests": requests, "limits": limits}


@dataclasses.dataclass(frozen=True)
class Target:
    """In whose name something is launched, and where.

    Args:
        namespace: The namespace.
        service_account: What its pods run as.
        pull_secret: The Secret that they pull images with; empty for none but the service account's own.
        owner: Who launches it, for a label: the notebook server's name, or the user's.

    """

    namespace: str
    service_account: str
    pull_secret: str = ""
    owner: str = ""


def labels_of(kind: Kind, name: str, owner: str = "") -> dict[str, str]:
    """Return the labels by which what belongs together is found again.

    Args:
        kind: What it is.
        name: The launch's own name.
        owner: Who launches it.

    """
    found = {**MANAGED_BY, f"{PREFIX}kind": kind, f"{PREFIX}launch": name}
    shown = re.sub(r"[^A-Za-z0-9._-]+", "-", owner)[:_LONGEST_LABEL].strip("-._")
    return {**found, f"{PREFIX}owner": shown} if shown else found


def new_name(kind: Kind) -> str:
    """Return a name that nothing has yet.

    Args:
        kind: What is to be launched.

    """
    return f"fairing-{kind}-{uuid.uuid4().hex[:8]}"


def finished_pod(spec: Mapping[str, Any], target: Target, placement: Placement, *, ends: bool) -> Object:
    """Return a pod's specification with all that a launch adds; what the user's mutators have set stays.

    Args:
        spec: The specification from Fairing, after the user's mutators; it is not changed.
        target: In whose name it runs.
        placement: What it asks for.
        ends: Whether it ends by itself, as a job does.

    Returns:
        The specification.

    """
    pod = copy.deepcopy(dict(spec))
    pod.setdefault("serviceAccountName", target.service_account)
    if target.pull_secret:
        named = pod.setdefault("imagePullSecrets", [])
        if {"name": target.pull_secret} not in named:
            named.append({"name": target.pull_secret})
    pod["restartPolicy"] = "Never" if ends else "Always"
    # Service names of the namespace as variables: hundreds in a busy one, and none of them is used.
    pod.setdefault("enableServiceLinks", False)
    selector = {**placement.node_selector, **pod.get("nodeSelector", {})}
    if selector:
        pod["nodeSelector"] = selector
    spot = [_SPOT] if placement.spot and ends else []
    accepted = [*pod.get("tolerations", []), *map(dict, placement.tolerations), *spot]
    if accepted:
        pod["tolerations"] = accepted
    resources = pod["containers"][0].setdefault("resources", {})
    for part, amounts in placement.resources().items():
        resources[part] = {**amounts, **resources.get(part, {})}
    for first in pod.get("initContainers", []):
        # Otherwise a quota on requests refuses the pod; it runs before the others, so that it takes no more room.
        first.setdefault("resources", copy.deepcopy(resources))
    return pod


def job(
    name: str,
    pod: Mapping[str, Any],
    target: Target,
    *,
    kind: Kind = "job",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    deadline: int | None = None,
) -> Object:
    """Return a Job that runs a pod once.

    Args:
        name: Its name.
        pod: The pod's specification, from `finished_pod`.
        target: In whose name it runs.
        kind: What it is for.
        labels: Further labels.
        annotations: Annotations of the object itself.
        deadline: Seconds after which it is ended; None for none.

    """
    all_labels = {**(labels or {}), **labels_of(kind, name, target.owner)}
    spec: Object = {
        "backoffLimit": 0,
        "ttlSecondsAfterFinished": _KEPT_SECONDS,
        "template": _template(pod, all_labels),
    }
    if deadline is not None:
        spec["activeDeadlineSeconds"] = deadline
    return _object("batch/v1", "Job", name, target, all_labels, spec, annotations)


def deployment(
    name: str,
    pod: Mapping[str, Any],
    target: Target,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    patience: int = 600,
) -> Object:
    """Return a Deployment that keeps one pod running.

    Args:
        name: Its name.
        pod: The pod's specification, from `finished_pod`.
        target: In whose name it runs.
        labels: Further labels.
        annotations: Annotations of the object itself.
        patience: Seconds after which Kubernetes tells that it makes no progress.

    """
    all_labels = {**(labels or {}), **labels_of("endpoint", name, target.owner)}
    spec = {
        "replicas": 1,
        "progressDeadlineSeconds": patience,
        "selector": {"matchLabels": _selector(name)},
        "template": _template(pod, all_labels),
    }
    return _object("apps/v1", "Deployment", name, target, all_labels, spec, annotations)


def service(name: str, target: Target, *, public: bool = False, labels: Mapping[str, str] | None = None) -> Object:
    """Return the Service of a Deployment of the same name.

    Args:
        name: Its name.
        target: In whose name it runs.
        public: Whether Azure gives it a public address (LoadBalancer), behind which nobody asks for a credential.
        labels: Further labels.

    """
    spec = {
        "type": "LoadBalancer" if public else "ClusterIP",
        "selector": _selector(name),
        "ports": [{"name": "http", "port": 80, "targetPort": PORT, "protocol": "TCP"}],
    }
    all_labels = {**(labels or {}), **labels_of("endpoint", name, target.owner)}
    return _object("v1", "Service", name, target, all_labels, spec)


def inference_service(
    name: str,
    pod: Mapping[str, Any],
    target: Target,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Object:
    """Return KServe's InferenceService that keeps one pod running, as a Deployment and a Service of KServe's making.

    Source: https://github.com/kserve/kserve/tree/master/docs/samples/istio-dex for where Istio's proxy is kept out: the
    annotation is the InferenceService's own, and KServe hands it on to the pods, as it does with the labels.

    Args:
        name: Its name.
        pod: The pod's specification, from `finished_pod`; its first container is the one that serves.
        target: In whose name it runs.
        labels: Further labels.
        annotations: Further annotations; KServe's pods get them too.

    """
    all_labels = {**(labels or {}), **labels_of("endpoint", name, target.owner), **_NOT_PUBLISHED}
    all_annotations = {**(annotations or {}), **_RAW, **_NO_PROXY}
    served, *others = pod["containers"]
    predictor = {**pod, "containers": [{**served, "name": KSERVE_CONTAINER}, *others], "minReplicas": 1}
    spec = {"predictor": predictor}
    version = "serving.kserve.io/v1beta1"
    return _object(version, "InferenceService", name, target, all_labels, spec, all_annotations)


def _selector(name: str) -> dict[str, str]:
    return {f"{PREFIX}launch": name}


def _template(pod: Mapping[str, Any], labels: Mapping[str, str]) -> Object:
    # Istio reads the label since 1.10, and the annotation before that.
    metadata = {"labels": {**labels, **_NO_PROXY}, "annotations": dict(_NO_PROXY)}
    return {"metadata": metadata, "spec": dict(pod)}


def _object(
    api: str,
    kind: str,
    name: str,
    target: Target,
    labels: Mapping[str, str],
    spec: Object,
    annotations: Mapping[str, str] | None = None,
) -> Object:
    metadata: Object = {"name": name, "namespace": target.namespace, "labels": dict(labels)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}
