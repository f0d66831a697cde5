"""Images in a registry: found by platform, given one layer more, pushed without a build.

Speaks the OCI distribution API (https://github.com/opencontainers/distribution-spec/blob/main/spec.md). What is there
already is not sent again: base layers of the same registry are mounted, those of another registry are passed through.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from fairing_az_jupyter.clients.oci.blobs import LocalBlob, RemoteBlob
from fairing_az_jupyter.clients.oci.errors import unexpected
from fairing_az_jupyter.clients.oci.exchange import Exchange
from fairing_az_jupyter.clients.oci.manifests import (
    ACCEPTED,
    INDEXES,
    LARGEST_MANIFEST,
    OCI_MANIFEST,
    OCI_TAR,
    appended,
    candidates,
    decoded,
    digest_of,
    encoded,
    media_type_of,
    no_platform,
    normalised,
    only_layer,
    parts_of,
    platform_of,
    platforms_of,
    runs_on,
)
from fairing_az_jupyter.clients.oci.push.errors import delete_rejected, lacks_layer, manifest_rejected
from fairing_az_jupyter.clients.oci.push.image_changes import ConfigChanges, changed
from fairing_az_jupyter.clients.oci.push.layers import Layer
from fairing_az_jupyter.clients.oci.push.streamed import StoredLayer
from fairing_az_jupyter.clients.oci.push.transfer import Push
from fairing_az_jupyter.clients.oci.push.uploads import push_scope
from fairing_az_jupyter.clients.oci.references import ImageReference, require_digest, require_repository, require_tag
from fairing_az_jupyter.exceptions import ConflictError, FairingAzureError, InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairing_az_jupyter.clients.oci.exchange import Reply
    from fairing_az_jupyter.clients.oci.manifests import Descriptor
    from fairing_az_jupyter.clients.oci.push.streamed import StreamedBlob
    from fairing_az_jupyter.clients.oci.registry import Registry

__all__ = ["ConfigChanges", "ImageReference", "ImageStore", "Layer", "PushedImage", "ResolvedImage", "next_page"]

_DEEPEST = 3
_TRIES = 3
_MOST_PAGES = 1000


@dataclass(frozen=True)
class ResolvedImage:
    """One image for one platform, as a registry keeps it.

    Args:
        host: The registry.
        repository: The repository.
        digest: The digest of the image's own manifest, not of an index.
        media_type: That manifest's type: OCI's or Docker's.
        platform: Such as `linux/amd64`.
        manifest: The manifest.
        config: The image's configuration.

    """

    host: str
    repository: str
    digest: str
    media_type: str
    platform: str
    manifest: dict[str, Any] = field(repr=False)
    config: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """The image's whole name, by digest."""
        return f"{self.host}/{self.repository}@{self.digest}"


@dataclass(frozen=True)
class PushedImage:
    """An image that is in the registry now.

    Args:
        name: Its whole name, by digest.
        digest: Its manifest's digest.
        size: The bytes of its configuration and of all its layers, compressed.
        sent_bytes: What had to be sent of them.
        mounted: How many layers the registry took from another repository of its own.
        requests: How many requests its registry got for it, without those for tokens.

    """

    name: str
    digest: str
    size: int
    sent_bytes: int
    mounted: int
    requests: int


class ImageStore:
    """The images of one registry, seen with one credential.

    Args:
        registry: The registry; it stays open, and is closed by who made it.
        timeout: Seconds that the registry may be silent.
        deadline: Seconds for all tries of one request without a long body.

    """

    def __init__(self, registry: Registry, *, timeout: float = 30, deadline: float = 60) -> None:
        self.host = registry.host
        # Reading and writing are two halves of one client: same connections, same tokens.
        self._exchange = Exchange(
            registry.host,
            registry.base,
            registry.transport,
            registry.credential,
            timeout=timeout,
            deadline=deadline,
        )

    def __repr__(self) -> str:
        return f"ImageStore({self.host!r})"

    def resolve(self, reference: ImageReference, platform: str = "linux/amd64") -> ResolvedImage:
        """Find an image for a platform.

        Args:
            reference: The image, in this registry.
            platform: Such as `linux/amd64` or `linux/arm/v7`.

        Returns:
            The image; of an index or manifest list, the entry for the platform.

        Raises:
            NotFoundError: It is not there, or not for the platform; the error names the platforms there are.
            InputError: It is not an image that a layer can be added to.
            FairingAzureError: The registry does not give it.

        """
        self._require_own(reference.host, str(reference))
        normalised(platform)
        return self._resolve(reference.repository, reference.reference, platform, str(reference))

    def has(self, repository: str, reference: str) -> str | None:
        """Say whether an image is there.

        Args:
            repository: The repository.
            reference: A tag or a digest.

        Returns:
            The digest of its manifest; None if it is not there.

        Raises:
            InputError: The names can't be an image's.
            FairingAzureError: The registry does not say.

        """
        require_repository(repository)
        (require_digest if ":" in reference else require_tag)(reference)
        return self._has(repository, reference, _pull(repository))

    def append(
        self,
        base: ResolvedImage,
        base_store: ImageStore,
        layer: Layer | StoredLayer,
        *,
        repository: str,
        tag: str,
        created_by: str,
        changes: ConfigChanges | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> PushedImage:
        """Push an image that is another one with one layer more; the same inputs give the same image.

        Args:
            base: The other image.
            base_store: The registry that has it: this one, or another with its own credential.
            layer: The layer; one that is stored already has to be in `repository`.
            repository: Where the image is to be.
            tag: Its tag; an image that has it loses it.
            created_by: What the image's history says about the layer.
            changes: What else is to be different from the base.
            progress: Gets the bytes sent and the bytes to send, from several threads, never two at once.

        Returns:
            What was pushed, and what that took.

        Raises:
            InputError: The image would break a rule.
            ConflictError: The tag is there and may not be changed, or other bytes arrived than were sent.
            NotAllowedError: This credential may not push there, or the registry is full or read-only.
            ContextError: The layer's file changed.
            FairingAzureError: The registry can't be reached, or fails.

        """
        require_repository(repository)
        require_tag(tag)
        base_store._require_own(base.host, base.name)
        before = self._exchange.requests
        _, layers = parts_of(base.manifest, base.name)
        settings = changed(
            base.config,
            changes or ConfigChanges(),
            diff_id=layer.diff_id,
            created_by=created_by,
            layers=len(layers),
            name=base.name,
        )
        config = encoded(settings)
        name = f"{self.host}/{repository}"
        manifest = appended(
            base.manifest,
            base.media_type,
            base=base.digest,
            config=config,
            layer_digest=layer.digest,
            layer_size=layer.size,
            name=f"{name}:{tag}",
            compressed=layer.compressed,
        )
        digest = digest_of(manifest)
        push = Push(self._exchange, repository, progress)
        if self._has(repository, tag, push_scope(repository)) != digest:
            mine = [LocalBlob(config, digest_of(config), len(config))]
            mine += [layer.blob] if layer.blob is not None else []
            for left in reversed(range(_TRIES)):
                push.send(mine, layers, base_store._exchange, base.repository)
                if self._put(repository, tag, manifest, base.media_type, digest, may_lack=left > 0):
                    break
                push.trusting = False
        return PushedImage(
            name=f"{name}@{digest}",
            digest=digest,
            size=len(config) + layer.size + sum(one.size for one in layers),
            sent_bytes=push.sent,
            mounted=push.mounted,
            requests=self._exchange.requests - before,
        )

    def push_stream(
        self,
        repository: str,
        tag: str,
        blob: StreamedBlob,
        platform: str,
        *,
        created_by: str,
        progress: Callable[[int, int], object] | None = None,
    ) -> StoredLayer:
        """Push a layer that is made while it is sent, as the only one of an image that keeps it in the registry.

        Args:
            repository: Where it is to be.
            tag: The image's tag.
            blob: The layer, as a plain tar.
            platform: The image's platform, such as `linux/amd64`.
            created_by: What the image's history says about the layer.
            progress: As of `append`.

        Returns:
            The layer.

        Raises:
            FairingAzureError: It could not be made, or as of `append`.

        """
        require_repository(repository)
        require_tag(tag)
        push = Push(self._exchange, repository, progress)
        push.stream(blob)
        layer = StoredLayer(blob.digest, blob.size)
        config, manifest = only_layer(layer.digest, layer.size, platform, created_by)
        mine = LocalBlob(config, digest_of(config), len(config))
        push.send([mine], [], self._exchange, repository)
        self._put(repository, tag, manifest, OCI_MANIFEST, digest_of(manifest), may_lack=False)
        return layer

    def stored_layer(self, repository: str, tag: str) -> StoredLayer | None:
        """Return the layer that `push_stream` has pushed.

        Args:
            repository: Where it is.
            tag: The image's tag.

        Returns:
            The layer; None where there is no such image, or it is not of `push_stream`.

        Raises:
            FairingAzureError: The registry does not say.

        """
        require_repository(repository)
        require_tag(tag)
        reply = self._manifest("GET", repository, tag, _pull(repository))
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        if reply.status != HTTPStatus.OK:
            raise self._unreadable(reply, repository)
        name = f"{self.host}/{repository}:{tag}"
        manifest = decoded(reply.answer.body, name)
        layers = parts_of(manifest, name)[1] if isinstance(manifest.get("config"), dict) else ()
        only = layers[0] if len(layers) == 1 and layers[0].media_type == OCI_TAR else None
        return None if only is None else StoredLayer(only.digest, only.size)

    def tags(self, repository: str) -> list[str]:
        """List the tags of a repository.

        Args:
            repository: The repository.

        Returns:
            All tags, however many pages they come in.

        Raises:
            NotFoundError: The repository does not exist.
            FairingAzureError: The registry does not say.

        """
        require_repository(repository)
        found: list[str] = []
        url, seen = f"/v2/{repository}/tags/list?n=500", set[str]()
        while url and url not in seen and len(seen) < _MOST_PAGES:
            seen.add(url)
            reply = self._exchange.ask("GET", url, _pull(repository))
            if reply.status == HTTPStatus.NOT_FOUND:
                raise self._missing(f"repository '{repository}'")
            if reply.status != HTTPStatus.OK:
                raise self._unreadable(reply, repository)
            listed = reply.answer.json().get("tags")
            found += [tag for tag in (listed if isinstance(listed, list) else []) if isinstance(tag, str)]
            url = next_page(reply.header("Link"), self._exchange.address(url))
        return list(dict.fromkeys(found))

    def delete(self, repository: str, digest: str) -> bool:
        """Delete an image with all its tags; its layers go when the registry cleans up.

        Args:
            repository: The repository.
            digest: The digest of the image's manifest.

        Returns:
            Whether it was there.

        Raises:
            NotAllowedError: This credential may not delete, or the registry deletes nothing.
            FairingAzureError: The registry can't be reached, or fails.

        """
        require_repository(repository)
        require_digest(digest)
        scope = f"repository:{repository}:delete"
        reply = self._exchange.ask("DELETE", f"/v2/{repository}/manifests/{digest}", scope)
        if reply.status == HTTPStatus.NOT_FOUND:
            return False
        if reply.status not in {HTTPStatus.ACCEPTED, HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
            raise delete_rejected(self._exchange, reply, repository)
        return True

    def _has(self, repository: str, reference: str, scope: str) -> str | None:
        reply = self._manifest("HEAD", repository, reference, scope)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        if reply.status != HTTPStatus.OK:
            raise self._unreadable(reply, repository)
        reported = reply.header("Docker-Content-Digest")
        if reported.startswith("sha256:"):
            return reported
        reply = self._manifest("GET", repository, reference, scope)
        return digest_of(reply.answer.body) if reply.status == HTTPStatus.OK else None

    def _resolve(
        self, repository: str, reference: str, platform: str, name: str, *, reported: str = "", depth: int = 0
    ) -> ResolvedImage:
        reply = self._manifest("GET", repository, reference, _pull(repository))
        if reply.status == HTTPStatus.NOT_FOUND:
            raise self._missing(f"image '{name}'")
        if reply.status != HTTPStatus.OK:
            raise self._unreadable(reply, repository)
        body = reply.answer.body
        digest = digest_of(body)
        if len(body) >= LARGEST_MANIFEST:
            raise unexpected(self.host, reply.answer, f"get a manifest within the size limit for '{name}'")
        if ":" in reference and digest != reference:
            raise ConflictError(
                (
                    f"Registry '{self.host}' returned content that does not match '{repository}@{reference}': its "
                    f"digest is {digest}."
                ),
                hint="Try again. If it fails again, something in between changes the content.",
                service="registry",
            )
        manifest = decoded(body, name)
        kind = media_type_of(reply.header("Content-Type").partition(";")[0].strip(), manifest, name)
        if kind in INDEXES:
            return self._choose(manifest, repository, platform, name, depth)
        what, _ = parts_of(manifest, name)
        blob = RemoteBlob(self._exchange, repository, what)
        config = decoded(blob.read(LARGEST_MANIFEST), name)
        found = platform_of(config)
        if not reported and not runs_on(found, platform):  # an index knows better than a configuration made elsewhere
            raise no_platform(name, platform, [found])
        return ResolvedImage(self.host, repository, digest, kind, reported or found or platform, manifest, config)

    def _choose(self, index: dict[str, Any], repository: str, platform: str, name: str, depth: int) -> ResolvedImage:
        if depth < _DEEPEST:
            for entry, reported in candidates(index, platform, name):
                found = self._entry(entry, reported, repository, platform, name, depth)
                if found is not None:
                    return found
        raise no_platform(name, platform, platforms_of(index))

    def _entry(
        self, entry: Descriptor, reported: str, repository: str, platform: str, name: str, depth: int
    ) -> ResolvedImage | None:
        try:
            return self._resolve(repository, entry.digest, platform, name, reported=reported, depth=depth + 1)
        except NotFoundError as error:
            if error.code == "platform" and not reported:  # its own configuration was the first to tell
                return None
            raise

    def _put(self, repository: str, tag: str, manifest: bytes, kind: str, digest: str, *, may_lack: bool) -> bool:
        """Push the manifest; say whether its layers were all there."""
        url = f"/v2/{repository}/manifests/{tag}"
        headers = {"Content-Type": kind}
        reply = self._exchange.ask("PUT", url, push_scope(repository), body=manifest, headers=headers)
        if reply.status not in {HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT}:
            # A clean-up may have come in between, and Docker's registry loses sight of a layer that is pushed twice.
            if may_lack and lacks_layer(reply):
                return False
            raise manifest_rejected(self._exchange, reply, repository, tag)
        reported = reply.header("Docker-Content-Digest")
        if reported and reported != digest:
            raise ConflictError(
                f"Registry '{self.host}' keeps '{repository}:{tag}' as {reported}, but {digest} was sent.",
                hint="Try again. If it fails again, something in between changes the content.",
                service="registry",
            )
        return True

    def _manifest(self, method: str, repository: str, reference: str, scope: str) -> Reply:
        headers = {"Accept": ACCEPTED}
        return self._exchange.ask(method, f"/v2/{repository}/manifests/{reference}", scope, headers=headers)

    def _require_own(self, host: str, name: str) -> None:
        if host != self.host:
            raise InputError(
                f"Image '{name}' belongs to another registry than '{self.host}'.",
                hint=f"Use registry '{host}'.",
                code="image-registry",
            )

    def _unreadable(self, reply: Reply, repository: str) -> FairingAzureError:
        if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return self._exchange.credential.rejection(reply.answer, reply.permit, repository, "pull")
        return unexpected(self.host, reply.answer, f"pull from '{repository}'")

    def _missing(self, what: str) -> NotFoundError:
        return NotFoundError(
            f"Registry '{self.host}' has no {what}.",
            hint="Check the name, and that it was pushed.",
            service="registry",
            status=404,
        )


def _pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def next_page(link: str, url: str) -> str:
    """Return where the next page of a list is (RFC 8288), if that is in the same registry.

    Args:
        link: The answer's Link header.
        url: Where the answer came from.

    """
    for entry in link.split(","):
        target, _, parameters = entry.strip().partition(">")
        if target.startswith("<") and 'rel="next"' in parameters.replace("rel=next", 'rel="next"'):
            following = urlsplit(urljoin(url, target[1:]))
            return f"{following.path}?{following.query}"
    return ""
