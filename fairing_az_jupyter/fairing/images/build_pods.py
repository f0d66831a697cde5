"""The Job that builds an image by Kaniko, as plain data: its two containers, what they get and what they may reach.

Sources: https://github.com/osscontainertools/kaniko#additional-flags for Kaniko's options, and
https://kubernetes.io/docs/concepts/workloads/pods/init-containers/ for the order of the two containers.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.oci.images import ImageReference
from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.cluster import ownership
from fairing_az_jupyter.fairing.cluster.manifests import PREFIX, Placement, finished_pod, job, labels_of
from fairing_az_jupyter.fairing.cluster.pod_resources import larger
from fairing_az_jupyter.fairing.images.dockerfiles import FILE_NAME as DOCKERFILE
from fairing_az_jupyter.fairing.images.dockerfiles import LABEL
from fairing_az_jupyter.settings import notebook_names
from fairing_az_jupyter.settings.scheduling import seconds_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.fairing.cluster.manifests import Target
    from fairing_az_jupyter.settings import Settings

__all__ = [
    "CONTAINER",
    "KANIKO_OPTIONS",
    "LINK_KEY",
    "LOGIN_KEY",
    "LONGEST_SECONDS",
    "BuildOrder",
    "build_name",
    "build_object",
    "build_secret",
    "images_of",
    "longest_seconds",
]

CONTAINER = "kaniko"
"""The container that builds."""

LINK_KEY = "link"
"""Under which key the build's own Secret has the link to its context."""

LOGIN_KEY = "config.json"
"""Under which key the build's own Secret has the docker config."""

LONGEST_SECONDS = 3600
"""How long a build may take, over all its pods, besides the wait for a node."""

KANIKO_OPTIONS = (
    # By size, time and mode of files in place of their contents: a build that installs large packages is read once.
    "--snapshot-mode=redo",
    # Layers are written to the disk, not held in memory.
    "--compressed-caching=false",
    # A registry that is busy for a moment costs no build.
    "--push-retry=3",
    "--image-fs-extract-retry=3",
)
"""What every build of ours tells Kaniko."""

IMAGE = f"{PREFIX}image"
"""The label that tells which image a build makes: its tag."""

_WORKSPACE = "/workspace"
_CONTEXT = f"{_WORKSPACE}/context.tar.gz"
_NAMES = "fairing-build-"
_DIGITS = 8
# By Python, which every base image has: a builder's own image has no shell. What it says never holds the link. The
# blob's name is the digest of the archive before it was compressed.
_FETCH = f"""\
import gzip, hashlib, http.client, os, re, sys, time, urllib.error, urllib.parse, urllib.request, zlib
link, path = os.environ["CONTEXT_LINK"], "{_CONTEXT}"
for left in reversed(range(6)):
    try:
        with urllib.request.urlopen(link, timeout=60) as answer, open(path, "wb") as file:
            while part := answer.read(1 << 20):
                file.write(part)
            size = answer.headers.get("Content-Length")
            if size and file.tell() != int(size):
                raise OSError(f"the connection was lost after {{file.tell()}} of {{size}} bytes")
        break
    except urllib.error.HTTPError as error:
        said = f"HTTP Error {{error.code}}: {{error.headers.get('x-ms-error-code') or error.reason}}"
        left = left if error.code >= 500 or error.code == 429 else 0
    except (OSError, http.client.HTTPException) as error:
        said = str(getattr(error, "reason", error))
    if not left:
        sys.exit(f"The build context can't be read: {{said}}")
    time.sleep(2 ** (5 - left))
name = "/".join(urllib.parse.unquote(urllib.parse.urlsplit(link).path).split("/")[-2:])
changed, digest = f"The build context '{{name}}' in Blob storage was changed: ", hashlib.sha256()
try:
    with gzip.open(path) as file:
        while part := file.read(1 << 20):
            digest.update(part)
except (EOFError, gzip.BadGzipFile, zlib.error) as error:
    sys.exit(f"{{changed}}it is not a whole gzip file any more ({{error}}).")
if re.findall("[0-9a-f]{{64}}", name) != [digest.hexdigest()]:
    sys.exit(f"{{changed}}its SHA-256 is {{digest.hexdigest()}}, not the one in its name.")
"""


@dataclasses.dataclass(frozen=True)
class BuildOrder:
    """An image that is to be built.

    Args:
        image: Its whole name, with its tag.
        tag: The tag, which is the same for the same image.
        base: The base image, whose Python also fetches the context.
        dockerfile: Where the Dockerfile is in the context.
        options: Further options of Kaniko.
        requirements: What the image has installed, in one line, for its label; empty for nothing.
        placement: Where the pod may run, and what of the pod's specification the user has set besides.
        cache: The repository of Kaniko's cache in the image's registry, without the host; empty for none.

    """

    image: str
    tag: str
    base: str
    dockerfile: str = DOCKERFILE
    options: tuple[str, ...] = ()
    requirements: str = ""
    placement: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    cache: str = ""


def longest_seconds(settings: Settings) -> int:
    """Return how long a build's Job may last: the longest time of a build, and that of the wait for a node.

    Args:
        settings: The settings in force.

    """
    return LONGEST_SECONDS + seconds_in(settings.node_wait)


def build_secret(build: Mapping[str, Any], link: str, login: str) -> dict[str, Any]:
    """Return the Secret of a build, which goes with its Job where that has a UID.

    Args:
        build: The Job.
        link: The link by which its context can be read.
        login: The docker config with which it pulls and pushes.

    """
    metadata = build["metadata"]
    marks: dict[str, Any] = {"name": metadata["name"], "namespace": metadata["namespace"]}
    marks["labels"] = dict(metadata.get("labels") or {})
    if metadata.get("uid"):
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
        marks["ownerReferences"] = [owner]
    values = {LINK_KEY: link, LOGIN_KEY: login}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": marks, "stringData": values}


def images_of(build: Mapping[str, Any]) -> dict[str, str]:
    """Return the images of a build's own pod, as the cluster knows them, by the setting that names each.

    Args:
        build: The Job.

    """
    pod = build["spec"]["template"]["spec"]
    return {"builder_image": pod["containers"][0]["image"], "base_image": pod["initContainers"][0]["image"]}


def build_name(image: str) -> str:
    """Return the name of the Job that builds an image, which is the same for the same image.

    Args:
        image: The image's whole name.

    """
    return f"{_NAMES}{hashlib.sha256(image.encode()).hexdigest()[:_DIGITS]}"


def build_object(
    order: BuildOrder,
    settings: Settings,
    target: Target,
    placement: Placement,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the Job that builds an image, suspended: it is started when its Secret is there.

    Its pod gets no token of the service account and mounts no Secret but its own, of the Job's name, which has the link
    to the context and a login for the image's repositories.

    Args:
        order: What to build.
        settings: The settings in force: the builder's image, and what a build asks for.
        target: In whose name it runs.
        placement: What the user's jobs ask for: builds run where these may.
        annotations: Annotations of the Job.

    Raises:
        InputError: Pods have to keep to `restricted`, and Kaniko can't.

    """
    if placement.restricted:
        raise _not_restricted(order.image)
    name = build_name(order.image)
    pod = finished_pod(_pod(order, settings.builder_image, name), target, _placement(settings, placement), ends=True)
    labels = {**labels_of("build", name, target.owner), IMAGE: order.tag, **ownership.of_this_launch()}
    body = job(
        name, pod, target, kind="build", labels=labels, annotations=annotations, deadline=longest_seconds(settings)
    )
    # So no Secret is ever there without its Job, whenever this process is ended.
    body["spec"]["suspend"] = True
    return body


def _not_restricted(image: str) -> InputError:
    names = notebook_names()
    return InputError(
        f"The image '{image}' can't be built in the cluster: Kaniko needs root, and {names['pod_security']} is "
        "'restricted'.",
        hint=f"Have Azure build it: set {names['builder']} = 'acr-tasks'. Without requirements.txt nothing is built.",
        code="pod-security",
    )


def _placement(settings: Settings, placement: Placement) -> Placement:
    """Return what a build asks for: it runs where jobs may run, on spot nodes too, for it begins anew by itself."""
    limit = larger(placement.cpu_limit, settings.build_cpu) if placement.cpu_limit else ""
    return Placement(
        cpu=settings.build_cpu,
        memory=settings.build_memory,
        cpu_limit=limit,
        node_selector=placement.node_selector,
        tolerations=placement.tolerations,
        spot=placement.spot,
    )


def _pod(order: BuildOrder, builder_image: str, name: str) -> dict[str, Any]:
    workspace = {"name": "workspace", "mountPath": _WORKSPACE}
    login = {"name": "registry-login", "mountPath": "/kaniko/.docker", "readOnly": True}
    item = {"key": LOGIN_KEY, "path": "config.json"}
    link = {"name": "CONTEXT_LINK", "valueFrom": {"secretKeyRef": {"name": name, "key": LINK_KEY}}}
    cached = ["--cache=true", f"--cache-repo={order.image.partition('/')[0]}/{order.cache}"] if order.cache else []
    return {
        **order.placement,
        "initContainers": [
            {
                "name": "context",
                "image": _in_pods(order.base),
                "command": ["python", "-I", "-c", _FETCH],
                "env": [link],
                "volumeMounts": [workspace],
            }
        ],
        "containers": [
            {
                "name": CONTAINER,
                "image": builder_image,
                "args": [
                    f"--context=tar://{_CONTEXT}",
                    f"--dockerfile={order.dockerfile}",
                    f"--destination={order.image}",
                    "--digest-file=/dev/termination-log",
                    "--log-format=text",
                    *order.options,
                    *cached,
                    *_labels(order.requirements),
                ],
                "volumeMounts": [workspace, login],
            }
        ],
        "volumes": [
            {"name": "workspace", "emptyDir": {}},
            {"name": "registry-login", "secret": {"secretName": name, "items": [item]}},
        ],
    }


def _in_pods(image: str) -> str:
    try:
        return ImageReference.parse(image).in_pods
    except InputError:
        return image


def _labels(requirements: str) -> list[str]:
    # Kubernetes would put a variable's value in the place of $(NAME).
    # https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/
    return [f"--label={LABEL}={requirements.replace('$', '$$')}"] if requirements else []
