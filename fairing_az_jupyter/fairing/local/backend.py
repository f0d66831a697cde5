"""Trains and serves on this machine: the same archive, the same command, in child processes."""

from __future__ import annotations

import atexit
import contextlib
import logging
import shutil
import socket
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psutil
from kubeflow.fairing.deployers.deployer import DeployerInterface

from fairing_az_jupyter.exceptions import ContextError, FairingAzureError, InputError, JobFailedError
from fairing_az_jupyter.fairing.context.task_files import ABANDONED_SECONDS, SERVER, age
from fairing_az_jupyter.fairing.context.unpacking import unpack
from fairing_az_jupyter.fairing.job_program.collecting import Snapshot, select
from fairing_az_jupyter.fairing.job_program.commands import noting_outcome
from fairing_az_jupyter.fairing.job_program.sending import not_kept
from fairing_az_jupyter.fairing.local.command_words import as_local, kernel_of, program, variables_of
from fairing_az_jupyter.fairing.local.environments import (
    JOB_REQUIREMENTS,
    NOTEBOOK_REQUIREMENTS,
    SERVING_REQUIREMENTS,
    environment_for,
)
from fairing_az_jupyter.fairing.local.outcome import LocalOutcome
from fairing_az_jupyter.fairing.outcomes import JobOutputs, LaunchedJob, endpoint_failed, job_failed
from fairing_az_jupyter.fairing.processes.child import Child, LastLines
from fairing_az_jupyter.fairing.recording.current import current_record, job_variables
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.folders import data_folder
from fairing_az_jupyter.launch_events import Interrupted, Launched, Output, Phases, publish
from fairing_az_jupyter.outputs.fetching import fetch
from fairing_az_jupyter.outputs.keeping import keep
from fairing_az_jupyter.outputs.listing import kept_sizes
from fairing_az_jupyter.outputs.manifest import LeftOut
from fairing_az_jupyter.outputs.stored import LocalPlace
from fairing_az_jupyter.records import layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.outputs.sources import FileSource

logger = logging.getLogger(LOGGER_NAME)

_KEPT_FOLDERS = 20
_KEPT_BYTES = 2 * 1024**3
_KEPT_LINES = 1000
_POLL_SECONDS = 0.1

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
        application = files / _folder_in_image(container).strip("/")
        application.mkdir(parents=True, exist_ok=True)
        source = getattr(pod_spec.built_by, "source", None)
        if source is not None:
            _bring(source, application)
        return application, container

    def _start(
        self,
        application: Path,
        container: Any,  # noqa: ANN401
        command: Sequence[str],
        phases: Phases,
        *,
        variables: Mapping[str, str] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> Child:
        prefix = f"{_folder_in_image(container)}/"
        words = [as_local(word, prefix, application) for word in command]
        own = self.requirements
        if words[0] == "papermill":
            own = (*own, *NOTEBOOK_REQUIREMENTS)
            words += kernel_of(application / words[1])
        python = Path(sys.executable)
        if self._isolated:
            phases.begin("build")
            python = environment_for(application / "requirements.txt", own, logger.info)
        environment = variables_of(container.env or (), application, python, isolated=self._isolated)
        child = Child(
            [program(words[0], python), *words[1:]],
            cwd=application,
            env=environment | dict(variables or {}),
            log=self.log,
            **options,
        )
        self.log.with_name("pid").write_text(str(child.pid))
        return child


class LocalJob(_LocalDeployer):
    """Runs a training job in a child process, and keeps the files that it writes in its working folder.

    Args:
        pod_spec_mutators: See `LocalBackend`.
        isolated: See `LocalBackend`.
        outputs: See `LocalBackend`.
        outputs_limit: See `LocalBackend`.
        outputs_folder: The folder that gets the files and their list; None for one in the launch's record, or, where
            that could not be made, in the job's own folder, which stays until there are many newer ones.
        checkpoints: The folder for the program's checkpoints, from `checkpoint_folder`; it is made. A job of this
            machine is started once: what it saves there is among its outputs.

    """

    def __init__(
        self,
        pod_spec_mutators: Sequence[Callable[..., object]] | None = None,
        *,
        isolated: bool = False,
        outputs: bool | Sequence[str] = True,
        outputs_limit: int | None = None,
        outputs_folder: Path | None = None,
        checkpoints: str = "",
    ) -> None:
        super().__init__(pod_spec_mutators, isolated=isolated)
        self._checkpoints = checkpoints
        given = (outputs,) if isinstance(outputs, str) else outputs
        self._keeps = given is not False
        self._patterns = None if isinstance(given, bool) else tuple(given)
        self._outputs_folder = outputs_folder
        self._record: Path | None = None
        self._outputs_limit = outputs_limit

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
        self._record = current_record()
        with _phases_of(pod_template_spec) as phases:
            phases.begin("context")
            application, container = self._prepare(name, pod_template_spec)
            command = [*(container.command or ()), *(container.args or ())]
            logger.warning("The job %s launched.", name)
            publish(Launched("job", name))
            self._make_checkpoint_folder(application)
            before = Snapshot(application) if self._keeps else None
            outcome = LocalOutcome(application, self.folder or application)
            child = self._start(
                application,
                container,
                noting_outcome(command, _folder_in_image(container)),
                phases,
                variables=job_variables() | outcome.variables,
                stream=True,
            )
            phases.begin("run")
            phases.say(f"Job {name}")
            try:
                lines = self._watched(name, child, outcome)
            except BaseException as error:
                kept = self._keep(name, before, outcome, complete=isinstance(error, JobFailedError))
                if kept and isinstance(error, JobFailedError):
                    error.hint = f"{error.hint} {kept} The files that it wrote: fairing-azure fetch {name}"
                raise
            kept = self._keep(name, before, outcome, complete=True)
        fetch = f" {kept} The files that it wrote: fairing-azure fetch {name}" if kept else ""
        logger.info("Job %s succeeded.%s", name, fetch)
        place = LocalPlace(self._outputs) if self._keeps else None
        return LaunchedJob(name, lines, JobOutputs(name, outcome.key), place=place)

    def _make_checkpoint_folder(self, application: Path) -> None:
        try:
            (application / self._checkpoints).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"The folder for checkpoints '{self._checkpoints}' can't be made: {error.strerror}.",
                hint="Choose another one, or leave out an input file of that name.",
                code="checkpoints",
            ) from error

    @property
    def _outputs(self) -> Path:
        if self._outputs_folder is not None:
            return self._outputs_folder
        return self.log.with_name(layout.OUTPUTS) if self._record is None else self._record / layout.OUTPUTS

    def _keep(self, name: str, before: Snapshot | None, outcome: LocalOutcome, *, complete: bool) -> str:
        """Keep what a job has written; return how much that is, empty for no file."""
        if before is None:
            return ""
        limit = sys.maxsize if self._outputs_limit is None else self._outputs_limit
        try:
            chosen = select(before.changed(), self._patterns, limit)
            left_out = [LeftOut(*each) for each in chosen.left_out]
            paths = [file.path for file in chosen.files]
            paths += [outcome.result["path"]] if outcome.result else []
            kept = keep(
                Path(before.folder),
                paths,
                self._outputs,
                left_out=left_out,
                complete=complete,
                result=outcome.result,
                error=outcome.error,
            )
            for line in not_kept(chosen.left_out, limit):
                logger.warning("%s", line)
        except OSError as error:
            # Of the job this says nothing: its end, and its error, are reported as they are.
            logger.warning("The files of job %s could not be kept in %s: %s", name, self._outputs, error.strerror)
            return ""
        return kept_sizes(kept)

    def _watched(self, name: str, child: Child, outcome: LocalOutcome) -> tuple[str, ...]:
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
            raise job_failed(name, child.returncode, child.last_lines(), str(self.log), outcome.error)
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


def _bring(source: FileSource, application: Path) -> None:
    """Copy the files of an earlier job into the application's folder, wherever they are kept."""
    with source.opened() as outputs:
        fetched = fetch(outputs, [file.path for file in source.files], application)
    for rejected in fetched.rejected:
        raise ContextError(
            f"'{rejected.name}', which the job '{source.name}' has written, can't be put into the endpoint's folder: "
            f"{rejected.reason}.",
            hint="Choose the files that it needs: --from-files PATTERN, in Python from_files=[...].",
            code="files-twice",
        )
    size = sum(file.size for file in source.files)
    logger.info("The files of the job are in the endpoint's folder: %d, %d bytes.", len(source.files), size)


def _folder_in_image(container: Any) -> str:  # noqa: ANN401 - Fairing is untyped
    return f"/{str(container.working_dir or '/app').strip('/')}"


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
