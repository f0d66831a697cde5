"""Asks an endpoint by its name: through its Service in the cluster, through a port of this machine from outside."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import name_of
from fairing_az_jupyter.exceptions import EndpointError, InputError
from fairing_az_jupyter.fairing.inventory.launches import find_launch
from fairing_az_jupyter.fairing.upstream.prediction_endpoint import ask, load, post
from fairing_az_jupyter.models import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.inventory.prediction_data import Samples
    from fairing_az_jupyter.fairing.inventory.states import Launch

__all__ = ["predict", "predict_at"]

_SUCCESS = 200


def predict_at(url: str, samples: Samples, *, endpoint: str = "", form: bool | None = None) -> Prediction:
    """Ask the endpoint at a URL.

    Args:
        url: Its URL; without a path, `/predict` is asked.
        samples: What to predict.
        endpoint: What to call it in the answer; the URL unless named.
        form: See `prediction.post`.

    Raises:
        InputError: The URL names no host.
        EndpointError: It can't be reached, or rejects the data.

    """
    whole = _asked(url)
    import numpy as np  # noqa: PLC0415 - a tenth of a second

    load()
    array = np.asarray(samples.rows)
    began = time.monotonic()
    answer = (
        ask(whole, array, samples.names, form=form)
        if samples.message is None
        else post(whole, samples.message, form=form)
    )
    seconds = time.monotonic() - began
    return Prediction(endpoint or url, whole, _values(answer), seconds, _SUCCESS)


def predict(launcher: Launcher, name: str, samples: Samples) -> Prediction:
    """Ask the endpoint of a name.

    Args:
        launcher: The cluster and the namespace.
        name: The endpoint's name.
        samples: What to predict.

    Raises:
        NotFoundError: Nothing was launched by that name.
        InputError: It is not an endpoint.
        EndpointError: It is not ready, can't be reached, or rejects the data.
        ServiceError: The cluster does not do what is asked.

    """
    launch = find_launch(launcher, name)
    info = launch.info
    if info.kind != "endpoint":
        raise InputError(
            f"'{name}' is a {info.kind}, not an endpoint, so it can't predict.",
            hint="List the endpoints: fairing-azure status",
            code="no-endpoint",
        )
    # Upstream's servers know upstream's form only.
    form = True if info.origin == "kubeflow-fairing" else None
    reachable = info.url and (launcher.in_cluster or (info.public and ".svc.cluster.local" not in info.url))
    if reachable:
        if info.state != "ready":
            raise _not_ready(launch)
        return predict_at(info.url, samples, endpoint=info.name, form=form)
    with _port(launcher, launch) as url:
        return predict_at(f"{url}/predict", samples, endpoint=info.name, form=form)


def _asked(url: str) -> str:
    """Return a URL with `/predict` where it has no path.

    Raises:
        InputError: It names no host.

    """
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named:
        raise InputError(
            f"'{url[:100]}' is not the URL of an endpoint.",
            hint="Use the URL that status shows, such as http://127.0.0.1:8080/predict; or the endpoint's name.",
            code="url",
        )
    return url if parts.path.strip("/") else urlunsplit(parts._replace(path="/predict"))


@contextlib.contextmanager
def _port(launcher: Launcher, launch: Launch) -> Iterator[str]:
    """Open a port of this machine that leads to a pod that serves."""
    pods = [pod for pod in launcher.workloads.list("Pod", launch.pod_labels) if _serves(pod)]
    if not pods:
        raise _not_ready(launch)
    newest = max(pods, key=lambda pod: str(mapping(pod.get("metadata")).get("creationTimestamp")))
    with launcher.workloads.port_forward(name_of(newest), launch.port) as forward:
        try:
            yield forward.url
        except EndpointError:
            # What has kept the connection from the pod says more than that there was no answer.
            forward.check()
            raise


def _not_ready(launch: Launch) -> EndpointError:
    info = launch.info
    return EndpointError(
        f"Endpoint '{info.name}' in namespace '{info.namespace}' is not ready ({info.state}), so it can't predict."
        f"{f' {info.detail}' if info.detail else ''}",
        hint=f"Check it: fairing-azure status {info.name}",
        code="not-ready",
    )


def _serves(pod: Any) -> bool:  # noqa: ANN401 - plain data
    conditions = entries(mapping(pod.get("status")).get("conditions"))
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and not mapping(pod.get("metadata")).get("deletionTimestamp")


def _values(answer: Any) -> list[Any]:  # noqa: ANN401 - as it came
    """Return the predictions in an answer of Seldon's form, one of each row."""
    data = mapping(mapping(answer).get("data"))
    if isinstance(data.get("ndarray"), list):
        return list(data["ndarray"])
    tensor = mapping(data.get("tensor"))
    values, shape = tensor.get("values"), tensor.get("shape")
    if not isinstance(values, list):
        return [answer]
    if not isinstance(shape, list) or len(shape) < 2:  # noqa: PLR2004 - rows and columns
        return values
    import numpy as np  # noqa: PLC0415 - as above

    try:
        found = np.array(values, dtype=object).reshape(shape)
    except (ValueError, TypeError):
        return values
    rows: list[Any] = (found.reshape(len(found)) if found.size == len(found) else found).tolist()
    return rows
