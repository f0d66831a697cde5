"""One HTTP request to a registry: within its time, tried again where that helps, never led to another host."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from fairing_az_jupyter.clients.oci.reach import AttemptTooLongError, redirected, unreachable, worth_a_retry
from fairing_az_jupyter.clients.retries import Retry, classify_http, retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests.adapters import HTTPAdapter

T = TypeVar("T")

LARGEST_BODY = 4 * 1024 * 1024  # a registry may refuse larger manifests, says the OCI distribution specification
# Blobs go in parallel; connections beyond this are opened and thrown away, each with a warning in the log.
_CONNECTIONS = 32
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
# requests' own time-out tells more, so it comes first; this one also ends name resolution and dripping answers.
_GRACE = 0.2


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Args:
        status: The HTTP status.
        headers: Its headers, found in any case.
        body: At most 4 MiB of its body.

    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)  # of a token service, it is a token

    @property
    def is_html(self) -> bool:
        """Whether this is a page for people, which no registry sends."""
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return kind in {"text/html", "application/xhtml+xml"} or self.body[:64].lstrip().lower().startswith(
            (b"<!doctype html", b"<html"),
        )

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, empty where it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class _BusyError(Exception):
    """Carries an answer that is worth another try."""

    def __init__(self, answer: Answer, retry: Retry) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.retry = retry


class Transport:
    """Sends requests to one registry and its token service.

    Args:
        base: The registry's address, such as `https://contosoml.azurecr.io`.
        verify: A file with the certificates to trust, or True for those that the environment and requests name.
        timeout: Seconds for one attempt.

    """

    def __init__(self, base: str, *, verify: str | bool, timeout: float) -> None:
        self._base = base
        self._verify = verify
        self._timeout = timeout
        self._adapter: HTTPAdapter | None = None
        self._opening = threading.Lock()

    def close(self) -> None:
        """Close the connections that are kept open."""
        if self._adapter is not None:
            self._adapter.close()

    def ask(
        self,
        method: str,
        url: str,
        *,
        end: float,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str | list[str]] | None = None,
        follow: bool = True,
    ) -> Answer:
        """Send a request.

        Args:
            method: The HTTP method.
            url: The whole address.
            end: When to give up, on `time.monotonic`'s clock.
            headers: Further headers.
            form: What to send as a form.
            follow: Whether a redirect within the same host is followed and any other is an error; otherwise it is
                the answer.

        Returns:
            The answer, whatever its status; for a transient one, that of the last attempt.

        Raises:
            UnreachableError: There is no answer, or it leads to another host.

        """
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._persist(method, url, end, headers or {}, form)
            if answer.status not in REDIRECTS or not follow:
                return answer
            target = _within(url, answer.headers.get("Location", ""))
            if target is None or method not in {"GET", "HEAD"}:
                break
            url = target
        raise redirected(self._base, answer.headers.get("Location", ""), answer.status)

    def _persist(
        self,
        method: str,
        url: str,
        end: float,
        headers: Mapping[str, str],
        form: Mapping[str, str | list[str]] | None,
    ) -> Answer:
        def attempt(seconds: float) -> Answer:
            answer = _bounded(lambda: self._send(method, url, seconds, headers, form), seconds + _GRACE)
            retry = classify_http(answer.status, answer.headers)
            if retry is not None:
                raise _BusyError(answer, retry)
            return answer

        def classify(error: BaseException) -> Retry | None:
            if isinstance(error, _BusyError):
                return error.retry
            return Retry() if worth_a_retry(error) else None

        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - heavy: as late as possible

        started = time.monotonic()
        try:
            return retrying(attempt, deadline=end - started, timeout=self._timeout, classify=classify)
        except _BusyError as error:
            return error.answer
        except (OSError, ValueError, HTTPError, HTTPException) as error:  # requests does not wrap all of them
            problem = unreachable(error, url, time.monotonic() - started)
        # Outside the handler: requests' exceptions hold the request with its Authorization header.
        raise problem

    def _send(
        self,
        method: str,
        url: str,
        seconds: float,
        headers: Mapping[str, str],
        form: Mapping[str, str | list[str]] | None,
    ) -> Answer:
        import requests  # noqa: PLC0415 - heavy: as late as possible
        from requests.utils import get_environ_proxies  # noqa: PLC0415 - as above

        stop = time.monotonic() + seconds
        # No requests.Session: it would follow redirects, keep cookies, replace our Authorization header by what stands
        # in ~/.netrc, and a CA file that was given by REQUESTS_CA_BUNDLE.
        response = self.adapter().send(
            requests.Request(method, url, headers={"User-Agent": _user_agent(), **headers}, data=form).prepare(),
            timeout=seconds,
            proxies=get_environ_proxies(url, no_proxy=None),
            verify=self.trusted(),
            stream=True,
        )
        with response:
            body = b""
            for chunk in response.iter_content(65536):
                body += chunk
                if len(body) >= LARGEST_BODY:
                    break
                if time.monotonic() > stop:
                    raise AttemptTooLongError
            return Answer(response.status_code, response.headers, body[:LARGEST_BODY])

    def adapter(self) -> HTTPAdapter:
        """Return the connections that are kept open; what sends large bodies uses them too."""
        from requests.adapters import HTTPAdapter  # noqa: PLC0415 - heavy: as late as possible

        with self._opening:
            if self._adapter is None:
                self._adapter = HTTPAdapter(pool_maxsize=_CONNECTIONS)
            return self._adapter

    def trusted(self) -> str | bool:
        """Return which certificates are trusted, as `requests` takes it."""
        if self._verify is not True:
            return self._verify
        return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True


@lru_cache(maxsize=1)
def _user_agent() -> str:
    try:
        return f"fairing-az-jupyter/{version('fairing-az-jupyter')}"
    except PackageNotFoundError:  # run from the sources, not installed
        return "fairing-az-jupyter/0"


def _within(url: str, location: str) -> str | None:
    """Return where a redirect leads, if that is on the same scheme, host and port."""
    try:
        target = urljoin(url, location)
        before, after = urlsplit(url), urlsplit(target)
        same = (before.scheme, before.hostname, before.port) == (after.scheme, after.hostname, after.port)
    except ValueError:
        return None
    return target if location and same and after.username is None else None


def _bounded(call: Callable[[], T], seconds: float) -> T:
    """Call, and give up waiting after some seconds; requests itself can't end name resolution or a dripping answer."""
    outcome: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            outcome.put((None, error))

    threading.Thread(target=run, name="registry request", daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        error = AttemptTooLongError()
    if error is not None:
        raise error
    return result  # type: ignore[return-value] # without an error there is a result
