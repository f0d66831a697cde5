"""The pod of an endpoint as plain data: the model server in it, and the probes by which Kubernetes watches it.

Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.fairing.cluster.manifests import PORT, finished_pod
from fairing_az_jupyter.fairing.model_server.serving import CONTAINER_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.fairing.cluster.manifests import Placement, Target

__all__ = ["READY_SECONDS", "endpoint_pod", "progress_seconds"]

READY_SECONDS = 600.0
"""How long an endpoint may take until it is ready, unless somebody says otherwise."""

_SERVER = f"/app/{CONTAINER_FILES['serving.py']}"
# Our server ends within two; Kubernetes' own 30 would keep a `delete` waiting for one that does not listen.
_GRACE_SECONDS = 5
# For a node to come and an image to be pulled, before the server's own start.
_WAIT_SECONDS = 3600
# The server answers while a prediction runs, which has a thread of its own; but code in C may hold Python's lock for
# minutes, and that is not a reason to end it. What has not answered for ten minutes is stuck.
_ALIVE = {"periodSeconds": 60, "timeoutSeconds": 30, "failureThreshold": 10}


def endpoint_pod(
    spec: Mapping[str, Any],
    serving_class: str,
    target: Target,
    placement: Placement,
    ready_timeout: float = READY_SECONDS,
) -> dict[str, Any]:
    """Return the specification of a pod that serves a class.

    Args:
        spec: The specification from Fairing, after the user's mutators; it is not changed.
        serving_class: The name of the class that predicts.
        target: In whose name it runs.
        placement: What it asks for.
        ready_timeout: How long the server may take until it is ready, in seconds, from the start of its container.

    """
    pod = finished_pod(spec, target, placement, ends=False)
    pod.setdefault("terminationGracePeriodSeconds", _GRACE_SECONDS)
    _serve(pod["containers"][0], serving_class, ready_timeout)
    return pod


def progress_seconds(ready_timeout: float) -> int:
    """Return the seconds after which a Deployment may report that it makes no progress.

    Args:
        ready_timeout: How long the server may take until it is ready, in seconds.

    """
    return max(1, math.ceil(ready_timeout)) + _WAIT_SECONDS


def _serve(container: dict[str, Any], serving_class: str, ready_timeout: float) -> None:
    """Make a container the endpoint's; probes and ports that a mutator has set stay."""
    container["command"] = ["python", _SERVER, serving_class, "--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104
    container.pop("args", None)
    container.setdefault("ports", [{"name": "http", "containerPort": PORT, "protocol": "TCP"}])
    ready = {"httpGet": {"path": f"/v2/models/{serving_class}/ready", "port": PORT}, "timeoutSeconds": 5}
    alive = {"httpGet": {"path": "/v2/health/live", "port": PORT}, **_ALIVE}
    # While it loads it is asked each second, so that it is known at once, and then seldom: predictions come first.
    # It is asked from the start of the container on, so that no wait for a node or an image counts.
    tries = max(1, math.ceil(ready_timeout))
    container.setdefault("startupProbe", {**ready, "periodSeconds": 1, "failureThreshold": tries})
    container.setdefault("readinessProbe", {**ready, "periodSeconds": 5, "failureThreshold": 3})
    container.setdefault("livenessProbe", alive)
