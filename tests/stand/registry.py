"""Docker's registry behind a front that signs in as Azure Container Registry does."""

from __future__ import annotations

import base64
import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from .acr_login import ISSUER, AcrLogin, mint
from .docker_registry import DockerRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from .acr_login import Access
    from .arm import Arm
    from .authority import Authority
    from .entra import Entra
    from .processes import Guard
    from .web import Answer, Request

_UPSTREAM_HOST, _UPSTREAM_SERVICE = "stand.invalid", "the-stand's-registry"


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
        folder.mkdir()
        certificate, key = authority.write_pair(folder, "tokens")
        self._key: Any = load_pem_private_key(key.read_bytes(), None)
        leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
        self._x5c = base64.b64encode(leaf.public_bytes(Encoding.DER)).decode()
        token = {
            "realm": f"https://{_UPSTREAM_HOST}/oauth2/token",
            "service": _UPSTREAM_SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(authority.bundle),
        }
        self._registry = DockerRegistry(folder, guard, {"token": token})
        self.port = self._registry.port
        self.seconds = self._registry.server.seconds
        self.servers = [self._registry.server]
        self.answer = AcrLogin(entra, arm, self._pass_on)
        self.also_at = self.answer.also_at

    def close(self) -> None:
        """End the server; safe to repeat."""
        self._registry.close()

    def _pass_on(self, request: Request, access: Access | None) -> Answer:
        headers = copy.copy(request.headers)
        del headers["Authorization"]
        if access is not None:
            token = mint(self._key, _UPSTREAM_SERVICE, "front", "access_token", access, headers={"x5c": [self._x5c]})
            headers["Authorization"] = f"Bearer {token}"
        answer = self._registry.forward(replace(request, headers=headers))
        return replace(answer, headers=tuple((name, _renamed(value, request.host)) for name, value in answer.headers))


def _renamed(value: str, host: str) -> str:
    return value.replace(_UPSTREAM_HOST, host).replace(_UPSTREAM_SERVICE, host)
