"""The Secrets of a namespace by their metadata: what is in them is not asked for, and never comes here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.kube.objects.facts import entries, mapping
from fairing_az_jupyter.clients.kube.objects.kinds import KINDS
from fairing_az_jupyter.clients.kube.transport.calls import ApiCalls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.kube.transport.connection import Connection

__all__ = ["secret_metadata"]

# https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables, and
# https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#PartialObjectMetadataList. No second choice: a server that
# knew no such form would reject, and not send the values.
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_PAGE = "500"


def secret_metadata(
    connection: Connection, namespace: str, *, timeout: float = 5.0, deadline: float = 12.0
) -> tuple[Mapping[str, Any], ...]:
    """Return the metadata of all Secrets of a namespace.

    Args:
        connection: The way to the API server.
        namespace: The namespace.
        timeout: Seconds for one attempt of a call.
        deadline: Seconds for all calls together.

    Returns:
        Objects with `metadata` and without data.

    Raises:
        NotAllowedError: They may not be listed.
        ServiceError: See `exceptions.py`.

    """
    calls = ApiCalls(connection, timeout=timeout, deadline=deadline, accept=_METADATA_ONLY)
    kind, left = KINDS["Secret"], calls.deadline()
    query, found = {"limit": _PAGE}, list[Any]()
    try:
        while True:
            asked = kind.asked("list", namespace)
            page = calls.call("GET", kind.collection(namespace), asked, deadline=left, query=query)
            found += ({"metadata": mapping(item.get("metadata"))} for item in entries(page.get("items")))
            following = str(mapping(page.get("metadata")).get("continue") or "")
            if not following:
                return tuple(found)
            query["continue"] = following
    finally:
        calls.close()
