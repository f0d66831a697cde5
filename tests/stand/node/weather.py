"""What goes wrong for a while when pods start on a real node, in the words of Kubernetes 1.34 and containerd 2.1.

Off until a test asks for it. Each kind says what is reported before the start continues; all of them pass. Sources, in
https://github.com/kubernetes/kubernetes (v1.34.4):
pkg/kubelet/util/manager/watch_based_manager.go:308-323 (not registered; failed to sync ... cache),
pkg/kubelet/token/token_manager.go:119 (failed to fetch token), pkg/volume/csi/csi_client.go:160 (CSI drivers),
pkg/volume/util/operationexecutor/operation_generator.go:289 and :315 (FailedAttachVolume),
pkg/controller/volume/attachdetach/reconciler/reconciler.go:396 (Multi-Attach),
pkg/kubelet/kubelet.go:1980 (NetworkNotReady) and :2075 (Unable to attach or mount volumes),
pkg/kubelet/kuberuntime/kuberuntime_manager.go:1348 (FailedCreatePodSandBox),
pkg/kubelet/kuberuntime/kuberuntime_container.go:249-273 (what keeps a container from being made),
pkg/kubelet/images/helpers.go:51 (pull QPS) and image_manager.go:277-315 (pulls and their back-off, from 10 s by :219 of
pkg/kubelet/kubelet.go). Of https://github.com/containerd/containerd (v2.1): client/pull.go (failed to pull and unpack,
failed to resolve reference), core/remotes/docker/resolver.go (failed to do request), core/remotes/docker/fetcher.go
(failed open, unexpected status code), core/remotes/errors/errors.go (unexpected status from),
internal/registrar/registrar.go:57 (is reserved for).
"""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import dataclass, replace
from typing import Any

Object = dict[str, Any]

ATTACHER = "attachdetach-controller"
_CACHE = (
    'MountVolume.SetUp failed for volume "{volume}" : failed to sync {kind} cache: timed out waiting for the condition'
)
_START = 'failed to pull and unpack image "{name}": '
_RESOLVE = _START + 'failed to resolve reference "{name}": '
_HEAD = _RESOLVE + 'failed to do request: Head "https://{host}/v2/{path}/manifests/{tag}": '
_STATUS = _RESOLVE + "unexpected status from HEAD request to https://{host}/v2/{path}/manifests/{tag}: "
_OPEN = (
    _START
    + "failed to copy: httpReadSeeker: failed open: unexpected status code https://{host}/v2/{path}/blobs/{blob}: "
)
_BLOB = "sha256:8a1e25ce7c4f75e372e9884f8f7b1bedcfe4a7a7d452eb4b0a1c7477c9a90345"
_DEADLINE = "context deadline exceeded"


@dataclass(frozen=True)
class Event:
    """One thing that is reported and then passes.

    Args:
        reason: The event's reason.
        message: Its text; `{volume}` is a volume of the pod.
        seconds: How long it takes until the next try.
        component: Who writes it.

    """

    reason: str
    message: str
    seconds: float = 2
    component: str = "kubelet"


@dataclass(frozen=True)
class Hiccup:
    """What one start of a pod goes through.

    Args:
        name: What the kind is called.
        volumes: Before its volumes are there.
        sandbox: Before its network is there.
        pulls: Why its first pulls fail, one each; `{name}` is the image.
        configs: Why a container's environment can't be put together, one each.
        creates: Why a container can't be made, one each.
        slow_sandbox: Seconds until the network is there.
        slow_pull: Seconds that a pull takes longer.
        slow_create: Seconds that making a container takes longer.

    """

    name: str
    volumes: tuple[Event, ...] = ()
    sandbox: tuple[Event, ...] = ()
    pulls: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    creates: tuple[str, ...] = ()
    slow_sandbox: float = 0
    slow_pull: float = 0
    slow_create: float = 0


def _mount(message: str, seconds: float = 2) -> Event:
    return Event("FailedMount", message, seconds)


def _sandbox(message: str, seconds: float = 5) -> Event:
    return Event("FailedCreatePodSandBox", f"Failed to create pod sandbox: {message}", seconds)


_NETWORK = Event(
    "NetworkNotReady",
    "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized",
    10,
)
_CONFIGMAP = _mount(_CACHE.replace("{kind}", "configmap"))
_TIMEOUT = _HEAD + "dial tcp 20.61.97.129:443: i/o timeout"
_TOO_MANY = _STATUS + "429 Too Many Requests"
_BROKEN = _STATUS + "500 Internal Server Error"
_UNAVAILABLE = _STATUS + "503 Service Unavailable"
_NO_HOST = _HEAD + "dial tcp: lookup {host} on 168.63.129.16:53: no such host"
_UNAUTHORIZED = _RESOLVE + (
    "failed to authorize: failed to fetch oauth token: unexpected status from POST request to "
    "https://{host}/oauth2/token: 401 Unauthorized"
)
_FORBIDDEN = _STATUS + "403 Forbidden"

_KINDS = (
    Hiccup("mount-configmap", volumes=(_CONFIGMAP,)),
    Hiccup("mount-secret", volumes=(_mount(_CACHE.replace("{kind}", "secret")),)),
    Hiccup(
        "mount-configmap-thrice", volumes=(_CONFIGMAP, replace(_CONFIGMAP, seconds=4), replace(_CONFIGMAP, seconds=8))
    ),
    Hiccup(
        "mount-not-registered",
        volumes=(
            _mount(
                'MountVolume.SetUp failed for volume "{volume}" : '
                'object "{namespace}"/"kube-root-ca.crt" not registered'
            ),
        ),
    ),
    Hiccup(
        "mount-token",
        volumes=(
            _mount(
                'MountVolume.SetUp failed for volume "{volume}" : failed to fetch token: etcdserver: request timed out'
            ),
        ),
    ),
    Hiccup(
        "mount-csi-driver",
        volumes=(
            _mount(
                'MountVolume.MountDevice failed for volume "{volume}" : kubernetes.io/csi: attacher.MountDevice failed '
                "to create newCsiDriverClient: driver name disk.csi.azure.com not found in the list of registered CSI "
                "drivers",
                8,
            ),
        ),
    ),
    Hiccup(
        "attach-deadline",
        volumes=(
            Event(
                "FailedAttachVolume",
                'AttachVolume.Attach failed for volume "{volume}" : rpc error: code = DeadlineExceeded desc = '
                + _DEADLINE,
                20,
                ATTACHER,
            ),
        ),
    ),
    Hiccup(
        "attach-elsewhere",
        volumes=(
            Event(
                "FailedAttachVolume",
                'Multi-Attach error for volume "{volume}" Volume is already exclusively attached to one node and '
                "can't be attached to another",
                20,
                ATTACHER,
            ),
            _mount(
                "Unable to attach or mount volumes: unmounted volumes=[{volume}], unattached volumes=[], failed to "
                "process volumes=[]: timed out waiting for the condition",
                10,
            ),
        ),
    ),
    Hiccup("network-not-ready", sandbox=(_NETWORK,)),
    Hiccup("sandbox-deadline", sandbox=(_sandbox(f"rpc error: code = DeadlineExceeded desc = {_DEADLINE}", 10),)),
    Hiccup(
        "sandbox-network",
        sandbox=(
            _sandbox(
                "rpc error: code = Unknown desc = failed to setup network for sandbox "
                '"5f1fd9a0a2b14d3c": plugin type="azure-ipam" failed (add): Failed to get IP address from CNS'
            ),
        ),
    ),
    Hiccup("sandbox-slow", slow_sandbox=30),
    Hiccup("pull-timeout", pulls=(_TIMEOUT,)),
    Hiccup("pull-timeout-thrice", pulls=(_TIMEOUT, _TIMEOUT, _TIMEOUT)),
    Hiccup("pull-429", pulls=(_TOO_MANY,)),
    Hiccup("pull-429-layer", pulls=(_OPEN + "429 Too Many Requests", _OPEN + "429 Too Many Requests")),
    Hiccup("pull-500", pulls=(_BROKEN,)),
    Hiccup("pull-503-twice", pulls=(_UNAVAILABLE, _UNAVAILABLE)),
    Hiccup("pull-no-such-host", pulls=(_NO_HOST,)),
    Hiccup("pull-401", pulls=(_UNAUTHORIZED,)),
    Hiccup("pull-401-thrice", pulls=(_UNAUTHORIZED, _UNAUTHORIZED, _UNAUTHORIZED)),
    Hiccup("pull-403-twice", pulls=(_FORBIDDEN, _FORBIDDEN)),
    Hiccup(
        "pull-reset", pulls=(_HEAD + "read tcp 10.224.0.4:53412->20.61.97.129:443: read: connection reset by peer",)
    ),
    Hiccup("pull-tls", pulls=(_HEAD + "net/http: TLS handshake timeout",)),
    Hiccup("pull-eof", pulls=(_START + "failed to copy: httpReadSeeker: failed open: unexpected EOF",)),
    Hiccup("pull-qps", pulls=("pull QPS exceeded", "pull QPS exceeded")),
    Hiccup("pull-mixed", pulls=(_NO_HOST, _TIMEOUT, _TOO_MANY)),
    Hiccup("pull-slow", slow_pull=60),
    Hiccup("config-secret", configs=("failed to sync secret cache: timed out waiting for the condition",)),
    Hiccup("create-deadline", creates=(_DEADLINE,)),
    Hiccup(
        "create-reserved",
        creates=(
            _DEADLINE,
            'failed to reserve container name "{container}_{pod}": name "{container}_{pod}" is reserved',
        ),
    ),
    Hiccup("create-slow", slow_create=30),
    Hiccup("new-node", sandbox=(_NETWORK,), volumes=(_CONFIGMAP,), slow_pull=60),
    Hiccup("bad-day", volumes=(_CONFIGMAP,), sandbox=(_NETWORK,), pulls=(_TIMEOUT, _UNAVAILABLE), slow_create=10),
)
KINDS = {kind.name: kind for kind in _KINDS}


class Weather:
    """Gives each start of a pod its hiccup.

    Args:
        kind: The kind for every pod; None to choose one for each pod by the seed.
        seed: Chooses the kinds, the same ones in the same order each time.
        scale: What all times are multiplied by, those of the pulls' back-off too; 1 is a real node's.
        namespace: The pods that it is for; all if None.

    Raises:
        KeyError: There is no such kind.

    """

    def __init__(
        self, kind: str | None = None, *, seed: int = 0, scale: float = 0.1, namespace: str | None = None
    ) -> None:
        self.scale, self.namespace = scale, namespace
        self._kind = KINDS[kind] if kind is not None else None
        self._random = random.Random(seed)  # noqa: S311 - no secret: the same seed has to give the same kinds
        self._lock = threading.Lock()
        self.given: list[tuple[str, str]] = []
        """Each pod and the kind that it met, in order."""

    def at(self, pod: Object) -> Start | None:
        """Return what a pod's start goes through; None if nothing."""
        meta = pod["metadata"]
        if self.namespace not in {None, meta["namespace"]}:
            return None
        with self._lock:
            kind = self._kind or self._random.choice(_KINDS)
            self.given.append((meta["name"], kind.name))
        return Start(kind, self.scale)


class Start:
    """One start of a pod: what of its hiccup is still to come.

    Args:
        hiccup: The kind.
        scale: What all times are multiplied by.

    """

    def __init__(self, hiccup: Hiccup, scale: float) -> None:
        self.hiccup, self.scale = hiccup, scale
        self._left = {
            part: list(getattr(hiccup, part)) for part in ("volumes", "sandbox", "pulls", "configs", "creates")
        }
        self._numbers = itertools.count()

    def next_event(self, part: str, pod: Object) -> tuple[Event, float] | None:
        """Return the next event before the volumes or the sandbox are there, and the seconds until the next try."""
        if part == "volumes" and not pod["spec"].get("volumes"):
            return None
        if not self._left[part]:
            return None
        event = self._left[part].pop(0)
        volume = (pod["spec"].get("volumes") or [{"name": ""}])[0]["name"]
        message = event.message.replace("{volume}", volume).replace("{namespace}", pod["metadata"]["namespace"])
        return replace(event, message=message), event.seconds * self.scale

    def next_error(self, part: str, *, image: str = "", container: str = "", pod: str = "") -> str | None:
        """Return why the next try of a pull, an environment or a container fails; None if it does not."""
        if not self._left[part]:
            return None
        text: str = self._left[part].pop(0)
        host, _, rest = image.partition("/")
        path, _, tag = rest.partition("@" if "@" in rest else ":")
        values = {"name": image, "host": host, "path": path, "tag": tag or "latest", "blob": _BLOB}
        for word, value in {**values, "container": container, "pod": pod}.items():
            text = text.replace(f"{{{word}}}", value)
        return text

    def pulls(self) -> bool:
        """Tell whether images are to be pulled although the node may have them."""
        return bool(self.hiccup.pulls or self.hiccup.slow_pull)
