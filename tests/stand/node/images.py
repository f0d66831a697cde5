"""Pulls images as a node does, and pushes the base image to the test registry."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.stand.programs.base_image import base_image

from .sandbox import CommandError

if TYPE_CHECKING:
    from pathlib import Path

    from .containers import Engine

Object = dict[str, Any]
_TIMEOUT = 300
_REFERENCE = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[\w.-]+)?(@\w+:\w+)?")


_pulls: dict[str, threading.Lock] = {}
_known = threading.Lock()


class PullError(Exception):
    """An image can't be had; `reason` is what the container's state says, the text what containerd would say."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Image:
    """An image on the node.

    Args:
        identity: `sha256:` and the digest of its configuration.
        name: What it was pulled by, with the manifest's digest.
        size: Its size in bytes.
        user: Whom its containers run as, if it says.

    """

    identity: str
    name: str
    size: int
    user: str


def full_name(image: str) -> str:
    """Return an image's name with registry and tag.

    Raises:
        PullError: It is no name of an image.

    """
    if not _REFERENCE.fullmatch(image):
        why = f'couldn\'t parse image name "{image}": invalid reference format'
        msg = f'Failed to apply default image tag "{image}": {why}'
        raise PullError("InvalidImageName", msg)
    first, slash, _ = image.partition("/")
    if not slash:
        image = f"docker.io/library/{image}"
    elif not ("." in first or ":" in first or first == "localhost"):
        image = f"docker.io/{image}"
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def find(engine: Engine, image: str) -> Image | None:
    """Return an image if the node has it."""
    name = full_name(image)
    if name in engine.images:
        return engine.images[name]
    try:
        found = json.loads(engine.podman("image", "inspect", name))[0]
    except CommandError:
        return None
    names = [name for name in found.get("RepoDigests", []) if not name.startswith("localhost/")]
    user = str(found.get("Config", {}).get("User") or "")
    identity = f"sha256:{found['Id']}"
    engine.images[name] = Image(identity, (names or [identity])[0], int(found["Size"]), user)
    return engine.images[name]


def pull(engine: Engine, image: str, secrets: list[Object], folder: Path) -> Image:
    """Pull an image.

    Args:
        engine: podman.
        image: Its name.
        secrets: What the pull secrets hold: `{"auths": {...}}` each, the first that knows the registry wins.
        folder: For the file of credentials.

    Raises:
        PullError: It can't be pulled.

    """
    name = full_name(image)
    credentials = folder / "auth.json"
    credentials.touch(mode=0o600)
    credentials.write_text(json.dumps({"auths": _auths(secrets)}))
    try:
        # Layers that several pods wait for come once, as with containerd: podman would fetch and unpack them for each.
        with _pulling(name):
            engine.podman("pull", "--quiet", f"--authfile={credentials}", name, timeout=_TIMEOUT)
    except CommandError as error:
        raise PullError("ErrImagePull", as_containerd(name, str(error))) from None
    finally:
        credentials.unlink()
    # Its tag may be another image's now.
    engine.images.pop(name, None)
    found = find(engine, image)
    if found is None:
        msg = f"{name} vanished after it was pulled"
        raise PullError("ErrImagePull", msg)
    return found


def _pulling(name: str) -> threading.Lock:
    with _known:
        return _pulls.setdefault(name, threading.Lock())


def as_containerd(name: str, said: str) -> str:
    """Say in the words of containerd, which AKS runs, why podman could not pull an image."""
    host = name.partition("/")[0]
    start = f'failed to pull and unpack image "{name}": failed to resolve reference "{name}": '
    last = said.splitlines()[-1].removeprefix("Error: ")
    if "manifest unknown" in said or "name unknown" in said:
        return f"rpc error: code = NotFound desc = {start}{name}: not found"
    if "unauthorized" in said or "401" in said:
        return (
            f"{start}failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
            f"https://{host}/oauth2/token: 401 Unauthorized"
        )
    if "denied" in said or "403" in said:
        return f"{start}unexpected status from HEAD request to https://{host}: 403 Forbidden"
    if lookup := re.search(r"lookup (\S+): no such host", said):
        return f'{start}failed to do request: Head "https://{host}": dial tcp: lookup {lookup[1]}: no such host'
    return f"{start}{last}"


def push_base(
    login_server: str, repository: str, dockerconfig: Object, environment: dict[str, str], folder: Path
) -> str:
    """Push the base image to the test registry, with skopeo, and return its name there."""
    name = f"{login_server}/{repository}"
    credentials = folder / f"push-{time.monotonic_ns()}.json"
    credentials.touch(mode=0o600)
    credentials.write_text(json.dumps({"auths": _auths([dockerconfig])}))
    command = ["skopeo", "copy", "--quiet", f"--authfile={credentials}", f"oci:{base_image() / 'oci'}:base"]
    try:
        done = subprocess.run(
            [*command, f"docker://{name}"], env=environment, capture_output=True, text=True, timeout=300, check=False
        )
    finally:
        credentials.unlink()
    if done.returncode:
        msg = f"The base image can't be pushed to {name}: {done.stderr.strip()}"
        raise RuntimeError(msg)
    return name


def _auths(secrets: list[Object]) -> dict[str, Object]:
    result: dict[str, Object] = {}
    for secret in secrets:
        for server, entry in secret.get("auths", {}).items():
            auth = entry.get("auth")
            if not auth:
                auth = base64.b64encode(f"{entry.get('username', '')}:{entry.get('password', '')}".encode()).decode()
            result.setdefault(server.removeprefix("https://").rstrip("/"), {"auth": auth})
    return result
