"""What has to be known before anything is written: what is there, what was given, and whether Entra ID accepts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.azure.credentials import choose_credential
from fairing_az_jupyter.clients.azure.service_principal import ServicePrincipal, secret_problems
from fairing_az_jupyter.clients.oci.auth.docker_config import registry_host
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    InputError,
    NotFoundError,
    ServiceError,
    SettingsError,
    ThrottledError,
    UnreachableError,
)
from fairing_az_jupyter.settings import notebook_names
from fairing_az_jupyter.setup.principal import KEYS, SecretValues, ValueName, missing_values
from fairing_az_jupyter.setup.writes import reworded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.clients.kube.cluster import Cluster
    from fairing_az_jupyter.clients.kube.objects.facts import StoredSecret
    from fairing_az_jupyter.preflight.context import CheckContext

    Read = Callable[[tuple[ValueName, ...], frozenset[ValueName]], SecretValues]

__all__ = ["Task", "look", "merged_values", "read_secret", "read_values", "require", "try_out"]

_SERVER_ERROR = 500


@dataclass(frozen=True)
class Task:
    """What is asked for, and what is there now.

    Args:
        context: Where, and under which names.
        azure: Whether the Secret with the service principal is intended.
        acr: Whether the registry's Secret is intended.
        only_secret: Whether only the client secret is to be renewed.
        azcreds: The Secret with the service principal; None where there is none.
        acrcreds: The registry's Secret; None where there is none, or it is not intended.

    """

    context: CheckContext
    azure: bool
    acr: bool
    only_secret: bool
    azcreds: StoredSecret | None
    acrcreds: StoredSecret | None

    @property
    def kept(self) -> dict[ValueName, SecretValue]:
        """The values in the cluster that are as they should be."""
        if self.azcreds is None:
            return {}
        wrong = {problem.key for problem in secret_problems(self.azcreds.data)}
        return {name: self.azcreds.data[key] for name, key in KEYS.items() if key not in wrong}

    @property
    def host(self) -> str:
        """The registry's host."""
        return registry_host(self.context.settings.docker_registry or "")


def require(context: CheckContext, *fields: str) -> None:
    """Fail for a setting that is missing or broken.

    Args:
        context: The settings in force.
        fields: Those that are needed; the namespace, which may be left open, always is.

    Raises:
        SettingsError: One is missing or broken, or both Secrets have the same name.

    """
    for field in ("namespace", *fields):
        if field in context.broken:
            problem = context.broken[field].rstrip(". ")
        elif field != "namespace" and getattr(context.settings, field) in (None, ""):
            problem = f"{notebook_names()[field]} is not set"
        else:
            continue
        flag = f"--{field.replace('_', '-')}"
        value = context.suggestions.get(field) or ("NAME.azurecr.io" if field == "docker_registry" else "VALUE")
        raise SettingsError(
            f"{problem}. Without it the Secrets can't be written; nothing was changed.",
            hint=f"{context.hints.get(field, '')} Add {flag} {value}, or write it into the notebook: "
            f"fairing-azure fill NOTEBOOK {flag} {value}".strip(),
        )
    settings = context.settings
    if "azure_secret_name" in fields and settings.azure_secret_name == settings.registry_secret_name:
        raise SettingsError(
            f"Both Secrets are named '{settings.azure_secret_name}', but one Secret can't have two types; nothing was "
            "changed.",
            hint="Give azure_secret_name and registry_secret_name different names.",
        )


def look(context: CheckContext, cluster: Cluster, *, azure: bool, acr: bool, only_secret: bool) -> Task:
    """Find out what is there, before anything is asked of the user.

    Args:
        context: See `Task`.
        cluster: The cluster.
        azure: See `Task`.
        acr: See `Task`.
        only_secret: See `Task`.

    Returns:
        The task.

    Raises:
        SettingsError: There is a registry's Secret to renew, and DOCKER_REGISTRY is missing or broken.
        InputError: There is nothing to renew, or more than the client secret is missing.
        ServiceError: The cluster rejects the request, or the service account is not there.

    """
    settings = context.settings
    azcreds = read_secret(cluster, settings.azure_secret_name)
    acrcreds = read_secret(cluster, settings.registry_secret_name) if acr else None
    if not only_secret:
        if acr:
            _see_account(cluster, settings.service_account)
        return Task(context, azure, acr, only_secret, azcreds, acrcreds)
    if (azcreds is None or not azure) and acrcreds is None:
        names = [settings.azure_secret_name] * azure + [settings.registry_secret_name] * acr
        raise InputError(
            f"Secret {' or '.join(map(repr, names))} not found in namespace '{cluster.namespace}', so there is no "
            "client secret to rotate.",
            hint="Create them: fairing-azure secrets create",
            code="nothing-to-rotate",
        )
    if acrcreds is not None:
        require(context, "docker_registry")
    others = [
        problem
        for problem in (secret_problems(azcreds.data) if azcreds and azure else ())
        if problem.key != KEYS["client_secret"]
    ]
    if others:
        raise InputError(
            f"The Secret '{settings.azure_secret_name}' in namespace '{cluster.namespace}' lacks more than a new "
            f"client secret: {'; '.join(f'{problem.key} {problem.text}' for problem in others)}. Nothing was changed.",
            hint="Write all values: fairing-azure secrets create --azure",
            code=f"secret-{others[0].kind}",
        )
    return Task(context, azure, acr, only_secret, azcreds, acrcreds)


def read_secret(cluster: Cluster, name: str) -> StoredSecret | None:
    """Return a Secret, or None where there is none.

    Args:
        cluster: The cluster.
        name: The Secret's name.

    Raises:
        ServiceError: The cluster rejects the request.

    """
    try:
        return cluster.read_secret(name)
    except NotFoundError:
        return None


def _see_account(cluster: Cluster, name: str) -> None:
    try:
        cluster.pull_secrets(name)
    except NotFoundError as error:
        hint = (
            f"Check that '{cluster.namespace}' is the namespace of your profile. Kubeflow creates the service account "
            f"in each: kubectl -n {cluster.namespace} get serviceaccounts. Choose another with --namespace or "
            "--service-account."
        )
        raise reworded(error, f"{error.message} Nothing was changed.", hint) from None


def read_values(task: Task, read: Read) -> SecretValues:
    """Read the values that the cluster does not have, or that are to replace those that it has.

    Args:
        task: What is asked for.
        read: Returns the values; gets the names of those that are needed, and which of them may stay as they are.

    Returns:
        The values that were given.

    Raises:
        InputError: A value is missing, or is not of its form.

    """
    kept = task.kept
    keepable: frozenset[ValueName] = frozenset()
    if task.only_secret:
        needed: tuple[ValueName, ...] = ("client_secret",)
    elif task.azure:
        needed, keepable = tuple(KEYS), frozenset(kept)
    else:
        needed = ("client_id", "client_secret")
        if set(needed) <= set(kept):
            return SecretValues()
    values = read(needed, keepable)
    missing = [name for name in needed if getattr(values, name) is None and name not in keepable]
    if missing:
        raise missing_values(missing)
    is_another = values.client_id is not None and (
        "client_id" not in kept or values.client_id.lower() != kept["client_id"].reveal().lower()
    )
    if is_another and values.client_secret is None:
        raise InputError(
            f"{KEYS['client_id']} differs from the one in the Secret '{task.context.settings.azure_secret_name}', "
            f"and the {KEYS['client_secret']} stored there belongs to the former one. Nothing was changed.",
            hint="Also give the client secret of the new application.",
            code="secret-values",
        )
    return values


def merged_values(task: Task, values: SecretValues) -> dict[ValueName, SecretValue]:
    """Return the values as they are to be: those that were given, and for the rest those that are there.

    Args:
        task: What is there.
        values: What was given.

    Returns:
        The values by name; those that are neither given nor as they should be are left out.

    """
    given: dict[ValueName, SecretValue | None] = {
        "client_id": SecretValue(values.client_id) if values.client_id is not None else None,
        "client_secret": values.client_secret,
        "tenant_id": SecretValue(values.tenant_id) if values.tenant_id is not None else None,
        "subscription_id": SecretValue(values.subscription_id) if values.subscription_id is not None else None,
    }
    return {**task.kept, **{name: value for name, value in given.items() if value is not None}}


def try_out(context: CheckContext, merged: Mapping[ValueName, SecretValue]) -> tuple[str, ...]:
    """Get a token with the new values.

    Args:
        context: The Azure cloud, and how long it may take.
        merged: The values as they are to be.

    Returns:
        What the user should know about that, in sentences; none where all is well.

    Raises:
        ServiceError: Entra ID does not accept them.

    """
    if not {"client_id", "client_secret", "tenant_id"} <= set(merged):
        return ("The client secret was not tested because the tenant is unknown.",)
    principal = ServicePrincipal(
        merged["client_id"].reveal(), merged["client_secret"], merged["tenant_id"].reveal(), None
    )
    try:
        choose_credential(
            "secret",
            secret=principal,
            environ=context.environ,
            cloud=context.cloud,
            timeout=context.timeout,
            deadline=context.deadline,
        ).token(context.cloud.arm_scope)
    except ServiceError as error:
        if isinstance(error, UnreachableError | ThrottledError) or (error.status or 0) >= _SERVER_ERROR:
            return (f"The client secret was not tested because Microsoft Entra ID did not answer ({error.code}).",)
        raise reworded(
            error,
            f"{error.message} Nothing was written.",
            f"{error.hint} A new client secret may need a minute: try again, or add --unverified to write it without "
            "a test.",
        ) from None
    return ()
