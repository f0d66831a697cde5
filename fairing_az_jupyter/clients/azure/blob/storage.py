"""Azure Blob Storage: is the container there, may it be written and read, and links to one blob each."""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit
from uuid import uuid4

from fairing_az_jupyter.clients.azure.clouds import CLOUDS, AzureCloud
from fairing_az_jupyter.clients.azure.errors import Asked
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import (
    ConflictError,
    CredentialError,
    FairingAzureError,
    NotAllowedError,
    NotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from azure.storage.blob import BlobServiceClient

    from fairing_az_jupyter.exceptions import ServiceError

__all__ = ["CONTAINER", "OWNER", "PROBE_PREFIX", "BlobStore"]

T = TypeVar("T")

CONTAINER = "fairing-az-jupyter"
"""The container that build contexts are kept in."""

OWNER = "fairing_az_jupyter_owner"
"""The metadata of a blob that tells who has sent it."""

PROBE_PREFIX = "fairing-az-jupyter-probe/"
"""Where in a container the probe blobs are, so that a left-over is known for what it is."""

_PROBE_BYTES = 64
# The service itself takes 5,000 MiB by one PUT: https://learn.microsoft.com/rest/api/storageservices/put-blob#remarks
_LARGEST_PUT = 1024 * 1024 * 1024
# What is kept of a probe's time to remove its blob, whatever happened to the blob before.
_KEPT_FOR_REMOVAL = 0.25
# A blob's link must already be valid on a service whose clock is behind.
_LINK_STARTS_BEFORE = timedelta(minutes=15)
# Source: https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas, "Request the user delegation
# key": at most seven days.
_LONGEST_LINK_HOURS = 7 * 24
# Answered with one of these, nothing was written; after anything else, also after no answer, something may be there.
_NOTHING_WRITTEN = (CredentialError, NotAllowedError, NotFoundError, ConflictError)
_WHY = "Build contexts are stored there; launches fail without it."


class BlobStore:
    """A Storage account's blobs.

    Args:
        account: The account's name, or the URL of its blobs.
        credential: A token credential (`ChosenCredential.credential`), or an account key.
        cloud: The Azure cloud that the account is in; the public one if None.
        timeout: Seconds for one attempt of a call.
        deadline: Seconds for all attempts of a call; for a whole probe.
        ca_bundle: A file with the certificate authorities to trust; None for those of `requests`.
        names: What errors may name: `assignee` (the identity's client id) and `scope` (the account's resource id).
        api_version: The REST API's version; None for the newest that the package knows.

    Raises:
        CredentialError: The account key is none.

    """

    def __init__(
        self,
        account: str,
        credential: Any,  # noqa: ANN401 - azure.core's TokenCredential or SecretValue
        *,
        cloud: AzureCloud | None = None,
        timeout: float = 5.0,
        deadline: float = 12.0,
        ca_bundle: str | None = None,
        names: Mapping[str, str] | None = None,
        api_version: str | None = None,
    ) -> None:
        cloud = cloud or CLOUDS["AzurePublicCloud"]
        self.url = account.rstrip("/") if "://" in account else cloud.blob_url(account)
        parts = urlsplit(self.url)
        self.host = parts.netloc
        # On loopback, the account's name is the path and not part of the host.
        self.account = parts.path.strip("/") or (parts.hostname or "").partition(".")[0]
        self.timeout = timeout
        self.deadline = deadline
        self._key = credential if isinstance(credential, SecretValue) else None
        self._credential = None if self._key else credential
        self._ca_bundle = ca_bundle
        self._api_version = api_version
        self._names = {"account": self.account, "cloud": cloud.name, **(names or {})}
        self._service: BlobServiceClient | None = None
        if self._key is not None:
            _check_key(self._key, self.account)

    def container_exists(self, container: str) -> bool:
        """Tell whether a container is there.

        Args:
            container: The container's name.

        Returns:
            Whether it is there.

        Raises:
            ServiceError: It can't be determined.

        """
        what = f"look for the container '{container}' in the storage account '{self.account}'"
        client = self._client().get_container_client(container)
        return self._ask(lambda seconds: bool(client.exists(**limits(seconds))), what)

    def ensure_container(self, container: str) -> bool:
        """Make a container if it is not there; safe to repeat.

        Args:
            container: The container's name.

        Returns:
            Whether it was made now.

        Raises:
            ServiceError: It can't be made.

        """
        from azure.core.exceptions import ResourceExistsError  # noqa: PLC0415 - heavy

        client = self._client().get_container_client(container)

        def make(seconds: float) -> bool:
            try:
                client.create_container(**limits(seconds))
            except ResourceExistsError as error:
                if getattr(error, "error_code", None) != "ContainerAlreadyExists":
                    raise
                return False
            return True

        return self._ask(make, f"create the container '{container}' in the storage account '{self.account}'")

    def probe(self, container: str) -> None:
        """Write a small blob under a new name, read it back and remove it, also when the one or other fails.

        Args:
            container: The container's name.

        Raises:
            ServiceError: It can't be written, read or removed.

        """
        end = time.monotonic() + self.deadline
        kept = self.deadline * _KEPT_FOR_REMOVAL
        name = PROBE_PREFIX + uuid4().hex
        content = secrets.token_bytes(_PROBE_BYTES)
        try:
            self._write(container, name, content, end - kept)
        except BaseException as error:
            if not isinstance(error, _NOTHING_WRITTEN):
                self._forget(container, name, kept)
            raise
        try:
            self._read_back(container, name, content, end - kept)
        except BaseException:
            self._forget(container, name, kept)
            raise
        self._remove(container, name, max(end - time.monotonic(), kept))

    def reached_by_token(self, container: str) -> tuple[bool, ServiceError | None]:
        """Tell whether a token does all that a launch needs there; where it does not, the account's key is tried.

        Args:
            container: The container's name.

        Returns:
            Whether it does; and what has rejected it, where something has.

        Raises:
            ServiceError: The account does not exist, or no answer.

        """
        try:
            if not self.may_change(container):
                return False, None
            self.read_sas(container, "link")
        except (CredentialError, NotAllowedError, ConflictError) as error:
            return False, error
        return True, None

    def may_change(self, container: str) -> bool:
        """Tell whether the credential has a role by which blobs may be changed; changes none, and needs no container.

        A key for links says less: who manages an account gets one too, and may not touch a blob.
        Sources: https://learn.microsoft.com/rest/api/storageservices/delete-blob, "Permissions", and
        https://learn.microsoft.com/azure/role-based-access-control/built-in-roles, "Storage Account Contributor".

        Args:
            container: The container's name.

        Returns:
            Whether it has one.

        Raises:
            ServiceError: It can't be determined.

        """
        try:
            self.need_change(container, f"try whether blobs may be changed {self._where(container)}")
        except NotAllowedError as rejected:
            if rejected.code != "no-data-role":
                raise
            return False
        return True

    def need_change(self, container: str, action: str) -> None:
        """Make sure that blobs may be changed, as `may_change` does, and raise the rejection where they may not.

        Args:
            container: The container's name.
            action: To stand after "Can't " in errors.

        Raises:
            ServiceError: They may not, or it can't be determined.

        """
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - heavy

        client = self._client().get_blob_client(container, PROBE_PREFIX + uuid4().hex)

        def try_it(seconds: float) -> None:
            try:
                # No blob has that name: who may read learns that it does not exist, who may not learns that instead.
                client.delete_blob(**limits(seconds))
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) not in {"BlobNotFound", "ContainerNotFound"}:
                    raise

        self._ask(try_it, action)

    def read_sas(self, container: str, blob: str, hours: float = 1) -> SecretValue:
        """Make a link by which one blob can be read, and nothing else, for some time.

        Args:
            container: The container's name.
            blob: The blob's name.
            hours: How long the link is valid, from now on; at most seven days.

        Returns:
            The whole URL; whoever has it can read the blob.

        Raises:
            ServiceError: No key to sign with can be had.
            ValueError: The time is not positive, or too long.

        """
        return self._link(container, blob, hours, read=True)

    def write_sas(self, container: str, blob: str, hours: float = 1) -> SecretValue:
        """Make a link by which one blob can be created and written, and nothing else, for some time.

        Who has it can put blocks, commit them and replace the blob; the container has to be there.

        Args:
            container: The container's name.
            blob: The blob's name.
            hours: How long the link is valid, from now on; at most seven days.

        Returns:
            The whole URL; whoever has it can write the blob.

        Raises:
            ServiceError: No key to sign with can be had.
            ValueError: The time is not positive, or too long.

        """
        return self._link(container, blob, hours, create=True, write=True)

    def read_write_sas(self, container: str, blob: str, hours: float = 1) -> SecretValue:
        """Make a link by which one blob can be read, created and written, and nothing else, for some time.

        Args:
            container: The container's name.
            blob: The blob's name.
            hours: How long the link is valid, from now on; at most seven days.

        Returns:
            The whole URL; whoever has it can read and write the blob.

        Raises:
            ServiceError: No key to sign with can be had.
            ValueError: The time is not positive, or too long.

        """
        return self._link(container, blob, hours, read=True, create=True, write=True)

    def _link(self, container: str, blob: str, hours: float, **permissions: bool) -> SecretValue:
        """Make a link to one blob, signed with a user delegation key, or with the account key if this store has that.

        Source: https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas.
        """
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas  # noqa: PLC0415 - heavy

        if not 0 < hours <= _LONGEST_LINK_HOURS:
            msg = f"a link is valid for up to {_LONGEST_LINK_HOURS} hours, not {hours}"
            raise ValueError(msg)
        now = datetime.now(timezone.utc)
        start, expiry = now - _LINK_STARTS_BEFORE, now + timedelta(hours=hours)
        delegation = None
        if self._key is None:
            service = self._client()
            delegation = self._ask(
                lambda seconds: service.get_user_delegation_key(start, expiry, **limits(seconds)),
                f"get a key to sign links to blobs of the storage account '{self.account}'",
            )
        token = generate_blob_sas(
            account_name=self.account,
            container_name=container,
            blob_name=blob,
            account_key=self._key.reveal() if self._key else None,
            user_delegation_key=delegation,
            permission=BlobSasPermissions(**permissions),
            start=start,
            expiry=expiry,
            protocol="https",
        )
        return SecretValue(f"{self.url}/{quote(container)}/{quote(blob)}?{token}")

    def read_small(self, container: str, blob: str, seconds: float) -> bytes:
        """Read a small blob.

        Args:
            container: The container's name.
            blob: The blob's name.
            seconds: How long that may take.

        Raises:
            ServiceError: It can't be read.

        """
        client = self._client().get_blob_client(container, blob)
        read = f"read the blob '{blob}' {self._where(container)}"
        return self._ask(lambda left: bytes(client.download_blob(**limits(left)).readall()), read, seconds)

    def close(self) -> None:
        """Close the connections."""
        if self._service is not None:
            self._service.close()
            self._service = None

    def _write(self, container: str, name: str, content: bytes, end: float) -> None:
        client = self._client().get_blob_client(container, name)
        self._ask(
            lambda seconds: client.upload_blob(content, overwrite=True, **limits(seconds)),
            f"write a blob {self._where(container)}",
            end - time.monotonic(),
        )

    def _read_back(self, container: str, name: str, content: bytes, end: float) -> None:
        from azure.core.exceptions import DecodeError  # noqa: PLC0415 - heavy

        client = self._client().get_blob_client(container, name)

        def download(seconds: float) -> bytes:
            try:
                return bytes(client.download_blob(**limits(seconds)).readall())
            except (ValueError, TypeError) as error:
                # What the package raises for an answer without the headers of a part: a proxy's copy of it.
                raise DecodeError(message="no part of a blob") from error

        found = self._ask(
            download,
            f"read a blob back {self._where(container)}",
            end - time.monotonic(),
        )
        if found != content:
            raise ConflictError(
                (
                    f"Can't rely on blobs {self._where(container)}: the data read back differs from the data "
                    f"written. {_WHY}"
                ),
                hint="Something in between changes the data: check the proxy (HTTPS_PROXY).",
                code="changed-on-its-way",
                service="blob",
            )

    def _where(self, container: str) -> str:
        return f"in the container '{container}' of the storage account '{self.account}'"

    def _remove(self, container: str, name: str, deadline: float) -> None:
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - heavy

        client = self._client().get_blob_client(container, name)

        def remove(seconds: float) -> None:
            try:
                client.delete_blob(**limits(seconds))
            except ResourceNotFoundError:
                return

        self._ask(remove, f"remove the probe blob '{name}' from the container '{container}'", deadline)

    def _forget(self, container: str, name: str, deadline: float) -> None:
        try:
            self._remove(container, name, deadline)
        except FairingAzureError:
            # The error that is on its way says more than this one would.
            return

    def _client(self) -> BlobServiceClient:
        if self._service is None:
            from azure.storage.blob import BlobServiceClient, ExponentialRetry  # noqa: PLC0415 - heavy

            from fairing_az_jupyter.clients.azure.calls import CheckedTransport  # noqa: PLC0415 - heavy

            versions: dict[str, Any] = {"api_version": self._api_version} if self._api_version else {}
            self._service = BlobServiceClient(
                self.url,
                credential=self._signer(),
                retry_policy=ExponentialRetry(retry_total=0),
                # What is cut into blocks is cut by us.
                max_single_put_size=_LARGEST_PUT,
                transport=CheckedTransport(timeout=self.timeout, ca_bundle=self._ca_bundle, mark="x-ms-"),
                **versions,
            )
        return self._service

    def _signer(self) -> Any:  # noqa: ANN401 - what azure-storage-blob takes
        if self._key is None:
            return self._credential
        return {"account_name": self.account, "account_key": self._key.reveal()}

    def _asked(self, action: str) -> Asked:
        return Asked("blob", action, self.host, why=_WHY, names=self._names)

    def _ask(self, call: Callable[[float], T], action: str, deadline: float | None = None) -> T:
        from fairing_az_jupyter.clients.azure.calls import ask  # noqa: PLC0415 - heavy

        asked = self._asked(action)
        seconds = self.deadline if deadline is None else max(deadline, 0.0)
        return ask(call, asked, timeout=self.timeout, deadline=seconds)


def limits(seconds: float) -> dict[str, Any]:
    """Return a call's time as azure-storage-blob takes it."""
    return {"connection_timeout": seconds, "read_timeout": seconds}


def _check_key(key: SecretValue, account: str) -> None:
    try:
        valid = bool(base64.b64decode(key.reveal(), validate=True))
    except (binascii.Error, ValueError):
        valid = False
    if not valid:
        # Raised here and not by the package, whose error has the key's bytes in its traceback.
        raise CredentialError(
            f"The key for the storage account '{account}' is not a valid account key: it is not base64. Without a "
            "valid key, nothing can be stored there.",
            hint=f"az storage account keys list --account-name {account} prints the keys.",
            code="malformed-key",
            service="blob",
        )
