"""How Azure Container Registry signs in: the exchange, the tokens, and whom it gives which rights.

Sources: https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md (challenge, exchange, POST /oauth2/token, claims),
https://github.com/Azure/acr/blob/main/docs/Token-BasicAuth.md (GET /oauth2/token),
https://learn.microsoft.com/rest/api/containerregistry/access-tokens/get (several scopes in one request),
https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview (roles, ABAC mode).
What a principal may do follows from its roles in the Resource Manager double.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from . import refusals
from .web import json_answer

if TYPE_CHECKING:
    from .arm import Arm
    from .entra import Entra
    from .web import Answer, Request

Access = list[dict[str, Any]]
Behind = Callable[["Request", "Access | None"], "Answer"]

ISSUER = "Azure Container Registry"
_NULL_GUID = "00000000-0000-0000-0000-000000000000"
_KIND = "Microsoft.ContainerRegistry/registries"
_AUDIENCES = (
    "https://management.azure.com",
    "https://containerregistry.azure.net",
    "https://management.core.windows.net",
)
_NEEDS = {
    "pull": (f"{_KIND}/pull/read", f"{_KIND}/repositories/content/read"),
    "push": (f"{_KIND}/push/write", f"{_KIND}/repositories/content/write"),
    "delete": (f"{_KIND}/artifacts/delete", f"{_KIND}/repositories/content/delete"),
}
_REPOSITORY = re.compile(r"/v2/(?P<name>.+?)/(?:manifests|blobs|tags|referrers)/")
_UNAUTHORIZED = "authentication required, visit https://aka.ms/acr/authorization for more information."


class AcrLogin:
    """What stands before a registry: it signs in, and tells the registry what who asks may do.

    Args:
        entra: Knows the principals.
        arm: Knows the registries, and who has which role.
        behind: Answers requests below /v2/, with the access of who asks; None for nobody.
        login_server: The registry that it is for, whatever it is called; by default the host tells that.

    """

    def __init__(self, entra: Entra, arm: Arm, behind: Behind, login_server: str | None = None) -> None:
        self.entra = entra
        self.arm = arm
        self.behind = behind
        self.lifetime = 4500
        self._login_server = login_server
        self._other_names: dict[str, str] = {}
        self._keys = {grant: ec.generate_private_key(ec.SECP256R1()) for grant in ("refresh_token", "access_token")}

    def __call__(self, request: Request) -> Answer:
        """Answer one request."""
        name = self._login_server or self._other_names.get(request.host, request.host)
        registry = self.arm.find(_KIND, name.partition(".")[0])
        if registry is None:
            return refusals.registry(404, request, "NAME_UNKNOWN", f"{request.host} is no registry of the test stand")
        if request.path == "/oauth2/exchange" and request.method == "POST":
            return self._exchange(request, registry)
        if request.path == "/oauth2/token":
            return self._token(request, registry)
        if request.path.startswith("/v2/"):
            return self.behind(request, self._access_of(request, registry))
        return json_answer(404, {"errors": [{"code": "NOT_FOUND", "message": "page not found"}]})

    def also_at(self, host: str, login_server: str) -> None:
        """Answer for a login server under another name, too: an address, for programs without the stand's names."""
        self._other_names[host] = login_server

    def revoke(self) -> None:
        """Take no access token any more that was given until now, as when all of them have expired."""
        self._keys["access_token"] = ec.generate_private_key(ec.SECP256R1())

    def _exchange(self, request: Request, registry: dict[str, Any]) -> Answer:
        form = request.form()
        if form.get("grant_type") != "access_token" or form.get("service") != request.host:
            return _refuse(request, 400, "UNSUPPORTED", "grant_type must be access_token, service the login server")
        claims = self.entra.claims(form.get("access_token", ""))
        if claims is None or str(claims["aud"]).rstrip("/") not in _AUDIENCES:
            return _refuse(request, 401, "UNAUTHORIZED", _UNAUTHORIZED)
        if form.get("tenant") not in {None, claims["tid"]} or not self._rights(claims["oid"], registry):
            return _refuse(request, 401, "UNAUTHORIZED", _UNAUTHORIZED)
        return json_answer(200, {"refresh_token": self._mint(request.host, claims["oid"], "refresh_token")})

    def _token(self, request: Request, registry: dict[str, Any]) -> Answer:
        oid = self._basic(request) if request.method == "GET" else self._granted(request, request.form())
        if oid is None or not self._rights(oid, registry):
            return _refuse(request, 401, "UNAUTHORIZED", _UNAUTHORIZED)
        access = self._access(oid, registry, " ".join(request.values("scope")).split())
        return json_answer(200, {"access_token": self._mint(request.host, oid, "access_token", access)})

    def _granted(self, request: Request, form: dict[str, str]) -> str | None:
        if form.get("grant_type") == "refresh_token":
            return self._subject(request, form.get("refresh_token", ""))
        if form.get("grant_type") == "password":
            return self._principal(request, form.get("username", ""), form.get("password", ""))
        return None

    def _basic(self, request: Request) -> str | None:
        return self._principal(request, *request.basic) if request.basic is not None else None

    def _principal(self, request: Request, user: str, password: str) -> str | None:
        if user == _NULL_GUID:
            return self._subject(request, password)
        app = self.entra.apps.get(user)
        return app.oid if app is not None and app.secrets.get(password, 0) > time.time() else None

    def _subject(self, request: Request, token: str) -> str | None:
        claims = self._claims(request, token, "refresh_token")
        return claims["sub"] if claims is not None else None

    def _claims(self, request: Request, token: str, grant: str) -> dict[str, Any] | None:
        key = self._keys[grant].public_key()
        try:
            return dict(jwt.decode(token, key, ["ES256"], audience=request.host, issuer=ISSUER))
        except jwt.InvalidTokenError:
            return None

    def _access_of(self, request: Request, registry: dict[str, Any]) -> Access | None:
        if request.bearer is not None:
            claims = self._claims(request, request.bearer, "access_token")
            return claims.get("access", []) if claims is not None else None
        oid = self._basic(request)
        if oid is None or not self._rights(oid, registry):
            return None
        return self._access(oid, registry, _scopes_of(request))

    def _access(self, oid: str, registry: dict[str, Any], scopes: list[str]) -> list[dict[str, Any]]:
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            rights = self._rights(oid, registry)
            wanted = set(_NEEDS) | {"*"} if actions == "*" else set(actions.split(","))
            granted = ({"*"} if "pull" in rights else set()) if kind == "registry" else wanted & rights
            access.append({"type": kind, "name": name, "actions": sorted(granted)})
        return access

    def _rights(self, oid: str, registry: dict[str, Any]) -> set[str]:
        # A registry in ABAC mode ignores AcrPush and AcrPull; the others ignore the repository roles.
        abac = registry["properties"]["roleAssignmentMode"] == "AbacRepositoryPermissions"
        rights = set()
        for right, (action, data_action) in _NEEDS.items():
            needed = data_action if abac else action
            # 'Contributor' and 'Reader' allow by pattern what they do not allow on images in ABAC mode.
            if self.arm.allows(oid, needed, registry["id"], data=abac):
                rights.add(right)
        return rights

    def _mint(self, audience: str, subject: str, grant: str, access: Access | None = None) -> str:
        return mint(self._keys[grant], audience, subject, grant, access, lifetime=self.lifetime)


def mint(
    key: Any,
    audience: str,
    subject: str,
    grant: str,
    access: Access | None = None,
    *,
    lifetime: int = 4500,
    headers: dict[str, Any] | None = None,
) -> str:
    """Return a token of a registry.

    Args:
        key: Signs it.
        audience: The registry that it is for.
        subject: Who it is about.
        grant: refresh_token or access_token.
        access: What an access token allows.
        lifetime: Seconds that it is good for.
        headers: Further fields of its header.

    """
    now = int(time.time())
    claims: dict[str, Any] = {
        "jti": str(uuid.uuid4()),
        "sub": subject,
        "nbf": now - 5,
        "exp": now + lifetime,
        "iat": now,
        "iss": ISSUER,
        "aud": audience,
        "version": "1.0",
        "grant_type": grant,
        "roles": [],
    }
    if access is not None:
        claims["access"] = access
    return jwt.encode(claims, key, algorithm="ES256", headers=headers)


def challenged(behind: Callable[[Request], Any]) -> Behind:
    """Ask for a token as Docker's registry does, before something that knows of none."""

    def answer(request: Request, access: Access | None) -> Any:
        found = _REPOSITORY.match(request.path)
        action = "pull" if request.method in {"GET", "HEAD"} else "push"
        allowed = {one["name"]: one["actions"] for one in access or ()}
        if access is not None and (not found or action in allowed.get(found["name"], ())):
            return behind(request)
        host = request.host
        challenge = f'Bearer realm="{request.scheme}://{host}/oauth2/token",service="{host}"'
        if found:
            challenge += f',scope="repository:{found["name"]}:{action}"'
            challenge += ',error="insufficient_scope"' if access is not None else ""
        answered = _refuse(request, 401, "UNAUTHORIZED", "authentication required")
        kept = tuple((name, value) for name, value in answered.headers if name != "Www-Authenticate")
        return replace(answered, headers=(*kept, ("WWW-Authenticate", challenge)))

    return answer


def _scopes_of(request: Request) -> list[str]:
    if request.path.startswith("/v2/_catalog"):
        return ["registry:catalog:*"]
    repository = _REPOSITORY.match(request.path)
    if repository is None:
        return []
    actions = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "pull,push")
    mounted = request.query.get("from")
    return [f"repository:{repository['name']}:{actions}", *([f"repository:{mounted}:pull"] if mounted else [])]


def _refuse(request: Request, status: int, code: str, message: str) -> Answer:
    return refusals.registry(status, request, code, message)
