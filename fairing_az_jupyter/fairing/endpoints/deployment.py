"""Serves a class in the cluster by a Deployment and a Service."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.exceptions import EndpointError
from fairing_az_jupyter.fairing.cluster.manifests import deployment, service
from fairing_az_jupyter.fairing.endpoints.deployer import EndpointDeployer, Marks, is_public
from fairing_az_jupyter.fairing.endpoints.endpoint_pods import progress_seconds
from fairing_az_jupyter.fairing.upstream.stand_ins import LOGGER_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairing_az_jupyter.fairing.cluster.connections import Launcher
    from fairing_az_jupyter.fairing.cluster.event_log import Shown
    from fairing_az_jupyter.fairing.cluster.manifests import Target

__all__ = ["ClusterServing"]

logger = logging.getLogger(LOGGER_NAME)

_ADDRESS_SECONDS = 300.0
_LOOK_SECONDS = 1.0


class ClusterServing(EndpointDeployer):
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

    kind = "Deployment"
    made_of = "deployment,service"

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
        super().__init__(launcher, serving_class, pod_spec_mutators=pod_spec_mutators, ready_timeout=ready_timeout)
        self._public = is_public(service_type)
        self._address_timeout = address_timeout

    def _create(self, pod: dict[str, Any], target: Target, marks: Marks) -> None:
        if self._public:
            logger.warning(
                "Endpoint %s gets a public address: anyone who finds it can use it without a credential. Without "
                "service_type='LoadBalancer' only the cluster reaches it.",
                self.name,
            )
        progress_deadline = progress_seconds(self._ready_timeout)
        self._launcher.workloads.create(
            deployment(
                self.name,
                pod,
                target,
                progress_deadline=progress_deadline,
                labels=marks.labels,
                annotations=marks.annotations,
            )
        )
        self._launcher.workloads.create(service(self.name, target, public=self._public, labels=marks.labels))

    def _makeup(self) -> str:
        return f"{self.made_of} {'public' if self._public else ''}"

    def _check_whole(self) -> None:
        workloads = self._launcher.workloads
        workloads.get("Service", self.name)
        if workloads.get("Deployment", self.name)["spec"].get("replicas") == 0:
            raise EndpointError(
                f"Deployment '{self.name}' in namespace '{self._launcher.target.namespace}' is scaled to 0 pods.",
                hint=f"Delete the endpoint and deploy it again: fairing-azure delete {self.name}",
                code="not-ready",
            )

    def _wait_until_ready(self, shown: Shown) -> None:
        self._launcher.workloads.wait_ready(
            "Deployment",
            self.name,
            seconds=self._ready_timeout,
            waits=self._launcher.waits,
            report=shown.show,
        )

    def _way(self) -> str:
        return f"http://{self._address()}" if self._public else super()._way()

    def _url_in_cluster(self) -> str:
        return f"http://{self.name}.{self._launcher.target.namespace}.svc.cluster.local"

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
            f"Endpoint '{self.name}' did not get a public address within {self._address_timeout:g} s.",
            hint="The subscription's public addresses may be used up, or a policy may forbid one: az network "
            "list-usages --location REGION. Without service_type='LoadBalancer' the endpoint needs no public address.",
            code="no-address",
        )

    def _delete_objects(self, seconds: float) -> None:
        workloads = self._launcher.workloads
        with contextlib.ExitStack() as both:
            # Each is tried, whatever becomes of the other.
            both.callback(workloads.delete, "Deployment", self.name, wait=seconds)
            both.callback(workloads.delete, "Service", self.name)
