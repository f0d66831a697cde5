"""Why a node can't get an image, distinguished from the words of the container runtime and the registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
from fairing_az_jupyter.clients.kube.diagnosis.scheduling import moment_of
from fairing_az_jupyter.clients.kube.objects.facts import mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of
from fairing_az_jupyter.clients.kube.objects.rejections import sanitized

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairing_az_jupyter.clients.kube.objects.facts import Object

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
# The kubelet's events about one pull: https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/events/event.go
_ATTEMPT = frozenset({"Pulling", "Pulled", "Failed", "BackOff"})
# Of events that only differ in their words, the tenth and those after it are reported as one.
_NOT_PULLED = re.compile(r"(?:\(combined from similar events\): )?Failed to pull image")
_OF_CONTAINER = re.compile(r"\{(.+)\}$")
_HTTP = r"(?:unexpected (?:http )?status(?: code)?|status(?: code)?|HTTP)\S*[^\n]{0,40}?"


@dataclass(frozen=True)
class _Cause:
    """One cause, by what is said about it; in hints, names in braces stand for those of the pod and the image."""

    code: str
    words: str
    why: str
    hint: str
    condition: str = "image-passing"


# The words are those of containerd (core/remotes/docker/resolver.go: `REF: not found`, `pull access denied, repository
# does not exist or may require authorization`, `unexpected status from HEAD request to URL: 503 Service Unavailable`),
# of CRI-O by containers/image (`reading manifest TAG in NAME: manifest unknown`, `requested access to the resource is
# denied`, `pinging container registry HOST`), of Docker (`manifest for NAME not found: manifest unknown`) and of Go's
# net package. The first cause whose words occur counts: what may pass comes before what is definite, because a message
# about a lost connection may quote the name of what was asked for.
_CAUSES = (
    _Cause(
        "image-name",
        r"InvalidImageName|invalid reference format|couldn't parse image|failed to parse reference",
        "its name is not valid",
        "Correct the image's name: it has no capital letters and no spaces.",
        condition="image-definite",
    ),
    _Cause(
        "image-absent",
        r"ErrImageNeverPull",
        "it is not on the node and must not be pulled",
        "Set imagePullPolicy to IfNotPresent.",
        condition="image-definite",
    ),
    _Cause(
        "image-signature",
        r"SignatureValidationFailed|signature validation failed|[Ss]ource image rejected",
        "its signature is not accepted by the node",
        "Sign it as the cluster's policy requires, or use a signed image: kubectl -n {namespace} describe pod {pod}",
        condition="image-definite",
    ),
    # Go gives a proxy's rejection of CONNECT as the words of its status alone.
    _Cause(
        "image-proxy",
        r"proxyconnect|Proxy Authentication Required|" + _HTTP + r"\b407\b|"
        r'failed to do request: \w+ "?URL"?: (?:Forbidden|Bad Gateway|Service Unavailable|Gateway Timeout)',
        "the node's proxy does not allow access to the registry '{registry}'",
        "Ask who runs the cluster's HTTP proxy: kubectl -n {namespace} describe pod {pod}",
    ),
    _Cause(
        "image-host",
        r"no such host|name resolution|name or service not known|server misbehaving|lookup \S+ on \S+: ",
        "the name of the registry '{registry}' can't be resolved",
        "Check DOCKER_REGISTRY, and the network's name service: kubectl -n {namespace} describe pod {pod}",
    ),
    _Cause(
        "image-throttled",
        r"toomanyrequests|429 Too Many|rate limit|" + _HTTP + r"\b429\b",
        "the registry receives too many requests",
        "Wait, or use a base image from your own registry.",
    ),
    _Cause(
        "image-unavailable",
        _HTTP + r"\b50[0-9]\b|50[0-9] (?:Internal|Bad Gateway|Service Unavailable|Gateway Time)|RegistryUnavailable|"
        r"registry is unavailable|received unexpected HTTP status",
        "the registry '{registry}' is not available",
        "See Azure's service health, and launch again later: https://status.azure.com",
    ),
    _Cause(
        "image-unreachable",
        r"i/o timeout|connection refused|deadline exceeded|connection reset|unreachable|TLS handshake timeout|"
        r"unexpected EOF|: EOF|Client\.Timeout|no route to host|broken pipe|use of closed network connection",
        "the registry '{registry}' can't be reached from the node",
        "Check the cluster's network and the registry's firewall: kubectl -n {namespace} describe pod {pod}",
    ),
    _Cause(
        "image-tls",
        r"x509|\btls: |certificate|HTTP response to HTTPS client",
        "the node does not trust the registry's certificate",
        "See the node's message: kubectl -n {namespace} describe pod {pod}",
    ),
    _Cause(
        "image-unauthorized",
        r"unauthorized|authentication required|401 Unauthorized|403 Forbidden|access denied|insufficient_scope|"
        r"authorization failed|no basic auth|denied:|access to the resource is denied|" + _HTTP + r"\b40[13]\b",
        "the node may not pull it; a new role assignment can take up to 10 minutes",
        "Grant AcrPull to the cluster (az aks update --attach-acr {acr}), or check the pull secret of the pod's "
        "ServiceAccount: %fairing_azure check. Then launch again.",
        condition="image-access",
    ),
    _Cause(
        "image-platform",
        r"no match for platform|no matching manifest|no image found in (?:image index|manifest list)|exec format error",
        "it is built for another processor architecture",
        "Build it for linux/amd64, or use a node pool with its architecture.",
        condition="image-definite",
    ),
    # The registry has the image: a layer, the node's own store or a plug-in on the node is what was not found.
    _Cause(
        "image-node",
        r"content store|content digest|unexpected media type|snapshot|lease \S+: not found|httpReadSeeker|exec plugin|"
        r"failed to authorize|failed to fetch (?:oauth|anonymous) token",
        "the node failed to fetch all of it or to unpack it",
        "See the node's message: kubectl -n {namespace} describe pod {pod}",
    ),
    _Cause(
        "image-not-found",
        r"not found|manifest unknown|name unknown|MANIFEST_UNKNOWN|NAME_UNKNOWN|does not exist|404 Not Found",
        "it is not in the registry",
        "Check its name and tag, or build it again: docker manifest inspect {image}",
        condition="image-definite",
    ),
    _Cause(
        "image-disk",
        r"no space left on device",
        "the node's disk is full",
        "Make the image smaller, or use nodes with a larger disk: kubectl -n {namespace} describe pod {pod}",
    ),
)
_UNKNOWN = _Cause(
    "image-pull", "", "pulling failed", "See the node's message: kubectl -n {namespace} describe pod {pod}"
)


def not_pulled(pod: Object, status: Object, reason: str, said: str, namespace: str) -> Diagnosis:
    """Tell why an image can't be pulled.

    Args:
        pod: The pod.
        status: The container's status.
        reason: One of `PULLING`.
        said: What the kubelet says about it.
        namespace: The pod's namespace.

    """
    image = str(status.get("image") or "")
    cause = _cause(image, reason, said)
    registry = _registry(image)
    acr = registry.partition(".")[0] if ".azurecr." in registry else "ACR"
    names = {"registry": registry, "acr": acr, "image": image, "pod": name_of(pod), "namespace": namespace}
    container = str(status.get("name") or "")
    words = sanitized(said, {})
    return Diagnosis(
        code=cause.code,
        message=f"Image '{image}' of container '{container}' in pod '{name_of(pod)}', namespace '{namespace}', can't "
        f"be pulled ({reason}): {cause.why.format_map(names)}{f' ({words})' if words else ''}.",
        hint=cause.hint.format_map(names),
        condition=cause.condition,
        pod=name_of(pod),
        container=container,
        image=image,
    )


def condition_of_pull(image: str, said: str) -> str:
    """Return the name of the condition that keeps an image from being pulled.

    Args:
        image: Its name.
        said: What the kubelet says about it.

    """
    return _cause(image, "", said).condition


def is_failed_pull(event: Object) -> bool:
    """Tell whether an event says why an image could not be pulled.

    Args:
        event: The event.

    """
    return event.get("reason") == "Failed" and _NOT_PULLED.match(str(event.get("message"))) is not None


@dataclass(frozen=True)
class Pulls:
    """What events say about the pulls for one container.

    The kubelet shows the last failure as the container's state until the next attempt has ended, also while that is
    under way: https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/reason_cache.go

    Args:
        begun: When the newest attempt began, as the API writes it.
        ended: When one ended, or the kubelet held back, last.
        error: Why the last one failed.

    """

    begun: str = ""
    ended: str = ""
    error: str = ""

    @property
    def under_way(self) -> bool:
        """Whether an attempt has begun since the last one failed; it can't within the same second."""
        return self.begun > self.ended


def pulls_of(pod: str, container: str, events: Iterable[Object]) -> Pulls:
    """Return what events say about the pulls for a container.

    Args:
        pod: The pod's name.
        container: The container's name.
        events: Events, those of other objects among them, the one that was seen last at the end.

    """
    begun = ended = error = ""
    for event in events:
        about = mapping(event.get("involvedObject"))
        named = _OF_CONTAINER.search(str(about.get("fieldPath") or ""))
        if event.get("reason") not in _ATTEMPT or about.get("name") != pod or (named and named[1] != container):
            continue
        if event.get("reason") == "Pulling":
            begun = moment_of(event)
        else:
            ended = moment_of(event)
        if is_failed_pull(event):
            error = str(event.get("message"))
    return Pulls(begun, ended, error)


def _cause(image: str, reason: str, said: str) -> _Cause:
    # The image's own name may hold any of the words, and so may its repository in the URLs of the registry's API.
    whole = rf"(?<![\w/.:-])(?:docker\.io/(?:library/)?)?{re.escape(image)}(?![\w/-])"
    named = re.sub(whole, "IMAGE", said) if image else said
    text = re.sub(r"https?://[^\s\"]+", "URL", f"{reason} {named}")
    return next((one for one in _CAUSES if re.search(one.words, text, re.IGNORECASE)), _UNKNOWN)


def _registry(image: str) -> str:
    """Return the host in an image's name; without one it is Docker Hub.

    Source: https://github.com/distribution/reference/blob/main/normalize.go (splitDockerDomain)
    """
    host, slash, _ = image.partition("/")
    return host if slash and ("." in host or ":" in host or host == "localhost") else "docker.io"
