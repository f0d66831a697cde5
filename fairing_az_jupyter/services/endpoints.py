"""All endpoints, those of this machine and those of the cluster: listed and asked; all else is done with launches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fairing_az_jupyter.exceptions import FairingAzureError
from fairing_az_jupyter.models import EndpointInfo
from fairing_az_jupyter.services import launches as launching
from fairing_az_jupyter.services import local_endpoints

if TYPE_CHECKING:
    from fairing_az_jupyter.models import LaunchInfo, Prediction
    from fairing_az_jupyter.services.session import Session

__all__ = ["ask_endpoint", "list_endpoints"]


def list_endpoints(session: Session) -> tuple[tuple[EndpointInfo, ...], str]:
    """List the endpoints that the background keeps alive here, and those of the cluster.

    Args:
        session: The settings in force, the records and the cluster.

    Returns:
        The endpoints, those of this machine first; and why the cluster could not be asked, in one sentence, empty if
        it could or if LocalBackend was chosen.

    Raises:
        InputError: The records can't be read.

    """
    local = tuple(local_endpoints.endpoint_info(info) for info in local_endpoints.list_local(session))
    try:
        if session.is_local:
            return local, ""
        found = launching.list_launches(session)
    except FairingAzureError as error:
        # The first sentence says why; the others what it is good for.
        reason = re.split(r"\.\s+(?=[A-Z])", " ".join(error.message.split()), maxsplit=1)[0].rstrip(".")
        return local, f"The cluster could not be queried: {reason}."
    there = tuple(_of_cluster(each) for each in found if each.kind == "endpoint")
    return (*local, *there), ""


def ask_endpoint(session: Session, name: str, data_text: str) -> Prediction:
    """Ask an endpoint for predictions with data as somebody has typed them.

    Args:
        session: The settings in force, the records and the cluster.
        name: The endpoint's name.
        data_text: CSV (a first row of names counts as such) or JSON; never the path of a file.

    Raises:
        InputError: The data are not rows of numbers; or the endpoint does not exist here, and LocalBackend was chosen.
        NotFoundError: Nothing was launched by that name.
        EndpointError: It is not ready, can't be reached, or rejects the data.
        ServiceError: The cluster does not do what is asked.

    """
    from fairing_az_jupyter.fairing.inventory.prediction_data import read_samples_text  # noqa: PLC0415 - with all of the bridge

    samples = read_samples_text(data_text)
    return launching.predict_by_name(session, name, samples)


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
