"""How each service words a refusal, so that its SDK takes a fault for the real thing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from .web import Answer, json_answer

if TYPE_CHECKING:
    from .web import Request

Refusal = Callable[[int, "Request", str, str], Answer]

_KUBERNETES = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_ARM = {
    401: "InvalidAuthenticationToken",
    403: "AuthorizationFailed",
    404: "ResourceNotFound",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}
_BLOB = {
    401: "InvalidAuthenticationInfo",
    403: "AuthorizationPermissionMismatch",
    404: "ResourceNotFound",
    409: "ContainerBeingDeleted",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServerBusy",
}
_BLOB_TEXT = {
    "AuthorizationPermissionMismatch": (
        "This request is not authorized to perform this operation using this permission."
    ),
    "AuthorizationFailure": "This request is not authorized to perform this operation.",
    "KeyBasedAuthenticationNotPermitted": "Key based authentication is not permitted on this storage account.",
    "ServerBusy": "The server is busy.",
    "InternalError": "The server encountered an internal error. Please retry the request.",
}
_REGISTRY = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN", 429: "TOOMANYREQUESTS"}
_ENTRA = {401: "invalid_client", 429: "temporarily_unavailable", 503: "temporarily_unavailable"}


def kubernetes(status: int, request: Request, code: str, message: str) -> Answer:
    """Refuse as kube-apiserver does: a Status object (Kubernetes API conventions, 'Response Status Kind')."""
    reason = code or _KUBERNETES.get(status, "Unknown")
    text = message or f"{reason}: refused by the test stand"
    content = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": text,
        "reason": reason,
        "details": {},
        "code": status,
    }
    return json_answer(status, content)


def arm(status: int, request: Request, code: str, message: str) -> Answer:
    """Refuse as Azure Resource Manager does.

    https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors and
    https://github.com/microsoft/api-guidelines/blob/vNext/azure/Guidelines.md#handling-errors .
    """
    name = code or _ARM.get(status, "BadRequest")
    headers = {"x_ms_request_id": str(uuid.uuid4())}
    if status == 401:
        # https://learn.microsoft.com/rest/api/gettingstarted/#authentication
        headers["www_authenticate"] = 'Bearer authorization_uri="https://login.microsoftonline.com/common"'
    text = message or f"{name}: refused by the test stand"
    return json_answer(status, {"error": {"code": name, "message": text}}, **headers)


def blob(status: int, request: Request, code: str, message: str) -> Answer:
    """Refuse as Blob storage does: https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2 ."""
    name = code or _BLOB.get(status, "InvalidInput")
    identifier = str(uuid.uuid4())
    text = message or _BLOB_TEXT.get(name, f"{name}: refused by the test stand")
    text = f"{text}\nRequestId:{identifier}\nTime:{formatdate(usegmt=True)}"
    content = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{escape(name)}</Code>'
        f"<Message>{escape(text)}</Message></Error>"
    )
    headers = (("Content-Type", "application/xml"), ("x-ms-error-code", name), ("x-ms-request-id", identifier))
    return Answer(status, content.encode(), headers)


def registry(status: int, request: Request, code: str, message: str) -> Answer:
    """Refuse as a registry does: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes ."""
    name = code or _REGISTRY.get(status, "UNKNOWN")
    headers = {"docker_distribution_api_version": "registry/2.0"}
    if status == 401:
        headers["www_authenticate"] = (
            f'Bearer realm="{request.scheme}://{request.host}/oauth2/token",service="{request.host}",error="invalid_token"'
        )
    text = message or f"{name.lower()}: refused by the test stand"
    return json_answer(status, {"errors": [{"code": name, "message": text, "detail": None}]}, **headers)


def entra(status: int, request: Request, code: str, message: str) -> Answer:
    """Refuse as Microsoft Entra ID does.

    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#error-response-1 .
    """
    name = code or _ENTRA.get(status, "server_error" if status >= 500 else "invalid_request")
    text = message or f"AADSTS90033: {name}: refused by the test stand."
    return json_answer(status, {"error": name, "error_description": text, "error_codes": [90033]})
