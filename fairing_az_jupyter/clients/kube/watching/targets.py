"""What is followed, and what of the API has to be watched for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.objects.kinds import KINDS, name_of, pod_selector
from fairing_az_jupyter.clients.kube.watching.watch import Watched

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.kube.objects.facts import Object

__all__ = ["Target"]


@dataclass(frozen=True)
class Target:
    """What is followed.

    Args:
        namespace: Its namespace.
        owner: The Job, Deployment or InferenceService as it is now; None where it is pods by themselves.
        pod: The pod as it is now, where it is one.
        selector: The pods' labels, where it is neither.

    """

    namespace: str
    owner: Object | None = None
    pod: Object | None = None
    selector: str = ""

    @property
    def kind(self) -> str:
        """The kind of what is followed."""
        return str((self.owner or {}).get("kind") or "Pod")

    @property
    def name(self) -> str:
        """Its name, or the selector."""
        return name_of(self.owner or self.pod or {}) or self.selector

    def pods(self) -> Watched:
        """Return the pods to watch."""
        query = (
            {"fieldSelector": f"metadata.name={self.name}"}
            if self.pod is not None
            else {"labelSelector": self.selector or pod_selector(self.owner or {})}
        )
        kind = KINDS["Pod"]
        return Watched(kind.collection(self.namespace), kind.asked("list", self.namespace), query)

    def itself(self) -> Watched:
        """Return the owner to watch."""
        kind = KINDS[self.kind]
        query = {"fieldSelector": f"metadata.name={self.name}"}
        return Watched(kind.collection(self.namespace), kind.asked("list", self.namespace), query)

    def events(self) -> Watched:
        """Return the events to watch: the API can't select those of several objects."""
        kind = KINDS["Event"]
        return Watched(kind.collection(self.namespace), kind.asked("list", self.namespace), {})
