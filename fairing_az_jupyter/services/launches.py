"""What was launched in the cluster: seen, asked, deleted; and launching itself."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import InputError
from fairing_az_jupyter.services import local_endpoints
from fairing_az_jupyter.services.launch_planning import check_input_files
from fairing_az_jupyter.services.session import settings_in_force, usable_settings
from fairing_az_jupyter.settings import InvalidSettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.inventory.prediction_data import Samples
    from fairing_az_jupyter.fairing.tasks.launching import LaunchedEndpoint
    from fairing_az_jupyter.models import LaunchInfo, LaunchLine, Leftover, Prediction
    from fairing_az_jupyter.services.session import Notebook
    from fairing_az_jupyter.settings.sources import Resolved

__all__ = [
    "LOCAL",
    "Leftovers",
    "cleanup",
    "delete",
    "deploy",
    "describe_launch",
    "launch_logs",
    "launches_here",
    "list_launches",
    "lives_here",
    "predict",
    "predict_by_name",
    "train",
]

_LOOKED_AT = frozenset({"backend", "namespace"})
LOCAL = "LocalBackend's jobs and endpoints live in the process that launched them, and end with it."
"""Why there is nothing to look after where that backend was chosen."""


@dataclasses.dataclass(frozen=True)
class Leftovers:
    """What launches have left, and what of it is meant.

    Args:
        found: All of it.
        chosen: What is deleted.
        note: What could not be looked at, and why, in one sentence; empty if everything could.

    """

    found: tuple[Leftover, ...]
    chosen: tuple[Leftover, ...]
    note: str = ""


def lives_here(
    explicit: Mapping[str, Any] | None = None, *, notebook: Notebook = None, profile: str | None = None
) -> bool:
    """Tell whether LocalBackend was chosen, so that there is nothing to look after in a cluster.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.

    """
    return _is_local(_for_looking(explicit, notebook, profile))


def list_launches(
    explicit: Mapping[str, Any] | None = None, *, notebook: Notebook = None, profile: str | None = None
) -> tuple[LaunchInfo, ...]:
    """Return everything that was launched and is there, the oldest first.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.

    Raises:
        InputError: LocalBackend was chosen.
        ServiceError: The cluster does not do what is asked.

    """
    from fairing_az_jupyter.fairing.inventory import launches  # noqa: PLC0415 - most commands need none

    with _cluster(explicit, notebook, profile) as launcher:
        return tuple(launch.info for launch in launches.find_launches(launcher))


def launches_here(runs_folder: str | None = None) -> tuple[LaunchInfo, ...]:
    """Return the endpoints that the background keeps alive on this machine, the oldest first.

    Args:
        runs_folder: Where records are; None for the usual place.

    Returns:
        The endpoints; none where no records can be read: the cluster can be looked at all the same.

    """
    with contextlib.suppress(InputError):
        return tuple(local_endpoints.launch_info(info) for info in local_endpoints.list_here(runs_folder))
    return ()


def describe_launch(
    name: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    runs_folder: str | None = None,
) -> LaunchInfo:
    """Return one launch with all that the cluster tells about it.

    Args:
        name: Its name.
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        runs_folder: Where records are, by which endpoints of this machine are found; None for the usual place.

    Raises:
        InputError: LocalBackend was chosen.
        NotFoundError: Nothing was launched by that name.
        ServiceError: The cluster does not do what is asked.

    """
    here = local_endpoints.find(name, runs_folder)
    if here is not None:
        return local_endpoints.launch_info(here)
    from fairing_az_jupyter.fairing.inventory import launches  # noqa: PLC0415 - most commands need none

    with _cluster(explicit, notebook, profile, names=[name]) as launcher:
        return launches.described(launcher, launches.find_launch(launcher, name))


def launch_logs(
    name: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    runs_folder: str | None = None,
    follow: bool = False,
    tail: int | None = None,
) -> Generator[LaunchLine, None, None]:
    """Yield the lines that the pods of a launch have printed.

    Args:
        name: Its name.
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        runs_folder: Where records are, by which endpoints of this machine are found; None for the usual place.
        follow: Whether to go on as they come: to the end of a job or build, until the iterator is closed else.
        tail: How many lines of each container, of those that are there already; None means all.

    Yields:
        The lines, oldest first.

    Raises:
        InputError: LocalBackend was chosen.
        NotFoundError: Nothing was launched by that name.
        ExecutionError: What is followed has failed, can't start, or was deleted.
        ServiceError: The cluster does not do what is asked.

    """
    here = local_endpoints.find(name, runs_folder)
    if here is not None:
        yield from local_endpoints.lines(here, follow_it=follow, tail=tail)
        return
    from fairing_az_jupyter.fairing.inventory import launches  # noqa: PLC0415 - most commands need none

    with _cluster(explicit, notebook, profile, names=[name]) as launcher:
        launch = launches.find_launch(launcher, name)
        yield from (launches.followed_lines if follow else launches.lines)(launcher, launch, tail=tail)


def delete(
    names: Sequence[str],
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    runs_folder: str | None = None,
) -> tuple[LaunchInfo, ...]:
    """Delete launches with all that belongs to them, and wait until their pods or processes are gone.

    Args:
        names: Their names; if one of them is none, nothing is deleted.
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        runs_folder: Where records are, by which endpoints of this machine are found; None for the usual place.

    Returns:
        What was deleted.

    Raises:
        InputError: LocalBackend was chosen.
        NotFoundError: Nothing was launched by one of the names.
        ExecutionError: Something was told to go and is still there.
        ServiceError: The cluster does not do what is asked.

    """
    here = {name: found for name in names if (found := local_endpoints.find(name, runs_folder)) is not None}
    others = [name for name in names if name not in here]
    deleted: tuple[LaunchInfo, ...] = ()
    if others:
        from fairing_az_jupyter.fairing.inventory import launches  # noqa: PLC0415 - most commands need none

        # First: where one of these names is none, nothing is deleted.
        with _cluster(explicit, notebook, profile, names=others) as launcher:
            deleted = launches.delete_launches(launcher, others)
    return (*(local_endpoints.delete(found) for found in here.values()), *deleted)


def cleanup(
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    in_use: bool = False,
    everyone: bool = False,
    agree: Callable[[Leftovers], bool] | None = None,
    tell: Callable[[Leftover], object] | None = None,
) -> Leftovers:
    """Delete what launches have left and nobody needs.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        in_use: Whether what may be in use is meant as well: running jobs, and endpoints of Kubeflow Fairing itself.
        everyone: Whether what belongs to others is meant as well.
        agree: Gets what was found and says whether what was chosen is to be deleted; None means that nothing is.
        tell: Gets each object with its outcome when it is done.

    Returns:
        What was found; what was chosen has its outcome, if it was to be deleted.

    Raises:
        InputError: LocalBackend was chosen.
        ServiceError: The cluster does not do what is asked.

    """
    from fairing_az_jupyter.fairing.inventory import garbage  # noqa: PLC0415 - most commands need none

    with _cluster(explicit, notebook, profile) as launcher:
        found, note = garbage.find_leftovers(launcher)
        chosen = garbage.chosen(found, in_use=in_use, everyone=everyone)
        what = Leftovers(found, chosen, note)
        if agree is None or not agree(what):
            return what
        done = []
        for each in garbage.remove_leftovers(launcher, chosen):
            done.append(each)
            if tell is not None:
                tell(each)
        return dataclasses.replace(what, chosen=tuple(done))


def predict(
    name: str,
    data: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    runs_folder: str | None = None,
) -> Prediction:
    """Ask an endpoint for predictions.

    Args:
        name: The endpoint's name, or its URL.
        data: The path of a CSV or JSON file, or JSON text.
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        runs_folder: Where records are, by which endpoints of this machine are found; None for the usual place.

    Raises:
        InputError: The data are no rows of numbers; or LocalBackend was chosen, and there is no such endpoint here.
        NotFoundError: Nothing was launched by that name.
        EndpointError: It is not ready, can't be reached, or refuses the data.
        ServiceError: The cluster does not do what is asked.

    """
    from fairing_az_jupyter.fairing.inventory import endpoint_calls  # noqa: PLC0415 - most commands need none
    from fairing_az_jupyter.fairing.inventory.prediction_data import read_samples  # noqa: PLC0415 - likewise

    samples = read_samples(data)
    if name.lower().startswith(("http://", "https://")):
        return endpoint_calls.predict_at(name, samples)
    return predict_by_name(name, samples, explicit, notebook=notebook, profile=profile, runs_folder=runs_folder)


def predict_by_name(
    name: str,
    samples: Samples,
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    runs_folder: str | None = None,
) -> Prediction:
    """Ask the endpoint of a name, here or in the cluster; errors as of `predict`.

    Args:
        name: The endpoint's name; a URL is none.
        samples: What to predict.
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        runs_folder: Where records are; None for the usual place.

    """
    from fairing_az_jupyter.fairing.inventory import endpoint_calls  # noqa: PLC0415 - most commands need none

    here = local_endpoints.find(name, runs_folder)
    if here is not None:
        return endpoint_calls.predict_at(here.url, samples, endpoint=name)
    with _cluster(explicit, notebook, profile, names=[name]) as launcher:
        return endpoint_calls.predict(launcher, name, samples)


def train(
    task: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    names: Mapping[str, Any] | None = None,
    input_files: Sequence[str] = (),
    output_map: Mapping[str, str] | None = None,
    deadline: int | None = None,
) -> tuple[str, tuple[str, ...]]:
    """Train a class or a function as a job; its lines are printed to standard output as they come.

    Args:
        task: `FILE.py:NAME`, `FILE.ipynb:NAME` whose parameters cell counts, or a name of `names`.
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        names: The notebook's variables, where there is one.
        input_files: The files that the job needs.
        output_map: Further files, and where they go in the image.
        deadline: Seconds after which the job is ended; None for none.

    Returns:
        The job's name, and the last lines that it has printed.

    Raises:
        InputError: There is no such task, a file is missing, or a setting is.
        ExecutionError: The build or the job has failed.
        ServiceError: The cluster or an Azure service does not do what is asked.

    """
    from fairing_az_jupyter.fairing.tasks import launching  # noqa: PLC0415 - loads Fairing

    counts = _cell_of(task) if notebook is None else notebook
    settings = settings_in_force(explicit, notebook=counts, profile=profile).settings
    launch = launching.TaskLaunch(settings, tuple(input_files), dict(output_map or {}), deadline)
    check_input_files((*launch.input_files, *launch.output_map), Path.cwd(), task)
    return launching.train(task, launch, names)


def deploy(
    task: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    names: Mapping[str, Any] | None = None,
    input_files: Sequence[str] = (),
    output_map: Mapping[str, str] | None = None,
) -> LaunchedEndpoint:
    """Deploy a class as an endpoint, and wait until it is ready.

    Args:
        task: `FILE.py:CLASS`, `FILE.ipynb:CLASS` whose parameters cell counts, or a name of `names`.
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        names: The notebook's variables, where there is one.
        input_files: The files that the endpoint needs.
        output_map: Further files, and where they go in the image.

    Returns:
        The endpoint. On LocalBackend it lives as long as this process.

    Raises:
        InputError: There is no such task, a file is missing, or a setting is.
        ExecutionError: The build has failed, or the endpoint does not start.
        ServiceError: The cluster or an Azure service does not do what is asked.

    """
    from fairing_az_jupyter.fairing.tasks import launching  # noqa: PLC0415 - loads Fairing

    counts = _cell_of(task) if notebook is None else notebook
    settings = settings_in_force(explicit, notebook=counts, profile=profile).settings
    launch = launching.TaskLaunch(settings, tuple(input_files), dict(output_map or {}))
    check_input_files((*launch.input_files, *launch.output_map), Path.cwd(), task)
    return launching.deploy(task, launch, names)


def _cell_of(task: str) -> str | None:
    """Return the notebook that a task is of; None if it is of none."""
    file, _, _ = task.rpartition(":")
    return file if file.lower().endswith(".ipynb") else None


@contextlib.contextmanager
def _cluster(
    explicit: Mapping[str, Any] | None, notebook: Notebook, profile: str | None, names: Sequence[str] = ()
) -> Iterator[Launcher]:
    """Open the cluster to look at it.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        names: What is looked for, and is not on this machine.

    Raises:
        InputError: LocalBackend was chosen.

    """
    from fairing_az_jupyter.fairing.cluster.connections import Launcher  # noqa: PLC0415 - most commands need none

    resolved = _for_looking(explicit, notebook, profile)
    if _is_local(resolved):
        raise InputError(
            f"{_not_here(names[0])} {LOCAL}" if names else LOCAL,
            hint="To look at the cluster, choose its backend: --backend KubeflowAzureBackend",
            code="local-backend",
        )
    # Who only looks needs the cluster, and not the registry and the Storage account without which none can launch.
    with Launcher(resolved.settings.model_copy(update={"backend": "LocalBackend"})) as launcher:
        yield launcher


def _not_here(name: str) -> str:
    here = [info.name for info in launches_here()]
    near = difflib.get_close_matches(name, here, n=1)
    meant = f" Did you mean '{near[0]}'?" if near else f" There is: {', '.join(here[:5])}." if here else ""
    return f"No endpoint '{name[:100]}' is on this machine.{meant}"


def _for_looking(explicit: Mapping[str, Any] | None, notebook: Notebook, profile: str | None) -> Resolved:
    """Return the settings in force; what only a launch needs may be wrong, as a placeholder for a registry."""
    resolved, errors = usable_settings(explicit, notebook, profile)
    needed = [error for error in errors if error["field"] in _LOOKED_AT or error.get("source") == "argument"]
    if needed:
        raise InvalidSettingsError(needed)
    return resolved


def _is_local(resolved: Resolved) -> bool:
    """Tell whether LocalBackend was chosen; where nothing was, the cluster is meant: only there is anything to see."""
    return bool(resolved.given.get("backend")) and resolved.settings.backend == "LocalBackend"
