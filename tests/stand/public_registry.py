"""Docker Hub and GitHub's registry, as far as everybody may read there: Docker's own registry, without a sign-in.

It has the images that a launch starts from unless its settings name others: names and platforms only, nothing to run.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import requests

from .docker_registry import DockerRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from .processes import Guard
    from .web import Answer, Request

HOSTS = ("index.docker.io", "ghcr.io")
_IMAGES = {
    "library/python": tuple(f"3.{minor}{rest}" for minor in range(9, 15) for rest in ("", "-slim")),
    "osscontainertools/kaniko": ("v1.28.3",),
}
_OCI = "application/vnd.oci.image"


class PublicRegistry:
    """A registry for everybody, from its making until `close`; `answer` is what stands at its addresses.

    Args:
        folder: For data and logs.
        guard: Ends the server if this process can't.

    Raises:
        MissingError: The registry is not installed.
        StartError: It did not start.

    """

    def __init__(self, folder: Path, guard: Guard) -> None:
        self._registry = DockerRegistry(folder, guard)
        self.port = self._registry.port
        self.servers = [self._registry.server]
        for repository, tags in _IMAGES.items():
            for tag in tags:
                self.push(repository, tag)

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        return self._registry.forward(request)

    def push(self, repository: str, tag: str, *platforms: str) -> None:
        """Have an image there that runs on some platforms; `linux/amd64` and `linux/arm64` where none is named."""
        entries = []
        for platform in platforms or ("linux/amd64", "linux/arm64"):
            system, _, architecture = platform.partition("/")
            of = {"os": system, "architecture": architecture}
            config = {**of, "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
            body = {
                "schemaVersion": 2,
                "mediaType": f"{_OCI}.manifest.v1+json",
                "config": self._blob(repository, config),
                "layers": [],
            }
            entries.append({**self._manifest(repository, body), "platform": of})
        index = {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": entries}
        self._manifest(repository, index, tag)

    def close(self) -> None:
        """End the server; safe to repeat."""
        self._registry.close()

    def _manifest(self, repository: str, body: dict[str, Any], tag: str = "") -> dict[str, Any]:
        content = json.dumps(body).encode()
        described = _described(content, body["mediaType"])
        path = f"{repository}/manifests/{tag or described['digest']}"
        self._call("PUT", path, content, kind=body["mediaType"])
        return described

    def _blob(self, repository: str, body: dict[str, Any]) -> dict[str, Any]:
        content = json.dumps(body).encode()
        described = _described(content, f"{_OCI}.config.v1+json")
        begun = self._call("POST", f"{repository}/blobs/uploads/", b"")
        location = begun.headers["Location"].partition("/v2/")[2]
        joint = "&" if "?" in location else "?"
        self._call("PUT", f"{location}{joint}digest={described['digest']}", content)
        return described

    def _call(self, method: str, path: str, body: bytes, kind: str = "application/octet-stream") -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            url = f"http://127.0.0.1:{self.port}/v2/{path}"
            answer = session.request(method, url, data=body, headers={"Content-Type": kind}, timeout=10)
        if not answer.ok:
            msg = f"{method} {path}: {answer.status_code} {answer.text}"
            raise RuntimeError(msg)
        return answer


def _described(content: bytes, kind: str) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": kind, "digest": digest, "size": len(content)}
