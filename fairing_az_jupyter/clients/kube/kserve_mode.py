"""The name of an InferenceService's deployment mode, which KServe 0.16.0 changes and then holds against it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.kube.objects.facts import mapping
from fairing_az_jupyter.clients.kube.objects.kinds import KINDS
from fairing_az_jupyter.clients.kube.transport.calls import MERGE_PATCH
from fairing_az_jupyter.exceptions import ServiceError

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.kube.transport.streaming import StreamCalls

_MODE = "serving.kserve.io/deploymentMode"


def agree_on_mode(calls: StreamCalls, namespace: str, name: str) -> None:
    """Name an InferenceService's mode as its status does, or KServe 0.16.0 never lets go of it.

    There the status says `Standard` of what was made as `RawDeployment`, the only name that older releases know. The
    webhook rejects each update in which both differ, even that by which the controller removes its finalizer:
    https://github.com/kserve/kserve/issues/5885

    Args:
        calls: The API server.
        namespace: The InferenceService's namespace.
        name: Its name. The deletion fails for who may neither see nor change it.

    """
    kind = KINDS["InferenceService"]
    with contextlib.suppress(ServiceError):
        found = calls.call("GET", kind.path(namespace, name), kind.asked("get", namespace, name))
        annotations = mapping(mapping(found.get("metadata")).get("annotations"))
        used = mapping(found.get("status")).get("deploymentMode")
        if used and annotations.get(_MODE, used) != used:
            body = {"metadata": {"annotations": {_MODE: used}}}
            asked = kind.asked("patch", namespace, name)
            calls.call("PATCH", kind.path(namespace, name), asked, body=body, kind=MERGE_PATCH)
