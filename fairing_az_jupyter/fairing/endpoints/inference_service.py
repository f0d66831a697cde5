"""Serves a class in the cluster by KServe's InferenceService, which makes the Deployment and the Service itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import (
    EndpointError,
    FairingAzureError,
    InputError,
    NotAllowedError,
    NotFoundError,
)
from fairing_az_jupyter.fairing.cluster.kserve_status import last_warning, url_in_cluster, what_kserve_says
from fairing_az_jupyter.fairing.cluster.manifests import KSERVE_CONTAINER, inference_service
from fairing_az_jupyter.fairing.endpoints.deployer import EndpointDeployer, Marks, is_public
from fairing_az_jupyter.settings import notebook_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.cluster.event_log import Shown
    from fairing_az_jupyter.fairing.cluster.manifests import Target

__all__ = ["KServeServing"]

_KIND = "InferenceService"
# KServe makes the Deployment within seconds; where there is none after a minute, there will be none.
_TAKEN_UP_SECONDS = 60.0
# Between the Deployment's being ready and KServe's saying so; long where its controller has much to do.
_AGREED_SECONDS = 60.0
_LOOK_SECONDS = 0.5


class KServeServing(EndpointDeployer):
    """Serves a class from an InferenceService of one pod, without Knative, reached from inside the cluster only.

    Args:
        launcher: The cluster, and in whose name pods run there.
        serving_class: The name of the class that predicts.
        service_type: `ClusterIP`: what leads to an InferenceService from outside is KServe's own affair.
        pod_spec_mutators: Functions that change the pod's specification, as Fairing calls them.
        ready_timeout: How long it may take until it is ready, in seconds.

    Raises:
        InputError: Another type of service is asked for.

    """

    kind = _KIND
    made_of = "inferenceservice"
    container_name = KSERVE_CONTAINER

    def __init__(
        self,
        launcher: Launcher,
        serving_class: str,
        *,
        service_type: str = "ClusterIP",
        pod_spec_mutators: Sequence[Callable[..., object]] | None = None,
        ready_timeout: float = 600.0,
    ) -> None:
        super().__init__(launcher, serving_class, pod_spec_mutators=pod_spec_mutators, ready_timeout=ready_timeout)
        if is_public(service_type):
            raise InputError(
                f"An InferenceService has no service_type {service_type!r}: KServe creates its Service, and only "
                "KServe's ingress can expose it.",
                hint=f"Keep service_type at 'ClusterIP', or {_deployment_instead()}.",
                code="service-type",
            )

    def _create(self, pod: dict[str, Any], target: Target, marks: Marks) -> None:
        try:
            body = inference_service(self.name, pod, target, labels=marks.labels, annotations=marks.annotations)
            self._launcher.workloads.create(body)
        except (NotFoundError, NotAllowedError) as error:
            if not self._lacks_kserve(error):
                raise
            # Nothing was made, and what is not installed can't be asked to delete it.
            self.name = ""
            raise NotFoundError(
                (
                    f"KServe is not installed in the cluster, so no {_KIND} can be created in namespace "
                    f"'{target.namespace}'."
                ),
                hint=(
                    f"To serve without KServe, {_deployment_instead()}; or ask the cluster's administrator to "
                    "install KServe."
                ),
                code="no-kserve",
                service="kubernetes",
                status=error.status,
            ) from None

    def _lacks_kserve(self, error: NotFoundError | NotAllowedError) -> bool:
        """Tell whether a rejection means that there is no KServe: nobody has rights on what is not installed."""
        if isinstance(error, NotFoundError):
            return error.code == "not-found-api"
        try:
            return not self._launcher.cluster.has_kserve()
        except FairingAzureError:
            return False

    def _wait_until_ready(self, shown: Shown) -> None:
        workloads, end = self._launcher.workloads, time.monotonic() + self._ready_timeout
        made = self._taken_up()
        # The Deployment tells why there are no pods, such as a quota, which the InferenceService does not know.
        left, waits = max(0.0, end - time.monotonic()), self._launcher.waits
        workloads.wait_ready("Deployment", made, seconds=left, waits=waits, report=shown.show)
        try:
            workloads.wait_ready(_KIND, self.name, seconds=_AGREED_SECONDS, waits=waits)
        except EndpointError as error:
            if error.code == "not-ready":
                said = what_kserve_says(workloads.get(_KIND, self.name))
                error.message = f"{error.message} Its pods are ready, but KServe reports: {said or 'nothing'}."
            raise

    def _taken_up(self) -> str:
        """Wait until KServe has made the Deployment, and return its name."""
        seconds = min(self._ready_timeout, _TAKEN_UP_SECONDS)
        end = time.monotonic() + seconds
        while True:
            found = self._launcher.workloads.list("Deployment", self._pod_labels())
            if found:
                return str(found[0]["metadata"]["name"])
            if time.monotonic() >= end:
                break
            time.sleep(_LOOK_SECONDS)
        made = self._launcher.workloads.get(_KIND, self.name)
        # What keeps it from making the Deployment, KServe 0.16 says by an event only.
        said = what_kserve_says(made) or last_warning(made, self._launcher.workloads.list("Event"))
        where = f"{_KIND} '{self.name}' in namespace '{self._launcher.target.namespace}'"
        if said:
            raise EndpointError(
                f"{where} did not get a Deployment within {seconds:g} s, so nothing serves. KServe reports: {said}.",
                hint=f"Fix that; or, to serve without KServe, {_deployment_instead()}.",
                code="kserve-failed",
            )
        raise EndpointError(
            (
                f"{where} was not processed by KServe within {seconds:g} s, so nothing serves: KServe's controller "
                "may not be running."
            ),
            hint="Ask the cluster's administrator to check: kubectl get pods -A -l "
            f"control-plane=kserve-controller-manager. Or, to serve without KServe, {_deployment_instead()}.",
            code="kserve-silent",
        )

    def _url_in_cluster(self) -> str:
        workloads = self._launcher.workloads
        url = url_in_cluster(workloads.get(_KIND, self.name), workloads.list("Service", self._pod_labels()))
        if not url:
            raise EndpointError(
                f"{_KIND} '{self.name}' is ready, but has neither an address nor a Service, so it can't be reached.",
                hint=f"To serve without KServe, {_deployment_instead()}.",
                code="no-address",
            )
        return url

    def _pod_labels(self) -> dict[str, str]:
        return {"serving.kserve.io/inferenceservice": self.name}

    def _delete_objects(self, seconds: float) -> None:
        self._launcher.workloads.delete(_KIND, self.name, wait=seconds)


def _deployment_instead() -> str:
    return f"set {notebook_names()['endpoint_kind']} = 'deployment'"
