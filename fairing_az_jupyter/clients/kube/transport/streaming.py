"""Answers of the API server that are read while they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.http import Answer, explained, json_object
from fairing_az_jupyter.clients.kube.objects.asking import Asked, CallFailed
from fairing_az_jupyter.clients.kube.objects.kinds import AskedChange
from fairing_az_jupyter.clients.kube.objects.rejections import rejected_change
from fairing_az_jupyter.clients.kube.transport.calls import ApiCalls
from fairing_az_jupyter.clients.kube.transport.errors import rejection
from fairing_az_jupyter.clients.kube.transport.unreachable import cut, is_page, no_answer, proxy_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fairing_az_jupyter.clients.streams import Halt, Stream

_CONNECT_SECONDS = 5.0
_ERROR_BYTES = 1 << 18
_SUCCESS = range(200, 300)
_UNAUTHORIZED = 401


class StreamCalls(ApiCalls):
    """Calls whose answers are read while they come; the others as `ApiCalls` makes them."""

    def open(
        self, stream: Stream, path: str, asked: Asked, *, query: Mapping[str, str] | None = None, silence: float
    ) -> Iterator[bytes]:
        """Ask for something, and return when the answer has begun; that may be never, if nothing is to be reported.

        Args:
            stream: Gets the answer.
            path: The path below the server's URL.
            asked: What is asked, for messages.
            query: What follows the question mark.
            silence: Seconds that may pass without a byte.

        Returns:
            The body as it comes; it raises CallFailed where the connection is lost, or silent for too long.

        Raises:
            CallFailed: No answer arrives, or it is a rejection.

        """

        def explain(cause: BaseException) -> CallFailed:
            return no_answer(cause, asked, self._asker(self.connection.credential.authorization()), self._timeout)

        def begin() -> Answer:
            headers = self._headers(self.connection.credential.authorization(), "application/json, */*")
            limits = {"connect": _CONNECT_SECONDS, "silence": silence}
            return explained(lambda: stream.open(self._http, url, headers=headers, **limits), explain)

        url = self._url(path, query)
        head = begin()
        if head.status == _UNAUTHORIZED and self.connection.credential.renew():
            head = begin()
        asker = self._asker(self.connection.credential.authorization())
        if head.status in _SUCCESS:
            if is_page(head):
                raise CallFailed(proxy_page(head, asked, asker))
            return stream.pieces(explain)
        body = b""
        for part in stream.pieces(explain):
            body += part
            if len(body) > _ERROR_BYTES:
                break
        raise rejection(Answer(head.status, head.headers, body), asked, asker)

    def read(self, halt: Halt, path: str, asked: Asked, *, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read an object once; unlike `call`, that ends with the halt.

        Raises:
            CallFailed: No answer arrives, or it is a rejection.

        """
        with halt.stream() as stream:
            body = b"".join(self.open(stream, path, asked, query=query, silence=self._timeout))
        content = json_object(body)
        if content is None:
            asker = self._asker(self.connection.credential.authorization())
            raise CallFailed(proxy_page(Answer(200, {}, body), asked, asker)) if body else cut(asked, asker)
        return content

    def _object(self, answer: Answer, asked: Asked) -> dict[str, Any]:
        if isinstance(asked, AskedChange) and answer.status not in _SUCCESS and not is_page(answer):
            failed = rejected_change(answer, asked, self._asker(self.connection.credential.authorization()))
            if failed is not None:
                raise failed
        return super()._object(answer, asked)
