"""What a registry keeps: its repositories, and the images in one with their tags, sizes and layers.

Sources: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags,
https://distribution.github.io/distribution/spec/api/#listing-repositories and
https://learn.microsoft.com/rest/api/containerregistry/manifests/get-list: Azure Container Registry alone tells when an
image was pushed last.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import json
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.oci.errors import unexpected
from fairing_az_jupyter.clients.oci.exchange import Exchange
from fairing_az_jupyter.clients.oci.images import ImageStore, next_page
from fairing_az_jupyter.clients.oci.references import require_repository
from fairing_az_jupyter.exceptions import FairingAzureError, NotAllowedError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fairing_az_jupyter.clients.oci.registry import Manifest, Registry

__all__ = ["StoredImage", "StoredImages"]

_AT_ONCE = 6
_MOST_PAGES = 1000
_REJECTED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclasses.dataclass(frozen=True)
class StoredImage:
    """One image of a repository.

    Args:
        repository: The repository.
        digest: The digest of its manifest.
        tags: Its tags.
        blobs: The bytes of its configuration and layers, by their digests.
        layers: The digests of its layers.
        pushed: When it was pushed last, in seconds since 1970-01-01 UTC; None where the registry does not tell.

    """

    repository: str
    digest: str
    tags: tuple[str, ...]
    blobs: Mapping[str, int] = dataclasses.field(default_factory=dict, repr=False)
    layers: frozenset[str] = dataclasses.field(default_factory=frozenset, repr=False)
    pushed: float | None = None

    @property
    def name(self) -> str:
        """What people call it: its repository and its first tag."""
        return f"{self.repository}:{self.tags[0]}" if self.tags else f"{self.repository}@{self.digest}"


class StoredImages:
    """The images of one registry, seen with one credential.

    Args:
        registry: The registry; it is closed by who made it.
        timeout: Seconds that the registry may be silent.
        deadline: Seconds for all tries of one request.

    """

    def __init__(self, registry: Registry, *, timeout: float = 30, deadline: float = 60) -> None:
        self.host = registry.host
        self._registry = registry
        self._store = ImageStore(registry, timeout=timeout, deadline=deadline)
        self._exchange = Exchange(
            registry.host, registry.base, registry.transport, registry.credential, timeout=timeout, deadline=deadline
        )

    def repositories(self, wanted: Callable[[str], bool]) -> list[str]:
        """Return the repositories that are wanted.

        Args:
            wanted: Tells of a repository's name whether it is.

        Raises:
            NotAllowedError: This credential may not list them.
            FairingAzureError: The registry does not say.

        """
        found: list[str] = []
        for document in self._pages("/v2/_catalog?n=500", "registry:catalog:*", "list the repositories"):
            names = document.get("repositories")
            found += [each for each in (names if isinstance(names, list) else []) if isinstance(each, str)]
        return sorted({each for each in found if wanted(each)})

    def images(self, repository: str) -> list[StoredImage]:
        """Return the images of a repository that have a tag.

        Args:
            repository: The repository.

        Returns:
            The images; none where there is no such repository.

        Raises:
            FairingAzureError: The registry does not say.

        """
        require_repository(repository)
        try:
            tags = self._store.tags(repository)
        except NotFoundError:
            return []
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="images") as pool:
            manifests = list(pool.map(lambda tag: self._manifest(repository, tag), tags))
        by_digest: dict[str, list[str]] = {}
        known: dict[str, Manifest] = {}
        for tag, manifest in zip(tags, manifests, strict=True):
            if manifest is not None:
                by_digest.setdefault(manifest.digest, []).append(tag)
                known[manifest.digest] = manifest
        pushed = self._pushed(repository) if known else {}
        return [
            StoredImage(repository, digest, tuple(sorted(names)), *_parts_of(known[digest]), pushed.get(digest))
            for digest, names in by_digest.items()
        ]

    def delete(self, image: StoredImage) -> bool:
        """Delete an image with all its tags; its layers go when the registry cleans up.

        Args:
            image: The image.

        Returns:
            Whether it was there.

        Raises:
            NotAllowedError: This credential may not delete, or the registry deletes nothing.
            FairingAzureError: The registry can't be reached, or fails.

        """
        return self._store.delete(image.repository, image.digest)

    def _manifest(self, repository: str, tag: str) -> Manifest | None:
        with contextlib.suppress(NotFoundError):
            return self._registry.manifest(repository, tag)
        # It was deleted since it was listed.
        return None

    def _pushed(self, repository: str) -> dict[str, float]:
        """Return when the images of a repository were pushed last; nothing where the registry has no such list."""
        found: dict[str, float] = {}
        url, scope = f"/acr/v1/{repository}/_manifests?n=500", f"repository:{repository}:metadata_read"
        with contextlib.suppress(FairingAzureError):
            for document in self._pages(url, scope, f"list the images of '{repository}'"):
                listed = document.get("manifests")
                for each in listed if isinstance(listed, list) else []:
                    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                        when = datetime.fromisoformat(_short(each["lastUpdateTime"]))
                        found[str(each["digest"])] = when.timestamp()
        return found

    def _pages(self, url: str, scope: str, doing: str) -> Iterator[dict[str, Any]]:
        seen: set[str] = set()
        while url and url not in seen and len(seen) < _MOST_PAGES:
            seen.add(url)
            reply = self._exchange.ask("GET", url, scope)
            if reply.status in _REJECTED:
                raise NotAllowedError(
                    f"This identity may not {doing} in registry '{self.host}' (HTTP {reply.status}).",
                    hint="Grant it AcrPull; in a registry in ABAC mode also 'Container Registry Repository Catalog "
                    "Lister'.",
                    code="not-allowed-list",
                    service="registry",
                    status=reply.status,
                )
            if reply.status != HTTPStatus.OK:
                raise unexpected(self.host, reply.answer, doing)
            yield reply.answer.json()
            url = next_page(reply.header("Link"), self._exchange.address(url))


def _parts_of(manifest: Manifest) -> tuple[dict[str, int], frozenset[str]]:
    """Return the blobs of an image with their bytes, and which of them are layers; what is damaged has none."""
    blobs: dict[str, int] = {}
    layers: set[str] = set()
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        document = json.loads(manifest.body)
        for name in ("config", "layers", "manifests"):
            listed = document.get(name) or []
            for each in [listed] if isinstance(listed, dict) else listed:
                blobs[str(each["digest"])] = int(each["size"])
                layers |= {str(each["digest"])} if name == "layers" else set()
    return blobs, frozenset(layers)


def _short(text: str) -> str:
    """Return a time as Python 3.10 reads it: Azure writes seven digits of a second, and a Z."""
    whole, _, _ = text.rstrip("Z").partition(".")
    return f"{whole}+00:00"
