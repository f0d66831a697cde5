"""Trains and deploys one class or function by Fairing's own calls, with all settings given."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import socket
import time
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from kubeflow.fairing import PredictionEndpoint, TrainJob, backends

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.fairing.outcomes import LaunchedJob, endpoint_failed
from fairing_az_jupyter.fairing.processes.child import describe_exit
from fairing_az_jupyter.fairing.tasks.lookup import load_task
from fairing_az_jupyter.fairing.upstream.stand_ins import fairing_logging
from fairing_az_jupyter.models import Deployed
from fairing_az_jupyter.settings.quantities import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fairing_az_jupyter.exceptions import EndpointError
    from fairing_az_jupyter.outputs.sources import FileSource
    from fairing_az_jupyter.settings import Settings

__all__ = ["LaunchedEndpoint", "TaskLaunch", "deploy", "served_locally", "train"]

_LOCAL = "LocalBackend"
# Upstream's remarks on each launch: which defaults and which of its classes it takes, and that notebooks suit it best.
_TALKATIVE = ("kubeflow.fairing.ml_tasks", "kubeflow.fairing.preprocessors")
_ANSWER_SECONDS = 2.0

_local_endpoints: dict[str, LaunchedEndpoint] = {}


@dataclasses.dataclass(frozen=True)
class TaskLaunch:
    """How a task is launched.

    Args:
        settings: The settings in force.
        input_files: The files that it needs, below the working directory.
        output_map: Further files, and where they go in the image.
        deadline: Seconds after which a job is ended; None for none.
        source: The files of an earlier launch that an endpoint serves; None for none.
        as_it_was: The record of a launch whose image or code is taken; None for the code that there is now.
        isolated: Whether a job or endpoint of this machine has an environment of its own.
        outputs: Whether the files that a job writes are kept, or globs that say which.
        checkpoints: The folder of a job's checkpoints; empty for none.

    """

    settings: Settings
    input_files: tuple[str, ...] = ()
    output_map: Mapping[str, str] = dataclasses.field(default_factory=dict)
    deadline: int | None = None
    source: FileSource | None = None
    as_it_was: Path | None = None
    isolated: bool = False
    outputs: bool | tuple[str, ...] = True
    checkpoints: str = ""

    def backend(self) -> Any:  # noqa: ANN401 - Fairing is untyped
        """Return the backend.

        Raises:
            InputError: It does not know what is asked of it.

        """
        if self.settings.backend != _LOCAL:
            return backends.KubeflowAzureBackend(
                settings=self.settings,
                deadline=self.deadline,
                checkpoints=self.checkpoints,
                as_it_was=self.as_it_was,
                outputs=self.outputs,
            )
        if self.deadline is not None:
            raise InputError(
                "LocalBackend does not support deadlines.",
                hint="Omit --deadline, and stop the job with Ctrl-C or cancel its run.",
                code="deadline",
            )
        limit = int(amount(self.settings.outputs_limit))
        kept: dict[str, Any] = {"outputs": self.outputs, "outputs_limit": limit, "checkpoints": self.checkpoints}
        return backends.LocalBackend(isolated=self.isolated, as_it_was=self.as_it_was, **kept)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that Fairing's tasks have in common."""
        backend = self.backend()
        local = self.settings.backend == _LOCAL
        # An image has its files already.
        sends = local or self.as_it_was is None
        return {
            "base_docker_image": None if local else self.settings.base_image,
            # Fairing changes both.
            "input_files": list(self.input_files) if sends else [],
            "output_map": dict(self.output_map) if sends else {},
            "backend": backend,
        }

    def entry_point(self, task: str, method: Literal["train", "predict"], names: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - the user's own
        """Return the class or function that is launched; where a record has it, a class of its name stands for it.

        Args:
            task: As for `train`.
            method: The method that a class needs.
            names: As for `train`.

        Raises:
            InputError: The task does not exist.

        """
        if self.as_it_was is None:
            return load_task(task, method, names)
        methods = dict.fromkeys(("train", "predict"), _does_nothing)
        return type(task.rpartition(":")[2] or "task", (), {"__module__": "__main__", **methods})


class LaunchedEndpoint:
    """An endpoint that was deployed; as long as this is kept, its URL leads to it from here.

    Args:
        endpoint: Fairing's own.
        info: What there is to show.

    """

    def __init__(self, endpoint: Any, info: Deployed) -> None:  # noqa: ANN401 - Fairing is untyped
        self._endpoint, self.info = endpoint, info
        self.name, self.url = info.name, info.url
        self.record = str(getattr(endpoint, "record", ""))
        """The identifier of the launch's record; empty where there is none."""
        self.created = time.time()
        """Seconds since 1970-01-01 UTC."""

    def __repr__(self) -> str:
        return f"<endpoint {self.name} at {self.url}; .predict(array), .delete()>"

    def predict(self, data: Any, feature_names: Any = None) -> dict[str, Any]:  # noqa: ANN401 - Fairing is untyped
        """Return the predictions for an array, as Fairing's `predict_nparray` does.

        Args:
            data: Array of shape (samples, features).
            feature_names: The names of the columns, if the model wants them.

        Raises:
            EndpointError: The endpoint can't be reached, or rejects the data.

        """
        found: dict[str, Any] = self._endpoint.predict_nparray(data, feature_names)
        return found

    def answers(self) -> bool:
        """Tell whether anything listens where it should."""
        parts = urlsplit(self.url)
        with contextlib.suppress(OSError):
            socket.create_connection((str(parts.hostname), parts.port or 80), _ANSWER_SECONDS).close()
            return True
        return False

    @property
    def log(self) -> Path | None:
        """The file that keeps what an endpoint of this machine prints; None of one in the cluster."""
        return self._endpoint._deployer.log if self.info.backend == _LOCAL else None  # noqa: SLF001 - see `deploy`

    def problem(self) -> EndpointError | None:
        """Return why an endpoint of this machine does not serve any more; None as long as its process is there."""
        child = getattr(self._endpoint._deployer, "_child", None)  # noqa: SLF001 - see `deploy`
        if child is None or child.returncode is None:
            return None
        what = f"has ended: its server ended with {describe_exit(child.returncode)}"
        where = "its record; see fairing-azure runs logs"
        return endpoint_failed(self.name, what, child.returncode, child.last_lines(), where)

    def delete(self) -> None:
        """Delete the endpoint, and wait until it is gone; safe to repeat.

        Raises:
            ServiceError: The cluster does not do what is asked.

        """
        self._endpoint.delete()


def served_locally() -> tuple[LaunchedEndpoint, ...]:
    """Return the endpoints of this machine that this process has deployed and that serve, the oldest first."""
    return tuple(each for each in _local_endpoints.values() if each.problem() is None)


def train(task: str, launch: TaskLaunch, names: Mapping[str, Any] | None = None) -> LaunchedJob:
    """Train a class or a function as a job, to its end; its lines are printed to standard output as they come.

    Args:
        task: `FILE.py:NAME`, `FILE.ipynb:NAME`, or a name of `names`.
        launch: How to launch it.
        names: The notebook's variables; None where there is no notebook.

    Returns:
        The job's name, which also knows its files, the last lines that it has printed, and its record.

    Raises:
        InputError: The task does not exist, a file is missing, or a setting is.
        ExecutionError: The build or the job has failed.
        ServiceError: The cluster or an Azure service does not do what is asked.

    """
    entry_point = launch.entry_point(task, "train", names)
    with _calmly():
        job = TrainJob(entry_point, **launch.arguments()).submit()
    return job if isinstance(job, LaunchedJob) else LaunchedJob(str(job))


def deploy(task: str, launch: TaskLaunch, names: Mapping[str, Any] | None = None) -> LaunchedEndpoint:
    """Deploy a class as an endpoint, and wait until it is ready.

    Args:
        task: `FILE.py:CLASS`, `FILE.ipynb:CLASS`, or a name of `names`.
        launch: How to launch it.
        names: The notebook's variables; None where there is no notebook.

    Returns:
        The endpoint. On this machine it takes the place of one of the same class that this process has deployed.

    Raises:
        InputError: The task does not exist, a file is missing, or a setting is.
        ExecutionError: The build has failed, or the endpoint does not start.
        ServiceError: The cluster or an Azure service does not do what is asked.

    """
    model = launch.entry_point(task, "predict", names)
    settings = launch.settings
    with _calmly():
        arguments = {**launch.arguments(), "from_job": launch.source}
        endpoint = PredictionEndpoint(model, service_type=settings.service_type, **arguments)
        endpoint.create()
    # Fairing keeps it to itself, and with it the name that it has in the cluster.
    deployer = endpoint._deployer  # noqa: SLF001
    name = getattr(deployer, "name", "") or deployer.folder.name
    launched = LaunchedEndpoint(endpoint, Deployed(name, endpoint.url, settings.backend))
    if settings.backend == _LOCAL:
        # A cell is run again, and nobody else knows the process that its first run has started.
        before = _local_endpoints.pop(model.__name__, None)
        _local_endpoints[model.__name__] = launched
        if before is not None:
            before.delete()
    return launched


def _does_nothing(*_: object) -> None:
    """Stand for a method of a class that a record has."""


@contextlib.contextmanager
def _calmly() -> Iterator[None]:
    """Let Fairing say what this package has it say, without remarks about its own insides."""
    fairing_logging()
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
