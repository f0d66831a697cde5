"""Prepares what a launch needs in the namespace: the two Secrets, and the service account that names one of them.

Everything is read, tried out at Microsoft Entra ID and checked by the API server before anything is written.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.azure.credentials import EXPIRES_ANNOTATION, secret_expiry
from fairing_az_jupyter.clients.kube.cluster import Cluster
from fairing_az_jupyter.clients.oci.auth.docker_config import SECRET_KEY, SECRET_TYPE, parse_docker_config, with_login
from fairing_az_jupyter.exceptions import (
    ConflictError,
    FairingAzureError,
    NotAllowedError,
    NotFoundError,
)
from fairing_az_jupyter.models import SecretState
from fairing_az_jupyter.setup.plan import (
    look,
    merged_values,
    read_secret,
    read_values,
    require,
    try_out,
)
from fairing_az_jupyter.setup.principal import KEYS
from fairing_az_jupyter.setup.writes import AccountWrite, SecretWrite, Stopped, Untouched, reworded, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairing_az_jupyter.clients.kube.objects.facts import StoredSecret
    from fairing_az_jupyter.clients.secret_values import SecretValue
    from fairing_az_jupyter.models import SecretChange
    from fairing_az_jupyter.preflight.context import CheckContext
    from fairing_az_jupyter.setup.plan import Read, Task
    from fairing_az_jupyter.setup.principal import SecretValues, ValueName
    from fairing_az_jupyter.setup.writes import Write

__all__ = ["attach_pull_secret", "create_secrets", "describe_secrets"]

_OPAQUE = "Opaque"
_EXPIRES = EXPIRES_ANNOTATION.rpartition("/")[2]


def create_secrets(
    context: CheckContext,
    *,
    azure: bool,
    acr: bool,
    only_secret: bool,
    read: Read,
    dry_run: bool,
    verify: bool,
    replace: bool,
) -> tuple[SecretChange, ...]:
    """Make the Secrets hold a service principal's values, and the service account name the pull secret.

    What others have put there stays: other keys, other registries' logins, other pull secrets. Safe to repeat.

    Args:
        context: Where, and under which names.
        azure: Whether to write the Secret with the service principal.
        acr: Whether to write the Secret with the registry's login, and to name it in the service account. Both are
            intended where neither is asked for.
        only_secret: Whether only the client secret is to be renewed, in those of the Secrets that exist.
        read: Returns the values; gets the names of those that are needed, and which of them may stay as they are. Not
            called where the Secret in the cluster has all that is needed.
        dry_run: Whether to stop after everything was tried out and checked.
        verify: Whether to try the values out at Microsoft Entra ID first.
        replace: Whether a Secret of another type, or an immutable one, may be deleted and made anew.

    Returns:
        What became of each object; the first one's note also has what the user should know about the values.

    Raises:
        SettingsError: A setting that is needed is missing or broken.
        InputError: A value is missing or not of its form.
        ServiceError: The cluster or Entra ID rejects the request. If something was written before, the message names
            it.
        Stopped: The user has stopped it; it tells what was written.

    """
    if not azure and not acr:
        azure = acr = True
    require(context, "azure_secret_name", "registry_secret_name", "service_account", "azure_cloud")
    if acr and not only_secret:
        require(context, "docker_registry")
    with _reporting_the_end(), _connected(context) as cluster, _adding_what_to_do():
        task = look(context, cluster, azure=azure, acr=acr, only_secret=only_secret)
        values = read_values(task, read)
        if acr:
            # It is written as a whole, and the user may have thought about the values for minutes.
            latest = read_secret(cluster, context.settings.registry_secret_name)
            task = dataclasses.replace(task, acrcreds=latest or task.acrcreds)
        merged = merged_values(task, values)
        notes = [*values.warnings, *(try_out(context, merged) if verify else ())]
        writes = tuple(_writes(task, values, merged))
        changes = [write.do(cluster, dry_run=True, replace=replace) for write in writes]
        if not dry_run:
            changes = write_all(writes, cluster, replace=replace)
    first, *others = changes
    return (dataclasses.replace(first, note=" ".join(filter(None, [first.note, *notes]))), *others)


def attach_pull_secret(context: CheckContext, *, dry_run: bool) -> tuple[SecretChange, ...]:
    """Let the service account's pods pull images with the registry's Secret; those that they have already stay.

    Args:
        context: Where, and under which names.
        dry_run: Whether the API server is only to check it.

    Returns:
        What became of the service account; its note says so if the Secret is of no use yet.

    Raises:
        SettingsError: A setting that is needed is broken.
        ServiceError: The cluster rejects the request.

    """
    require(context, "registry_secret_name", "service_account")
    settings = context.settings
    with _connected(context) as cluster, _adding_what_to_do():
        note = _pull_secret_note(cluster, settings.registry_secret_name)
        write = AccountWrite(settings.service_account, settings.registry_secret_name, note)
        return (write.do(cluster, dry_run=dry_run, replace=False),)


def describe_secrets(context: CheckContext) -> tuple[SecretState, ...]:
    """Tell what is there of both Secrets and the service account; never a value.

    Args:
        context: Where, and under which names.

    Returns:
        The state of the service principal's Secret, of the registry's Secret, and of the service account.

    Raises:
        SettingsError: A setting that is needed is broken.
        ServiceError: The cluster can't be asked.

    """
    require(context, "azure_secret_name", "registry_secret_name", "service_account")
    settings = context.settings
    with _connected(context) as cluster:
        return (
            _secret_state(cluster, settings.azure_secret_name),
            _secret_state(cluster, settings.registry_secret_name),
            _account_state(cluster, settings.service_account),
        )


def _connected(context: CheckContext) -> Cluster:
    return Cluster.connect(
        environ=context.environ,
        service_account_folder=context.service_account_folder,
        namespace=context.settings.namespace,
        timeout=context.timeout,
        deadline=context.deadline,
    )


@contextlib.contextmanager
def _reporting_the_end() -> Iterator[None]:
    """Tell who stops it before the first write that nothing has changed."""
    try:
        yield
    except Stopped:
        raise
    except KeyboardInterrupt:
        raise Stopped("Nothing was changed.") from None


@contextlib.contextmanager
def _adding_what_to_do() -> Iterator[None]:
    """Add to the cluster's rejections what can be done about them here."""
    try:
        yield
    except NotAllowedError as error:
        if error.service != "kubernetes" or error.code != "not-allowed":
            raise
        hint = f"An administrator can run the same command with their kubeconfig. {error.hint}"
        raise reworded(error, error.message, hint) from None
    except ConflictError as error:
        if error.code != "secret-fixed":
            raise
        hint = f"Add --replace to delete and recreate it. {error.hint}"
        raise reworded(error, error.message, hint) from None


def _writes(task: Task, values: SecretValues, merged: Mapping[ValueName, SecretValue]) -> Iterator[Write]:
    settings = task.context.settings
    if task.azure and not (task.only_secret and task.azcreds is None):
        names: tuple[ValueName, ...] = ("client_secret",) if task.only_secret else tuple(KEYS)
        wanted = {KEYS[name]: merged[name] for name in names}
        yield SecretWrite(
            settings.azure_secret_name, _OPAQUE, wanted, _differing(task.azcreds, wanted), _noted(task, values)
        )
    if not task.acr:
        return
    if task.only_secret:
        if task.acrcreds is not None:
            yield _renewed_login(task, task.acrcreds, merged)
        return
    yield _login_write(task, merged["client_id"].reveal(), merged["client_secret"])
    yield AccountWrite(settings.service_account, settings.registry_secret_name)


def _noted(task: Task, values: SecretValues) -> dict[str, str]:
    """Return the annotation that says when the client secret expires; empty where the one that is there still holds."""
    if values.expires is not None:
        return {_EXPIRES: values.expires.isoformat()}
    before = task.azcreds.data.get(KEYS["client_secret"]) if task.azcreds is not None else None
    return {} if values.client_secret in (None, before) else {_EXPIRES: ""}


def _login_write(task: Task, username: str, password: SecretValue) -> SecretWrite:
    before = task.acrcreds.data.get(SECRET_KEY) if task.acrcreds is not None else None
    wanted = {SECRET_KEY: with_login(before, task.host, username, password)}
    return SecretWrite(
        task.context.settings.registry_secret_name, SECRET_TYPE, wanted, _differing(task.acrcreds, wanted)
    )


def _renewed_login(task: Task, acrcreds: StoredSecret, merged: Mapping[ValueName, SecretValue]) -> Write:
    """Renew the registry's password, if it is that of the same service principal."""
    try:
        login = parse_docker_config(acrcreds.data.get(SECRET_KEY, "")).find(task.host)
    except FairingAzureError as error:
        return Untouched(acrcreds.name, f"Unchanged: {error.message} {error.hint}".strip())
    if "client_id" in merged and login.username.lower() != merged["client_id"].reveal().lower():
        return Untouched(acrcreds.name, f"Unchanged: its login to {task.host} belongs to another user.")
    return _login_write(task, login.username, merged["client_secret"])


def _differing(secret: StoredSecret | None, wanted: Mapping[str, SecretValue]) -> tuple[str, ...]:
    before = secret.data if secret is not None else {}
    return tuple(key for key, value in wanted.items() if before.get(key) != value)


def _pull_secret_note(cluster: Cluster, name: str) -> str:
    try:
        secret = cluster.read_secret(name)
    except NotFoundError:
        return f"Secret '{name}' does not exist yet: fairing-azure secrets create --acr creates it."
    except NotAllowedError:
        return f"No permission to check whether Secret '{name}' exists."
    if secret.type == SECRET_TYPE:
        return ""
    return f"Secret '{name}' has the type {secret.type}, which pods can't pull with: fairing-azure secrets create --acr"


def _secret_state(cluster: Cluster, name: str) -> SecretState:
    try:
        secret = cluster.read_secret(name)
    except NotFoundError:
        return SecretState("Secret", name, cluster.namespace, "missing")
    except NotAllowedError:
        return SecretState("Secret", name, cluster.namespace, "not-allowed")
    expires = secret_expiry({EXPIRES_ANNOTATION: secret.annotations.get(_EXPIRES, "")})
    return SecretState(
        "Secret",
        name,
        cluster.namespace,
        "present",
        type=secret.type,
        keys=tuple(sorted(secret.data)),
        created=secret.created.isoformat() if secret.created is not None else "",
        expires=secret.annotations[_EXPIRES].strip() if expires is not None else "",
    )


def _account_state(cluster: Cluster, name: str) -> SecretState:
    try:
        keys = cluster.pull_secrets(name)
    except NotFoundError:
        return SecretState("ServiceAccount", name, cluster.namespace, "missing")
    except NotAllowedError:
        return SecretState("ServiceAccount", name, cluster.namespace, "not-allowed")
    return SecretState("ServiceAccount", name, cluster.namespace, "present", keys=keys)
