"""Whole files in Azure Blob Storage, by URL: read, written, listed and deleted with the credential of the settings.

A blob is there as a whole or not at all: it is written by one PUT, or in blocks that are committed at once.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from fairing_az_jupyter.clients.azure.blob.transfers import FileStore, FoundBlob
from fairing_az_jupyter.clients.azure.blob.urls import BlobUrl
from fairing_az_jupyter.exceptions import CredentialError, FairingAzureError, NotAllowedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fairing_az_jupyter.clients.azure.access import AzureAccess
    from fairing_az_jupyter.clients.azure.credentials import ChosenCredential
    from fairing_az_jupyter.clients.secret_values import SecretValue

__all__ = ["BlobFiles", "BlobUrl", "FoundBlob"]

T = TypeVar("T")

_TYPES = {
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".html": "text/html; charset=utf-8",
}


class BlobFiles:
    """Files in Blob Storage; safe to use from several threads, for as long as a process lives.

    Tokens are renewed before they expire. What is rejected anyway is tried once more with a credential chosen
    anew: a token may have been revoked, or the Secret changed.

    Args:
        access: Who asks, and how blobs are reached; to be closed by who gives it.
        timeout: Seconds for one attempt of a small call.
        deadline: Seconds for all attempts of a small call; transfers get more, by their size.
        ca_bundle: A file with the certificate authorities to trust; None for those of `requests`.

    """

    def __init__(
        self, access: AzureAccess, *, timeout: float = 5.0, deadline: float = 12.0, ca_bundle: str | None = None
    ) -> None:
        self._access = access
        self._options: dict[str, Any] = {"timeout": timeout, "deadline": deadline, "ca_bundle": ca_bundle}
        self._ways: dict[str, _Way] = {}
        self._old: list[FileStore] = []
        self._lock = threading.RLock()

    def read(self, url: str) -> bytes:
        """Read a blob.

        Args:
            url: Its URL; see `BlobUrl.parse`.

        Returns:
            All its bytes, of one state of it.

        Raises:
            InputError: The URL names no blob.
            ServiceError: It can't be read.

        """
        place = BlobUrl.parse(url)
        return self._do(place, lambda store: store.read(place))

    def read_range(self, url: str, start: int, length: int, *, etag: str) -> bytes:
        """Read a part of one state of a blob.

        Args:
            url: Its URL; see `BlobUrl.parse`.
            start: Its first byte.
            length: How many bytes, which must be there; at least 1.
            etag: The state: as the blob's ETag was.

        Returns:
            The bytes, at least one; fewer than were asked for where the connection was cut.

        Raises:
            InputError: The URL names no blob.
            ConflictError: The blob has changed (code `blob-changed`).
            ServiceError: It can't be read.

        """
        place = BlobUrl.parse(url)
        return self._do(place, lambda store: store.read_range(place, start, length, etag))

    def write(self, url: str, data: bytes, *, content_type: str | None = None, if_absent: bool = False) -> None:
        """Write a blob; its container is made if it is not there.

        Args:
            url: Its URL; see `BlobUrl.parse`.
            data: All its bytes.
            content_type: Its media type; by the name's ending if None.
            if_absent: Fail if one exists already.

        Raises:
            InputError: The URL names no blob.
            ConflictError: There is one already, and it is not to be replaced (code `already-there`).
            ServiceError: It can't be written; what was there before is still there.

        """
        place = BlobUrl.parse(url)
        ending = place.name[place.name.rfind(".") :].lower() if "." in place.name else ""
        kind = content_type or _TYPES.get(ending, "application/octet-stream")
        # By it a write whose answer was lost is known again for what it is.
        writer = uuid.uuid4().hex if if_absent else ""
        self._do(place, lambda store: store.write(place, data, kind, writer))

    def write_link(self, url: str, hours: float) -> SecretValue:
        """Make a link by which one blob can be created and written, and nothing else, for some time.

        Args:
            url: Its URL; see `BlobUrl.parse`. Its container has to be there.
            hours: How long the link is valid, from now on; at most seven days.

        Returns:
            The whole `https://` URL; whoever has it can write the blob.

        Raises:
            InputError: The URL names no blob.
            ServiceError: No key to sign with can be had.

        """
        place = BlobUrl.parse(url)
        return self._do(place, lambda store: store.write_sas(place.container, place.name, hours))

    def exists(self, url: str) -> bool:
        """Tell whether a blob is there.

        Args:
            url: Its URL; see `BlobUrl.parse`.

        Raises:
            InputError: The URL names no blob.
            ServiceError: It can't be determined.

        """
        place = BlobUrl.parse(url)
        return self._do(place, lambda store: store.exists(place))

    def list(self, url_prefix: str) -> list[FoundBlob]:
        """List the blobs whose URLs begin with a text.

        Args:
            url_prefix: A container's URL, and what names in it begin with.

        Returns:
            The blobs by name; none where nothing begins so.

        Raises:
            InputError: The URL names no container.
            ServiceError: They can't be listed, or the container does not exist.

        """
        place = BlobUrl.parse(url_prefix, prefix=True)
        return self._do(place, lambda store: store.list(place))

    def pages(self, url_prefix: str) -> Iterator[Sequence[FoundBlob]]:
        """Yield the blobs whose URLs begin with a text, some thousand at a time: memory holds no more.

        Args:
            url_prefix: A container's URL, and what names in it begin with.

        Yields:
            Blobs by name.

        Raises:
            InputError: The URL names no container.
            ServiceError: They can't be listed, or the container does not exist.

        """
        place = BlobUrl.parse(url_prefix, prefix=True)
        mark, first = "", True
        while first or mark:
            found, mark = self._do(place, lambda store, at=mark: store.page(place, at))  # type: ignore[misc] # mypy knows no defaults of lambdas
            first = False
            yield found

    def delete_many(self, url_prefix: str, blobs: Sequence[FoundBlob]) -> dict[str, str]:
        """Delete blobs that have not changed since they were listed.

        Args:
            url_prefix: Their container's URL.
            blobs: The blobs, as they were listed.

        Returns:
            Why blobs are still there, by their names; see `FileStore.delete_many`.

        Raises:
            InputError: The URL names no container.
            ServiceError: They can't be deleted; some of them may be.

        """
        place = BlobUrl.parse(url_prefix, prefix=True)
        return self._do(place, lambda store: store.delete_many(place, blobs))

    def delete(self, url: str) -> bool:
        """Delete a blob; safe to repeat.

        Args:
            url: Its URL; see `BlobUrl.parse`.

        Returns:
            Whether it was there.

        Raises:
            InputError: The URL names no blob.
            ServiceError: It can't be deleted.

        """
        place = BlobUrl.parse(url)
        return self._do(place, lambda store: store.delete(place))

    def check_writable(self, url: str) -> None:
        """Make sure that a blob could be written: its container is there, made if need be, and blobs may be changed.

        Nothing else is left there.

        Args:
            url: Its URL; see `BlobUrl.parse`.

        Raises:
            InputError: The URL names no blob.
            ServiceError: It could not be written, or that can't be determined.

        """
        place = BlobUrl.parse(url)

        def check(store: FileStore) -> None:
            store.need_change(place.container, f"write '{place}'")
            if not store.container_exists(place.container):
                store.ensure_container(place.container)

        self._do(place, check)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            closing = [*(way.store for way in self._ways.values()), *self._old]
            self._ways, self._old = {}, []
        for store in closing:
            store.close()

    def _do(self, place: BlobUrl, use: Callable[[FileStore], T]) -> T:
        """Use an account's blobs the way that has worked before; look for another one where that is rejected."""
        way = self._ways.get(place.endpoint)
        if way is not None:
            try:
                return use(way.store)
            except CredentialError as rejected:
                if rejected.code == "clock-skew":
                    raise
                self._forget(place, way)
            except NotAllowedError as rejected:
                if way.by_key or not self._may_have_key(place, rejected):
                    raise
                self._forget(place, way, keep_credential=True)
            return self._found(place, use)
        used = self._access.credential
        try:
            return self._found(place, use)
        except CredentialError as rejected:
            if rejected.service != "blob" or rejected.code == "clock-skew":
                raise
            self._access.renew(used)
        return self._found(place, use)

    def _found(self, place: BlobUrl, use: Callable[[FileStore], T]) -> T:
        """Use an account's blobs with a token, or with the account's key where the token may not and the key may."""
        done: list[T] = []
        rejections: list[NotAllowedError] = []
        credential = self._access.credential

        def suffices(store: FileStore) -> bool:
            try:
                done.append(use(store))
            except NotAllowedError as rejected:
                if not self._may_have_key(place, rejected):
                    raise
                rejections.append(rejected)
                return False
            return True

        try:
            store = self._access.blobs(place.account, lambda signer: self._store(place, signer, credential), suffices)
        except FairingAzureError:
            if rejections:
                # That there is no key to be had either does not matter: a data role is what fixes it.
                raise rejections[0] from None
            raise
        if not done:
            try:
                done.append(use(store))
            except BaseException as error:
                store.close()
                if isinstance(error, NotAllowedError) and error.code == "shared-key-off":
                    raise rejections[0] from None
                raise
        with self._lock:
            before = self._ways.get(place.endpoint)
            if before is not None:
                self._old.append(before.store)
            self._ways[place.endpoint] = _Way(store, credential, by_key=bool(rejections))
        return done[0]

    def _may_have_key(self, place: BlobUrl, rejected: NotAllowedError) -> bool:
        here = place.cloud is None or place.cloud == self._access.cloud
        return rejected.code == "no-data-role" and here and self._access.is_own(place.account)

    def _forget(self, place: BlobUrl, way: _Way, *, keep_credential: bool = False) -> None:
        with self._lock:
            if self._ways.get(place.endpoint) is way:
                del self._ways[place.endpoint]
                # Another thread may be in the midst of a call.
                self._old.append(way.store)
        if not keep_credential:
            self._access.renew(way.credential)

    def _store(self, place: BlobUrl, signer: Any, credential: ChosenCredential) -> FileStore:  # noqa: ANN401 - see BlobStore
        names = {"scope": self._access.account_id(place.account)}
        if credential.client_id:
            names["assignee"] = credential.client_id
        listed = "az storage account list --query [].name --output tsv"
        fixes = {"no-such-account": f"Check the account's name in the URL: {listed}"}
        if place.cloud is not None and place.cloud != self._access.cloud:
            here, there = self._access.cloud.name, place.cloud.name
            fixes["credential"] = f"The account is in {there}, the credential in {here}: set AZURE_CLOUD to {there}."
        return FileStore(
            place.endpoint, signer, fixes, cloud=place.cloud or self._access.cloud, names=names, **self._options
        )


@dataclass(frozen=True)
class _Way:
    """How an account's blobs were reached."""

    store: FileStore
    credential: ChosenCredential
    by_key: bool
