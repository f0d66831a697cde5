"""A node of the test stand: the real kube-scheduler, a stand-in kubelet, and containers by podman and runc."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.stand.programs import binaries
from tests.stand.programs.base_image import base_image

from . import images, kaniko
from .containers import IMAGES, Engine, write_settings
from .events import Recorder
from .kubelet import Ground, Kubelet, Machine
from .lead_out import API_PORT, LeadOut
from .log_server import LogServer
from .relay import NameProxy
from .sandbox import Sandbox
from .scheduler import Scheduler
from .services import Services
from .weather import Weather

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stand.authority import Authority
    from tests.stand.control_plane import ControlPlane
    from tests.stand.names import Names
    from tests.stand.processes import Guard, Server

    from .pod import PodWorker

Object = dict[str, Any]
_ACCOUNT = "stand-node"
_DAY = 86_400
_BUNDLE_AT = "/run/stand-ca.pem"
_GROUPS = Path("/sys/fs/cgroup")
_NAME = "stand-node"


class Node:
    """A node that runs the pods of the whole cluster, from its making until `close`.

    Args:
        control_plane: The cluster.
        authority: Signs the kubelet's certificate.
        names: What pods reach of the stand.
        api_port: Where pods reach the API server, such as a front with faults.
        kept: Where the registry keeps what it has (https://distribution.github.io/distribution/storage-drivers/).
        folder: For everything that the node writes; a short path.
        guard: Ends it all if this process can't.

    Raises:
        MissingError: A program is missing, or this is not root on Linux.
        StartError: A part did not start.

    """

    def __init__(
        self,
        control_plane: ControlPlane,
        authority: Authority,
        names: Names,
        *,
        api_port: int,
        kept: Path,
        folder: Path,
        guard: Guard,
    ) -> None:
        if os.name != "posix" or not Path("/proc/self/ns").is_dir() or os.geteuid() != 0:
            msg = (
                "The test stand's node runs containers: it needs Linux and root's rights. Run the tests in a container."
            )
            raise binaries.MissingError(msg)
        base = base_image()
        began = time.monotonic()
        # One of an attempt that has failed may be there.
        folder.mkdir(exist_ok=True)
        self.servers: list[Server] = []
        self.kubelets: dict[str, Kubelet] = {}
        self._stops: dict[str, threading.Event] = {}
        self._weather: Weather | None = None
        self._closing: list[Any] = []
        self._folder, self._names = folder, names
        self._repositories = kept / "docker" / "registry" / "v2" / "repositories"
        self._pushed: dict[str, dict[Path, bytes]] = {}
        self._api = control_plane.admin
        self._group = f"/{folder.parent.name}"
        _sweep()
        try:
            self._start(control_plane, authority, guard, base, api_port)
        except BaseException:
            self.close()
            raise
        self.seconds = time.monotonic() - began

    def _start(
        self,
        control_plane: ControlPlane,
        authority: Authority,
        guard: Guard,
        base: Path,
        api_port: int,
    ) -> None:
        hosts = {place: str(file) for place, file in self._names.files.items()}
        token = self._account(control_plane)
        proxy = self._keep(NameProxy(hosts["node"]))
        self._environment = {
            "PATH": f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin",
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "SSL_CERT_FILE": str(authority.bundle),
            # podman ends before its garbage collector has anything to do.
            "GOGC": "400",
            "HTTPS_PROXY": proxy.url,
            **write_settings(self._folder / "podman", [base / "store"]),
        }
        sandbox = self._keep(Sandbox(self._folder, guard, self._environment))
        sandbox.mount_disk(self._folder / "podman" / IMAGES)
        scheduled = control_plane.kubeconfig(token, "default", path=self._folder / "scheduler-kubeconfig")
        ground = Ground(
            api=control_plane.api(token),
            engine=Engine(sandbox, self._group),
            sandbox=sandbox,
            events=Recorder(control_plane.admin, _NAME),
            lead_out=LeadOut(hosts["pods"], api_port),
            weather=lambda: self._weather,
            folder=self._folder / "pods",
            environment={
                "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                "KUBERNETES_SERVICE_PORT": str(API_PORT),
                "KUBERNETES_SERVICE_PORT_HTTPS": str(API_PORT),
                "SSL_CERT_FILE": _BUNDLE_AT,
                "REQUESTS_CA_BUNDLE": _BUNDLE_AT,
            },
            bundle=authority.bundle,
            bundle_at=_BUNDLE_AT,
        )
        certificate, key = authority.write_pair(self._folder, "kubelet", _NAME)
        self._server = LogServer(certificate, key, self._find)
        self._made_of = control_plane, token, ground
        self.kubelet = Kubelet(control_plane, token, ground, Machine(_NAME), port=self._server.port)
        self.kubelets[_NAME] = self.kubelet
        # In this order they end, the last one first: workers before what they use.
        self._keep(self.kubelet)
        self._keep(self._server)
        self._names.changed.append(self._wake)
        self._services = self._keep(Services(control_plane.url, authority.bundle, token, self._workers, self._names))
        self.scheduler = self._keep(Scheduler(scheduled, self._folder, guard))
        self.servers = [sandbox.server, self.scheduler.server]

    def _find(self, namespace: str, name: str) -> PodWorker | None:
        found = (kubelet.find(namespace, name) for kubelet in list(self.kubelets.values()))
        return next(filter(None, found), None)

    def _workers(self) -> list[PodWorker]:
        return [worker for kubelet in list(self.kubelets.values()) for worker in kubelet.workers()]

    def _wake(self) -> None:
        """Have all pods looked after at once."""
        for worker in self._workers():
            worker.wake()

    def join(self, machine: Machine, *, ready_after: float = 0, device_after: float = 0) -> None:
        """Add a node that runs real containers; return when it is ready.

        Args:
            machine: What it is.
            ready_after: Seconds that it is there before it is ready.
            device_after: Seconds after that until its GPUs are there.

        """
        control_plane, token, ground = self._made_of
        own = replace(ground, events=Recorder(control_plane.admin, machine.name), stopped=threading.Event())
        self._stops[machine.name] = own.stopped
        kubelet = Kubelet(
            control_plane,
            token,
            own,
            machine,
            port=self._server.port,
            ready_after=ready_after,
            device_after=device_after,
        )
        kubelet.heartbeat = self.kubelet.heartbeat
        self.kubelets[machine.name] = kubelet

    def vanish(self, name: str, *, delete: bool = False) -> None:
        """Switch a node off that has joined: its containers end at once, and nothing is reported any more.

        Args:
            name: The node's name.
            delete: Also delete its object, as a cloud's controller does once it knows that the machine is gone.

        """
        self._stops.pop(name).set()
        kubelet = self.kubelets.pop(name, None)
        if kubelet is not None:
            kubelet.vanish()
        if delete:
            self._api.call("DELETE", f"/api/v1/nodes/{name}")

    def set_heartbeat(self, seconds: float) -> None:
        """Let all nodes say every so many seconds that they are ready."""
        for kubelet in list(self.kubelets.values()):
            kubelet.heartbeat = seconds

    def pause(self) -> None:
        """Take no new pod until `resume`; those that run go on."""
        self.scheduler.pause()

    def resume(self) -> None:
        """Take new pods again."""
        self.scheduler.resume()

    def weather(
        self, kind: str | None = None, *, seed: int = 0, scale: float = 0.1, namespace: str | None = None
    ) -> Weather:
        """Let each start of a pod from now on go through a hiccup, until `calm`; return who met what.

        Args:
            kind: The kind for every pod, one of `weather.KINDS`; None to choose by the seed.
            seed: Chooses a kind for each pod, the same ones in the same order each time.
            scale: What a real node's times are multiplied by.
            namespace: The pods that it is for; all if None.

        """
        self._weather = Weather(kind, seed=seed, scale=scale, namespace=namespace)
        return self._weather

    def calm(self) -> None:
        """End the weather: what starts from now on starts at once."""
        self._weather = None

    def service_url(self, namespace: str, name: str, port: int | None = None) -> str:
        """Return where a service is reached from the tests; each connection goes to one of its ready pods.

        Args:
            namespace: The service's.
            name: Its name.
            port: Its port; the first one if None.

        Raises:
            KeyError: There is none within 5 s.

        """
        end = time.monotonic() + 5
        while True:
            with suppress(KeyError):
                return f"http://127.0.0.1:{self._services.port(namespace, name, port)}"
            if time.monotonic() > end:
                msg = f"Service {namespace}/{name} has no port {port or ''} that leads to pods."
                raise KeyError(msg)
            time.sleep(0.02)

    def push_base(self, login_server: str, dockerconfig: Object, repository: str = "base/python:3.11") -> str:
        """Push the base image, with Python 3.11 and pip, to the test registry and return its name there.

        Args:
            login_server: The registry.
            dockerconfig: Who may push: `{"auths": {...}}`, such as a set-up's.
            repository: Its repository and tag.

        """
        return self._push_once(images.push_base, login_server, repository, dockerconfig)

    def push_kaniko(self, login_server: str, dockerconfig: Object, repository: str = "tools/kaniko:1.24.0") -> str:
        """Push Kaniko's image, which trusts the stand, to the test registry and return its name there.

        Args:
            login_server: The registry.
            dockerconfig: Who may push: `{"auths": {...}}`, such as a set-up's.
            repository: Its repository and tag.

        Raises:
            MissingError: Kaniko can't be built here.
            RuntimeError: The registry refused it.

        """
        return self._push_once(kaniko.push, login_server, repository, dockerconfig)

    def _push_once(self, push: Callable[..., str], login_server: str, repository: str, dockerconfig: Object) -> str:
        """Push an image, unless it is there as it was after the last time: the registries share what they keep."""
        before = self._pushed.get(repository)
        if before and all(link.is_file() and link.read_bytes() == content for link, content in before.items()):
            return f"{login_server}/{repository}"
        name = push(login_server, repository, dockerconfig, self._environment, self._folder)
        path, _, tag = repository.rpartition(":")
        tags, layers = (self._repositories / path / part for part in ("_manifests/tags", "_layers"))
        links = [*(tags / tag).glob("current/link"), *layers.rglob("link")]
        self._pushed[repository] = {link: link.read_bytes() for link in links}
        return name

    def close(self) -> None:
        """End all pods without grace and everything else; safe to repeat."""
        for name in list(self._stops):
            self.vanish(name)
        while self._closing:
            self._closing.pop().close()
        if self._wake in self._names.changed:
            self._names.changed.remove(self._wake)
        _remove_groups(self._group)

    def _keep(self, part: Any) -> Any:
        self._closing.append(part)
        return part

    @staticmethod
    def _account(control_plane: ControlPlane) -> str:
        admin = control_plane.admin
        subject = {"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": "kube-system"}
        binding = {
            "metadata": {"name": _ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [subject],
        }
        # Those of a node that did not start are still there.
        admin.call("POST", "/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": _ACCOUNT}})
        admin.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
        return control_plane.token("kube-system", _ACCOUNT, seconds=_DAY)


def _sweep() -> None:
    """Remove the control groups of stands that were killed: empty folders which nobody else removes.

    One that lives has its folder, and may be about to use its group.
    """
    groups = {path.name for pattern in ("*/fairing-stand-*", "fairing-stand-*") for path in _GROUPS.glob(pattern)}
    for group in groups:
        if not (Path(tempfile.gettempdir()) / group).exists():
            _remove_groups(f"/{group}")


def _remove_groups(group: str) -> None:
    for top in (_GROUPS, *_GROUPS.glob("*/")):
        base = top / group.lstrip("/")
        if not base.is_dir():
            continue
        found: list[Path] = []
        # Another process of the tests may clear away the same at the same time.
        with suppress(OSError):
            found = sorted(base.rglob("*/"), reverse=True)
        for path in found:
            with suppress(OSError):
                path.rmdir()
        with suppress(OSError):
            base.rmdir()
