"""Container registries: what this credential may pull and push, and what is there.

Speaks the OCI distribution API (https://github.com/opencontainers/distribution-spec/blob/main/spec.md) with basic
authentication or bearer tokens. For an Azure Container Registry a token comes from a client id and secret
(https://github.com/Azure/acr/blob/main/docs/Token-BasicAuth.md) or from a Microsoft Entra token by way of a refresh
token (https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from fairing_az_jupyter.clients.oci.auth.docker_config import registry_host
from fairing_az_jupyter.clients.oci.auth.login import Credential, Permit
from fairing_az_jupyter.clients.oci.errors import unexpected
from fairing_az_jupyter.clients.oci.http import LARGEST_BODY, REDIRECTS, Transport
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import ConflictError, FairingAzureError, InputError, NotAllowedError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

    from fairing_az_jupyter.clients.http import Answer

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""The forms of a manifest that are asked for."""

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
# The distribution specification's own rules for names and references.
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[A-Za-z0-9=_-]+")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LONGEST_REPOSITORY = 255
_CANCELLED = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND})
_REJECTED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
# The upload that a check starts is cancelled even where the check itself has used up its time.
_TIME_TO_CANCEL = 1.0


@dataclass(frozen=True)
class Access:
    """What a credential may do with a repository.

    Args:
        repository: The repository's name.
        pull: Whether it may pull; None where that was neither tried nor reported.
        push: Whether it may push; None where that was neither tried nor reported.
        exists: Whether there is anything in the repository; None where that was not looked at.
        granted: The rights that the registry's token names, such as `pull`; None where it names none.
        scheme: How the registry authenticates: `bearer`, `basic` or `none`.
        cancelled: Whether the upload that proved `push` was cancelled; otherwise it ends by itself after some days.

    """

    repository: str
    pull: bool | None
    push: bool | None
    exists: bool | None
    granted: frozenset[str] | None
    scheme: str
    cancelled: bool | None = None


@dataclass(frozen=True)
class Manifest:
    """A manifest as a registry keeps it.

    Args:
        media_type: Its media type.
        digest: Its digest, such as `sha256:...`, computed from the bytes.
        body: Its bytes.

    """

    media_type: str
    digest: str
    body: bytes = field(repr=False)


class Registry:
    """A container registry, and who asks it.

    Args:
        host: Its host, such as `contosoml.azurecr.io`; a scheme or a path is left out.
        username: The user's name; for a service principal its client id.
        password: The password or client secret.
        aad_token: A Microsoft Entra access token for `https://containerregistry.azure.net`, which goes
            before a password.
        scheme: `https`, or `http` for a registry on loopback.
        verify: A file with the CA certificates to trust; True for those that the environment and requests name.
        timeout: Seconds for one attempt of one request.
        deadline: Seconds for everything that one method does.

    Raises:
        InputError: The host is none.

    """

    def __init__(
        self,
        host: str,
        *,
        username: str | None,
        password: SecretValue | None,
        aad_token: SecretValue | None = None,
        scheme: str = "https",
        verify: str | bool = True,
        timeout: float = 5,
        deadline: float = 12,
    ) -> None:
        self.host = registry_host(host)
        if not _HOST.fullmatch(self.host) or scheme not in {"https", "http"}:
            raise InputError(
                f"'{self.host}' is not a registry host. Without it no image can be pushed or pulled.",
                hint="Set DOCKER_REGISTRY to the registry's login server, such as contosoml.azurecr.io",
                code="registry-host",
            )
        self.base = f"{scheme}://{self.host}"
        """The registry's address."""
        self._username = username or None
        self._deadline = deadline
        self.transport = Transport(self.base, verify=verify, timeout=timeout)
        self.credential = Credential(
            self.host,
            self.base,
            self.transport,
            username=self._username,
            password=password,
            aad_token=aad_token,
        )

    def __repr__(self) -> str:
        return f"Registry({self.host!r}, username={self._username!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self.transport.web.close()

    def check_pull(self, repository: str) -> Access:
        """Find out whether this credential may pull from a repository.

        Args:
            repository: The repository's name, such as `team/model`.

        Returns:
            What it may do; a repository that is not there yet is one that it may pull from.

        Raises:
            InputError: The name breaks the registry's rule.
            CredentialError: The registry does not believe the credential, or there is none.
            NotAllowedError: It may not pull, or the registry's firewall lets nobody in from here.
            UnreachableError: No answer arrives, or not from a registry.
            ThrottledError: There were too many requests.
            ServiceError: The registry failed.

        """
        _require_repository(repository)
        end = time.monotonic() + self._deadline
        answer, permit = self._ask("GET", f"/v2/{repository}/tags/list?n=1", repository, "pull", end=end)
        exists: bool | None = answer.status == HTTPStatus.OK
        if answer.status in _REJECTED:  # some rights are for images, but not for lists of them
            rejected = answer
            answer, permit = self._ask("GET", f"/v2/{repository}/manifests/latest", repository, "pull", end=end)
            exists = True if answer.status == HTTPStatus.OK else None
            if answer.status in _REJECTED:
                raise self.credential.rejection(rejected, permit, repository, "pull")
        if answer.is_html or answer.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise unexpected(self.host, answer, f"pull from '{repository}'")
        has = permit.granted(repository)
        return Access(
            repository=repository,
            pull=True,
            push=None if has is None else "push" in has or None,
            exists=exists,
            granted=has,
            scheme=self.credential.scheme(),
        )

    def check_push(self, repository: str) -> Access:
        """Find out whether this credential may push to a repository, by starting an upload and cancelling it.

        Args:
            repository: The repository's name, such as `team/model`; it need not be there yet, and is not made.

        Returns:
            What it may do.

        Raises:
            InputError: The name breaks the registry's rule.
            CredentialError: The registry does not believe the credential, or there is none.
            NotAllowedError: It may not push, or the registry's firewall lets nobody in from here.
            NotFoundError: The registry takes only repositories that were made before.
            UnreachableError: No answer arrives, or not from a registry.
            ThrottledError: There were too many requests.
            ServiceError: The registry failed.

        """
        _require_repository(repository)
        end = time.monotonic() + self._deadline
        answer, permit = self._ask("POST", f"/v2/{repository}/blobs/uploads/", repository, "pull,push", end=end)
        if answer.status in _REJECTED:
            raise self.credential.rejection(answer, permit, repository, "push")
        if answer.status == HTTPStatus.NOT_FOUND and not answer.is_html:
            raise NotFoundError(
                f"Registry '{self.host}' has no repository '{repository}', and does not create one on push.",
                hint="Create the repository first, or set DOCKER_REGISTRY to an existing path.",
                service="registry",
                status=404,
            )
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:  # distribution in read-only mode or as a mirror
            raise NotAllowedError(
                f"Registry '{self.host}' accepts no images: it is read-only or a mirror of another registry.",
                hint="Set DOCKER_REGISTRY to a registry that images can be pushed to.",
                code="read-only",
                service="registry",
                status=405,
            )
        if answer.status != HTTPStatus.ACCEPTED or answer.is_html:
            raise unexpected(self.host, answer, f"push to '{repository}'")
        cancelled = self._cancel(
            answer.headers.get("Location", ""), permit, max(end, time.monotonic() + _TIME_TO_CANCEL)
        )
        has = permit.granted(repository)
        return Access(
            repository=repository,
            pull=None if has is None else "pull" in has,
            push=True,
            exists=None,
            granted=has,
            scheme=self.credential.scheme(),
            cancelled=cancelled,
        )

    def manifest(self, repository: str, reference: str) -> Manifest:
        """Get a manifest.

        Args:
            repository: The repository's name.
            reference: A tag or a digest.

        Returns:
            The manifest, whose bytes have the digest that is reported.

        Raises:
            NotFoundError: There is none by that name.
            ConflictError: Its bytes do not have the digest that was asked for.
            FairingAzureError: As for `check_pull`.

        """
        _require_repository(repository)
        if not _TAG.fullmatch(reference) and not _DIGEST.fullmatch(reference):
            raise _bad_name(f"'{reference}' is neither a tag nor a digest")
        answer = self._read("GET", f"/v2/{repository}/manifests/{reference}", repository, f"get '{reference}' of")
        if answer is None:
            raise NotFoundError(
                f"Registry '{self.host}' has no image '{repository}:{reference}'.",
                hint="Check the name, and that it was pushed.",
                service="registry",
                status=404,
            )
        if len(answer.body) >= LARGEST_BODY:
            raise unexpected(self.host, answer, f"get a manifest within the size limit from '{repository}'")
        digest = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
        if reference.startswith("sha256:") and reference != digest:
            raise ConflictError(
                (
                    f"Registry '{self.host}' returned content that does not match '{repository}@{reference}': its "
                    f"digest is {digest}."
                ),
                hint="Try again. If it fails again, something in between changes the content.",
                service="registry",
            )
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        return Manifest(media_type=kind or str(answer.json().get("mediaType", "")), digest=digest, body=answer.body)

    def blob_exists(self, repository: str, digest: str) -> bool:
        """Say whether a repository has a blob.

        Args:
            repository: The repository's name.
            digest: The blob's digest.

        Returns:
            Whether it is there.

        Raises:
            FairingAzureError: As for `check_pull`.

        """
        _require_repository(repository)
        if not _DIGEST.fullmatch(digest):
            raise _bad_name(f"'{digest}' is not a digest")
        return self._read("HEAD", f"/v2/{repository}/blobs/{digest}", repository, "look for a blob of") is not None

    def token_for(self, rights: Mapping[str, str]) -> tuple[SecretValue, float] | None:
        """Have a token made by which another program can use some repositories for some time, and nothing else.

        Sources: https://learn.microsoft.com/rest/api/containerregistry/access-tokens/get for several scopes at once,
        https://pkg.go.dev/github.com/google/go-containerregistry/pkg/authn#AuthConfig for the entry.

        Args:
            rights: The actions, such as `pull,push`, by repository.

        Returns:
            What a docker config has for the registry, as JSON text, and the seconds that the token lives; None where
            nobody logs in, or where the registry has no token service.

        Raises:
            FairingAzureError: As for `check_pull`.

        """
        for repository in rights:
            _require_repository(repository)
        if self.credential.anonymous:
            return None
        scopes = " ".join(f"repository:{repository}:{actions}" for repository, actions in sorted(rights.items()))
        issued = self.credential.issue(scopes, time.monotonic() + self._deadline)
        if issued is None:
            return None
        token, seconds = issued
        return SecretValue(json.dumps({"registrytoken": token.reveal()})), seconds

    def login_entry(self) -> SecretValue | None:
        """Return what a docker config has for the registry so that another program has the whole login.

        Returns:
            The JSON text; None where nobody logs in by a password.

        """
        login = self.credential.login()
        if login is None:
            return None
        user, password = login
        return SecretValue(json.dumps({"username": user, "password": password.reveal()}))

    def _read(self, method: str, path: str, repository: str, doing: str) -> Answer | None:
        """Return the answer to a pull, None for 404."""
        end = time.monotonic() + self._deadline
        blob = method == "HEAD"
        answer, permit = self._ask(method, path, repository, "pull", end=end, follow=not blob)
        if answer.status in _REJECTED:
            raise self.credential.rejection(answer, permit, repository, "pull")
        if answer.status == HTTPStatus.NOT_FOUND and not answer.is_html:
            return None
        # A blob that is there may be kept elsewhere: the registry looks first, and then tells where.
        if (answer.status == HTTPStatus.OK and not answer.is_html) or (blob and answer.status in REDIRECTS):
            return answer
        raise unexpected(self.host, answer, f"{doing} '{repository}'")

    def _ask(
        self,
        method: str,
        path: str,
        repository: str,
        actions: str,
        *,
        end: float,
        follow: bool = True,
    ) -> tuple[Answer, Permit]:
        """Send a request with the credential, once more with a new token where a kept one is rejected."""
        while True:
            permit = self.credential.permit(f"repository:{repository}:{actions}", end)
            headers = {"Accept": ", ".join(MANIFEST_TYPES)} if "/manifests/" in path else {}
            headers.update(permit.headers())
            answer = self.transport.ask(method, f"{self.base}{path}", end=end, headers=headers, follow=follow)
            if answer.status != HTTPStatus.UNAUTHORIZED or permit.fresh:
                return answer, permit
            self.credential.forget()

    def _cancel(self, location: str, permit: Permit, end: float) -> bool:
        try:
            # Only path and query: the credential goes to the registry's own host, whatever it names.
            target = urlsplit(urljoin(f"{self.base}/", location))
            url = f"{self.base}{target.path}{'?' if target.query else ''}{target.query}"
            return self.transport.ask("DELETE", url, end=end, headers=permit.headers()).status in _CANCELLED
        except (FairingAzureError, ValueError):
            return False


def _require_repository(name: str) -> None:
    if not _REPOSITORY.fullmatch(name) or len(name) > _LONGEST_REPOSITORY:
        upper = " Capital letters are not allowed." if name.lower() != name else ""
        raise _bad_name(f"'{name}' is not a repository name.{upper}")


def _bad_name(problem: str) -> InputError:
    return InputError(
        f"{problem.rstrip('.')}. No registry can have an image by that name.",
        hint="Use lower-case letters, digits, single '.', '_' or '-', and '/' between parts, such as team/model.",
        code="image-name",
    )
