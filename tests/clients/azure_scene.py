"""One tenant with one application, and errors of Azure's that quote what they were sent: what tests of Azure share.

ARM's errors: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
"""

from __future__ import annotations

from tests.marked import MARK
from tests.stand.entra import refusal
from tests.stand.faults import page
from tests.stand.web import Answer

CLIENT_ID = "11111111-1111-1111-1111-111111111111"
TENANT_ID = "22222222-2222-2222-2222-222222222222"
SUBSCRIPTION_ID = "33333333-3333-3333-3333-333333333333"
OBJECT_ID = "44444444-4444-4444-4444-444444444444"
CLIENT_SECRET = f"{MARK}8Q~client-secret-value"
TOKENS = "/oauth2/v2.0/token$"
PAGE = page(body=f"<html><body>Please log in to the Contoso proxy. {MARK}</body></html>".encode())


def arm_error(status, code, **headers):
    """Return an error answer of ARM, with what it was sent in its text as a careless server would."""
    message = f"The client '{CLIENT_ID}' ... Authorization: Bearer {MARK}-token"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"error": {"code": code, "message": message}}, named)


def entra_error(number, error="invalid_client", status=401):
    """Return an error answer of Entra ID, with what it was sent in its text as a careless server would."""
    return refusal(status, error, int(number), f"Something about '{CLIENT_ID}' and {CLIENT_SECRET}.\r\n")
