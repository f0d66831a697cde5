"""What Azure Blob storage checks and Azurite does not: the roles behind a token, and how it words a wrong key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import refusals

if TYPE_CHECKING:
    from .arm import Arm
    from .entra import Entra
    from .web import Answer, Answering, Request

_SERVICE = "Microsoft.Storage/storageAccounts/blobServices"
_RIGHTS = {"GET": "read", "HEAD": "read", "DELETE": "delete"}
_WRONG_KEY = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
    "including the signature."
)


class BlobRules:
    """Stands between a front and Azurite.

    Args:
        entra: Issued the tokens.
        arm: Knows the accounts, and who has which role.

    """

    def __init__(self, entra: Entra, arm: Arm) -> None:
        self._entra = entra
        self._arm = arm

    def before(self, forward: Answering) -> Answering:
        """Return what answers as Azure does, with Azurite behind."""

        def answer(request: Request) -> Answer:
            refused = self._refusal(request)
            if refused is not None:
                return refused
            given = forward(request)
            by_key = request.headers.get("Authorization", "").startswith("SharedKey ")
            if by_key and ("x-ms-error-code", "InvalidAuthenticationInfo") in given.headers:
                # Azurite answers 400 InvalidAuthenticationInfo to a wrong key once it takes tokens, too; Azure answers
                # AuthenticationFailed: https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
                b"".join(given.body)  # type: ignore[arg-type]
                return refusals.blob(403, request, "AuthenticationFailed", _WRONG_KEY)
            return given

        return answer

    def _refusal(self, request: Request) -> Answer | None:
        """Refuse a token, or a SAS that was made with one, without the role that the call needs.

        https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory#permissions-for-blob-service-operations
        and https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas .
        """
        oid = self._who(request)
        if oid is None:
            return None
        by_address = re.match(r"[\d.]+(:\d+)?$", request.host)
        account = request.path.split("/")[1] if by_address else request.host.partition(".")[0]
        resource = self._arm.find("Microsoft.Storage/storageAccounts", account)
        action, data = _needed(request)
        if resource is not None and self._arm.allows(oid, action, resource["id"], data=data):
            return None
        return refusals.blob(403, request, "AuthorizationPermissionMismatch", "")

    def _who(self, request: Request) -> str | None:
        header = request.headers.get("Authorization", "")
        claims = self._entra.claims(header.removeprefix("Bearer ")) if header.startswith("Bearer ") else None
        return str(claims["oid"]) if claims is not None else request.query.get("skoid")


def _needed(request: Request) -> tuple[str, bool]:
    """Return the action that a call needs, and whether it is one on data."""
    right, query = _RIGHTS.get(request.method, "write"), request.query
    if query.get("comp") == "userdelegationkey":
        return f"{_SERVICE}/generateUserDelegationKey/action", False
    if query.get("comp") == "list" and query.get("restype") != "container":
        return f"{_SERVICE}/containers/read", False
    if query.get("restype") == "container" and query.get("comp") != "list":
        return f"{_SERVICE}/containers/{right}", False
    return f"{_SERVICE}/containers/blobs/{right}", True
