"""Would the cluster take what a launch makes? The very objects are sent as dry runs: its rules answer, nothing is made.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run. A pod is sent as a Pod of its own besides,
for Pod Security, LimitRanges and quotas judge pods, and a Job whose pods they reject is taken anyway.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.workloads import Workloads
from fairing_az_jupyter.exceptions import ConflictError, NotAllowedError, NotFoundError, ServiceError, UnreachableError
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.admission_rules import asks_beyond_quota, exceeded, own_words, rule_in
from fairing_az_jupyter.preflight.builds import only_some_launches
from fairing_az_jupyter.preflight.runner import WORST_FIRST, Check, Finding, from_error
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from fairing_az_jupyter.clients.kube.cluster import Cluster
    from fairing_az_jupyter.preflight.context import CheckContext, Planned

__all__ = ["checks"]

_SECONDS = 5.0
_SERVER_ERROR = 500
_WHAT: Mapping[Planned, str] = {"job": "a training job", "build": "a build", "endpoint": "an endpoint"}
# One webhook that is silent for one object often is for the next one: all checks have 12 s together.
_SECONDS_AFTER_SILENCE = 1.5
_WEBHOOK = re.compile(r'failed calling webhook "([^"]+)"')
_NO_DRY_RUNS = re.compile(r'admission webhook "([^"]+)" does not support dry run')
_SEE_WEBHOOKS = fix_commands.kubectl("get", "validatingwebhookconfigurations,mutatingwebhookconfigurations")
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
_SILENT, _UNTRIED = "webhook-silent", "pods-untried"
# What KServe makes of an InferenceService, again and again until it succeeds.
_OF_KSERVE = ("Deployment", "Service")
_SHARED = ("cluster.service-account", "cluster.quota")


@dataclasses.dataclass(frozen=True)
class _About:
    """What the objects are for that are tried.

    Args:
        context: What is checked.
        kind: What a launch makes of them.
        namespace: Where.
        looked_at: See `Finding`.
        by_others: The kinds of object that controllers make, again and again until they succeed.

    """

    context: CheckContext
    kind: Planned
    namespace: str
    looked_at: str
    by_others: frozenset[str]


def checks(context: CheckContext) -> list[Check]:
    """Return the checks of what a launch makes in the cluster: of a job, of a build, and of an endpoint.

    Args:
        context: What is checked.

    """
    if context.planned is None:
        return []
    kinds: tuple[Planned, ...] = ("job", "build", "endpoint") if context.builds_in_cluster else ("job", "endpoint")
    return [_check(context, kind) for kind in kinds]


def _check(context: CheckContext, kind: Planned) -> Check:
    what = _WHAT[kind]
    others = () if kind == "job" else ("launch.job",)
    return Check(
        f"launch.{kind}",
        f"Dry run of {what}",
        "Pod Security, LimitRanges, quotas and policies reject a pod that breaks their rules.",
        f"dry runs of {what}",
        lambda given: _tried(context, kind, given),
        needs=("cluster", "cluster.namespace"),
        even_unseen=("cluster.namespace",),
        after=(*_SHARED, *others, *(("endpoint.kserve",) if kind == "endpoint" else ())),
    )


def _tried(context: CheckContext, kind: Planned, given: Mapping[str, Finding]) -> Finding:
    cluster: Cluster = given["cluster"].value
    looked_at = f"dry runs of {_WHAT[kind]} in namespace {cluster.namespace}"
    fields = (*_FIELDS[kind], *(field for field in _OPTIONAL if field in context.broken))
    if unusable := context.unusable(*fields, "service_account", "registry_secret_name", looks_at=looked_at):
        return unusable
    first = ("cluster.service-account", *(("endpoint.kserve",) if kind == "endpoint" else ()))
    failed = next((name for name in first if given[name].status == "fail"), None)
    if failed is not None:
        return Finding("skipped", looked_at, f"Skipped: needs {failed}, which failed.")
    return _reported_once(context, kind, _judged(context, kind, cluster, looked_at), given)


def _reported_once(context: CheckContext, kind: Planned, found: Finding, given: Mapping[str, Finding]) -> Finding:
    """Return a finding; skipped where another check tells the same fault."""
    found = only_some_launches(context, found) if kind == "build" else found
    if _is_of_quota_check(found, given["cluster.quota"]):
        return dataclasses.replace(found, status="skipped", message=f"{found.message} See cluster.quota.", fixes=())
    before = given.get("launch.job")
    if before and found.status == before.status == "fail" and _have_one_reason(found, before):
        message = f"The cluster would also reject {_WHAT[kind]}, for the same reason as launch.job."
        return dataclasses.replace(found, status="skipped", message=message, fixes=())
    return found


def _is_of_quota_check(found: Finding, quota: Finding) -> bool:
    """Tell whether the check of quotas has found the same: it knows of no Services, for one."""
    if found.code != "quota" or quota.code not in _NO_QUOTA or found.status != quota.status:
        return False
    names = exceeded(found.message)
    return bool(names) and all(f"{name}:" in quota.message for name in names)


def _have_one_reason(found: Finding, other: Finding) -> bool:
    """Tell whether what makes the one pass does the same for the other."""
    # Policies of one webhook, as counts of one quota, have one remedy; what they want, only their own words tell.
    return (found.code, found.fixes[:1], found.value) == (other.code, other.fixes[:1], other.value)


def _judged(context: CheckContext, kind: Planned, cluster: Cluster, looked_at: str) -> Finding:
    """Send the objects, and return the worst of what becomes of them; the first of those that are as bad."""
    planned = context.planned(kind, cluster.namespace) if context.planned else ()
    if not planned:
        return _never_built(context, looked_at)
    by_others = {"Pod", *(_OF_KSERVE if any(body["kind"] == "InferenceService" for body in planned) else ())}
    about = _About(context, kind, cluster.namespace, looked_at, frozenset(by_others))
    kinds = ", ".join(dict.fromkeys(str(body["kind"]) for body in planned))
    worst = Finding("pass", looked_at, f"The cluster would accept the objects of {_WHAT[kind]} ({kinds}).")
    for found in _each(about, cluster, planned):
        worst = min(worst, found, key=_badness)
    return worst


def _badness(found: Finding) -> tuple[int, bool]:
    # What can't be tried matters least, whatever is found about the rest.
    return (
        WORST_FIRST.index("pass") if found.code == _UNTRIED else WORST_FIRST.index(found.status),
        found.code != _UNTRIED,
    )


def _each(about: _About, cluster: Cluster, planned: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Yield a finding for each object that is not taken, up to the first that fails a launch for certain."""
    with contextlib.ExitStack() as opened:
        seconds = min(about.context.deadline, _SECONDS)
        workloads = opened.enter_context(_workloads(about.context, cluster, seconds))
        for body in planned:
            error = _not_taken(workloads, body)
            if error is None:
                continue
            found = _meaning(error, body, about)
            yield found
            # Without an answer from the API server itself, the others would only take more time.
            if found.status == "fail" or isinstance(error, UnreachableError):
                return
            if found.code == _SILENT:
                seconds = min(seconds, _SECONDS_AFTER_SILENCE)
                workloads = opened.enter_context(_workloads(about.context, cluster, seconds))


def _workloads(context: CheckContext, cluster: Cluster, seconds: float) -> Workloads:
    return Workloads(cluster, timeout=min(context.timeout, seconds), deadline=seconds)


def _not_taken(workloads: Workloads, body: Mapping[str, Any]) -> ServiceError | None:
    """Send one object as a dry run, and return why it is not taken."""
    try:
        workloads.create(body, dry_run=True)
    except ServiceError as error:
        return None if error.code == "already-exists" else error
    return None


def _meaning(error: ServiceError, body: Mapping[str, Any], about: _About) -> Finding:
    what, looked_at = str(body["kind"]), about.looked_at
    if isinstance(error, NotAllowedError) and error.code == NotAllowedError.code:
        return _without_role(error, what, about)
    if isinstance(error, NotFoundError):
        return Finding("skipped", looked_at, f"Skipped: {error.message}")
    if untried := _NO_DRY_RUNS.search(error.message):
        return _without_dry_runs(error, untried.group(1), what, about)
    if isinstance(error, NotAllowedError | ConflictError):
        found = _rejected(error, body, about)
        if what in about.by_others and found.code == "quota" and not asks_beyond_quota(error.said or error.message):
            others = "pods" if what == "Pod" else f"{what}s"
            message = f"{found.message} A launch waits some minutes for other {others} to end."
            return dataclasses.replace(found, status="warn", message=message)
        return found
    return _unanswered(error, what, about)


def _without_role(error: NotAllowedError, what: str, about: _About) -> Finding:
    """Return the finding where it is not a rule that rejects an object, but a role that is missing."""
    if what not in about.by_others:
        # That is for the checks of permissions to tell.
        message = f"Skipped: no permission to create a {what}, see permissions."
        return Finding("skipped", about.looked_at, message)
    ask = fix_commands.kubectl("auth", "can-i", "create", f"{what.lower()}s", "-n", about.namespace)
    message = (
        f"The rules for {what.lower()}s can't be tested: {error.message} Whether they accept the {what.lower()} of "
        f"{_WHAT[about.kind]} shows only at launch."
    )
    return Finding(
        "unknown", about.looked_at, message, (fix_commands.text(error.hint), ask), code=_UNTRIED, unseen=True
    )


def _without_dry_runs(error: ServiceError, webhook: str, what: str, about: _About) -> Finding:
    """Return the finding where a webhook judges only what is really made.

    Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#side-effects
    """
    message = (
        f"The webhook {webhook} does not support dry runs, so whether the cluster accepts the {what} of "
        f"{_WHAT[about.kind]} shows only at launch: {error.message}"
    )
    ask = fix_commands.text(
        f"Ask the owner of the webhook {webhook} whether it has side effects. Without any, its configuration can set "
        "sideEffects: None."
    )
    return Finding("unknown", about.looked_at, message, (ask, _SEE_WEBHOOKS), code="dry-run-unsupported")


def _never_built(context: CheckContext, looked_at: str) -> Finding:
    """Return the finding where no build can be made as the settings are."""
    names = notebook_names()
    message = (
        f"No image can be built in the cluster: Kaniko needs root, and {names['pod_security']} is "
        f"'{context.settings.pod_security}'."
    )
    other = fix_commands.change_setting(context, "builder", "acr-tasks")
    return Finding("fail", looked_at, message, (other,), code="pod-security")


def _rejected(error: ServiceError, body: Mapping[str, Any], about: _About) -> Finding:
    # The message may show only the first of several rules that are broken.
    said = error.said or error.message
    rule = rule_in(said, about.context, about.kind, about.namespace)
    if rule.code == "not-allowed-by-rule" and error.hint:
        rule = dataclasses.replace(rule, code=error.code, fixes=(fix_commands.text(error.hint), *rule.fixes))
    # Two objects differ by their names, whatever the rule.
    words = own_words(said).replace(str(body["metadata"]["name"]), "") or exceeded(said)
    return Finding("fail", about.looked_at, error.message, rule.fixes, code=rule.code, value=words)


def _unanswered(error: ServiceError, what: str, about: _About) -> Finding:
    """Return the finding where something does not answer: controllers try again for some minutes."""
    silent = _WEBHOOK.search(error.message)
    if silent is None or (error.status or 0) < _SERVER_ERROR:
        return from_error(error, about.looked_at)
    ask = fix_commands.text(f"Ask the cluster's administrator about the webhook {silent.group(1)}.")
    if what in about.by_others:
        message = f"{error.message} A launch waits some minutes for it."
        return Finding("warn", about.looked_at, message, (ask, _SEE_WEBHOOKS), code=_SILENT)
    message = f"{error.message} Launches fail until it answers."
    return Finding("unknown", about.looked_at, message, (ask, _SEE_WEBHOOKS), code=_SILENT)
