"""May this notebook do what a launch does? The cluster is asked, verb by verb, without anything being done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.facts import Access
from fairing_az_jupyter.clients.kube.identity import split_service_account
from fairing_az_jupyter.preflight import cures
from fairing_az_jupyter.preflight.cluster_checks import known_user
from fairing_az_jupyter.preflight.runner import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fairing_az_jupyter.clients.cluster import Cluster
    from fairing_az_jupyter.models import Cure
    from fairing_az_jupyter.preflight.subject import Subject

_ROLE = "kubeflow-edit"
_DENIED = "verbs-missing"


def _each(verbs: str, resource: str, group: str = "", subresource: str = "", name: str = "") -> tuple[Access, ...]:
    return tuple(Access(verb, resource, group, subresource, name) for verb in verbs.split())


_JOBS = _each("create get list watch delete", "jobs", "batch")
_PODS = (
    *_each("create get list watch delete", "pods"),
    *_each("get", "pods", subresource="log"),
    *_each("list", "events"),
)
_ENDPOINTS = (
    *_each("create get list watch patch delete", "deployments", "apps"),
    *_each("create get list delete", "services"),
)
# A pod reaches the endpoint by the network, other machines through the API server.
_FORWARDING = _each("create", "pods", subresource="portforward")


def checks(subject: Subject) -> list[Check]:
    """Return the checks of what this notebook may do.

    Args:
        subject: What is checked.

    """
    return [
        _check(
            "permissions.jobs",
            "Jobs may be run",
            "Training and building are Jobs.",
            "the rights on Jobs",
            lambda _: _JOBS,
        ),
        _check(
            "permissions.pods",
            "Pods may be followed",
            "Logs, and the reason why a pod does not start, are read from pods and their events.",
            "the rights on pods, their logs and events",
            lambda _: _PODS,
            after=("permissions.jobs",),
        ),
        _check(
            "permissions.endpoints",
            "Endpoints may be deployed",
            "An endpoint is a Deployment with a Service.",
            "the rights on Deployments and Services",
            lambda cluster: _ENDPOINTS if cluster.in_cluster else (*_ENDPOINTS, *_FORWARDING),
            after=("permissions.jobs", "permissions.pods"),
        ),
        Check(
            "permissions.prepare",
            "Secrets may be prepared",
            "`secrets create` writes two Secrets and the service account; a launch reads the Secrets.",
            "the rights on Secrets and the service account",
            lambda given: _prepare(subject, given["cluster"].value, given),
            needs=("cluster", "cluster.namespace"),
            even_unseen=("cluster.namespace",),
            after=("permissions.jobs",),
        ),
    ]


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
    return Finding("skipped", looked_at, f"Not checked, for the cluster has not answered about {silent}.")


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
        return Finding("pass", looked_at, f"{who} may do all {len(answers)} things that a launch needs there.")
    lacks = f"{who} may not {in_words(missing)} in namespace {cluster.namespace}"
    failed = next((name for name in after if given[name].status == "fail"), None)
    if failed is not None:
        # They have one cause, and what mends the one mends the others.
        return Finding("skipped", looked_at, f"{lacks} either; mend {failed} first.", code=_DENIED)
    return Finding("fail", looked_at, f"{lacks}.", _binding(cluster.namespace, user), code=_DENIED)


def _prepare(subject: Subject, cluster: Cluster, given: Mapping[str, Finding]) -> Finding:
    looked_at = f"the rights on Secrets and the service account in namespace {cluster.namespace}"
    fields = ("azure_secret_name", "registry_secret_name", "service_account")
    refused = subject.unusable(*fields, looks_at=looked_at) or _unanswered(looked_at, given, ("permissions.jobs",))
    if refused is not None:
        return refused
    settings = subject.settings
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
    unread = any(access in missing for access in reading)
    rest = (
        "so neither a launch nor this check can read the Secrets"
        if unread
        else "which breaks nothing once an administrator has prepared the Secrets"
    )
    message = f"{who} may not {in_words(missing)} in namespace {cluster.namespace}, {rest}."
    return Finding("warn", looked_at, message, _binding(cluster.namespace, user), code=_DENIED)


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


def _binding(namespace: str, user: str) -> tuple[Cure, ...]:
    """Return what an administrator types to let somebody work in a namespace."""
    home, account = split_service_account(user)
    who = f"--serviceaccount={home}:{account}" if account else f"--user={user or 'NAME'}"
    # Bindings of one name would be refused for the second user.
    base = account if home == namespace else f"{home}-{account}" if account else user or "notebook"
    name = re.sub(r"[^a-z0-9.-]+", "-", base.lower()).strip("-.") or "notebook"
    command = cures.kubectl(
        "create", "rolebinding", f"{name}-{_ROLE}", f"--clusterrole={_ROLE}", who, f"--namespace={namespace}"
    )
    return (
        command,
        cures.text(f"An administrator of the cluster, or the owner of the profile {namespace}, has to type that."),
    )
