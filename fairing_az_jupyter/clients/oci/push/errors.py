"""What a registry's rejections of a push mean, in words: what failed, why it matters, what to type next.

Sources: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes,
https://learn.microsoft.com/azure/container-registry/container-registry-image-lock (405 for a locked tag),
https://learn.microsoft.com/azure/container-registry/container-registry-skus (quotas).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.oci.errors import unexpected
from fairing_az_jupyter.exceptions import (
    ConflictError,
    FairingAzureError,
    InputError,
    NotAllowedError,
    NotFoundError,
    ServiceError,
)

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.oci.exchange import Exchange, Reply

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/containers
_ACR_DELETE = "c2f4ef07-c644-48eb-af81-4b1b4947fb11"
_REJECTED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_KEPT = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})


def codes_of(reply: Reply) -> frozenset[str]:
    """Return the error codes in an answer."""
    listed = reply.answer.json().get("errors")
    entries = listed if isinstance(listed, list) else []
    return frozenset(str(entry.get("code")) for entry in entries if isinstance(entry, dict))


def lacks_layer(reply: Reply) -> bool:
    """Say whether a manifest was rejected because a registry does not find one of its layers."""
    return bool(codes_of(reply) & {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})


def blob_rejected(exchange: Exchange, reply: Reply, repository: str) -> FairingAzureError:
    """Return the error for a blob that a registry does not take.

    Args:
        exchange: The registry.
        reply: Its answer.
        repository: The repository.

    Returns:
        The error.

    """
    host, status = exchange.host, reply.status
    if problem := _not_permitted(exchange, reply, repository):
        return problem
    if status == HTTPStatus.NOT_FOUND:
        return NotFoundError(
            f"Registry '{host}' has no repository '{repository}', and does not create one on push.",
            hint="Create the repository first, or set DOCKER_REGISTRY to an existing path.",
            service="registry",
            status=status,
        )
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return NotAllowedError(
            f"Registry '{host}' accepts no images: it is read-only or a mirror of another registry.",
            hint="Set DOCKER_REGISTRY to a registry that images can be pushed to.",
            code="read-only",
            service="registry",
            status=status,
        )
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return ServiceError(
            f"Registry '{host}' rejects layers for '{repository}', even in small parts (HTTP 413). Without it the "
            "image can't be pushed.",
            hint="A proxy in front of the registry limits the request size (nginx: client_max_body_size 0).",
            code="too-large",
            service="registry",
            status=status,
        )
    return unexpected(host, reply.answer, f"push to '{repository}'")


def manifest_rejected(exchange: Exchange, reply: Reply, repository: str, tag: str) -> FairingAzureError:
    """Return the error for a manifest that a registry does not take.

    Args:
        exchange: The registry.
        reply: Its answer.
        repository: The repository.
        tag: The tag.

    Returns:
        The error: a ConflictError where the tag is there and may not be changed.

    """
    host, status = exchange.host, reply.status
    image = f"{repository}:{tag}"
    codes = codes_of(reply)
    if problem := _not_permitted(exchange, reply, repository):
        return problem
    if status in _KEPT or "TAG_INVALID" in codes:
        name = host.partition(".")[0]
        return ConflictError(
            f"Registry '{host}' does not change '{image}' (HTTP {status}): the tag is locked or immutable. The image "
            "was not pushed.",
            hint=f"Push under another tag, or unlock it: az acr repository update --name {name} --image {image} "
            "--write-enabled true",
            code="tag-immutable",
            service="registry",
            status=status,
        )
    if lacks_layer(reply):
        return ConflictError(
            f"Registry '{host}' lost a layer of '{image}' during the push, perhaps by a clean-up.",
            hint="Try again.",
            code="layer-lost",
            service="registry",
            status=status,
        )
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or "MANIFEST_INVALID" in codes:
        return InputError(
            f"Registry '{host}' rejected the manifest of '{image}' (HTTP {status}): it is too large, or it has a "
            "format or external layers that this registry does not allow.",
            hint="Choose another base image, or another registry.",
            code="manifest-refused",
        )
    if status == HTTPStatus.NOT_FOUND:
        return blob_rejected(exchange, reply, repository)
    return unexpected(host, reply.answer, f"push '{image}'")


def delete_rejected(exchange: Exchange, reply: Reply, repository: str) -> FairingAzureError:
    """Return the error for an image that a registry does not delete.

    Args:
        exchange: The registry.
        reply: Its answer.
        repository: The repository.

    Returns:
        The error.

    """
    host, status = exchange.host, reply.status
    if status in _REJECTED:
        return NotAllowedError(
            f"This identity may not delete anything in '{repository}' in registry '{host}' (HTTP {status}).",
            hint="Grant AcrDelete, or in ABAC mode 'Container Registry Repository Contributor': az role assignment "
            f"create --assignee CLIENT_ID --role {_ACR_DELETE} --scope $(az acr show --name {host.partition('.')[0]} "
            "--query id --output tsv)",
            code="not-allowed-delete",
            service="registry",
            status=status,
        )
    if status in _KEPT:
        return NotAllowedError(
            f"Registry '{host}' did not delete the image of '{repository}' (HTTP {status}): the image is locked, or "
            "deletion is disabled.",
            hint="Unlock it, or ask the registry's owner to enable deletion.",
            code="delete-off",
            service="registry",
            status=status,
        )
    return unexpected(host, reply.answer, f"delete an image of '{repository}'")


def _not_permitted(exchange: Exchange, reply: Reply, repository: str) -> FairingAzureError | None:
    """Return the error for a rejection that is about who asks or how much there is already."""
    host, status = exchange.host, reply.status
    if not status:
        return unexpected(host, reply.answer, f"push to '{repository}'")
    reported = reply.answer.body[:4096].lower()
    if b"quota" in reported and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return NotAllowedError(
            f"Registry '{host}' is full: its quota, or that of '{repository}', is used up (HTTP {status}). The image "
            "can't be pushed.",
            hint=f"Delete old images, or increase the quota: az acr show-usage --name {host.partition('.')[0]}",
            code="quota",
            service="registry",
            status=status,
        )
    if status in _REJECTED:
        return exchange.credential.rejection(reply.answer, reply.permit, repository, "push")
    return None
