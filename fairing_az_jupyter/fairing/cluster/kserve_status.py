"""What KServe says of an InferenceService: where it is reached, and what keeps it from being ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.objects.rejections import sanitized
from fairing_az_jupyter.fairing.cluster.manifests import PORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["last_warning", "url_in_cluster", "what_kserve_says"]

_HTTP = 80


def what_kserve_says(found: Mapping[str, Any]) -> str:
    """Return what keeps an InferenceService from being ready, in KServe's words; empty where it says nothing.

    Args:
        found: The InferenceService.

    """
    conditions = (found.get("status") or {}).get("conditions") or ()
    said = {
        str(one.get("type")): str(one.get("message") or one.get("reason") or "")
        for one in conditions
        if one.get("status") != "True"
    }
    # `Ready` only repeats one of the others.
    if any(text for kind, text in said.items() if kind != "Ready"):
        said.pop("Ready", None)
    return "; ".join(f"{kind}: {sanitized(text, found)}" for kind, text in said.items() if text)


def last_warning(found: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of the last warning about an InferenceService; empty where there is none.

    Args:
        found: The InferenceService.
        events: The events of its namespace.

    """
    uid = (found.get("metadata") or {}).get("uid")
    warnings = [
        one for one in events if one.get("type") == "Warning" and (one.get("involvedObject") or {}).get("uid") == uid
    ]
    warnings.sort(key=lambda one: str(one.get("lastTimestamp") or ""))
    return sanitized(str(warnings[-1].get("message") or ""), found) if warnings else ""


def url_in_cluster(found: Mapping[str, Any], services: Iterable[Mapping[str, Any]]) -> str:
    """Return the URL by which other pods reach an InferenceService; empty where there is none.

    KServe's `status.address.url` comes second: up to 0.10 it names a Service that does not exist
    (https://github.com/kserve/kserve/issues/2829), and up to 0.16 it leaves out the port that a Service without an
    address of its own needs, because its name leads to the pods themselves
    (https://github.com/kserve/kserve/pull/4998).

    Args:
        found: The InferenceService.
        services: The Services that KServe has made for it.

    """
    for service in services:
        metadata, spec = service["metadata"], service.get("spec") or {}
        if (metadata.get("labels") or {}).get("component") != "predictor" or spec.get("type") == "ExternalName":
            continue
        port = PORT if spec.get("clusterIP") == "None" else int((spec.get("ports") or [{"port": _HTTP}])[0]["port"])
        url = f"http://{metadata['name']}.{metadata['namespace']}.svc.cluster.local"
        return url if port == _HTTP else f"{url}:{port}"
    address = (found.get("status") or {}).get("address") or {}
    return str(address.get("url") or "").rstrip("/")
