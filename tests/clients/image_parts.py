"""Images for the tests of the registry client: made here, pushed by plain requests, and a registry in memory."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import re
import tarfile
import uuid

import requests

from fairing_az_jupyter.clients.oci.images import ImageReference, ImageStore
from fairing_az_jupyter.clients.oci.registry import Registry
from tests.stand.scripted import errors

OCI = {
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
    "index": "application/vnd.oci.image.index.v1+json",
}
DOCKER = {
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "index": "application/vnd.docker.distribution.manifest.list.v2+json",
}


def sha(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def tar_of(files):
    """Make a tar of texts or bytes by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            body = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


def config_of(tars, *, platform="linux/amd64", history=None, **settings):
    system, architecture, *variant = platform.split("/")
    content = {
        "architecture": architecture,
        "os": system,
        "created": "2024-05-06T07:08:09.123456789Z",
        "config": {"Env": ["PATH=/usr/bin", "LANG=C"], "Cmd": ["sh"], "Labels": {"a": "1"}, **settings},
        "rootfs": {"type": "layers", "diff_ids": [sha(tar) for tar in tars]},
        "x-unknown": {"kept": True},
    }
    if variant:
        content["variant"] = variant[0]
    if history is not None:
        content["history"] = history
    return content


def put_blob(url, repository, content, auth=None):
    begun = requests.post(f"{url}/v2/{repository}/blobs/uploads/", auth=auth, timeout=20)
    begun.raise_for_status()
    location = begun.headers["Location"]
    place = location if "://" in location else url + location
    place += ("&" if "?" in place else "?") + f"digest={sha(content)}"
    requests.put(place, data=content, auth=auth, timeout=60).raise_for_status()
    return {"digest": sha(content), "size": len(content)}


def put_manifest(url, repository, reference, content, kind, auth=None):
    body = json.dumps(content).encode()
    place = f"{url}/v2/{repository}/manifests/{reference or sha(body)}"
    requests.put(place, data=body, headers={"Content-Type": kind}, auth=auth, timeout=20).raise_for_status()
    return {"mediaType": kind, "digest": sha(body), "size": len(body)}


def put_image(url, repository, tag, *, types=OCI, tars=None, config=None, auth=None, extra=None):
    """Push an image by plain requests; return its descriptor."""
    tars = [tar_of({"etc/base": "base"}), tar_of({"etc/second": "second"})] if tars is None else tars
    config = json.dumps(config_of(tars) if config is None else config).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": types["manifest"],
        "config": {"mediaType": types["config"], **put_blob(url, repository, config, auth)},
        "layers": [
            {"mediaType": types["layer"], **put_blob(url, repository, gzip.compress(tar, mtime=0), auth)}
            for tar in tars
        ],
        **(extra or {}),
    }
    return put_manifest(url, repository, tag, manifest, types["manifest"], auth)


def put_index(url, repository, tag, platforms, *, types=OCI, auth=None):
    """Push an image for several platforms, each with a file that names its own; with an attestation beside them."""
    entries = []
    for platform in platforms:
        tars = [tar_of({"etc/platform": platform})]
        entry = put_image(
            url, repository, None, types=types, tars=tars, config=config_of(tars, platform=platform), auth=auth
        )
        system, architecture, *variant = platform.split("/")
        named = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        entries.append({**entry, "platform": named})
    if types is OCI:
        unknown = {"os": "unknown", "architecture": "unknown"}
        notes = {"vnd.docker.reference.type": "attestation-manifest"}
        entries.insert(0, {**entries[0], "platform": unknown, "annotations": notes})
    index = {"schemaVersion": 2, "mediaType": types["index"], "manifests": entries}
    return put_manifest(url, repository, tag, index, types["index"], auth)


@contextlib.contextmanager
def opened(host, **how):
    """Open a registry on loopback as an image store."""
    with Registry(host, **{"username": None, "password": None, "scheme": "http", **how}) as registry:
        yield ImageStore(registry)


def base_in(store, repository="team/base", tag="1", platform="linux/amd64"):
    return store.resolve(ImageReference(store.host, repository, tag), platform)


def files_in(layer):
    """Read a layer as it is kept: the files in it by name."""
    content = gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar if one.isfile()}


class MemoryRegistry:
    """A registry in memory that tells how much of an upload has arrived, as the distribution specification says.

    `fault(request)` may return an answer, None to hang up, or `MemoryRegistry.GO_ON`.
    """

    GO_ON = object()

    def __init__(self, *, least_chunk=None, largest=None):
        self.blobs = {}
        self.manifests = {}
        self.uploads = {}
        self.least_chunk = least_chunk
        self.largest = largest
        self.fault = lambda request: self.GO_ON
        self.broken = []

    def __call__(self, request):  # noqa: PLR0911 - one for each kind of request
        outcome = self.fault(request)
        if outcome is not self.GO_ON:
            return outcome
        path = request.path
        if path == "/v2/":
            return 200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}"
        if found := re.fullmatch(r"/v2/(.+)/blobs/uploads/([^/]*)", path):
            return self.upload(request, found[1], found[2])
        found = re.fullmatch(r"/v2/(.+)/(blobs|manifests)/([^/]+)", path)
        if not found:
            return 404, {}, errors("NAME_UNKNOWN")
        kept = self.blobs if found[2] == "blobs" else self.manifests
        key = found[1], found[3]
        if request.method == "PUT":
            digest = sha(request.content)
            kept[key] = kept[found[1], digest] = (request.headers["Content-Type"], request.content)
            return 201, {"Docker-Content-Digest": digest}, b""
        if key not in kept:
            return 404, {}, errors("MANIFEST_UNKNOWN")
        kind, content = kept[key]
        return 200, {"Content-Type": kind, "Docker-Content-Digest": sha(content)}, content

    def upload(self, request, repository, number):  # noqa: PLR0911 - one for each kind of request
        if request.method == "POST":
            number = uuid.uuid4().hex
            self.uploads[number] = b""
            least = {"OCI-Chunk-Min-Length": str(self.least_chunk)} if self.least_chunk else {}
            return 202, {**self.place(repository, number), **least}, b""
        if number not in self.uploads:
            return 404, {}, errors("BLOB_UPLOAD_UNKNOWN")
        if request.method == "DELETE":
            del self.uploads[number]
            return 204, {}, b""
        if request.method == "GET":
            return 204, self.place(repository, number), b""
        if self.largest and len(request.content) > self.largest:
            return 413, {"Content-Type": "text/html"}, b"<html>413 Request Entity Too Large</html>"
        if request.method == "PATCH":
            start = int(request.headers["Content-Range"].partition("-")[0])
            if start != len(self.uploads[number]):
                return 416, self.place(repository, number), b""
            if self.least_chunk and len(request.content) < self.least_chunk:
                self.broken.append(len(request.content))
            self.uploads[number] += request.content
            return 202, self.place(repository, number), b""
        content = self.uploads.pop(number) + request.content
        if sha(content) != request.query["digest"]:
            return 400, {}, errors("DIGEST_INVALID")
        self.blobs[repository, sha(content)] = ("application/octet-stream", content)
        return 201, {"Docker-Content-Digest": sha(content)}, b""

    def place(self, repository, number):
        arrived = len(self.uploads[number])
        return {"Location": f"/v2/{repository}/blobs/uploads/{number}", "Range": f"0-{max(arrived - 1, 0)}"}
