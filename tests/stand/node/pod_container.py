"""One container of a pod: its image, its start, its probes, its end, and when it is started again."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import environment, images, volumes
from .containers import ContainerSpec, Exit, StartFailedError
from .environment import ConfigError
from .events import now
from .images import PullError
from .logs import LogQuery, LogReader
from .probes import KINDS, Probe
from .statuses import ContainerState

if TYPE_CHECKING:
    from pathlib import Path

    from .containers import Container
    from .images import Image
    from .kubelet import Ground
    from .pod import PodWorker

Object = dict[str, Any]
_SYNC = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 10, 300
_LONG_RUN = 600
_RETRY = 2.0
_START_FAILED = 128
_WORDS, _LINES = 4096, 80  # what a kubelet keeps of a termination message, and of a log in place of one


class PodContainer:
    """One container of a pod.

    Args:
        worker: The pod.
        spec: The container's specification.
        ground: What all pods of the node share.
        init: It runs to its end before the next one starts.

    """

    def __init__(self, worker: PodWorker, spec: Object, ground: Ground, *, init: bool = False) -> None:
        self.spec = spec
        waiting = "PodInitializing" if worker.pod["spec"].get("initContainers") else "ContainerCreating"
        self.state = ContainerState(spec["name"], spec["image"], {"waiting": {"reason": waiting}})
        self._worker, self._ground, self._init = worker, ground, init
        self._running: Container | None = None
        self._probes: dict[str, Probe] = {}
        self._began = 0.0
        self._next = 0.0
        self._crashes = 0
        self._pull_pause, self._pull_again = 0, 0.0
        self._pull_said = ""
        self._killed = False
        part = "initContainers" if init else "containers"
        self._path = f"spec.{part}{{{spec['name']}}}"

    def log(self, *, previous: bool = False) -> Path:
        """Return the file of the run's log, or that of the run before."""
        number = self.state.restarts - (1 if previous else 0)
        return self._worker.folder / "logs" / self.state.name / f"{number}.log"

    def runs(self) -> bool:
        """Tell whether it runs now."""
        return self._running is not None and self._ground.engine.lives(self._running)

    def writes(self) -> bool:
        """Tell whether its log may still grow: podman tells of an end only when all output has been written."""
        return self._running is not None

    def advance(self) -> None:
        """Do the next thing that is due, if any."""
        if self.state.finished:
            return
        if self.runs():
            self._look_at_probes()
        elif self._running is not None:
            self.take_exit()
        elif time.monotonic() >= self._next:
            self._start()

    def stop(self) -> bool:
        """Ask it to end; False if it does not run."""
        if self._running is None:
            return False
        self._stop_probes()
        self.state.ready = False
        self._event("Killing", f"Stopping container {self.state.name}")
        self._ground.engine.signal(self._running, "TERM")
        return True

    def kill(self) -> None:
        """End it at once."""
        if self._running is not None:
            self._killed = True
            self._ground.engine.signal(self._running, "KILL")

    def take_exit(self) -> None:
        """Take note of how it ended, and of what follows."""
        if self._running is None:
            return
        self._stop_probes()
        how = self._ground.engine.exit(self._running, killed=self._killed)
        self._killed = False
        self._ground.engine.remove(self._running)
        self._ended(replace(how, message=self._last_words(how.code)))
        self._running = None

    def forget(self) -> None:
        """End and remove it, whatever it does."""
        self._stop_probes()
        if self._running is not None:
            self._ground.engine.remove(self._running)
            self._running = None

    def _last_words(self, code: int) -> str:
        path = self.log().with_suffix(".termination")
        said = path.read_bytes()[-_WORDS:]
        if not said and code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            said = LogReader(self.log(), LogQuery(tail=_LINES)).read()[-_WORDS // 2 :]
        return said.decode(errors="replace")

    def _ended(self, how: Exit) -> None:
        self.state.end(how)
        policy = self._worker.pod["spec"].get("restartPolicy", "Always")
        if self._init and policy == "Always":
            policy = "OnFailure"
        if policy == "Never" or (policy == "OnFailure" and how.code == 0):
            self.state.finished = True
            return
        if time.monotonic() - self._began > _LONG_RUN:
            self._crashes = 0
        # The first time it is started again at the next look, after that with a growing pause.
        pause = min(_FIRST_PAUSE << (self._crashes - 1), _LONGEST_PAUSE) if self._crashes else 0
        self._crashes += 1
        self._next = time.monotonic() + (pause or _SYNC)
        if pause:
            meta = self._worker.pod["metadata"]
            pod = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
            self.state.last = self.state.state
            text = f"back-off {_duration(pause)} restarting failed container={self.state.name} pod={pod}"
            self.state.wait("CrashLoopBackOff", text)
            message = f"Back-off restarting failed container {self.state.name} in pod {pod}"
            self._event("BackOff", message, warning=True)

    def _start(self) -> None:
        image = self._image()
        if image is None:
            return
        try:
            self._disturbed("configs")
            spec = self._container(image)
        except ConfigError as error:
            self.state.wait("CreateContainerConfigError", str(error))
            self._event("Failed", f"Error: {error}", warning=True)
            self._next = time.monotonic() + _RETRY
            return
        if self._create_fails():
            return
        if "terminated" in self.state.state:
            self.state.last = self.state.state
        if self.state.last:
            self.state.restarts += 1
            spec = self._container(image)
        self.state.image_id = image.name
        self._began = time.monotonic()
        try:
            self._running = self._ground.engine.start(spec)
        except StartFailedError as error:
            self._event("Failed", f"Error: {error}", warning=True)
            self._ended(Exit(_START_FAILED, "StartError", str(error)))
            return
        self.state.container_id = f"containerd://{self._running.identity}"
        self.state.state = {"running": {"startedAt": now()}}
        self._event("Created", f"Created container: {self.state.name}")
        self._event("Started", f"Started container {self.state.name}")
        self._start_probes()

    def _disturbed(self, part: str) -> None:
        """Fail as the weather says.

        Raises:
            ConfigError: It has something in store for this part of the start.

        """
        start = self._worker.start
        said = start.next_error(part) if start else None
        if said is not None:
            raise ConfigError(said)

    def _create_fails(self) -> bool:
        start = self._worker.start
        if start is None:
            return False
        self._worker.rest(start.hiccup.slow_create)
        said = start.next_error("creates", container=self.state.name, pod=self._worker.name)
        if said is None:
            return False
        self.state.wait("CreateContainerError", said)
        self._event("Failed", f"Error: {said}", warning=True)
        self._next = time.monotonic() + _RETRY
        return True

    def _image(self) -> Image | None:
        name = self.spec["image"]
        policy = self.spec.get("imagePullPolicy", "IfNotPresent")
        if time.monotonic() < self._pull_again:
            text = f'Back-off pulling image "{name}"'
            self._event("BackOff", text)
            self._event("Failed", "Error: ImagePullBackOff", warning=True)
            self.state.wait("ImagePullBackOff", f"{text}: {self._pull_said}")
            self._next = self._pull_again
            return None
        try:
            start = self._worker.start
            pulled = policy == "Always" or (policy != "Never" and start is not None and start.pulls())
            present = None if pulled else images.find(self._ground.engine, name)
            if present is not None:
                self._event("Pulled", f'Container image "{name}" already present on machine')
                return present
            return self._pull(name, policy)
        except PullError as error:
            self._refused(name, error)
            return None

    def _pull(self, name: str, policy: str) -> Image:
        images.full_name(name)
        if policy == "Never":
            msg = f'Container image "{name}" is not present with pull policy of Never'
            raise PullError("ErrImageNeverPull", msg)
        self._event("Pulling", f'Pulling image "{name}"')
        began = time.monotonic()
        start = self._worker.start
        said = start.next_error("pulls", image=images.full_name(name)) if start else None
        if said is not None:
            raise PullError("ErrImagePull", said)
        if start is not None:
            self._worker.rest(start.hiccup.slow_pull)
        image = images.pull(self._ground.engine, name, self._worker.pull_secrets(), self._worker.folder)
        took = _duration(time.monotonic() - began)
        text = (
            f'Successfully pulled image "{name}" in {took} ({took} including waiting). Image size: {image.size} bytes.'
        )
        self._event("Pulled", text)
        self._pull_pause = 0
        return image

    def _refused(self, name: str, error: PullError) -> None:
        self.state.wait(error.reason, str(error))
        if error.reason == "ErrImagePull":
            self._event("Failed", f'Failed to pull image "{name}": {error}', warning=True)
            self._event("Failed", "Error: ErrImagePull", warning=True)
            self._pull_pause = min(self._pull_pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
            scale = self._worker.start.scale if self._worker.start else 1
            self._pull_again = time.monotonic() + self._pull_pause * scale
            self._pull_said = f"{error.reason}: {error}"
        else:
            self._event(
                "InspectFailed" if error.reason == "InvalidImageName" else error.reason, str(error), warning=True
            )
            self._event("Failed", f"Error: {error.reason}", warning=True)
        quick = self._worker.start.scale if self._worker.start else 1
        self._next = time.monotonic() + (_SYNC * quick if error.reason == "ErrImagePull" else _RETRY)

    def _container(self, image: Image) -> ContainerSpec:
        worker, spec = self._worker, self.spec
        pod = worker.pod
        assert worker.network is not None
        values = {
            **self._ground.environment,
            **environment.variables(spec, pod, worker.address, worker.find),
        }
        command, arguments = (
            [environment.expand(word, values) for word in spec[part]] if part in spec else None
            for part in ("command", "args")
        )
        limit = spec.get("resources", {}).get("limits", {}).get("memory")
        words = self.log().with_suffix(".termination")
        words.parent.mkdir(parents=True, exist_ok=True)
        words.touch()
        words.chmod(0o666)
        mounted = [
            f"--mount=type=bind,source={self._ground.bundle},target={self._ground.bundle_at},ro=true",
            f"--mount=type=bind,source={words},target={spec.get('terminationMessagePath', '/dev/termination-log')}",
        ]
        return ContainerSpec(
            name=f"{spec['name']}-{self.state.restarts}-{worker.uid}",
            image=image.identity,
            network=worker.network.path,
            hostname=pod["spec"].get("hostname") or worker.name[:63],
            hosts=worker.hosts,
            log=self.log(),
            command=command,
            arguments=arguments,
            environment=values,
            mounts=[*mounted, *volumes.mounts(spec, worker.volumes)],
            options=_security(spec, pod["spec"], image),
            memory=int(environment.quantity(limit)) if limit else None,
        )

    def _start_probes(self) -> None:
        assert self._running is not None
        assert self._worker.network is not None
        ports = {port["name"]: port["containerPort"] for port in self.spec.get("ports", []) if "name" in port}
        for kind in KINDS:
            if kind in self.spec:
                self._probes[kind] = Probe(
                    self.spec[kind],
                    self._running,
                    ports,
                    self._worker.network,
                    self._ground.engine,
                    initial=kind == "livenessProbe",
                    changed=self._worker.wake,
                    after=self._probes.get("startupProbe"),
                )
        self._look_at_probes()

    def _look_at_probes(self) -> None:
        startup, readiness = self._probes.get("startupProbe"), self._probes.get("readinessProbe")
        self.state.started = startup is None or startup.passes
        self.state.ready = self.state.started and (readiness is None or readiness.passes)
        for kind, probe in self._probes.items():
            if probe.failed:
                probe.failed = 0
                word = kind.removesuffix("Probe").capitalize()
                self._event("Unhealthy", f"{word} probe failed: {probe.said}", warning=True)
        liveness = self._probes.get("livenessProbe")
        if liveness is not None and not liveness.passes and self.state.started:
            text = f"Container {self.state.name} failed liveness probe, will be restarted"
            self._event("Killing", text)
            self._stop_probes()
            self.kill()

    def _stop_probes(self) -> None:
        for probe in self._probes.values():
            probe.stop()
        self._probes = {}

    def _event(self, reason: str, message: str, *, warning: bool = False) -> None:
        self._ground.events.write(self._worker.pod, reason, message, warning=warning, container=self._path)


def _security(spec: Object, pod: Object, image: Image) -> list[str]:
    own = {**pod.get("securityContext", {}), **spec.get("securityContext", {})}
    options = []
    user, group = own.get("runAsUser"), own.get("runAsGroup")
    if own.get("runAsNonRoot") and user is None and image.user.partition(":")[0] in {"", "0", "root"}:
        msg = "container has runAsNonRoot and image will run as root"
        raise ConfigError(msg)
    if user is not None:
        options.append(f"--user={user}:{group or 0}")
    if own.get("fsGroup") is not None:
        options.append(f"--group-add={own['fsGroup']}")
    if own.get("privileged"):
        options.append("--privileged")
    if own.get("readOnlyRootFilesystem"):
        options.append("--read-only")
    if own.get("allowPrivilegeEscalation") is False:
        options.append("--security-opt=no-new-privileges")
    capabilities = own.get("capabilities", {})
    options += [f"--cap-add={name}" for name in capabilities.get("add", [])]
    options += [f"--cap-drop={name}" for name in capabilities.get("drop", [])]
    if spec.get("workingDir"):
        options.append(f"--workdir={spec['workingDir']}")
    return options


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    shown = f"{rest:.3f}".rstrip("0").rstrip(".")
    return f"{int(minutes)}m{shown}s" if minutes else f"{shown}s"
