"""One call of the Kubernetes API: sent with who asks, ended in time, tried again where that helps, its errors ours.

The sockets are those of the kubernetes package; its generated methods are passed by, because they write the bodies of
answers, secret values included, into the log, ignore a time-out that is not a whole number (up to release 31), and try
again where nobody asked them to.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fairing_az_jupyter.clients.http import PoolHttp, explained, json_object
from fairing_az_jupyter.clients.kube.objects.asking import Asked, Asker, CallFailed
from fairing_az_jupyter.clients.kube.transport.connection import address_of, open_pool
from fairing_az_jupyter.clients.kube.transport.errors import rejection
from fairing_az_jupyter.clients.kube.transport.identity import token_claims
from fairing_az_jupyter.clients.kube.transport.unreachable import cut, is_cut, is_page, no_answer, proxy_page
from fairing_az_jupyter.clients.retries import Retry, retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fairing_az_jupyter.clients.http import Answer
    from fairing_az_jupyter.clients.kube.transport.connection import Connection
    from fairing_az_jupyter.clients.secret_values import SecretValue

MERGE_PATCH = "application/merge-patch+json"
_UNAUTHORIZED = 401
_SUCCESS = range(200, 300)


class Deadline:
    """The time that one operation may take, however many calls it makes.

    Args:
        seconds: How long that is.
        attempt: Seconds for one attempt of a call; None for those of every call.
        clock: Tells a time in seconds that never goes back.

    """

    def __init__(
        self, seconds: float, *, attempt: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.attempt = attempt
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
        accept: The form of the answers that is asked for.

    """

    def __init__(
        self, connection: Connection, *, timeout: float, deadline: float, accept: str = "application/json"
    ) -> None:
        self.connection = connection
        self._timeout = timeout
        self._deadline = deadline
        self._accept = accept
        self._http = PoolHttp(open_pool(connection))
        self._user = ""

    def close(self) -> None:
        """Close the sockets that are kept open for further calls."""
        self._http.close()

    def deadline(self, seconds: float | None = None) -> Deadline:
        """Start the time of one operation: so many seconds, or as many as every operation has."""
        return Deadline(self._deadline if seconds is None else seconds)

    def judged_deadline(self) -> Deadline:
        """Start the time of an operation that webhooks judge: each may take 10 s, and more where it says so.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#timeouts
        """
        return Deadline(3 * self._deadline, attempt=4 * self._timeout)

    def known_as(self, user: str) -> None:
        """Remember the user name that the API server has reported, for messages."""
        self._user = user

    def call(
        self,
        method: str,
        path: str,
        asked: Asked,
        *,
        deadline: Deadline | None = None,
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
            deadline: What is left of the operation's time; None starts a new one.
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
        deadline = deadline or self.deadline()
        url = self._url(path, query)
        payload = None if body is None else json.dumps(body).encode()
        extra = {} if body is None else {"Content-Type": kind}
        began = time.monotonic()

        def send(seconds: float) -> Answer:
            authorization = self.connection.credential.authorization()
            headers = {**self._headers(authorization, self._accept), **extra}
            asker = self._asker(authorization)
            return explained(
                lambda: self._http.fetch(method, url, seconds=seconds, headers=headers, body=payload),
                lambda cause: no_answer(cause, asked, asker, time.monotonic() - began),
            )

        def attempt(seconds: float) -> dict[str, Any]:
            started = time.monotonic()
            answer = send(seconds)
            if answer.status == _UNAUTHORIZED and not is_page(answer) and self.connection.credential.renew():
                answer = send(max(0.1, seconds - (time.monotonic() - started)))
            return self._object(answer, asked)

        def classify(error: BaseException) -> Retry | None:
            if not isinstance(error, CallFailed) or (error.arrived and not repeatable):
                return None
            return error.retry

        try:
            limit = self._timeout if deadline.attempt is None else deadline.attempt
            return retrying(attempt, deadline=deadline.left(), timeout=limit, classify=classify)
        except CallFailed as failed:
            error = failed.error
        # Raised out here, the error carries no context: urllib3's exceptions hold on to what was sent.
        raise error

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        return self.connection.server.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")

    def _headers(self, authorization: SecretValue | None, accept: str) -> dict[str, str]:
        return {"Accept": accept, **({"Authorization": authorization.reveal()} if authorization else {})}

    def _object(self, answer: Answer, asked: Asked) -> dict[str, Any]:
        asker = self._asker(self.connection.credential.authorization())
        if answer.status not in _SUCCESS:
            raise rejection(answer, asked, asker)
        content = json_object(answer.body)
        if content is None:
            raise cut(asked, asker) if is_cut(answer) else CallFailed(proxy_page(answer, asked, asker))
        return content

    def _asker(self, authorization: SecretValue | None) -> Asker:
        claims = token_claims(authorization)
        return Asker(
            address=self.connection.address,
            proxy=address_of(self.connection.proxy) if self.connection.proxy else "",
            user=self._user or claims.subject,
            token_expires=claims.expires,
            secret=authorization,
        )
