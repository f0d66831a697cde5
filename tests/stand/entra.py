"""A double for Microsoft Entra ID: client credentials by secret and by federated assertion, and the known refusals.

Sources: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (requests and answers),
https://learn.microsoft.com/entra/identity-platform/reference-error-codes (AADSTS numbers),
https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference (claims).
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import jwt

from tests.marked import MARK

from .web import json_answer

if TYPE_CHECKING:
    from .web import Answer, Request

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN_LEAVES = ("oauth2", "v2.0", "token")


@dataclass
class App:
    """An app registration with its service principal.

    Args:
        tenant: The tenant's GUID.
        oid: The service principal's object id, which roles are assigned to.
        secrets: Each client secret, and when it expires (seconds since 1970).
        federated: (issuer, subject, audience) of each federated credential.

    """

    tenant: str
    oid: str = field(default_factory=lambda: str(uuid.uuid4()))
    secrets: dict[str, float] = field(default_factory=dict, repr=False)
    federated: set[tuple[str, str, str]] = field(default_factory=set)


class Entra:
    """Answers as login.microsoftonline.com does.

    Args:
        issuer_key: The public key (PEM) behind federated assertions: the cluster's; None to refuse all.

    """

    def __init__(self, issuer_key: bytes | None = None) -> None:
        self.apps: dict[str, App] = {}
        self.lifetime = 3599
        self.issuer_key = issuer_key
        self.issued: dict[str, dict[str, Any]] = {}

    def register(self, tenant: str, client: str, secret: str | None = None, *, expires: float | None = None) -> App:
        """Register an app, or give it a further secret; `expires` is a year from now if None."""
        app = self.apps.setdefault(client, App(tenant))
        if secret is not None:
            app.secrets[secret] = time.time() + 365 * 86400 if expires is None else expires
        return app

    def token(self, client: str, audience: str) -> str:
        """Return an access token as Entra issues it; Azurite, the registry and the ARM double accept it.

        In place of a signature, which none of them checks, is a mark by which it is found in what is written.
        """
        app = self.apps[client]
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{app.tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime,
            "appid": client,
            "appidacr": "1",
            "idp": f"https://sts.windows.net/{app.tenant}/",
            "idtyp": "app",
            "oid": app.oid,
            "sub": app.oid,
            "tid": app.tenant,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
        }
        parts = [_encoded({"alg": "RS256", "kid": "stand", "typ": "JWT"}), _encoded(claims), MARK + uuid.uuid4().hex]
        token = ".".join(parts)
        self.issued[token] = claims
        return token

    def claims(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token that this double issued and that is still good; None otherwise."""
        claims = self.issued.get(token)
        return dict(claims) if claims is not None and claims["exp"] > time.time() else None

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        tenant, *leaves = request.path.strip("/").split("/")
        host = f"https://{request.host}"
        if (tenant, *leaves) == ("common", "discovery", "instance"):
            names = [request.host, "login.windows.net"]
            metadata = [{"preferred_network": request.host, "preferred_cache": request.host, "aliases": names}]
            discovery = f"{host}/common/v2.0/.well-known/openid-configuration"
            return json_answer(
                200, {"tenant_discovery_endpoint": discovery, "api-version": "1.1", "metadata": metadata}
            )
        if not any(app.tenant == tenant for app in self.apps.values()):
            text = (
                f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
                "the correct cloud. Check with your subscription administrator, this may happen if there are no active "
                "subscriptions for the tenant."
            )
            return refusal(400, "invalid_request", 90002, text)
        if leaves[-1] == "openid-configuration":
            content = {
                "token_endpoint": f"{host}/{tenant}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "jwks_uri": f"{host}/{tenant}/discovery/v2.0/keys",
                "issuer": f"{host}/{tenant}/v2.0",
                "authorization_endpoint": f"{host}/{tenant}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{host}/{tenant}/oauth2/v2.0/devicecode",
                "cloud_instance_name": "microsoftonline.com",
            }
            return json_answer(200, content)
        if tuple(leaves) == _TOKEN_LEAVES and request.method == "POST":
            return self._token_answer(tenant, request.form())
        return json_answer(404, {"error": "not_found"})

    def _token_answer(self, tenant: str, form: dict[str, str]) -> Answer:
        client, scope = form.get("client_id", ""), form.get("scope", "").split()
        if form.get("grant_type") != "client_credentials":
            text = f"The grant type '{form.get('grant_type')}' is not supported by the test stand."
            return refusal(400, "unsupported_grant_type", 70003, text)
        app = self.apps.get(client)
        if app is None or app.tenant != tenant:
            text = (
                f"Application with identifier '{client}' was not found in the directory 'Test stand'. This can happen "
                "if the application has not been installed by the administrator of the tenant or consented to by any "
                "user in the tenant. You may have sent your authentication request to the wrong tenant."
            )
            return refusal(400, "unauthorized_client", 700016, text)
        resources = [part for part in scope if part.endswith("/.default")]
        if not resources:
            text = (
                "The provided value for the input parameter 'scope' is not valid. "
                f"The scope {' '.join(scope)} is not valid. "
                "Client credential flows must have a scope value with /.default suffixed to the resource identifier."
            )
            return refusal(400, "invalid_scope", 1002012, text)
        refused = self._federated(app, form) if "client_assertion" in form else _by_secret(client, app, form)
        if refused is not None:
            return refused
        content = {
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "ext_expires_in": self.lifetime,
            "access_token": self.token(client, resources[0].removesuffix("/.default").rstrip("/")),
        }
        return json_answer(200, content, cache_control="no-store, no-cache", pragma="no-cache")

    def _federated(self, app: App, form: dict[str, str]) -> Answer | None:
        # https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust
        if form.get("client_assertion_type") != _ASSERTION or self.issuer_key is None:
            return refusal(400, "invalid_request", 50027, "JWT token is invalid or malformed.")
        try:
            options = {"verify_aud": False}
            claims = jwt.decode(form["client_assertion"], self.issuer_key, algorithms=["ES256"], options=options)  # type: ignore[arg-type]
        except jwt.ExpiredSignatureError:
            text = "Client assertion is not within its valid time range."
            return refusal(401, "invalid_client", 700024, text)
        except jwt.InvalidTokenError:
            return refusal(
                401,
                "invalid_client",
                700027,
                "The certificate with identifier used to sign the client assertion is not registered on application.",
            )
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if any((claims["iss"], claims["sub"], audience) in app.federated for audience in audiences):
            return None
        text = (
            f"No matching federated identity record found for presented assertion subject '{claims['sub']}'. Check "
            "your federated identity credential Subject, Audience and Issuer against the presented assertion."
        )
        return refusal(401, "invalid_client", 700213, text)


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _by_secret(client: str, app: App, form: dict[str, str]) -> Answer | None:
    expires = app.secrets.get(form.get("client_secret", ""))
    if expires is None:
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{client}'."
        )
        return refusal(401, "invalid_client", 7000215, text)
    if expires <= time.time():
        text = (
            f"The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new "
            "keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added "
            "security: https://aka.ms/certCreds."
        )
        return refusal(401, "invalid_client", 7000222, text)
    return None


def refusal(status: int, error: str, number: int, text: str) -> Answer:
    """Return the answer to a request for a token that is refused.

    Args:
        status: The HTTP status.
        error: OAuth's error code, such as `invalid_client`.
        number: The number after AADSTS.
        text: What it says.

    """
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    moment = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    traced = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {moment}"
    content = {
        "error": error,
        "error_description": f"AADSTS{number}: {text} {traced}",
        "error_codes": [number],
        "timestamp": moment,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }
    return json_answer(status, content)
