"""A server that answers as its test says, for faults and answers that no real server can be made to give."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .faults import Fault
from .web import DROP, Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from .authority import Authority, Kind

Outcome = Answer | tuple[int, dict[str, str], bytes] | None
"""An answer, also as status, headers and body; None closes the connection without one."""


class Scripted(Fault):
    """A server with faults that keeps whole requests, secrets too: tests look where a credential goes.

    Args:
        answering: Answers what no fault is for.
        authority: Issues its certificates; None for a server without TLS.
        certificate: The kind that it shows.

    """

    def __init__(
        self,
        answering: Callable[[Request], Outcome],
        authority: Authority | None = None,
        *,
        certificate: Kind = "trusted",
    ) -> None:
        self.requests: list[Request] = []
        super().__init__(authority, answering, _refuse)  # type: ignore[arg-type]
        if certificate != "trusted":
            self.certificate(certificate)

    def asked(self, *parts: str) -> list[Request]:
        """Return the requests with all these parts in method and target, written as `GET /v2/`."""
        return [one for one in self.requests if all(part in f"{one.method} {one.target}" for part in parts)]

    def answer(self, answer: Outcome, **where: object) -> None:
        """Give this very answer, as a front of the stand does; see there."""
        super().answer(_answer(answer), **where)  # type: ignore[arg-type]

    def clear(self) -> None:
        """Take all faults away, and forget what was asked."""
        super().clear()
        self.requests.clear()

    def _answer(self, request: Request) -> Answer:
        _ = request.content
        self.requests.append(request)
        return super()._answer(request)

    def _behind(self, request: Request) -> Answer:
        return _answer(self.answering(request))


def errors(code: str, message: str = "x") -> bytes:
    """Return the body of a registry's error.

    https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes .
    """
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def _answer(outcome: Outcome) -> Answer:
    if outcome is None:
        return DROP
    if isinstance(outcome, Answer):
        return outcome
    status, headers, body = outcome
    return Answer(status, body, headers)


def _refuse(status: int, _request: Request, code: str, message: str) -> Answer:
    return Answer(status, f"{code} {message}")
