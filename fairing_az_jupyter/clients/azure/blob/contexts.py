"""Build contexts in Azure Blob Storage: each is one block blob, named by the digest of what is in it, and sent once."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import threading
import uuid
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.azure.blob.storage import CONTAINER, OWNER, BlobStore, limits
from fairing_az_jupyter.exceptions import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fairing_az_jupyter.clients.secret_values import SecretValue

__all__ = ["ContextStore", "StoredContext"]

_PREFIX = "contexts/"
# Source: https://learn.microsoft.com/rest/api/storageservices/put-block-list: at most 50,000 blocks, uncommitted ones
# are dropped after a week. Blocks of this size make 390 GB, and a lost connection costs little.
_BLOCK_BYTES = 8 * 1024 * 1024
_AT_ONCE = 4
# What is sent by one PUT, without blocks.
_SMALL_BYTES = 2 * _BLOCK_BYTES
# A slow network sends a block in this time, at 140 kB/s.
_BLOCK_SECONDS = 60.0
# How long ago a context may have been of use before that is noted anew.
_FRESH = timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class StoredContext:
    """A build context that is in Blob Storage.

    Args:
        container: The container that it is in.
        blob: The blob's name there.
        url: The blob's address; who has no credential can't read it.
        size: Its bytes.
        sent: Whether it was sent now; otherwise it was there already.

    """

    container: str
    blob: str
    url: str
    size: int
    sent: bool


class ContextStore(BlobStore):
    """The build contexts of a Storage account.

    Old contexts can be removed by a lifecycle rule of the account on the prefix `fairing-az-jupyter/contexts/`
    (https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-overview): one that is gone is sent again.

    Args:
        account: As of `BlobStore`.
        credential: As of `BlobStore`.
        owner: Who sends contexts, noted in their metadata; empty for nobody in particular.
        options: The other arguments of `BlobStore`.

    """

    def __init__(
        self,
        account: str,
        credential: Any,  # noqa: ANN401 - see BlobStore
        *,
        owner: str = "",
        **options: Any,  # noqa: ANN401 - see BlobStore
    ) -> None:
        super().__init__(account, credential, **options)
        self.metadata = {OWNER: owner} if owner and owner.isascii() and owner.isprintable() else None
        """The metadata of what is sent."""

    def keep(
        self,
        path: Path,
        digest: str,
        *,
        container: str = CONTAINER,
        progress: Callable[[int, int], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> StoredContext:
        """Have a context there: look for it by its digest, and send it if it is missing.

        Args:
            path: The archive, gzip-compressed.
            digest: The SHA-256 of what is in it, in hexadecimal digits.
            container: The container; it is made if it is not there.
            progress: Is called with the bytes that were sent so far, and all of them.
            cancel: Ends the sending early; nothing is left of it.

        Returns:
            Where it is.

        Raises:
            ServiceError: It can't be looked for or sent; there is then no blob of that name.
            InterruptedError: It was cancelled.

        """
        name = f"{_PREFIX}{digest}.tar.gz"
        found = self._size(container, name)
        if found is not None:
            # A block blob is there as a whole or not at all; how it was compressed may differ from machine to machine.
            return self._stored(container, name, found, sent=False)
        size = path.stat().st_size
        sending = _Sending(self, container, name, size, progress, cancel or threading.Event())
        try:
            sending.send(path)
        except ConflictError:
            # Somebody else was sending the same, and was faster.
            found = self._size(container, name)
            if found is None:
                raise
            return self._stored(container, name, found, sent=False)
        return self._stored(container, name, size, sent=True)

    def link(self, context: StoredContext, hours: float = 1.0) -> SecretValue:
        """Make a link by which this one context can be read, and nothing else.

        Args:
            context: The context.
            hours: How long the link is valid.

        Returns:
            The whole URL; whoever has it can read the context.

        Raises:
            ServiceError: No key to sign with can be had.

        """
        return self.read_sas(context.container, context.blob, hours)

    def _stored(self, container: str, name: str, size: int, *, sent: bool) -> StoredContext:
        return StoredContext(container, name, f"{self.url}/{container}/{name}", size, sent)

    def _size(self, container: str, name: str) -> int | None:
        """Return a context's size; None where there is none, and then its container is there, if need be made now."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError  # noqa: PLC0415 - heavy

        client = self._client().get_blob_client(container, name)

        def look(seconds: float) -> int | None:
            try:
                found = client.get_blob_properties(connection_timeout=seconds, read_timeout=seconds)
            except ResourceNotFoundError as error:
                # The one rejection that says that the container is there.
                if getattr(error, "error_code", None) == "BlobNotFound":
                    return None
                raise
            if datetime.now(timezone.utc) - found.last_modified > _FRESH:
                # By its time of change it is known when it was last of use. Who may not change it can build anyway.
                with contextlib.suppress(AzureError):
                    client.set_blob_metadata(found.metadata, connection_timeout=seconds, read_timeout=seconds)
            return int(found.size)

        try:
            return self._ask(look, f"look for the build context '{name}' in the container '{container}'")
        except NotFoundError as error:
            if error.code == "no-such-account":
                raise
        self.ensure_container(container)
        return None

    def write(self, call: Callable[[float], Any], action: str) -> None:
        """Make a call that sends much, and may take its time.

        Args:
            call: What to do; it gets the seconds that it may take.
            action: To stand after "Can't " in errors.

        Raises:
            ServiceError: It failed.

        """
        from fairing_az_jupyter.clients.azure.calls import ask  # noqa: PLC0415 - heavy

        ask(call, self._asked(action), timeout=_BLOCK_SECONDS, deadline=3 * _BLOCK_SECONDS)

    def blob_client(self, container: str, name: str) -> Any:  # noqa: ANN401 - azure-storage-blob's BlobClient
        """Return the package's client for one blob.

        Args:
            container: The container.
            name: The blob.

        """
        return self._client().get_blob_client(container, name)


class _Sending:
    """One archive on its way."""

    def __init__(
        self,
        store: ContextStore,
        container: str,
        name: str,
        size: int,
        progress: Callable[[int, int], None] | None,
        cancel: threading.Event,
    ) -> None:
        self._store = store
        self._blob = store.blob_client(container, name)
        self._action = f"send the build context '{name}' to the container '{container}'"
        self._size = size
        self._progress = progress
        self._cancel = cancel
        self._sent = 0
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        # Whoever sends the same at the same time has other blocks; the one who commits last wins.
        self._prefix = uuid.uuid4().hex[:8]

    def send(self, path: Path) -> None:
        """Send it, by one PUT or in blocks at the same time; memory holds a few blocks.

        Args:
            path: The archive.

        Raises:
            ServiceError: It can't be sent.
            InterruptedError: It was cancelled.

        """
        options: dict[str, Any] = {"metadata": self._store.metadata}
        if self._size <= _SMALL_BYTES:
            content = path.read_bytes()
            self._write(lambda seconds: self._blob.upload_blob(content, overwrite=True, **options, **limits(seconds)))
            self._report(len(content))
            return
        starts = list(range(0, self._size, _BLOCK_BYTES))
        waiting = iter(starts)
        # Daemons: an interrupt of the user's ends the process, whatever is still on its way.
        workers = [
            threading.Thread(target=self._work, args=(path, waiting), name=f"block sender {number}", daemon=True)
            for number in range(min(_AT_ONCE, len(starts)))
        ]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                worker.join()
        except BaseException:
            self._cancel.set()
            raise
        if self._failure is not None:
            raise self._failure
        self._stop_if_cancelled()
        from azure.storage.blob import BlobBlock  # noqa: PLC0415 - heavy

        blocks = [BlobBlock(block_id=self._block(start)) for start in starts]
        self._write(lambda seconds: self._blob.commit_block_list(blocks, **options, **limits(seconds)))

    def _work(self, path: Path, waiting: Iterator[int]) -> None:
        try:
            with path.open("rb") as file:
                while True:
                    with self._lock:
                        start = next(waiting, None)
                    if start is None or self._failure is not None or self._cancel.is_set():
                        return
                    file.seek(start)
                    self._send_block(start, file.read(_BLOCK_BYTES))
        except BaseException as error:  # noqa: BLE001 - raised again by who waits for this thread
            self._failure = error

    def _send_block(self, start: int, content: bytes) -> None:
        # The service rejects a block that has changed on its way; it need not reckon a sum of its own choice then.
        # Source: https://learn.microsoft.com/rest/api/storageservices/put-block#request-headers
        digest = hashlib.md5(content, usedforsecurity=False).digest()
        headers = {"Content-MD5": base64.b64encode(digest).decode()}
        block = self._block(start)
        self._write(lambda seconds: self._blob.stage_block(block, content, headers=headers, **limits(seconds)))
        self._report(len(content))

    def _block(self, start: int) -> str:
        return f"{self._prefix}-{start // _BLOCK_BYTES:05d}"

    def _write(self, call: Callable[[float], Any]) -> None:
        self._stop_if_cancelled()
        self._store.write(call, self._action)

    def _stop_if_cancelled(self) -> None:
        if self._cancel.is_set():
            raise InterruptedError(self._action)

    def _report(self, count: int) -> None:
        with self._lock:
            self._sent += count
            if self._progress is not None:
                self._progress(self._sent, self._size)
