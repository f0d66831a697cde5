"""Requests to a registry that are small: within their time, tried again where that helps, never led to another host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from fairing_az_jupyter.clients.http import WebHttp, explained, same_origin
from fairing_az_jupyter.clients.oci.reach import redirected, unreachable, worth_a_retry
from fairing_az_jupyter.clients.retries import Retry, classify_http, retrying

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairing_az_jupyter.clients.http import Answer

LARGEST_BODY = 4 * 1024 * 1024  # a registry may reject larger manifests, says the OCI distribution specification
# Blobs go in parallel; connections beyond this are opened and thrown away, each with a warning in the log.
_CONNECTIONS = 32
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3


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
        self._timeout = timeout
        self.web = WebHttp(verify=verify, connections=_CONNECTIONS)
        """The connections; what sends large bodies uses them too."""

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
            UnreachableError: No answer arrives, or it leads to another host.

        """
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._persist(method, url, end, headers or {}, form)
            if answer.status not in REDIRECTS or not follow:
                return answer
            location = answer.headers.get("Location", "")
            try:
                target = urljoin(url, location)
            except ValueError:
                break
            if not location or not same_origin(url, target) or method not in {"GET", "HEAD"}:
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
            answer = self.web.fetch(method, url, seconds=seconds, headers=headers, body=form, most=LARGEST_BODY)
            retry = classify_http(answer.status, answer.headers)
            if retry is not None:
                raise _BusyError(answer, retry)
            return answer

        def classify(error: BaseException) -> Retry | None:
            if isinstance(error, _BusyError):
                return error.retry
            return Retry() if worth_a_retry(error) else None

        started = time.monotonic()
        try:
            return explained(
                lambda: retrying(attempt, deadline=end - started, timeout=self._timeout, classify=classify),
                lambda error: unreachable(error, url, time.monotonic() - started),
            )
        except _BusyError as error:
            return error.answer
