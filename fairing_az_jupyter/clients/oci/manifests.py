"""Image manifests and indexes, read and written as plain data.

Sources: https://github.com/opencontainers/image-spec/blob/main/manifest.md and image-index.md beside it,
https://distribution.github.io/distribution/spec/manifest-v2-2/ (Docker's manifest and manifest list),
https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers.
"""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from fairing_az_jupyter.clients.oci.references import is_digest
from fairing_az_jupyter.exceptions import InputError, NotFoundError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_TAR = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_TAR = "application/vnd.docker.image.rootfs.diff.tar"
"""Not compressed: what containerd, Docker and podman take, too."""

LARGEST_MANIFEST = 4 * 1024 * 1024
"""Bytes of a manifest, or of an image's configuration, that a registry has to take (distribution specification)."""

INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
ACCEPTED = f"{OCI_INDEX}, {OCI_MANIFEST}, {DOCKER_INDEX}, {DOCKER_MANIFEST}"
"""The Accept header of who asks for a manifest."""

_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"
_FOREIGN = ("application/vnd.docker.image.rootfs.foreign.", "application/vnd.oci.image.layer.nondistributable.")
_ATTESTATION = "vnd.docker.reference.type"
_BASE_DIGEST = "org.opencontainers.image.base.digest"
_ARCHITECTURES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm"}
# What a platform without a variant means (https://github.com/containerd/platforms, Normalize).
_VARIANTS = {"arm64": "v8", "arm": "v7", "amd64": "v1"}
_MOST_NAMED = 12


@dataclass(frozen=True)
class Descriptor:
    """Points to a blob.

    Args:
        media_type: Its media type.
        digest: Its SHA-256 digest.
        size: Its bytes.
        foreign: Whether it is kept elsewhere, by its own addresses, and is not to be pushed.

    """

    media_type: str
    digest: str
    size: int
    foreign: bool = False


def media_type_of(reported: str, manifest: dict[str, Any], name: str) -> str:
    """Return what kind of manifest this is.

    Args:
        reported: What the registry called it.
        manifest: Its content.
        name: The image, for errors.

    Returns:
        One of the two manifest types or of the two index types.

    Raises:
        InputError: It is of Docker's schema 1, or no image.

    """
    inside = manifest.get("mediaType")
    kind = inside if isinstance(inside, str) and inside else reported
    if manifest.get("schemaVersion") == 1 or kind.startswith(_SCHEMA_1):
        raise InputError(
            f"Image '{name}' uses Docker's schema 1, deprecated in 2017. No layer can be added to it.",
            hint="Push it again with a newer Docker, or choose another base image.",
            code="image-schema-1",
        )
    if kind in INDEXES or kind in {OCI_MANIFEST, DOCKER_MANIFEST}:
        return kind
    if isinstance(manifest.get("manifests"), list):
        return OCI_INDEX
    if isinstance(manifest.get("layers"), list) and isinstance(manifest.get("config"), dict):
        return DOCKER_MANIFEST if manifest["config"].get("mediaType") == DOCKER_CONFIG else OCI_MANIFEST
    raise damaged(name, "it is neither an image manifest nor an image index")


def descriptor(entry: object, name: str) -> Descriptor:
    """Read one descriptor.

    Args:
        entry: Its JSON form.
        name: The image, for errors.

    Returns:
        The descriptor.

    Raises:
        InputError: It is damaged.

    """
    if not isinstance(entry, dict) or not is_digest(entry.get("digest")) or not isinstance(entry.get("size"), int):
        raise damaged(name, "a part of it has no SHA-256 digest or no size")
    kind = str(entry.get("mediaType", ""))
    return Descriptor(kind, entry["digest"], entry["size"], kind.startswith(_FOREIGN) and bool(entry.get("urls")))


def parts_of(manifest: dict[str, Any], name: str) -> tuple[Descriptor, tuple[Descriptor, ...]]:
    """Return what an image consists of.

    Args:
        manifest: The manifest of one image, not an index.
        name: The image, for errors.

    Returns:
        Its configuration and its layers, from the lowest up.

    Raises:
        InputError: It is damaged, or something else than an image is kept in this form.

    """
    config = descriptor(manifest.get("config"), name)
    if config.media_type not in {OCI_CONFIG, DOCKER_CONFIG}:
        raise InputError(
            f"'{name}' is not a container image: its configuration has another type. No layer can be added to it.",
            hint="Choose a container image as the base image.",
            code="no-image",
        )
    layers = manifest.get("layers") or []  # how Go writes an empty list is null
    if not isinstance(layers, list):
        raise damaged(name, "it has no list of layers")
    return config, tuple(descriptor(one, name) for one in layers)


def normalised(platform: str) -> tuple[str, str, str]:
    """Return system, architecture and variant of a platform, in one spelling.

    Args:
        platform: Such as `linux/amd64` or `linux/arm/v7`.

    Returns:
        The three parts; the variant is the architecture's usual one where none is named.

    Raises:
        InputError: It is not a platform.

    """
    parts = platform.lower().split("/")
    if len(parts) not in {2, 3} or not all(parts):
        raise InputError(
            f"'{platform}' is not a platform.",
            hint="Write it as linux/amd64 or linux/arm64.",
            code="platform",
        )
    architecture = _ARCHITECTURES.get(parts[1], parts[1])
    variant = parts[2] if len(parts) == 3 else ""  # noqa: PLR2004 - with a variant
    return parts[0], architecture, variant or _VARIANTS.get(architecture, "")


def platform_of(fields: object) -> str:
    """Return the platform that an index's entry or an image's configuration names, empty where it names none."""
    if not isinstance(fields, dict):
        return ""
    parts = [fields.get("os"), fields.get("architecture"), fields.get("variant")]
    named = [part for part in parts if isinstance(part, str) and part]
    return "/".join(named) if all(isinstance(part, str) and part for part in parts[:2]) else ""


def matches(found: str, wanted: str) -> bool:
    """Tell whether two platforms are the same."""
    return normalised(found) == normalised(wanted)


def runs_on(found: str, wanted: str) -> bool:
    """Tell whether an image's own configuration fits; its variant matters only where one was asked for.

    Args:
        found: The image's platform, empty where it names none.
        wanted: The platform that was asked for.

    Returns:
        Whether it fits.

    """
    named = wanted.count("/") > 1
    return not found or normalised(found)[: 3 if named else 2] == normalised(wanted)[: 3 if named else 2]


def candidates(index: dict[str, Any], wanted: str, name: str) -> list[tuple[Descriptor, str]]:
    """Return the entries of an index that may be for a platform.

    Args:
        index: An image index or a manifest list.
        wanted: The platform.
        name: The image, for errors.

    Returns:
        What fits, in the index's order; then what names no platform, which its own configuration tells. Attestations
        are left out.

    Raises:
        InputError: The index is damaged.

    """
    entries = index.get("manifests")
    if not isinstance(entries, list):
        raise damaged(name, "it has no list of manifests")
    fitting, unnamed = [], []
    for entry in entries:
        one = descriptor(entry, name)
        if _is_attestation(entry):
            continue
        platform = platform_of(entry.get("platform"))
        if not platform:
            unnamed.append((one, platform))
        elif matches(platform, wanted):
            fitting.append((one, platform))
    return fitting + unnamed


def platforms_of(index: dict[str, Any]) -> list[str]:
    """Return the platforms that an index names, without attestations."""
    entries = index.get("manifests")
    named = (
        platform_of(entry.get("platform"))
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and not _is_attestation(entry)
    )
    return [platform for platform in dict.fromkeys(named) if platform]


def no_platform(name: str, wanted: str, present: list[str]) -> NotFoundError:
    """Return the error for an image that is not there for a platform."""
    more = " and others" if len(present) > _MOST_NAMED else ""
    there = f"only for {', '.join(present[:_MOST_NAMED])}{more}" if present else "or any other platform"
    return NotFoundError(
        f"Image '{name}' is not available for {wanted}, {there}. Its programs could not run.",
        hint="Choose another base image, or one of these platforms if the cluster's nodes have it.",
        code="platform",
        service="registry",
    )


def appended(
    manifest: dict[str, Any],
    kind: str,
    *,
    base: str,
    config: bytes,
    layer_digest: str,
    layer_size: int,
    name: str,
    compressed: bool = True,
) -> bytes:
    """Return a manifest with one layer more, in the form that the base's has.

    Args:
        manifest: The base's manifest.
        kind: Its media type.
        base: Its digest, which is reported in an OCI image's annotations.
        config: The new configuration.
        layer_digest: The digest of the layer as it is sent.
        layer_size: Its bytes.
        name: The image, for errors.
        compressed: Whether the layer is gzip-compressed.

    Returns:
        The new manifest. All else of the base's is kept as it was but `subject`, which tells what the base is about.

    Raises:
        InputError: It or the configuration is larger than a registry has to take.

    """
    docker = kind == DOCKER_MANIFEST
    made = {key: copy.deepcopy(value) for key, value in manifest.items() if key != "subject"}
    made["schemaVersion"] = 2
    made["mediaType"] = kind
    made["config"] = {
        "mediaType": DOCKER_CONFIG if docker else OCI_CONFIG,
        "size": len(config),
        "digest": digest_of(config),
    }
    kinds = (OCI_LAYER, DOCKER_LAYER) if compressed else (OCI_TAR, DOCKER_TAR)
    layer = {"mediaType": kinds[docker], "size": layer_size, "digest": layer_digest}
    made["layers"] = [*(made.get("layers") or []), layer]
    if not docker:
        annotations = made.get("annotations")
        made["annotations"] = {**(annotations if isinstance(annotations, dict) else {}), _BASE_DIGEST: base}
    body = encoded(made)
    for content, what in ((body, "manifest"), (config, "configuration")):
        if len(content) > LARGEST_MANIFEST:
            raise InputError(
                f"The {what} of '{name}' would have {len(content)} bytes; registries accept up to {LARGEST_MANIFEST}.",
                hint="Give the image fewer or shorter labels and environment variables, or a base with fewer layers.",
                code="manifest-size",
            )
    return body


def only_layer(digest: str, size: int, platform: str, created_by: str) -> tuple[bytes, bytes]:
    """Return the configuration and the manifest of an image that has one layer and nothing else.

    Args:
        digest: The digest of the layer, an uncompressed tar.
        size: Its bytes.
        platform: The image's platform, such as `linux/amd64`.
        created_by: What its history says about the layer.

    """
    system, architecture, variant = (*platform.split("/"), "")[:3]
    settings: dict[str, Any] = {"architecture": architecture, "os": system, **({"variant": variant} if variant else {})}
    settings |= {
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": created_by}],
    }
    config = encoded(settings)
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "size": len(config), "digest": digest_of(config)},
        "layers": [{"mediaType": OCI_TAR, "size": size, "digest": digest}],
    }
    return config, encoded(manifest)


def encoded(content: object) -> bytes:
    """Return the JSON form that is sent and digested: the same content gives the same bytes."""
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def decoded(body: bytes, name: str) -> dict[str, Any]:
    """Read a JSON object of an image.

    Args:
        body: Its bytes.
        name: The image, for errors.

    Returns:
        The object.

    Raises:
        InputError: It is none.

    """
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise damaged(name, "a part of it is not a JSON object")
    return found


def digest_of(content: bytes) -> str:
    """Return the digest of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def damaged(name: str, problem: str) -> InputError:
    """Return the error for an image that breaks the specification."""
    return InputError(
        f"Image '{name}' is damaged: {problem}. No layer can be added to it.",
        hint="Push it again, or choose another base image.",
        code="image-damaged",
    )


def _no_constant(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity are not valid JSON


def _is_attestation(entry: dict[str, Any]) -> bool:
    annotations = entry.get("annotations")
    reported = isinstance(annotations, dict) and _ATTESTATION in annotations
    return reported or platform_of(entry.get("platform")).startswith("unknown/unknown")
