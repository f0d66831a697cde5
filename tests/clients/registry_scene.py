"""A registry's log-in with who may push and who may pull, and what else the tests of registries share."""

from __future__ import annotations

import base64
import hashlib
import json

from tests.marked import MARK
from tests.stand.acr_login import AcrLogin, challenged
from tests.stand.arm import Arm
from tests.stand.entra import Entra
from tests.stand.scripted import errors

LOGIN_SERVER = "contosoml.azurecr.io"
SECRET = f"{MARK}-secret-7f3a~Q.x"
SECRET_IN_HTPASSWD = "$2b$04$RwGzRUP2maEJuCOVdp9w7.VL7hwwEe93QQeujqi4VrTE1NNvs31nG"
PUSHER = "11111111-2222-3333-4444-555555555555"
PULLER = "99999999-8888-7777-6666-555555555555"
TENANT = "22222222-3333-4444-5555-666666666666"
# Who it is for can't read an access token, and need not be able to:
# https://learn.microsoft.com/entra/identity-platform/access-tokens
AAD_TOKEN = f"aad.{MARK}.token"
AUDIENCE = "https://containerregistry.azure.net"


def acr_service(behind=None):
    """Return the log-in of Azure Container Registry, for PUSHER and PULLER; AAD_TOKEN is a token of PUSHER's.

    Args:
        behind: Answers requests that were let in; by default there is nothing.

    """
    entra = Entra()
    arm = Arm(entra, lambda _account: "")
    registry = arm.add_registry(arm.add_group("77777777-3333-4444-5555-666666666666", "images"), "contosoml")
    for client, role in ((PUSHER, "AcrPush"), (PULLER, "AcrPull")):
        arm.assign(entra.register(TENANT, client, SECRET).oid, role, registry)
    entra.issued[AAD_TOKEN] = entra.issued[entra.token(PUSHER, AUDIENCE)]
    return AcrLogin(
        entra, arm, challenged(behind or (lambda _request: (404, {}, errors("NAME_UNKNOWN")))), LOGIN_SERVER
    )


def claims_token(**claims):
    """Make an unsigned JSON web token: who reads its claims does not check them."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)] + [MARK.encode()]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def image_layout(folder):
    """Write a small image as an OCI image layout."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(content, kind):
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    layer = bytes(1024)  # an empty tar
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    settings = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
    content = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(settings, "config.v1+json"),
        "layers": [blob(layer, "layer.v1.tar")],
    }
    manifest = blob(json.dumps(content).encode(), "manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
