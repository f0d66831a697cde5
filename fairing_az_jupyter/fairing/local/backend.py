"""Trains and serves on this machine: the same archive, the same command, in child processes."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import shutil
import socket
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psutil
from kubeflow.fairing.deployers.deployer import DeployerInterface

from fairing_az_jupyter.exceptions import ContextError, FairingAzureError
from fairing_az_jupyter.fairing.context.task_files import ABANDONED_SECONDS, SERVER, age
from fairing_az_jupyter.fairing.context.unpacking import unpack
from fairing_az_jupyter.fairing.local.environments import (
    JOB_REQUIREMENTS,
    NOTEBOOK_REQUIREMENTS,
    SERVING_REQUIREMENTS,
    environment_for,
)
from fairing_az_jupyter.fairing.outcomes import LaunchedJob, endpoint_failed, job_failed
from fairing_az_jupyter.fairing.processes.child import Child, LastLines
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.folders import data_folder
from fairing_az_jupyter.launch_events import Interrupted, Launched, Output, Phases, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(LOGGER_NAME)

_KEPT_FOLDERS = 20
_KEPT_BYTES = 2 * 1024**3
_KEPT_LINES = 1000
_POLL_SECONDS = 0.1
_OWN_VARIABLES = ("JPY_SESSION_NAME", "JPY_PARENT_PID")

_serving: set[Child] = set()


class _LocalDeployer(DeployerInterface):  # type: ignore[misc] # Fairing is untyped
    """What jobs and endpoints have in common: a folder, an interpreter, and the pod's container as a command.

    Args:
        pod_spec_mutators: As for a cluster; what they do to the container's command and environment counts here.
        isolated: See `LocalBackend`.

    """

    requirements: Sequence[str] = JOB_REQUIREMENTS

    def __init__(self, pod_spec_mutators: Sequence[Callable[..., object]] | None, *, isolated: bool) -> None:
        self._mutators = tuple(pod_spec_mutators or ())
        self._isolated = isolated
        self.folder: Path | None = None

    @property
    def log(self) -> Path:
        """The file that keeps the output."""
        if self.folder is None:
            raise FairingAzureError("Nothing has been deployed yet.", hint="Call deploy() first.")
        return self.folder / "output.log"

    def get_logs(self) -> None:
        """Print what has been printed so far."""
        sys.stdout.write(self.log.read_text(errors="replace"))

    def _prepare(self, name: str, pod_spec: Any) -> tuple[Path, Any]:  # noqa: ANN401
        """Unpack the archive that the pod's image stands for; return the application's folder and the container."""
        for mutate in self._mutators:
            _mutate_without_cluster(mutate, pod_spec)
        container = pod_spec.containers[0]
        archive = getattr(getattr(pod_spec, "built_by", None), "archive", None)
        if archive is None:
            raise ContextError(
                f"No archive of image '{container.image}' found: LocalBackend only runs images of its own builder.",
                hint="Call the builder's build() first, in the same process.",
            )
        parent = data_folder("local")
        _prune(parent)
        self.folder = parent / name
        files = self.folder / "files"
        files.mkdir(parents=True)
        unpack(archive, files)
        application = files / str(container.working_dir or "/app").strip("/")
        application.mkdir(parents=True, exist_ok=True)
        return application, container

    def _start(
        self,
        application: Path,
        container: Any,  # noqa: ANN401
        command: Sequence[str],
        phases: Phases,
        **options: Any,  # noqa: ANN401
    ) -> Child:
        prefix = f"/{str(container.working_dir or '/app').strip('/')}/"
        words = [_as_local(word, prefix, application) for word in command]
        own = self.requirements
        if words[0] == "papermill":
            own = (*own, *NOTEBOOK_REQUIREMENTS)
            words += _kernel_of(application / words[1])
        python = Path(sys.executable)
        if self._isolated:
            phases.begin("build")
            python = environment_for(application / "requirements.txt", own, logger.info)
        child = Child(
            [_program(words[0], python), *words[1:]],
            cwd=application,
            env=_environment(container.env or (), application, python, isolated=self._isolated),
            log=self.log,
            **options,
        )
        self.log.with_name("pid").write_text(str(child.pid))
        return child


class LocalJob(_LocalDeployer):
    """Runs a training job in a child process; arguments as of `LocalBackend`."""

    def __init__(
        self,
        pod_spec_mutators: Sequence[Callable[..., object]] | None = None,
        *,
        isolated: bool = False,
    ) -> None:
        super().__init__(pod_spec_mutators, isolated=isolated)

    def deploy(self, pod_template_spec: Any) -> LaunchedJob:  # noqa: ANN401
        """Run the job to its end and print its output line by line as it comes.

        Args:
            pod_template_spec: The pod's specification from `LocalBuilder.generate_pod_spec()`.

        Returns:
            The job's name, which also knows the lines.

        Raises:
            JobFailedError: Its command ended with another exit code than 0.

        """
        name = f"fairing-job-{uuid.uuid4().hex[:8]}"
        with _phases_of(pod_template_spec) as phases:
            phases.begin("context")
            application, container = self._prepare(name, pod_template_spec)
            command = [*(container.command or ()), *(container.args or ())]
            logger.warning("The job %s launched.", name)
            publish(Launched("job", name))
            child = self._start(application, container, command, phases, stream=True)
            phases.begin("run")
            phases.say(f"Job {name}")
            lines = self._watched(name, child)
        logger.info("Job %s succeeded. What it wrote is in %s", name, application)
        return LaunchedJob(name, lines)

    def _watched(self, name: str, child: Child) -> tuple[str, ...]:
        """Print what a job prints, to its end, and return the last lines."""
        output = LastLines(_KEPT_LINES)
        try:
            for piece in child.pieces():
                output.add(piece)
                _show(piece)
        except KeyboardInterrupt:
            reported = f"Interrupted: job {name} is stopped."
            logger.warning("%s", reported)
            publish(Interrupted(reported, remains=False))
            raise
        finally:
            child.stop()
        if child.returncode:
            raise job_failed(name, child.returncode, child.last_lines(), str(self.log))
        return output.lines


class LocalServing(_LocalDeployer):
    """Runs an endpoint in a child process on a loopback port.

    Args:
        serving_class: The name of the class that predicts.
        pod_spec_mutators: See `LocalJob`.
        isolated: See `LocalBackend`.
        ready_timeout: See `LocalBackend`.

    """

    requirements = SERVING_REQUIREMENTS

    def __init__(
        self,
        serving_class: str,
        pod_spec_mutators: Sequence[Callable[..., object]] | None = None,
        *,
        isolated: bool = False,
        ready_timeout: float = 120.0,
    ) -> None:
        super().__init__(pod_spec_mutators, isolated=isolated)
        self._class = serving_class
        self._ready_timeout = ready_timeout
        self._child: Child | None = None
        self._ready = False

    def deploy(self, pod_template_spec: Any) -> str:  # noqa: ANN401
        """Start the model server and return the URL of its `/predict` when it is ready.

        Args:
            pod_template_spec: The pod's specification from `LocalBuilder.generate_pod_spec()`.

        Raises:
            EndpointError: It ended, or was not ready in time; nothing of it runs any more.

        """
        with _phases_of(pod_template_spec) as phases:
            phases.begin("context")
            url = self._served(pod_template_spec, phases)
            phases.say(f"Endpoint at {url}")
        return url

    def _served(self, pod_template_spec: Any, phases: Phases) -> str:  # noqa: ANN401
        application, container = self._prepare(f"fairing-endpoint-{uuid.uuid4().hex[:8]}", pod_template_spec)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            self._child = self._start(
                application,
                container,
                [
                    *("python", str(application / SERVER), self._class),
                    *("--host", "127.0.0.1", "--port", str(port), "--fd", str(listener.fileno())),
                ],
                phases,
                descriptor=listener.fileno(),
            )
        _serving.add(self._child)
        phases.begin("serve")
        try:
            self._wait_until_ready(self._child, f"http://127.0.0.1:{port}/v2/models/{self._class}/ready")
        except BaseException:
            self.delete()
            raise
        self._ready = True
        return f"http://127.0.0.1:{port}/predict"

    def delete(self) -> None:
        """End the endpoint's process and all that it started; nothing if it is gone. Safe to call again."""
        if self._child is not None:
            self._child.stop()
            _serving.discard(self._child)
        if self.folder is not None and self._ready:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_until_ready(self, child: Child, url: str) -> None:
        import requests  # noqa: PLC0415 - Fairing has it loaded

        end = time.monotonic() + self._ready_timeout
        with requests.Session() as session:
            session.trust_env = False
            while time.monotonic() < end:
                if child.returncode is not None:
                    raise endpoint_failed(
                        self._class,
                        f"did not start: its server ended with exit code {child.returncode}",
                        child.returncode,
                        child.last_lines(),
                        str(self.log),
                    )
                with contextlib.suppress(requests.RequestException):
                    if session.get(url, timeout=1.0).ok:
                        return
                time.sleep(_POLL_SECONDS)
        raise endpoint_failed(
            self._class,
            f"was not ready within {self._ready_timeout:.0f} s; set a longer time with LocalBackend(ready_timeout=...)",
            None,
            child.last_lines(),
            str(self.log),
        )


def _show(piece: str) -> None:
    if publish(Output(piece)):
        return
    sys.stdout.write(piece)
    sys.stdout.flush()


def _phases_of(pod_spec: object) -> Phases:
    """Return the phases that the builder of a task has begun."""
    found = getattr(getattr(pod_spec, "built_by", None), "phases", None)
    return found if isinstance(found, Phases) else Phases()


class _NoClusterError(Exception):
    """A mutator has asked for the cluster."""


class _NoCluster:
    """What a pod_spec_mutator gets in place of Fairing's KubeManager."""

    def __getattr__(self, name: str) -> NoReturn:
        raise _NoClusterError(name)


def _mutate_without_cluster(mutate: Callable[..., object], pod_spec: object) -> None:
    try:
        mutate(_NoCluster(), pod_spec, "local")
    except _NoClusterError:
        name = getattr(mutate, "__name__", mutate)
        logger.warning("pod_spec_mutator '%s' needs a cluster; LocalBackend ignores it.", name)


def _as_local(word: str, prefix: str, application: Path) -> str:
    """Return a word of the container's command with a path in the image as the path here."""
    if word == prefix.rstrip("/"):
        return str(application)
    return str(application / word[len(prefix) :]) if word.startswith(prefix) else word


def _kernel_of(notebook: Path) -> list[str]:
    """Return papermill's option for a notebook that names no kernel, which papermill would reject."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if not json.loads(notebook.read_bytes()).get("metadata", {}).get("kernelspec", {}).get("name"):
            return ["--kernel", "python3"]
    return []


def _program(name: str, python: Path) -> str:
    """Return the program that an image's `name` would be in this environment."""
    if name in {"python", "python3"}:
        return str(python)
    beside = python.parent / name
    return str(beside) if "/" not in name and beside.exists() else name


def _environment(variables: Sequence[Any], application: Path, python: Path, *, isolated: bool) -> dict[str, str]:
    foreign = {*_OWN_VARIABLES, *(("PYTHONPATH", "PYTHONHOME") if isolated else ())}
    environ = {name: value for name, value in os.environ.items() if name not in foreign}
    if environ.get("MPLBACKEND", "").startswith("module://"):
        # The kernel's own drawing backend: it draws into notebook cells, and a child has none.
        del environ["MPLBACKEND"]
    environ.update({variable.name: variable.value for variable in variables if variable.value is not None})
    environ["PYTHONUNBUFFERED"] = "1"
    environ["PYTHONPATH"] = os.pathsep.join(part for part in (str(application), environ.get("PYTHONPATH", "")) if part)
    environ["PATH"] = os.pathsep.join((str(python.parent), environ.get("PATH", os.defpath)))
    return environ


def _prune(folder: Path) -> None:
    """Remove the oldest jobs that no running process uses, beyond a number and an amount of data."""
    size = 0
    for kept, entry in enumerate(sorted(folder.iterdir(), key=age, reverse=True), start=1):
        size += sum(file.lstat().st_size for file in entry.rglob("*") if file.is_file())
        if (kept > _KEPT_FOLDERS or size > _KEPT_BYTES) and kept > 1 and not _is_used(entry):
            shutil.rmtree(entry, ignore_errors=True)


def _is_used(folder: Path) -> bool:
    try:
        return psutil.pid_exists(int((folder / "pid").read_text()))
    except (OSError, ValueError):
        # It has no process yet: another kernel may be about to start it.
        return time.time() - age(folder) < ABANDONED_SECONDS


def _stop_endpoints() -> None:
    for child in tuple(_serving):
        child.stop()


atexit.register(_stop_endpoints)
