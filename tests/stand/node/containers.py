"""Runs containers with podman and runc in the sandbox."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .sandbox import CommandError

if TYPE_CHECKING:
    from pathlib import Path

    from .images import Image
    from .sandbox import Sandbox

# crun refuses hybrid control groups, and higher limits than these are refused in some containers.
_SETTINGS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
cgroupns = "private"
env = []

[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "none"
tmp_dir = "{folder}/tmp"
image_parallel_copies = 2
"""
_STORAGE = """\
[storage]
driver = "overlay"
runroot = "{folder}/run"
graphroot = "{folder}/{images}"

[storage.options]
additionalimagestores = [{also}]

[storage.options.overlay]
# Nothing of a test has to outlive a power cut: without it, unmounting writes the whole disk out.
mountopt = "volatile"
"""
IMAGES = "storage"
"""The folder, below that of the settings, in which images and containers are."""

# A name without a registry means Docker Hub, as with Kubernetes; the stand has no such name.
_REGISTRIES = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n'
_KILLED = 137  # 128 + SIGKILL


@dataclass(frozen=True)
class ContainerSpec:
    """What podman is asked to run.

    Args:
        name: Unique on the node.
        image: The image's name or id.
        network: The path of the pod's network namespace.
        hostname: The pod's name.
        hosts: The file that is to be /etc/hosts.
        log: The file for its output, in the format of the Container Runtime Interface.
        command: Replaces the image's entrypoint.
        arguments: Replaces the image's command.
        environment: Added to the image's.
        mounts: podman's options.
        options: More of podman's options.
        memory: The limit in bytes.

    """

    name: str
    image: str
    network: str
    hostname: str
    hosts: Path
    log: Path
    command: list[str] | None = None
    arguments: list[str] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    mounts: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    memory: int | None = None


@dataclass(frozen=True)
class Exit:
    """How a container ended.

    Args:
        code: Its exit code.
        reason: Completed, Error, OOMKilled or StartError.
        message: Why it did not start.
        started: When it started, RFC 3339; None if it did not.
        finished: When it ended.

    """

    code: int
    reason: str
    message: str = ""
    started: str | None = None
    finished: str | None = None


@dataclass
class Container:
    """A container that was started.

    Args:
        spec: What was asked for.
        identity: podman's id.
        pid: Its first process, as the sandbox numbers it.

    """

    spec: ContainerSpec
    identity: str
    pid: int


class StartFailedError(Exception):
    """A container could not be started, as when its command does not exist."""


def write_settings(folder: Path, also: list[Path]) -> dict[str, str]:
    """Write podman's settings into a folder and return the variables that name them.

    Args:
        folder: For everything that podman writes.
        also: More image stores, which are only read.

    """
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    listed = ", ".join(json.dumps(str(store)) for store in also)
    files = {
        "CONTAINERS_CONF": ("containers.conf", _SETTINGS.format(folder=folder)),
        "CONTAINERS_STORAGE_CONF": ("storage.conf", _STORAGE.format(folder=folder, images=IMAGES, also=listed)),
        "CONTAINERS_REGISTRIES_CONF": ("registries.conf", _REGISTRIES),
    }
    for name, text in files.values():
        (folder / name).write_text(text)
    return {variable: str(folder / name) for variable, (name, _) in files.items()}


class Engine:
    """podman in a sandbox.

    Args:
        sandbox: Where containers live.
        group: The control group above theirs.

    """

    def __init__(self, sandbox: Sandbox, group: str) -> None:
        self._sandbox = sandbox
        self._group = group
        self.images: dict[str, Image] = {}
        """The images that were found, by name: nothing takes one away before the end."""

    def podman(self, *arguments: str, timeout: float = 60) -> str:
        """Run podman and return its output."""
        return self._sandbox.run(["podman", *arguments], timeout=timeout)

    def start(self, spec: ContainerSpec) -> Container:
        """Start a container.

        Raises:
            StartFailedError: podman or runc refused it.

        """
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        pid_file = spec.log.with_suffix(".pid")
        options = [
            f"--name={spec.name}",
            f"--network=ns:{spec.network}",
            f"--hostname={spec.hostname}",
            "--no-hosts",
            f"--mount=type=bind,source={spec.hosts},target=/etc/hosts,ro=true",
            "--http-proxy=false",
            "--image-volume=ignore",
            "--pull=never",
            f"--log-opt=path={spec.log}",
            f"--cgroup-parent={self._group}",
            f"--pidfile={pid_file}",
            *spec.mounts,
            *spec.options,
            *(f"--env={name}={value}" for name, value in spec.environment.items()),
        ]
        if spec.memory:
            options += [f"--memory={spec.memory}b", f"--memory-swap={spec.memory}b"]
        if spec.command is not None:
            options.append(f"--entrypoint={json.dumps(spec.command)}")
        try:
            identity = self.podman("run", "--detach", *options, spec.image, *(spec.arguments or [])).split()[-1]
        except CommandError as error:
            with suppress(CommandError):
                self.podman("rm", "--force", "--time=0", "--ignore", spec.name)
            raise StartFailedError(_why(str(error))) from None
        return Container(spec, identity, int(pid_file.read_text()))

    def lives(self, container: Container) -> bool:
        """Tell whether a container runs."""
        return self._sandbox.lives(container.pid)

    def exit(self, container: Container, *, killed: bool) -> Exit:
        """Return how a container ended, which it must have.

        Args:
            container: The container.
            killed: It was sent SIGKILL from here, so a 137 is no lack of memory.

        """
        state = self._ended(container)
        code = int(state["ExitCode"])
        # runc's own flag comes too late when the first process itself is what the kernel killed.
        limited = container.spec.memory and code == _KILLED and not killed
        reason = "OOMKilled" if state.get("OOMKilled") or limited else "Error" if code else "Completed"
        return Exit(code, reason, "", _seconds(state["StartedAt"]), _seconds(state["FinishedAt"]))

    def signal(self, container: Container, name: str) -> None:
        """Send a signal to a container's first process."""
        with suppress(CommandError):
            self.podman("kill", f"--signal={name}", container.identity)

    def remove(self, container: Container) -> None:
        """Remove a container, running or not."""
        with suppress(CommandError):
            self.podman("rm", "--force", "--time=0", "--ignore", container.identity)

    def succeeds(self, container: Container, command: list[str], timeout: float) -> bool:
        """Run a command in a container and tell whether it succeeded."""
        try:
            self.podman("exec", container.identity, *command, timeout=timeout)
        except CommandError:
            return False
        return True

    def _ended(self, container: Container) -> dict[str, Any]:
        end = time.monotonic() + 20
        while True:
            state: dict[str, Any] = json.loads(self.podman("inspect", "--format={{json .State}}", container.identity))
            if state["Status"] in {"exited", "dead"} or time.monotonic() > end:
                return state
            time.sleep(0.02)


def _seconds(text: str) -> str:
    return text[:19] + "Z"


def _why(text: str) -> str:
    line = next((line for line in text.splitlines() if line.startswith("Error:")), text).removeprefix("Error: ")
    return f"failed to create containerd task: failed to create shim task: {line}"
