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

from fairing_az_jupyter.fairing.cluster.pod_probes import give_idle_probes
from fairing_az_jupyter.fairing.cluster.pod_resources import (
    GPU,
    give_limits,
    give_resources,
    give_shared_memory,
    gpus_of,
    limit_all,
)
from fairing_az_jupyter.fairing.cluster.pod_security import restrict
from fairing_az_jupyter.settings import scheduling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairing_az_jupyter.settings import Settings

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
    "origin_labels",
    "placement_of",
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
# What KServe gives a container that names no limit of processor cores.
_KSERVE_LIMIT = "1"
_LONGEST_LABEL = 63
# A pod that is gone by itself takes its log with it: a day is enough to look.
_KEPT_SECONDS = 24 * 3600
# Source: https://learn.microsoft.com/azure/aks/spot-node-pool, "Schedule a pod to run on a spot node": taint and label.
_SPOT_KEY = "kubernetes.azure.com/scalesetpriority"
_SPOT = {"key": _SPOT_KEY, "operator": "Equal", "value": "spot", "effect": "NoSchedule"}
_RATHER_SPOT = {
    "weight": 100,
    "preference": {"matchExpressions": [{"key": _SPOT_KEY, "operator": "In", "values": ["spot"]}]},
}
# Source: https://learn.microsoft.com/azure/aks/use-nvidia-gpu: its node pool has this one; the usual one elsewhere is
# called as the resource: https://docs.nvidia.com/datacenter/cloud-native/gpu-operator/latest/getting-started.html.
_GPU_POOL = {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}
_LINUX = {"kubernetes.io/os": "linux"}
# A pod that runs to its end begins anew where it is moved. Sources:
# https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md (what prevents CA from removing a node)
# https://karpenter.sh/docs/concepts/disruption/#pod-level-controls
_STAYS = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
# A pod that the cluster takes away for its own sake is replaced, and does not count as failed.
# Source: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
_FAILURE_POLICY = {
    "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}],
}


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
        retries: How often a job is started again after its program has failed.
        pod_security: The Pod Security Standard that it keeps to: `baseline` or `restricted`.
        pod_token: Whether a job's pod gets its service account's token.

    """

    cpu: str = "1"
    memory: str = "2Gi"
    cpu_limit: str = ""
    gpus: int = 0
    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tolerations: Sequence[Mapping[str, str]] = ()
    spot: bool = False
    retries: int = 0
    pod_security: str = "baseline"
    pod_token: bool = False

    @property
    def restricted(self) -> bool:
        """Whether the pod keeps to `restricted`."""
        return self.pod_security == "restricted"

    def resources(self) -> Object:
        """Return the container's resources."""
        requests: Object = {"cpu": self.cpu, "memory": self.memory}
        limits: Object = {"memory": self.memory, **({"cpu": self.cpu_limit} if self.cpu_limit else {})}
        if self.gpus:
            limits[GPU] = requests[GPU] = str(self.gpus)
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
    shown = _label_value(owner)
    return {**found, f"{PREFIX}owner": shown} if shown else found


def origin_labels(notebook: str = "", run: str = "", sweep: str = "") -> dict[str, str]:
    """Return the labels that tell where a launch comes from; what is not known has none.

    Args:
        notebook: The notebook's file name.
        run: The identifier of the run's record.
        sweep: The sweep's identifier.

    """
    found = {"notebook": _label_value(notebook), "run": _label_value(run), "sweep": _label_value(sweep)}
    return {f"{PREFIX}{name}": value for name, value in found.items() if value}


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
    # Whoever has the token can do what the service account may, such as read the namespace's Secrets.
    pod.setdefault("automountServiceAccountToken", placement.pod_token and ends)
    if target.pull_secret:
        named = pod.setdefault("imagePullSecrets", [])
        if {"name": target.pull_secret} not in named:
            named.append({"name": target.pull_secret})
    pod["restartPolicy"] = "Never" if ends else "Always"
    # Service names of the namespace as variables: hundreds in a busy one, and none of them is used.
    pod.setdefault("enableServiceLinks", False)
    give_resources(pod, placement.resources())
    _place(pod, placement, spot=placement.spot and ends)
    if placement.cpu_limit:
        limit_all(pod, placement.cpu_limit, placement.memory)
    if gpus_of(pod):
        give_shared_memory(pod)
    if ends:
        give_idle_probes(pod)
    if placement.restricted:
        restrict(pod)
    return pod


def placement_of(settings: Settings) -> Placement:
    """Return what the settings say about a job's pod and its place.

    Args:
        settings: The settings in force.

    """
    return Placement(
        cpu=settings.cpu,
        memory=settings.memory,
        cpu_limit=settings.cpu_limit or "",
        gpus=settings.gpus,
        node_selector=scheduling.labels_in(settings.node_selector) if settings.node_selector else {},
        tolerations=scheduling.tolerations_in(settings.tolerations) if settings.tolerations else (),
        spot=settings.spot,
        retries=settings.retries,
        pod_security=settings.pod_security,
        pod_token=settings.pod_token,
    )


def job(
    name: str,
    pod: Mapping[str, Any],
    target: Target,
    *,
    kind: Kind = "job",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    deadline: int | None = None,
    retries: int = 0,
) -> Object:
    """Return a Job that runs a pod to its end; one that the cluster takes away is replaced.

    Args:
        name: Its name.
        pod: The pod's specification, from `finished_pod`.
        target: In whose name it runs.
        kind: What it is for.
        labels: Further labels.
        annotations: Annotations of the object itself.
        deadline: Seconds after which it is ended, over all its pods; None for none.
        retries: How often it is started again after its program has failed.

    """
    all_labels = {**(labels or {}), **labels_of(kind, name, target.owner)}
    spec: Object = {
        "backoffLimit": retries,
        "podFailurePolicy": copy.deepcopy(_FAILURE_POLICY),
        "ttlSecondsAfterFinished": _KEPT_SECONDS,
        "template": _template(pod, all_labels, _STAYS),
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
    progress_deadline: int = 4200,
) -> Object:
    """Return a Deployment that keeps one pod running.

    Args:
        name: Its name.
        pod: The pod's specification, from `finished_pod`.
        target: In whose name it runs.
        labels: Further labels.
        annotations: Annotations of the object itself.
        progress_deadline: Seconds after which Kubernetes reports that it makes no progress; with the wait for a node.

    """
    all_labels = {**(labels or {}), **labels_of("endpoint", name, target.owner)}
    spec = {
        "replicas": 1,
        "progressDeadlineSeconds": progress_deadline,
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
    # KServe gives a container without limits its own, which may be less than it asks for. Source:
    # https://github.com/kserve/kserve/blob/v0.16.0/pkg/apis/serving/v1beta1/inference_service_defaults.go (line 59)
    # with cpuLimit "1" in https://github.com/kserve/kserve/blob/v0.16.0/config/configmap/inferenceservice.yaml.
    own = copy.deepcopy(dict(pod))
    give_limits(own, _KSERVE_LIMIT)
    served, *others = own["containers"]
    predictor = {**own, "containers": [{**served, "name": KSERVE_CONTAINER}, *others], "minReplicas": 1}
    spec = {"predictor": predictor}
    version = "serving.kserve.io/v1beta1"
    return _object(version, "InferenceService", name, target, all_labels, spec, all_annotations)


def _label_value(text: str) -> str:
    """Return a text as a label's value may be.

    Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("-._")[:_LONGEST_LABEL].rstrip("-._")


def _selector(name: str) -> dict[str, str]:
    return {f"{PREFIX}launch": name}


def _place(pod: Object, placement: Placement, *, spot: bool) -> None:
    """Say where a pod may run; what it says itself stays."""
    pod["nodeSelector"] = {**_LINUX, **placement.node_selector, **pod.get("nodeSelector", {})}
    accepted = list(pod.get("tolerations", []))
    gpus = [{"key": f"{vendor}/gpu", "operator": "Exists", "effect": "NoSchedule"} for vendor in gpus_of(pod)]
    wanted = [*placement.tolerations, *([_SPOT] if spot else ()), *([_GPU_POOL, *gpus] if gpus else ())]
    for each in map(dict, wanted):
        if each not in accepted:
            accepted.append(each)
    if accepted:
        pod["tolerations"] = accepted
    if spot:
        by_node = pod.setdefault("affinity", {}).setdefault("nodeAffinity", {})
        preferred = by_node.setdefault("preferredDuringSchedulingIgnoredDuringExecution", [])
        if _RATHER_SPOT not in preferred:
            preferred.append(copy.deepcopy(_RATHER_SPOT))


def _template(
    pod: Mapping[str, Any], labels: Mapping[str, str], annotations: Mapping[str, str] | None = None
) -> Object:
    # Istio reads the label since 1.10, and the annotation before that.
    metadata = {"labels": {**labels, **_NO_PROXY}, "annotations": {**(annotations or {}), **_NO_PROXY}}
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
