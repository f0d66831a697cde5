"""Blob Storage: what their tests share."""

from __future__ import annotations

import base64

from tests.stand.web import Answer

ACCOUNT = "contosomldata"


# The mark is at the place of a whole number of base64's groups, so that the key has it too.
KEY = base64.b64encode(base64.b64decode("MARKEDkey+MARKEDkey/") + bytes(49)).decode()


def refusal(status, code, **headers):
    """Return an error answer as Blob Storage gives it.

    Source: https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2.
    """
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>MARKED text\nRequestId:1</Message></Error>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {"x-ms-request-id": "1", "x-ms-error-code": code, "Content-Type": "application/xml", **named}
    return Answer(status, body, fields)


def blob_names(store, container):
    return [blob.name for blob in store._client().get_container_client(container).list_blobs()]  # noqa: SLF001
