"""How every call to Azure is made: tried again while it makes sense, never longer than its deadline, never talkative.

The packages' own retries are off: some wait as long as Retry-After says, however long, and some pay no heed to it.
A socket's time-outs bound neither a name's look-up nor an answer that comes drop by drop, so that each call runs in a
thread that is left behind when its time is over.
"""

from __future__ import annotations

import logging
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core.exceptions import AzureError, DecodeError, HttpResponseError
from azure.core.pipeline.transport import RequestsTransport

from fairing_az_jupyter.clients.azure.errors import clock_difference, from_azure, not_in_time, transient
from fairing_az_jupyter.clients.http import TimeUpError, within
from fairing_az_jupyter.clients.retries import classify_http, retrying
from fairing_az_jupyter.exceptions import FairingAzureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fairing_az_jupyter.clients.azure.errors import Asked
    from fairing_az_jupyter.clients.retries import Retry

__all__ = ["CheckedTransport", "ask"]

T = TypeVar("T")


class CheckedTransport(RequestsTransport):  # type: ignore[misc] # azure.core loads it lazily, as Any
    """Sends requests, and tells an answer of the service from what a proxy puts in its place.

    Args:
        timeout: Seconds to wait for a connection, and for the next bytes of an answer.
        ca_bundle: A file with the certificate authorities to trust; None for those of `requests`
            (REQUESTS_CA_BUNDLE, or the ones it brings).
        mark: What the name of one header of every answer of success or 404, but to POST, begins with.
        strict: Raise for what is worth another try, for a package that would take it for a rejection.

    """

    def __init__(self, *, timeout: float, ca_bundle: str | None = None, mark: str = "", strict: bool = False) -> None:
        super().__init__(
            connection_timeout=timeout, read_timeout=timeout, connection_verify=True if ca_bundle is None else ca_bundle
        )
        self._mark = mark
        self._strict = strict
        self._streamed: Any = None
        self.clock_difference: float | None = None
        """Seconds by which this machine's clock was ahead of the service's, by the last answer; None before one."""

    def send(self, request: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as azure.core has it
        """Send one request.

        Args:
            request: The request.
            kwargs: As `RequestsTransport` takes them; and `received`, which gets the body of an answer that is
                streamed, also where the connection is cut before its end, and the package gets nothing of it.

        Returns:
            The answer.

        Raises:
            HttpResponseError: A web page was answered; if strict, also a failure that is transient.
            DecodeError: The answer lacks the service's mark.

        """
        received: bytearray | None = kwargs.pop("received", None)
        answer = super().send(request, **kwargs)
        if kwargs.get("stream"):
            # The packages leave an answer that they take for an error as it is, and its socket with it.
            self._streamed = answer.internal_response
            if answer.status_code >= 400:  # noqa: PLR2004 - RFC 9110
                self._streamed.close()
        self.clock_difference = clock_difference(answer.headers)
        if answer.headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml")):
            raise HttpResponseError(message="a web page", response=answer)
        if self._strict and classify_http(answer.status_code):
            raise HttpResponseError(message="a transient failure", response=answer)
        marked = any(name.lower().startswith(self._mark) for name in answer.headers)
        # What is asked by POST is the answer's body: it is understood, or it is not.
        plain = answer.status_code < 300 or answer.status_code == 404  # noqa: PLR2004 - RFC 9110
        if plain and not marked and request.method != "POST":
            raise DecodeError(message="not an answer of the service")
        return (
            answer if received is None or answer.status_code != HTTPStatus.PARTIAL_CONTENT else _Kept(answer, received)
        )

    def close(self) -> None:
        """Close the connections, also that of an answer that was not read to its end."""
        if self._streamed is not None:
            self._streamed.close()
        super().close()


class _Kept:
    """An answer whose body is kept as far as it comes: the packages drop what came before a connection was cut.

    Args:
        answer: The answer.
        received: Gets the body.

    """

    def __init__(self, answer: Any, received: bytearray) -> None:  # noqa: ANN401 - azure.core's
        self._answer, self._received = answer, received

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the answer has
        return getattr(self._answer, name)

    def stream_download(self, pipeline: Any, **kwargs: Any) -> _KeptBody:  # noqa: ANN401 - as azure.core has it
        """Return the body, as azure.core's answers do."""
        return _KeptBody(self._answer.stream_download(pipeline, **kwargs), self._received)


class _KeptBody:
    """The body of such an answer; the package reads it to its end and finds it empty.

    Args:
        pieces: The body, as azure.core has it.
        received: Gets the body.

    """

    def __init__(self, pieces: Any, received: bytearray) -> None:  # noqa: ANN401 - azure.core's
        self._pieces, self._received = pieces, received
        # What azure-storage-blob asks of a body.
        self.response, self.content_length = pieces.response, pieces.content_length

    def __iter__(self) -> Iterator[bytes]:
        self._received.clear()
        try:
            for piece in self._pieces:
                self._received += piece
        except Exception:
            if not self._received:
                raise
        return iter(())


def ask(call: Callable[[float], T], asked: Asked, *, timeout: float, deadline: float) -> T:
    """Make a call: try again what is transient, and give up when its time is over.

    Args:
        call: What to do; it gets the seconds that this attempt may take. May run in another thread.
        asked: What is asked, for the error's text.
        timeout: Seconds for one attempt.
        deadline: Seconds for all attempts and the waits between them.

    Returns:
        What the call returned.

    Raises:
        FairingAzureError: It failed, with the last attempt's reason; or its time was over.

    """
    # Only what was made of the packages' errors is kept: some show local variables in tracebacks.
    failure: list[BaseException] = []

    def classify(error: BaseException) -> Retry | None:
        failure[:] = [_ours(error, asked)]
        return transient(error)

    def work() -> T:
        _QUIET.on = True
        return retrying(call, deadline=deadline, timeout=timeout, classify=classify)

    _quieten()
    try:
        return within(deadline, work, name=f"ask {asked.host}")
    except TimeUpError:
        # The reason why the last attempt failed tells more than that the one after it came to no end.
        failure = failure or [not_in_time(asked, deadline)]
    except Exception as error:  # noqa: BLE001 - raised again as ours
        failure = [_ours(error, asked)]
    raise failure[0]


def _ours(error: BaseException, asked: Asked) -> BaseException:
    """Return the error to raise: ours for what the packages raise, the thing itself for a bug."""
    if isinstance(error, AzureError | FairingAzureError | OSError):
        return from_azure(error, asked)
    return error


class _Quiet(threading.local):
    on = False


_QUIET = _Quiet()


def _not_a_warning_of_ours(record: logging.LogRecord) -> bool:
    """Drop the packages' warnings and tracebacks during our calls: our error says it, without the answer's text."""
    return not (_QUIET.on and (record.levelno >= logging.WARNING or record.exc_info))


def _quieten() -> None:
    # A filter acts only on the logger that it is set on, not on those below it.
    for name in tuple(logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"azure", "msal", "urllib3"}:
            logging.getLogger(name).addFilter(_not_a_warning_of_ours)
