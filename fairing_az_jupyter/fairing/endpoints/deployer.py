"""Puts an endpoint into the cluster, whatever it is made of there: the server, the way to it, and the cleaning up."""

from __future__ import annotations

import abc
import contextlib
import http.client
import logging
import re
import time
import weakref
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from kubeflow.fairing.deployers.deployer import DeployerInterface

from fairing_az_jupyter.clients.kube.diagnosis.diagnosis import Diagnosis
from fairing_az_jupyter.exceptions import EndpointError, ExecutionError, FairingAzureError, InputError, NotFoundError
from fairing_az_jupyter.fairing.cluster import ownership
from fairing_az_jupyter.fairing.cluster.event_log import Shown, print_line, reported_after_deletion
from fairing_az_jupyter.fairing.cluster.forwarding import Forward
from fairing_az_jupyter.fairing.cluster.manifests import PREFIX, labels_of, new_name
from fairing_az_jupyter.fairing.cluster.own_events import emit_end, emit_start
from fairing_az_jupyter.fairing.cluster.pod_spec import plain_spec
from fairing_az_jupyter.fairing.endpoints.endpoint_pods import READY_SECONDS, endpoint_pod
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME
from fairing_az_jupyter.launch_events import Interrupted, Launched, Phases, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.cluster.manifests import Target

__all__ = ["EndpointDeployer", "Marks", "is_public"]

logger = logging.getLogger(LOGGER_NAME)

_GONE_SECONDS = 60.0
_UNDONE_SECONDS = 15.0
_ANSWER_SECONDS = 15.0
_ONE_ANSWER_SECONDS = 5.0
_PUBLIC = "LoadBalancer"
_CLASS = f"{PREFIX}class"


class Marks(NamedTuple):
    """What an endpoint's objects are found again by.

    Args:
        labels: Labels.
        annotations: Annotations.

    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class EndpointDeployer(DeployerInterface):  # type: ignore[misc] # Fairing is untyped
    """What every endpoint in the cluster has in common: the server, the way to it, and that nothing is left behind.

    Args:
        launcher: The cluster, and in whose name pods run there.
        serving_class: The name of the class that predicts.
        pod_spec_mutators: Functions that change the pod's specification, as Fairing calls them.
        ready_timeout: How long it may take until it is ready, in seconds.

    """

    kind: ClassVar[str]
    """The kind of object that stands for it."""

    made_of: ClassVar[str]
    """The kinds of objects that it makes, as kubectl takes them."""

    container_name: ClassVar[str] = ""
    """How the container that serves has to be called; empty where that does not matter."""

    def __init__(
        self,
        launcher: Launcher,
        serving_class: str,
        *,
        pod_spec_mutators: Sequence[Callable[..., object]] | None = None,
        ready_timeout: float = READY_SECONDS,
    ) -> None:
        self._launcher, self._class = launcher, serving_class
        self._mutators = tuple(pod_spec_mutators or ())
        self._ready_timeout = ready_timeout
        self._close_forward: Callable[[], object] | None = None
        self._close_care: Callable[[], object] = int
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
            InputError: There is nothing to serve, or the cluster rejects it as it is.
            ServiceError: The cluster does not do what is asked.

        """
        # A deployer that is used again replaces what it has made: nobody else knows it.
        self.delete()
        target = self._launcher.target
        spec = plain_spec(pod_spec, self._mutators, target.namespace)
        pod = endpoint_pod(spec, self._class, target, self._launcher.placement, self._ready_timeout)
        served = pod["containers"][0]
        self._container = self.container_name or str(served.get("name") or "")
        marks = Marks(
            labels={
                ownership.TASK: ownership.digest_of_task({**pod, "made of": self._makeup()}),
                **self._of_class(),
                **ownership.of_this_launch(),
            },
            annotations=ownership.mark(),
        )
        with Phases() as phases:
            return self._taken_over(marks, phases) or self._launched(pod, marks, phases)

    def _launched(self, pod: dict[str, Any], marks: Marks, phases: Phases) -> str:
        """Start an endpoint and return its URL when it is ready; nothing of it is left if it is never."""
        self.name = new_name("endpoint")
        self._care()
        phases.begin("schedule")
        try:
            self._create(pod, self._launcher.target, marks)
            logger.warning("The endpoint %s launched.", self.name)
            publish(Launched("endpoint", self.name, self._launcher.target.namespace))
            emit_start(self._launcher, (self.kind, self.name))
            begin = phases.begin
            shown = Shown(self._container, printed=False, started=lambda: begin("serve"), launch=self.name)
            try:
                self._wait_until_ready(shown)
            except EndpointError as error:
                raise _with_lines(error, self._class, shown.lines) from None
            return self._served(phases)
        except BaseException as error:
            phases.fail(error)
            if isinstance(error, FairingAzureError):
                emit_end(self._launcher, (self.kind, self.name), f"It failed: {error.message}")
            if isinstance(error, KeyboardInterrupt):
                _report_interrupted(f"Interrupted: endpoint {self.name} is being deleted.", remains=False)
            self._undo()
            raise

    def _served(self, phases: Phases) -> str:
        """Return the URL of an endpoint that is ready."""
        phases.begin("serve")
        url = f"{self._way()}/predict"
        phases.say(f"Endpoint {self.name} at {url}")
        emit_end(self._launcher, (self.kind, self.name), "The endpoint is ready.")
        return url

    def delete(self) -> None:
        """Delete the endpoint and wait until its pods are gone. Safe to call again.

        Raises:
            ExecutionError: It was asked to go and is still there.
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
        for pod in self._launcher.workloads.list("Pod", self._pod_labels()):
            for line in self._launcher.workloads.log(pod["metadata"]["name"], self._container):
                print_line(line)

    @abc.abstractmethod
    def _create(self, pod: dict[str, Any], target: Target, marks: Marks) -> None:
        """Make the objects."""

    def _makeup(self) -> str:
        """Return what two endpoints that serve the same may differ in."""
        return self.made_of

    @abc.abstractmethod
    def _wait_until_ready(self, shown: Shown) -> None:
        """Wait until the pods serve, and show what happens meanwhile."""

    @abc.abstractmethod
    def _url_in_cluster(self) -> str:
        """Return where other pods reach it."""

    @abc.abstractmethod
    def _delete_objects(self, seconds: float) -> None:
        """Delete the objects and wait so long until the pods are gone."""

    def _pod_labels(self) -> dict[str, str]:
        return labels_of("endpoint", self.name)

    def _of_owner(self) -> dict[str, str]:
        all_labels = labels_of("endpoint", "", self._launcher.target.owner)
        return {name: all_labels[name] for name in (f"{PREFIX}kind", f"{PREFIX}owner") if name in all_labels}

    def _of_class(self) -> dict[str, str]:
        return {_CLASS: re.sub(r"[^A-Za-z0-9._-]+", "-", self._class)[:63].strip("-._")}

    def _care(self) -> None:
        """Look after the endpoint as long as this deployer is there, so that no other launch takes it over."""
        with contextlib.ExitStack() as cared:
            cared.enter_context(ownership.caring_for(self.name))
            self._close_care = weakref.finalize(self, cared.pop_all().close)

    def _check_whole(self) -> None:
        """Raise what keeps an endpoint that is found from serving, though its pods may be ready.

        Raises:
            EndpointError: It is only half there, or was stopped.
            NotFoundError: A part of it is gone.

        """

    def _taken_over(self, marks: Marks, phases: Phases) -> str:
        """Return the URL of an endpoint that serves the same and that nobody looks after; empty if there is none.

        A kernel that is restarted leaves its endpoint behind: the same launch gets it back. Of one that serves
        something else there is a warning: nobody here knows whether it is still needed.
        """
        workloads = self._launcher.workloads
        try:
            alike = workloads.list(self.kind, {**self._of_owner(), **self._of_class()})
        except FairingAzureError:
            # As where it is not installed: `_create` says so, with the fix.
            return ""
        left = [
            found
            for found in alike
            if "deletionTimestamp" not in found["metadata"]
            and ownership.is_abandoned(found["metadata"]["name"], found["metadata"].get("annotations") or {})
        ]
        for found in left:
            metadata = found["metadata"]
            name = str(metadata["name"])
            if (metadata.get("labels") or {}).get(ownership.TASK) != marks.labels[ownership.TASK]:
                logger.warning(
                    "Endpoint %s of an earlier launch of '%s' is still running, and no process manages it. Delete "
                    "it if it is not needed: fairing-azure delete %s",
                    name,
                    self._class,
                    name,
                )
                continue
            release = ownership.claim(workloads, self.kind, found)
            if release is None:
                continue
            logger.warning("Endpoint %s serves the same code, and no process manages it: it is reused.", name)
            self.name, self._close_care = name, weakref.finalize(self, release)
            publish(Launched("endpoint", name, self._launcher.target.namespace))
            phases.begin("serve")
            try:
                self._check_whole()
                self._wait_until_ready(Shown(self._container, printed=False, launch=self.name))
                return self._served(phases)
            except (EndpointError, NotFoundError) as error:
                phases.fail(error)
                logger.warning("It no longer serves (%s) and is replaced.", error.message)
                self.delete()
        return ""

    def _way(self) -> str:
        """Return the URL by which the endpoint is reached from here."""
        ready = f"/v2/models/{self._class}/ready"
        if self._launcher.in_cluster:
            url = self._url_in_cluster()
            if not _answers(url + ready):
                logger.warning(
                    "%s is ready, but does not answer this notebook yet. A network policy may block it.", url
                )
            return url
        forward = Forward(self._launcher.workloads, self._pod_labels())
        # Ends with the deployer, and does not keep it alive.
        self._close_forward = weakref.finalize(self, forward.close)
        if not _answers(forward.url + ready):
            forward.check()
            raise EndpointError(
                f"Endpoint '{self.name}' is ready, but does not answer through the forwarded port {forward.url}, so "
                "this machine can't use it.",
                hint=f"Check that port forwarding works: kubectl -n {self._launcher.target.namespace} get pods",
                code="not-reachable",
            )
        return forward.url

    def _remove(self, seconds: float) -> None:
        if self._close_forward is not None:
            self._close_forward()
            self._close_forward = None
        if not self.name:
            return
        try:
            self._delete_objects(seconds)
            logger.info("Endpoint %s is deleted.", self.name)
            self.name = ""
        finally:
            self._close_care()

    def _undo(self) -> None:
        """Delete what a failed `deploy` has made; where that fails there is a warning, and the failure counts."""
        name, namespace = self.name, self._launcher.target.namespace
        left = f"Delete it: fairing-azure delete {name}, or kubectl -n {namespace} delete {self.made_of} {name}"
        try:
            self._remove(_UNDONE_SECONDS)
        except ExecutionError:
            logger.info("Endpoint %s is being deleted.", name)
        except FairingAzureError as error:
            logger.warning("%s Endpoint %s may still exist. %s", error, name, left)
        except KeyboardInterrupt:
            _report_interrupted(f"Interrupted: endpoint {name} may still exist. {left}", remains=True)
            raise


def _report_interrupted(message: str, *, remains: bool) -> None:
    logger.warning("%s", message)
    publish(Interrupted(message, remains=remains))


def is_public(service_type: str) -> bool:
    """Tell whether a type of service has a public address.

    Args:
        service_type: `ClusterIP` or `LoadBalancer`.

    Raises:
        InputError: It is none of the two.

    """
    if service_type not in {"ClusterIP", _PUBLIC}:
        raise InputError(
            f"An endpoint's service_type can't be {service_type!r}.",
            hint=f"Use ClusterIP, or {_PUBLIC} for a public address.",
            code="service-type",
        )
    return service_type == _PUBLIC


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
    """Return the error with the last lines that were seen, and with a fix that needs no pod."""
    if lines and not error.last_lines:
        found = Diagnosis(error.code, error.message, error.hint, returncode=error.returncode)
        return reported_after_deletion(found.error("Deployment", lines), serving_class, lines)
    return reported_after_deletion(error, serving_class, lines)
