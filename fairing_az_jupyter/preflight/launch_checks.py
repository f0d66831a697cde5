"""Would the cluster take what a launch makes? The very objects are sent as dry runs: its rules answer, nothing is made.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run. A pod is sent as a Pod of its own besides,
for Pod Security, LimitRanges and quotas judge pods, and a Job whose pods they refuse is taken all the same.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.workloads import Workloads
from fairing_az_jupyter.exceptions import ConflictError, NotAllowedError, NotFoundError, ServiceError
from fairing_az_jupyter.preflight import cures
from fairing_az_jupyter.preflight.admission_rules import asks_beyond_quota, rule_in
from fairing_az_jupyter.preflight.builds import only_some_launches
from fairing_az_jupyter.preflight.cluster_checks import change_setting
from fairing_az_jupyter.preflight.runner import Check, Finding, from_error
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from fairing_az_jupyter.clients.cluster import Cluster
    from fairing_az_jupyter.preflight.subject import Planned, Subject

__all__ = ["checks"]

_SECONDS = 5.0
_SERVER_ERROR = 500
_WHAT: Mapping[Planned, str] = {"job": "a training job", "build": "a build", "endpoint": "an endpoint"}
_WEBHOOK = re.compile(r'failed calling webhook "([^"]+)"')
# What these settings break, `settings` tells.
_FIELDS: Mapping[Planned, tuple[str, ...]] = {
    "job": ("cpu", "memory", "docker_registry"),
    "build": ("build_cpu", "build_memory", "docker_registry", "builder", "builder_image"),
    "endpoint": ("cpu", "memory", "docker_registry", "endpoint_kind", "service_type"),
}
_OPTIONAL = (
    "cpu_limit", "gpus", "node_selector", "tolerations", "spot", "pod_security", "pod_token", "base_image", "retries",
)  # fmt: skip
_NO_QUOTA = frozenset({"quota-exceeded", "quota-used-up"})
_SHARED = ("cluster.service-account", "cluster.quota")


def checks(subject: Subject) -> list[Check]:
    """Return the checks of what a launch makes in the cluster: of a job, of a build, and of an endpoint.

    Args:
        subject: What is checked.

    """
    if subject.planned is None:
        return []
    kinds: tuple[Planned, ...] = ("job", "build", "endpoint") if subject.builds_in_cluster else ("job", "endpoint")
    return [_check(subject, kind) for kind in kinds]


def _check(subject: Subject, kind: Planned) -> Check:
    what = _WHAT[kind]
    others = () if kind == "job" else ("launch.job",)
    return Check(
        f"launch.{kind}",
        f"The cluster takes {what}",
        "Pod Security, LimitRanges, quotas and policies refuse a pod that breaks their rules, and it is never made.",
        f"dry runs of {what}",
        lambda given: _tried(subject, kind, given),
        needs=("cluster", "cluster.namespace"),
        even_unseen=("cluster.namespace",),
        after=(*_SHARED, *others, *(("endpoint.kserve",) if kind == "endpoint" else ())),
    )


def _tried(subject: Subject, kind: Planned, given: Mapping[str, Finding]) -> Finding:
    cluster: Cluster = given["cluster"].value
    looked_at = f"dry runs of {_WHAT[kind]} in namespace {cluster.namespace}"
    fields = (*_FIELDS[kind], *(field for field in _OPTIONAL if field in subject.broken))
    if unusable := subject.unusable(*fields, "service_account", "registry_secret_name", looks_at=looked_at):
        return unusable
    first = ("cluster.service-account", *(("endpoint.kserve",) if kind == "endpoint" else ()))
    failed = next((name for name in first if given[name].status == "fail"), None)
    if failed is not None:
        return Finding("skipped", looked_at, f"Not checked, for it builds on {failed} (fail).")
    return _told_once(subject, kind, _judged(subject, kind, cluster, looked_at), given)


def _told_once(subject: Subject, kind: Planned, found: Finding, given: Mapping[str, Finding]) -> Finding:
    """Return a finding; skipped where another check tells the same fault."""
    if found.code == "quota" and given["cluster.quota"].code in _NO_QUOTA:
        return dataclasses.replace(found, status="skipped", message=f"{found.message} See cluster.quota.", cures=())
    before = given.get("launch.job")
    if before and found.status == before.status == "fail" and found.code == before.code and _cured_by(found, before):
        message = f"The cluster would not take {_WHAT[kind]} either, for the same reason as launch.job."
        return dataclasses.replace(found, status="skipped", message=message, cures=())
    return only_some_launches(subject, found) if kind == "build" else found


def _cured_by(found: Finding, other: Finding) -> bool:
    """Tell whether what makes the one pass does the same for the other."""
    return found.cures[:1] == other.cures[:1]


def _judged(subject: Subject, kind: Planned, cluster: Cluster, looked_at: str) -> Finding:
    """Send the objects, and return what became of the first that is not taken."""
    planned = subject.planned(kind, cluster.namespace) if subject.planned else ()
    if not planned:
        return _never_built(subject, looked_at)
    blind: ServiceError | None = None
    seconds = min(subject.deadline, _SECONDS)
    with Workloads(cluster, timeout=min(subject.timeout, seconds), deadline=seconds) as workloads:
        for body in planned:
            error = _not_taken(workloads, body)
            if error is None:
                continue
            if body["kind"] == "Pod" and isinstance(error, NotAllowedError) and error.code == NotAllowedError.code:
                blind = error
                continue
            return _meaning(error, str(body["kind"]), subject, kind, cluster.namespace, looked_at)
    if blind is not None:
        ask = cures.kubectl("auth", "can-i", "create", "pods", "-n", cluster.namespace)
        message = (
            f"The rules for pods can't be tried: {blind.message} Whether they take the pod of {_WHAT[kind]} shows only "
            "at its launch."
        )
        return Finding("unknown", looked_at, message, (cures.text(blind.hint), ask), code="pods-untried", unseen=True)
    kinds = ", ".join(str(body["kind"]) for body in planned)
    return Finding("pass", looked_at, f"The cluster would take what {_WHAT[kind]} is made of ({kinds}).")


def _not_taken(workloads: Workloads, body: Mapping[str, Any]) -> ServiceError | None:
    """Send one object as a dry run, and return why it is not taken."""
    try:
        workloads.create(body, dry_run=True)
    except ServiceError as error:
        return None if error.code == "already-exists" else error
    return None


def _meaning(
    error: ServiceError, what: str, subject: Subject, kind: Planned, namespace: str, looked_at: str
) -> Finding:
    if isinstance(error, NotAllowedError) and error.code == NotAllowedError.code:
        # Not a rule, but a role that is missing: that is for the checks of permissions to tell.
        return Finding("skipped", looked_at, f"Not checked, for who asks may not create a {what}: see permissions.")
    if isinstance(error, NotFoundError):
        return Finding("skipped", looked_at, f"Not checked: {error.message}")
    if isinstance(error, NotAllowedError | ConflictError):
        found = _refused(error, subject, kind, namespace, looked_at)
        if what == "Pod" and found.code == "quota" and not asks_beyond_quota(error.said or error.message):
            message = f"{found.message} A launch waits some minutes for other pods to end."
            return dataclasses.replace(found, status="warn", message=message)
        return found
    return _unanswered(error, what, looked_at)


def _never_built(subject: Subject, looked_at: str) -> Finding:
    """Return the finding where no build can be made as the settings are."""
    names = notebook_names()
    message = (
        f"No image can be built in the cluster: Kaniko needs root, and {names['pod_security']} is "
        f"'{subject.settings.pod_security}'."
    )
    other = change_setting(subject, "builder", "acr-tasks")
    return Finding("fail", looked_at, message, (other,), code="pod-security")


def _refused(error: ServiceError, subject: Subject, kind: Planned, namespace: str, looked_at: str) -> Finding:
    # The message may show only the first of several rules that are broken.
    rule = rule_in(error.said or error.message, subject, kind, namespace)
    if rule.code == "not-allowed-by-rule" and error.hint:
        rule = dataclasses.replace(rule, code=error.code, cures=(cures.text(error.hint), *rule.cures))
    return Finding("fail", looked_at, error.message, rule.cures, code=rule.code)


def _unanswered(error: ServiceError, what: str, looked_at: str) -> Finding:
    """Return the finding where something does not answer: pods are made again and again, for some minutes."""
    silent = _WEBHOOK.search(error.message)
    if silent is None or (error.status or 0) < _SERVER_ERROR:
        return from_error(error, looked_at)
    see = cures.kubectl("get", "validatingwebhookconfigurations,mutatingwebhookconfigurations")
    ask = cures.text(f"Ask the cluster's administrator about the webhook {silent.group(1)}.")
    if what == "Pod":
        message = f"{error.message} A launch waits some minutes for it."
        return Finding("warn", looked_at, message, (ask, see), code="webhook-silent")
    message = f"{error.message} A launch fails as long as it is silent."
    return Finding("unknown", looked_at, message, (ask, see), code="webhook-silent")
