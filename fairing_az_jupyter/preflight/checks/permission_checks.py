"""May this notebook do what a launch does? The cluster is asked, verb by verb, without anything being done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.objects.facts import Access
from fairing_az_jupyter.clients.kube.transport.identity import split_service_account
from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.checks.cluster_checks import known_user
from fairing_az_jupyter.preflight.runner import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fairing_az_jupyter.clients.kube.cluster import Cluster
    from fairing_az_jupyter.models import CheckStatus, Fix
    from fairing_az_jupyter.preflight.context import CheckContext
    from fairing_az_jupyter.settings import Settings

_ROLE = "kubeflow-edit"
_DENIED = "verbs-missing"


def _each(verbs: str, resource: str, group: str = "", subresource: str = "", name: str = "") -> tuple[Access, ...]:
    return tuple(Access(verb, resource, group, subresource, name) for verb in verbs.split())


_JOBS = _each("create get list watch delete", "jobs", "batch")
# A launch makes no pod and deletes none: Jobs and Deployments do. Without their events it is followed anyway.
_PODS = (*_each("get list watch", "pods"), *_each("get", "pods", subresource="log"))
_BUILDS = (*_each("create patch", "secrets"), *_each("patch", "jobs", "batch"))
_ENDPOINTS = (
    *_each("create get list watch patch delete", "deployments", "apps"),
    *_each("create get list delete", "services"),
)
# KServe makes the Deployment and the Service.
_INFERENCE = (
    *_each("create get list watch patch delete", "inferenceservices", "serving.kserve.io"),
    *_each("get list watch", "deployments", "apps"),
    *_each("list", "services"),
)
# A pod reaches the endpoint by the network, other machines through the API server.
_FORWARDING = _each("create", "pods", subresource="portforward")


def checks(context: CheckContext) -> list[Check]:
    """Return the checks of what this notebook may do.

    Args:
        context: What is checked.

    """
    builds = _check(
        "permissions.builds",
        "Permission to run builds",
        "A build in the cluster reads its context by a link, which is kept in a Secret while the build runs.",
        "the rights on Secrets",
        lambda _: _BUILDS,
        after=("permissions.jobs",),
    )
    in_cluster = context.settings.builder != "acr-tasks"
    return [
        _check(
            "permissions.jobs",
            "Permission to run Jobs",
            "Training and building are Jobs.",
            "the rights on Jobs",
            lambda _: _JOBS,
        ),
        _check(
            "permissions.pods",
            "Permission to watch pods",
            "Logs and failure reasons are read from pods and their events.",
            "the rights on pods, their logs and events",
            lambda _: _PODS,
            after=("permissions.jobs",),
        ),
        *((builds,) if in_cluster else ()),
        _endpoints(context),
        Check(
            "permissions.prepare",
            "Permission to create Secrets",
            "`secrets create` writes two Secrets and the service account; a launch reads the Secrets.",
            "the rights on Secrets and the service account",
            lambda given: _prepare(context, given["cluster"].value, given),
            needs=("cluster", "cluster.namespace"),
            even_unseen=("cluster.namespace",),
            after=("permissions.jobs", *((builds.id,) if in_cluster else ())),
        ),
    ]


def _endpoints(context: CheckContext) -> Check:
    by_kserve = context.settings.endpoint_kind == "inference-service"

    def wanted(cluster: Cluster) -> tuple[Access, ...]:
        served = _INFERENCE if by_kserve and _has_kserve(cluster) else () if by_kserve else _ENDPOINTS
        return served if cluster.in_cluster else (*served, *_FORWARDING)

    return _check(
        "permissions.endpoints",
        "Permission to deploy endpoints",
        "An endpoint is an InferenceService of KServe's."
        if by_kserve
        else "An endpoint is a Deployment with a Service.",
        f"the rights on {'InferenceServices' if by_kserve else 'Deployments and Services'}",
        wanted,
        after=("permissions.jobs", "permissions.pods"),
    )


def _has_kserve(cluster: Cluster) -> bool:
    """Tell whether there is anything to have rights on; that it is missing, `endpoint.kserve` tells."""
    try:
        return cluster.has_kserve()
    except FairingAzureError:
        return True


def _check(
    identifier: str,
    title: str,
    why: str,
    looks_at: str,
    wanted: Callable[[Cluster], tuple[Access, ...]],
    *,
    after: tuple[str, ...] = (),
) -> Check:
    def run(given: Mapping[str, Finding]) -> Finding:
        cluster = given["cluster"].value
        looked_at = f"{looks_at} in namespace {cluster.namespace}"
        return _unanswered(looked_at, given, after) or _review(cluster, looked_at, wanted(cluster), given, after)

    return Check(
        identifier,
        title,
        why,
        looks_at,
        run,
        needs=("cluster", "cluster.namespace"),
        even_unseen=("cluster.namespace",),
        after=after,
    )


def _unanswered(looked_at: str, given: Mapping[str, Finding], after: Iterable[str]) -> Finding | None:
    """Ask no second time what the cluster has not answered: one fault, one finding."""
    silent = next((name for name in after if _silent(given[name])), None)
    if silent is None:
        return None
    return Finding("skipped", looked_at, f"Skipped: the cluster did not answer about {silent}.")


def _silent(finding: Finding) -> bool:
    return finding.status == "unknown" or (finding.status == "fail" and finding.code != _DENIED)


def _review(
    cluster: Cluster,
    looked_at: str,
    wanted: Iterable[Access],
    given: Mapping[str, Finding],
    after: Iterable[str],
) -> Finding:
    answers = cluster.can_all(wanted)
    missing = [access for access, allowed in answers.items() if not allowed]
    user = known_user(cluster)
    who = user or "the user of this credential"
    if not missing:
        return Finding("pass", looked_at, f"{who} has all {len(answers)} permissions that a launch needs.")
    lacks = f"{who} may not {in_words(missing)} in namespace {cluster.namespace}"
    failed = next((name for name in after if given[name].status == "fail"), None)
    if failed is not None:
        # They have one cause, and what fixes the one fixes the others.
        return Finding("skipped", looked_at, f"{lacks} either; fix {failed} first.", code=_DENIED)
    return Finding("fail", looked_at, f"{lacks}.", _binding(cluster.namespace, user), code=_DENIED)


def _prepare(context: CheckContext, cluster: Cluster, given: Mapping[str, Finding]) -> Finding:
    looked_at = f"the rights on Secrets and the service account in namespace {cluster.namespace}"
    fields = ("azure_secret_name", "registry_secret_name", "service_account")
    before = [name for name in given if name.startswith("permissions.")]
    rejected = context.unusable(*fields, looks_at=looked_at) or _unanswered(looked_at, given, before)
    if rejected is not None:
        return rejected
    settings = context.settings
    reading = [
        access
        for name in (settings.azure_secret_name, settings.registry_secret_name)
        for access in _each("get", "secrets", name=name)
    ]
    changing = [
        *_each("create", "secrets"),
        *(Access("patch", "secrets", name=access.name) for access in reading),
        *_each("get patch", "serviceaccounts", name=settings.service_account),
    ]
    answers = cluster.can_all([*reading, *changing])
    missing = [access for access, allowed in answers.items() if not allowed]
    user = known_user(cluster)
    who = user or "the user of this credential"
    if not missing:
        return Finding("pass", looked_at, f"{who} may write the Secrets and the service account.")
    unread = [access for access in reading if access in missing]
    rest = (
        f"so neither a launch nor this check can read {_named(unread)}"
        if unread
        else "which breaks nothing once an administrator has prepared the Secrets"
    )
    lacks = f"{who} may not {in_words(missing)} in namespace {cluster.namespace}"
    if not unread and "permissions.builds" in given and given["permissions.builds"].status == "fail":
        return Finding("skipped", looked_at, f"{lacks} either; fix permissions.builds first.", code=_DENIED)
    # What lets nobody launch is reported once: one role most likely gives both.
    fails = any(access.name in _needed(settings) for access in unread) and not any(
        given[name].status == "fail" for name in before
    )
    status: CheckStatus = "fail" if fails else "warn"
    return Finding(status, looked_at, f"{lacks}, {rest}.", _binding(cluster.namespace, user), code=_DENIED)


def _needed(settings: Settings) -> set[str]:
    """Return the Secrets without which no launch succeeds: another credential may be found in place of the other."""
    own = {settings.azure_secret_name} if settings.credential == "secret" else set()
    return {settings.registry_secret_name, *own}


def _named(unread: Iterable[Access]) -> str:
    return " and ".join(f"Secret '{access.name}'" for access in unread)


def in_words(accesses: Iterable[Access]) -> str:
    """Name what is not allowed, by resource.

    Args:
        accesses: What is not allowed.

    Returns:
        Such as `create, delete jobs.batch; get pods/log`.

    """
    verbs: dict[str, list[str]] = {}
    for access in accesses:
        kind = f"{access.resource}.{access.group}" if access.group else access.resource
        kind = f"{kind}/{access.subresource}" if access.subresource else kind
        verbs.setdefault(f"{kind} {access.name}" if access.name else kind, []).append(access.verb)
    return "; ".join(f"{', '.join(allowed)} {kind}" for kind, allowed in verbs.items())


def _binding(namespace: str, user: str) -> tuple[Fix, ...]:
    """Return what an administrator types to let somebody work in a namespace."""
    home, account = split_service_account(user)
    who = f"--serviceaccount={home}:{account}" if account else f"--user={user or 'NAME'}"
    # Bindings of one name would be rejected for the second user.
    base = account if home == namespace else f"{home}-{account}" if account else user or "notebook"
    name = re.sub(r"[^a-z0-9.-]+", "-", base.lower()).strip("-.") or "notebook"
    command = fix_commands.kubectl(
        "create", "rolebinding", f"{name}-{_ROLE}", f"--clusterrole={_ROLE}", who, f"--namespace={namespace}"
    )
    return (
        command,
        fix_commands.text(f"An administrator of the cluster or the owner of the profile {namespace} has to run this."),
    )
