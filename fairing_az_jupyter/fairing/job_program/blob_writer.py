"""Writes blobs in Azure Storage by links that are renewed meanwhile, over lines that break: the standard library alone.

Sources: https://learn.microsoft.com/rest/api/storageservices/put-block, .../put-block-list, .../put-blob,
.../specifying-conditional-headers-for-blob-service-operations, and
https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes for what is worth another try.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import queue
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BLOCK_BYTES = 6 * 1024 * 1024
"""A block's size: three of them are in memory at once, and 50,000 make a blob of 300 GB."""
AT_ONCE = 2
"""How many blocks are sent at once, while another one is read."""

_TIMEOUT = 60.0
_LONGEST_WAIT = 30.0
_CREATED = 201
_NOT_FOUND = 404
_CHANGED = frozenset({"ConditionNotMet", "BlobAlreadyExists"})
# 403: the link has ended, and a new one is on its way. 200: the page of a proxy.
_RETRIED = frozenset({200, 401, 403, 408, 429, 500, 502, 503, 504})
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AZURE_CA_BUNDLE")


class SendError(Exception):
    """Something can't be sent; the text says why, and holds no link."""


class LostBlocksError(SendError):
    """Blocks that were sent are not there any more: another program has written the same blob."""


class MissingError(SendError):
    """The blob is not there."""


class ChangedBlobError(SendError):
    """The blob is not in the state that was asked for."""


class StoppedError(SendError):
    """The sending was interrupted."""


class Limits:
    """How long is tried; may change while something is being sent.

    Args:
        retry: Seconds for which one request is tried again.

    """

    def __init__(self, retry: float) -> None:
        self.retry = retry
        self.end = float("inf")
        self.stopped = threading.Event()

    def left(self) -> float:
        """Return the seconds until everything has to be over."""
        return self.end - time.monotonic()

    def wait(self, seconds: float) -> None:
        """Wait for the next try.

        Args:
            seconds: How long.

        Raises:
            StoppedError: It was interrupted.

        """
        if self.stopped.wait(seconds):
            raise StoppedError("interrupted")


def link_in(folder: str, name: str) -> Callable[[], str]:
    """Return what reads a link from its file each time that it is needed: it is renewed meanwhile.

    Args:
        folder: The folder with the links.
        name: The file's name.

    """
    path = os.path.join(folder, name)  # noqa: PTH118 - pathlib would be loaded for this alone

    def link() -> str:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - likewise
            return file.read().strip()

    return link


class Caller:
    """Sends bytes where a link leads, and asks for those that are there, over one connection; for one thread.

    Args:
        link: Returns the link as it is now.
        limits: How long is tried.

    """

    def __init__(self, link: Callable[[], str], limits: Limits) -> None:
        self._link, self._limits = link, limits
        self._connection: http.client.HTTPSConnection | None = None
        self._place = ""

    def put(self, body: bytes | memoryview, query: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Send a request until it is done.

        Args:
            body: What is sent.
            query: What is added to the link's own query.
            headers: The request's headers.

        Returns:
            The answer's headers.

        Raises:
            SendError: The service does not take it, or did not do so in time.
            LostBlocksError: It does not have blocks that were sent before.
            StoppedError: It was interrupted.

        """
        return self.ask("PUT", query, headers, body)[0]

    def ask(
        self,
        method: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes | memoryview = b"",
        *,
        wanted: int = _CREATED,
    ) -> tuple[Mapping[str, str], bytes]:
        """Send a request of any kind until it is done.

        Args:
            method: Its method.
            query: What is added to the link's own query.
            headers: The request's headers.
            body: What is sent.
            wanted: The status of a good answer.

        Returns:
            The answer's headers, their names in lower case, and what it has brought.

        Raises:
            SendError: As `put`.
            MissingError: The blob is not there.
            ChangedBlobError: It is not in the state that a condition among the headers names.

        """
        began, wait = time.monotonic(), 0.5
        while True:
            was_open = self._connection is not None
            asked = 0.0
            try:
                status, found, brought = self._once(method, body, query, headers)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                reason = _reason(error)
                if was_open:
                    # The service closes connections on which nothing was asked for a while.
                    asked = -1.0
            else:
                if status == wanted:
                    return found, brought
                reason = f"HTTP {status} {found.get('x-ms-error-code', '')}".rstrip()
                if status not in _RETRIED:
                    raise _rejection(status, found.get("x-ms-error-code", ""))(reason)
                asked = _retry_after(found)
            if self._limits.stopped.is_set():
                raise StoppedError(reason)
            pause = 0.0 if asked < 0 else max(asked, min(wait, _LONGEST_WAIT))
            if time.monotonic() + pause > min(began + self._limits.retry, self._limits.end):
                raise SendError(reason)
            self._limits.wait(pause)
            wait *= 2

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def abort(self) -> None:
        """End what another thread is sending."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _once(
        self, method: str, body: bytes | memoryview, query: str, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        parts = urlsplit(self._link())
        if parts.scheme != "https" or not parts.hostname:
            raise OSError(0, "the link is not there")
        if self._place != parts.netloc:
            self.close()
        if self._connection is None:
            self._connection, self._place = _connection(parts.hostname, parts.port or 443), parts.netloc
        seconds = max(1.0, min(_TIMEOUT, self._limits.left()))
        self._connection.timeout = seconds
        if self._connection.sock is not None:
            self._connection.sock.settimeout(seconds)
        target = f"{parts.path}?{parts.query}{f'&{query}' if query else ''}"
        all_headers = {"Content-Length": str(len(body)), "User-Agent": "fairing-az-jupyter", **headers}
        self._connection.request(method, target, body=body, headers=all_headers)
        with self._connection.getresponse() as answer:
            brought = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            if answer.will_close:
                self.close()
            return answer.status, found, brought


class BlockBlob:
    """A block blob that is being written: blocks are sent by two threads, and become the blob by a list of them.

    Args:
        link: Returns the link to it as it is now.
        limits: How long is tried.
        prefix: What the names of its blocks begin with, 8 letters or digits; another program's blocks have another.

    """

    def __init__(self, link: Callable[[], str], limits: Limits, prefix: str) -> None:
        self._link, self._limits, self._prefix = link, limits, prefix
        self._number = 0
        self._caller = Caller(link, limits)
        self._callers: list[Caller] = []
        self._threads: list[threading.Thread] = []
        self._work: queue.Queue[tuple[str, bytearray, int] | None] = queue.Queue()
        self._free: queue.Queue[bytearray] = queue.Queue()
        self._failure: BaseException | None = None
        self.missing: set[str] = set()
        """The names of blocks that were handed over since `open` and have not arrived."""

    def open(self) -> None:
        """Start the threads."""
        self._failure = None
        self._work, self._free = queue.Queue(), queue.Queue()
        self.missing = set()
        for _ in range(AT_ONCE + 1):
            # One is filled while the others are sent.
            self._free.put(bytearray(BLOCK_BYTES))
        self._callers = [Caller(self._link, self._limits) for _ in range(AT_ONCE)]
        self._threads = [threading.Thread(target=self._run, args=(caller,), daemon=True) for caller in self._callers]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads and give the memory back."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()
        self._threads, self._callers = [], []
        self._work, self._free = queue.Queue(), queue.Queue()
        self._caller.close()

    def abort(self) -> None:
        """End what the threads are sending."""
        for caller in (self._caller, *self._callers):
            caller.abort()

    def take(self) -> bytearray:
        """Return memory for a block, to be handed to `send`.

        Raises:
            SendError: A block could not be sent.

        """
        found = self._free.get()
        if self._failure is not None:
            self._free.put(found)
            raise self._failure
        return found

    def send(self, block: bytearray, size: int) -> str:
        """Have a block sent.

        Args:
            block: Memory from `take`.
            size: How many of its bytes are the block.

        Returns:
            The block's name.

        """
        self._number += 1
        name = f"{self._prefix}{self._number:08d}"
        self.missing.add(name)
        self._work.put((name, block, size))
        return name

    def give_back(self, block: bytearray) -> None:
        """Return memory that is not sent.

        Args:
            block: Memory from `take`.

        """
        self._free.put(block)

    def wait(self) -> None:
        """Wait until all blocks are sent.

        Raises:
            SendError: One could not be sent.

        """
        taken = [self._free.get() for _ in range(AT_ONCE + 1)]
        for each in taken:
            self._free.put(each)
        if self._failure is not None:
            raise self._failure

    def commit(
        self, blocks: Sequence[str], end: bytes, *, first: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> str:
        """Make the blob of blocks that were sent; until then it is as it was.

        Args:
            blocks: Their names, in their order.
            end: What follows them.
            first: What precedes them.
            headers: What else to say, such as a condition.

        Returns:
            The blob's ETag.

        Raises:
            SendError: The service does not do it.
            LostBlocksError: It does not have all of them any more.
            ChangedBlobError: A condition does not hold.

        """
        names, last = list(blocks), f"{self._prefix}--------"
        if first:
            names.insert(0, f"{self._prefix}++++++++")
            self._caller.put(first, f"comp=block&blockid={_block_id(names[0])}", {})
        self._caller.put(end, f"comp=block&blockid={_block_id(last)}", {})
        latest = "".join(f"<Latest>{_encoded(name)}</Latest>" for name in (*names, last))
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{latest}</BlockList>'.encode()
        kinds = {"Content-Type": "text/plain; charset=utf-8", "x-ms-blob-content-type": "application/x-tar"}
        return str(self._caller.put(body, "comp=blocklist", {**kinds, **(headers or {})}).get("etag", ""))

    def _run(self, caller: Caller) -> None:
        while (work := self._work.get()) is not None:
            name, block, size = work
            try:
                if self._failure is None:
                    with memoryview(block) as whole, whole[:size] as part:
                        caller.put(part, f"comp=block&blockid={_block_id(name)}", {})
                    self.missing.discard(name)
            except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for it
                self._failure = error
            self._free.put(block)
        caller.close()


def put_blob(link: Callable[[], str], limits: Limits, body: bytes, kind: str) -> None:
    """Write a small blob as a whole.

    Args:
        link: Returns the link to it as it is now.
        limits: How long is tried.
        body: Its bytes.
        kind: Its media type.

    Raises:
        SendError: The service does not take it.

    """
    caller = Caller(link, limits)
    try:
        caller.put(body, "", {"x-ms-blob-type": "BlockBlob", "Content-Type": kind})
    finally:
        caller.close()


def _rejection(status: int, code: str) -> type[SendError]:
    if code == "InvalidBlockList":
        return LostBlocksError
    if code in _CHANGED:
        return ChangedBlobError
    return MissingError if status == _NOT_FOUND else SendError


def _encoded(name: str) -> str:
    return base64.b64encode(name.encode()).decode()


def _block_id(name: str) -> str:
    return quote(_encoded(name), safe="")


def _retry_after(headers: Mapping[str, str]) -> float:
    with contextlib.suppress(ValueError):
        return max(0.0, float(headers.get("retry-after", "")))
    return 0.0


def _reason(error: Exception) -> str:
    """Return what has failed without what was sent: some exceptions quote the request's target, which is the link."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, socket.timeout):
        return "no answer in time"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"the connection was lost ({type(error).__name__})"


def _connection(host: str, port: int) -> http.client.HTTPSConnection:
    proxy = _proxy_for(host)
    if proxy is None:
        return http.client.HTTPSConnection(host, port, context=_context())
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    connection = http.client.HTTPSConnection(str(parts.hostname), parts.port or 80, context=_context())
    headers = {}
    if parts.username is not None:
        login = base64.b64encode(f"{parts.username}:{parts.password or ''}".encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {login}"
    connection.set_tunnel(host, port, headers)
    return connection


def _proxy_for(host: str) -> str | None:
    if not any(name.lower() in {"https_proxy", "all_proxy"} for name in os.environ):
        return None
    import urllib.request as requests  # noqa: PLC0415 - rarely needed

    proxies = requests.getproxies()
    if requests.proxy_bypass(host):
        return None
    return proxies.get("https") or proxies.get("all")


def _context() -> ssl.SSLContext:
    """Return the certificates to trust: the system's, and those that the environment names for other programs."""
    context = ssl.create_default_context()
    for name in _BUNDLES:
        bundle = os.environ.get(name)
        if bundle:
            with contextlib.suppress(OSError, ssl.SSLError):
                context.load_verify_locations(cafile=bundle)
    if not context.cert_store_stats()["x509_ca"] and not os.environ.get("SSL_CERT_DIR"):
        with contextlib.suppress(ImportError):
            import certifi  # noqa: PLC0415 - where the image itself has no certificates

            context.load_verify_locations(cafile=certifi.where())
    return context
