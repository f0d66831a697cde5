"""Microsoft Entra ID: which credential is used, why the others are not, and what is wrong with it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from fairing_az_jupyter.clients.azure.clouds import CLOUDS, AzureCloud
from fairing_az_jupyter.clients.azure.service_principal import (
    EXPIRES_ANNOTATION,
    KeyProblem,
    ServicePrincipal,
    secret_expiry,
    secret_problems,
    service_principal,
    value_problem,
)
from fairing_az_jupyter.clients.azure.tokens import WHY, AzureCredential, ChosenCredential, Source, Token
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import CredentialError, FairingAzureError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from azure.core.credentials import TokenCredential

    from fairing_az_jupyter.clients.azure.calls import CheckedTransport

__all__ = [
    "EXPIRES_ANNOTATION",
    "KINDS",
    "AzureCredential",
    "ChosenCredential",
    "KeyProblem",
    "Kind",
    "ServicePrincipal",
    "Token",
    "choose_credential",
    "secret_expiry",
    "secret_problems",
    "service_principal",
]

Kind = Literal["auto", "secret", "workload-identity", "environment", "azure-cli"]

KINDS: tuple[Source, ...] = ("secret", "workload-identity", "environment", "azure-cli")
"""The credentials in the order in which `auto` tries them."""

_SHOWN: Mapping[Source, str] = {
    "secret": "the service principal of the Secret",
    "workload-identity": "workload identity",
    "environment": "the service principal of the AZURE_* variables",
    "azure-cli": "the Azure CLI",
}
_NEW_SECRET = {
    "secret": "type %fairing_azure secrets create --azure",
    "environment": "set AZURE_CLIENT_SECRET to it",
}
_FIXES: Mapping[Source, str] = {
    "secret": "Create the Secret: %fairing_azure secrets create --azure.",
    "workload-identity": (
        "Label the pod azure.workload.identity/use=true and annotate its ServiceAccount with "
        "azure.workload.identity/client-id; see https://azure.github.io/azure-workload-identity."
    ),
    "environment": "Set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET.",
    "azure-cli": "Type: az login",
}


@dataclass(frozen=True)
class _Surroundings:
    """What the choice depends on, and what every credential needs."""

    secret: ServicePrincipal | FairingAzureError | None
    # Not in the repr: it may hold secrets.
    environ: Mapping[str, str] = field(repr=False)
    cloud: AzureCloud
    authority: str
    ca_bundle: str | None
    timeout: float
    deadline: float
    reasons: list[tuple[str, str]] = field(default_factory=list)
    transports: list[CheckedTransport] = field(default_factory=list)

    def chosen(
        self,
        source: Source,
        make: Callable[[dict[str, Any]], TokenCredential],
        *,
        client_id: str | None = None,
        tenant_id: str | None = None,
        subscription_id: str | None = None,
    ) -> ChosenCredential:
        known = {"client_id": client_id, "tenant_id": tenant_id, "subscription": subscription_id, "assignee": client_id}
        names = {
            "shown": _SHOWN[source] + (f" ({client_id})" if client_id else ""),
            "source": _SHOWN[source],
            "cloud": self.cloud.name,
            "new_secret": _NEW_SECRET.get(source, _FIXES[source]),
            **{name: value for name, value in known.items() if value},
        }
        credential = AzureCredential(
            lambda: make(self.options()),
            host=urlsplit(self.authority).netloc,
            names=names,
            timeout=self.timeout,
            deadline=self.deadline,
            clock=lambda: self.transports[-1].clock_difference if self.transports else None,
        )
        return ChosenCredential(credential, source, tuple(self.reasons), subscription_id, client_id, tenant_id)

    def options(self) -> dict[str, Any]:
        from fairing_az_jupyter.clients.azure.calls import CheckedTransport  # noqa: PLC0415 - heavy

        self.transports.append(CheckedTransport(timeout=self.timeout, ca_bundle=self.ca_bundle, strict=True))
        return {
            "authority": self.authority,
            # The authority is one of ours or set on purpose; asking the public cloud about it fails behind a firewall.
            "disable_instance_discovery": True,
            "retry_total": 0,
            "transport": self.transports[-1],
        }


class _NotApplicableError(Exception):
    """A credential does not apply here; the text says why."""


def choose_credential(
    kind: Kind,
    *,
    secret: ServicePrincipal | FairingAzureError | None = None,
    environ: Mapping[str, str],
    cloud: AzureCloud | None = None,
    authority: str | None = None,
    ca_bundle: str | None = None,
    timeout: float = 5.0,
    deadline: float = 12.0,
) -> ChosenCredential:
    """Choose how Azure is asked for access; asks nobody yet.

    Args:
        kind: Which one; `auto` takes the first of `KINDS` that applies.
        secret: What the Secret in the cluster holds (`service_principal`), the error why that can't be read, or None
            where there is no cluster.
        environ: The environment's variables.
        cloud: The Azure cloud; the public one if None.
        authority: Entra ID's URL, if neither the cloud's nor AZURE_AUTHORITY_HOST's. The latter is passed over where it
            is another cloud's.
        ca_bundle: A file with the certificate authorities to trust; None for those of `requests`.
        timeout: Seconds for one attempt to get a token.
        deadline: Seconds for all attempts to get one.

    Returns:
        The credential.

    Raises:
        FairingAzureError: It does not apply, or none of them does; each one's reason is reported. Where the Secret
            alone was asked for and could not be read, that error.

    """
    cloud = cloud or CLOUDS["AzurePublicCloud"]
    around = _Surroundings(
        secret, environ, cloud, authority or _authority(environ, cloud), ca_bundle, timeout, deadline
    )
    if kind != "auto":
        try:
            return _WAYS[kind](around)
        except _NotApplicableError as unfit:
            if kind == "secret" and isinstance(secret, FairingAzureError):
                raise secret from None
            reason = str(unfit)
        raise CredentialError(
            f"Can't use {_SHOWN[kind]} (the setting credential is {kind!r}): {reason}. {WHY}",
            hint=_FIXES[kind],
            code="no-credential",
            service="entra",
        )
    for source in KINDS:
        try:
            return _WAYS[source](around)
        except _NotApplicableError as unfit:  # noqa: PERF203 - four turns
            around.reasons.append((source, str(unfit)))
    tried = "; ".join(f"{source}: {reason}" for source, reason in around.reasons)
    raise CredentialError(
        f"No credential for Azure found. {WHY} Tried: {tried}.",
        hint="In a cluster: %fairing_azure secrets create --azure. On your own machine: az login.",
        code="no-credential",
        service="entra",
    )


def _from_secret(around: _Surroundings) -> ChosenCredential:
    principal = around.secret
    if principal is None:
        raise _NotApplicableError("no cluster whose Secret could be read")
    if isinstance(principal, FairingAzureError):
        raise _NotApplicableError(principal.message.strip().rstrip("."))
    return around.chosen(
        "secret",
        lambda options: _client_secret(principal.tenant_id, principal.client_id, principal.client_secret, options),
        client_id=principal.client_id,
        tenant_id=principal.tenant_id,
        subscription_id=principal.subscription_id,
    )


def _from_workload_identity(around: _Surroundings) -> ChosenCredential:
    client_id, tenant_id, file = _variables(
        around.environ, "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"
    )
    try:
        token = Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise _NotApplicableError(f"AZURE_FEDERATED_TOKEN_FILE names {file!r}, which can't be read: {reason}") from None
    if not token.strip():
        raise _NotApplicableError(f"AZURE_FEDERATED_TOKEN_FILE names {file!r}, which is empty")

    def make(options: dict[str, Any]) -> TokenCredential:
        from azure.identity import WorkloadIdentityCredential  # noqa: PLC0415 - heavy

        return WorkloadIdentityCredential(tenant_id=tenant_id, client_id=client_id, token_file_path=file, **options)

    return around.chosen(
        "workload-identity", make, client_id=client_id, tenant_id=tenant_id, subscription_id=_subscription(around)
    )


def _from_environment(around: _Surroundings) -> ChosenCredential:
    client_id, tenant_id = _variables(around.environ, "AZURE_CLIENT_ID", "AZURE_TENANT_ID")
    secret = around.environ.get("AZURE_CLIENT_SECRET", "")
    certificate = around.environ.get("AZURE_CLIENT_CERTIFICATE_PATH", "")
    if not secret and not certificate:
        raise _NotApplicableError("neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set")
    if secret:
        problem = value_problem("AZURE_CLIENT_SECRET", secret)
        if problem:
            raise _NotApplicableError(f"AZURE_CLIENT_SECRET {problem}")
        held = SecretValue(secret)
        make: Callable[[dict[str, Any]], TokenCredential] = lambda options: _client_secret(  # noqa: E731
            tenant_id, client_id, held, options
        )
    else:
        password = SecretValue(around.environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD", ""))
        make = lambda options: _certificate(tenant_id, client_id, certificate, password, options)  # noqa: E731
    return around.chosen(
        "environment", make, client_id=client_id, tenant_id=tenant_id, subscription_id=_subscription(around)
    )


def _from_azure_cli(around: _Surroundings) -> ChosenCredential:
    if not (shutil.which("az", path=around.environ.get("PATH", ""))):
        raise _NotApplicableError("the Azure CLI (az) is not installed")
    home = around.environ.get("HOME") or around.environ.get("USERPROFILE") or "~"
    folder = Path(around.environ.get("AZURE_CONFIG_DIR") or Path(home).expanduser() / ".azure")
    try:
        # Written with a byte order mark by some versions.
        profile = json.loads((folder / "azureProfile.json").read_text(encoding="utf-8-sig"))
        logins = [each for each in profile["subscriptions"] if isinstance(each, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        logins = []
    if not logins:
        raise _NotApplicableError("the Azure CLI (az) is not logged in")
    current = next((each for each in logins if each.get("isDefault")), logins[0])
    subscription, tenant = (str(current.get(key) or "") or None for key in ("id", "tenantId"))

    def make(_options: dict[str, Any]) -> TokenCredential:
        from azure.identity import AzureCliCredential  # noqa: PLC0415 - heavy

        return AzureCliCredential(process_timeout=max(1, int(around.deadline)))

    return around.chosen(
        "azure-cli", make, tenant_id=tenant, subscription_id=around.environ.get("AZURE_SUBSCRIPTION_ID") or subscription
    )


_WAYS: Mapping[Source, Callable[[_Surroundings], ChosenCredential]] = {
    "secret": _from_secret,
    "workload-identity": _from_workload_identity,
    "environment": _from_environment,
    "azure-cli": _from_azure_cli,
}


def _client_secret(tenant_id: str, client_id: str, secret: SecretValue, options: dict[str, Any]) -> TokenCredential:
    from azure.identity import ClientSecretCredential  # noqa: PLC0415 - heavy

    return ClientSecretCredential(tenant_id, client_id, secret.reveal(), **options)


def _certificate(
    tenant_id: str, client_id: str, path: str, password: SecretValue, options: dict[str, Any]
) -> TokenCredential:
    from azure.identity import CertificateCredential  # noqa: PLC0415 - heavy

    try:
        return CertificateCredential(tenant_id, client_id, path, password=password.reveal() or None, **options)
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "it holds no certificate with its key, or the password is wrong"
    raise CredentialError(
        f"Can't use the certificate {path!r} that AZURE_CLIENT_CERTIFICATE_PATH names: {reason}. {WHY}",
        hint=(
            "Set it to a PEM or PKCS#12 file with certificate and key; its password is "
            "AZURE_CLIENT_CERTIFICATE_PASSWORD."
        ),
        code="wrong-certificate",
        service="entra",
    )


def _variables(environ: Mapping[str, str], *names: str) -> tuple[str, ...]:
    missing = [name for name in names if not environ.get(name)]
    if missing:
        raise _NotApplicableError(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set")
    for name in names:
        problem = value_problem(name, environ[name])
        if problem:
            raise _NotApplicableError(f"{name} {problem}")
    return tuple(environ[name] for name in names)


def _subscription(around: _Surroundings) -> str | None:
    text = around.environ.get("AZURE_SUBSCRIPTION_ID", "")
    return text if text and not value_problem("AZURE_SUBSCRIPTION_ID", text) else None


def _authority(environ: Mapping[str, str], cloud: AzureCloud) -> str:
    named = environ.get("AZURE_AUTHORITY_HOST", "").strip().rstrip("/")
    if not named:
        return cloud.authority
    url = named if "://" in named else f"https://{named}"
    others = {each.authority for each in CLOUDS.values()} - {cloud.authority}
    return cloud.authority if url.lower() in others else url
