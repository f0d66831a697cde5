"""Docker's registry behind a front that signs in as Azure Container Registry does.

Sources: https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md (challenge, exchange, POST /oauth2/token, claims),
https://github.com/Azure/acr/blob/main/docs/Token-BasicAuth.md (GET /oauth2/token),
https://learn.microsoft.com/azure/container-registry/container-registry-rbac-built-in-roles-overview (roles, ABAC mode).
What a principal may do follows from its roles in the Resource Manager double.
"""

from __future__ import annotations

import base64
import copy
import re
import secrets
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from . import binaries, refusals
from .forwarding import Forwarder
from .processes import Server, on_free_port
from .web import json_answer

if TYPE_CHECKING:
    from pathlib import Path

    from .arm import Arm
    from .authority import Authority
    from .entra import Entra
    from .processes import Guard
    from .web import Answer, Request

_ISSUER = "Azure Container Registry"
_NULL_GUID = "00000000-0000-0000-0000-000000000000"
_UPSTREAM_HOST, _UPSTREAM_SERVICE = "stand.invalid", "the-stand's-registry"
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
_SETTINGS = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}", relativeurls: true, secret: {secret}}}
auth:
  token:
    realm: https://{host}/oauth2/token
    service: "{service}"
    issuer: {issuer}
    rootcertbundle: {bundle}
"""


class Registry:
    """Docker's registry with ACR's sign-in, from its making until `close`; `answer` is what stands at its address.

    Args:
        authority: Signs what the registry trusts tokens by.
        folder: For data, keys and logs.
        guard: Ends the server if this process can't.
        entra: Knows the principals.
        arm: Knows the registries, and who has which role.

    Raises:
        MissingError: The registry is not installed.
        StartError: It did not start.

    """

    def __init__(self, authority: Authority, folder: Path, guard: Guard, entra: Entra, arm: Arm) -> None:
        self._program = binaries.registry()
        self._folder = folder
        self._guard = guard
        self._entra = entra
        self._arm = arm
        folder.mkdir()
        certificate, key = authority.write_pair(folder, "tokens")
        self._certificate = certificate
        self._key: Any = load_pem_private_key(key.read_bytes(), None)
        leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
        self._x5c = base64.b64encode(leaf.public_bytes(Encoding.DER)).decode()
        self._other_names: dict[str, str] = {}
        self._bundle = authority.bundle
        self._server, self.port = on_free_port(self._start)
        self.seconds = self._server.seconds
        self.servers = [self._server]
        self._forward = Forwarder(f"http://127.0.0.1:{self.port}")

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        registry = self._arm.find(_KIND, self._other_names.get(request.host, request.host).partition(".")[0])
        if registry is None:
            return refusals.registry(404, request, "NAME_UNKNOWN", f"{request.host} is no registry of the test stand")
        if request.path == "/oauth2/exchange" and request.method == "POST":
            return self._exchange(request, registry)
        if request.path == "/oauth2/token":
            return self._token(request, registry)
        if request.path.startswith("/v2/"):
            return self._pass_on(request, registry)
        return json_answer(404, {"errors": [{"code": "NOT_FOUND", "message": "page not found"}]})

    def also_at(self, host: str, login_server: str) -> None:
        """Answer for a login server under another name, too: an address, for programs without the stand's names."""
        self._other_names[host] = login_server

    def close(self) -> None:
        """End the server; safe to repeat."""
        self._forward.close()
        self._server.end()

    def _exchange(self, request: Request, registry: dict[str, Any]) -> Answer:
        form = {name: values[0] for name, values in request.form().items()}
        if form.get("grant_type") != "access_token" or form.get("service") != request.host:
            return _refuse(request, 400, "UNSUPPORTED", "grant_type must be access_token, service the login server")
        claims = self._entra.claims(form.get("access_token", ""))
        if claims is None or str(claims["aud"]).rstrip("/") not in _AUDIENCES:
            return _refuse(request, 401, "UNAUTHORIZED", _UNAUTHORIZED)
        if form.get("tenant") not in {None, claims["tid"]} or not self._rights(claims["oid"], registry):
            return _refuse(request, 401, "UNAUTHORIZED", _UNAUTHORIZED)
        return json_answer(200, {"refresh_token": self._mint(request.host, claims["oid"], "refresh_token")})

    def _token(self, request: Request, registry: dict[str, Any]) -> Answer:
        if request.method == "GET":
            oid = self._basic(request)
            scopes = " ".join(parse_qs(urlsplit(request.target).query).get("scope", []))
        else:
            form = request.form()
            scopes = " ".join(form.get("scope", []))
            oid = self._granted(request, {name: values[0] for name, values in form.items()})
        if oid is None or not self._rights(oid, registry):
            return _refuse(request, 401, "UNAUTHORIZED", _UNAUTHORIZED)
        access = self._access(oid, registry, scopes.split())
        return json_answer(200, {"access_token": self._mint(request.host, oid, "access_token", access)})

    def _granted(self, request: Request, form: dict[str, str]) -> str | None:
        if form.get("grant_type") == "refresh_token":
            return self._subject(request, form.get("refresh_token", ""), "refresh_token")
        if form.get("grant_type") == "password":
            return self._principal(request, form.get("username", ""), form.get("password", ""))
        return None

    def _basic(self, request: Request) -> str | None:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
        return self._principal(request, user, password)

    def _principal(self, request: Request, user: str, password: str) -> str | None:
        if user == _NULL_GUID:
            return self._subject(request, password, "refresh_token")
        app = self._entra.apps.get(user)
        return app.oid if app is not None and app.secrets.get(password, 0) > time.time() else None

    def _subject(self, request: Request, token: str, grant: str) -> str | None:
        claims = self._claims(request, token)
        return claims["sub"] if claims is not None and claims["grant_type"] == grant else None

    def _claims(self, request: Request, token: str) -> dict[str, Any] | None:
        try:
            return dict(jwt.decode(token, self._key.public_key(), ["ES256"], audience=request.host, issuer=_ISSUER))
        except jwt.InvalidTokenError:
            return None

    def _pass_on(self, request: Request, registry: dict[str, Any]) -> Answer:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        access = None
        if kind.lower() == "bearer" and (claims := self._claims(request, value)) is not None:
            access = claims.get("access", [])
        elif kind.lower() == "basic" and (oid := self._basic(request)) is not None:
            access = self._access(oid, registry, _scopes_of(request)) if self._rights(oid, registry) else None
        headers = copy.copy(request.headers)
        del headers["Authorization"]
        if access is not None:
            headers["Authorization"] = f"Bearer {self._mint(_UPSTREAM_SERVICE, 'front', 'access_token', access)}"
        answer = self._forward(replace(request, headers=headers))
        return replace(answer, headers=tuple((name, _renamed(value, request.host)) for name, value in answer.headers))

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
            if self._arm.allows(oid, needed, registry["id"], data=abac):
                rights.add(right)
        return rights

    def _mint(self, audience: str, subject: str, grant: str, access: list[dict[str, Any]] | None = None) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "jti": str(uuid.uuid4()),
            "sub": subject,
            "nbf": now - 5,
            "exp": now + 4500,
            "iat": now,
            "iss": _ISSUER,
            "aud": audience,
            "version": "1.0",
            "grant_type": grant,
            "roles": [],
        }
        if access is not None:
            claims["access"] = access
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"x5c": [self._x5c]})

    def _start(self, port: int) -> Server:
        settings = self._folder / "registry.yml"
        settings.write_text(
            _SETTINGS.format(
                folder=self._folder,
                port=port,
                secret=secrets.token_hex(16),
                host=_UPSTREAM_HOST,
                service=_UPSTREAM_SERVICE,
                issuer=_ISSUER,
                bundle=self._bundle,
            )
        )
        command = [str(self._program), "serve", str(settings)]
        log = self._folder / "registry.log"
        # A bare GET means 401 from a registry that is ready.
        probe = Forwarder(f"http://127.0.0.1:{port}", timeout=2)
        try:
            return Server("docker-registry", command, log=log, ready=lambda: probe.answers("/v2/"), guard=self._guard)
        finally:
            probe.close()


def _scopes_of(request: Request) -> list[str]:
    if request.path.startswith("/v2/_catalog"):
        return ["registry:catalog:*"]
    repository = _REPOSITORY.match(request.path)
    if repository is None:
        return []
    actions = {"GET": "pull", "HEAD": "pull", "DELETE": "delete"}.get(request.method, "pull,push")
    mounted = request.query.get("from")
    return [f"repository:{repository['name']}:{actions}", *([f"repository:{mounted}:pull"] if mounted else [])]


def _renamed(value: str, host: str) -> str:
    return value.replace(_UPSTREAM_HOST, host).replace(_UPSTREAM_SERVICE, host)


def _refuse(request: Request, status: int, code: str, message: str) -> Answer:
    return refusals.registry(status, request, code, message)
