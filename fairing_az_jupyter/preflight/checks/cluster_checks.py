"""Is there a way to the cluster, and are namespace and service account as a launch needs them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.kube.objects.facts import Access
from fairing_az_jupyter.clients.kube.transport.identity import split_service_account
from fairing_az_jupyter.exceptions import (
    CredentialError,
    FairingAzureError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
)
from fairing_az_jupyter.preflight import fix_commands
from fairing_az_jupyter.preflight.runner import Check, Finding, from_error
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from fairing_az_jupyter.preflight.context import CheckContext

# A kubeconfig that is not there, or is of no use any more, is fetched anew.
_FETCH_CODES = ("no-cluster", "kubeconfig")
_FETCH = fix_commands.az("aks", "get-credentials", "--resource-group", "GROUP", "--name", "CLUSTER")


def checks(context: CheckContext) -> list[Check]:
    """Return the checks of the cluster, the namespace and the service account.

    Args:
        context: What is checked.

    """
    settings = context.settings
    account = f"ServiceAccount {settings.service_account}"
    return [
        Check(
            "cluster",
            "Cluster reachable",
            "Training, building and serving happen there.",
            "the Kubernetes cluster",
            lambda _: _reach(context),
        ),
        Check(
            "cluster.namespace",
            "Namespace",
            "All Jobs, endpoints and Secrets are created in it.",
            f"namespace {settings.namespace}" if settings.namespace else "the namespace",
            lambda given: _namespace(context, given["cluster"].value),
            needs=("cluster",),
        ),
        Check(
            "cluster.service-account",
            "Service account",
            "Every pod of a launch runs as it; without it no pod is created.",
            account,
            lambda given: _service_account(context, given["cluster"].value),
            needs=("cluster", "cluster.namespace"),
            even_unseen=("cluster.namespace",),
        ),
    ]


def known_user(cluster: Cluster) -> str:
    """Return the user name that the cluster knows us by; empty where it does not tell.

    Args:
        cluster: The cluster.

    """
    try:
        return cluster.user
    except ServiceError:
        return ""


def _reach(context: CheckContext) -> Finding:
    looked_at = "the Kubernetes cluster"
    cluster = None
    try:
        cluster = Cluster.connect(
            context.environ,
            context.service_account_folder,
            namespace=context.settings.namespace,
            timeout=context.timeout,
            deadline=context.deadline,
        )
        looked_at = f"the cluster at {cluster.server}"
        version = _version(cluster)
        who = _who(cluster)
    except FairingAzureError as error:
        if cluster is not None:
            cluster.close()
        return from_error(error, looked_at, (_FETCH,) if error.code in _FETCH_CODES else ())
    return Finding("pass", looked_at, f"It answers{version}, to {who}.", value=cluster)


def _version(cluster: Cluster) -> str:
    try:
        version = cluster.server_version()
    except NotAllowedError:
        # Some administrators let nobody see it; their answer is trusted, and that is what is wanted.
        version = ""
    return f", with version {version}" if version else ""


def _who(cluster: Cluster) -> str:
    try:
        user = cluster.user
    except CredentialError:
        # Its version the cluster tells to strangers, too.
        raise
    except ServiceError:
        user = ""
    home, account = split_service_account(user)
    who = f"service account {account} of namespace {home}" if account else f"user {user or 'of unknown name'}"
    return f"{who}, whose pod this is" if cluster.in_cluster else f"{who}, by {cluster.source}"


def _namespace(context: CheckContext, cluster: Cluster) -> Finding:
    name = cluster.namespace
    looked_at = f"namespace {name}"
    if "namespace" in context.broken:
        # None would do for a namespace, so `CheckContext.unusable` is not asked.
        names = notebook_names()
        return Finding("skipped", "the namespace", f"Skipped: {names['namespace']} is not set to a usable value.")
    home = split_service_account(known_user(cluster))[0]
    try:
        mesh = cluster.mesh()
    except NotFoundError as error:
        if error.code != NotFoundError.code:  # something that is not an API server
            return from_error(error, looked_at)
        fix = fix_commands.change_setting(context, "namespace", home) if home not in {"", name} else None
        return from_error(
            error,
            looked_at,
            (
                *((fix,) if fix else ()),
                fix_commands.text(f"Set {notebook_names()['namespace']} to a namespace of yours."),
                fix_commands.kubectl("create", "namespace", name),
            ),
        )
    if mesh is not None:
        return Finding("pass", looked_at, f"Namespace {name} exists.", value=mesh)
    if home == name:
        message = (
            f"Namespace {name} exists, because this notebook's service account is in it; no permission to read it."
        )
        return Finding("pass", looked_at, message)
    return _not_shown(context, cluster, home)


def _not_shown(context: CheckContext, cluster: Cluster, home: str) -> Finding:
    """Tell what it means that a namespace may not be looked at in which we are not at home."""
    name = cluster.namespace
    looked_at = f"namespace {name}"
    who = known_user(cluster) or "the user of this credential"
    # Who may not even work there has most likely mistaken the name, and all that is looked up in it would be rejected
    # for this one reason.
    stranger = not any(cluster.can_all([Access("list", "pods"), Access("create", "jobs", "batch")]).values())
    rest = "or work in it, so it may not exist" if stranger else "so it is unknown whether it exists"
    fix = (fix_commands.change_setting(context, "namespace", home),) if home else ()
    return Finding(
        "unknown",
        looked_at,
        f"{who} may not read namespace {name}, {rest}.",
        (
            *fix,
            fix_commands.kubectl("get", "namespace", name),
            fix_commands.text(
                f"Check {notebook_names()['namespace']}, or ask the owner of the profile {name} for access."
            ),
        ),
        code="not-allowed",
        unseen=not stranger,
    )


def _service_account(context: CheckContext, cluster: Cluster) -> Finding:
    name, namespace = context.settings.service_account, cluster.namespace
    looked_at = f"ServiceAccount {name} in namespace {namespace}"
    unusable = context.unusable("service_account", looks_at=looked_at)
    if unusable is not None:
        return unusable
    try:
        secrets = cluster.pull_secrets(name)
    except NotFoundError as error:
        home, own = split_service_account(known_user(cluster))
        fix = (
            (fix_commands.change_setting(context, "service_account", own),)
            if own and home == namespace and own != name
            else ()
        )
        return from_error(
            error, looked_at, (*fix, fix_commands.kubectl("-n", namespace, "create", "serviceaccount", name))
        )
    return Finding("pass", looked_at, f"ServiceAccount {name} exists.", value=secrets)
