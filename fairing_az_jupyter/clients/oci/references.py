"""The name of an image, taken apart: registry, repository, tag and digest.

Sources: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests (names and tags) and
https://github.com/distribution/reference (how Docker reads a name without a registry: it is Docker Hub's).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from fairing_az_jupyter.clients.oci.auth.docker_config import registry_host
from fairing_az_jupyter.exceptions import InputError

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_LONGEST_REPOSITORY = 255
_DOCKER_HUB = registry_host("docker.io")
_SHOWN = 200


@dataclass(frozen=True)
class ImageReference:
    """The name of an image.

    Args:
        host: The registry, as `Registry` wants it, such as `contosoml.azurecr.io`.
        repository: The repository's name, such as `team/base`.
        tag: The tag; None where only a digest was given.
        digest: The digest, which goes before the tag; None where none was given.

    """

    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Read an image's name as users write it.

        Args:
            text: Such as `contosoml.azurecr.io/team/base:3.11@sha256:...`, or `python:3.11-slim` for Docker Hub.

        Returns:
            Its parts; the tag is `latest` where there is neither a tag nor a digest.

        Raises:
            InputError: It is not an image's name.

        """
        rest, at, digest = text.strip().partition("@")
        head, _, tail = rest.rpartition("/")
        tail, colon, tag = tail.partition(":")
        first, slash, path = head.partition("/")
        named = f"{path}/{tail}" if slash else tail
        if head and (set(".:[") & set(first) or first == "localhost"):
            host, repository = registry_host(first), named
        else:
            host, repository = _DOCKER_HUB, f"{head}/{tail}" if head else tail
        if host == _DOCKER_HUB and "/" not in repository:
            repository = f"library/{repository}"
        if "://" in rest or "//" in rest:
            raise _wrong(text, "it has an empty part or a scheme")
        if not _HOST.fullmatch(host):
            raise _wrong(text, f"'{host}' is not a registry host")
        require_repository(repository)
        if colon:
            require_tag(tag)
        if at and not _DIGEST.fullmatch(digest):
            raise _wrong(text, "the part after '@' is not a SHA-256 digest")
        return cls(host, repository, tag if colon else None if at else "latest", digest if at else None)

    @property
    def reference(self) -> str:
        """What a registry is asked for: the digest where there is one, otherwise the tag."""
        return self.digest or self.tag or "latest"

    @property
    def in_pods(self) -> str:
        """The name for a pod's specification: Docker Hub is `docker.io` there, as lists of allowed registries have it.

        Source: https://kubernetes.io/docs/concepts/containers/images/#image-names
        """
        return str(replace(self, host="docker.io") if self.host == _DOCKER_HUB else self)

    def import_into(self, host: str) -> tuple[tuple[str, ...], str]:
        """Return the words of the Azure CLI that copy the image into an Azure Container Registry, and the copy's name.

        Source: https://learn.microsoft.com/azure/container-registry/container-registry-import-images

        Args:
            host: The registry's login server; what its name has behind a hyphen is not the registry's own.

        """
        kept = f"{self.repository}:{self.tag or 'imported'}"
        source = replace(self, tag=None if self.digest else self.tag).in_pods
        name = re.split(r"[.-]", host)[0]
        return ("acr", "import", "--name", name, "--source", source, "--image", kept), f"{host}/{kept}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.host}/{self.repository}{tag}{f'@{self.digest}' if self.digest else ''}"


def require_repository(name: str) -> None:
    """Reject what can't be a repository's name.

    Args:
        name: The name.

    Raises:
        InputError: It breaks the distribution specification's rule.

    """
    if len(name) > _LONGEST_REPOSITORY or not _REPOSITORY.fullmatch(name):
        upper = ": capital letters are not allowed" if _REPOSITORY.fullmatch(name.lower()) else ""
        raise _wrong(name, f"it is not a repository name{upper}")


def require_tag(name: str) -> None:
    """Reject what can't be a tag.

    Args:
        name: The tag.

    Raises:
        InputError: It breaks the distribution specification's rule.

    """
    if not _TAG.fullmatch(name):
        raise _wrong(name, "it is not a tag: at most 128 letters, digits, '_', '.' and '-'")


def require_digest(name: str) -> None:
    """Reject what is not a SHA-256 digest.

    Args:
        name: The digest.

    Raises:
        InputError: It is none.

    """
    if not is_digest(name):
        raise _wrong(name, "it is not a digest such as sha256:...")


def is_digest(text: object) -> bool:
    """Tell whether this is a SHA-256 digest, the only kind that can be checked here."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def _wrong(text: str, problem: str) -> InputError:
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return InputError(
        f"{shown!r} is not an image name: {problem}.",
        hint="Write it as contosoml.azurecr.io/team/model:1 (lower-case letters, digits, single '.', '_' or '-').",
        code="image-name",
    )
