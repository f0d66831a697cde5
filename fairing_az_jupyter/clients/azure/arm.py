"""Requests to Azure Resource Manager: addresses with a version, JSON objects back, list after list.

Source: https://learn.microsoft.com/rest/api/azure, "Components of a REST API request/response".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fairing_az_jupyter.clients.http import json_object, same_origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure.core import PipelineClient
    from azure.core.credentials import TokenCredential

    from fairing_az_jupyter.clients.azure.errors import Asked

__all__ = ["ACCEPTED", "ArmCalls"]

ACCEPTED = 202
"""The status of what Azure continues with after its answer."""

_WITHOUT_BODY = {ACCEPTED, 204}
_MOST_PAGES = 50


class ArmCalls:
    """Sends requests as one identity.

    Args:
        credential: Whose tokens are sent.
        endpoint: Azure Resource Manager's URL, without a slash at its end.
        scope: What a token for it is asked for.
        timeout: Seconds for one attempt of a call.
        deadline: Seconds for all attempts of a call.
        ca_bundle: A file with the certificate authorities to trust; None for those of `requests`.

    """

    def __init__(
        self,
        credential: TokenCredential,
        endpoint: str,
        scope: str,
        *,
        timeout: float,
        deadline: float,
        ca_bundle: str | None,
    ) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self.deadline = deadline
        self._credential = credential
        self._scope = scope
        self._ca_bundle = ca_bundle
        self._made: PipelineClient[Any, Any] | None = None

    def url(self, path: str, version: str) -> str:
        """Return a resource's address.

        Args:
            path: Its id.
            version: The version of the REST API.

        Returns:
            The URL.

        """
        return f"{self.endpoint}{path}?api-version={version}"

    def is_ours(self, url: str) -> bool:
        """Tell whether an address is Resource Manager's, so that the token may be sent there.

        Args:
            url: The address.

        Returns:
            Whether it is.

        """
        return same_origin(self.endpoint, url)

    def get(self, path: str, version: str, asked: Asked) -> dict[str, Any]:
        """Get a resource.

        Args:
            path: Its id.
            version: The version of the REST API.
            asked: What is asked, for errors.

        Returns:
            The JSON object; it has an `id`.

        Raises:
            ServiceError: There is none to be had.

        """
        return self.send("GET", self.url(path, version), asked, expected=("id", str))[2]

    def pages(self, url: str, asked: Asked, end: float | None = None) -> Iterator[dict[str, Any]]:
        """List what there is, page by page.

        Args:
            url: The first page's address.
            asked: What is asked, for errors.
            end: The moment (of the monotonic clock) until which all pages must be there; the deadline from now if None.

        Yields:
            The JSON objects.

        Raises:
            ServiceError: They can't be had.

        """
        end = time.monotonic() + self.deadline if end is None else end
        for _page in range(_MOST_PAGES):
            answer = self.send("GET", url, asked, expected=("value", list), end=end)[2]
            yield from (each for each in answer["value"] if isinstance(each, dict))
            url = str(answer.get("nextLink") or "")
            if not self.is_ours(url):
                return

    def send(
        self,
        method: str,
        url: str,
        asked: Asked,
        *,
        body: dict[str, Any] | None = None,
        expected: tuple[str, type] | None = None,
        end: float | None = None,
    ) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        """Send one request, again if need be.

        Args:
            method: The HTTP method.
            url: The address.
            asked: What is asked, for errors.
            body: What is sent, as JSON.
            expected: A name that the answer has, and the type of its value: by which it is known for Azure's.
            end: The moment (of the monotonic clock) until which there must be an answer; the deadline from now if None.

        Returns:
            The status, the headers with their names in lower case, and the JSON object (empty without a body).

        Raises:
            ServiceError: It was rejected, or there is no answer.

        """
        from azure.core.exceptions import DecodeError, HttpResponseError  # noqa: PLC0415 - heavy
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - heavy

        from fairing_az_jupyter.clients.azure.calls import ask  # noqa: PLC0415 - heavy

        client = self._client()

        def attempt(seconds: float) -> tuple[int, Mapping[str, str], dict[str, Any]]:
            request = HttpRequest(method, url, json=body)
            response = client.send_request(request, connection_timeout=seconds, read_timeout=seconds)
            if response.status_code >= 300:  # noqa: PLR2004 - RFC 9110
                raise HttpResponseError(response=response)
            headers = {str(name).lower(): str(value) for name, value in response.headers.items()}
            if response.status_code in _WITHOUT_BODY and not expected:
                return response.status_code, headers, {}
            answer = json_object(response.content)
            if answer is None or (expected and not isinstance(answer.get(expected[0]), expected[1])):
                raise DecodeError(message="not an answer of Azure Resource Manager")
            return response.status_code, headers, answer

        left = self.deadline if end is None else max(end - time.monotonic(), 0.0)
        return ask(attempt, asked, timeout=self.timeout, deadline=left)

    def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            self._made.close()
            self._made = None

    def _client(self) -> PipelineClient[Any, Any]:
        if self._made is None:
            from azure.core import PipelineClient  # noqa: PLC0415 - heavy
            from azure.core.pipeline.policies import (  # noqa: PLC0415 - heavy
                BearerTokenCredentialPolicy,
                HttpLoggingPolicy,
                ProxyPolicy,
                RequestIdPolicy,
                UserAgentPolicy,
            )

            from fairing_az_jupyter.clients.azure.calls import CheckedTransport  # noqa: PLC0415 - heavy

            self._made = PipelineClient(
                self.endpoint,
                transport=CheckedTransport(timeout=self.timeout, ca_bundle=self._ca_bundle),
                policies=[
                    RequestIdPolicy(),
                    UserAgentPolicy("fairing-az-jupyter"),
                    ProxyPolicy(),
                    BearerTokenCredentialPolicy(self._credential, self._scope),
                    HttpLoggingPolicy(),
                ],
            )
        return self._made
