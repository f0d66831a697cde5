"""Sends a blob to a registry: in one piece or in parts, continuing after what broke off.

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs (POST and PUT, PATCH in
parts, OCI-Chunk-Min-Length, the status of an upload, mounting from another repository).
"""

from __future__ import annotations

import contextlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from fairing_az_jupyter.clients.oci.exchange import LostError, Reply, again
from fairing_az_jupyter.clients.oci.http import REDIRECTS
from fairing_az_jupyter.clients.oci.push.errors import blob_rejected, codes_of
from fairing_az_jupyter.clients.oci.reach import redirected
from fairing_az_jupyter.clients.retries import classify_http, retrying
from fairing_az_jupyter.exceptions import ConflictError, FairingAzureError, ServiceError

if TYPE_CHECKING:
    from fairing_az_jupyter.clients.oci.blobs import Blob, Progress
    from fairing_az_jupyter.clients.oci.exchange import Exchange

CHUNK = 16 * 1024 * 1024
"""The largest part that is sent in one request, in bytes; smaller where a registry or a proxy before it takes less."""

_SMALLEST_CHUNK = 256 * 1024
_TIMEOUT = 300.0
_SILENCE = 60.0
_MOST_STARTS = 5
_MOST_IDLE_STEPS = 20
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]+)")
_BYTES = {"Content-Type": "application/octet-stream"}
_TAKEN = frozenset({HTTPStatus.ACCEPTED, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, HTTPStatus.OK})


def has_blob(exchange: Exchange, repository: str, digest: str) -> bool:
    """Say whether a repository has a blob.

    Args:
        exchange: The registry.
        repository: The repository.
        digest: The blob's digest.

    Returns:
        Whether it is there.

    Raises:
        FairingAzureError: The registry does not say.

    """
    reply = exchange.ask("HEAD", f"/v2/{repository}/blobs/{digest}", push_scope(repository))
    if reply.status == HTTPStatus.NOT_FOUND:
        return False
    # A blob that is there may be kept elsewhere: the registry looks first, and then tells where.
    if reply.status == HTTPStatus.OK or reply.status in REDIRECTS:
        return True
    raise blob_rejected(exchange, reply, repository)


def mount_blob(exchange: Exchange, repository: str, digest: str, source: str) -> bool:
    """Have a repository take a blob from another one of the same registry, without sending it.

    Args:
        exchange: The registry.
        repository: Where it is to be.
        digest: The blob's digest.
        source: The repository that has it.

    Returns:
        Whether that worked; otherwise, whatever the reason, it has to be sent.

    """
    url = f"/v2/{repository}/blobs/uploads/?mount={quote(digest)}&from={quote(source, safe='')}"
    try:
        reply = exchange.ask("POST", url, f"{push_scope(repository)} repository:{source}:pull")
    except FairingAzureError:  # some token services issue no token for two repositories at once
        return False
    if reply.status == HTTPStatus.ACCEPTED:  # an upload was begun instead
        _cancel(exchange, reply.header("Location"), repository)
    return reply.status == HTTPStatus.CREATED


def send_blob(exchange: Exchange, repository: str, blob: Blob, progress: Progress, *, chunk: int = CHUNK) -> None:
    """Send a blob; where that fails, nothing of it is left in the registry.

    Args:
        exchange: The registry.
        repository: The repository.
        blob: What to send.
        progress: Gets the progress, and may end it.
        chunk: The largest part that is sent in one request, in bytes.

    Raises:
        StoppedError: It was to end.
        ContextError: The file changed while it was sent.
        ConflictError: Other bytes arrived than were sent.
        FairingAzureError: The registry does not take it, or can't be reached any more.

    """
    upload = _Upload(exchange, repository, blob, progress, chunk)
    try:
        upload.run()
    except BaseException:
        upload.cancel()
        raise


def push_scope(repository: str) -> str:
    """Return what a token has to allow for a push."""
    return f"repository:{repository}:pull,push"


class _Upload:
    def __init__(self, exchange: Exchange, repository: str, blob: Blob, progress: Progress, chunk: int) -> None:
        self._exchange = exchange
        self._repository = repository
        self._blob = blob
        self._progress = progress
        self._chunk = chunk
        self._least = _SMALLEST_CHUNK
        self._place = ""
        self._offset = 0
        self._furthest = 0
        self._starts = 0
        self._idle = 0
        self._unsure = False
        self._done = False

    def run(self) -> None:
        problem: FairingAzureError | None = None
        try:
            while not self._done:
                # Each part has its own time: a large blob may take hours as long as it continues.
                retrying(self._step, deadline=_TIMEOUT, timeout=_SILENCE, classify=again)
        except LostError as lost:
            problem = self._rejected(lost.reply) if lost.reply is not None else lost.problem
        if problem is not None:
            raise problem
        self._progress.at(self._blob.key, self._blob.size)

    def cancel(self) -> None:
        if self._place and not self._done:
            _cancel(self._exchange, self._place, self._repository)
        self._place = ""

    def _step(self, seconds: float) -> None:
        self._idle = 0 if self._offset > self._furthest else self._idle + 1
        self._furthest = max(self._furthest, self._offset)
        if self._idle > _MOST_IDLE_STEPS:
            raise self._lost()
        if self._unsure:
            self._find_out()
        if self._done:
            return
        if not self._place:
            self._begin()
        left = self._blob.size - self._offset
        # Of one that is made while it is sent, the digest is known at its end.
        if left > self._chunk or (left and (self._offset or not self._blob.digest)):
            self._send_part(min(left, self._chunk), seconds)
        else:
            self._finish(left, seconds)

    def _begin(self) -> None:
        self._starts += 1
        if self._starts > _MOST_STARTS:
            raise self._lost()
        reply = self._exchange.ask("POST", f"/v2/{self._repository}/blobs/uploads/", push_scope(self._repository))
        if reply.status != HTTPStatus.ACCEPTED or not reply.header("Location"):
            raise self._rejected(reply)
        self._offset = 0
        self._move(reply)
        least = reply.header("OCI-Chunk-Min-Length")
        if least.isdecimal():
            self._least = max(int(least), 1)
            self._chunk = max(self._chunk, self._least)

    def _send_part(self, length: int, seconds: float) -> None:
        headers = {**_BYTES, "Content-Range": f"{self._offset}-{self._offset + length - 1}"}
        reply = self._deliver("PATCH", self._place, length, headers, seconds)
        status = reply.status
        if status in _TAKEN:
            self._move(reply)
            self._offset = self._reported(reply, self._offset + length)
            self._progress.at(self._blob.key, self._offset)
        elif status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            self._make_smaller(reply)
            self._unsure = True
        elif status in {HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, HTTPStatus.NOT_FOUND}:
            self._unsure = True
        else:
            self._reject(reply)

    def _finish(self, length: int, seconds: float) -> None:
        mark = "&" if "?" in self._place else "?"
        url = f"{self._place}{mark}digest={quote(self._blob.digest, safe='')}"
        reply = self._deliver("PUT", url, length, _BYTES, seconds)
        if reply.status in _TAKEN - {HTTPStatus.ACCEPTED}:
            reported = reply.header("Docker-Content-Digest")
            if reported and reported != self._blob.digest:
                raise self._corrupted()
            self._done = True
        elif reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and length:
            self._make_smaller(reply, min(length, self._chunk))
            self._restart()
        elif reply.status in {HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, HTTPStatus.NOT_FOUND}:
            self._unsure = True
        elif "DIGEST_INVALID" in codes_of(reply):
            if (problem := self._blob.blame()) is not None:
                raise problem
            if self._starts >= _MOST_STARTS:
                raise self._corrupted()
            self._restart()
        elif codes_of(reply) & {"BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "SIZE_INVALID"}:
            self._restart()
        else:
            self._reject(reply)

    def _deliver(self, method: str, url: str, length: int, headers: dict[str, str], seconds: float) -> Reply:
        offset = self._offset

        def moved(position: int) -> None:
            self._progress.at(self._blob.key, position)

        try:
            return self._exchange.once(
                method,
                url,
                push_scope(self._repository),
                body=lambda: self._blob.part(offset, length, moved) if length else b"",
                headers=headers,
                seconds=seconds,
            )
        except LostError:
            self._unsure = True
            # Smaller parts get through a bad line, and a proxy that hangs up on large ones.
            self._chunk = max(self._least, self._chunk // 2)
            raise

    def _find_out(self) -> None:
        """Ask how much has arrived; where the registry does not know, begin again."""
        reply = self._exchange.ask("GET", self._place, push_scope(self._repository))
        arrived = self._reported(reply, -1)
        if reply.status in {HTTPStatus.NO_CONTENT, HTTPStatus.OK, HTTPStatus.ACCEPTED} and arrived >= 0:
            self._move(reply)
            self._offset = arrived
        elif self._blob.digest and has_blob(self._exchange, self._repository, self._blob.digest):
            # Only the answer was lost.
            self._done = True
        else:
            self._restart()
        self._unsure = False

    def _reported(self, reply: Reply, otherwise: int) -> int:
        """Return how many bytes the registry says that it has; it also writes 0-0 where it has none."""
        found = _RANGE.fullmatch(reply.header("Range").strip())
        if found is None:
            return otherwise
        last = int(found[1])
        if last >= self._blob.size:
            return otherwise
        return last + 1 if last else 0

    def _move(self, reply: Reply) -> None:
        location = reply.header("Location")
        if not location:
            return
        try:
            place = self._exchange.address(location)
            lowered = self._exchange.base.startswith("https:") and urlsplit(place).scheme != "https"
        except ValueError:
            lowered = True
        if lowered:
            raise redirected(self._exchange.base, location, reply.status)
        self._place = place

    def _make_smaller(self, reply: Reply, chunk: int | None = None) -> None:
        rejected = chunk or self._chunk
        if rejected <= self._least:
            raise self._rejected(reply)
        self._chunk = max(rejected // 2, self._least)

    def _restart(self) -> None:
        self.cancel()
        self._offset = 0
        self._unsure = False

    def _reject(self, reply: Reply) -> None:
        retry = classify_http(reply.answer.status, reply.answer.headers)
        if retry is None:
            raise self._rejected(reply)
        self._unsure = True
        raise LostError(None, retry, reply)

    def _rejected(self, reply: Reply) -> FairingAzureError:
        return blob_rejected(self._exchange, reply, self._repository)

    def _lost(self) -> ServiceError:
        return ServiceError(
            f"Registry '{self._exchange.host}' repeatedly lost the data sent to '{self._repository}'. Without it the "
            "image can't be pushed.",
            hint="Try again. If it fails again, ask the registry's owner.",
            code="upload-lost",
            service="registry",
        )

    def _corrupted(self) -> ConflictError:
        return ConflictError(
            f"Registry '{self._exchange.host}' received content that does not match {self._blob.digest}, sent to "
            f"'{self._repository}'. The image was not pushed.",
            hint="Try again. If it fails again, something in between changes the content.",
            service="registry",
        )


def _cancel(exchange: Exchange, place: str, repository: str) -> None:
    """End an upload; where that does not work, it ends by itself after some days."""
    with contextlib.suppress(LostError, FairingAzureError, ValueError):
        exchange.once("DELETE", place, push_scope(repository), seconds=min(_SILENCE, 5.0))
