"""The way from this machine to an endpoint's pod: a loopback port that follows the pod's replacements."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import EndpointError, FairingAzureError
from fairing_az_jupyter.fairing.cluster.manifests import PORT
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.kube.workloads import Workloads

__all__ = ["Forward"]

logger = logging.getLogger(LOGGER_NAME)

_LOOK_SECONDS = 1.0


class Forward:
    """A port of this machine that leads to a ready pod, also when that has been replaced by another.

    It is open from its making until `close`, and looks each second whether its pod is still there.

    Args:
        workloads: The namespace.
        labels: The pods' labels.

    Raises:
        EndpointError: No pod is ready.
        ServiceError: The cluster does not do what is asked.

    """

    url: str
    """Where it is reached, such as `http://127.0.0.1:40123`; it stays the same when the pod is replaced."""

    def __init__(self, workloads: Workloads, labels: Mapping[str, str]) -> None:
        self._workloads, self._labels = workloads, labels
        self._over, self._reported = threading.Event(), ""
        pods = self._ready_pods()
        if not pods:
            raise EndpointError(
                f"The endpoint has no ready pod in namespace '{workloads.namespace}', so no port can be forwarded.",
                hint=f"Check its pods, or create the endpoint again: kubectl -n {workloads.namespace} get pods",
                code="not-ready",
            )
        self._pod = pods[-1]
        self._open = workloads.port_forward(self._pod, PORT)
        self.url = self._open.url
        self._thread = threading.Thread(target=self._keep, name="endpoint-forward", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what has kept the newest connection from the pod, if anything has.

        Raises:
            ServiceError: The cluster did not lead the connection to the pod.

        """
        self._open.check()

    def close(self) -> None:
        """Stop listening and close all connections; safe to repeat."""
        self._over.set()
        self._open.close()
        if self._thread is not threading.current_thread():
            self._thread.join(_LOOK_SECONDS)

    def _keep(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            self._renew()
        except FairingAzureError as error:
            if error.message != self._reported:
                self._reported = error.message
                logger.info("Port forwarding to the endpoint can't be repaired now: %s", error)

    def _renew(self) -> None:
        pods = self._ready_pods()
        if not pods or self._pod in pods or self._over.is_set():
            return
        port, self._pod = self._open.local_port, ""
        self._open.close()
        self._open = self._workloads.port_forward(pods[-1], PORT, local_port=port)
        self._pod = pods[-1]
        if self._over.is_set():
            self._open.close()

    def _ready_pods(self) -> list[str]:
        """Return the names of the pods that serve, the newest last."""
        found = [pod for pod in self._workloads.list("Pod", self._labels) if _is_ready(pod)]
        found.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
        return [str(pod["metadata"]["name"]) for pod in found]


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
