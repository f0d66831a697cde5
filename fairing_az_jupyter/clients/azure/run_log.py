"""What ACR Tasks prints while a run is running: an append blob that grows, read by a link that is a secret itself.

Source: https://learn.microsoft.com/rest/api/containerregistry/runs/get-log-sas-url. That lines end in CR LF and that
the blob's metadata get `Complete` when nothing more will come is what `az acr build` relies on to follow it.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from fairing_az_jupyter.clients.azure.errors import Asked
from fairing_az_jupyter.clients.secret_values import SecretValue
from fairing_az_jupyter.exceptions import NotFoundError, ServiceError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from azure.storage.blob import BlobClient

__all__ = ["Mask", "RunLog"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_KEPT_LINES = 200
_PART_BYTES, _LONGEST_LINE = 1 << 22, 1 << 20
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 30.0
_LOGIN_IN_URL = re.compile(r"://([^/\s@]+)@")
_SIGNATURE = re.compile(r"(?i)(\bsig=)[^&\s\"'<>]+")


class Mask:
    """Takes the secrets that a build was given out of what it prints.

    Args:
        link: The link to the build context.
        values: Further secrets; a login in a URL is one by itself, too.

    """

    def __init__(self, link: SecretValue, values: Iterable[str]) -> None:
        query = urlsplit(link.reveal()).query
        signatures = [part[4:] for part in query.split("&") if part.startswith("sig=")]
        texts = list(values)
        logins = [login for text in texts for login in _LOGIN_IN_URL.findall(text)]
        passwords = [login.partition(":")[2] for login in logins]
        found = {link.reveal(), query, *signatures, *map(unquote, signatures), *texts, *logins, *passwords}
        self._secrets = tuple(SecretValue(each) for each in sorted(filter(None, found), key=len, reverse=True))

    def hide(self, line: str) -> str:
        """Return a line without them.

        Args:
            line: The line.

        """
        for each in self._secrets:
            line = line.replace(each.reveal(), "(hidden)")
        return _SIGNATURE.sub(r"\1(hidden)", line)


class RunLog:
    """A run's log, read while it grows. That it can't be read is logged once, and is not a failure of the build.

    Args:
        link: Gets a link to the log; one is valid for an hour or so, which is less than a build may take.
        mask: Takes secrets out of a line.
        report: Is called with each line, once.
        limits: `timeout`, `deadline` and `ca_bundle`, as `AcrTasks` takes them.

    """

    def __init__(
        self, link: Callable[[], SecretValue], mask: Mask, report: Callable[[str], object], limits: Mapping[str, Any]
    ) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        """The last lines, oldest first."""
        self.complete = False
        """Whether all of it was read, and nothing more will come."""
        self.unreadable = False
        """Whether the last try to read it has failed."""
        self._link, self._mask, self._report, self._limits = link, mask, report, limits
        self._blob: BlobClient | None = None
        self._start = 0
        self._unended = b""
        self._pause, self._next, self._warned = _FIRST_PAUSE, 0.0, False

    def read(self, *, at_once: bool = False) -> bool:
        """Tell the lines that have come since the last time.

        Args:
            at_once: Try it also where the last time has failed a moment ago.

        Returns:
            Whether there was anything new.

        """
        if self.complete or (time.monotonic() < self._next and not at_once):
            return False
        before = self._start
        try:
            size, self.complete = self._size()
            while self._start < size:
                part = self._part(self._start, min(size - self._start, _PART_BYTES))
                self._start += len(part)
                self._take(part)
                if not part:
                    break
        except ServiceError as error:
            self.complete = False
            if isinstance(error, NotFoundError) and error.code == NotFoundError.code:
                return self._start > before  # Nothing was printed yet.
            self._put_off(error)
        else:
            self.unreadable, self._pause = False, _FIRST_PAUSE
        return self._start > before

    def finish(self) -> None:
        """Tell what has come after the last end of a line."""
        rest, self._unended = self._unended, b""
        if rest.strip():
            self._say(rest)

    def close(self) -> None:
        """Close the connections."""
        if self._blob is not None:
            self._blob.close()
            self._blob = None

    def _put_off(self, error: ServiceError) -> None:
        # The next time by a new link: this one may have expired.
        self.close()
        self.unreadable = True
        self._next = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        if not self._warned:
            self._warned = True
            logger.warning("The build is still running, but its log can't be read now. %s", error.message)

    def _take(self, part: bytes) -> None:
        *ended, self._unended = (self._unended + part).split(b"\n")
        for line in ended:
            self._say(line)
        if len(self._unended) > _LONGEST_LINE:
            self.finish()

    def _say(self, line: bytes) -> None:
        text = self._mask.hide(line.decode("utf-8", "replace").rstrip("\r"))
        self.lines.append(text)
        self._report(text)

    def _size(self) -> tuple[int, bool]:
        def look(blob: BlobClient, seconds: float) -> tuple[int, bool]:
            found = blob.get_blob_properties(connection_timeout=seconds, read_timeout=seconds)
            return int(found.size or 0), any(key.lower() == "complete" for key in found.metadata or {})

        return self._ask(look)

    def _part(self, start: int, length: int) -> bytes:
        def load(blob: BlobClient, seconds: float) -> bytes:
            from azure.core.exceptions import DecodeError  # noqa: PLC0415 - heavy

            try:
                answer = blob.download_blob(start, length, connection_timeout=seconds, read_timeout=seconds)
                return bytes(answer.readall())
            except (ValueError, TypeError):
                # What the package raises for an answer without the headers of a part: a proxy's copy of it.
                raise DecodeError(message="no part of a blob") from None

        return self._ask(load)

    def _ask(self, call: Callable[[BlobClient, float], T]) -> T:
        from fairing_az_jupyter.clients.azure.calls import ask  # noqa: PLC0415 - heavy

        blob = self._client()
        asked = Asked("blob", "read the log of the build", str(urlsplit(blob.url).netloc), why="")
        limits = self._limits
        return ask(
            lambda seconds: call(blob, seconds), asked, timeout=limits["timeout"], deadline=limits["deadline"] / 2
        )

    def _client(self) -> BlobClient:
        if self._blob is None:
            from azure.storage.blob import BlobClient, ExponentialRetry  # noqa: PLC0415 - heavy

            from fairing_az_jupyter.clients.azure.calls import CheckedTransport  # noqa: PLC0415 - heavy

            logging.getLogger("urllib3.connectionpool").addFilter(_without_signature)
            link = self._link().reveal()
            if not link.startswith("https://"):
                raise UnreachableError(
                    "Can't read the log of the build: Azure returned no link to it.",
                    hint="Try again in a minute.",
                    service="arm",
                )
            self._blob = BlobClient.from_blob_url(
                link,
                retry_policy=ExponentialRetry(retry_total=0),
                transport=CheckedTransport(
                    timeout=self._limits["timeout"], ca_bundle=self._limits["ca_bundle"], mark="x-ms-"
                ),
            )
        return self._blob


def _without_signature(record: logging.LogRecord) -> bool:
    """Take signatures out of what urllib3 logs of each request when its debugging is on."""
    text = record.getMessage()
    if _SIGNATURE.search(text):
        record.msg, record.args = _SIGNATURE.sub(r"\1(hidden)", text), ()
    return True
