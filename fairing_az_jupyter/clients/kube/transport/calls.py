"""One call of the Kubernetes API: sent with who asks, ended in time, tried again where that helps, its errors ours.

The sockets are those of the kubernetes package; its generated methods are passed by, because they write the bodies of
answers, secret values included, into the log, ignore a time-out that is no whole number (up to release 31), and try
again where nobody asked them to.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from fairing_az_jupyter.clients.kube.objects.asking import Answer, Asked, Asker, CallFailed
from fairing_az_jupyter.clients.kube.transport.connection import address_of, open_pool
from fairing_az_jupyter.clients.kube.transport.errors import refusal
from fairing_az_jupyter.clients.kube.transport.identity import token_claims
from fairing_az_jupyter.clients.kube.transport.unreachable import is_page, no_answer, proxy_page, timed_out
from fairing_az_jupyter.clients.retries import Retry, retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.clients.hidden import Hidden
    from fairing_az_jupyter.clients.kube.transport.connection import Connection

T = TypeVar("T")

MERGE_PATCH = "application/merge-patch+json"
_UNAUTHORIZED = 401
_SUCCESS = range(200, 300)


class Patience:
    """The time that one operation may take, however many calls it makes.

    Args:
        seconds: How long that is.
        clock: Tells a time in seconds that never goes back.

    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Return the seconds that are left; never negative."""
        return max(0.0, self._end - self._clock())


class ApiCalls:
    """Calls to one API server; safe to use from several threads.

    Args:
        connection: The way to it.
        timeout: Seconds for one attempt.
        deadline: Seconds for all attempts of one operation.

    """

    def __init__(self, connection: Connection, *, timeout: float, deadline: float) -> None:
        self.connection = connection
        self._timeout = timeout
        self._deadline = deadline
        self._pool = open_pool(connection)
        self._user = ""

    def close(self) -> None:
        """Close the sockets that are kept open for further calls."""
        self._pool.clear()

    def patience(self) -> Patience:
        """Start the time of one operation."""
        return Patience(self._deadline)

    def known_as(self, user: str) -> None:
        """Remember the user name that the API server has told, for messages."""
        self._user = user

    def call(
        self,
        method: str,
        path: str,
        asked: Asked,
        *,
        patience: Patience | None = None,
        query: Mapping[str, str] | None = None,
        body: object = None,
        kind: str = "application/json",
        repeatable: bool = True,
    ) -> dict[str, Any]:
        """Make one call and return the object that it answers with.

        Args:
            method: The HTTP method.
            path: The path below the server's URL, its parts quoted.
            asked: What is asked, for messages.
            patience: What is left of the operation's time; None starts a new one.
            query: What follows the question mark.
            body: What is sent as JSON.
            kind: The body's media type.
            repeatable: Whether doing it twice is as good as once. If not, it is sent again only where the server has
                certainly not done it.

        Returns:
            The object, as plain values.

        Raises:
            ServiceError: See `exceptions.py`; it has neither cause nor context.

        """
        try:
            return self._tried(method, path, asked, patience or self.patience(), query, body, kind, repeatable)
        except CallFailed as failed:
            error = failed.error
        # Raised out here, the error carries no context: urllib3's exceptions hold on to what was sent.
        raise error

    def _tried(
        self,
        method: str,
        path: str,
        asked: Asked,
        patience: Patience,
        query: Mapping[str, str] | None,
        body: object,
        kind: str,
        repeatable: bool,  # noqa: FBT001 - as above
    ) -> dict[str, Any]:
        url = self.connection.server.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        payload = None if body is None else json.dumps(body).encode()
        began = time.monotonic()

        def attempt(seconds: float) -> dict[str, Any]:
            started = time.monotonic()
            answer = self._send(method, url, payload, kind, asked, seconds, began)
            if answer.status == _UNAUTHORIZED and not is_page(answer) and self.connection.credential.renew():
                left = max(0.1, seconds - (time.monotonic() - started))
                answer = self._send(method, url, payload, kind, asked, left, began)
            return self._object(answer, asked)

        def classify(error: BaseException) -> Retry | None:
            if not isinstance(error, CallFailed) or (error.arrived and not repeatable):
                return None
            return error.retry

        return retrying(attempt, deadline=patience.left(), timeout=self._timeout, classify=classify)

    def _send(
        self, method: str, url: str, payload: bytes | None, kind: str, asked: Asked, seconds: float, began: float
    ) -> Answer:
        import urllib3  # noqa: PLC0415 - half a tenth of a second

        headers = {"Accept": "application/json", "User-Agent": "fairing-az-jupyter"}
        if payload is not None:
            headers["Content-Type"] = kind
        authorization = self.connection.credential.authorization()
        if authorization:
            headers["Authorization"] = authorization.reveal()
        asker = self._asker(authorization)

        def exchange() -> Answer:
            # Neither retries nor redirections: the one would multiply the time, the other carry the token elsewhere.
            response = self._pool.request(
                method,
                url,
                body=payload,
                headers=headers,
                timeout=urllib3.Timeout(total=seconds),
                retries=False,
                redirect=False,
            )
            return Answer(response.status, dict(response.headers), response.data)

        try:
            return _within(seconds, exchange)
        except (urllib3.exceptions.HTTPError, OSError) as cause:
            failed = no_answer(cause, asked, asker, time.monotonic() - began)
        except _TimeUp:
            failed = CallFailed(timed_out(asked, asker, time.monotonic() - began), retry=Retry())
        raise failed

    def _object(self, answer: Answer, asked: Asked) -> dict[str, Any]:
        asker = self._asker(self.connection.credential.authorization())
        if answer.status not in _SUCCESS:
            raise refusal(answer, asked, asker)
        try:
            content = json.loads(answer.body)
        except (ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            return content
        raise CallFailed(proxy_page(answer, asked, asker))

    def _asker(self, authorization: Hidden | None) -> Asker:
        claims = token_claims(authorization)
        return Asker(
            address=self.connection.address,
            proxy=address_of(self.connection.proxy) if self.connection.proxy else "",
            user=self._user or claims.subject,
            token_expires=claims.expires,
            secret=authorization,
        )


class _TimeUp(Exception):  # noqa: N818 - it never leaves this module
    """An attempt has not ended in its time."""


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Call, and give up after some seconds whatever hangs.

    urllib3's time-outs begin anew with every byte that arrives, and do not cover the look-up of a name.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            errors.append(error)

    thread = threading.Thread(target=run, name="kubernetes-call", daemon=True)
    thread.start()
    # A little longer than the socket's own time-out, which knows better what it was waiting for.
    thread.join(seconds + 0.1)
    if results:
        return results[0]
    if errors:
        raise errors[0]
    raise _TimeUp
