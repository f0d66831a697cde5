"""Where the bytes of a blob come from when it is sent: memory, a file, or another registry.

However large a blob is, not more than one piece of it is in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import threading
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from fairing_az_jupyter.clients.http import Answer
from fairing_az_jupyter.clients.oci.errors import unexpected
from fairing_az_jupyter.clients.oci.exchange import Body, Exchange, LostError, Reply, again
from fairing_az_jupyter.clients.retries import classify_http, retrying
from fairing_az_jupyter.exceptions import ConflictError, ContextError, FairingAzureError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairing_az_jupyter.clients.oci.manifests import Descriptor

_PIECE = 1 << 18
_ERROR_PIECES = 16  # of 64 KiB at most
_FEWEST_STEPS = 100


class StoppedError(Exception):
    """Something else has failed, or the caller has: what is under way is given up."""


class Progress:
    """Counts what was sent, from several threads, and ends them all.

    Args:
        report: Gets the bytes sent and the bytes to send; what it raises is `error`, and ends all.

    """

    def __init__(self, report: Callable[[int, int], object] | None = None) -> None:
        self.error: BaseException | None = None
        self._report = report
        self._lock = threading.Lock()
        self._offsets: dict[str, int] = {}
        self._total = 0
        self._reported = -1
        self._stopped = False

    def expect(self, digest: str, size: int) -> None:
        """Say that a blob of so many bytes will be sent."""
        with self._lock:
            self._total += 0 if digest in self._offsets else size
            self._offsets.setdefault(digest, 0)

    def at(self, digest: str, offset: int) -> None:
        """Say how far a blob is.

        Raises:
            StoppedError: All is to end.

        """
        with self._lock:
            if self._stopped:
                raise StoppedError
            self._offsets[digest] = offset
            sent = sum(self._offsets.values())
            # Not for each of thousands of small pieces: the listener may draw something.
            due = sent > self._reported + self._total // _FEWEST_STEPS or (
                sent == self._total and sent > self._reported
            )
            if self._report is None or not due:
                return
            self._reported = sent
            try:
                self._report(sent, self._total)
            except Exception as error:
                self._stopped = True
                self.error = error
                # Otherwise the HTTP library would take it for an error of the connection.
                raise StoppedError from error

    def stop(self) -> None:
        """End all that is under way."""
        self._stopped = True


class Blob(Protocol):
    """A blob that can be sent from any place on."""

    @property
    def key(self) -> str:
        """What tells it from the others that are sent."""

    @property
    def digest(self) -> str:
        """Its SHA-256 digest; empty where that is known only when all of it was made."""

    @property
    def size(self) -> int:
        """Its bytes."""

    def part(self, offset: int, length: int, moved: Callable[[int], None]) -> bytes | Body:
        """Return some of it; `moved` gets the progress meanwhile."""

    def blame(self) -> FairingAzureError | None:
        """Return why a registry may have got other bytes than the digest says, if that lies here."""


class LocalBlob:
    """A blob in memory or in a file.

    Args:
        source: Its bytes or its file.
        digest: Its digest.
        size: Its bytes.

    """

    def __init__(self, source: bytes | Path, digest: str, size: int) -> None:
        self.source = source
        self.key = self.digest = digest
        self.size = size

    def open(self) -> BinaryIO:
        """Open it for reading, from its start."""
        return self.source.open("rb") if isinstance(self.source, Path) else io.BytesIO(self.source)

    def part(self, offset: int, length: int, moved: Callable[[int], None]) -> bytes | Body:
        """Return some of it, read while it is sent."""
        return _Window(self, offset, length, moved)

    def blame(self) -> FairingAzureError | None:
        """Return the error for a file that has changed since its digest was made."""
        now = hashlib.sha256()
        with self.open() as stream:
            while piece := stream.read(_PIECE):
                now.update(piece)
        return None if f"sha256:{now.hexdigest()}" == self.digest else self.changed()

    def changed(self) -> ContextError:
        """Return the error for a file that is not what it was."""
        return ContextError(
            f"The layer's file '{self.source if isinstance(self.source, Path) else 'in memory'}' changed while it "
            "was sent. The image was not built.",
            hint="Try again when nothing writes to the file.",
        )


class RemoteBlob:
    """A blob in another registry, passed through.

    Args:
        exchange: The registry that has it.
        repository: The repository there.
        what: The blob.

    """

    def __init__(self, exchange: Exchange, repository: str, what: Descriptor) -> None:
        self.key = self.digest = what.digest
        self.size = what.size
        self._exchange = exchange
        self._repository = repository
        self._pieces: Iterator[bytes] = iter(())
        self._rest = b""
        self._open = contextlib.ExitStack()
        self._held = b""
        self._start = self._next = 0
        self._hash = hashlib.sha256()
        self._hashed = 0

    def close(self) -> None:
        """Close the connection to the other registry."""
        self._open.close()
        self._pieces, self._rest = iter(()), b""

    def part(self, offset: int, length: int, moved: Callable[[int], None]) -> bytes | Body:
        """Return some of it; what was got last is kept, so that it can be sent again."""
        if not self._start <= offset <= offset + length <= self._start + len(self._held):
            self._start, self._held = offset, self._load(offset, length)
        moved(offset)
        first = offset - self._start
        return self._held if not first and len(self._held) == length else self._held[first : first + length]

    def blame(self) -> FairingAzureError | None:
        """Return the error for a registry that has sent other bytes than were asked for."""
        complete = self._hashed == self.size
        return self._damaged() if complete and f"sha256:{self._hash.hexdigest()}" != self.digest else None

    def read(self, limit: int) -> bytes:
        """Return all of a small blob, checked.

        Args:
            limit: The most bytes that it may have.

        Returns:
            Its bytes.

        Raises:
            ConflictError: The registry sent other bytes, or more.
            FairingAzureError: It is not there or can't be got.

        """
        if self.size > limit:
            raise self._damaged()
        try:
            content = self._load(0, self.size)
        finally:
            self.close()
        problem = self.blame()
        if problem is not None:
            raise problem
        return content

    def _load(self, offset: int, length: int) -> bytes:
        """Get some of it, continuing where a connection has broken off."""
        got = bytearray()

        def attempt(seconds: float) -> None:
            position = offset + len(got)
            if position != self._next or position == 0:
                self.close()
                self._connect(position, seconds)
            try:
                while len(got) < length:
                    self._keep(self._piece(), length - len(got), got)
            except BaseException:
                self._next = -1
                raise

        problem: FairingAzureError | None = None
        while len(got) < length:
            before = len(got)
            try:
                retrying(attempt, deadline=self._exchange.deadline, timeout=30, classify=again)
            except LostError as lost:
                if len(got) == before or lost.retry is None:
                    problem = lost.problem or self._unexpected(lost.reply)
                    break
        if problem is not None:
            raise problem
        return bytes(got)

    def _piece(self) -> bytes:
        piece = self._rest or next(self._pieces, b"")
        if not piece:  # it is shorter than it should be
            raise LostError(self._damaged(), None)
        return piece

    def _keep(self, piece: bytes, wanted: int, got: bytearray) -> None:
        used, rest = piece[:wanted], piece[wanted:]
        start = self._next
        got += used
        self._next = start + len(used)
        if start <= self._hashed < self._next:
            self._hash.update(used[self._hashed - start :])
            self._hashed = self._next
        self._rest = rest

    def _connect(self, position: int, seconds: float) -> None:
        scope = f"repository:{self._repository}:pull"
        url = f"/v2/{self._repository}/blobs/{self.digest}"
        headers = {"Range": f"bytes={position}-"} if position else {}
        while True:
            opened = self._exchange.opened("GET", url, scope, headers=headers, seconds=seconds)
            response, permit = self._open.enter_context(opened)
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            status = 0 if kind == "text/html" else response.status
            if status == HTTPStatus.UNAUTHORIZED and not permit.fresh:
                self._open.close()
                self._exchange.credential.forget()
                continue
            break
        if status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            self._pieces = self._exchange.read(response, url=self._exchange.address(url))
            self._next = position if status == HTTPStatus.PARTIAL_CONTENT else 0
            if self._next != position:  # a server that knows no ranges
                self._skip(position)
            return
        body = b"".join(itertools.islice(self._exchange.read(response, url=self._exchange.address(url)), _ERROR_PIECES))
        reply = Reply(Answer(response.status, response.headers, body), permit)
        self._open.close()
        retry = classify_http(response.status, response.headers)
        raise LostError(None if retry else self._unexpected(reply), retry, reply)

    def _skip(self, position: int) -> None:
        dropped = bytearray()
        while self._next < position:
            self._keep(self._piece(), position - self._next, dropped)
            dropped.clear()

    def _unexpected(self, reply: Reply | None) -> FairingAzureError:
        host = self._exchange.host
        if reply is None:
            return self._damaged()
        if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return self._exchange.credential.rejection(reply.answer, reply.permit, self._repository, "pull")
        if reply.status == HTTPStatus.NOT_FOUND:
            return NotFoundError(
                f"Registry '{host}' lost {self.digest}, which an image in '{self._repository}' consists of.",
                hint="Push that image again, or choose another base image.",
                service="registry",
                status=reply.status,
            )
        return unexpected(host, reply.answer, f"pull from '{self._repository}'")

    def _damaged(self) -> ConflictError:
        return ConflictError(
            f"Registry '{self._exchange.host}' sent content that does not match {self.digest} of '{self._repository}'.",
            hint="Try again. If it fails again, something in between changes the content.",
            service="registry",
        )


class _Window:
    """Some of a local blob, read while it is sent."""

    def __init__(self, blob: LocalBlob, offset: int, length: int, moved: Callable[[int], None]) -> None:
        self._blob = blob
        self._stream: BinaryIO | None = None
        self._position = offset
        self._length = length
        self._end = offset + length
        self._moved = moved

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(_PIECE), b"")

    def read(self, size: int = -1, /) -> bytes:
        self._moved(self._position)
        left = self._end - self._position
        if not left:
            self._close()
            return b""
        try:
            if self._stream is None:
                self._stream = self._blob.open()
                self._stream.seek(self._position)
            piece = self._stream.read(left if size < 0 else min(size, left))
        except OSError:
            piece = b""
        if not piece:  # fewer bytes than announced would leave the registry waiting
            self._close()
            raise self._blob.changed()
        self._position += len(piece)
        return piece

    def __del__(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
