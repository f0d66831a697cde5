"""Why a node can't get an image, told apart from the words of the container runtime and the registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis import Diagnosis
from fairing_az_jupyter.clients.kube.objects import name_of
from fairing_az_jupyter.clients.kube.refused_changes import sanitized

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.kube.facts import Object

# The kubelet's reasons: https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go
PULLING = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_FIRST = frozenset({"ErrImagePull", "RegistryUnavailable", "ImageInspectError"})


@dataclass(frozen=True)
class _Cause:
    """One cause, by what is said about it; in hints, names in braces stand for those of the pod and the image."""

    code: str
    words: str
    why: str
    hint: str
    definite: bool = False


_CAUSES = (
    _Cause(
        "image-name",
        r"InvalidImageName|invalid reference format|couldn't parse image",
        "its name is none",
        "Correct the image's name: it has no capital letters and no spaces.",
        definite=True,
    ),
    _Cause(
        "image-absent",
        r"ErrImageNeverPull",
        "it is not on the node, and may not be pulled",
        "Set imagePullPolicy to IfNotPresent.",
        definite=True,
    ),
    _Cause(
        "image-host",
        r"no such host|name resolution|name or service not known|server misbehaving",
        "the registry's name '{registry}' is not known",
        "Check DOCKER_REGISTRY, and the network's name service: kubectl -n {namespace} describe pod {pod}",
    ),
    _Cause(
        "image-throttled",
        r"toomanyrequests|429 Too Many|rate limit",
        "the registry has too many requests",
        "Wait, or take the base image from your own registry.",
    ),
    _Cause(
        "image-unauthorized",
        r"unauthorized|authentication required|401 Unauthorized|403 Forbidden|access denied|insufficient_scope|"
        r"authorization failed|no basic auth|denied:",
        "the registry does not let the node pull it",
        "Check the pull secret of the pod's ServiceAccount: %fairing_azure check",
        definite=True,
    ),
    _Cause(
        "image-platform",
        r"no match for platform|no matching manifest|exec format error",
        "it is made for another kind of processor",
        "Build it for linux/amd64, or take a node pool of its kind.",
        definite=True,
    ),
    _Cause(
        "image-not-found",
        r"not found|manifest unknown|name unknown|does not exist|404 Not Found",
        "it is not in the registry",
        "Check its name and tag, or build it again: docker manifest inspect {image}",
        definite=True,
    ),
    _Cause(
        "image-tls",
        r"x509|certificate|HTTP response to HTTPS client",
        "the node does not trust the registry's certificate",
        "See what the node says: kubectl -n {namespace} describe pod {pod}",
    ),
    _Cause(
        "image-disk",
        r"no space left on device",
        "the node's disk is full",
        "Make the image smaller, or take nodes with a larger disk: kubectl -n {namespace} describe pod {pod}",
    ),
    _Cause(
        "image-unreachable",
        r"i/o timeout|connection refused|deadline exceeded|connection reset|unreachable|TLS handshake timeout|EOF",
        "the registry '{registry}' can't be reached from the node",
        "Check the cluster's network and the registry's firewall: kubectl -n {namespace} describe pod {pod}",
    ),
)
_UNKNOWN = _Cause(
    "image-pull", "", "pulling fails", "See what the node says: kubectl -n {namespace} describe pod {pod}"
)


def not_pulled(pod: Object, status: Object, reason: str, said: str, namespace: str) -> Diagnosis:
    """Tell why an image can't be had.

    Args:
        pod: The pod.
        status: The container's status.
        reason: One of `PULLING`.
        said: What the kubelet says about it.
        namespace: The pod's namespace.

    """
    image = str(status.get("image") or "")
    # The image's own name may hold any of the words.
    text = f"{reason} {said.replace(image, 'IMAGE') if image else said}"
    cause = next((one for one in _CAUSES if re.search(one.words, text, re.IGNORECASE)), _UNKNOWN)
    names = {"registry": _registry(image), "image": image, "pod": name_of(pod), "namespace": namespace}
    container = str(status.get("name") or "")
    words = sanitized(said, {})
    return Diagnosis(
        code=cause.code,
        message=f"Image '{image}' of container '{container}' in pod '{name_of(pod)}', namespace '{namespace}', can't "
        f"be had ({reason}): {cause.why.format_map(names)}{f' ({words})' if words else ''}.",
        hint=cause.hint.format_map(names),
        # The first failure may be the network's mood; a definite one, and one that has led to a back-off, is none.
        heals=reason in _FIRST and not cause.definite,
        pod=name_of(pod),
        container=container,
    )


def _registry(image: str) -> str:
    """Return the host in an image's name; without one it is Docker Hub.

    Source: https://github.com/distribution/reference/blob/main/normalize.go (splitDockerDomain)
    """
    host, slash, _ = image.partition("/")
    return host if slash and ("." in host or ":" in host or host == "localhost") else "docker.io"
