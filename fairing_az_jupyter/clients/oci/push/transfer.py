"""Brings the blobs of an image to a repository: looked for, mounted or sent, a few at once."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from fairing_az_jupyter.clients.oci.blobs import LocalBlob, Progress, RemoteBlob, StoppedError
from fairing_az_jupyter.clients.oci.push.uploads import has_blob, mount_blob, send_blob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fairing_az_jupyter.clients.oci.exchange import Exchange
    from fairing_az_jupyter.clients.oci.manifests import Descriptor
    from fairing_az_jupyter.clients.oci.push.streamed import StreamedBlob

_AT_ONCE = 4
# Seconds that what has begun gets to cancel its upload.
_TIME_TO_END, _TIME_TO_INTERRUPT = 10.0, 2.0


class Push:
    """One push; a blob that fails ends the others.

    Args:
        exchange: The registry.
        repository: The repository.
        report: Gets the bytes sent and the bytes to send.

    Attributes:
        sent: The bytes that had to be sent.
        mounted: How many layers were taken from another repository.
        trusting: Whether layers of a base in the same repository are taken to be there.

    """

    def __init__(self, exchange: Exchange, repository: str, report: Callable[[int, int], object] | None) -> None:
        self.sent = 0
        self.mounted = 0
        self.trusting = True
        self._exchange = exchange
        self._repository = repository
        self._progress = Progress(report)

    def send(self, mine: Iterable[LocalBlob], layers: Iterable[Descriptor], source: Exchange, repository: str) -> None:
        """Send what is not there yet.

        Args:
            mine: The blobs that are here.
            layers: The layers of the base.
            source: The registry that has them.
            repository: The repository that has them.

        Raises:
            FairingAzureError: A blob can't be got or sent; what had begun is cancelled.

        """
        home = self.trusting and (self._exchange.base, self._repository) == (source.base, repository)
        # In the base's own repository its layers are there; those that are kept elsewhere stay there.
        theirs = {} if home else {one.digest: one for one in layers if not one.foreign}
        blobs: dict[str, LocalBlob | RemoteBlob] = {
            digest: RemoteBlob(source, repository, one) for digest, one in theirs.items()
        }
        blobs.update({one.digest: one for one in mine})
        missing = self._all([partial(self._missing, digest) for digest in blobs])
        if source.base == self._exchange.base:
            missing = self._mount(missing, theirs, repository)
        for digest in missing:
            self._progress.expect(digest, blobs[digest].size)
        self._all([partial(self._send, blobs[digest]) for digest in missing])
        self.sent += sum(blobs[digest].size for digest in missing)

    def stream(self, blob: StreamedBlob) -> None:
        """Send a blob that is made meanwhile; raises as `send`, and what its making raises.

        Args:
            blob: The blob.

        """
        self._progress.expect(blob.key, blob.size)
        try:
            send_blob(self._exchange, self._repository, blob, self._progress)
        except StoppedError as stopped:
            raise self._progress.error or stopped from None
        finally:
            blob.close()
        self.sent += blob.size

    def _mount(self, missing: list[str], theirs: dict[str, Descriptor], repository: str) -> list[str]:
        tries = [digest for digest in missing if digest in theirs]
        left = self._all([partial(self._unmounted, digest, repository) for digest in tries])
        self.mounted += len(tries) - len(left)
        return [digest for digest in missing if digest not in tries or digest in left]

    def _missing(self, digest: str) -> str | None:
        return None if has_blob(self._exchange, self._repository, digest) else digest

    def _unmounted(self, digest: str, source: str) -> str | None:
        return None if mount_blob(self._exchange, self._repository, digest, source) else digest

    def _send(self, blob: LocalBlob | RemoteBlob) -> str | None:
        try:
            send_blob(self._exchange, self._repository, blob, self._progress)
        finally:
            if isinstance(blob, RemoteBlob):
                blob.close()
        return None

    def _all(self, calls: list[Callable[[], str | None]]) -> list[str]:
        """Call all, and return what they return that is not None; the first that fails ends the others."""
        workers = _Workers(calls)
        try:
            return [result for result in workers.results() if result is not None]
        except StoppedError as stopped:
            failure: BaseException = self._progress.error or stopped
        except BaseException as error:  # noqa: BLE001 - raised below
            failure = error
        self._progress.stop()
        workers.end(_TIME_TO_END if isinstance(failure, Exception) else _TIME_TO_INTERRUPT)
        raise failure


class _Workers:
    """Threads that do some calls, a few at once."""

    def __init__(self, calls: list[Callable[[], str | None]]) -> None:
        self._number = len(calls)
        self._waiting: queue.SimpleQueue[Callable[[], str | None]] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[str | None, BaseException | None]] = queue.SimpleQueue()
        for call in calls:
            self._waiting.put(call)
        # Daemons: a silent registry must not keep alive who was interrupted.
        self._threads = [
            threading.Thread(target=self._work, name="image push", daemon=True)
            for _ in range(min(_AT_ONCE, self._number))
        ]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[str | None]:
        """Yield what the calls return, as they end; raise what the first that fails raises."""
        for _ in range(self._number):
            result, error = self._ended.get()
            if error is not None:
                raise error
            yield result

    def end(self, seconds: float) -> None:
        """Begin no further call, and give those that have begun some time."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._ended.put(_outcome(self._waiting.get_nowait()))


def _outcome(call: Callable[[], str | None]) -> tuple[str | None, BaseException | None]:
    try:
        return call(), None
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
        return None, error
