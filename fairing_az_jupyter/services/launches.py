"""What was launched in the cluster: seen, asked, deleted; and launching itself."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.models import RunRequest
from fairing_az_jupyter.services import local_endpoints
from fairing_az_jupyter.services.launch_planning import check_input_files
from fairing_az_jupyter.services.outputs.sources import resolve_source
from fairing_az_jupyter.tracking import models

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.inventory.prediction_data import Samples
    from fairing_az_jupyter.fairing.outcomes import LaunchedJob
    from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint, TaskLaunch
    from fairing_az_jupyter.models import LaunchInfo, LaunchLine, OrphanedResource, Prediction, RunKind
    from fairing_az_jupyter.services.session import Session

__all__ = [
    "LOCAL",
    "OrphanedResources",
    "cleanup",
    "delete",
    "deploy",
    "describe_launch",
    "launch_logs",
    "list_everyones_launches",
    "list_launches",
    "local_launches",
    "predict",
    "predict_by_name",
    "train",
]

LOCAL = "LocalBackend's jobs and endpoints run in the process that launched them and end with it."
"""Why there is nothing to look after where that backend was chosen."""


@dataclasses.dataclass(frozen=True)
class OrphanedResources:
    """What launches have left behind, and what of it was chosen.

    Args:
        found: All of it.
        chosen: What is deleted.
        note: What could not be looked at, and why, in one sentence; empty if everything could.

    """

    found: tuple[OrphanedResource, ...]
    chosen: tuple[OrphanedResource, ...]
    note: str = ""


def list_launches(session: Session) -> tuple[LaunchInfo, ...]:
    """Return everything that was launched and is there, the oldest first.

    Args:
        session: The settings in force, the records and the cluster.

    Raises:
        InputError: LocalBackend was chosen.
        ServiceError: The cluster does not do what is asked.

    """
    from fairing_az_jupyter.fairing.inventory import launches  # noqa: PLC0415 - most commands need none

    with _cluster(session) as launcher:
        return tuple(launch.info for launch in launches.find_launches(launcher))


def list_everyones_launches(session: Session) -> tuple[tuple[LaunchInfo, ...], str]:
    """Return everything that was launched in all namespaces that may be looked at, the oldest first.

    Args:
        session: The settings in force, the records and the cluster.

    Returns:
        The launches; and why only those of one namespace could be looked at, in one sentence, or an empty text.

    Raises:
        InputError: LocalBackend was chosen.
        ServiceError: The cluster does not do what is asked.

    """
    from fairing_az_jupyter.fairing.inventory import launches  # noqa: PLC0415 - most commands need none

    with _cluster(session) as launcher:
        found, why = launches.find_everywhere(launcher)
        return tuple(launch.info for launch in found), why


def local_launches(session: Session) -> tuple[LaunchInfo, ...]:
    """Return the endpoints that the background keeps alive on this machine, the oldest first.

    Args:
        session: The settings in force, the records and the cluster.

    Returns:
        The endpoints; none where no records can be read: the cluster can be looked at anyway.

    """
    with contextlib.suppress(InputError):
        return tuple(local_endpoints.launch_info(info) for info in local_endpoints.list_local(session))
    return ()


def describe_launch(session: Session, name: str) -> LaunchInfo:
    """Return one launch with all that the cluster tells about it.

    Args:
        session: The settings in force, the records and the cluster.
        name: Its name.

    Raises:
        InputError: LocalBackend was chosen.
        NotFoundError: Nothing was launched by that name.
        ServiceError: The cluster does not do what is asked.

    """
    local = local_endpoints.find(session, name)
    if local is not None:
        return local_endpoints.launch_info(local)
    from fairing_az_jupyter.fairing.inventory import launches  # noqa: PLC0415 - most commands need none

    with _cluster(session, names=[name]) as launcher:
        return launches.described(launcher, launches.find_launch(launcher, name))


def launch_logs(
    session: Session,
    name: str,
    *,
    follow: bool = False,
    tail: int | None = None,
    cancelled: threading.Event | None = None,
) -> Generator[LaunchLine, None, None]:
    """Yield the lines that the pods of a launch have printed.

    Args:
        session: The settings in force, the records and the cluster.
        name: Its name.
        follow: Whether to continue as they come: to the end of a job or build, until the iterator is closed else.
        tail: How many lines of each container, of those that are there already; None means all.
        cancelled: Ends the following from another thread, also while nothing is printed.

    Yields:
        The lines, oldest first.

    Raises:
        InputError: LocalBackend was chosen.
        NotFoundError: Nothing was launched by that name.
        ExecutionError: What is followed has failed, can't start, or was deleted.
        ServiceError: The cluster does not do what is asked.

    """
    local = local_endpoints.find(session, name)
    if local is not None:
        yield from local_endpoints.lines(local, follow_it=follow, tail=tail, cancelled=cancelled)
        return
    from fairing_az_jupyter.fairing.inventory import launches  # noqa: PLC0415 - most commands need none

    with _cluster(session, names=[name]) as launcher:
        launch = launches.find_launch(launcher, name)
        if follow:
            yield from launches.watched_lines(launcher, launch, tail=tail, cancelled=cancelled)
        else:
            yield from launches.lines(launcher, launch, tail=tail)


def delete(session: Session, names: Sequence[str]) -> tuple[LaunchInfo, ...]:
    """Delete launches with all that belongs to them, and wait until their pods or processes are gone.

    Args:
        session: The settings in force, the records and the cluster.
        names: Their names; if one of them is none, nothing is deleted.

    Returns:
        What was deleted.

    Raises:
        InputError: LocalBackend was chosen.
        NotFoundError: Nothing was launched by one of the names.
        ExecutionError: Something was asked to go and is still there.
        ServiceError: The cluster does not do what is asked.

    """
    local = {name: found for name in names if (found := local_endpoints.find(session, name)) is not None}
    others = [name for name in names if name not in local]
    deleted: tuple[LaunchInfo, ...] = ()
    if others:
        from fairing_az_jupyter.fairing.inventory import launches  # noqa: PLC0415 - most commands need none

        # First: where one of these names is none, nothing is deleted.
        with _cluster(session, names=others) as launcher:
            deleted = launches.delete_launches(launcher, others)
    return (*(local_endpoints.delete(found) for found in local.values()), *deleted)


def cleanup(
    session: Session,
    *,
    in_use: bool = False,
    everyone: bool = False,
    agree: Callable[[OrphanedResources], bool] | None = None,
    report: Callable[[OrphanedResource], object] | None = None,
) -> OrphanedResources:
    """Delete orphaned resources: finished jobs and builds, incomplete endpoints, old Secrets.

    Args:
        session: The settings in force, the records and the cluster.
        in_use: Whether what may be in use is included: running jobs, and endpoints of Kubeflow Fairing itself.
        everyone: Whether what belongs to others is included.
        agree: Gets what was found and says whether what was chosen is to be deleted; None means that nothing is.
        report: Gets each object with its outcome when it is done.

    Returns:
        What was found; what was chosen has its outcome, if it was to be deleted.

    Raises:
        InputError: LocalBackend was chosen.
        ServiceError: The cluster does not do what is asked.

    """
    from fairing_az_jupyter.fairing.inventory import garbage  # noqa: PLC0415 - most commands need none

    with _cluster(session) as launcher:
        found, note = garbage.find_orphans(launcher)
        chosen = garbage.chosen(found, in_use=in_use, everyone=everyone)
        what = OrphanedResources(found, chosen, note)
        if agree is None or not agree(what):
            return what
        done = []
        for each in garbage.remove_orphans(launcher, chosen):
            done.append(each)
            if report is not None:
                report(each)
        return dataclasses.replace(what, chosen=tuple(done))


def predict(session: Session, name: str, data: str) -> Prediction:
    """Ask an endpoint for predictions.

    Args:
        session: The settings in force, the records and the cluster.
        name: The endpoint's name, or its URL.
        data: The path of a CSV or JSON file, or JSON text.

    Raises:
        InputError: The data are not rows of numbers; or LocalBackend was chosen, and the endpoint does not exist here.
        NotFoundError: Nothing was launched by that name.
        EndpointError: It is not ready, can't be reached, or rejects the data.
        ServiceError: The cluster does not do what is asked.

    """
    from fairing_az_jupyter.fairing.inventory import endpoint_calls  # noqa: PLC0415 - most commands need none
    from fairing_az_jupyter.fairing.inventory.prediction_data import read_samples  # noqa: PLC0415 - likewise

    samples = read_samples(data)
    if name.lower().startswith(("http://", "https://")):
        return endpoint_calls.predict_at(name, samples)
    return predict_by_name(session, name, samples)


def predict_by_name(session: Session, name: str, samples: Samples) -> Prediction:
    """Ask the endpoint of a name, here or in the cluster; errors as of `predict`.

    Args:
        session: The settings in force, the records and the cluster.
        name: The endpoint's name; a URL is none.
        samples: What to predict.

    """
    from fairing_az_jupyter.fairing.inventory import endpoint_calls  # noqa: PLC0415 - most commands need none

    local = local_endpoints.find(session, name)
    if local is not None:
        return endpoint_calls.predict_at(local.url, samples, endpoint=name)
    with _cluster(session, names=[name]) as launcher:
        return endpoint_calls.predict(launcher, name, samples)


def train(  # noqa: PLR0913 - keywords, each of which the command line has too
    session: Session,
    task: str,
    *,
    names: Mapping[str, Any] | None = None,
    input_files: Sequence[str] = (),
    output_map: Mapping[str, str] | None = None,
    deadline: int | None = None,
    checkpoints: str = "",
    name: str = "",
    outputs: bool | Sequence[str] = True,
    register: str = "",
) -> LaunchedJob:
    """Train a class or a function as a job; its lines are printed to standard output as they come.

    Args:
        session: The settings in force, the records and the cluster.
        task: `FILE.py:NAME`, `FILE.ipynb:NAME` whose parameters cell counts, or a name of `names`.
        names: The notebook's variables, where there is one.
        input_files: The files that the job needs.
        output_map: Further files, and where they go in the image.
        deadline: Seconds after which the job is ended; None for none.
        checkpoints: The folder that is there again where the job's pod is started anew; empty for none.
        name: What the user calls it.
        outputs: Whether the files that it writes are kept, or globs that say which.
        register: The name of the model in MLflow's registry that its files become a version of; empty for none.

    Returns:
        The job's name, which also knows the last lines that it has printed, and its record.

    Raises:
        InputError: The task does not exist, a file is missing, or a setting is.
        ExecutionError: The build or the job has failed.
        ServiceError: The cluster, an Azure service or MLflow does not do what is asked.

    """
    from fairing_az_jupyter.fairing.checkpoint_folder import checkpoint_folder  # noqa: PLC0415 - loads Fairing
    from fairing_az_jupyter.fairing.recording.current import asked_for  # noqa: PLC0415 - likewise
    from fairing_az_jupyter.fairing.tasks import launching  # noqa: PLC0415 - likewise

    session = _in_the_cell_of(session, task)
    kept = outputs if isinstance(outputs, bool) else tuple(outputs)
    launch = launching.TaskLaunch(
        session.settings,
        tuple(input_files),
        dict(output_map or {}),
        deadline,
        outputs=kept,
        checkpoints=checkpoint_folder(checkpoints),
    )
    check_input_files(session, (*launch.input_files, *launch.output_map), Path.cwd(), task)
    if register:
        models.check_registry(session.settings, register)
    request = dataclasses.replace(_request(session, "train", task, launch, name), register=register)
    with asked_for(request, lambda: session.store):
        job = launching.train(task, launch, names)
    if register:
        models.check_registered(session.store.folder(job.record), register)
    return job


def deploy(
    session: Session,
    task: str,
    *,
    names: Mapping[str, Any] | None = None,
    input_files: Sequence[str] = (),
    output_map: Mapping[str, str] | None = None,
    name: str = "",
    from_job: str = "",
    from_files: Sequence[str] = (),
) -> LaunchedEndpoint:
    """Deploy a class as an endpoint, and wait until it is ready.

    Args:
        session: The settings in force, the records and the cluster.
        task: `FILE.py:CLASS`, `FILE.ipynb:CLASS` whose parameters cell counts, or a name of `names`.
        names: The notebook's variables, where there is one.
        input_files: The files that the endpoint needs.
        output_map: Further files, and where they go in the image.
        name: What the user calls it.
        from_job: The launch whose files it serves, as `fetch` takes it; empty for none.
        from_files: Which of these files: paths, patterns or folders; none for all.

    Returns:
        The endpoint. On LocalBackend it lives as long as this process.

    Raises:
        InputError: The task does not exist, a file is missing, or a setting is.
        ExecutionError: The build has failed, or the endpoint does not start.
        ServiceError: The cluster or an Azure service does not do what is asked.

    """
    from fairing_az_jupyter.fairing.recording.current import asked_for  # noqa: PLC0415 - loads Fairing
    from fairing_az_jupyter.fairing.tasks import launching  # noqa: PLC0415 - likewise

    session = _in_the_cell_of(session, task)
    launch = launching.TaskLaunch(session.settings, tuple(input_files), dict(output_map or {}))
    check_input_files(session, (*launch.input_files, *launch.output_map), Path.cwd(), task, deploys=True)
    launch = dataclasses.replace(launch, source=resolve_source(session, from_job, from_files))
    with asked_for(_request(session, "deploy", task, launch, name), lambda: session.store):
        return launching.deploy(task, launch, names)


def _request(session: Session, kind: RunKind, task: str, launch: TaskLaunch, name: str) -> RunRequest:
    """Return a launch as its record tells it, so that it can be repeated in the background.

    There nobody has the notebook's variables: what they say stands among the settings.
    """
    from fairing_az_jupyter.fairing.upstream.notebook_name import get_notebook_name, get_notebook_path  # noqa: PLC0415 - loads Fairing

    file, _, of_file = task.rpartition(":")
    in_file = isinstance(session.notebook, str)
    wanted = {"argument"} if in_file else {"argument", "parameters cell"}
    given = {each.field for each in session.resolved.explain() if each.source in wanted}
    return RunRequest(
        file or str(get_notebook_path() or get_notebook_name() or "notebook"),
        None,
        cwd=str(Path.cwd()),
        deadline=launch.deadline,
        kind=kind,
        task=of_file,
        settings=session.settings.model_dump(mode="json", include=given),
        profile=session.profile,
        input_files=launch.input_files,
        output_map=launch.output_map,
        checkpoints=launch.checkpoints,
        name=name,
        from_job="" if launch.source is None else launch.source.name,
        from_files=() if launch.source is None else launch.source.names,
        outputs=launch.outputs,
    )


def _in_the_cell_of(session: Session, task: str) -> Session:
    """Return the session in which the parameters cell of a task's notebook counts, if no other does."""
    file, _, _ = task.rpartition(":")
    own = session.notebook is None and file.lower().endswith(".ipynb")
    return session.with_cell(file) if own else session


@contextlib.contextmanager
def _cluster(session: Session, names: Sequence[str] = ()) -> Iterator[Launcher]:
    """Open the cluster to look at it.

    Args:
        session: The settings in force, the records and the cluster.
        names: What is looked for, and is not on this machine.

    Raises:
        InputError: LocalBackend was chosen.

    """
    if session.is_local:
        raise InputError(
            f"{_not_found_locally(session, names[0])} {LOCAL}" if names else LOCAL,
            hint="To query the cluster, choose its backend: --backend KubeflowAzureBackend",
            code="local-backend",
        )
    with session.cluster() as launcher:
        yield launcher


def _not_found_locally(session: Session, name: str) -> str:
    local = [info.name for info in local_launches(session)]
    near = difflib.get_close_matches(name, local, n=1)
    suggestion = f" Did you mean '{near[0]}'?" if near else f" There is: {', '.join(local[:5])}." if local else ""
    return f"No endpoint '{name[:100]}' found on this machine.{suggestion}"
