"""Makes the image of Kaniko's executor for this stand, as Kaniko's own Dockerfile lays it out.

Source: https://github.com/GoogleContainerTools/kaniko/blob/v1.24.0/deploy/Dockerfile, stage kaniko-executor. In place
of Debian's certificates it trusts the stand's authority, so that it needs no flag to reach the stand's registry; the
helpers that sign in to cloud registries are left out: they would ask addresses which the stand has not.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

from tests.stand.programs import binaries

Object = dict[str, Any]
_NAME = "kaniko"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}  # Go's names, which images use
_OCI = "application/vnd.oci.image"
_ENVIRONMENT = (
    "HOME=/root",
    "USER=root",
    "PATH=/usr/local/bin:/kaniko",
    "SSL_CERT_DIR=/kaniko/ssl/certs",
    "DOCKER_CONFIG=/kaniko/.docker/",
    # It ends before its garbage collector has to save memory.
    "GOGC=400",
    "GOMEMLIMIT=512MiB",
)
_CERTIFICATES = "kaniko/ssl/certs/ca-certificates.crt"
# Go would ask a name server before /etc/hosts without it.
_NAMES = ("etc/nsswitch.conf", b"hosts: files dns\n")
_FOLDERS = {"kaniko": 0o777, "kaniko/.docker": 0o755, "workspace": 0o755}


def push(login_server: str, repository: str, dockerconfig: Object, environment: dict[str, str], folder: Path) -> str:
    """Push the image to the test registry, with skopeo, and return its name there.

    Args:
        login_server: The registry.
        repository: Repository and tag.
        dockerconfig: Who may push: `{"auths": {SERVER: {"auth": ...}}}`.
        environment: Leads skopeo to the stand; its SSL_CERT_FILE is what the image will trust, too.
        folder: For the image and the file of credentials.

    Raises:
        MissingError: Kaniko can't be built here.
        RuntimeError: The registry refused it.

    """
    source = write_layout(binaries.kaniko(), Path(environment["SSL_CERT_FILE"]), folder / _NAME)
    name = f"{login_server}/{repository}"
    credentials = folder / f"push-{time.monotonic_ns()}.json"
    credentials.touch(mode=0o600)
    credentials.write_text(json.dumps(dockerconfig))
    command = ["skopeo", "copy", "--quiet", f"--authfile={credentials}", source, f"docker://{name}"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    finally:
        credentials.unlink()
    if done.returncode:
        msg = f"Kaniko's image can't be pushed to {name}: {done.stderr.strip()}"
        raise RuntimeError(msg)
    return name


def write_layout(executor: Path, bundle: Path, folder: Path) -> str:
    """Write the image as an OCI layout, unless it is there, and return what skopeo calls it.

    Args:
        executor: Kaniko's program.
        bundle: The certificates that it is to trust.
        folder: Where to write; it is made.

    """
    source, complete = f"oci:{folder}:{_NAME}", folder / "oci-layout"
    if complete.is_file():
        return source
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def keep(content: bytes, kind: str) -> Object:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"{_OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    files = _files(executor, bundle)
    # Most of it is one program: the fastest level makes half of it in a second.
    layer = keep(gzip.compress(files, compresslevel=1, mtime=0), "layer.v1.tar+gzip")
    config = {
        "architecture": _MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Env": list(_ENVIRONMENT), "Entrypoint": ["/kaniko/executor"], "WorkingDir": "/workspace"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(files).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.manifest.v1+json",
        "config": keep(json.dumps(config).encode(), "config.v1+json"),
        "layers": [layer],
    }
    entry = keep(json.dumps(manifest).encode(), "manifest.v1+json")
    index = {
        "schemaVersion": 2,
        "manifests": [{**entry, "annotations": {"org.opencontainers.image.ref.name": _NAME}}],
    }
    (folder / "index.json").write_text(json.dumps(index))
    complete.write_text('{"imageLayoutVersion": "1.0.0"}')
    return source


def _files(executor: Path, bundle: Path) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, mode in _FOLDERS.items():
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            archive.addfile(folder)
        contents = (("kaniko/executor", executor.read_bytes()), (_CERTIFICATES, bundle.read_bytes()), _NAMES)
        for name, content in contents:
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(content), 0o755 if name.endswith("executor") else 0o644
            archive.addfile(file, io.BytesIO(content))
    return made.getvalue()
