"""Serves a class in the cluster: a Deployment and a Service, and a way to them from this machine."""

from __future__ import annotations

import contextlib
import http.client
import logging
import math
import threading
import time
import weakref
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubeflow.fairing.deployers.deployer import DeployerInterface

from fairing_az_jupyter.clients.kube.diagnosis import Diagnosis
from fairing_az_jupyter.exceptions import EndpointError, ExecutionError, FairingAzureError, InputError
from fairing_az_jupyter.fairing.cluster_events import Shown, print_line, told_after_deletion
from fairing_az_jupyter.fairing.cluster_job import plain_spec
from fairing_az_jupyter.fairing.pod_objects import PORT, deployment, finished_pod, labels_of, new_name, service
from fairing_az_jupyter.fairing.serving import CONTAINER_FILES
from fairing_az_jupyter.fairing.standins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.clients.workloads import Workloads
    from fairing_az_jupyter.fairing.launcher import Launcher

__all__ = ["ClusterServing"]

logger = logging.getLogger(LOGGER_NAME)

_SERVER = f"/app/{CONTAINER_FILES['serving.py']}"
_GONE_SECONDS = 60.0
_UNDONE_SECONDS = 15.0
# Our server ends within two; Kubernetes' own 30 would keep a `delete` waiting for one that does not listen.
_GRACE_SECONDS = 5
_ANSWER_SECONDS = 15.0
_ONE_ANSWER_SECONDS = 5.0
_ADDRESS_SECONDS = 300.0
_LOOK_SECONDS = 1.0
_PUBLIC = "LoadBalancer"


class ClusterServing(DeployerInterface):  # type: ignore[misc] # Fairing is untyped
    """Serves a class from a Deployment of one pod, behind a Service of the same name.

    Args:
        launcher: The cluster, and in whose name pods run there.
        serving_class: The name of the class that predicts.
        service_type: `ClusterIP`, or `LoadBalancer` for a public address.
        pod_spec_mutators: Functions that change the pod's specification, as Fairing calls them.
        ready_timeout: How long it may take until it is ready, in seconds.
        address_timeout: How long a load balancer may take until it has an address, in seconds.

    Raises:
        InputError: The type of service is none of the two.

    """

    def __init__(
        self,
        launcher: Launcher,
        serving_class: str,
        *,
        service_type: str = "ClusterIP",
        pod_spec_mutators: Sequence[Callable[..., object]] | None = None,
        ready_timeout: float = 600.0,
        address_timeout: float = _ADDRESS_SECONDS,
    ) -> None:
        if service_type not in {"ClusterIP", _PUBLIC}:
            raise InputError(
                f"An endpoint's service_type can't be {service_type!r}.",
                hint=f"Name ClusterIP, or {_PUBLIC} for a public address.",
                code="service-type",
            )
        self._launcher, self._class = launcher, serving_class
        self._public = service_type == _PUBLIC
        self._mutators = tuple(pod_spec_mutators or ())
        self._ready_timeout, self._address_timeout = ready_timeout, address_timeout
        self._close_forward: Callable[[], object] | None = None
        self._container = ""
        self.name = ""

    def deploy(self, pod_spec: Any) -> str:  # noqa: ANN401 - Fairing is untyped
        """Start the endpoint and return the URL of its `/predict` when it is ready.

        Args:
            pod_spec: The pod's specification from the builder's `generate_pod_spec()`; it is not changed.

        Returns:
            The Service's URL; outside of the cluster, one of this machine that leads to a pod of it.

        Raises:
            EndpointError: It can't start, was not ready in time, or has got no address; nothing of it is left.
            InputError: There is nothing to serve, or the cluster refuses it as it is.
            ServiceError: The cluster does not do what is asked.

        """
        # A deployer that is used again replaces what it has made: nobody else knows it.
        self.delete()
        target = self._launcher.target
        spec = plain_spec(pod_spec, self._mutators, target.namespace)
        pod = finished_pod(spec, target, self._launcher.placement, ends=False)
        pod.setdefault("terminationGracePeriodSeconds", _GRACE_SECONDS)
        _serve(pod["containers"][0], self._class, self._ready_timeout)
        self.name, self._container = new_name("endpoint"), str(pod["containers"][0].get("name") or "")
        if self._public:
            logger.warning(
                "Endpoint %s gets a public address: whoever finds it can use it, for nothing there asks for a "
                "credential. Without service_type='LoadBalancer' only the cluster reaches it.",
                self.name,
            )
        try:
            patience = max(1, math.ceil(self._ready_timeout))
            self._launcher.workloads.create(deployment(self.name, pod, target, patience=patience))
            self._launcher.workloads.create(service(self.name, target, public=self._public))
            logger.warning("The endpoint %s launched.", self.name)
            self._wait_until_ready()
            return f"{self._way()}/predict"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                logger.warning("Interrupted: endpoint %s is deleted again.", self.name)
            self._undo()
            raise

    def delete(self) -> None:
        """Delete the endpoint and wait until its pods are gone. Safe to call again.

        Raises:
            ExecutionError: It was told to go and is still there.
            ServiceError: The cluster does not do what is asked.

        """
        self._remove(_GONE_SECONDS)

    def get_logs(self) -> None:
        """Print what the endpoint's pods have printed so far.

        Raises:
            FairingAzureError: Nothing is deployed.
            ServiceError: The cluster does not do what is asked.

        """
        if not self.name:
            raise FairingAzureError("No endpoint is deployed.", hint="Call deploy() first.")
        for pod in self._launcher.workloads.list("Pod", _labels(self.name)):
            for line in self._launcher.workloads.log(pod["metadata"]["name"], self._container):
                print_line(line)

    def _wait_until_ready(self) -> None:
        shown = Shown(self._container, printed=False)
        workloads = self._launcher.workloads
        try:
            workloads.wait_ready("Deployment", self.name, seconds=self._ready_timeout, tell=shown.show)
        except EndpointError as error:
            raise _with_lines(error, self._class, shown.lines) from None

    def _way(self) -> str:
        """Return the URL by which the endpoint is reached from here."""
        ready = f"/v2/models/{self._class}/ready"
        if self._public:
            return f"http://{self._address()}"
        if self._launcher.in_cluster:
            url = f"http://{self.name}.{self._launcher.target.namespace}.svc.cluster.local"
            if not _answers(url + ready):
                logger.warning("%s is ready, but does not answer this notebook yet: a network policy?", url)
            return url
        forward = _Forward(self._launcher.workloads, _labels(self.name))
        # Ends with the deployer, and does not keep it alive.
        self._close_forward = weakref.finalize(self, forward.close)
        if not _answers(forward.url + ready):
            forward.check()
            raise EndpointError(
                f"Endpoint '{self.name}' is ready, but does not answer through the port {forward.url} that leads to "
                "it, so this machine can't use it.",
                hint=f"Look whether port-forwarding works: kubectl -n {self._launcher.target.namespace} get pods",
                code="not-reachable",
            )
        return forward.url

    def _address(self) -> str:
        """Wait for the load balancer's address and return it."""
        end = time.monotonic() + self._address_timeout
        while True:
            status = self._launcher.workloads.get("Service", self.name).get("status") or {}
            for entry in (status.get("loadBalancer") or {}).get("ingress") or ():
                if found := entry.get("ip") or entry.get("hostname"):
                    return f"[{found}]" if ":" in found else str(found)
            if time.monotonic() >= end:
                break
            time.sleep(_LOOK_SECONDS)
        raise EndpointError(
            f"Endpoint '{self.name}' has got no public address in {self._address_timeout:g} s.",
            hint="The subscription may have no public address left, or a policy forbids it: "
            "az network list-usages --location REGION. Without service_type='LoadBalancer' it needs none.",
            code="no-address",
        )

    def _remove(self, seconds: float) -> None:
        if self._close_forward is not None:
            self._close_forward()
            self._close_forward = None
        if not self.name:
            return
        workloads = self._launcher.workloads
        with contextlib.ExitStack() as both:
            # Each is tried, whatever becomes of the other.
            both.callback(workloads.delete, "Deployment", self.name, wait=seconds)
            both.callback(workloads.delete, "Service", self.name)
        logger.info("Endpoint %s is deleted.", self.name)
        self.name = ""

    def _undo(self) -> None:
        """Delete what a failed `deploy` has made; where that fails the user is told, and the failure counts."""
        name, namespace = self.name, self._launcher.target.namespace
        left = f"Delete it: fairing-azure delete {name}, or kubectl -n {namespace} delete deployment,service {name}"
        try:
            self._remove(_UNDONE_SECONDS)
        except ExecutionError:
            logger.info("Endpoint %s is being deleted.", name)
        except FairingAzureError as error:
            logger.warning("%s So endpoint %s may still be there. %s", error, name, left)
        except KeyboardInterrupt:
            logger.warning("Interrupted: endpoint %s may still be there. %s", name, left)
            raise


class _Forward:
    """A port of this machine that leads to a ready pod, also when that has been replaced by another.

    Args:
        workloads: The namespace.
        labels: The pods' labels.

    Raises:
        EndpointError: No pod is ready.
        ServiceError: The cluster does not do what is asked.

    """

    def __init__(self, workloads: Workloads, labels: Mapping[str, str]) -> None:
        self._workloads, self._labels = workloads, labels
        self._over, self._told = threading.Event(), ""
        pods = self._ready_pods()
        if not pods:
            raise EndpointError(
                "The endpoint's pod was ready and is not any more.", hint="Create the endpoint again.", code="not-ready"
            )
        self._pod = pods[-1]
        self._open = workloads.port_forward(self._pod, PORT)
        self.url = self._open.url
        self._thread = threading.Thread(target=self._keep, name="endpoint-forward", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise what has kept the newest connection from the pod, if anything has."""
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
            if error.message != self._told:
                self._told = error.message
                logger.info("The way to the endpoint can't be looked after now: %s", error)

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


def _serve(container: dict[str, Any], serving_class: str, ready_timeout: float) -> None:
    """Make a container the endpoint's; probes and ports that a mutator has set stay."""
    container["command"] = ["python", _SERVER, serving_class, "--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104
    container.pop("args", None)
    container.setdefault("ports", [{"name": "http", "containerPort": PORT}])
    ready = {"httpGet": {"path": f"/v2/models/{serving_class}/ready", "port": PORT}, "timeoutSeconds": 5}
    # While it loads it is asked each second, so that it is known at once, and then seldom: predictions come first.
    patience = max(1, math.ceil(ready_timeout))
    container.setdefault("startupProbe", {**ready, "periodSeconds": 1, "failureThreshold": patience})
    container.setdefault("readinessProbe", {**ready, "periodSeconds": 5, "failureThreshold": 3})


def _labels(name: str) -> dict[str, str]:
    return labels_of("endpoint", name)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _answers(url: str) -> bool:
    """Tell whether a URL answers well within some seconds: a Service's endpoints follow its pods with a delay."""
    parts, end = urlsplit(url), time.monotonic() + _ANSWER_SECONDS
    while time.monotonic() < end:
        # Not by a proxy: one that serves the outside world knows neither this machine's loopback nor the cluster.
        connection = http.client.HTTPConnection(parts.netloc, timeout=_ONE_ANSWER_SECONDS)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", parts.path)
            if connection.getresponse().status == HTTPStatus.OK:
                return True
        time.sleep(0.2)
    return False


def _with_lines(error: EndpointError, serving_class: str, lines: tuple[str, ...]) -> ExecutionError:
    """Return the error with the last lines that were seen, and with a cure that needs no pod."""
    if lines and not error.last_lines:
        found = Diagnosis(error.code, error.message, error.hint, returncode=error.returncode)
        return told_after_deletion(found.error("Deployment", lines), serving_class, lines)
    return told_after_deletion(error, serving_class, lines)
