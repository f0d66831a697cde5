"""What a cluster may report while something starts: how long each condition is waited for, what ends it, who says so.

`CONDITIONS` is the one table of it. `docs/waiting.md` is written from it:
`python -m fairing_az_jupyter.clients.kube.diagnosis.waits > docs/waiting.md`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

__all__ = ["CONDITIONS", "REPEATS", "Condition", "Group", "Waits", "condition", "duration", "page", "reports_after"]

Group = Literal["node", "pods", "volume", "image", "object", "container", "start", "program", "disruption", "queue"]

REPEATS = (30.0, 60.0, 120.0, 300.0)
"""Seconds after which a condition that lasts is reported again; then every time the last of them has passed."""

_MINUTE = 60
_HOUR = 3600


@dataclass(frozen=True)
class Waits:
    """How long the conditions of `CONDITIONS` are waited for, in seconds; 0 means that the first report ends it.

    Each but `node` is longer than the longest pause between two tries of the cluster that it allows for: else something
    that is put right in time would be met by no try. The kubelet mounts again 0.5, 1.5, 3.5, …, 63.5 and 127.5 s after
    the first failure, a Job makes its pod again after 1, 3, 7, …, 63 and 123 s, and a ReplicaSet after 82, 164, 328 and
    655 s.

    Args:
        node: For a node that takes the pod; the setting `node_wait`.
        quota: For room in a quota.
        webhook: For an admission webhook, or the API server, that does not answer.
        volume: For a volume to be attached and mounted.
        object: For an object that the pod names: a Secret, a ConfigMap, a service account, a volume claim.
        image: For an image whose pull fails for a reason that may pass.
        access: For an image that the registry does not let the node pull.
        container: For a container or its sandbox that the runtime fails to make.
        start: For a container that is being made while nothing is reported about it, as during a long pull.

    """

    node: float = 1800.0
    quota: float = 900.0
    webhook: float = 420.0
    volume: float = 480.0
    object: float = 180.0
    image: float = 360.0
    access: float = 120.0
    container: float = 300.0
    start: float = 3600.0


@dataclass(frozen=True)
class Condition:
    """One condition that a cluster may report.

    Args:
        name: What a `Diagnosis` names it by.
        group: What it is about: one clock runs for all conditions of a group of one pod.
        said: The cluster's words, for the page.
        reported: What is reported at once, for the page.
        ends: What ends the wait, for the page.
        sources: The documents and sources that this rule comes from.
        wait: The field of `Waits` that limits the wait; empty where it ends the launch at once.
        passes: Whether it is not a failure at all, and waited for until the object itself ends.
        first: Seconds that it lasts before it is reported for the first time.
        least: Seconds that it is waited for at least, whatever `wait` says.

    """

    name: str
    group: Group
    said: str
    reported: str
    ends: str
    sources: tuple[str, ...]
    wait: str = ""
    passes: bool = False
    first: float = 0.0
    least: float = 0.0

    def seconds(self, waits: Waits) -> float:
        """Return how long it is waited for.

        Args:
            waits: The waits in force.

        """
        if self.passes:
            return float("inf")
        return max(self.least, float(getattr(waits, self.wait))) if self.wait else 0.0


_K8S = "https://github.com/kubernetes/kubernetes/blob/v1.34.4"
_DOCS = "https://kubernetes.io/docs"
_AKS_SCALER = "https://learn.microsoft.com/azure/aks/cluster-autoscaler"
_SCALER = (
    "https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/processors/status/"
    "eventing_scale_up_processor.go"
)
_SCALER_FAQ = "https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md"
_KARPENTER = "https://github.com/kubernetes-sigs/karpenter/blob/main/pkg/controllers/provisioning/scheduling/events.go"
_PULLS = f"{_K8S}/pkg/kubelet/kubelet.go (imageBackOffPeriod, MaxImageBackOff)"
_RESOLVER = "https://github.com/containerd/containerd/blob/main/core/remotes/docker/resolver.go"
_ROLES = (
    "https://learn.microsoft.com/azure/role-based-access-control/troubleshooting"
    "#symptom---role-assignment-changes-are-not-being-detected"
)
_QUOTA = "https://github.com/kubernetes/apiserver/blob/master/pkg/admission/plugin/resourcequota/controller.go"
_WEBHOOK = "https://github.com/kubernetes/apiserver/blob/master/pkg/util/webhook/error.go"
_JOB_BACKOFF = f"{_K8S}/pkg/controller/job/job_controller.go (MaxJobApiBackOff)"
_BACKOFF = (
    "https://github.com/kubernetes/client-go/blob/v0.34.4/util/workqueue/default_rate_limiters.go "
    "(DefaultTypedControllerRateLimiter)"
)
_MOUNT_BACKOFF = f"{_K8S}/pkg/util/goroutinemap/exponentialbackoff/exponential_backoff.go"
_REASON_CACHE = f"{_K8S}/pkg/kubelet/reason_cache.go"
_SCHEDULER = f"{_K8S}/pkg/scheduler/schedule_one.go (handleSchedulingFailure)"
_MOUNTS = f"{_K8S}/pkg/kubelet/volumemanager/volume_manager.go (podAttachAndMountTimeout)"
_DETACH = f"{_K8S}/pkg/controller/volume/attachdetach/attach_detach_controller.go (ReconcilerMaxWaitForUnmountDuration)"
_POD_FAILURES = f"{_DOCS}/concepts/workloads/controllers/job/#pod-failure-policy"
_DISRUPTIONS = f"{_DOCS}/concepts/workloads/pods/disruptions/#pod-disruption-conditions"
_LIFECYCLE = f"{_DOCS}/concepts/workloads/pods/pod-lifecycle/"

_REPORTED = "The reason, and the time waited so far"

CONDITIONS: tuple[Condition, ...] = (
    Condition(
        "unschedulable",
        "node",
        "`PodScheduled=False`, reason `Unschedulable`",
        "The scheduler's message; then what the cluster autoscaler (`TriggeredScaleUp`, `NotTriggerScaleUp`; on GKE "
        "also `FailedScaleUp`) or Karpenter (`Nominated`, with its node claim) reports; a taint with the toleration "
        "to set",
        "A node accepts the pod",
        (
            f"{_DOCS}/concepts/scheduling-eviction/kube-scheduler/",
            _AKS_SCALER,
            _SCALER_FAQ,
            _SCALER,
            _KARPENTER,
        ),
        wait="node",
    ),
    Condition(
        "not-scheduled",
        "node",
        "Event `FailedScheduling` without that condition; `PodScheduled=False` with another reason, such as "
        "`SchedulerError`",
        "The scheduler's message",
        "The scheduler tries again; with `node_wait` 0 it has 1 min",
        (f"{_DOCS}/concepts/scheduling-eviction/kube-scheduler/", _SCHEDULER),
        wait="node",
        least=60.0,
    ),
    Condition(
        "overlooked",
        "node",
        "Neither a node nor a condition `PodScheduled` nor an event",
        "After 10 s: that the scheduler, by its name, has not seen the pod",
        "The scheduler sees it; with `node_wait` 0 it has 1 min",
        (f"{_DOCS}/tasks/extend-kubernetes/configure-multiple-schedulers/",),
        wait="node",
        first=10.0,
        least=60.0,
    ),
    Condition(
        "queued",
        "queue",
        "A Job with `suspend: true`; `PodScheduled=False`, reason `SchedulingGated`",
        "That a queue such as Kueue, or somebody, holds it",
        "It is released",
        (
            f"{_DOCS}/concepts/workloads/controllers/job/#suspending-a-job",
            f"{_DOCS}/concepts/scheduling-eviction/pod-scheduling-readiness/",
        ),
        passes=True,
    ),
    Condition(
        "no-pod-yet",
        "pods",
        "Nothing: no pod and no event, for example because events may not be read or a controller is down",
        "After 30 s: that no pod exists yet, and the time waited so far",
        "A pod is created, or something is reported",
        (f"{_DOCS}/concepts/architecture/controller/",),
        wait="start",
        first=30.0,
    ),
    Condition(
        "rejected",
        "pods",
        "Pods of an endpoint in phase `Failed` with reason `UnexpectedAdmissionError`, `OutOfcpu`, `NodeAffinity` …, "
        "and no pod that a node has accepted",
        "The node's message, and the number of pods",
        "A node accepts a pod: a ReplicaSet makes a new one at once",
        (f"{_K8S}/pkg/kubelet/lifecycle/predicate.go", f"{_K8S}/pkg/kubelet/lifecycle/interfaces.go"),
        wait="container",
    ),
    Condition(
        "claim-missing",
        "object",
        '`persistentvolumeclaim "NAME" not found`',
        _REPORTED,
        "The claim is created",
        (f"{_DOCS}/concepts/storage/persistent-volumes/",),
        wait="object",
    ),
    Condition(
        "quota",
        "pods",
        "`FailedCreate`: `exceeded quota: NAME, requested: …, used: …, limited: …`",
        _REPORTED,
        "Other pods of the namespace end; a Job tries again each minute, a Deployment after 82, 164, 328 and 655 s",
        (f"{_DOCS}/concepts/policy/resource-quotas/", _QUOTA, _JOB_BACKOFF, _BACKOFF),
        wait="quota",
    ),
    Condition(
        "quota-too-small",
        "pods",
        "`exceeded quota`, where the pod alone asks for more than `limited`",
        "The error: nothing that ends makes room for it",
        "At once",
        (_QUOTA,),
    ),
    Condition(
        "quota-unset",
        "pods",
        "`failed quota: NAME: must specify limits.cpu …`",
        "The error, with the setting to give, such as FAIRING_CPU_LIMIT",
        "At once",
        (f"{_DOCS}/concepts/policy/resource-quotas/#how-kubernetes-resourcequotas-work", _QUOTA),
    ),
    Condition(
        "admission",
        "pods",
        "`FailedCreate`: `admission webhook … denied the request`, `violates PodSecurity`, "
        "`ValidatingAdmissionPolicy … denied request`, a LimitRange, `forbidden`",
        "The error: the same pod is denied each time",
        "At once",
        (
            f"{_DOCS}/reference/access-authn-authz/admission-controllers/",
            f"{_DOCS}/concepts/security/pod-security-admission/",
            f"{_DOCS}/reference/access-authn-authz/validating-admission-policy/",
        ),
    ),
    Condition(
        "webhook-unreachable",
        "pods",
        "`FailedCreate`: `failed calling webhook`, `context deadline exceeded`, `no endpoints available for service`, "
        "`connection refused`, `etcdserver: request timed out`; `status unknown for quota`, `not yet ready to handle "
        "request`, `resource quota evaluation timed out`",
        _REPORTED,
        "The webhook or the API server answers again: a Job tries each minute, a Deployment after 82, 164 and 328 s",
        (
            _WEBHOOK,
            f"{_DOCS}/reference/access-authn-authz/extensible-admission-controllers/#failure-policy",
            _QUOTA,
            _BACKOFF,
        ),
        wait="webhook",
    ),
    Condition(
        "service-account-missing",
        "object",
        '`FailedCreate`: `serviceaccount "NAME" not found`',
        _REPORTED,
        "The service account is created, as Kubeflow does some seconds after the namespace; the controller tries "
        "again within 63 s (Job) or 82 s (Deployment)",
        (f"{_DOCS}/concepts/security/service-accounts/",),
        wait="object",
    ),
    Condition(
        "volume",
        "volume",
        "Events `FailedAttachVolume`, `FailedMount`, while the pod shows no progress since: no "
        "`SuccessfulAttachVolume`, `Pulling`, `Pulled`, `Created` or `Started`, and no container beyond "
        "`ContainerCreating`",
        _REPORTED,
        "Progress. An attempt of the kubelet takes up to 2 min 3 s; a disk of a lost node is detached after 6 min",
        (_MOUNTS, _DETACH),
        wait="volume",
    ),
    Condition(
        "object-missing",
        "object",
        '`secret "NAME" not found`, `configmap "NAME" not found`, a key that it lacks: in `FailedMount` or in '
        "`CreateContainerConfigError`",
        "The Secret or the ConfigMap, and how to create it",
        "It is created; the kubelet mounts again after 0.5 s, and each time after twice as long, up to 2 min 2 s",
        (f"{_DOCS}/concepts/configuration/secret/#restriction-secret-must-exist", _MOUNT_BACKOFF),
        wait="object",
    ),
    Condition(
        "image-definite",
        "image",
        "`manifest unknown`, `not found`, `name unknown`, `InvalidImageName`, `ErrImageNeverPull`, "
        "`no match for platform`, `SignatureValidationFailed`; not where a layer, a token or something in the node's "
        "own store is not found",
        "The error: the registry has answered, and answers the same again",
        "At once",
        (
            f"{_DOCS}/concepts/containers/images/#imagepullbackoff",
            _RESOLVER,
            "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes",
        ),
    ),
    Condition(
        "image-access",
        "image",
        "401, 403, `unauthorized`, `insufficient_scope`, `pull access denied, repository does not exist or may require "
        "authorization`",
        f"{_REPORTED}, and that a new role assignment takes minutes to act",
        "The pull is allowed",
        (_ROLES, _RESOLVER, _PULLS),
        wait="access",
    ),
    Condition(
        "image-passing",
        "image",
        "Time-outs, `429`, 5xx, name service, a proxy, refused or reset connections, an unknown certificate, a full "
        "disk, and unknown failures; `ErrImagePull` and `ImagePullBackOff` are one condition",
        _REPORTED,
        "The pull succeeds: the kubelet tries again after 10, 20, 40, 80 and 160 s more, five times in this time. "
        "While it tries (a later `Pulling`) this time stands still, and that of a starting container "
        "runs",
        (f"{_DOCS}/concepts/containers/images/#imagepullbackoff", _PULLS, _REASON_CACHE),
        wait="image",
    ),
    Condition(
        "container-passing",
        "container",
        "`CreateContainerError`, `RunContainerError`, `PostStartHookError` and any other reason of a waiting container "
        "that has no rule; event `FailedCreatePodSandBox` without progress since",
        _REPORTED,
        "The container is created: on a new node the network plug-in may not be ready yet",
        (_LIFECYCLE, f"{_K8S}/pkg/kubelet/events/event.go"),
        wait="container",
    ),
    Condition(
        "container-definite",
        "container",
        "`executable file not found`, `no command specified`, `container has runAsNonRoot and image will run as root`, "
        "`container's runAsUser breaks non-root policy`",
        "The error: image and command stay what they are",
        "At once",
        (f"{_K8S}/pkg/kubelet/kuberuntime/security_context_others.go", _LIFECYCLE),
    ),
    Condition(
        "starting",
        "start",
        "`ContainerCreating` or `PodInitializing`, and nothing else: an image is pulled, volumes are mounted; a pull "
        "that is under way again",
        "After 30 s: the container, and the time waited so far",
        "The container starts, or something is reported",
        (_LIFECYCLE,),
        wait="start",
        first=30.0,
    ),
    Condition(
        "program",
        "program",
        "A container ended with an exit code, was killed for its memory (`OOMKilled`), or ends again and again "
        "(`CrashLoopBackOff`); a Job that has failed or whose deadline has passed",
        "The error, with the last lines; where the Job has retries left, the attempt that failed",
        "At once; with retries left, the Job's own end",
        (_LIFECYCLE, f"{_DOCS}/concepts/workloads/controllers/job/#handling-pod-and-container-failures"),
    ),
    Condition(
        "disrupted",
        "disruption",
        "Pod condition `DisruptionTarget`: eviction, drain, node pressure, preemption, a node that is lost",
        "The pod, the reason and how many pods so far; Kubernetes starts a new pod",
        "The Job's own end: its `podFailurePolicy` ignores disruptions; or the third eviction in a row because the "
        "node was short of memory or disk, which the program itself may use up",
        (_POD_FAILURES, _DISRUPTIONS),
        passes=True,
    ),
    Condition(
        "node-lost",
        "disruption",
        "The node is `NotReady`: its pods are no longer `Ready` though their containers are, and stay `Terminating` or "
        "`Unknown`; their logs can't be read",
        _REPORTED,
        "The node answers again, or is deleted: then the pod is replaced, as is one that is `Terminating`",
        (
            f"{_DOCS}/concepts/architecture/nodes/#condition",
            f"{_K8S}/pkg/controller/util/node/controller_utils.go (MarkPodsNotReady)",
        ),
        passes=True,
    ),
)
"""Every condition that has a rule; what is not among them ends the launch at once."""

_BY_NAME = {each.name: each for each in CONDITIONS}


def condition(name: str) -> Condition:
    """Return the rule of a condition.

    Args:
        name: Its name; one that has no rule is like the failure of a program, which ends the launch at once.

    """
    return _BY_NAME.get(name, _BY_NAME["program"])


def reports_after(waited: float) -> float:
    """Return when a condition that has lasted so long is reported next.

    Args:
        waited: Seconds that it had lasted when it was reported last.

    Returns:
        Seconds from its beginning.

    """
    last = REPEATS[-1]
    return next((each for each in REPEATS if each > waited), (waited // last + 1) * last)


def duration(seconds: float) -> str:
    """Return a duration in words.

    Args:
        seconds: How long; less than a second counts as none.

    """
    whole = int(seconds)
    if whole < _MINUTE or (whole < 2 * _MINUTE and whole % _MINUTE):
        return f"{whole} s" if seconds >= 1 or not seconds else f"{seconds:g} s"
    hours, minutes = divmod(whole // _MINUTE, _MINUTE)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


_HEAD = """\
# What a launch waits for

<!-- Written by: python -m fairing_az_jupyter.clients.kube.diagnosis.waits > docs/waiting.md -->

While a job, a build, a notebook or an endpoint starts, the cluster may report a problem. What it reports is
shown within seconds. Some problems pass by themselves: the launch waits for these, and shows them again after {repeats}
and then every 5 minutes, with the time waited so far. To stop a launch, delete it: `fairing-azure delete NAME`. After
an interrupt a job or a build is still running, and the same launch, run again, waits for it.

How long to wait for a node is the setting `node_wait` (`FAIRING_NODE_WAIT`, 30 minutes); 0 fails as soon as the
scheduler reports that no node can run the pod. The other times are fixed. An endpoint's `ready_timeout` counts from the
start of its container: waiting for a node, volumes and images does not count against it.
"""


def page() -> str:
    """Write the table as a page in Markdown."""
    waits = Waits()
    repeats = ", ".join(duration(each) for each in REPEATS[:-1])
    lines = [_HEAD.format(repeats=repeats)]
    lines.append("| the cluster reports | shown | waited for | what ends the wait | source |\n|---|---|---|---|---|")
    lines += [_row(each, waits) for each in CONDITIONS]
    return "\n".join(lines) + "\n"


def _row(each: Condition, waits: Waits) -> str:
    if each.passes:
        waited = "until it ends"
    elif each.wait:
        waited = duration(each.seconds(waits)) + (" (`node_wait`)" if each.wait == "node" else "")
    else:
        waited = "no"
    sources = ", ".join(_link(number, source) for number, source in enumerate(each.sources, 1))
    cells = (each.said, each.reported, waited, each.ends, sources)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _link(number: int, source: str) -> str:
    url, _, names = source.partition(" ")
    return f"[{number}]({url}){f' {names}' if names else ''}"


if __name__ == "__main__":
    sys.stdout.write(page())
