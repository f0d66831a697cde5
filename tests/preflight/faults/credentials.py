"""What can be wrong with Secret `azcreds` and with signing in to Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .fault import Make, fault

if TYPE_CHECKING:
    from tests.preflight.scene import Scene


def _entra_secret(secret: str, **known: Any) -> Make:
    """Put another client secret into `azcreds` only; Entra may know it."""

    def make(scene: Scene) -> None:
        if known:
            scene.stand.entra.register(scene.setup.tenant, scene.setup.client, secret, **known)
        scene.azcreds(AZ_CLIENT_SECRET=secret)

    return make


def _expired(scene: Scene) -> None:
    scene.stand.entra.apps[scene.setup.client].secrets[scene.setup.secret] = 1.0


def _expires(days: int) -> Make:
    def make(scene: Scene) -> None:
        from datetime import datetime, timedelta, timezone

        day = (datetime.now(timezone.utc) + timedelta(days=days)).date().isoformat()
        scene.api("PATCH", "secrets/azcreds", {"metadata": {"annotations": {"fairing-az-jupyter/expires": day}}})

    return make


def _skewed(scene: Scene) -> None:
    scene.stand.entra_front.skew(-3600)


_SECRETS = r"/secrets/azcreds$"

FAULTS = [
    fault(
        "azure.secret",
        "azcreds is missing",
        "Secret `azcreds` does not exist",
        "fairing-azure secrets create --azure",
        lambda scene: scene.api("DELETE", "secrets/azcreds"),
    ),
    fault(
        "azure.secret",
        "azcreds may not be read",
        "who asks may not read Secret `azcreds`; it may well be there",
        "kubectl -n {namespace} create rolebinding default-editor-edit --clusterrole=kubeflow-edit",
        lambda scene: scene.stand.kubernetes_front.refuse(403, path=_SECRETS),
        status="unknown",
    ),
    fault(
        "azure.secret",
        "the API server throttles",
        "there are too many requests, also after waiting as long as Retry-After says",
        "Try again in a minute",
        lambda scene: scene.stand.kubernetes_front.throttle(1, path=_SECRETS),
        status="unknown",
    ),
    fault(
        "azure.secret-keys",
        "a key has a wrong name",
        "a key of `azcreds` has another name than Fairing looks for",
        "fairing-azure secrets create --azure",
        lambda scene: scene.azcreds(AZ_CLIENT_SECRET=None, AZURE_CLIENT_SECRET=scene.setup.secret),
    ),
    fault(
        "azure.secret-keys",
        "a value is empty",
        "a value in `azcreds` is empty",
        "fairing-azure secrets create --azure",
        lambda scene: scene.azcreds(AZ_TENANT_ID=""),
    ),
    fault(
        "azure.secret-keys",
        "a value is not a GUID",
        "an id in `azcreds` is not a GUID, for example a name",
        "fairing-azure secrets create --azure",
        lambda scene: scene.azcreds(AZ_SUBSCRIPTION_ID="Pay-As-You-Go"),
    ),
    fault(
        "azure.secret-keys",
        "a value ends with a line break",
        "a value in `azcreds` ends with a line break (`echo` adds one)",
        "fairing-azure secrets create --azure",
        lambda scene: scene.azcreds(AZ_CLIENT_SECRET=f"{scene.setup.secret}\n"),
    ),
    fault(
        "azure.token",
        "the client secret has expired",
        "the client secret has expired, in both Secrets",
        "fairing-azure secrets rotate",
        _expired,
        code="expired-secret",
    ),
    fault(
        "azure.token",
        "the client secret is wrong",
        "the client secret in `azcreds` is not that of the service principal",
        "az ad app credential reset --id {client}",
        _entra_secret("another"),
        code="wrong-secret",
    ),
    fault(
        "azure.token",
        "the client secret in azcreds has expired",
        "the client secret in `azcreds` has expired, while `acrcreds` has a newer one",
        "fairing-azure secrets rotate",
        _entra_secret("MARK-of-last-year", expires=1.0),
        code="expired-secret",
    ),
    fault(
        "azure.token",
        "the application is unknown",
        "there is no such application in the tenant",
        "fairing-azure secrets create --azure",
        lambda scene: scene.azcreds(AZ_CLIENT_ID="00000000-0000-0000-0000-00000000000a"),
        code="unknown-application",
    ),
    fault(
        "azure.token",
        "the tenant is unknown",
        "there is no such tenant in this Azure cloud",
        "az account show --query tenantId",
        lambda scene: scene.azcreds(AZ_TENANT_ID="00000000-0000-0000-0000-00000000000b"),
        code="unknown-tenant",
    ),
    fault(
        "azure.token",
        "Entra's certificate is untrusted",
        "a proxy opens TLS, and its authority is not trusted here",
        "set REQUESTS_CA_BUNDLE to a file with its certificate authority",
        lambda scene: scene.stand.entra_front.certificate("untrusted"),
        code="untrusted-certificate",
    ),
    fault(
        "azure.token",
        "a proxy answers for Entra",
        "a proxy's page comes in place of Microsoft Entra ID's answer",
        "Check the proxy (HTTPS_PROXY)",
        lambda scene: scene.stand.entra_front.proxy_page(),
        code="not-the-service",
    ),
    fault(
        "azure.token",
        "Entra drops connections",
        "something between here and Microsoft Entra ID cuts connections off",
        "Check the network",
        lambda scene: scene.stand.entra_front.drop(),
    ),
    fault(
        "azure.token",
        "Entra throttles",
        "Microsoft Entra ID gets too many requests",
        "Try again in a minute",
        lambda scene: scene.stand.entra_front.throttle(1),
        status="unknown",
    ),
    fault(
        "azure.clock",
        "the clock is wrong",
        "this machine's clock (on AKS: the node's) is more than five minutes wrong",
        "Correct the clock",
        _skewed,
        code="clock-skew",
    ),
    fault(
        "azure.secret-expiry",
        "the client secret expires soon",
        "the client secret expires within 30 days",
        "fairing-azure secrets rotate",
        _expires(10),
        status="warn",
        code="expires-soon",
    ),
]
