"""All endpoints, those of this machine and those of the cluster: listed, asked, deleted, listened to."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.models import EndpointInfo
from fairing_az_jupyter.services import launches as launching
from fairing_az_jupyter.services import local_endpoints
from fairing_az_jupyter.services.session import usable_settings

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Mapping

    from fairing_az_jupyter.models import LaunchInfo, LaunchLine, Prediction
    from fairing_az_jupyter.services.session import Notebook

__all__ = ["ask_endpoint", "delete_endpoint", "endpoint_log", "list_endpoints"]


def list_endpoints(
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    runs_folder: str | None = None,
) -> tuple[tuple[EndpointInfo, ...], str]:
    """List the endpoints that the background keeps alive here, and those of the cluster.

    Args:
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        runs_folder: Where records are; None for the usual place.

    Returns:
        The endpoints, those of this machine first; and why the cluster could not be asked, in one sentence, empty if
        it could or if LocalBackend was chosen.

    Raises:
        InputError: The records can't be read.

    """
    here = tuple(local_endpoints.endpoint_info(info) for info in local_endpoints.list_here(runs_folder))
    where: dict[str, Any] = {"notebook": notebook, "profile": profile}
    try:
        if launching.lives_here(explicit, **where):
            return here, ""
        found = launching.list_launches(explicit, **where)
    except FairingAzureError as error:
        # The first sentence says why; the others what it is good for.
        reason = re.split(r"\.\s+(?=[A-Z])", " ".join(error.message.split()), maxsplit=1)[0].rstrip(".")
        return here, f"The cluster could not be asked: {reason}."
    there = tuple(_of_cluster(each) for each in found if each.kind == "endpoint")
    return (*here, *there), ""


def ask_endpoint(
    name: str,
    data_text: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    runs_folder: str | None = None,
) -> Prediction:
    """Ask an endpoint for predictions with data as somebody has typed them.

    Args:
        name: The endpoint's name.
        data_text: CSV (a first row of names counts as such) or JSON; never the path of a file.
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        runs_folder: Where records are; None for the usual place.

    Raises:
        InputError: The data are no rows of numbers; or there is no such endpoint here, and LocalBackend was chosen.
        NotFoundError: Nothing was launched by that name.
        EndpointError: It is not ready, can't be reached, or refuses the data.
        ServiceError: The cluster does not do what is asked.

    """
    from fairing_az_jupyter.fairing.inventory.prediction_data import read_samples_text  # noqa: PLC0415 - with all of the bridge

    samples = read_samples_text(data_text)
    return launching.predict_by_name(
        name, samples, explicit, notebook=notebook, profile=profile, runs_folder=runs_folder
    )


def delete_endpoint(
    name: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    runs_folder: str | None = None,
) -> None:
    """Delete an endpoint, and wait until it is gone.

    Args:
        name: The endpoint's name.
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        runs_folder: Where records are; None for the usual place.

    Raises:
        InputError: There is no such endpoint here, and LocalBackend was chosen.
        NotFoundError: Nothing was launched by that name.
        ExecutionError: It was told to go and is still there.
        ServiceError: The cluster does not do what is asked.

    """
    launching.delete([name], explicit, notebook=notebook, profile=profile, runs_folder=runs_folder)


def endpoint_log(
    name: str,
    explicit: Mapping[str, Any] | None = None,
    *,
    notebook: Notebook = None,
    profile: str | None = None,
    follow: bool = False,
    tail: int | None = None,
    cancelled: threading.Event | None = None,
    runs_folder: str | None = None,
) -> Generator[LaunchLine, None, None]:
    """Yield the lines that an endpoint has printed.

    Args:
        name: The endpoint's name.
        explicit: Settings given as arguments, by field.
        notebook: A notebook whose parameters cell counts, or that cell's variables.
        profile: The profile to use; None for the active one.
        follow: Whether to go on as they come: until an endpoint of this machine is gone, or the iterator is closed.
        tail: How many lines of those that are there already; None means all.
        cancelled: Ends the following from another thread, also while nothing is printed.
        runs_folder: Where records are; None for the usual place.

    Yields:
        The lines, oldest first.

    Raises:
        InputError: There is no such endpoint here, and LocalBackend was chosen.
        NotFoundError: Nothing was launched by that name.
        ExecutionError: It has failed, can't start, or was deleted.
        ServiceError: The cluster does not do what is asked.

    """
    here = local_endpoints.find(name, runs_folder)
    if here is not None:
        yield from local_endpoints.lines(here, follow_it=follow, tail=tail, cancelled=cancelled)
        return
    where: dict[str, Any] = {"notebook": notebook, "profile": profile}
    if cancelled is None or not follow or launching.lives_here(explicit, **where):
        yield from launching.launch_logs(name, explicit, **where, follow=follow, tail=tail, runs_folder=runs_folder)
        return
    from fairing_az_jupyter.fairing.cluster.connections import Launcher  # noqa: PLC0415 - likewise
    from fairing_az_jupyter.fairing.inventory import launches  # noqa: PLC0415 - with all of the bridge

    settings = usable_settings(explicit, notebook, profile)[0].settings
    # Who only looks needs the cluster, and no registry and Storage account.
    with Launcher(settings.model_copy(update={"backend": "LocalBackend"})) as launcher:
        workloads = launcher.workloads
        # Nothing else is followed by this launcher, and what follows takes no event of its own.
        workloads.follow = functools.partial(workloads.follow, cancel=cancelled)  # type: ignore[method-assign]
        yield from launches.followed_lines(launcher, launches.find_launch(launcher, name), tail=tail)


def _of_cluster(info: LaunchInfo) -> EndpointInfo:
    return EndpointInfo(
        info.name,
        info.state,
        "cluster",
        namespace=info.namespace,
        url=info.url,
        public=info.public,
        created=info.created,
        detail=info.detail,
        image=info.image,
        owner=info.owner,
    )
