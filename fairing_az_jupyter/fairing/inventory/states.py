"""What the cluster's objects say about a launch, as one record: pure functions on plain data.

What Kubeflow Fairing 1.0.2 has launched by itself is known by its labels: `fairing-deployer: job` or `serving`, and
`fairing-builder: kaniko`.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.diagnosis.pods import containers
from fairing_az_jupyter.clients.kube.diagnosis.workloads import (
    diagnose,
    endpoint_ready,
    job_complete,
    job_failure,
)
from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of, uid_of
from fairing_az_jupyter.clients.kube.watching.durations import lasted
from fairing_az_jupyter.clients.kube.watching.events import Problem
from fairing_az_jupyter.clients.kube.watching.startup import stuck_on_node
from fairing_az_jupyter.fairing.cluster.kserve_status import url_in_cluster
from fairing_az_jupyter.fairing.cluster.manifests import KSERVE_CONTAINER, MANAGED_BY, PORT, PREFIX
from fairing_az_jupyter.models import LaunchInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
    from fairing_az_jupyter.models import LaunchKind, LaunchOrigin, LaunchState

    Object = Mapping[str, Any]

__all__ = [
    "FAIRINGS",
    "Launch",
    "Part",
    "endpoint_launch",
    "inference_launch",
    "job_launch",
    "kind_of_launch",
    "kserve_labels",
    "owner_of",
]

FAIRINGS: Mapping[tuple[str, str], LaunchKind] = {
    ("fairing-deployer", "job"): "job",
    ("fairing-deployer", "serving"): "endpoint",
    ("fairing-builder", "kaniko"): "build",
}
"""The labels of what Kubeflow Fairing 1.0.2 launches by itself, and what that is."""

_FAIRINGS_PORT = 5000
_OURS: LaunchOrigin = "fairing-az-jupyter"
_THEIRS: LaunchOrigin = "kubeflow-fairing"
_HTTP = 80


@dataclasses.dataclass(frozen=True)
class Part:
    """One object of a launch.

    Args:
        kind: Its kind.
        name: Its name.
        uid: What tells it from another object of the same name.

    """

    kind: str
    name: str
    uid: str


@dataclasses.dataclass(frozen=True)
class Launch:
    """A launch, and how it is reached.

    Args:
        info: What there is to show.
        parts: Its objects, the one that makes its pods first.
        pod_labels: The labels of its pods.
        port: Where an endpoint's container listens.
        container: The container that does the work.
        ended: When a job or a build has ended, as the cluster writes it; empty if it has not.
        annotations: The annotations of the object that makes the pods.

    """

    info: LaunchInfo
    parts: tuple[Part, ...]
    pod_labels: Mapping[str, str]
    port: int = PORT
    container: str = ""
    ended: str = ""
    annotations: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """All names that it goes by: Fairing's Services have other names than their Deployments."""
        return {self.info.name, *(part.name for part in self.parts)}


def kind_of_launch(thing: Object) -> tuple[LaunchKind, LaunchOrigin] | None:
    """Tell what a launch an object belongs to, and what has launched it.

    Args:
        thing: The object.

    Returns:
        None if no launch has made it. What KServe makes for an InferenceService is that one's own affair; and what
        bears the labels of a launch of another name is a copy, such as a Service that `kubectl expose` has made.

    """
    metadata = mapping(thing.get("metadata"))
    if any(owner.get("controller") for owner in entries(metadata.get("ownerReferences"))):
        return None
    labels = mapping(metadata.get("labels"))
    kind = labels.get(f"{PREFIX}kind")
    if all(labels.get(name) == value for name, value in MANAGED_BY.items()):
        if labels.get(f"{PREFIX}launch") != name_of(thing):
            return None
        ours: dict[object, LaunchKind] = {"job": "job", "endpoint": "endpoint", "build": "build"}
        return (ours[kind], _OURS) if kind in ours else None
    for (name, value), fairings in FAIRINGS.items():
        if labels.get(name) == value:
            return fairings, _THEIRS
    return None


def owner_of(thing: Object) -> str:
    """Return who has launched an object, as its label says; empty where it has none.

    Args:
        thing: The object.

    """
    return str(_labels(thing).get(f"{PREFIX}owner") or "")


def job_launch(job: Object, pods: Iterable[Object], events: Iterable[Object] = ()) -> Launch | None:
    """Return the training job or the build that a Job is.

    Args:
        job: The Job.
        pods: Pods, those of others among them.
        events: Events of it and its pods, where they are known.

    Returns:
        None if no launch has made it.

    """
    what = kind_of_launch(job)
    if what is None or what[0] == "endpoint":
        return None
    selector = _match_labels(job) or {"job-name": name_of(job)}
    own = _having(pods, selector)
    state, detail = _job_state(job, own, list(events))
    first = _first_container(mapping(job.get("spec")).get("template"))
    info = _info(job, what, state, detail, image=str(first.get("image") or ""))
    annotations = mapping(mapping(job.get("metadata")).get("annotations"))
    container, ended = str(first.get("name") or ""), _end_of(job)
    return Launch(info, (_part(job, "Job"),), selector, container=container, ended=ended, annotations=annotations)


def endpoint_launch(
    deployment: Object | None, service: Object | None, pods: Iterable[Object], events: Iterable[Object] = ()
) -> Launch | None:
    """Return the endpoint that a Deployment and a Service are, or one of them alone.

    Args:
        deployment: The Deployment; None if it is gone.
        service: The Service; None if it is gone.
        pods: Pods, those of others among them.
        events: Events of it and its pods, where they are known.

    Returns:
        None if no launch has made them.

    """
    found = deployment if deployment is not None else service
    what = kind_of_launch(found) if found is not None else None
    if found is None or what is None or what[0] != "endpoint":
        return None
    selector = (
        _match_labels(found) if deployment is not None else dict(mapping(mapping(found.get("spec")).get("selector")))
    )
    own = [pod for pod in _having(pods, selector) if not _is_going(pod)]
    state, detail = _endpoint_state(deployment, service, own, list(events))
    spec = mapping((service or {}).get("spec"))
    public = spec.get("type") == "LoadBalancer"
    address = _address(service) if public and service is not None else ""
    if public and not address and state == "ready":
        detail = "Azure has given it no public address yet."
    namespace = str(mapping(found.get("metadata")).get("namespace") or "")
    port = _FAIRINGS_PORT if what[1] == _THEIRS else PORT
    own_port = f":{_FAIRINGS_PORT}" if what[1] == _THEIRS else ""
    host = address or (f"{name_of(service)}.{namespace}.svc.cluster.local" if service is not None else "")
    first = _first_container(mapping((deployment or {}).get("spec")).get("template"))
    url = f"http://{host}{own_port}/predict" if host else ""
    info = _info(found, what, state, detail, image=str(first.get("image") or ""), url=url, public=public)
    parts = [_part(each, kind) for each, kind in ((deployment, "Deployment"), (service, "Service")) if each is not None]
    return Launch(info, tuple(parts), selector, port, str(first.get("name") or ""))


def inference_launch(
    inference: Object, pods: Iterable[Object], services: Iterable[Object] = (), events: Iterable[Object] = ()
) -> Launch | None:
    """Return the endpoint that an InferenceService is.

    Args:
        inference: The InferenceService.
        pods: Pods, those of others among them.
        services: The Services that KServe has made for it.
        events: Events of it and its pods, where they are known.

    Returns:
        None if no launch has made it.

    """
    what = kind_of_launch(inference)
    if what != ("endpoint", _OURS):
        return None
    selector = kserve_labels(inference)
    own = [pod for pod in _having(pods, selector) if not _is_going(pod)]
    state, detail = _inference_state(inference, own, list(events))
    url = url_in_cluster(inference, services) or str(mapping(inference.get("status")).get("url") or "").rstrip("/")
    image = str(_first_container({"spec": mapping(inference.get("spec")).get("predictor")}).get("image") or "")
    info = _info(inference, what, state, detail, image=image, url=f"{url}/predict" if url else "")
    return Launch(info, (_part(inference, "InferenceService"),), selector, container=KSERVE_CONTAINER)


def kserve_labels(inference: Object) -> dict[str, str]:
    """Return the label that KServe gives to all that it makes for an InferenceService.

    Args:
        inference: The InferenceService.

    """
    return {"serving.kserve.io/inferenceservice": name_of(inference)}


def _info(
    thing: Object,
    what: tuple[LaunchKind, LaunchOrigin],
    state: LaunchState,
    detail: str,
    *,
    image: str = "",
    url: str = "",
    public: bool = False,
) -> LaunchInfo:
    metadata = mapping(thing.get("metadata"))
    labels = mapping(metadata.get("labels"))
    return LaunchInfo(
        name=name_of(thing),
        kind=what[0],
        state=state,
        namespace=str(metadata.get("namespace") or ""),
        owner=owner_of(thing),
        created=str(metadata.get("creationTimestamp") or ""),
        image=image,
        detail=detail,
        url=url,
        public=public,
        origin=what[1],
        notebook=str(labels.get(f"{PREFIX}notebook") or ""),
        run=str(labels.get(f"{PREFIX}run") or ""),
        sweep=str(labels.get(f"{PREFIX}sweep") or ""),
    )


def _job_state(job: Object, pods: Sequence[Object], events: Sequence[Object]) -> tuple[LaunchState, str]:
    if _is_going(job):
        return "deleting", "It is being deleted."
    if job_complete(job):
        return "succeeded", ""
    whole = {"kind": "Job", **job}
    problem = diagnose(whole, pods, events)
    if job_failure(job) is not None:
        return "failed", problem.message if problem else ""
    if mapping(job.get("spec")).get("suspend"):
        return "pending", "It is suspended."
    reported = _reported(problem or _on_node(pods), whole, pods, events)
    if any(mapping(pod.get("status")).get("phase") == "Running" for pod in pods):
        return "running", reported or _attempt(job)
    return "pending", reported or _waiting(pods)


def _on_node(pods: Sequence[Object]) -> Diagnosis | None:
    """Return what pods wait for while nothing is wrong: a node that does not answer, a container being made."""
    namespace = str(mapping(mapping(pods[0] if pods else {}).get("metadata")).get("namespace") or "")
    return next(filter(None, (stuck_on_node(pod, namespace) for pod in pods if not _is_going(pod))), None)


def _reported(problem: Diagnosis | None, thing: Object, pods: Sequence[Object], events: Sequence[Object]) -> str:
    """Return what is in the way, for how long so far, and how to stop; empty if nothing is."""
    if problem is None or not problem.heals:
        return problem.message if problem else ""
    waited = lasted(problem, thing, pods, events, now=time.time())
    stop = f"To stop it: fairing-azure delete {name_of(thing)}"
    return f"{Problem(problem, float('inf'), waited)} {stop}"


def _attempt(job: Object) -> str:
    """Return which attempt of several it is; empty for the first."""
    failed = int(mapping(job.get("status")).get("failed") or 0)
    attempts = int(mapping(job.get("spec")).get("backoffLimit") or 0) + 1
    return f"Attempt {failed + 1} of {attempts}." if 0 < failed < attempts else ""


def _end_of(job: Object) -> str:
    """Return when a Job has ended; empty if it has not."""
    status = mapping(job.get("status"))
    over = [one for one in entries(status.get("conditions")) if one.get("type") in {"Complete", "Failed"}]
    ended = next((one.get("lastTransitionTime") for one in over if one.get("status") == "True"), None)
    return str(status.get("completionTime") or ended or "")


def _endpoint_state(
    deployment: Object | None, service: Object | None, pods: Sequence[Object], events: Sequence[Object]
) -> tuple[LaunchState, str]:
    if _is_going(deployment or service or {}):
        return "deleting", "It is being deleted."
    if deployment is None or service is None:
        gone = "Its Deployment no longer exists, so its Service has no pods."
        return "broken", gone if deployment is None else "Its Service no longer exists, so its pods can't be reached."
    if mapping(deployment.get("spec")).get("replicas") == 0:
        return "stopped", "It is scaled to 0 pods."
    whole = {"kind": "Deployment", **deployment}
    problem = diagnose(whole, pods, events) or _on_node(pods)
    if endpoint_ready(whole) or int(mapping(deployment.get("status")).get("availableReplicas") or 0):
        return "ready", problem.message if problem else ""
    return _not_ready(problem, whole, pods, events)


def _not_ready(
    problem: Diagnosis | None, thing: Object, pods: Sequence[Object], events: Sequence[Object]
) -> tuple[LaunchState, str]:
    if problem is None:
        return "pending", _waiting(pods)
    return ("pending" if problem.heals else "failed"), _reported(problem, thing, pods, events)


def _inference_state(inference: Object, pods: Sequence[Object], events: Sequence[Object]) -> tuple[LaunchState, str]:
    if _is_going(inference):
        return "deleting", "It is being deleted."
    whole = {"kind": "InferenceService", **inference}
    if endpoint_ready(whole):
        return "ready", ""
    problem = diagnose(whole, pods, events) or _on_node(pods)
    if problem is not None:
        return _not_ready(problem, whole, pods, events)
    conditions = entries(mapping(inference.get("status")).get("conditions"))
    reported = next((one for one in conditions if one.get("type") == "Ready"), {})
    said = " ".join(str(reported.get("message") or reported.get("reason") or "").split())
    return "pending", f"KServe reports: {said}." if said else _waiting(pods)


def _waiting(pods: Sequence[Object]) -> str:
    """Return what pods that have no problem wait for."""
    if not pods:
        return "It has no pod yet."
    for pod in pods:
        for status, _ in containers(pod):
            reason = mapping(mapping(status.get("state")).get("waiting")).get("reason")
            if reason:
                return f"Container '{status.get('name')}' of pod '{name_of(pod)}' is waiting: {reason}."
    if all(mapping(pod.get("status")).get("phase") == "Pending" for pod in pods):
        return f"Pod '{name_of(pods[0])}' is waiting for a node."
    if any(mapping(pod.get("status")).get("phase") == "Running" for pod in pods):
        return f"Pod '{name_of(pods[0])}' is running but not ready yet."
    return ""


def _address(service: Object) -> str:
    status = mapping(mapping(service.get("status")).get("loadBalancer"))
    for entry in entries(status.get("ingress")):
        if found := entry.get("ip") or entry.get("hostname"):
            return f"[{found}]" if ":" in str(found) else str(found)
    return ""


def _first_container(template: object) -> Object:
    return next(iter(entries(mapping(mapping(template).get("spec")).get("containers"))), {})


def _having(pods: Iterable[Object], labels: Mapping[str, str]) -> list[Object]:
    if not labels:
        return []
    return [pod for pod in pods if labels.items() <= _labels(pod).items()]


def _match_labels(owner: Object) -> dict[str, str]:
    return dict(mapping(mapping(mapping(owner.get("spec")).get("selector")).get("matchLabels")))


def _labels(thing: Object) -> Mapping[str, Any]:
    return mapping(mapping(thing.get("metadata")).get("labels"))


def _is_going(thing: Object) -> bool:
    return bool(mapping(thing.get("metadata")).get("deletionTimestamp"))


def _part(thing: Object, kind: str) -> Part:
    return Part(kind, name_of(thing), uid_of(thing))
