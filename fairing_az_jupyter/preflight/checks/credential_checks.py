"""Who asks Azure: the Secret with the service principal, what is in it, and whether it gets a token."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.azure.credentials import choose_credential, secret_expiry, service_principal
from fairing_az_jupyter.clients.azure.service_principal import EXPIRES_NOTE, SECRET_KEYS, value_problem
from fairing_az_jupyter.exceptions import CredentialError, FairingAzureError, NotAllowedError, NotFoundError
from fairing_az_jupyter.preflight.fix_commands import az, kubectl, ours, text
from fairing_az_jupyter.preflight.runner import Check, Finding, from_error
from fairing_az_jupyter.preflight.storage_place import with_fixes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.azure.credentials import ChosenCredential, ServicePrincipal
    from fairing_az_jupyter.clients.kube.objects.facts import StoredSecret
    from fairing_az_jupyter.models import Fix
    from fairing_az_jupyter.preflight.context import CheckContext

__all__ = ["checks", "expiry_finding"]

SOON_DAYS = 30
"""How many days before a client secret expires it is warned of: long enough to ask somebody for a new one."""

_SECONDS_A_DAY = 86400
_SHOWN = {
    "secret": "the service principal of the Secret",
    "workload-identity": "workload identity",
    "environment": "the service principal of the AZURE_* variables",
    "azure-cli": "the Azure CLI's login",
}
_ENTRA = "Microsoft Entra ID"


def checks(context: CheckContext) -> list[Check]:
    """Return the checks of the Azure credential.

    Args:
        context: What is checked.

    Returns:
        The checks `azure.secret`, `azure.secret-keys`, `azure.token` and `azure.secret-expiry`.

    """
    secret = _secret_name(context, context.settings.namespace)
    return [
        Check(
            id="azure.secret",
            title="Secret with the service principal",
            why="A launch reads from it how to sign in to Azure.",
            looks_at=secret,
            run=partial(_secret, context),
            needs=("cluster",) if _wants_secret(context) else (),
        ),
        Check(
            id="azure.secret-keys",
            title="Values of the service principal",
            why="A missing or mistyped value is rejected by Azure with a message that does not name it.",
            looks_at=secret,
            run=partial(_secret_keys, context),
            needs=("azure.secret",),
        ),
        Check(
            id="azure.token",
            title="Sign-in to Azure",
            why="Without a token, nothing in Azure can be used.",
            looks_at=_ENTRA,
            run=partial(_token, context),
            needs=("azure.secret-keys",),
        ),
        Check(
            id="azure.secret-expiry",
            title="Expiry of the client secret",
            why="Once it has expired, neither Azure nor the registry accepts it.",
            looks_at=secret,
            run=partial(_secret_expiry, context),
            needs=("azure.secret", "azure.token"),
        ),
    ]


def expiry_finding(expires: datetime, now: datetime, looks_at: str, fixes: tuple[Fix, ...] = ()) -> Finding:
    """Tell what the noted expiry of a client secret that still works means.

    Args:
        expires: When it expires, as it was noted; with a time zone.
        now: The present moment; with a time zone.
        looks_at: What was looked at.
        fixes: How to get a new one.

    Returns:
        The finding; a warning if it is soon, or noted as over.

    """
    left = (expires - now).total_seconds() / _SECONDS_A_DAY
    date = f"{expires:%Y-%m-%d}"
    if left <= 0:
        message = (
            f"Its note says that the client secret expired on {date}, but it was just accepted: the note is about "
            "another secret."
        )
        return Finding("warn", looks_at, message, fixes, fixable=True, code="expiry-past")
    if left < SOON_DAYS:
        when = {0: "in less than a day", 1: "in 1 day"}.get(int(left), f"in {int(left)} days")
        message = f"The client secret expires {when}, on {date}."
        return Finding("warn", looks_at, message, fixes, fixable=True, code="expires-soon")
    return Finding("pass", looks_at, f"The client secret is valid until {date}, according to its note.")


def _wants_secret(context: CheckContext) -> bool:
    return context.settings.credential in {"auto", "secret"}


def _secret_name(context: CheckContext, namespace: str | None) -> str:
    return f"Secret {context.settings.azure_secret_name}" + (f" in namespace {namespace}" if namespace else "")


def _secret(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    kind, name = context.settings.credential, context.settings.azure_secret_name
    blocked = context.unusable("credential", "azure_secret_name", looks_at=f"Secret {name}")
    if blocked:
        return blocked
    if not _wants_secret(context):
        return Finding("pass", f"Secret {name}", f"It is not needed: the setting credential is '{kind}'.")
    cluster = given["cluster"].value
    looks_at = _secret_name(context, cluster.namespace)
    try:
        stored = cluster.read_secret(name)
    except (NotFoundError, NotAllowedError) as error:
        if isinstance(error, NotFoundError) and error.code != NotFoundError.code:
            raise
        return _another(context, error, looks_at) or _without_secret(context, error, looks_at, cluster.namespace)
    return Finding("pass", looks_at, f"It exists, with the keys {_listed(stored)}.", value=stored)


def _listed(stored: StoredSecret) -> str:
    """Name the keys that are looked for; somebody may have taken a value for the name of another."""
    return ", ".join(key for key in SECRET_KEYS if key in stored.data) or "of something else"


def _another(context: CheckContext, error: FairingAzureError, looks_at: str) -> Finding | None:
    """Tell which other credential is used where the setting leaves the choice; None where there is none."""
    if context.settings.credential != "auto":
        return None
    try:
        chosen = _choose(context, error)
    except FairingAzureError:
        return None
    state = "may not be read" if isinstance(error, NotAllowedError) else "does not exist"
    passed_over = "; ".join(f"{source}: {why}" for source, why in chosen.reasons if source != "secret")
    message = f"It {state}, but is not needed: {_described(chosen)} is used" + (
        f" ({passed_over})." if passed_over else "."
    )
    return Finding("pass", looks_at, message)


def _without_secret(context: CheckContext, error: FairingAzureError, looks_at: str, namespace: str) -> Finding:
    if isinstance(error, NotAllowedError):
        return from_error(error, looks_at)
    settings = context.settings
    group = settings.azure_resource_group or "RESOURCE_GROUP"
    named = context.environ.get("AZURE_SUBSCRIPTION_ID", "")
    subscription = "SUBSCRIPTION_ID" if value_problem("AZURE_SUBSCRIPTION_ID", named) else named
    scope = f"/subscriptions/{subscription}/resourceGroups/{group}"
    role = ("--role", "Storage Account Contributor", "--scopes", scope)
    file = f"{settings.azure_secret_name}.env"
    create = ("create", "secret", "generic", settings.azure_secret_name, "-n", namespace, f"--from-env-file={file}")
    fixes = (
        ours("secrets", "create", "--azure"),
        kubectl(*create),
        az("ad", "sp", "create-for-rbac", "--name", f"fairing-{namespace}", *role),
        text(f"{file} has a line KEY=value for each of {', '.join(SECRET_KEYS)}; remove it afterwards."),
    )
    return dataclasses.replace(from_error(error, looks_at, fixable=True), fixes=fixes)


def _secret_keys(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    found = given["azure.secret"]
    stored: StoredSecret | None = found.value
    if stored is None:
        return Finding("pass", found.looked_at, "No Secret is used.")
    try:
        principal = service_principal(stored.data, secret_name=context.settings.azure_secret_name)
    except CredentialError as error:
        fixes = (ours("secrets", "create", "--azure"),)
        return dataclasses.replace(from_error(error, found.looked_at, fixable=True), fixes=fixes)
    return Finding("pass", found.looked_at, "Its four values are well-formed.", value=principal)


def _token(context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    blocked = context.unusable("credential", "azure_cloud", looks_at=_ENTRA)
    if blocked:
        return blocked
    try:
        chosen = _choose(context, given["azure.secret-keys"].value)
    except CredentialError as error:
        return with_fixes(from_error(error, _ENTRA), _azure_cli(context))
    try:
        chosen.token(context.cloud.arm_scope)
    except CredentialError as error:
        return _rejected(context, chosen, error)
    return Finding("pass", _ENTRA, f"It returned a token for {_described(chosen)}.", value=chosen)


def _azure_cli(context: CheckContext) -> tuple[Fix, ...]:
    """Return how the Azure CLI is made to give tokens; nothing where it is not what is used."""
    if context.settings.credential != "azure-cli":
        return ()
    install = text("Install the Azure CLI: https://learn.microsoft.com/cli/azure/install-azure-cli")
    there = shutil.which("az", path=context.environ.get("PATH", ""))
    return (az("login"),) if there else (install, az("login"))


def _rejected(context: CheckContext, chosen: ChosenCredential, error: CredentialError) -> Finding:
    client, by_secret = chosen.client_id or "CLIENT_ID", chosen.source == "secret"
    renew = az("ad", "app", "credential", "reset", "--id", client, "--append")
    show = az("ad", "sp", "show", "--id", client)
    tenant = az("account", "show", "--query", "tenantId")
    by_code: Mapping[str, tuple[Fix, ...]] = {
        "wrong-secret": (renew,),
        "expired-secret": (renew,),
        "unknown-application": (show, tenant),
        "unknown-tenant": (tenant,),
        "application-disabled": (az("ad", "sp", "update", "--id", client, "--set", "accountEnabled=true"),),
        "not-federated": (az("ad", "app", "federated-credential", "list", "--id", client),),
        "azure-cli-login": (az("login", *(("--tenant", chosen.tenant_id) if chosen.tenant_id else ())),),
        "no-token": (az("login"),) if chosen.source == "azure-cli" else (),
        "wrong-cloud": (az("cloud", "show", "--query", "name"),),
    }
    ours_by_code: Mapping[str, Fix] = {
        "wrong-secret": ours("secrets", "rotate"),
        "expired-secret": ours("secrets", "rotate"),
        "unknown-application": ours("secrets", "create", "--azure"),
        "unknown-tenant": ours("secrets", "create", "--azure"),
    }
    fixes = by_code.get(error.code, ())
    if not by_secret or error.code not in ours_by_code:
        return from_error(error, _ENTRA, fixes)
    reported = {
        "wrong-secret": "The value of a client secret is needed, not its ID; the az command prints a new one.",
        "expired-secret": "The az command prints a new client secret; rotate asks for it.",
        "unknown-tenant": f"The setting azure_cloud is {context.cloud.name}: a tenant is in one Azure cloud only.",
        "unknown-application": "The client id or the tenant id is wrong, or the tenant is in another Azure cloud.",
    }
    advice = (text(reported[error.code]),) if error.code in reported else ()
    found = from_error(error, _ENTRA, fixable=True)
    # The error's hint names one of our commands as well, which would be one too many.
    return dataclasses.replace(found, fixes=(ours_by_code[error.code], *fixes, *advice))


def _secret_expiry(_context: CheckContext, given: Mapping[str, Finding]) -> Finding:
    found = given["azure.secret"]
    stored: StoredSecret | None = found.value
    if stored is None:
        return Finding("skipped", found.looked_at, "Skipped: no Secret is used.")
    chosen: ChosenCredential = given["azure.token"].value
    renew = (
        ours("secrets", "rotate"),
        az("ad", "app", "credential", "reset", "--id", chosen.client_id or "CLIENT_ID", "--append"),
    )
    if not stored.annotations.get(EXPIRES_NOTE, "").strip():
        message = (
            "The expiry of the client secret is not recorded; secrets rotate and secrets create --expires record it."
        )
        return Finding("skipped", found.looked_at, message)
    expires = secret_expiry(stored.annotations)
    if expires is None:
        message = f"Its annotation fairing-az-jupyter/{EXPIRES_NOTE} is not a date such as 2027-03-01."
        return Finding("warn", found.looked_at, message, renew[:1], fixable=True, code="expiry-unreadable")
    return expiry_finding(expires, datetime.now(timezone.utc), found.looked_at, renew)


def _choose(context: CheckContext, secret: ServicePrincipal | FairingAzureError | None) -> ChosenCredential:
    return choose_credential(
        context.settings.credential,
        secret=secret,
        environ=context.environ,
        cloud=context.cloud,
        timeout=context.timeout,
        deadline=context.deadline,
    )


def _described(chosen: ChosenCredential) -> str:
    return _SHOWN[chosen.source] + (f" (client id {chosen.client_id})" if chosen.client_id else "")
