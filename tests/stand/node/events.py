"""Writes events as a kubelet does: the same again raises a count."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from tests.stand.control_plane import Api

Object = dict[str, Any]
_LIMIT = 1024


def now() -> str:
    """Return the time as the API server writes it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Recorder:
    """Writes events of one node.

    Args:
        api: The API server.
        node: The node's name.

    """

    def __init__(self, api: Api, node: str) -> None:
        self._api = api
        self._node = node
        self._known: dict[tuple[str, str, str, str], tuple[str, int]] = {}
        self._lock = threading.Lock()

    def write(
        self,
        pod: Object,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        container: str = "",
        component: str = "kubelet",
    ) -> None:
        """Write an event of a pod, or of one of its containers (`spec.containers{name}`).

        Args:
            pod: The pod.
            reason: The event's reason.
            message: Its text.
            warning: It is a warning.
            container: The container's path in the pod, if it is about one.
            component: Who writes it.

        """
        message = message[:_LIMIT]
        meta = pod["metadata"]
        path = f"/api/v1/namespaces/{meta['namespace']}/events"
        key = (meta["uid"], reason, message, container)
        with self._lock:
            name, count = self._known.get(key, (f"{meta['name']}.{uuid.uuid4().hex[:16]}", 0))
            self._known[key] = (name, count + 1)
        try:
            if count:
                body = {"count": count + 1, "lastTimestamp": now()}
                self._api.call("PATCH", f"{path}/{name}", body, kind="application/merge-patch+json")
            else:
                body = self._event(pod, name, reason, message, container, warning=warning)
                if component != "kubelet":
                    body |= {"source": {"component": component}, "reportingComponent": component}
                self._api.call("POST", path, body)
        except requests.RequestException:
            # An event is told once or not at all, by a kubelet too.
            return

    def _event(self, pod: Object, name: str, reason: str, message: str, container: str, *, warning: bool) -> Object:
        meta, when = pod["metadata"], now()
        involved = {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        }
        if container:
            involved["fieldPath"] = container
        return {
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": "kubelet", "host": self._node},
            "reportingComponent": "kubelet",
            "reportingInstance": self._node,
            "firstTimestamp": when,
            "lastTimestamp": when,
            "count": 1,
        }
