"""One Storage account's blobs, transferred as whole files.

A blob is there as a whole or not at all: it is written by one PUT, or in blocks that are committed at once.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from fairing_az_jupyter.clients.azure.blob.storage import OWNER, BlobStore, limits
from fairing_az_jupyter.clients.azure.errors import Asked
from fairing_az_jupyter.exceptions import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from fairing_az_jupyter.clients.azure.blob.urls import BlobUrl

__all__ = ["FileStore", "FoundBlob"]

T = TypeVar("T")

_BLOCK_BYTES = 8 * 1024 * 1024
# Whoever does not answer, or asks to come back later, is found out by a part that a slow network brings in time.
_FIRST_BYTES = 512 * 1024
_PAGE_BYTES = 1024 * 1024
# A slow network's bytes a second, by which the time for a transfer is measured.
_SLOW = 140_000
_TRIES = 3
_BAD_REQUEST, _RANGE_NOT_SATISFIABLE, _PRECONDITION_FAILED = 400, 416, 412
_OK, _REDIRECTED, _NOT_FOUND = 200, 300, 404
_BATCH = 256
_WRITER = "fairing_az_jupyter_writer"


@dataclass(frozen=True)
class FoundBlob:
    """A blob in a listing.

    Args:
        url: Its URL.
        name: Its name in its container.
        size: Its bytes.
        modified: When it was last written, in UTC.
        owner: Who has sent it, as its metadata say; empty where they don't.

    """

    url: str
    name: str
    size: int
    modified: datetime
    owner: str = ""


class FileStore(BlobStore):
    """One account's blobs, as whole files.

    Args:
        url: The URL of the account's blobs.
        signer: A token credential, or an account key.
        fixes: What to type next, by the code of an error.
        options: As `BlobStore` takes them.

    """

    def __init__(
        self,
        url: str,
        signer: Any,  # noqa: ANN401 - see BlobStore
        fixes: Mapping[str, str],
        **options: Any,  # noqa: ANN401 - see BlobStore
    ) -> None:
        super().__init__(url, signer, **options)
        self._fixes = fixes

    def read(self, place: BlobUrl) -> bytes:
        """Read a blob.

        Args:
            place: Where it is.

        Returns:
            All its bytes, of one state of it.

        Raises:
            ServiceError: It can't be read.

        """
        for _ in range(_TRIES):
            found = self._read_once(place)
            if found is not None:
                return found
        raise ConflictError(
            f"Can't read '{place}': it changed each time it was read.",
            hint="Try again when nothing writes to it.",
            code="changed-meanwhile",
            service="blob",
        )

    def _read_once(self, place: BlobUrl) -> bytes | None:
        """Return a blob's bytes; None where it was replaced between two parts of it."""
        from azure.core import MatchConditions  # noqa: PLC0415 - heavy
        from azure.core.exceptions import DecodeError, HttpResponseError  # noqa: PLC0415 - heavy

        client: Any = self._client().get_blob_client(place.container, place.name)
        content = bytearray()
        state: dict[str, Any] = {}

        def part(seconds: float) -> bytes | None:
            try:
                got = client.download_blob(
                    offset=len(content),
                    length=_BLOCK_BYTES if content else _FIRST_BYTES,
                    max_concurrency=1,
                    **limits(seconds),
                    **state,
                )
                found = bytes(got.readall())
            except HttpResponseError as error:
                # An empty blob has no first part, and one of whole parts has none after them.
                if error.status_code == _RANGE_NOT_SATISFIABLE:
                    return b""
                if error.status_code == _PRECONDITION_FAILED and state:
                    return None
                raise
            except (ValueError, TypeError) as error:
                # What the package raises for an answer without the headers of a part: a proxy's copy of it.
                raise DecodeError(message="no part of a blob") from error
            state.update(etag=got.properties.etag, match_condition=MatchConditions.IfNotModified)
            return found

        action = f"read '{place}'"
        found = self._ask(part, action)
        wanted = _FIRST_BYTES
        while found is not None:
            content += found
            if len(found) < wanted:
                return bytes(content)
            wanted = _BLOCK_BYTES
            found = self._ask_for(part, action, wanted, waits_at_most=self.timeout)
        return None

    def read_range(self, place: BlobUrl, start: int, length: int, etag: str) -> bytes:
        """Read a part of one state of a blob.

        Args:
            place: Where it is.
            start: Its first byte.
            length: How many bytes, which must be there; at least 1.
            etag: The state: as the blob's ETag was.

        Returns:
            The bytes. Fewer than were asked for, but at least one, where the connection was cut in the middle: the
            rest is to be asked for then.

        Raises:
            ConflictError: The blob has changed (code `blob-changed`).
            ServiceError: It can't be read.

        """
        from azure.core import MatchConditions  # noqa: PLC0415 - heavy
        from azure.core.exceptions import DecodeError, HttpResponseError, ServiceResponseError  # noqa: PLC0415 - heavy

        client: Any = self._client().get_blob_client(place.container, place.name)

        def part(seconds: float) -> bytes | None:
            received = bytearray()
            try:
                client.download_blob(
                    offset=start,
                    length=length,
                    max_concurrency=1,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                    received=received,
                    **limits(seconds),
                )
            except HttpResponseError as error:
                if error.status_code in {_PRECONDITION_FAILED, _RANGE_NOT_SATISFIABLE}:
                    return None
                if error.response is None:
                    # What the package raises for an answer that was cut before its first byte.
                    raise ServiceResponseError(message="the answer was cut") from error
                raise
            except (ValueError, TypeError) as error:
                raise DecodeError(message="no part of a blob") from error
            if not 0 < len(received) <= length:
                raise DecodeError(message="no part of a blob")
            return bytes(received)

        found = self._ask_for(part, f"read '{place}'", length, waits_at_most=self.timeout)
        if found is None:
            raise ConflictError(
                f"Can't read '{place}': it was replaced meanwhile.",
                hint="Try again.",
                code="blob-changed",
                service="blob",
            )
        return found

    def write(self, place: BlobUrl, data: bytes, kind: str, writer: str) -> None:
        """Write a blob, and make its container if that is not there.

        Args:
            place: Where it shall be.
            data: All its bytes.
            kind: Its media type.
            writer: A name that nobody else has, by which a write whose answer was lost is known again; the blob then
                takes no other's place. Empty to replace what is there.

        Raises:
            ServiceError: It can't be written; what was there before is still there.

        """
        try:
            self._put(place, data, kind, writer)
        except NotFoundError as error:
            if error.code == "no-such-account":
                raise
        else:
            return
        self.ensure_container(place.container)
        self._put(place, data, kind, writer)

    def _put(self, place: BlobUrl, data: bytes, kind: str, writer: str) -> None:
        if len(data) > _BLOCK_BYTES:
            try:
                self._put_blocks(place, data, kind, writer)
            except ConflictError as error:
                # Another writer has committed, and so dropped our blocks, or has left some of other kinds of names.
                if error.status != _BAD_REQUEST:
                    raise
            else:
                return
        client: Any = self._client().get_blob_client(place.container, place.name)
        options = self._write_options(kind, writer)

        def put(seconds: float) -> bool:
            return self._unless_there(
                lambda: client.upload_blob(data, overwrite=not writer, **options, **limits(seconds)), writer
            )

        written = self._ask_for(put, f"write '{place}'", len(data))
        if not written:
            self._need_ours(client, place, writer)

    def _put_blocks(self, place: BlobUrl, data: bytes, kind: str, writer: str) -> None:
        from azure.core import MatchConditions  # noqa: PLC0415 - heavy
        from azure.storage.blob import BlobBlock  # noqa: PLC0415 - heavy

        client: Any = self._client().get_blob_client(place.container, place.name)
        action = f"write '{place}'"
        # Whoever writes the same blob at the same time has other blocks; the one who commits last wins.
        prefix = uuid.uuid4().hex[:8]
        blocks = []

        def stage(block: str, content: bytes, seconds: float) -> None:
            client.stage_block(block, content, **limits(seconds))

        with memoryview(data) as view:
            for start in range(0, len(data), _BLOCK_BYTES):
                block = f"{prefix}-{start // _BLOCK_BYTES:05d}"
                content = bytes(view[start : start + _BLOCK_BYTES])
                self._ask_for(partial(stage, block, content), action, len(content))
                blocks.append(BlobBlock(block_id=block))
        options = self._write_options(kind, writer)
        if writer:
            options["match_condition"] = MatchConditions.IfMissing

        def commit(seconds: float) -> bool:
            return self._unless_there(lambda: client.commit_block_list(blocks, **options, **limits(seconds)), writer)

        written = self._ask(commit, action)
        if not written:
            self._need_ours(client, place, writer)

    @staticmethod
    def _write_options(kind: str, writer: str) -> dict[str, Any]:
        from azure.storage.blob import ContentSettings  # noqa: PLC0415 - heavy

        options: dict[str, Any] = {"content_settings": ContentSettings(content_type=kind)}
        if writer:
            options["metadata"] = {_WRITER: writer}
        return options

    @staticmethod
    def _unless_there(write: Callable[[], object], writer: str) -> bool:
        from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 - heavy

        try:
            write()
        except HttpResponseError as error:
            there = {"BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite"}
            if not writer or getattr(error, "error_code", None) not in there:
                raise
            return False
        return True

    def _need_ours(
        self,
        client: Any,  # noqa: ANN401 - the package's BlobClient
        place: BlobUrl,
        writer: str,
    ) -> None:
        """Make sure that the blob that is in the way is the one that was just written: its answer was lost."""
        found = self._ask(lambda seconds: client.get_blob_properties(**limits(seconds)).metadata, f"look for '{place}'")
        if (found or {}).get(_WRITER) != writer:
            raise ConflictError(
                f"Can't write '{place}': a blob with that name already exists and must not be replaced.",
                hint="Give another name, or delete that one first.",
                code="already-there",
                service="blob",
            )

    def exists(self, place: BlobUrl) -> bool:
        """Tell whether a blob is there.

        Args:
            place: Where it would be.

        Raises:
            ServiceError: It can't be determined.

        """
        client: Any = self._client().get_blob_client(place.container, place.name)
        return self._ask(lambda seconds: bool(client.exists(**limits(seconds))), f"look for '{place}'")

    def page(self, place: BlobUrl, mark: str = "") -> tuple[list[FoundBlob], str]:
        """List some of the blobs of a container by name: up to 5,000.

        Args:
            place: The container, and what names begin with.
            mark: Where to continue, from the page before; empty for the first.

        Returns:
            The blobs, and where to continue; empty at the end.

        Raises:
            ServiceError: They can't be listed.

        """
        client: Any = self._client().get_container_client(place.container)
        base = str(place)[: len(str(place)) - len(place.name)]

        def page(seconds: float) -> tuple[list[Any], str | None]:
            listed = client.list_blobs(name_starts_with=place.name or None, include=["metadata"], **limits(seconds))
            listed = listed.by_page(mark or None)
            return list(next(listed, ())), listed.continuation_token

        blobs, following = self._ask_for(page, f"list '{place}'", _PAGE_BYTES, waits_at_most=self.timeout)

        def found(blob: Any) -> FoundBlob:  # noqa: ANN401 - the package's BlobProperties
            owner = (blob.metadata or {}).get(OWNER, "")
            return FoundBlob(f"{base}{blob.name}", blob.name, int(blob.size), blob.last_modified, owner)

        return [found(blob) for blob in blobs], following or ""

    def delete_many(self, place: BlobUrl, blobs: Sequence[FoundBlob]) -> dict[str, str]:
        """Delete blobs that have not changed since they were listed, in as few requests as the service allows.

        Source: https://learn.microsoft.com/rest/api/storageservices/blob-batch: at most 256 in a request.

        Args:
            place: Their container.
            blobs: The blobs.

        Returns:
            Why blobs are still there, by their names: the service's code, such as `ConditionNotMet` for one that was
            written since. One that was gone already is none of them.

        Raises:
            ServiceError: A whole request has failed; what was deleted before stays deleted.

        """
        from azure.core.exceptions import DecodeError  # noqa: PLC0415 - heavy

        client: Any = self._client().get_container_client(place.container)
        problems: dict[str, str] = {}

        def delete(some: Sequence[FoundBlob], seconds: float) -> list[Any]:
            asked = [
                {"name": blob.name, "if_unmodified_since": blob.modified, "delete_snapshots": "include"}
                for blob in some
            ]
            answers = list(client.delete_blobs(*asked, raise_on_any_failure=False, **limits(seconds)))
            if len(answers) != len(some):
                raise DecodeError(message="an answer for each blob is missing")
            return answers

        for start in range(0, len(blobs), _BATCH):
            some = blobs[start : start + _BATCH]
            # A request of many parts takes its time, and those that come after one of a lost answer find nothing.
            answers = self._ask_for(partial(delete, some), f"delete blobs below '{place}'", _PAGE_BYTES)
            for blob, answer in zip(some, answers, strict=True):
                why = str(answer.headers.get("x-ms-error-code") or answer.reason or answer.status_code)
                if not _OK <= answer.status_code < _REDIRECTED and answer.status_code != _NOT_FOUND:
                    problems[blob.name] = why
        return problems

    def list(self, place: BlobUrl) -> list[FoundBlob]:
        """List the blobs of a container by name.

        Args:
            place: The container, and what names begin with.

        Raises:
            ServiceError: They can't be listed.

        """
        found, mark = self.page(place)
        while mark:
            more, mark = self.page(place, mark)
            found += more
        return found

    def delete(self, place: BlobUrl) -> bool:
        """Delete a blob; safe to repeat.

        Args:
            place: Where it is.

        Returns:
            Whether it was there.

        Raises:
            ServiceError: It can't be deleted.

        """
        from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - heavy

        client: Any = self._client().get_blob_client(place.container, place.name)

        def delete(seconds: float) -> bool:
            try:
                client.delete_blob(**limits(seconds))
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) not in {"BlobNotFound", "ContainerNotFound"}:
                    raise
                return False
            return True

        return self._ask(delete, f"delete '{place}'")

    def _ask_for(self, call: Callable[[float], T], action: str, size: int, *, waits_at_most: float | None = None) -> T:
        """Make a call that transfers so many bytes, and may take its time."""
        from fairing_az_jupyter.clients.azure.calls import ask  # noqa: PLC0415 - heavy

        seconds = size / _SLOW
        timeout = self.timeout + seconds if waits_at_most is None else waits_at_most
        return ask(call, self._asked(action), timeout=timeout, deadline=self.deadline + _TRIES * seconds)

    def _asked(self, action: str) -> Asked:
        look = "Check the spelling of container and name; '%20' is not decoded to a space."
        container = f"az storage blob list --auth-mode login --account-name {self.account} --container-name CONTAINER"
        fixes = {"not-found": f"{look} {container} --query [].name lists what is there.", **self._fixes}
        return Asked("blob", action, self.host, names=self._names, fixes=fixes)
